"""A folder that is a Hugging Face Space, whole, and the proof that it starts:

    python -m deploy.space OUT        # or: make space

Lays out what a Space needs and no more; checks sizes, front matter and requirements against what the Space's builder
adds; then installs those in a new virtual environment, starts the page from that folder alone, as on cpu-basic and as
on ZeroGPU, and asks it about a picture. (https://huggingface.co/docs/hub/spaces-config-reference, .../spaces-zerogpu)
"""

import argparse
import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PARTS = ("app.py", "LICENSE", "README.md", "requirements.txt", "detector", "docs", "examples", "ui")
MADE = ("__pycache__", "*.pyi")  # by Python and by Gradio, as the page runs
LFS = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
MOST = 40e6  # bytes of the whole folder
LARGEST = 10 * 2**20  # bytes of a file that is no LFS file
SHORT = 60  # characters of the short description
KEYS = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "short_description",
    "license", "models", "preload_from_hub", "tags", "suggested_hardware",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
PYTHONS = {"3.10", "3.12"}  # that ZeroGPU has
ADDED = ("gradio[oauth,mcp]=={version}", "uvicorn", "websockets", "spaces")  # by the builder, beside requirements.txt
PICTURE = "examples/rocket.jpg"
PATIENCE = 180  # seconds until the page is up


def lay_out(out: Path) -> None:
    """Copy PARTS to `out`. Raises FileExistsError if there is something in `out` already."""
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; give another folder.")
    out.mkdir(parents=True, exist_ok=True)
    for part in (ROOT / name for name in PARTS):
        if part.is_dir():
            shutil.copytree(part, out / part.name, ignore=shutil.ignore_patterns(*MADE))
        else:
            shutil.copy2(part, out)
    (out / ".gitattributes").write_text(LFS)


def faults(folder: Path) -> list[str]:
    """What a Space would refuse or do wrong with `folder`, a sentence each."""
    found = []
    files = [path for path in folder.rglob("*") if path.is_file()]
    if (size := sum(path.stat().st_size for path in files)) > MOST:
        found.append(f"The folder has {size / 1e6:.1f} MB, more than {MOST / 1e6:.0f}.")
    for path in files:
        if path.stat().st_size > LARGEST and path.suffix != ".safetensors":
            found.append(f"{path.relative_to(folder)} is larger than 10 MiB and no LFS file.")
    front = yaml.safe_load((folder / "README.md").read_text("utf-8").split("---")[1])
    if unknown := set(front) - KEYS:
        found.append(f"The front matter has keys that no Space knows: {', '.join(sorted(unknown))}.")
    if front["sdk"] != "gradio" or not (folder / front["app_file"]).is_file():
        found.append("The front matter names no Gradio app that is there.")
    if len(front["short_description"]) > SHORT:
        found.append(f"The short description has more than {SHORT} characters.")
    if not {front["colorFrom"], front["colorTo"]} <= COLOURS:
        found.append(f"The colours are not among {', '.join(sorted(COLOURS))}.")
    if front["python_version"] not in PYTHONS:
        found.append(f"ZeroGPU has no Python {front['python_version']}.")
    return found + _clashes(folder, front["sdk_version"])


def required(folder: Path) -> list[Requirement]:
    lines = (folder / "requirements.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def _clashes(folder: Path, version: str) -> list[str]:
    """Where requirements.txt rules out what the builder adds."""
    ours = {one.name.lower(): one for one in required(folder)}
    found = []
    if str(ours["gradio"].specifier) != f"=={version}":
        found.append(f"requirements.txt has {ours['gradio']}, and the front matter {version}.")
    if "pydantic" in ours and not ours["pydantic"].specifier.contains("2.12.5"):  # the newest that gradio[mcp] takes
        found.append(f"requirements.txt has {ours['pydantic']}, which gradio's mcp extra does not take.")
    return found


def environment(folder: Path, place: Path) -> Path:
    """The Python of a new virtual environment in `place` with what the builder of a Space installs for `folder`."""
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    version = next(one for one in required(folder) if one.name == "gradio").specifier
    added = [name.format(version=str(version).lstrip("=")) for name in ADDED]
    command = [python, "-m", "pip", "install", "-q", "-r", folder / "requirements.txt", *added]
    subprocess.run(command, check=True)
    return python


@contextmanager
def device_api():
    """What a function on ZeroGPU asks for a device: its address, and the paths that were posted to."""
    posted = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answer(folder: Path, python: Path, zero_gpu: bool, **settings: str) -> dict:
    """What the page in `folder` answers to a picture when `python` starts it as a Space does, on ZeroGPU or not.

    Raises RuntimeError, with its log, if it does not start, or if ZeroGPU would end it for want of a function of its.
    """
    from gradio_client import Client, handle_file

    port = str(free_port())
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home, device_api() as (api, posted), (Path(home) / "log").open("w+") as log:
        on_zero = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": api} if zero_gpu else {}
        space = {"SPACE_ID": "owner/name", "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": port}
        keep = {name: os.environ[name] for name in ("PATH", "HF_ENDPOINT", "LD_LIBRARY_PATH") if name in os.environ}
        env = keep | {"HOME": home} | space | on_zero | settings
        app = subprocess.Popen([python, "app.py"], cwd=folder, env=env, stdout=log, stderr=log)
        try:
            _wait_until_up(app, address)
            found = Client(address, verbose=False).predict(handle_file(folder / PICTURE), api_name="/predict")
        except Exception as error:  # whatever it is, the log says why
            log.seek(0)
            raise RuntimeError(f"The Space does not answer ({error}). Its log:\n{log.read()}") from error
        finally:
            app.terminate()
            app.wait()
        if zero_gpu and "/startup-report" not in posted:
            raise RuntimeError("ZeroGPU would end this Space: no function with @spaces.GPU was found as it started.")
    return found


def _wait_until_up(app: subprocess.Popen, address: str) -> None:
    start = time.monotonic()
    while app.poll() is None and time.monotonic() - start < PATIENCE:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("it ended" if app.poll() is not None else f"it was not up after {PATIENCE} seconds")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m deploy.space", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    out = parser.parse_args(arguments).out.resolve()
    try:
        lay_out(out)
    except FileExistsError as error:
        parser.error(str(error))
    if found := faults(out):
        sys.exit("\n".join(found))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB; sizes, front matter and requirements are as a Space wants them.", flush=True)
    with tempfile.TemporaryDirectory() as place:
        print("Installing what its builder installs; this takes minutes.", flush=True)
        python = environment(out, Path(place))
        for hardware, zero_gpu in (("cpu-basic", False), ("ZeroGPU", True)):
            print(f"As on {hardware} it answers {answer(out, python, zero_gpu)['label']} to {PICTURE}.", flush=True)
    print("hf upload spaces/OWNER/NAME", out, ".")


if __name__ == "__main__":
    main()
