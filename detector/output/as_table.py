"""The command's results as lines for people at a terminal."""

from detector.provenance import NOTHING
from detector.verdict import NAMES

WIDTH = 60  # characters of a file's name, at most; of a longer one its end is shown


def printable(text: str) -> str:
    """The text with whatever a terminal would obey (escape sequences, line ends, changes of direction) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def width_of(files: list[str]) -> int:
    """Characters of the table's first column."""
    return min(WIDTH, max((len(printable(file)) for file in files), default=0))


def head(width: int) -> str:
    """The names of the columns."""
    return f"{'file':{width}}  answer             P(AI)  {'  '.join(NAMES.values())}"


def to_line(result: dict, width: int) -> str:
    """A line of the command's JSON as a line of the table."""
    found = [_name(result["file"], width)]
    if "abstained" in result:
        found.append(f"nothing to judge: {printable(result['abstained'])}")
    if "probs" in result:
        answer = f"{result['band'] or 'unmeasured:'} {'human' if result['label'] == 'human' else 'AI'}"
        probs = zip(NAMES.values(), result["probs"].values(), strict=True)
        found += [f"{answer:17}", f"{result['p_ai']:>5.0%}", *(f"{p:>{len(name)}.0%}" for name, p in probs)]
    if steady := result.get("steady"):
        found.append(f"held {steady['held']} of {steady['of']}")
    if checked := result.get("map_check"):
        found.append("map about something" if checked["passed"] else "map failed")
    if nearest := result.get("nearest"):
        found.append(f"like {printable(nearest[0]['file'])} ({NAMES[nearest[0]['label']]})")
    if "error" in result:
        found.append(printable(result["error"]))
    if said := result.get("provenance", {}).get("findings"):
        found.append(f"the file {printable(said[0]['says'])}")
    return "  ".join(found)


def origin_to_lines(result: dict, width: int) -> str:
    """A line of the JSON of --provenance as lines: the file's name once, beside it what was found."""
    told = [f"{finding['where']}: {finding['says']}" for finding in result.get("findings", [])]
    told += result.get("problems", [])
    if "error" in result:
        told.append(result["error"])
    names = [_name(result["file"], width), *[" " * width] * max(0, len(told) - 1)]
    return "\n".join(f"{name}  {printable(text)}" for name, text in zip(names, told or [NOTHING], strict=True))


def comparison_to_lines(found: dict) -> str:
    """The JSON of `compare` as lines."""
    lines = [f"{key}: {printable(found[key]['model'])}" for key in "ab"]
    lines.append(f"They agree on {found['agree']:,} of {found['n']:,} pictures.")
    if found["mcnemar_p"] is not None:
        right = " and ".join(f"{found[key]['right']:,} by {key}" for key in "ab")
        test = f"exact McNemar test: p = {found['mcnemar_p']:.2g}"
        lines.append(f"Of {found['a']['known']:,} whose truth is known {right} are named rightly ({test}).")
    if found["differ"]:
        width = width_of([one["file"] for one in found["differ"]])
        lines.append(f"{'file':{width}}  truth     a         P(AI)  b         P(AI)")
    for one in found["differ"]:
        answers = "  ".join(f"{NAMES[one[key]['label']]:8}  {one[key]['p_ai']:>5.0%}" for key in "ab")
        lines.append(f"{_name(one['file'], width)}  {NAMES.get(one['truth'], '?'):8}  {answers}")
    return "\n".join(lines)


def _name(file: str, width: int) -> str:
    name = printable(file)
    return f"{name if len(name) <= width else '…' + name[len(name) - width + 1 :]:{width}}"
