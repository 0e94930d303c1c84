"""`python app.py` in a process of its own."""

import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from deploy.space import free_port
from tests.forked import ROOT, Forked

NO_HUB = "http://127.0.0.1:9"  # nobody listens there


def start_app(folder: Path, *arguments: str, hub: str = NO_HUB, **environment: str) -> subprocess.Popen:
    """`python app.py`, from a foreign folder; its log is in folder/log.txt, its uploads below folder/up."""
    with (folder / "log.txt").open("w") as output:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), *arguments],
            stdout=output, stderr=output, env=os.environ | settings(folder, hub) | environment, cwd=folder,
        )  # fmt: skip


def settings(folder: Path, hub: str) -> dict[str, str]:
    return {"HF_ENDPOINT": hub, "HF_HOME": str(folder / "hub"), "GRADIO_TEMP_DIR": str(folder / "up")}


def resident(process: int | str = "self") -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_until_up(app: subprocess.Popen | Forked, address: str, log: Path) -> None:
    while True:
        assert app.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)


@contextmanager
def running_app(folder: Path, hub: str, *arguments: str):
    """The address of `python app.py`, from when it is up."""
    port = free_port()
    log = folder / "log.txt"
    app = Forked("app", "--port", port, *arguments, cwd=folder, out=log, **settings(folder, hub))
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_up(app, address, log)
        yield address
    finally:
        app.terminate()
        app.wait()
