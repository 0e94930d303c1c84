"""A Verdict as a JSON object and as a CSV row."""

from detector import CLASSES
from detector.verdict import Verdict

CSV_FIELDS = ("file", "label", *(f"p_{name}" for name in CLASSES), "p_ai", "band", "model", "error")


def to_json(verdict: Verdict) -> dict:
    """What the command prints and the API returns; probabilities to four digits."""
    return {
        "label": verdict.label,
        "probs": {name: round(p, 4) for name, p in verdict.probs.items()},
        "p_ai": round(verdict.p_ai, 4),
        "band": verdict.band,
        "model": verdict.model,
    }


def to_row(result: dict) -> dict:
    """A line of the command's JSON, {"file", ...} or {"file", "error"}, as a row with CSV_FIELDS."""
    row = {key: result[key] for key in CSV_FIELDS if key in result}
    return row | {f"p_{name}": p for name, p in result.get("probs", {}).items()}
