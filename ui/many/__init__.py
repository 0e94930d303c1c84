"""The tab "Many pictures": a pile of them judged one after the other, to be sorted, looked through and taken along.

The browser keeps the pile and what was answered; the server is asked for a few pictures at a time, and keeps nothing.
"""

import secrets
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import detector
from detector.archive import open_zip, unpack
from detector.images import MAX_FILE, SUFFIXES
from detector.output.as_csv import to_text
from detector.output.as_json import seen_to_json, to_line
from detector.output.data_url import data_url
from detector.provenance import said_by
from detector.seen import Seen
from detector.verdict import BANDS, SIDES, Verdict, share_flagged_rightly
from ui.answer import origin, words
from ui.shared import Room, door
from ui.upload import uploaded

if TYPE_CHECKING:
    from PIL.Image import Image

    from detector.checkpoint import Config
    from detector.serving import Service
    from detector.stress import Steadiness

AT_ONCE = 8  # pictures in a question
THUMBNAIL = 96  # pixels of the longer side
PILE = "pile-"  # begins the name of the folder of what was in a zip
PATIENCE = 6  # seconds until whether an answer holds is given up, since others wait for theirs
FLAGS = {  # words for a flag -> the bands that count as one
    "called AI at all": tuple(BANDS), "called likely or very likely AI": tuple(BANDS)[:2],
    "called very likely AI": tuple(BANDS)[:1],
}  # fmt: skip
FRESH = 60  # seconds after which the files out of a zip are touched again, so that they are kept


def draw(model: Future) -> None:
    """Draw the tab. The future yields a Service."""
    room = Room(
        "many", ["many/table", "many/pile"], "many", at_once=AT_ONCE, most=MAX_FILE, suffixes=sorted(SUFFIXES),
        bands=list(BANDS), sides=SIDES,
    )  # fmt: skip
    pool = ThreadPoolExecutor(AT_ONCE)  # who wait for the model together are answered in one batch
    door("many_judge", partial(judge, model, pool, room.GRADIO_CACHE))
    door("many_unpack", partial(unpacked, room.GRADIO_CACHE))
    door("many_csv", as_csv)
    door("many_rates", lambda asked: {"lines": rates(model.result().detector.config)})


def judge(model: Future, pool: ThreadPoolExecutor, folder: str, asked: dict) -> dict:
    """{"found": [...]}: for each of asked["files"], {"name", "path"}, a line of the command's JSON and what is shown of
    it. With asked["steady"] whether each answer holds, too."""
    service = model.result()
    files = [(str(file["name"]), uploaded(file["path"], folder)) for file in asked["files"][:AT_ONCE]]
    for pile in {Path(path).parents[1] for _, path in files if Path(path).parents[1].name.startswith(PILE)}:
        if time.time() - pile.stat().st_mtime > FRESH:  # the turn of some may come later than uploads are kept
            for file in (pile, *pile.rglob("*")):
                file.touch()
    look = partial(_judged, service, steady=bool(asked.get("steady")))
    return {"found": list(pool.map(look, *zip(*files, strict=True)))}


def _judged(service: "Service", name: str, path: str, steady: bool) -> dict:
    try:
        found = service.answer(path, _longest(steady), of_a_pile=True)
    except detector.ImageError as error:
        return {"json": to_line({"file": name, "error": str(error)}), "error": str(error)}
    verdict, said = found.verdict, said_by(Path(path))
    held = _steadiness(service, found.image, verdict) if steady and not verdict.abstained else None
    seen = Seen(None, verdict, said, held)
    told = {"json": to_line({"file": name} | seen_to_json(seen)), "picture": data_url(found.image, THUMBNAIL)}
    if said.findings or said.problems:
        told["said"] = origin(said)["line"]
    if verdict.abstained:
        return told | {"error": f"Nothing to judge: {verdict.abstained}."}
    told |= {"who": words(seen.band, verdict.side)["who"], "p_ai": verdict.p_ai, "side": verdict.side}
    return told | {"band": seen.band, "disagrees": bool(said.disagreement(verdict.side)), "held": _held(steady, held)}


def _longest(steady: bool) -> int:
    if not steady:
        return THUMBNAIL
    from detector.stress import SIDE  # brings torch, which takes longer than the page

    return SIDE


def _held(steady: bool, found: "Steadiness | None") -> str:
    if not steady:
        return ""
    return f"holds: {found.held} of {found.of}" if found else "not checked whether it holds, since others waited"


def _steadiness(service: "Service", image: "Image", verdict: Verdict) -> "Steadiness | None":
    """Whether an answer holds, once nobody waits for an answer; None if that does not come."""
    from detector.stress import steadiness

    return service.aside(partial(steadiness, service.detector, image, verdict, ()), of_a_pile=True, patience=PATIENCE)


def unpacked(folder: str, asked: dict) -> dict:
    """{"files": [{"name", "path"}], "left_out": [reason], "others": how many files}: the pictures of an uploaded zip,
    as uploads. Raises ImageError."""
    archive, place = open_zip(Path(uploaded(asked["path"], folder))), Path(folder) / f"{PILE}{secrets.token_hex(8)}"
    try:
        with archive.file:
            files = unpack(archive, place)
    except OSError:  # a full disk
        shutil.rmtree(place, ignore_errors=True)
        raise
    told = [{"name": name, "path": str(file)} for name, file in files.items()]
    return {"files": told, "left_out": list(archive.left_out.values()), "others": archive.others}


def as_csv(asked: dict) -> dict:
    """{"csv": ...}: asked["found"], lines of the command's JSON, as its CSV file."""
    return {"csv": to_text(asked["found"])}


def rates(config: "Config") -> list[dict]:
    """For each kind of flag {"flag", "right": for 0, 1 ... 100 % of a pile that is AI-made, of 100 pictures so flagged
    how many are}; [] for a model that nobody measured."""
    if not config.measured:
        return []
    answers = config.metrics["test"]["degraded"]["ai_vs_human"]["answers"]
    found = []
    for flag, band in FLAGS.items():
        shares = [share_flagged_rightly(answers, percent / 100, band) for percent in range(101)]
        found.append({"flag": flag, "right": [None if share is None else round(100 * share) for share in shares]})
    return found
