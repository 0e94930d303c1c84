"""A Verdict as a JSON object, and one object as a line of text."""

import json

from detector.provenance import Provenance
from detector.verdict import Verdict


def origin_to_json(found: Provenance) -> dict:
    """What a file says of itself: {"c2pa", "findings": [{"where", "says", "maker", "kind", "strength"}]}, and under
    "problems" what could not be read. The texts themselves, prompts among them, are left out."""
    keys = ("where", "says", "maker", "kind", "strength")
    told = {"c2pa": found.c2pa, "findings": [{key: getattr(f, key) for key in keys} for f in found.findings]}
    return told | ({"problems": list(found.problems)} if found.problems else {})


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
