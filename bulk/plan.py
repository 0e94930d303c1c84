"""What is to be judged, in parts: found once, kept beside the results, and the same after any number of kills."""

import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.utils import glob_translate
from pyarrow import ArrowException, fs

from bulk import BulkError
from bulk.places import Results, in_short, in_text, is_local, place
from detector.archive import is_zip
from detector.files import search
from detector.images import SUFFIXES

PLAN = "plan.parquet"
TABLE = ".parquet"
COLUMNS = ("image", "bytes", "path", "file", "file_name", "url", "address")  # the first of these that a table has
# Names as the disk has them, which need not be text. A row group of the plan is a part.
SCHEMA = pa.schema(
    {"name": pa.binary(), "row_group": pa.int32(), "first": pa.int64(), "rows": pa.int64(), "error": pa.string()}
)


class Entry(NamedTuple):
    """A picture, or a row group of a table of them."""

    name: str  # path or address
    row_group: int | None = None  # of the table
    first: int = 0  # row of the table that it begins with
    rows: int = 1
    error: str = ""  # why it is not even opened


def find(inputs: Iterable[str], column: str | None) -> Iterator[Entry]:
    """All that the inputs name, in order. Raises BulkError for one that names nothing."""
    for name in inputs:
        try:
            found = list(dict.fromkeys(_local(name) if is_local(name) else _remote(name)))  # patterns may overlap
        except OSError as error:
            raise BulkError(f"{name} cannot be searched: {in_short(error)}.") from error
        tables = [entry.name for entry in found if entry.name.lower().endswith(TABLE)]
        pictures = [entry for entry in found if entry.error or entry.name.lower().endswith(tuple(SUFFIXES))]
        if not (pictures or tables):
            raise BulkError(f"{name} names no pictures and no {TABLE} files.")
        if pictures and tables:
            raise BulkError(f"{name} holds both pictures and {TABLE} files; name those of one kind.")
        yield from pictures
        for table in tables:
            yield from _row_groups(table, column)


def _local(name: str) -> Iterator[Entry]:
    names = [name]
    if has_magic(name) and not Path(name).exists():
        names = sorted(glob(name, recursive=True))  # noqa: PTH207 - pathlib's takes no absolute pattern
    for path in map(Path, names):
        if not path.exists():
            raise BulkError(f"{path} does not exist; check the path.")
        if is_zip(path.name):
            raise BulkError(f"{path} is a zip; unpack it first, or give it to python -m detector.")
        if not path.is_dir():
            yield Entry(str(path.resolve()))
            continue
        found = search(path.resolve())
        for file in sorted([*found.images, *found.left_out]):
            yield Entry(str(file), error=in_text(found.left_out.get(file, "")))
        yield from (Entry(str(file.resolve())) for file in sorted(path.rglob(f"*{TABLE}")) if file.is_file())


def _remote(name: str) -> Iterator[Entry]:
    """Below folders what is hidden there, and files of other kinds, are left alone."""
    system, path = place(name)
    info = system.get_file_info(path)
    if info.is_file:
        yield Entry(name)
        return
    folder, pattern = name.rstrip("/"), "**"
    if info.type == fs.FileType.NotFound:
        if not has_magic(name):
            raise BulkError(f"{name} does not exist; check the address.")
        parts = name.split("/")
        fixed = next(i for i, part in enumerate(parts) if has_magic(part))
        folder, pattern = "/".join(parts[:fixed]), "/".join(parts[fixed:])
    base = place(f"{folder}/")[1]
    if isinstance(system, fs.PyFileSystem):  # as fsspec's own spell it where they list
        base = system.handler.fs._strip_protocol(base)
    wanted, base = re.compile(glob_translate(pattern)), base.rstrip("/")
    for info in sorted(system.get_file_info(fs.FileSelector(base, recursive=True)), key=lambda info: info.path):
        inside = info.path[len(base) :].lstrip("/")
        hidden = any(part.startswith(".") for part in inside.split("/"))
        if info.is_file and not hidden and wanted.match(inside):
            yield Entry(f"{folder}/{inside}")


