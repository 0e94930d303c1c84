"""The rest of `bulk`, without Ray: plans, places, and parts that cannot be read or written."""

import os
import sys

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulk import BulkError, places
from bulk.__main__ import main
from bulk.places import fetch
from bulk.plan import PLAN, Entry, find, make_plan, to_parquet
from bulk.score import Scorer, part_name
from detector.images import MAX_FILE, ImageError
from tests.conftest import EXAMPLES
from tests.piles import judged, plan_in, results_in, s3_server, table_of


@pytest.fixture(scope="module")
def s3():
    with s3_server() as client:
        yield client


@pytest.fixture
def scorer(bundled, tmp_path):
    """One without Ray, for the plan of these inputs."""

    def make(*inputs: object, **options) -> Scorer:
        plan_in(tmp_path / "out", *inputs, sha256=bundled.config.sha256, **options)
        return Scorer(str(tmp_path / "out"), "bundled", "fp32", "auto")

    return make


def test_a_table_that_breaks_after_it_was_listed_keeps_its_rows(scorer, tmp_path):
    table = table_of([(EXAMPLES / "rocket.jpg").read_bytes()] * 4, tmp_path / "t.parquet", "bytes")
    found = scorer(table)
    data = bytearray(table.read_bytes())
    data[len(data) // 2 : -2000] = bytes(len(data) - 2000 - len(data) // 2)  # the second row group
    table.write_bytes(data)
    assert judged(found)["failed"] == [2]
    rows = results_in(tmp_path / "out")
    assert [row["row"] for row in rows] == [0, 1, 2, 3]
    assert [row["label"] is None for row in rows] == [False, False, True, True]
    assert all(f"{table} cannot be read" in row["error"] for row in rows[2:])


def test_a_full_disk_is_told_and_the_part_done_later(scorer, tmp_path, monkeypatch):
    found = scorer(EXAMPLES / "rocket.jpg")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bulk.places.write_whole", full)
        told = judged(found)
    assert told["error"] == [f"{tmp_path / 'out'} cannot be written: No space left on device."]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [PLAN]
    assert judged(found)["error"] == [""]
    written = (tmp_path / "out" / part_name(0)).stat().st_mtime_ns
    assert judged(found)["pictures"] == [0]  # it is there
    assert (tmp_path / "out" / part_name(0)).stat().st_mtime_ns == written


def test_another_model_on_one_machine_is_told(scorer):
    found = scorer(EXAMPLES / "rocket.jpg")
    found.plan.told["sha256"] = "another"
    assert "is not the same file on all machines" in judged(found)["error"][0]


def test_parts_hold_row_groups_whole(tmp_path):
    table = table_of([b""] * 7, tmp_path / "t.parquet", "bytes")
    entries = list(find([str(table)], None))
    assert entries == [Entry(str(table), i, 2 * i, rows) for i, rows in enumerate((2, 2, 2, 1))]
    plan = make_plan(plan_in(tmp_path / "out", table, part=3), [str(table)], 3, {"column": None, "sha256": ""})
    assert plan.sizes == [4, 3]
    assert plan.entries(1) == entries[2:]


@pytest.mark.parametrize("where", ["local", "s3://pile/many", "memory://many", "s3://alone"])
def test_patterns(s3, tmp_path, where):
    names = ("a/1.jpg", "a/2.png", "b/3.jpg", "b/deep/4.jpg", "b/x[1].jpg", "notes.txt")
    s3.create_bucket(Bucket="alone")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
        for bucket, key in (("pile", f"many/{name}"), ("alone", name), ("alone", f".hidden/{name}")):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        fsspec.filesystem("memory").pipe(f"/many/{name}", b"")
    where = str(tmp_path) if where == "local" else where
    for pattern, found in (
        ("", (*names[:2], names[2], *names[3:5])),
        ("/", names[:5]),
        ("/*/*.png", names[1:2]),
        ("/b/*.jpg", (names[2], names[4])),
        ("/b/**/*.jpg", names[2:5]),
        ("/**", names[:5]),
        ("/b/x[1].jpg", names[4:5]),
    ):
        assert sorted(e.name for e in find([where + pattern], None)) == sorted(f"{where}/{name}" for name in found)


def test_a_whole_run_on_fsspecs_places(scorer):
    fsspec.filesystem("memory").pipe("/some/rocket.jpg", (EXAMPLES / "rocket.jpg").read_bytes())
    assert judged(scorer("memory://some"))["failed"] == [0]


def test_what_a_broken_off_plan_leaves_is_no_obstacle(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{PLAN}.1a2b3c4d.partial").write_bytes(b"PAR1")
    assert PLAN in plan_in(tmp_path / "out", EXAMPLES / "rocket.jpg").names()


def test_keys_in_addresses_are_not_written(scorer, tmp_path):
    table = table_of(["s3://name:secret@pile/a.jpg", "s3://pile/b.jpg"], tmp_path / "t.parquet", "url")
    assert judged(scorer(table))["failed"] == [2]
    first, second = results_in(tmp_path / "out")
    assert (first["file"], second["file"]) == (f"{table}#0", "s3://pile/b.jpg")
    assert "secret" not in str(first)


def test_a_store_that_does_not_answer_is_no_fault_of_its_pictures(scorer, tmp_path, monkeypatch):
    table = table_of(["s3://pile/in/a.jpg", "http://127.0.0.1:9/b.jpg"], tmp_path / "t.parquet", "url")
    found = scorer(table)
    places._file_system.cache_clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (told,) = judged(found)["error"]
    places._file_system.cache_clear()
    assert "s3://pile/in/a.jpg cannot be read" in told
    assert found.results.names() == {PLAN}  # to be done when it answers


@pytest.mark.parametrize(
    ("inputs", "column", "sentence"),
    [
        (["nothing"], None, "nothing does not exist"),
        (["*.tiff"], None, r"\*.tiff names no pictures and no .parquet files"),
        (["pile.zip"], None, "pile.zip is a zip; unpack it first"),
        (["mixed"], None, "mixed holds both pictures and .parquet files"),
        (["numbers.parquet"], None, "none of the columns image, bytes"),
        (["numbers.parquet"], "id", "no column id with bytes or addresses"),
        (["broken.parquet"], None, "cannot be read as Parquet"),
        (["s3://pile/nowhere"], None, "s3://pile/nowhere does not exist"),
        (["s3://nowhere/x"], None, "s3://nowhere/x "),
        (["s3://key:secret@pile/in"], None, "holds a key, which would be written"),
        (["what://is/this"], None, "what:// cannot be read here"),
    ],
)
def test_inputs_that_are_refused(s3, tmp_path, monkeypatch, capsys, inputs, column, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixed").mkdir()
    for name in ("mixed/a.png", "pile.zip", "broken.parquet"):
        (tmp_path / name).write_bytes(b"")
    for name in ("mixed/t.parquet", "numbers.parquet"):
        pq.write_table(pa.table({"id": [1, 2]}), tmp_path / name)
    with pytest.raises(BulkError, match=sentence) as refused:
        plan_in(tmp_path / "out", *inputs, column=column)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()
    named = ["--column", column] if column else []
    code = main([*inputs, "--out", str(tmp_path / "out"), "--model", "bundled", *named])
    assert (code, capsys.readouterr().err) == (2, f"{refused.value}\n")


def test_results_of_another_run_are_not_mixed_up(tmp_path):
    rocket, coffee = EXAMPLES / "rocket.jpg", EXAMPLES / "coffee.png"
    plan_in(tmp_path / "out", rocket)
    plan_in(tmp_path / "out", rocket)
    with pytest.raises(BulkError, match="holds a run with another inputs"):
        plan_in(tmp_path / "out", coffee)
    with pytest.raises(BulkError, match="holds a run with another sha256 and part"):
        plan_in(tmp_path / "out", rocket, sha256="other", part=7)
    for foreign in (b"PAR1", to_parquet(pa.table({"name": ["a"]}))):
        (tmp_path / "out" / PLAN).write_bytes(foreign)
        with pytest.raises(BulkError, match=f"{PLAN} in .* cannot be read"):
            plan_in(tmp_path / "out", rocket)
    (tmp_path / "notes.txt").write_text("of someone else")
    with pytest.raises(BulkError, match="holds other files"):
        plan_in(tmp_path, rocket)


def test_addresses_that_cannot_be_fetched(s3, tmp_path):
    (tmp_path / "large.png").write_bytes(b"")
    os.truncate(tmp_path / "large.png", 2 * MAX_FILE)
    assert len(fetch(f"file://{tmp_path}/large.png")) == MAX_FILE + 1  # no more of it is read
    for name in (
        "http://127.0.0.1:9/cat.png",
        "s3://pile/gone.png",
        "what://is/this.png",
        "s3://pile",
        "memory://x.png",
    ):
        with pytest.raises(ImageError) as refused:
            fetch(name)
        assert name.split("/cat")[0] in str(refused.value) or "cannot be read here" in str(refused.value)
        assert "\n" not in str(refused.value)


def test_results_on_a_file_system_of_fsspecs(bundled):
    results = plan_in("memory://results/of/mine", EXAMPLES / "rocket.jpg", sha256=bundled.config.sha256)
    assert judged(Scorer("memory://results/of/mine", "bundled", "fp32", "auto"))["pictures"] == [1]
    assert results.names() == {PLAN, part_name(0)}
    assert [row["label"] for row in results_in("memory://results/of/mine")] == ["human"]


@pytest.mark.parametrize("lacks", ["ray", "pyarrow"])
def test_without_its_packages_it_says_what_to_install(monkeypatch, capsys, tmp_path, lacks):
    if lacks == "ray":
        monkeypatch.setattr("bulk.__main__.find_spec", lambda name: None)
    else:
        monkeypatch.setitem(sys.modules, "bulk.places", None)
        monkeypatch.delitem(sys.modules, "bulk.cluster", raising=False)
    assert main([str(EXAMPLES), "--out", str(tmp_path / "out")]) == 2
    assert "pip install '.[bulk]'" in capsys.readouterr().err
