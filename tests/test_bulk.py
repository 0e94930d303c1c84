"""python -m bulk on Ray: the same answers as the command, and nothing lost, whatever is killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bulk import BulkError, cluster
from bulk.score import SCHEMA
from detector.output.as_csv import flat
from detector.output.as_json import origin_to_json, to_json
from detector.provenance import said_by
from tests.conftest import EXAMPLES
from tests.deadly import Deadly
from tests.forked import ROOT
from tests.piles import results_in, s3_server, table_of
from tests.running import NO_HUB

PICTURES = ("astronaut.png", "chelsea.png", "dalle_3.webp", "rocket.jpg")
MODEL = ("--model", "bundled", "--precision", "fp32")
NO_TEXT = os.fsdecode(b"caf\xe9")  # a name that is no text


@pytest.fixture(scope="module")
def s3():
    with s3_server() as client:
        yield client


def bulk(*arguments: object, home: Path) -> subprocess.Popen:
    """As a user runs it, with a home folder of its own."""
    environment = os.environ | {"HF_ENDPOINT": NO_HUB, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "bulk", *map(str, arguments), *MODEL],
        env=environment, cwd=home, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_same_answers_from_all_kinds_of_places(bundled, s3, tmp_path):
    home, folder = tmp_path / "home", tmp_path / "pictures"
    home.mkdir()
    folder.mkdir()
    for name in PICTURES:
        shutil.copy(EXAMPLES / name, folder)
        s3.put_object(Bucket="pile", Key=f"in/deep er/{name}", Body=(EXAMPLES / name).read_bytes())
    (folder / f"{NO_TEXT}.png").write_bytes((EXAMPLES / "coffee.png").read_bytes())
    (folder / f"{NO_TEXT}.jpg").write_bytes(b"no picture")
    for name in ("notes.txt", ".hidden/cat.png"):
        s3.put_object(Bucket="pile", Key=f"in/{name}", Body=b"left alone")
    data = [(EXAMPLES / name).read_bytes() for name in PICTURES]
    named = [
        {"bytes": data[0], "path": "zoë.png"},
        {"bytes": data[1], "path": None},
        {"bytes": None, "path": None},
        {"bytes": None, "path": "pictures/rocket.jpg"},
    ]
    held, told = table_of(named, tmp_path / "held.parquet", "image"), tmp_path / "told.parquet"
    table_of(["s3://pile/in/deep er/chelsea.png", "pictures/rocket.jpg", "s3://pile/gone.png"], told, "url")
    files = {name: folder / name for name in (*PICTURES, f"{NO_TEXT}.png", f"{NO_TEXT}.jpg")}
    expected = [
        *((str(folder / name), None, None, path) for name, path in sorted(files.items())),
        *((f"s3://pile/in/deep er/{name}", None, None, EXAMPLES / name) for name in PICTURES),
        ("zoë.png", str(held), 0, EXAMPLES / PICTURES[0]),
        (f"{held}#1", str(held), 1, EXAMPLES / PICTURES[1]),
        (f"{held}#2", str(held), 2, f"{held}#2 has neither bytes nor an address."),
        (str(folder / "rocket.jpg"), str(held), 3, EXAMPLES / "rocket.jpg"),
        ("s3://pile/in/deep er/chelsea.png", str(told), 0, EXAMPLES / "chelsea.png"),
        (str(folder / "rocket.jpg"), str(told), 1, EXAMPLES / "rocket.jpg"),
        ("s3://pile/gone.png", str(told), 2, "s3://pile/gone.png does not exist; check the address."),
    ]

    run = bulk(folder, "s3://pile/in", held, told, "--out", "s3://pile/out", "--part", 4, "--cores", 1, home=home)
    said = run.communicate(timeout=300)[1]
    assert (run.returncode, said.splitlines()[-1]) == (1, "All are done and in s3://pile/out; 3 of these 17 failed.")
    rows = results_in("s3://pile/out")
    for row, (name, table, number, truth) in zip(rows, expected, strict=True):
        assert (row["file"], row["table"], row["row"]) == (name.replace("\udce9", "\\udce9"), table, number)
        if isinstance(truth, str) or truth.name == f"{NO_TEXT}.jpg":
            assert row["error"] == truth if isinstance(truth, str) else row["error"].startswith("caf\\udce9.jpg ")
            assert [name for name in SCHEMA.names[3:] if row[name] is not None] == ["error"]
            continue
        answer = flat(to_json(bundled.predict([truth])[0]) | {"provenance": origin_to_json(said_by(truth))})
        for name in SCHEMA.names[3:]:
            expected_cell = answer.get(name)
            assert row[name] == (pytest.approx(expected_cell, abs=2e-4) if name.startswith("p_") else expected_cell)
    assert list(home.iterdir()) == []  # nothing is written there, no token and no log


def models_in(folder: Path) -> list[int]:
    """Ray's processes that hold one, by the working folder that they share with the run that started them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (process / "cwd").readlink() == folder and "MapWorker" in (process / "comm").read_text():
                found.append(int(process.name))
    return found


