"""How the page looks: system fonts only, so that it asks no other host for anything."""

import gradio as gr

THEME = gr.themes.Monochrome(
    font=["ui-sans-serif", "system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], radius_size="md"
)

# Orange for AI in two shades, blue for human: apart for colour-blind eyes too (Okabe & Ito 2008).
CSS = """
:root { --ai: #d55e00; --other-ai: #e69f00; --human: #0072b2; }
.dark { --ai: #ff8533; --other-ai: #f5c04a; --human: #56b4e9; }
.gradio-container { width: 100%; max-width: 1240px !important; margin: auto; }
.gradio-container .main { padding: 12px 20px; }
.gradio-container .column { gap: 6px; }
#title h1 { font-size: 1.6em; margin: 0; }
#title p { margin: 0.2em 0 0; min-height: 1.5em; }
#rooms { gap: 0; }
#rooms .tabitem { padding: 0; border: 0; }
#rooms .tab-wrapper { margin: 0 16px; height: auto; padding: 0; border-bottom: 1px solid var(--border-color-primary); }
#rooms .tab-container { background: none; height: auto; min-height: 44px; flex-wrap: wrap; overflow: visible; }
#title .html-container { padding-bottom: 0; }
#rooms [role="tab"] { height: 44px; padding: 0 1em; font-size: 1em; color: var(--body-text-color); }
#rooms [role="tab"][aria-selected="true"] { font-weight: 700; }
.room { display: grid; gap: 12px; padding: 4px 0 24px; }
.room > * { min-width: 0; }
.room :is(h2, h3) { margin: 0; font-weight: 600; }
.room h2 { font-size: 1.15em; }
.room p { margin: 0; max-width: 46em; }
.room [hidden] { display: none !important; }
.room select { appearance: auto; min-height: 44px; min-width: 0; max-width: 100%; font: inherit;
  color: var(--body-text-color); background: var(--background-fill-primary);
  border: 1px solid var(--border-color-primary); border-radius: 6px; }
.meter { display: block; height: 8px; border-radius: 4px; background: var(--border-color-primary); overflow: hidden; }
.meter i { display: block; height: 100%; }
.dalle .meter i { background: var(--ai); }
.other_ai .meter i { background: var(--other-ai); }
.human .meter i { background: var(--human); }
[data-testid="status-tracker"], .toast-wrap { display: none; } /* what it says is said in words */
.button { min-height: 44px; padding: 0 1em; font: inherit; color: var(--body-text-color);
  cursor: pointer; background: none; border: 1px solid var(--border-color-primary); border-radius: 8px; }
#rooms :is(button, input, summary, select, a, [tabindex="0"]):focus-visible {
  outline: 3px solid var(--human); outline-offset: 1px; }
#rooms :is(input, select) { color-scheme: light; }
.dark #rooms :is(input, select) { color-scheme: dark; }
@media (forced-colors: active) {
  #image :is(.meter, .dots, .bar, .tile), #examples .picture { forced-color-adjust: none; }
}
@media (max-width: 740px) {
  .gradio-container .main { padding: 10px 14px; }
  #rooms [role="tab"] { padding: 0 0.6em; }
}
"""
