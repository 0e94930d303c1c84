"""Runs that are killed, whose disk is full, or whose data vanish; and runs of many processes."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import detector
from detector.checkpoint import Config, read_state_dict, save_checkpoint
from tests.forked import ROOT, Forked
from tests.killable import SMALL
from tests.running import free_port
from train.__main__ import main
from train.fitting.loop import STATE_FILE
from train.recipes import RECIPES

PATIENCE = 1800  # seconds: for a run that hangs, not for one on a busy machine
FEW_MB = 30 * 2**20  # bytes: a checkpoint fits, the state of a run does not


def start(*arguments: str, cwd: Path, limit: int | None = None) -> Forked:
    """A killable run, with a limit on the size of files."""
    return Forked("tests.killable", *arguments, cwd=cwd, out=cwd / "out.txt", err=cwd / "err.txt", limit=limit)


def torchrun(module: str, *arguments: str, cwd: Path) -> subprocess.Popen:
    """Two processes."""
    launcher = ["torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m"]
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, module, *arguments],
        cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def pair(*arguments: str, cwd: Path, port: int) -> list[Forked]:
    """Two killable processes that find each other as under torchrun, which starts them much later."""
    together = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        Forked(
            "tests.killable", *arguments, cwd=cwd, out=cwd / f"out {rank}.txt", err=cwd / f"err {rank}.txt",
            TORCHELASTIC_RUN_ID="pair", RANK=rank, LOCAL_RANK=rank, **together,
        ) for rank in ("0", "1")
    ]  # fmt: skip


def finish(process: Forked | subprocess.Popen) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def sentence(process: Forked) -> str:
    """What a run that failed says: one sentence and no traceback."""
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.endswith(".")
    return last


def kill_after_saves(process: Forked | subprocess.Popen, state: Path, n: int, delay: float) -> bool:
    """SIGKILL to all its processes once the state was written `n` times more; False if the run ended before."""
    last = state.stat().st_mtime_ns if state.exists() else 0
    while n:
        if process.poll() is not None:
            return False
        now = state.stat().st_mtime_ns if state.exists() else 0
        if now != last:
            last, n = now, n - 1
        time.sleep(0.005)
    time.sleep(delay)
    for pid in descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    return True


def descendants(pid: int) -> list[int]:
    """A process and all that it started, also those in sessions of their own, as torchrun's are (Linux)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in descendants(int(child)))]


TYPED = ("--init", "scratch", "--batch-size", "12", "--name", "run")


@pytest.fixture(scope="module")
def unbroken(coloured, tmp_path_factory) -> Path:
    cwd = tmp_path_factory.mktemp("unbroken")
    finish(start(str(coloured), *TYPED, cwd=cwd))
    return cwd / "runs" / "run"


def test_killed_at_any_moment_ends_with_the_same_weights(coloured, unbroken, tmp_path):
    folder = tmp_path / "runs" / "run"
    killed = 0
    # Before the first step, in an epoch, while a state is being written, between epochs, in the evaluation at the end.
    for n, delay in ((1, 0.0), (2, 0.0), (1, 0.05), (2, 0.3), (3, 1.5)):
        again = ["--resume"] if (folder / STATE_FILE).exists() else []
        process = start(str(coloured), *TYPED, *again, cwd=tmp_path)
        killed += kill_after_saves(process, folder / STATE_FILE, n, delay)
    assert killed == 5
    assert "Going on in epoch" in finish(start(str(coloured), *TYPED, "--resume", cwd=tmp_path))
    ours, theirs = (read_state_dict(path / "model.safetensors") for path in (folder, unbroken))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert (folder / "metrics.jsonl").read_text() == (unbroken / "metrics.jsonl").read_text()
    assert (folder / "report.json").read_text() == (unbroken / "report.json").read_text()
    assert not (folder / STATE_FILE).exists()


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """What `python -m train` says in `tmp_path` before it begins, with the small recipes, without a new process."""
    monkeypatch.chdir(tmp_path)
    for name, recipe in SMALL.items():
        monkeypatch.setitem(RECIPES, name, recipe)

    def refuse(*arguments: str) -> str:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return str(caught.value)

    return refuse


def test_a_run_is_not_overwritten_nor_resumed_as_another(coloured, unbroken, tmp_path, refusal):
    shutil.copytree(unbroken, tmp_path / "runs" / "run")
    assert "holds a run already" in refusal(str(coloured), *TYPED)
    assert "holds no interrupted run" in refusal(str(coloured), *TYPED, "--resume")
    (tmp_path / "runs" / "run" / STATE_FILE).write_bytes(b"half of a sta")
    assert "is damaged" in refusal(str(coloured), *TYPED, "--resume")


