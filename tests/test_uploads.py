"""What was uploaded goes: at every end, by age, and when it breaks off. Starting and stopping the page."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app import free_port as app_free_port
from tests.client import Page, Refused
from tests.conftest import EXAMPLES
from tests.running import free_port, start_app, wait_until_up
from ui.folder import PREFIX, THUMBNAILS, UploadFolder
from ui.gallery import bundled_examples, thumbnail_files, with_thumbnails

HOLDER = """
import time
from ui.folder import UploadFolder
with UploadFolder() as folder:
    print(folder.path, flush=True)
    time.sleep(99)
"""


@pytest.fixture
def base(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "up"))
    return tmp_path / "up"


def holder(base: Path) -> tuple[subprocess.Popen, Path]:
    """Another process with an upload in its folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, cwd=EXAMPLES.parent)
    folder = Path(process.stdout.readline().strip())
    (folder / "secret.png").write_bytes(b"secret")
    return process, folder


def test_folder_is_private_and_goes(base):
    with UploadFolder() as folder:
        assert folder.path.parent == base
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        (folder.path / "a").mkdir()
        (folder.path / "a" / "upload.png").write_bytes(b"x")
    assert list(base.iterdir()) == []
    with pytest.raises(KeyError), UploadFolder() as folder:
        raise KeyError("whatever happens")
    assert list(base.iterdir()) == []


def test_what_the_dead_left_is_swept_and_the_living_are_left_alone(base):
    dead, left = holder(base)
    dead.kill()
    dead.wait()
    assert left.exists()
    living, used = holder(base)
    (base / "anything else").write_text("not ours")
    try:
        with UploadFolder():
            assert not left.exists()
            assert (used / "secret.png").exists()
    finally:
        living.kill()
        living.wait()
    assert (base / "anything else").exists()


def test_sweep_is_by_age_whatever_the_copy_says(base):
    with UploadFolder() as folder:
        old, new, copied = (folder.path / name for name in ("old", "new", "copied"))
        thumbnail = folder.path / THUMBNAILS / "0.jpg"
        (folder.path / "sub").mkdir()
        part = folder.path / "sub" / "tmp123"
        for file in (old, thumbnail, part):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"x")
        time.sleep(1.1)
        new.write_bytes(b"x")
        copied.write_bytes(b"x")
        os.utime(copied, (0, 0))  # as shutil.copy2 leaves it
        folder.sweep(1)
        assert sorted(path.name for path in folder.path.iterdir()) == ["copied", "new", "sub", THUMBNAILS]
        assert not part.exists()
        assert thumbnail.exists()


def test_a_place_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch, caplog):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "a file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with UploadFolder() as folder:
        assert folder.path.parent == tmp_path
    assert "Uploads cannot be kept in" in caplog.text
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a file"))
    with pytest.raises(OSError, match="set GRADIO_TEMP_DIR"), UploadFolder():
        pass


def test_a_folder_that_was_cleaned_away_is_made_anew_and_still_counts_as_alive(base):
    with UploadFolder() as folder:
        shutil.rmtree(base)
        folder.path.mkdir(parents=True, mode=0o755)  # as Gradio does when the next upload comes
        folder.sweep(600)
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        with UploadFolder():  # another page starts
            assert folder.path.exists()
    assert list(base.iterdir()) == []


def test_what_cannot_be_deleted_at_the_end_is_deleted_at_the_next_start(base, monkeypatch):
    folder = UploadFolder().__enter__()
    (folder.path / "upload.png").write_bytes(b"x")
    with monkeypatch.context() as at_the_end:
        at_the_end.setattr("shutil.rmtree", lambda *_, **__: None)  # as if somebody wrote into it all the while
        folder.__exit__()
    assert folder.path.exists()
    with UploadFolder():
        assert not folder.path.exists()
    assert list(base.iterdir()) == []


def test_thumbnails_survive_a_cleaned_temporary_folder(tmp_path):
    examples = with_thumbnails(bundled_examples()[:2])
    paths = thumbnail_files(examples, tmp_path / "thumbnails")
    before = [path.read_bytes() for path in paths]
    paths[0].unlink()
    paths[1].write_bytes(before[1][:99])  # cut short by a full disk
    assert [path.read_bytes() for path in thumbnail_files(examples, tmp_path / "thumbnails")] == before


