"""`python app.py` in a process of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
NO_HUB = "http://127.0.0.1:9"  # nobody listens there


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running_app(folder: Path, hub: str, *arguments: str):
    """The address of `python app.py`, in a process of its own, from a foreign folder; its log is in folder/log.txt."""
    port = free_port()
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HOME": str(folder / "hub"),
        "GRADIO_TEMP_DIR": str(folder / "up"),
    }
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), *arguments]
    with (folder / "log.txt").open("w") as output:
        app = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                assert app.poll() is None, (folder / "log.txt").read_text()
                try:
                    urllib.request.urlopen(address, timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            app.terminate()
            app.wait()
