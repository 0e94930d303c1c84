"""Lines, rows and cells: what they make of an answer, and that nothing gets lost in them."""

import csv
import io
import json

import pytest

from detector.output import as_json, as_table
from detector.output.as_csv import CSV_FIELDS, CsvFile, to_row
from detector.output.as_json import to_json
from detector.verdict import Verdict

SECOND = Verdict({"dalle": 0.25, "human": 0.5, "other_ai": 0.25}, (0.0, 1.0, 0.0), None, "=cmd()", measured=False)
FIRST = Verdict({"dalle": 0.5, "human": 0.125, "other_ai": 0.375}, (2.0, 1.0, 0.0), None, "first", second=SECOND)
NOTHING = Verdict({}, (), None, "first", abstained="it is one plain colour")


def test_a_second_opinion_has_its_columns():
    row = to_row({"file": "a.png"} | to_json(FIRST))
    assert (row["p_ai"], row["model"], row["second_p_ai"], row["second_model"]) == (0.875, "first", 0.5, "'=cmd()")
    assert set(row) <= set(CSV_FIELDS)


def test_nothing_to_judge_in_every_form():
    result = {"file": "a.png"} | to_json(NOTHING)
    assert set(result) == {"file", "abstained", "model"}
    assert to_row(result) == {"file": "a.png", "model": "first", "abstained": "it is one plain colour"}
    assert as_table.to_line(result, 8) == "a.png     nothing to judge: it is one plain colour"


def test_an_answer_whose_maps_failed_shows_both():
    line = as_table.to_line({"file": "a.png"} | to_json(FIRST) | {"error": "Its maps\x07 cannot be written."}, 5)
    assert "likely AI" in line
    assert line.endswith("Its maps\\x07 cannot be written.")


TEXTS = ["plain", "=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "'", "''=x", "\uff1dx", 'a"b,c;d', "", "-", "a=1"]


@pytest.mark.parametrize("text", TEXTS)
def test_cells_are_text_and_come_back(text, tmp_path):
    with CsvFile(tmp_path / "a.csv") as table:
        table.add({"file": text, "error": text})
    (row,) = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_bytes().decode("utf-8"), newline=""))
    assert row["file"].removeprefix("'") == row["error"].removeprefix("'") == text
    assert not row["file"].startswith(tuple("=+-@\t\r\n\uff1d"))


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b]0;x\x07", "\u202egpj", "\udcff", "\u2028", "\x7f\x9b", "zoë 🎨", "\U000e0001"]
)
def test_json_lines_are_exact_printable_and_utf_8(text):
    line = as_json.to_line({"file": text})
    assert json.loads(line.encode("utf-8")) == {"file": text}
    assert line.isprintable()
    assert as_table.printable(text).isprintable()
