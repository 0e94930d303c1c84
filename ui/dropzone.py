"""The way in for an image: dropped or pasted anywhere on the page, or picked."""

from pathlib import Path

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from ui.upload import NoAddresses, uploaded

HERE = Path(__file__).parent


# For the browser, when an example is chosen: Gradio's event, as the zone's own.
EXAMPLE_JS = "() => { document.querySelector('#image .zone').dispatchEvent(new Event('example')); return []; }"


class Dropzone(NoAddresses, gr.HTML):
    """Its value reaches Python as the path of the uploaded, untouched file; a path that Python gives is shown.

    In the browser the value is {"path", ...} once the file is on the server, {"pending": true} before, and
    {"error": words} where it did not get there.
    """

    def __init__(self, most: int, **options):
        """`most`: bytes of a file that are not sent at all."""
        template, css, js = ((HERE / f"dropzone.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
        super().__init__(
            html_template=template, css_template=css, js_on_load=js, apply_default_css=False, most=most, **options
        )

    def preprocess(self, payload: dict | None) -> str | None:
        return uploaded(payload["path"], self.GRADIO_CACHE) if payload and "path" in payload else None

    def postprocess(self, value: str | None) -> dict | None:
        if value is None:
            return None
        path = save_file_to_cache(value, cache_dir=self.GRADIO_CACHE)  # as if it had been uploaded
        return {"path": path, "orig_name": Path(value).name, "meta": {"_type": "gradio.FileData"}}
