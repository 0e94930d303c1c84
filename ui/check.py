"""The tab "Check": one image in, the answer with its reasons out."""

import html
import io
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from PIL import Image

import detector
from detector import CLASSES
from detector.explain import VIEW_SIDE, Maps, overlay
from detector.output.as_json import to_json
from detector.verdict import NAMES, Verdict, error_rates
from ui.folder import THUMBNAILS
from ui.gallery import Example, thumbnail_files
from ui.upload import ImageFile

if TYPE_CHECKING:
    from detector.checkpoint import Config

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
WAITING = '<div class="answer"><p class="waiting">Drop, paste or pick an image. The answer appears here.</p></div>'
LOADING = "The model is still loading; an image that you give now is answered as soon as it is there."


def draw(demo: gr.Blocks, model: Future, gallery: Future) -> None:
    """Draw the tab and wire it. The futures yield a Service and a list of Examples."""
    # Of the last answer: (Maps, the image as small JPEG), for drawing another map.
    seen = gr.State(time_to_live=KEEP_SECONDS)
    with gr.Row(equal_height=False, elem_id="check"):
        with gr.Column(scale=5, min_width=320, elem_id="given"):
            image = ImageFile(label="Image", sources=["upload", "clipboard"], height=360, elem_id="image")
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
            with gr.Column(visible=False) as reasons:
                label = gr.Label(label="Probability of each class", show_heading=False, elem_id="probabilities")
                view = gr.Image(
                    label="Map", format="jpeg", interactive=False, buttons=BUTTONS, height=420, elem_id="map"
                )
                which = gr.Radio([(NAMES[name], name) for name in CLASSES], label="Class", elem_id="class")
                kind = gr.Radio([(v, k) for k, v in KINDS.items()], value="cam", label="Map", elem_id="kind")
                opacity = gr.Slider(0, 1, value=0.7, step=0.05, label="Opacity of the map", elem_id="opacity")
                legend = gr.Markdown(elem_id="legend")
    model_line = gr.HTML(f"<p>{LOADING}</p>", elem_id="model-line")

    answers = [answer, reasons, label, which, seen, view, legend]

    def check(path: str | None, kind: str, opacity: float) -> dict:
        if path is None:
            return {answer: WAITING, reasons: gr.Column(visible=False), seen: None}
        try:
            service = model.result()
            found = service.answer(path, VIEW_SIDE)
        except (detector.ImageError, detector.CheckpointError) as error:
            sentence = f'<div class="answer"><p class="error" role="alert">{html.escape(str(error))}</p></div>'
            return {answer: sentence, reasons: gr.Column(visible=False), seen: None}
        verdict = found.verdict
        if verdict.abstained:
            sentence = (
                f'<div class="answer" role="status"><p class="sentence">{html.escape(verdict.sentence)}</p></div>'
            )
            return {answer: sentence, reasons: gr.Column(visible=False), seen: None}
        kept = (verdict.maps, _to_jpeg(found.image))
        view_update, legend_update = redraw(kept, verdict.label, kind, opacity)
        return {
            answer: answer_html(verdict, service.detector.config),
            reasons: gr.Column(visible=True),
            label: {NAMES[name]: p for name, p in verdict.probs.items()},
            which: verdict.label,
            seen: kept,
            view: view_update,
            legend: legend_update,
        }

    def redraw(kept: tuple[Maps, bytes] | None, name: str, kind: str, opacity: float):
        if kept is None:  # the visitor's session is gone, or no image was given yet
            return gr.skip(), "This answer is no longer kept; give the image again to see its maps."
        maps, jpeg = kept
        picture = overlay(Image.open(io.BytesIO(jpeg)), maps, CLASSES.index(name), kind, opacity)
        described = f"{KINDS[kind]} over the image: where the score for {NAMES[name]} came from"
        words = LEGENDS[kind].format(name=NAMES[name]) + ONE_SCALE
        return gr.Image(picture, label=f"Map for {NAMES[name]}", alt_text=described), words

    def show_example(clicked: gr.SelectData) -> str:
        path = gallery.result()[clicked.index].path
        return save_file_to_cache(path, cache_dir=image.GRADIO_CACHE)  # as if it had been uploaded

    def predict(path: str | None) -> dict:
        """Classify one image: label, probs, p_ai, band, model."""
        if path is None:
            raise gr.Error("No image was given; upload one.", print_exception=False)
        try:
            return to_json(model.result().answer(path).verdict)
        except (detector.ImageError, detector.CheckpointError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    look = [kind, opacity]
    hidden = {"api_visibility": "private"}
    # One event for uploads, examples and clearing, and never two at a time: the last image given is the one answered.
    image.change(check, [image, *look], answers, trigger_mode="always_last", **MODEL_QUEUE, **hidden)
    examples.select(show_example, None, image, show_progress="hidden", concurrency_limit=None, **hidden)
    gr.on(
        [which.input, kind.input, opacity.input],
        redraw,
        [seen, which, *look],
        [view, legend],
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=4,
        **hidden,
    )
    # The API is a door of its own, so that its callers get one JSON object and no page furniture.
    api_image, api_answer = ImageFile(visible=False, label="image"), gr.JSON(visible=False, label="answer")
    gr.Button(visible=False).click(predict, api_image, api_answer, api_name="predict", **MODEL_QUEUE)

    demo.load(lambda: model_html(model), None, model_line, show_progress="hidden", concurrency_limit=None, **hidden)
    demo.load(
        lambda: _captioned(gallery, examples.GRADIO_CACHE),
        None,
        examples,
        show_progress="hidden",
        concurrency_limit=None,
        **hidden,
    )


def answer_html(verdict: Verdict, config: "Config") -> str:
    """The sentence, P(AI) as a bar between the two answers, and what a strong word is worth."""
    ai, human = f"{verdict.p_ai:.0%}", f"{verdict.probs['human']:.0%}"
    return f"""<div class="answer" role="status">
<p class="sentence">{html.escape(verdict.sentence)}</p>
<div class="scale"><span><b>AI-generated {ai}</b></span><span>human-made {human}</span></div>
<div class="meter" aria-hidden="true"><div style="width: {verdict.p_ai:.1%}"></div></div>
<p class="caution">{html.escape(caution(verdict, config))}</p>
</div>"""


def caution(verdict: Verdict, config: "Config") -> str:
    """How far this answer can be trusted, from what was measured for this model, in one sentence."""
    if not verdict.measured:
        return "How often this model is wrong was not measured here; take its answer as a hint, not as proof."
    test = config.metrics["test"]["degraded"]  # as pictures are that went round the web
    return f"{error_rates(verdict, test['ai_vs_human']['answers'])} It is a hint, not proof."


def model_html(future: Future) -> str:
    """Which model answers, why, and its limits. Waits until it is loaded."""
    if error := future.exception():
        return f'<p role="alert">There is no model: {html.escape(str(error))}</p>'
    model = future.result().detector
    lines = [f"<b>Model: {html.escape(model.name)}</b>, in {model.precision}.", html.escape(model.note)]
    test = model.config.metrics.get("test", {})
    if test:
        clean, hard = (test[variant]["balanced_accuracy"] for variant in ("clean", "hard"))
        lines.append(
            f"Balanced accuracy of the three classes on its {test['clean']['n']} test images: {clean:.0%}, {hard:.0%} "
            "after strong compression (guessing: 33%)."
        )
    else:
        lines.append("Its probabilities are not calibrated, and its limits were not measured here.")
    lines.append("It cannot tell apart what it has not learned: edits, collages, new generators. Never proof.")
    return f"<p>{' '.join(filter(None, lines))}</p>"


def _captioned(gallery: Future, folder: str) -> list[tuple[str, str]]:
    found: list[Example] = gallery.result()
    paths = thumbnail_files(found, Path(folder) / THUMBNAILS)
    return [(str(path), example.caption) for path, example in zip(paths, found, strict=True)]


def _to_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
