"""How the page looks: system fonts only, so that it asks no other host for anything."""

import gradio as gr

THEME = gr.themes.Monochrome(
    font=["ui-sans-serif", "system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], radius_size="md"
)

CSS = """
.gradio-container { max-width: 1200px !important; margin: auto; }
#title h1 { margin-bottom: 0.1em; }
.answer { padding: 0.4em 0; }
.answer .sentence { font-size: 1.45em; font-weight: 600; line-height: 1.3; margin: 0 0 0.6em; }
.answer .scale { display: flex; justify-content: space-between; font-size: 0.95em; margin-bottom: 0.25em; }
.answer .meter { height: 0.9em; border-radius: 0.45em; background: #2f7d5b; overflow: hidden; }
.answer .meter div { height: 100%; background: #c4473a; border-right: 2px solid var(--background-fill-primary); }
.answer .caution { font-size: 0.95em; margin-top: 0.7em; }
.answer .waiting { color: var(--body-text-color-subdued); font-size: 1.1em; }
.answer .error { font-size: 1.15em; border-left: 4px solid #c4473a; padding-left: 0.8em; }
#answer [data-testid="status-tracker"] { display: none; } /* what it says is said in words */
#check[data-late] .answer, #check[data-late] #reasons { display: none; } /* see dropzone.js */
#examples .grid-wrap { height: auto; min-height: 0; max-height: 460px; padding-top: 2.6em; }
#examples .caption-label { left: 0; right: 0; max-width: none; border-radius: 0; }
#examples .caption-label { font-size: 0.8em; padding: 0.15em 0.4em; }
#model-line, .answer { overflow-wrap: anywhere; }
#model-line { font-size: 0.92em; border-top: 1px solid var(--border-color-primary); padding-top: 0.6em; }
@media (max-width: 740px) { /* one column: the answer comes before the examples */
  #given, #found { display: contents; }
  #check > * > * { width: 100%; }
  #examples { order: 1; }
  #examples .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
  .gradio-container .main { padding: 16px; }
}
"""
