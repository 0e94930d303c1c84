"""The tab "Compare": two models on the same picture, and on the gallery."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from detector.explain import VIEW_SIDE
from detector.output.as_json import comparison_to_json
from detector.output.data_url import data_url
from detector.verdict import NAMES
from ui.answer import card
from ui.gallery import Example, example_at
from ui.shared import Room, door
from ui.upload import uploaded
from ui.viewer import COLOURS

if TYPE_CHECKING:
    from detector.predict import Detector

MOST = 200  # pictures of a gallery that are compared; each takes two tenths of a second
KEPT = 2  # pairs of models that stay in memory, 60 MB each
RUNS = Path("runs")
_loading = Lock()


def draw(model: Future, gallery: Future, others: Sequence[str] = ()) -> None:
    """Draw the tab. The futures yield a Service and a list of Examples; `others` are models to be chosen from, beside
    the bundled one, the published one and those in runs/. No visitor can name another."""
    room = Room("compare", ["viewer/paint", "compare/compare"], "compare", names=NAMES, colours=COLOURS)
    door("compare_models", lambda asked: {"models": choices(others)})
    door("compare_picture", partial(side_by_side, model, gallery, others, room.GRADIO_CACHE))
    door("compare_gallery", partial(on_the_gallery, model, gallery, others))


def choices(others: Sequence[str]) -> list[str]:
    """The models that can be compared, as for `detector.load`."""
    return list(dict.fromkeys(["bundled", "hub", *map(str, sorted(RUNS.glob("*/"), key=str)), *others]))


def side_by_side(model: Future, gallery: Future, others: Sequence[str], folder: str, asked: dict) -> dict:
    """What both models say of one picture: {"picture", "models": [card, card]}, {"nothing": why} or {"busy"}."""
    if "example" in asked:
        path = example_at(gallery.result(), asked["example"]).path
    else:
        path = Path(uploaded(asked["path"], folder))

    def look(pair: "Detector") -> dict:
        prepared = pair.prepare(path, VIEW_SIDE)
        (verdict,) = pair.classify([prepared])
        told = {"picture": data_url(prepared.image)}
        if verdict.abstained:
            return told | {"nothing": f"There is nothing to judge: {verdict.abstained}."}
        heard = ((verdict, pair), (verdict.second, pair.second))
        return told | {"models": [card(v, by) | {"name": by.name} for v, by in heard]}

    return _aside(model, others, asked, look)


def on_the_gallery(model: Future, gallery: Future, others: Sequence[str], asked: dict) -> dict:
    """The JSON of `detector compare` for the gallery, its files named by what they show; or {"busy"}."""
    from detector.compare import compare  # brings torch, which takes longer than the page

    examples: list[Example] = gallery.result()[:MOST]
    titles = {str(example.path): example.title for example in examples}

    def look(pair: "Detector") -> dict:
        found = comparison_to_json(compare(pair, [(example.path, example.label) for example in examples]))
        return found | {"differ": [one | {"file": titles[one["file"]]} for one in found["differ"]]}

    return _aside(model, others, asked, look)


def _aside(model: Future, others: Sequence[str], asked: dict, look: "Callable[[Detector], dict]") -> dict:
    """What `look` finds with the two models that are asked for, or {"busy"} while somebody waits for an answer."""
    known = choices(others)
    a, b = (known[known.index(asked[key])] for key in "ab")
    service = model.result()
    with _loading:
        precision, _, device = service.detector.precision.partition(" on ")
        pair = _pair(a, b, precision, device or "cpu")
    found = service.aside(partial(look, pair))
    return {"busy": True} if found is None else found


@functools.lru_cache(KEPT)
def _pair(a: str, b: str, precision: str, device: str) -> "Detector":
    from detector.compare import load_pair

    return load_pair(a, b, precision, device)
