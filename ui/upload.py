"""What comes in from a browser or over the API: the untouched file, and nothing from elsewhere."""

import errno
import logging
import os
import re
from pathlib import Path

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio import route_utils, routes, screen_recording_utils
from gradio.data_classes import ImageData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)

HOW_TO_SEND = (
    "Send an uploaded file: handle_file('picture.jpg') with gradio_client; or POST the file to /gradio_api/upload and "
    "send {'path': the path that it answers, 'meta': {'_type': 'gradio.FileData'}}."
)
FULL = "There is no room left for uploads on the server; try again in some minutes, or a smaller image."


def _no_room(error: BaseException | None) -> BaseException | None:
    """The full disk or quota that `error` is or was raised for, if any."""
    while error and getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT):
        error = error.__cause__
    return error


def _names_an_address(value: object) -> bool:
    """Whether a call's data says somewhere that a file is to be had from another host."""
    if isinstance(value, dict):
        path = value.get("path")
        return (isinstance(path, str) and _is_address(path)) or any(map(_names_an_address, value.values()))
    return isinstance(value, list | tuple) and any(map(_names_an_address, value))


def _is_address(path: str) -> bool:
    return path.strip().lower().startswith(("http:", "https:"))


def keep_in(folder: Path) -> None:
    """Let Gradio put all that comes in, and all that it makes of it, into `folder`; before a gr.Blocks is made."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    for module in (routes, route_utils, screen_recording_utils):
        module.DEFAULT_TEMP_DIR = str(folder)  # read from the environment when Gradio was imported


def uploaded(path: str | None, folder: str) -> str:
    """`path` if it lies in the upload folder. Raises gr.Error."""
    found = Path(path or "").resolve()
    if not found.is_relative_to(Path(folder).resolve()) or not found.is_file():
        raise gr.Error(HOW_TO_SEND, print_exception=False)
    return str(found)


class NoAddresses:
    """For a component whose value is an upload: Gradio would download any address that is posted as its path."""

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        if _is_address(str(url_or_file_path)):
            raise gr.Error(f"Addresses are not fetched. {HOW_TO_SEND}", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)


class ImageFile(NoAddresses, gr.Image):
    """A gr.Image whose value reaches Python as the path of the upload, not decoded, not turned, not saved again.

    gr.Image itself would decode before our limits are checked, lose the file's metadata, and open any path that is
    posted.
    """

    is_template = True  # for the browser it is the gr.Image that it knows

    def preprocess(self, payload: ImageData | None) -> str | None:
        return None if payload is None else uploaded(payload.path, self.GRADIO_CACHE)


class Blocks(gr.Blocks):
    """gr.Blocks that answers a call with wrong arguments in one sentence, and asks no other host on a Space."""

    def __init__(self, **options):
        super().__init__(**options)
        self.space_id = None  # with it the browser draws the Hub's header, which asks two hosts for fonts and counts

    async def preprocess_data(self, block_fn, inputs, *arguments, **options) -> list:
        if _names_an_address(inputs):  # Gradio would download it for whatever takes JSON
            raise gr.Error(f"Addresses are not fetched. {HOW_TO_SEND}", print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *arguments, **options)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:  # a path elsewhere, text, a list, too few: each raises something of its own
            if _no_room(error):
                raise
            log.info("A call was refused: %r", error)
            raise gr.Error(HOW_TO_SEND, print_exception=False) from error

    async def process_api(self, *arguments, **options) -> dict:
        try:
            return await super().process_api(*arguments, **options)
        except Exception as error:  # what Gradio or we wrote for this answer
            if not (full := _no_room(error)):
                raise
            log.warning("%s (%s)", FULL, full)
            raise gr.Error(FULL, print_exception=False) from error


class _Parser(route_utils.GradioMultiPartParser):
    """Gradio's reader of uploads, which leaves no part of one behind that breaks off, and takes files alone: other
    parts it would read into memory without any bound."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options | {"max_fields": 0})

    async def parse(self):
        try:
            return await super().parse()
        except BaseException:
            for file in self._files_to_close_on_error:
                file.close()
                Path(file.name).unlink(missing_ok=True)
            raise


route_utils.GradioMultiPartParser = _Parser  # Gradio has no setting for it; its version is pinned


class Uploads:
    """ASGI middleware: a full disk and a client that hangs up are no tracebacks, and no address is fetched.

    Gradio's /file= route would fetch any public address for a visitor.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and re.search("/file[=/]+https?:", scope["path"], re.IGNORECASE):
            await PlainTextResponse("Addresses are not fetched.", 404)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            log.info("An upload broke off.")
        except OSError as error:
            if not _no_room(error):
                raise
            log.warning("%s (%s)", FULL, error)
            await PlainTextResponse(FULL, 507)(scope, receive, send)


async def wrong_call(request: Request, error: Exception) -> JSONResponse:
    """What the API answers to a call that is none: no list of arguments, no such endpoint."""
    if isinstance(error, KeyError) and not request.url.path.endswith("/queue/join"):
        raise error
    log.info("A call was refused: %r", error)
    code = 422 if isinstance(error, RequestValidationError) else 404
    return JSONResponse({"detail": f'Call /predict with {{"data": [image]}}. {HOW_TO_SEND}'}, code)


# KeyError: a `fn_index` that the page does not have.
WRONG_CALLS = dict.fromkeys((RequestValidationError, route_utils.FnIndexInferError, KeyError), wrong_call)
