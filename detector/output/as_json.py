"""A Verdict as a JSON object, and one object as a line of text."""

import json
from typing import TYPE_CHECKING

from detector.provenance import Provenance
from detector.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.compare import Comparison
    from detector.mapcheck import MapCheck
    from detector.nearest import Neighbour
    from detector.seen import Seen
    from detector.stress import Steadiness


def origin_to_json(found: Provenance) -> dict:
    """What a file says of itself: {"c2pa", "findings": [{"where", "says", "maker", "kind", "strength"}]}, and under
    "problems" what could not be read. The texts themselves, prompts among them, are left out."""
    keys = ("where", "says", "maker", "kind", "strength")
    told = {"c2pa": found.c2pa, "findings": [{key: getattr(f, key) for key in keys} for f in found.findings]}
    return told | ({"problems": list(found.problems)} if found.problems else {})


def steady_to_json(found: "Steadiness") -> dict:
    """{"held", "of", "p_ai": {delivery: P(AI)}}."""
    return {"held": found.held, "of": found.of, "p_ai": {name: round(p, 4) for name, p in found.p_ai.items()}}


def map_check_to_json(found: "MapCheck") -> dict:
    """What hiding costs the class that was answered, in probability: {"most", "least", "random": [...], "passed"}."""
    costs = {"most": round(found.most, 4), "least": round(found.least, 4)}
    return {**costs, "random": [round(cost, 4) for cost in found.random], "passed": found.passed}


def nearest_to_json(found: "Sequence[Neighbour]") -> list[dict]:
    """[{"file", "label", "similarity"}], the nearest first."""
    return [
        {"file": str(near.known.path), "label": near.known.label, "similarity": round(near.similarity, 4)}
        for near in found
    ]


def seen_to_json(seen: "Seen") -> dict:
    """A line of the command's JSON but for the file's name: the answer, and what was asked for beside it."""
    found = to_json(seen.verdict) | {"provenance": origin_to_json(seen.said)}
    if seen.steady:
        found |= {"band": seen.band, "steady": steady_to_json(seen.steady)}
    if seen.nearest is not None:
        found["nearest"] = nearest_to_json(seen.nearest)
    if seen.checked:
        found["map_check"] = map_check_to_json(seen.checked)
    return found


def comparison_to_json(found: "Comparison") -> dict:
    """{"n": pictures, "agree": on how many, "a" and "b": {"model", "right": how many or None, "known": of how many},
    "mcnemar_p", "differ": [{"file", "truth", "a" and "b": {"label", "p_ai"}}], those first that are furthest apart}."""
    n, known = len(found.pictures), len(found.known)
    right = found.right if known else (None, None)
    models = {
        key: {"model": name, "right": k, "known": known}
        for key, name, k in zip("ab", (found.a, found.b), right, strict=True)
    }
    differ = [
        {"file": str(one.path), "truth": one.truth}
        | {key: {"label": answer.label, "p_ai": round(answer.p_ai, 4)} for key, answer in (("a", one.a), ("b", one.b))}
        for one in found.differ
    ]
    return {"n": n, "agree": n - len(differ), **models, "mcnemar_p": found.mcnemar_p, "differ": differ}


def to_json(verdict: Verdict) -> dict:
    """What the command prints and the API returns; probabilities to four digits.

    {"abstained": reason, "model"} where there is nothing to judge; `band` is None for a model that nobody measured.
    """
    if verdict.abstained:
        return {"abstained": verdict.abstained, "model": verdict.model}
    found = {
        "label": verdict.label,
        "probs": {name: round(p, 4) for name, p in verdict.probs.items()},
        "p_ai": round(verdict.p_ai, 4),
        "band": verdict.band,
        "model": verdict.model,
    }
    if verdict.second:
        keys = ("label", "probs", "p_ai", "model")
        found["second"] = {key: value for key, value in to_json(verdict.second).items() if key in keys}
    return found


def to_line(result: dict) -> str:
    """JSON on one line, the text readable but for what a terminal would obey or UTF-8 has no room for: escaped."""
    text = json.dumps(result, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
