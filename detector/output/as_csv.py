"""The command's results as rows of a CSV file."""

from detector import CLASSES

CSV_FIELDS = ("file", "label", *(f"p_{name}" for name in CLASSES), "p_ai", "band", "model", "abstained", "error")


def to_row(result: dict) -> dict:
    """A line of the command's JSON, {"file", ...} or {"file", "error"}, as a row with CSV_FIELDS."""
    row = {key: result[key] for key in CSV_FIELDS if key in result}
    return row | {f"p_{name}": p for name, p in result.get("probs", {}).items()}