def uploads_below(folder: Path) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and THUMBNAILS not in path.parts and path.suffix != ".lock"
    ]


def test_full_disk_and_broken_off_uploads_heal_and_sigterm_leaves_nothing(tmp_path):
    """One page on a disk of 1 MB."""
    (tmp_path / "up").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path / "up"], check=True)
    port = free_port()
    app = start_app(tmp_path, "--model", "bundled", "--port", str(port))
    try:
        wait_until_up(app, f"http://127.0.0.1:{port}", tmp_path / "log.txt")
        page = Page(port)
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8))
        noise.save(tmp_path / "large.png")
        with pytest.raises(Refused, match=r"507 b'There is no room left for uploads on the server; try again"):
            page.ask((tmp_path / "large.png").read_bytes(), "first", "predict")
        assert uploads_below(tmp_path / "up") == []  # what had come of it is gone at once
        for _ in range(3):
            break_off(port)
        assert '"label"' in str(page.ask((EXAMPLES / "rocket.jpg").read_bytes(), "second", "predict")).replace("'", '"')
        assert [path.name for path in uploads_below(tmp_path / "up")] == ["image.jpg"]
        app.terminate()
        assert app.wait() == 0
        assert list((tmp_path / "up").iterdir()) == []
        log = (tmp_path / "log.txt").read_text()
        assert log.count("no room left") == 1
        assert "Traceback" not in log
    finally:
        app.kill()
        app.wait()
        subprocess.run(["umount", tmp_path / "up"], check=True)


def break_off(port: int) -> None:
    """A tab that is closed in the middle of an upload."""
    head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n"
    part = b'--X\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + b"secret" * 30_000
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + b"Content-Length: 900000\r\n\r\n" + part)


def test_address_of_six_and_any_port_and_ctrl_c(tmp_path):
    app = start_app(tmp_path, "--model", "bundled", "--host", "::1", "--port", "0")
    while not (found := re.search(r"http://\[::1\]:\d+", (tmp_path / "log.txt").read_text())):
        assert app.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.05)
    wait_until_up(app, found[0], tmp_path / "log.txt")
    app.send_signal(signal.SIGINT)
    app.send_signal(signal.SIGINT)  # impatient people
    assert app.wait() == 0
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    assert not list(tmp_path.glob(f"up/{PREFIX}*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_asked_to_end_while_it_starts(tmp_path, number):
    """As soon as there is a folder: gradio is there then, torch and the model still load."""
    app = start_app(tmp_path, "--model", "bundled", "--port", "0")
    while not list(tmp_path.glob(f"up/{PREFIX}*")):
        assert app.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.01)
    app.send_signal(number)
    assert app.wait() == 0
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log
    assert "terminate called" not in log
    assert not list(tmp_path.glob(f"up/{PREFIX}*"))


def test_asked_to_end_while_uploads_come(tmp_path):
    """Nothing of them is left, nothing is said; the address is the one that a Space sets."""
    port, over = free_port(), threading.Event()
    app = start_app(tmp_path, "--model", "bundled", GRADIO_SERVER_NAME="0.0.0.0", GRADIO_SERVER_PORT=str(port))
    wait_until_up(app, f"http://127.0.0.1:{port}", tmp_path / "log.txt")
    assert f"http://0.0.0.0:{port}" in (tmp_path / "log.txt").read_text()

    def visit() -> None:
        page, data = Page(port), os.urandom(200_000)
        while not over.is_set():
            with suppress(OSError, HTTPException, Refused):
                page.upload(os.urandom(8) + data)

    visitors = [threading.Thread(target=visit) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    while len(uploads_below(tmp_path / "up")) < 50:
        assert app.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.05)
    app.terminate()
    assert app.wait() == 0
    over.set()
    for visitor in visitors:
        visitor.join()
    assert list((tmp_path / "up").iterdir()) == []
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("host", ["::1", "localhost", "127.0.0.1"])
def test_port_in_use_is_said(host):
    """On another address of this machine too, since Gradio would refuse it with a sentence about its own settings."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="give another --host or --port"):
        app_free_port(host, taken.getsockname()[1])
