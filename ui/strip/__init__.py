"""The gallery as a strip of pictures that do not tell whose they are."""

from pathlib import Path

import gradio as gr

from detector.verdict import NAMES

HERE = Path(__file__).parent


class Strip(gr.HTML):
    """Its value is {"n", "folder"}: small copies 0.jpg, 1.jpg ... in a folder that is served. For what is clicked the
    viewer asks."""

    def __init__(self, **options):
        template, css, js = ((HERE / f"strip.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
        super().__init__(
            html_template=template, css_template=css, js_on_load=js, apply_default_css=False, names=NAMES, **options
        )
