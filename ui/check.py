"""The tab "Check": one image in, the answer with its reasons out."""

import io
import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gradio as gr
from PIL import Image

import detector
from detector import CLASSES
from detector.explain import VIEW_SIDE, Maps, overlay
from detector.images import MAX_FILE
from detector.output.as_json import to_json
from detector.verdict import NAMES
from ui.answer import NO_ANSWER, WAITING, WORDS_JS, answer_html, answer_to, error_html, model_html
from ui.dropzone import EXAMPLE_JS, Dropzone
from ui.folder import THUMBNAILS
from ui.gallery import Example, thumbnail_files
from ui.upload import HOW_TO_SEND, ImageFile

KEEP_SECONDS = 600  # for which an upload and its answer are kept: as long as people look at maps
KINDS = {"cam": "Grad-CAM", "evidence": "Signed evidence"}
LEGENDS = {
    "cam": "The brighter, the more of the score for **{name}** came from there (Grad-CAM).",
    "evidence": "Red pushed towards **{name}**, blue away from it; all cells together are the score (HiResCAM).",
}
ONE_SCALE = " The three classes share one scale, so a pale map is weak evidence. It shows where the score came from, "
ONE_SCALE += "not where an error or artefact is."
# Several batches of the service's: while some images are in the model, others are read or drawn.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 32}
BUTTONS = ["fullscreen", "download"]  # of the map; gr.Image's own choice adds one that shares to another host
LOADING = "The model is still loading; an image that you give now is answered as soon as it is there."
Kept = tuple[Maps, bytes]  # of the last answer: its maps and the image as a small JPEG, for drawing another map


@dataclass(frozen=True)
class Parts:
    """The components of the tab."""

    seen: gr.State  # Kept
    image: Dropzone
    examples: gr.Gallery
    answer: gr.HTML
    reasons: gr.Column
    label: gr.Label
    view: gr.Image
    which: gr.Radio
    kind: gr.Radio
    opacity: gr.Slider
    legend: gr.Markdown
    model_line: gr.HTML


def draw(demo: gr.Blocks, model: Future, gallery: Future) -> None:
    """Draw the tab and wire it. The futures yield a Service and a list of Examples."""
    parts = layout()
    look, shown = [parts.kind, parts.opacity], [parts.answer, parts.reasons]
    answers = [*shown, parts.label, parts.which, parts.seen, parts.view, parts.legend]
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    judge = partial(check, model, parts)
    # The first event of the page, by which load tests know it. Never two at a time: the last image given is answered.
    judging = parts.image.upload(
        judge, [parts.image, *look], answers, trigger_mode="always_last", **MODEL_QUEUE, **quiet
    )
    # In the browser alone, and at once: no old answer stands beside a new image.
    parts.image.input(None, parts.image, parts.answer, js=WORDS_JS, **quiet)
    parts.image.input(None, None, parts.reasons, js="() => ({__type__: 'update', visible: false})", **quiet)
    parts.image.clear(lambda: (WAITING, gr.Column(visible=False), None), None, [*shown, parts.seen], **quiet)
    parts.examples.select(None, js=EXAMPLE_JS, **quiet)
    # "multiple": Gradio would skip the second of two that are chosen quickly, or forget which it was.
    choosing = parts.examples.select(chooser(gallery), None, parts.image, trigger_mode="multiple",
                                     concurrency_limit=None, **quiet)  # fmt: skip
    for event in (judging, choosing):
        event.failure(None, None, parts.answer, js=f"() => {json.dumps(NO_ANSWER)}", **quiet)
    gr.on(
        [parts.which.input, parts.kind.input, parts.opacity.input],
        redraw, [parts.seen, parts.which, *look], [parts.view, parts.legend],
        trigger_mode="always_last", concurrency_limit=4, **quiet,
    )  # fmt: skip
    # The API is a door of its own, so that its callers get one JSON object and no page furniture.
    api_image, api_answer = ImageFile(visible=False, label="image"), gr.JSON(visible=False, label="answer")
    gr.Button(visible=False).click(predict_with(model), api_image, api_answer, api_name="predict", **MODEL_QUEUE)
    demo.load(lambda: model_html(model), None, parts.model_line, concurrency_limit=None, **quiet)
    folder = Path(parts.examples.GRADIO_CACHE) / THUMBNAILS
    demo.load(lambda: captioned(gallery, folder), None, parts.examples, concurrency_limit=None, **quiet)