def test_full_disk_keeps_what_was_saved(coloured, unbroken, tmp_path, refusal):
    """No file may grow beyond a few MB: the write fails as on a full disk, half way through the file."""
    folder = tmp_path / "runs" / "run"
    assert kill_after_saves(start(str(coloured), *TYPED, cwd=tmp_path), folder / STATE_FILE, 3, 0)
    before = (folder / STATE_FILE).read_bytes()
    process = start(str(coloured), *TYPED, "--resume", cwd=tmp_path, limit=FEW_MB)
    assert "could not be" in sentence(process)
    assert (folder / STATE_FILE).read_bytes() == before
    assert not list(folder.glob("*.partial"))
    assert "begun with lr 0.0007 and not 0.5" in refusal(str(coloured), *TYPED, "--resume", "--lr", "0.5")
    assert "begun with --init scratch and not imagenet" in refusal(str(coloured), *TYPED[2:], "--resume")


def test_vanished_folder(coloured, tmp_path, refusal):
    data, folder = tmp_path / "data", tmp_path / "runs" / "run"
    shutil.copytree(coloured, data)
    process = start(str(data), *TYPED, cwd=tmp_path)
    while not (folder / "model.safetensors").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    shutil.rmtree(data)
    assert "data changed while it was in use" in sentence(process)
    assert detector.load(folder).model.classifier.out_features == 3
    assert (folder / STATE_FILE).exists()
    assert "There is no folder" in refusal(str(data), *TYPED, "--resume")


# Many processes


def test_card_recipe_killed_or_in_two_processes(coloured, published, tmp_path):
    """Frozen features have no batch statistics, so two processes must come to the same layer as one, but for the order
    of sums; a run that was killed comes to the same bytes."""
    save_checkpoint(tmp_path / "start", published, Config(), torch.float32)
    typed = [str(coloured), "--recipe", "card", "--init", "start", "--lr", "0.01", "--batch-size", "12"]
    one = finish(start(*typed, "--name", "one", cwd=tmp_path))
    state = tmp_path / "runs" / "killed" / STATE_FILE
    assert kill_after_saves(start(*typed, "--name", "killed", cwd=tmp_path), state, 6, 0)
    finish(start(*typed, "--name", "killed", "--resume", cwd=tmp_path))
    two, other = map(finish, pair(*typed, "--name", "two", cwd=tmp_path, port=free_port()))
    assert other == ""  # one of them speaks
    weights = {name: tmp_path / "runs" / name / "model.safetensors" for name in ("one", "killed", "two")}
    assert weights["one"].read_bytes() == weights["killed"].read_bytes()
    losses = [[float(loss) for loss in re.findall(r"^epoch .*?: loss (\S+),", out, re.M)] for out in (one, two)]
    assert len(losses[0]) == 3
    assert losses[1] == pytest.approx(losses[0], rel=2e-3, abs=2e-3)  # said once, and the same
    ours, theirs = (read_state_dict(weights[name]) for name in ("one", "two"))
    for key in ours:
        torch.testing.assert_close(ours[key].float(), theirs[key].float(), atol=2e-3, rtol=0)


def test_two_processes_train_the_whole_network(coloured, tmp_path):
    """Batch statistics are those of half a batch, which takes more steps; killed and resumed as one process is, and not
    only by the launcher that began it."""
    folder = tmp_path / "runs" / "run"
    typed = (str(coloured), *TYPED, "--epochs", "3", "--lr", "0.001")
    process = torchrun("tests.killable", *typed, cwd=tmp_path)
    assert kill_after_saves(process, folder / STATE_FILE, 4, 0.1)
    out, other = map(finish, pair(*typed, "--resume", cwd=tmp_path, port=free_port()))
    assert (out + other).count("Going on in epoch") == 1
    found = detector.load(folder).config.metrics["test"]["clean"]
    assert found["n"] == 12
    assert found["balanced_accuracy"] > 0.9  # as test_train demands of one process


def test_an_error_in_the_first_process_ends_all(tmp_path):
    both = pair("/nowhere", cwd=tmp_path, port=free_port())
    assert all(sentence(process).startswith("There is no folder /nowhere;") for process in both)


def test_a_batch_that_cannot_be_shared(coloured, tmp_path):
    both = pair(str(coloured), "--init", "scratch", "--batch-size", "13", cwd=tmp_path, port=free_port())
    assert all("give --batch-size a multiple of 2" in sentence(process) for process in both)
