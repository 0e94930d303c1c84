"""What the rooms beside "Check" share: one component out of a folder's files, and doors for its scripts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore

import gradio as gr

import detector

UI = Path(__file__).parent.parent
NO_QUESTION = "That is no question that this page asks; load it again."
MOST = 16  # questions that are answered at a time, of the 40 threads that Gradio has; the others ask again
_places = BoundedSemaphore(MOST)
CROWDED = "Too many people are asking; try again in a minute."
GONE = "The server no longer has this picture; give it again."


class Room(gr.HTML):
    """The files NAME.html and NAME.css of ui/NAME, with `scripts`, which are named from ui/ and run as one; on the page
    it is #`elem_id`."""

    def __init__(self, name: str, scripts: Sequence[str], elem_id: str, **props):
        template, css = ((UI / name / f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css"))
        js = "\n".join((UI / f"{script}.js").read_text("utf-8") for script in ("shared/ask", *scripts))
        super().__init__(
            html_template=template, css_template=css, js_on_load=js, apply_default_css=False, elem_id=elem_id, **props
        )


@contextmanager
def place() -> Iterator[bool]:
    """One of MOST places for a question, or False if all are taken."""
    free = _places.acquire(blocking=False)
    try:
        yield free
    finally:
        if free:
            _places.release()


def door(name: str, answer: Callable[[dict], dict]) -> None:
    """Let the page's scripts ask `answer` under `name` (shared/ask.js): not through the queue, whose places are for
    those who want one picture judged, and of whose threads it leaves enough. What is no question of ours is refused in
    a sentence, as what `answer` raises is: ImageError, CheckpointError, ImportError."""

    def asked(question: dict) -> dict:
        with place() as free:
            if not free:
                return {"crowded": True}
            try:
                return answer(question)
            except gr.Error as error:  # of ui.upload.uploaded: swept away meanwhile, or never there
                raise gr.Error(GONE, print_exception=False) from error
            except (detector.ImageError, detector.CheckpointError, ImportError) as error:
                raise gr.Error(str(error), print_exception=False) from error
            except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
                raise gr.Error(NO_QUESTION, print_exception=False) from error

    gr.api(asked, api_name=name, queue=False, api_visibility="undocumented")
