"""The page under a crowd of which some misbehave, for a quarter of a minute; `make soak` takes ten."""

import re
import time

import pytest

from tests import soak
from tests.client import Refused
from tests.running import resident
from ui.folder import UploadFolder
from ui.memory import give_back


def test_nobody_is_lost_and_nothing_gets_stuck(tmp_path):
    found = soak.run(15, 8, tmp_path)
    assert found.faults == []
    assert found.became["answered"] == len(found.seconds) > 10
    assert len(found.became) >= 6  # all kinds of visitors came


def test_a_clock_that_is_put_back_keeps_nothing_longer(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with UploadFolder() as folder:
        (folder.path / "before").write_bytes(b"x")
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 3600)
        folder.sweep(600)
        assert list(folder.path.iterdir()) == []


def test_what_was_freed_goes_back_to_the_system():
    """glibc keeps it while anything behind it is in use."""
    kept = [bytes(2000) for _ in range(100_000)][::50]  # 200 MB, of which 4 stay
    before = resident()
    give_back()
    assert before - resident() > 150e6
    assert len(kept) == 2000


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Traceback (most recent call last):", True),
        ("ERROR:    Exception in ASGI application", True),
        ("starlette.exceptions.HTTPException: 404", True),
        ("ValueError", True),
        ("The Hub could not be reached for OWNER/NAME (ConnectError).", False),
    ],
)
def test_which_lines_of_a_log_are_faults(line, fault):
    assert bool(soak.FAULT.match(line)) == fault


class Silent:
    """A page that fails as Gradio does when something of ours was raised that is no sentence."""

    def ask(self, *_):
        raise Refused('{"msg": "process_completed", "output": {"error": null}, "success": false}')


def test_a_fault_that_gradio_hides_is_one():
    with pytest.raises(Refused):
        soak.broken(Silent(), "somebody", 1)
    assert re.search(soak.BUSY, "Too many people are asking")
