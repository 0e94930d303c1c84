"""The Dockerfile without an engine: what it copies; its command answers with no disk but /tmp and no network."""

import json
import os
import re
import subprocess
import sys

import pytest
from gradio_client import Client, handle_file

from deploy import space
from tests.conftest import EXAMPLES
from tests.forked import ROOT
from tests.running import free_port, wait_until_up

STEPS = [
    line.split(None, 1) for line in re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text()).splitlines()
    if line and not line.startswith("#")
]  # fmt: skip
# Refuses what a read-only file system and no network would: writes but to $ONLY and devices, and other hosts.
CONFINED = """\
import errno, os, sys
only = (os.environ["ONLY"] + os.sep, "/dev/", "/proc/")
changes = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate"}

def confine(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = (mode and set(mode) & set("wax+")) or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    elif event in changes:
        path, writes = arguments[0], True
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        if arguments[1][0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(errno.ENETUNREACH, f"Only this machine is there, not {arguments[1]}")
        return
    else:
        return
    if writes and isinstance(path, (str, bytes)) and not (os.path.abspath(os.fsdecode(path)) + os.sep).startswith(only):
        raise OSError(errno.EROFS, "Read-only file system", path)

sys.addaudithook(confine)
"""


def step(name: str) -> list[str]:
    return [arguments for word, arguments in STEPS if word == name]


def test_it_copies_what_the_page_needs_and_the_context_has_it():
    copied = {source for arguments in step("COPY") for source in arguments.split()[:-1]}
    assert copied == set(space.PARTS)
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[0] == "*"
    assert {name.removeprefix("!") for name in allowed if name.startswith("!")} == copied
    assert step("USER") == ["1000"]
    assert re.fullmatch(r"python:3\.1[0-3]-slim", *step("FROM"))
    assert [word for word, _ in STEPS].index("USER") > max(i for i, (word, _) in enumerate(STEPS) if word == "COPY")


def test_its_command_answers_with_no_disk_but_tmp_and_no_network(tmp_path, bundled):
    space.lay_out(tmp_path / "app")
    (tmp_path / "only").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CONFINED)
    port = str(free_port())
    settings = dict(pair.split("=") for pair in step("ENV")[0].split())
    assert settings["HF_HOME"].startswith("/tmp/")
    env = settings | {
        "HF_HOME": f"{tmp_path}/only/huggingface", "TMPDIR": f"{tmp_path}/only", "ONLY": f"{tmp_path}/only",
        "HOME": "/nowhere", "PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}/site",
        "PYTHONDONTWRITEBYTECODE": "1", "GRADIO_SERVER_NAME": "127.0.0.1",
    }  # fmt: skip
    command = json.loads(step("ENTRYPOINT")[0]) + json.loads(step("CMD")[0])
    assert command[0] == "python"
    command = [sys.executable] + [port if word == "7860" else word for word in command[1:]]
    check = [sys.executable, *json.loads(step("HEALTHCHECK")[0].partition("CMD ")[2])[1:]]
    check[-1] = check[-1].replace("7860", port)
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        app = subprocess.Popen(command, cwd=tmp_path / "app", env=env, stdout=output, stderr=output)
    try:
        wait_until_up(app, f"http://127.0.0.1:{port}", log)
        assert subprocess.run(check).returncode == 0
        found = Client(f"http://127.0.0.1:{port}", verbose=False).predict(
            handle_file(EXAMPLES / "rocket.jpg"), api_name="/predict"
        )
    finally:
        app.terminate()
        app.wait()
    (expected,) = bundled.predict([EXAMPLES / "rocket.jpg"])
    assert found["probs"] == pytest.approx(expected.probs, abs=0.01), log.read_text()
    assert "Traceback" not in log.read_text()
    assert subprocess.run(check, capture_output=True).returncode != 0  # nobody is there any more


def test_what_confines_it_does_so(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(CONFINED)
    no_disk, no_network = "Read-only file system", "Only this machine is there"
    tries = {
        "open('here', 'w')": no_disk, "__import__('os').mkdir('here')": no_disk,
        "__import__('pathlib').Path('here').touch()": no_disk,
        "__import__('socket').create_connection(('192.0.2.1', 80), 1)": no_network,
    }  # fmt: skip
    for code, refusal in tries.items():
        env = {"ONLY": str(tmp_path / "only"), "PYTHONPATH": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert refusal in done.stderr
