"""How the page looks: system fonts only, so that it asks no other host for anything."""

import gradio as gr

THEME = gr.themes.Monochrome(
    font=["ui-sans-serif", "system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], radius_size="md"
)

# Orange for AI in two shades, blue for human: apart for colour-blind eyes too (Okabe & Ito 2008).
CSS = """
:root { --ai: #d55e00; --other-ai: #e69f00; --human: #0072b2; }
.dark { --ai: #ff8533; --other-ai: #f5c04a; --human: #56b4e9; }
.gradio-container { max-width: 1240px !important; margin: auto; }
.gradio-container .main { padding: 12px 20px; }
.gradio-container .column { gap: 6px; }
#title h1 { font-size: 1.6em; margin: 0; }
#title p { margin: 0.2em 0 0; min-height: 1.5em; }
[data-testid="status-tracker"], .toast-wrap { display: none; } /* what it says is said in words */
#image .button, #examples .button { min-height: 44px; padding: 0 1em; font: inherit; color: var(--body-text-color);
  cursor: pointer; background: none; border: 1px solid var(--border-color-primary); border-radius: 8px; }
#image :is(button, input, summary, select):focus-visible, #examples button:focus-visible {
  outline: 3px solid var(--human); outline-offset: 1px; }
#image input { color-scheme: light; }
.dark #image input { color-scheme: dark; }
@media (forced-colors: active) {
  #image :is(.meter, .dots, .bar, .tile), #examples .picture { forced-color-adjust: none; }
}
@media (max-width: 740px) { .gradio-container .main { padding: 10px 14px; } }
"""
