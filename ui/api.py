"""The endpoints of the API: one picture in, one JSON object out (detector.output.schema)."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

import detector
from detector.images import read_file
from detector.output.as_json import origin_to_json, seen_to_json, to_json
from detector.output.schema import Answer
from detector.provenance import said_by
from ui.closer import all_of
from ui.upload import HOW_TO_SEND, ImageFile

if TYPE_CHECKING:
    from detector.serving import Service
    from ui.gallery import Example

AT_ONCE = 4  # callers of /examine
PATIENCE = 20  # seconds until a closer look is given up, since others wait for answers
BUSY = "Others are waiting for answers, so this closer look has to wait; ask again in a minute."


def draw(model: Future, gallery: Future, queue: dict) -> None:
    """Draw the endpoints /predict, which shares the `queue` of the page's answers, and /examine: doors of their own, so
    that callers get one JSON object and no page furniture. The futures yield a Service and a list of Examples."""
    _endpoint("predict", predict.__doc__, partial(predict, model), queue)
    _endpoint("examine", examine.__doc__, partial(examine, model, gallery), {"concurrency_limit": AT_ONCE})


def _endpoint(name: str, description: str, answer: Callable[[Path], Answer], queue: dict) -> None:
    """One that takes an uploaded picture."""

    def asked(path: str | None) -> dict:
        if path is None:
            raise gr.Error(f"No image was given. {HOW_TO_SEND}", print_exception=False)
        try:
            return answer(Path(path))
        except (detector.ImageError, detector.CheckpointError, ImportError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    image, found = ImageFile(visible=False, label="image"), gr.JSON(visible=False, label="answer")
    gr.Button(visible=False).click(asked, image, found, api_name=name, api_description=description, **queue)


def predict(model: Future, image: Path | bytes) -> Answer:
    """Classify one image: label, probs, p_ai, band, model; or abstained, model; and provenance: what the file says."""
    found = to_json(model.result().answer(image).verdict)
    return found | {"provenance": origin_to_json(said_by(image))}


def examine(model: Future, gallery: Future, image: Path | bytes) -> Answer:
    """The same, and whether it can be trusted: steady, map_check, nearest; band is a step weaker where it does not
    hold. Takes seconds, and lets those go first who want an answer."""
    service: Service = model.result()
    examples: list[Example] = gallery.result()
    data, name = (image, "This image") if isinstance(image, bytes) else (read_file(image, image.name), image.name)
    seen = service.aside(lambda: all_of(service.detector, data, name, examples), patience=PATIENCE)
    if seen is None:
        raise detector.ImageError(BUSY)
    found = seen_to_json(seen)
    for near in found.get("nearest", ()):
        near["file"] = Path(near["file"]).name  # where it lies here is nobody's business
    return found
