"""The command's results as a CSV file, which destroys nothing and which no spreadsheet runs."""

import csv
import io
import logging
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from detector import CLASSES
from detector.images import SUFFIXES

log = logging.getLogger(__name__)

CSV_FIELDS = (
    *("file", "label", *(f"p_{name}" for name in CLASSES), "p_ai", "band", "model"),
    *("second_p_ai", "second_model", "abstained", "c2pa", "file_says"),
    *("held", "deliveries", "map_check", "error"),
)
_NEW = ("c2pa", "file_says", "held", "deliveries", "map_check")
_BEFORE = tuple(name for name in CSV_FIELDS if name not in _NEW)  # the columns of version 1.0
# A spreadsheet runs a cell that opens with one of these, the wide = + - @ too (OWASP, CSV Injection).
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


class CsvError(ValueError):
    """A file that is not written as CSV. Its text is one sentence for people: file, fault, remedy."""


def to_row(result: dict) -> dict:
    """A line of the command's JSON, {"file", ...} or {"file", "error"}, as a row with CSV_FIELDS.

    Text that a spreadsheet would run is led by an apostrophe, and so is text that has one: dropping one apostrophe
    from the front of a cell always gives the text.
    """
    return {key: _cell(value) for key, value in flat(result).items()}


def flat(result: dict) -> dict:
    """The same with the text as it is: those of CSV_FIELDS that there is something to tell of."""
    row = result | {f"p_{name}": p for name, p in result.get("probs", {}).items()}
    row |= {f"second_{key}": value for key, value in result.get("second", {}).items()}
    origin = result.get("provenance", {})
    said = "; ".join(found["says"] for found in origin.get("findings", []))
    if steady := result.get("steady"):
        row |= {"held": steady["held"], "deliveries": steady["of"]}
    if checked := result.get("map_check"):
        row |= {"map_check": "passed" if checked["passed"] else "failed"}
    row |= {"c2pa": origin.get("c2pa"), "file_says": said}
    return {key: row[key] for key in CSV_FIELDS if row.get(key) not in (None, "")}


def to_text(results: Iterable[dict]) -> str:
    """The lines of the command's JSON as a whole CSV file."""
    file = io.StringIO()
    rows = _writer(file)
    rows.writeheader()
    rows.writerows(map(to_row, results))
    return file.getvalue()


def _writer(file: TextIO) -> csv.DictWriter:
    return csv.DictWriter(file, CSV_FIELDS, quoting=csv.QUOTE_NONNUMERIC)


def _cell(value):
    return f"'{value}" if isinstance(value, str) and value.startswith(("'", *_FORMULA)) else value


def check_csv(path: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Raises CsvError where a CSV file would destroy something.

    An older one of ours is replaced, anything else only with `overwrite`, and a picture or one of the inputs never.
    """
    if path.suffix.lower() in SUFFIXES:  # --csv photos/*.jpg
        raise CsvError(f"{path} has an image's name, so no CSV file is written there; put the CSV file's name first.")
    try:
        if not _holds_something(path):
            return
        if any(file.exists() and path.samefile(file) for file in inputs):
            raise CsvError(f"{path} is one of the files to judge, so no CSV file is written there; give another name.")
        foreign = [file for file in (path, _part(path)) if _holds_something(file) and not _is_ours(file)]
    except OSError as error:
        raise CsvError(f"{path} cannot be written: {error.strerror}.") from error
    if foreign and not overwrite:
        raise CsvError(f"{foreign[0]} exists and is no CSV file of this command; give another name, or --overwrite.")


def _holds_something(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _is_ours(path: Path) -> bool:
    with path.open("r+b") as file:  # as it will be written: what may not be written is not replaced either
        line = file.readline(1000).decode("utf-8", "replace")
    return tuple(next(csv.reader([line]), ())) in (CSV_FIELDS, _BEFORE)


def _part(path: Path) -> Path:
    path = path.resolve()  # behind a link
    return path.with_name(f"{path.name}.part")


class CsvFile:
    """Takes results one by one, each on the disk at once: a run of hours that breaks off keeps its rows.

    A file that was there is replaced in one step at the end; until then, and if it never comes, the rows are in
    NAME.part beside it. Raises CsvError.
    """

    def __init__(self, path: Path):
        self.path, self.target = (path.resolve(), _part(path)) if _holds_something(path) else (path, path)

    def __enter__(self):
        try:
            # Bytes of a name that are no text are written as \udcXX, as in the JSON.
            self.file = self.target.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            if self.target != self.path:
                shutil.copymode(self.path, self.target)
        except OSError as error:
            raise self._failed(error) from error
        self.rows = _writer(self.file)
        self._write(self.rows.writeheader)
        return self

    def add(self, result: dict) -> None:
        self._write(self.rows.writerow, to_row(result))

    def _write(self, write, *arguments) -> None:
        try:
            write(*arguments)
            self.file.flush()
        except OSError as error:
            with suppress(OSError):  # what did not fit cannot be written now either
                self.file.close()
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> CsvError:
        return CsvError(f"{self.path} cannot be written: {error.strerror}.")

    def __exit__(self, kind, error, trace) -> None:
        try:
            self.file.close()
            if kind is None and self.target != self.path:
                self.target.replace(self.path)
        except OSError as problem:
            if kind is None:  # else the error that is on its way says enough
                raise self._failed(problem) from problem
        if kind is not None and self.target != self.path:
            log.warning("The rows until here are in %s; %s is as it was.", self.target, self.path)