def layout() -> Parts:
    """Draw the components."""
    seen = gr.State(time_to_live=KEEP_SECONDS)
    with gr.Row(equal_height=False, elem_id="check"):
        with gr.Column(scale=5, min_width=320, elem_id="given"):
            image = Dropzone(MAX_FILE, elem_id="image")
            examples = gr.Gallery(
                label="Or try one of these",
                columns=3,
                height="auto",
                object_fit="cover",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_id="examples",
            )
        with gr.Column(scale=6, min_width=320, elem_id="found"):
            answer = gr.HTML(WAITING, elem_id="answer")
            with gr.Column(visible=False, elem_id="reasons") as reasons:
                label = gr.Label(label="Probability of each class", show_heading=False, elem_id="probabilities")
                view = gr.Image(
                    label="Map", format="jpeg", interactive=False, buttons=BUTTONS, height=420, elem_id="map"
                )
                which = gr.Radio([(NAMES[name], name) for name in CLASSES], label="Class", elem_id="class")
                kind = gr.Radio([(v, k) for k, v in KINDS.items()], value="cam", label="Map", elem_id="kind")
                opacity = gr.Slider(0, 1, value=0.7, step=0.05, label="Opacity of the map", elem_id="opacity")
                legend = gr.Markdown(elem_id="legend")
    model_line = gr.HTML(f"<p>{LOADING}</p>", elem_id="model-line")
    return Parts(seen, image, examples, answer, reasons, label, view, which, kind, opacity, legend, model_line)


def check(model: Future, parts: Parts, path: str | None, kind: str, opacity: float) -> dict:
    """What the page shows of the image at `path`, or the sentence that says why there is no answer."""
    hidden = {parts.reasons: gr.Column(visible=False), parts.seen: None}
    if path is None:  # another image is already on its way, and will be asked for
        return {}
    try:
        service = model.result()
        found = service.answer(path, VIEW_SIDE)
    except (detector.ImageError, detector.CheckpointError) as error:
        return hidden | {parts.answer: answer_to(path, error_html(str(error)))}
    verdict = found.verdict
    words = answer_to(path, answer_html(verdict, service.detector.config))
    if verdict.abstained:
        return hidden | {parts.answer: words}
    kept = (verdict.maps, _to_jpeg(found.image))
    view, legend = redraw(kept, verdict.label, kind, opacity)
    return {
        parts.answer: words,
        parts.reasons: gr.Column(visible=True),
        parts.label: {NAMES[name]: p for name, p in verdict.probs.items()},
        parts.which: verdict.label,
        parts.seen: kept,
        parts.view: view,
        parts.legend: legend,
    }


def redraw(kept: Kept | None, name: str, kind: str, opacity: float) -> tuple:
    """The view and its legend for another class, kind or opacity."""
    if kept is None:  # the visitor's session is gone, or no image was given yet
        return gr.skip(), "This answer is no longer kept; give the image again to see its maps."
    maps, jpeg = kept
    picture = overlay(Image.open(io.BytesIO(jpeg)), maps, CLASSES.index(name), kind, opacity)
    described = f"{KINDS[kind]} over the image: where the score for {NAMES[name]} came from"
    words = LEGENDS[kind].format(name=NAMES[name]) + ONE_SCALE
    return gr.Image(picture, label=f"Map for {NAMES[name]}", alt_text=described), words


def chooser(gallery: Future) -> Callable[[gr.SelectData], str]:
    """The function behind the gallery."""

    def chosen(clicked: gr.SelectData) -> str:
        return str(gallery.result()[clicked.index].path)

    return chosen


def predict_with(model: Future) -> Callable[[str | None], dict]:
    """The function behind the API."""

    def predict(path: str | None) -> dict:
        """Classify one image: label, probs, p_ai, band, model; or abstained, model."""
        if path is None:
            raise gr.Error(f"No image was given. {HOW_TO_SEND}", print_exception=False)
        try:
            return to_json(model.result().answer(path).verdict)
        except (detector.ImageError, detector.CheckpointError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    return predict


def captioned(gallery: Future, folder: Path) -> list[tuple[str, str]]:
    """Thumbnails, as files in `folder`, and their captions."""
    found: list[Example] = gallery.result()
    paths = thumbnail_files(found, folder)
    return [(str(path), example.caption) for path, example in zip(paths, found, strict=True)]


def _to_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
