"""A Verdict as a JSON object."""

from detector.verdict import Verdict


def to_json(verdict: Verdict) -> dict:
    """What the command prints and the API returns; probabilities to four digits."""
    return {
        "label": verdict.label,
        "probs": {name: round(p, 4) for name, p in verdict.probs.items()},
        "p_ai": round(verdict.p_ai, 4),
        "band": verdict.band,
        "model": verdict.model,
    }
