"""One model in one process, which judges part after part."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

import detector
from bulk import BulkError
from bulk.places import Results, fetch, holds_a_key, in_short, in_text, is_local
from bulk.plan import Entry, Plan, column_of, open_table, to_parquet
from detector.files import Input
from detector.output.as_csv import CSV_FIELDS, flat
from detector.per_file import results
from detector.predict import BATCH_SIZE
from detector.threads import batches_over_cores
from detector.usage import parse

READERS = 16  # addresses that are asked at a time
AHEAD = 64  # pictures that are read before they are judged

_NUMBERS = ("p_dalle", "p_human", "p_other_ai", "p_ai", "second_p_ai")
FIELDS = [name for name in CSV_FIELDS if name not in ("held", "deliveries", "map_check")]
SCHEMA = pa.schema(
    {"file": pa.string(), "table": pa.string(), "row": pa.int64()}
    | {name: pa.float64() if name in _NUMBERS else pa.string() for name in FIELDS[1:]}
)


class Row(NamedTuple):
    """A picture, and where in a table it comes from."""

    input: Input
    table: str | None = None
    row: int | None = None


def part_name(part: int) -> str:
    return f"part-{part:07}.parquet"


class Scorer:
    """Given {"part": (n,) int}, it writes those parts that are not there and tells of each how many pictures it judged,
    how many of them failed, and what kept it from being written, if anything did."""

    def __init__(self, out: str, model: str, precision: str, device: str):
        self.results = Results(out)
        self.plan = Plan(self.results)
        self.model = detector.load(model, precision, device)
        self.options = parse(["-"])[1]  # those of the plain command
        self.options.index = None

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        told = [self.judge(int(part)) for part in batch["part"]]
        return {key: np.array([one[key] for one in told]) for key in told[0]}

    def judge(self, part: int) -> dict:
        told = {"part": part, "pictures": 0, "failed": 0, "error": ""}
        try:
            if self.model.config.sha256 != self.plan.told["sha256"]:
                raise BulkError(f"{self.model.name} is not the same file on all machines.")
            if self.results.has(part_name(part)):  # by a process that was killed before it could say so
                return told
            rows = list(self._rows(self.plan.entries(part)))
            self.results.write(part_name(part), to_parquet(pa.Table.from_pylist(rows, SCHEMA)))
        except BulkError as error:
            return told | {"error": str(error)}
        except OSError as error:
            return told | {"error": f"{self.results.name} cannot be written: {in_short(error)}."}
        return told | {"pictures": len(rows), "failed": sum("error" in row for row in rows)}

    def _rows(self, entries: list[Entry]) -> Iterator[dict]:
        with ThreadPoolExecutor(READERS) as readers:
            found = _read_ahead((row for entry in entries for row in self._of(entry)), readers)
            for row, result in batches_over_cores(self._judge, _in_batches(found)):
                told = {"table": row.table, "row": row.row} | flat(result)
                yield {key: in_text(value) if isinstance(value, str) else value for key, value in told.items()}

    def _judge(self, rows: list[Row]) -> Iterable[tuple[Row, dict]]:
        return zip(rows, results(self.model, self.options, [row.input for row in rows]), strict=True)

    def _of(self, entry: Entry) -> Iterator[Row]:
        if entry.row_group is None:
            yield Row(_input(entry.name, entry.error))
            return
        row = entry.first
        try:
            with open_table(entry.name) as table:
                column = column_of(table, entry.name, self.plan.told["column"])
                for batch in table.iter_batches(AHEAD, [entry.row_group], [column]):
                    for value in batch.column(0).to_pylist():
                        yield Row(_of_value(value, entry.name, row), entry.name, row)
                        row += 1
        except (BulkError, OSError, pa.ArrowException) as error:
            if not is_local(entry.name):  # a store that does not answer says nothing of its pictures
                raise BulkError(f"{entry.name} cannot be read: {in_short(error)}.") from error
            why = f"{entry.name} cannot be read: {in_short(error)}."
            for lost in range(row, entry.first + entry.rows):
                yield Row(Input(f"{entry.name}#{lost}", Path(), why), entry.name, lost)


def _input(name: str, error: str = "") -> Input:
    read = None if is_local(name) or error else partial(fetch, name)
    return Input(name, Path(), error, read)


def _of_value(value: dict | bytes | str | None, table: str, row: int) -> Input:
    """What a table has for a picture: its bytes, {"bytes", "path"}, or an address, from the table's folder on."""
    name = f"{table}#{row}"
    if isinstance(value, dict):
        name, value = value.get("path") or name, value["bytes"] or value.get("path")
    if isinstance(value, bytes):
        return Input(name, Path(), "", lambda: value)
    if not value:
        return Input(name, Path(), f"{name} has neither bytes nor an address.")
    if holds_a_key(value):
        name = f"{table}#{row}"
        return Input(name, Path(), f"The address in {name} holds a key; give keys in the environment.")
    if is_local(value) and not Path(value).is_absolute():
        value = f"{table.rpartition('/')[0]}/{value}"
    return _input(value)


def _read_ahead(rows: Iterable[Row], readers: ThreadPoolExecutor) -> Iterator[Row]:
    """The same, those with an address being read meanwhile."""
    waiting: deque[Row] = deque()
    for row in rows:
        if row.input.read:
            row = row._replace(input=row.input._replace(read=readers.submit(row.input.read).result))
        waiting.append(row)
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting


def _in_batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH_SIZE)):
        yield batch
