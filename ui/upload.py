"""What comes in from a browser: the untouched file, and nothing from elsewhere."""

import re
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class ImageFile(gr.Image):
    """A gr.Image whose value reaches Python as the path of the upload, not decoded, not turned, not saved again.

    gr.Image itself would decode before our limits are checked, lose the file's metadata, open any path that is posted,
    and download any address that is posted.
    """

    is_template = True  # for the browser it is the gr.Image that it knows

    def preprocess(self, payload: ImageData | None) -> str | None:
        if payload is None:
            return None
        path = Path(payload.path or "").resolve()
        if not path.is_relative_to(Path(self.GRADIO_CACHE).resolve()):
            raise gr.Error("Only an uploaded file can be classified; upload the image first.", print_exception=False)
        return str(path)

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        if str(url_or_file_path).startswith(("http:", "https:")):
            raise gr.Error("Addresses are not fetched; save the image and upload the file.", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)


class NoForeignFiles:
    """ASGI middleware: Gradio's /file= route would fetch any public address for a visitor. Here it does not."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and re.search("/file[=/]+https?:", scope["path"], re.IGNORECASE):
            await PlainTextResponse("Addresses are not fetched.", 404)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