def until(there, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_nothing_is_lost_and_nothing_done_twice_whatever_is_killed(real_images, tmp_path):
    home, out, pictures = (tmp_path / name for name in ("home", "out", "pictures"))
    home.mkdir()
    pictures.mkdir()
    for path in sorted((real_images / "val" / "dalle").iterdir())[:50]:
        (pictures / path.name).symlink_to(path.resolve())
    command = (pictures, "--out", out, "--part", 5)
    done = lambda: sorted(out.glob("part-*.parquet"))  # noqa: E731

    run = bulk(*command, home=home)
    until(lambda: len(done()) >= 2)
    (model,) = models_in(home)
    os.kill(model, signal.SIGKILL)
    early = len(done())
    until(lambda: len(done()) > early)  # another one goes on
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not models_in(home))  # Ray's smaller helpers take a minute to see it
    kept = {path: path.stat().st_ino for path in done()}
    assert 3 <= len(kept) < 10

    run = bulk(*command, home=home)
    said = run.communicate(timeout=300)[1]
    assert run.returncode == 0, said
    assert f"{5 * len(kept)} are done" in said
    assert {path: path.stat().st_ino for path in kept} == kept
    names = [row["file"] for row in results_in(out)]
    assert names == sorted(str(path) for path in pictures.iterdir())


def test_a_part_that_ends_every_process_ends_the_run(monkeypatch):
    monkeypatch.setattr(cluster, "Scorer", Deadly)
    with cluster.cluster(None, 2, 1, "cpu") as workers:
        assert workers == (2, 1, 0)
        with pytest.raises(BulkError, match=r"its process died 4 times.* What is done is kept"):
            list(cluster.judge((), [0, 1], workers))


@pytest.mark.parametrize(
    ("machines", "cores", "device", "workers"),
    [
        ([{"CPU": 2.0}], None, "auto", (1, 2, 0)),
        ([{"CPU": 8.0}, {"CPU": 4.0}, {"memory": 1.0}], None, "auto", (3, 4, 0)),
        ([{"CPU": 8.0}, {"CPU": 4.0}], 3, "cpu", (3, 3, 0)),
        ([{"CPU": 16.0, "GPU": 4.0}, {"CPU": 64.0}], None, "auto", (4, 4, 1)),
        ([{"CPU": 16.0, "GPU": 4.0}], 8, "cuda", (2, 8, 1)),
        ([{"CPU": 16.0, "GPU": 4.0}], None, "cpu", (1, 16, 0)),
    ],
)
def test_a_model_for_each_gpu_or_for_the_cores_of_a_machine(machines, cores, device, workers):
    assert cluster.workers_on(machines, cores, device) == workers


@pytest.mark.parametrize("machines", [[{"CPU": 4.0}], [{"CPU": 4.0, "GPU": 2.0}], [{"memory": 1.0}]])
def test_no_machine_with_as_many_cores(machines):
    with pytest.raises(BulkError, match="No machine has 8 cores"):
        cluster.workers_on(machines, 8, "auto")
