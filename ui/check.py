"""The tab "Check": one picture in, the answer with its reasons out."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

import detector
from detector.explain import VIEW_SIDE
from detector.output.data_url import data_url
from detector.provenance import said_by
from ui import api
from ui.answer import NO_ANSWER, NO_MAP, NO_MORE, NO_REPORT, card, headline, numbers, origin
from ui.closer import look_alike, look_closer, report_of
from ui.folder import THUMBNAILS
from ui.gallery import Example, example_at, thumbnail_files
from ui.strip import Strip
from ui.upload import HOW_TO_SEND
from ui.viewer import WARM_UP, Viewer

if TYPE_CHECKING:
    from detector import Detector

KEEP_SECONDS = 600  # for which an upload is kept: as long as people look at maps
# Several batches of the service's: while some images are in the model, others are read.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 32}
LOST = {"answer": NO_ANSWER, "map": NO_MAP, "closer": NO_MORE, "alike": NO_MORE, "report": NO_REPORT}


def draw(demo: gr.Blocks, title: gr.HTML, model: Future, gallery: Future) -> None:
    """Draw the tab and wire it, and what stands above all tabs. The futures yield a Service and a list of Examples."""
    viewer = Viewer(LOST)
    strip = Strip()
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    asking = {**quiet, "trigger_mode": "multiple"}  # the browser knows which of its questions still counts
    judge = partial(check, model, gallery)
    # The first event of the page, by which load tests know it.
    given = viewer.upload(judge, viewer, viewer, **MODEL_QUEUE, **asking)
    chosen = viewer.select(judge, viewer, viewer, **MODEL_QUEUE, **asking)
    looked = viewer.expand(partial(look_again, model, gallery), viewer, viewer, concurrency_limit=2, **asking)
    # Not through the queue, whose places are for those who want an answer: these three are told at once if others wait.
    told = viewer.apply(partial(closer, model, gallery), viewer, viewer, queue=False, **asking)
    liked = viewer.like(partial(alike, model, gallery), viewer, viewer, queue=False, **asking)
    handed = viewer.download(partial(report, model, gallery), viewer, viewer, queue=False, **asking)
    lost = (
        (given, "answer"), (chosen, "answer"), (looked, "map"), (told, "closer"), (liked, "alike"), (handed, "report")
    )  # fmt: skip
    for event, what in lost:
        event.failure(None, None, viewer, js=f"() => ({{ lost: '{what}' }})", **quiet)
    api.draw(model, gallery, MODEL_QUEUE)
    demo.load(partial(warming_up, model, time.monotonic()), None, viewer, concurrency_limit=None, **quiet)
    demo.load(partial(loaded, model), None, [title, viewer], concurrency_limit=None, **quiet)
    demo.load(
        partial(shown, gallery, Path(strip.GRADIO_CACHE) / THUMBNAILS), None, strip, concurrency_limit=None, **quiet
    )


def headline_html(sentence: str) -> str:
    return f"<h1>DALL-E, human, or another AI?</h1><p>{sentence}</p>"


def warming_up(model: Future, start: float) -> dict:
    """Seconds that the model is likely to need still; 0 once it is there."""
    return {"warm_up": 0 if model.done() else max(1, round(WARM_UP - (time.monotonic() - start)))}


def loaded(model: Future) -> tuple[str, dict]:
    """The line under the title, and the news for the viewer, once the model is there or cannot be."""
    news = {"unavailable": f"There is no model: {error}"} if (error := model.exception()) else {"warm_up": 0}
    return headline_html(headline(model)), news


def shown(gallery: Future, folder: Path) -> dict:
    """The gallery's small copies, as files in `folder`."""
    return {"n": len(thumbnail_files(gallery.result(), folder)), "folder": str(folder)}


def file_of(asked: dict, gallery: Future) -> Path:
    """The picture that the browser speaks of."""
    return example_of(asked, gallery).path if "example" in asked else Path(asked["path"])


def example_of(asked: dict, gallery: Future) -> Example:
    """The picture of the gallery that the browser speaks of. Raises gr.Error."""
    try:
        return example_at(gallery.result(), asked["example"])
    except ValueError as error:
        raise gr.Error(HOW_TO_SEND, print_exception=False) from error


def check(model: Future, gallery: Future, asked: dict) -> dict:
    """What the browser is told of a picture: the answers of one model or two, or the sentence why there is none."""
    known = example_of(asked, gallery) if "example" in asked else None
    try:
        service = model.result()
        path = file_of(asked, gallery)
        found = service.answer(path, VIEW_SIDE if known or asked["unseen"] else None)
        said = said_by(path)
    except (detector.ImageError, detector.CheckpointError) as error:
        return {"turn": asked["turn"], "answer": {"error": str(error)}}
    verdict, judge = found.verdict, service.detector
    if verdict.abstained:
        answer = {"nothing": f"{verdict.abstained[0].upper()}{verdict.abstained[1:]}."}
    else:
        heard = [(verdict, judge), (verdict.second, judge.second)]
        answer = {"models": [card(v, by, known and known.label, known and known.told, said) for v, by in heard if v]}
    answer["origin"] = origin(said)
    told = {"turn": asked["turn"], "answer": answer, "picture": found.image and data_url(found.image)}
    return told | ({"known": {"label": known.label, "text": known.title}} if known else {})


def look_again(model: Future, gallery: Future, asked: dict) -> dict:
    """The maps of the same picture by another method, on another layer, of the model that speaks."""
    answer = {key: asked[key] for key in ("method", "layer", "model")}
    try:
        judge = model.result().detector
        judge = judge.second if asked["model"] and judge.second else judge
        maps = judge.explain_with(judge.prepare(file_of(asked, gallery)), asked["method"], asked["layer"])
    except (detector.ImageError, ImportError, ValueError) as error:
        return {"turn": asked["turn"], "answer": answer | {"error": str(error)}}
    return {"turn": asked["turn"], "answer": answer | {"maps": numbers(maps)}}


def closer(model: Future, gallery: Future, asked: dict) -> dict:
    """Whether the answer holds and its map matters."""
    known = example_of(asked, gallery) if "example" in asked else None
    return aside(model, asked, "closer", lambda judge: look_closer(judge, file_of(asked, gallery), known))


def alike(model: Future, gallery: Future, asked: dict) -> dict:
    """Which pictures of the gallery look like this one."""
    return aside(model, asked, "alike", lambda judge: look_alike(judge, file_of(asked, gallery), gallery.result()))


def report(model: Future, gallery: Future, asked: dict) -> dict:
    """All of it as a page to keep."""
    return aside(model, asked, "report", lambda judge: report_of(judge, file_of(asked, gallery), gallery.result()))


def aside(model: Future, asked: dict, name: str, look: Callable[["Detector"], dict]) -> dict:
    """What `look` finds, or {"busy"} while somebody waits for an answer."""
    try:
        service = model.result()
        found = service.aside(partial(look, service.detector))
    except (detector.ImageError, ImportError, OSError) as error:
        found = {"error": str(error)}
    return {"turn": asked["turn"], name: {"busy": True} if found is None else found}