def _row_groups(name: str, column: str | None) -> Iterator[Entry]:
    with open_table(name) as table:
        column_of(table, name, column)
        first = 0
        for i in range(table.num_row_groups):
            rows = table.metadata.row_group(i).num_rows
            yield Entry(name, i, first, rows)
            first += rows


def open_table(name: str) -> pq.ParquetFile:
    """Raises BulkError."""
    system, path = place(name)
    try:
        return pq.ParquetFile(system.open_input_file(path))
    except (OSError, ArrowException) as error:
        raise BulkError(f"{name} cannot be read as Parquet: {in_short(error)}.") from error


def column_of(table: pq.ParquetFile, name: str, column: str | None) -> str:
    """The column that holds pictures' bytes, {"bytes", "path"} as in datasets of the Hub, or addresses."""
    names = table.schema_arrow.names
    for found in (column,) if column else COLUMNS:
        if found in names:
            kind = table.schema_arrow.field(found).type
            bytes_in = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
            text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
            if bytes_in or any(check(kind) for check in text):
                return found
    wanted = f"no column {column}" if column else f"none of the columns {', '.join(COLUMNS)}"
    raise BulkError(f"{name} has {wanted} with bytes or addresses; name one of its own with --column.")


class Plan:
    """The plan in a folder of results."""

    def __init__(self, results: Results):
        """Raises BulkError."""
        try:
            self._file = pq.ParquetFile(results.open(PLAN))
            self.told, self.sizes = (json.loads(self._file.metadata.metadata[name]) for name in (b"told", b"sizes"))
        except (OSError, ArrowException, KeyError, TypeError) as error:
            raise BulkError(f"{PLAN} in {results.name} cannot be read: {in_short(error)}.") from error

    def entries(self, part: int) -> list[Entry]:
        rows = self._file.read_row_group(part).to_pylist()
        return [Entry(**row | {"name": os.fsdecode(row["name"])}) for row in rows]


def make_plan(results: Results, inputs: list[str], size: int, told: dict) -> Plan:
    """The plan in `results`; where there is none yet, of `inputs`, in parts of `size` pictures, row groups kept whole.

    `told` is what has to be the same for a run to be gone on with. Raises BulkError.
    """
    told |= {"inputs": [name if not is_local(name) else str(Path(name).resolve()) for name in inputs], "part": size}
    try:
        found = results.names()
    except OSError as error:
        raise BulkError(f"{results.name} cannot be read: {in_short(error)}.") from error
    if PLAN in found:
        plan = Plan(results)
        other = [key for key in told if plan.told.get(key) != told[key]]
        if other:
            raise BulkError(
                f"{results.name} holds a run with another {' and '.join(other)}; give another --out, or what it was."
            )
        return plan
    if not all(name.startswith(f"{PLAN}.") for name in found):  # what is left of one whose writing was broken off
        raise BulkError(f"{results.name} holds other files; give --out a folder of its own.")
    with tempfile.TemporaryFile() as file:
        sizes = []  # pictures of each part
        with pq.ParquetWriter(file, SCHEMA) as writer:
            for part in _parts(find(inputs, told["column"]), size):
                sizes.append(sum(entry.rows for entry in part))
                columns = zip(*((os.fsencode(e.name), *e[1:]) for e in part), strict=True)
                writer.write_table(pa.table([list(column) for column in columns], SCHEMA), len(part))
            writer.add_key_value_metadata({"told": json.dumps(told), "sizes": json.dumps(sizes)})
        file.seek(0)
        try:
            results.write(PLAN, file.read())
        except OSError as error:
            raise BulkError(f"{results.name} cannot be written: {in_short(error)}.") from error
    return Plan(results)


def _parts(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    part, rows = [], 0
    for entry in entries:
        part.append(entry)
        rows += entry.rows
        if rows >= size:
            yield part
            part, rows = [], 0
    if part:
        yield part


def to_parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()
