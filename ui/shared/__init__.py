"""What the rooms beside "Check" share: one component out of a folder's files, and doors for its scripts."""

from collections.abc import Callable, Sequence
from pathlib import Path

import gradio as gr

import detector

UI = Path(__file__).parent.parent
NO_QUESTION = "That is no question that this page asks; load it again."


class Room(gr.HTML):
    """The files NAME.html and NAME.css of ui/NAME, with `scripts`, which are named from ui/ and run as one; on the page
    it is #`elem_id`."""

    def __init__(self, name: str, scripts: Sequence[str], elem_id: str, **props):
        template, css = ((UI / name / f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css"))
        js = "\n".join((UI / f"{script}.js").read_text("utf-8") for script in ("shared/ask", *scripts))
        super().__init__(
            html_template=template, css_template=css, js_on_load=js, apply_default_css=False, elem_id=elem_id, **props
        )


def door(name: str, answer: Callable[[dict], dict]) -> None:
    """Let the page's scripts ask `answer` under `name` (shared/ask.js): not through the queue, whose places are for
    those who want one picture judged. What is no question of ours is refused in a sentence, as what `answer` raises
    is: ImageError, CheckpointError, ImportError."""

    def asked(question: dict) -> dict:
        try:
            return answer(question)
        except (detector.ImageError, detector.CheckpointError, ImportError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise gr.Error(NO_QUESTION, print_exception=False) from error

    gr.api(asked, api_name=name, queue=False, api_visibility="undocumented")
