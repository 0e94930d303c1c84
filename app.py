"""The page: python app.py [--model ...] [--host --port --share]. Importing this loads nothing."""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # Ctrl+C ends this quietly while gradio is still being imported; later see `main`
    signal.signal(signal.SIGINT, signal.SIG_DFL)
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
# Gradio's monitoring keeps a line of each of 10,000 requests, and makes a table of them all after every one.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**12))

try:  # a ZeroGPU Space starts only if a function asks for a GPU; it has to be imported before torch
    import spaces
except ImportError:
    pass
else:

    @spaces.GPU
    def gpu() -> None:
        """This model is answered on the CPU; here to be found."""


import ui  # noqa: F401 - gradio's first import is made there

# isort: split
import gradio as gr
from gradio.http_server import INITIAL_PORT_VALUE, LOCALHOST_NAME, TRY_NUM_PORTS
from starlette.middleware import Middleware

import detector
from detector.arguments import add_engine, add_model
from detector.threads import in_background
from ui import about, check, compare, gallery, many, quiz
from ui.agents import Agents, agents
from ui.folder import UploadFolder
from ui.limits import Limits
from ui.memory import give_back
from ui.theme import CSS, THEME
from ui.upload import WRONG_CALLS, Blocks, Uploads, keep_in

if TYPE_CHECKING:
    from detector.serving import Service

TITLE = "DALL-E, human, or another AI?"
MAX_UPLOAD = "80mb"  # above detector.images.MAX_FILE, so that its sentence is the one people read
MAX_WAITING = 64  # people in the queue; further ones are told that the page is busy
SWEEP_EVERY = 10  # seconds; what was uploaded is gone after this and check.KEEP_SECONDS, freed memory after this
CLOSE_SECONDS = 3  # for what is being answered when the program is told to end
SESSIONS = 200  # visitors of whom Gradio remembers the page's settings, which none of ours ever changes


def build_demo(model: Future, examples: Future, others: Sequence[str] = ()) -> gr.Blocks:
    """The page for futures of a Service and of a list of `ui.gallery.Example`: it is up before they are there. `others`
    are further models to be compared with."""
    with Blocks(title=TITLE, analytics_enabled=False) as demo:
        title = gr.HTML(check.headline_html(""), elem_id="title")
        with gr.Tabs(elem_id="rooms", overflow_behavior="wrap"):  # each comes into the page when it is first opened
            with gr.Tab("Check", id="check", elem_id="check-room"):
                check.draw(demo, title, model, examples)
            with gr.Tab("Many pictures", elem_id="many-room"):
                many.draw(model)
            with gr.Tab("Play", elem_id="quiz-room"):
                quiz.draw(model, examples)
            with gr.Tab("Compare", elem_id="compare-room"):
                compare.draw(model, examples, others)
            with gr.Tab("How it works", elem_id="about-room"):
                about.draw(model, examples)
    return demo.queue(max_size=MAX_WAITING, api_open=False)


def our_examples() -> list[gallery.Example]:
    """Those that come with the project, and the published model's samples where the Hub can be reached."""
    found = gallery.bundled_examples()
    try:
        found += gallery.published_samples()
    except detector.CheckpointError as error:
        logging.warning("The published model's samples are not in the gallery. %s", error)
    return found


def service(model: str, precision: str, device: str) -> "Service":
    from detector.explain import import_library  # brings torch, which takes longer than the page
    from detector.serving import Service

    found = Service(detector.load(model, precision, device))
    in_background(found.aside, import_library)  # so that not the first visitor waits for it
    return found


def log_failure(future: Future) -> None:
    if error := future.exception():
        logging.error("%s", error)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("app.py", description="Classify images in the browser.")
    add_model(parser)
    add_engine(parser)
    parser.add_argument("--examples", type=Path, metavar="DIR", help="gallery of any folder of class folders")
    parser.add_argument(
        "--compare-with", nargs="+", default=[], metavar="MODEL", help="further models that Compare offers"
    )
    # Gradio's own defaults, $GRADIO_SERVER_NAME and $GRADIO_SERVER_PORT among them: a Space sets those.
    parser.add_argument("--host", default=LOCALHOST_NAME, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="0: any free one (default: the first free one from 7860)")
    parser.add_argument("--share", action="store_true", help="a public address through Gradio's relay")
    parser.add_argument("--mcp", action="store_true", help="tools for agents too, at /mcp (Model Context Protocol)")
    parser.add_argument(
        "--rate", type=int, metavar="N", help="requests a minute that one visitor may send; a picture takes about four"
    )
    options = parser.parse_args(arguments)
    if options.rate is not None and options.rate < 1:
        parser.error("--rate is 1 request a minute at least.")
    logging.basicConfig(format="%(message)s")
    host = options.host.strip("[]")
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Ctrl+C; `docker stop`, systemd; a terminal that closes
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    try:
        port = free_port(host, options.port)
        found = gallery.folder_examples(options.examples) if options.examples else None
        with UploadFolder() as folder:
            keep_in(folder.path)
            model = in_background(service, options.model, options.precision, options.device)
            model.add_done_callback(log_failure)
            examples = in_background(lambda: gallery.with_thumbnails(gallery.shuffled(found or our_examples())))
            demo = build_demo(model, examples, options.compare_with)
            tools = agents(model, examples, host) if options.mcp else None
            serve(demo, host, port, options.share, options.rate, tools)
            while not stop.wait(SWEEP_EVERY):
                folder.sweep(check.KEEP_SECONDS)
                give_back()
            stop_serving(demo)  # first, or an upload that is just coming would outlive the folder
    except (OSError, ValueError) as error:
        parser.error(str(error))


def free_port(host: str, port: int | None) -> int:
    """`port` if it can be listened on, any free one for 0, the first free one from 7860 for None. Raises OSError."""
    first = INITIAL_PORT_VALUE
    for number in range(first, first + TRY_NUM_PORTS) if port is None else [port]:
        try:
            found = number
            for name in (host, LOCALHOST_NAME):  # Gradio wants it to be free there too
                for family, *_, address in socket.getaddrinfo(name, found, type=socket.SOCK_STREAM):
                    with socket.create_server((address[0], found), family=family) as listener:
                        found = listener.getsockname()[1]
            return found
        except (OSError, OverflowError, UnicodeError) as error:
            problem = error
            if isinstance(error, socket.gaierror):  # no other port will help
                break
    raise OSError(f"{host}, port {number} cannot be used ({problem}); give another --host or --port.") from problem


def serve(
    demo: gr.Blocks, host: str, port: int, share: bool, rate: int | None = None, tools: Agents | None = None
) -> None:
    """The page, and `tools` for agents, are up when this returns; `rate`: see ui.limits."""
    for_agents = {"routes": [tools.route], "lifespan": tools.lifespan} if tools else {}
    demo.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        share=share,
        theme=THEME,
        css=CSS,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        pwa=False,
        run_history=False,
        state_session_capacity=SESSIONS,
        enable_monitoring=False,
        footer_links=["api"],
        mcp_server=False,
        app_kwargs={
            "middleware": [Middleware(Limits, rate=rate), Middleware(Uploads)],
            "exception_handlers": WRONG_CALLS,
            **for_agents,
        },
        prevent_thread_lock=True,
    )


def stop_serving(demo: gr.Blocks) -> None:
    """No request is served any more, and those that were are broken off."""
    logging.getLogger("uvicorn.error").disabled = True  # each of them would be a traceback
    demo.server.force_exit = demo.server.should_exit = True
    demo.server.thread.join(CLOSE_SECONDS)


if __name__ == "__main__":
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # the interpreter's own end aborts if the model's thread is still importing torch
