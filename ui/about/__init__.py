"""The tab "How it works": a picture's way to three numbers, what the model learned and where it fails, lessons."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from detector.output.data_url import address
from detector.threads import in_background
from detector.verdict import NAMES
from ui.about.figures import about_model
from ui.about.steps import steps
from ui.gallery import Example, example_at
from ui.shared import UI, Room, door
from ui.upload import uploaded
from ui.viewer import COLOURS

if TYPE_CHECKING:
    from detector.serving import Service

LESSONS = UI.parent / "docs" / "lessons.md"
FOOLED = 4  # pictures of either side
MOST = 200  # pictures of a gallery that are looked at for those; each takes a tenth of a second


def draw(model: Future, gallery: Future) -> None:
    """Draw the tab. The futures yield a Service and a list of Examples."""
    room = Room("about", ["viewer/paint", "about/steps", "about/about"], "about", names=NAMES, colours=COLOURS)
    door("about_steps", partial(about_steps, model, gallery, room.GRADIO_CACHE))
    door("about_model", lambda asked: about_model(model.result().detector))
    fooled = once(lambda: fooling(model.result(), gallery.result()[:MOST]))
    door("about_fooled", lambda asked: fooled())
    with gr.Accordion("Four lessons for a class", open=False, elem_id="lessons"):
        text = LESSONS.read_text("utf-8").partition("\n")[2]  # the accordion has its title
        gr.Markdown(text.replace("\n## ", "\n### "))


def about_steps(model: Future, gallery: Future, folder: str, asked: dict) -> dict:
    """The steps of one picture: an `example` of the gallery, or the `path` of an upload."""
    service = model.result()
    if "example" not in asked:
        return steps(service, Path(uploaded(asked["path"], folder)))
    if not (examples := gallery.result()):
        return {"nothing": "There is no picture yet: give one in Check."}
    return steps(service, example_at(examples, asked["example"]).path)


def fooling(service: "Service", examples: "list[Example]") -> dict:
    """{"n", "human", "ai"}: of how many; the human works that are found most AI-like, and the reverse. All in JSON."""
    judged = [(example, service.answer(example.path).verdict) for example in examples]
    found = sorted(((v.p_ai, example) for example, v in judged if not v.abstained), key=lambda one: one[0])
    human = [one for one in reversed(found) if one[1].label == "human"][:FOOLED]
    ai = [one for one in found if one[1].label != "human"][:FOOLED]
    return {
        "n": len(found),
        **{
            side: [{"picture": address(e.thumbnail), "told": e.told, "p_ai": p} for p, e in pictures]
            for side, pictures in (("human", human), ("ai", ai))
        },
    }


def once(work: Callable[[], dict]) -> Callable[[], dict]:
    """What `work` returns, computed when it is first asked for and kept; {"busy"} meanwhile, so that a class that asks
    together holds up nobody. Where it raised, who asks next has it tried again."""
    lock = threading.Lock()
    running: list[Future] = []

    def ask() -> dict:
        with lock:
            if not running:
                running.append(in_background(work))
            found = running[0]
            if not found.done():
                return {"busy": True}
            if found.exception():
                running.clear()
        return found.result()

    return ask
