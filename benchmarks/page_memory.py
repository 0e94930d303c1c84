"""Resident memory of the page over images given by one visitor after the other, as a browser gives them.

    python benchmarks/page_memory.py [--images 200]

Starts `python app.py --model bundled`, sends JPEGs of mixed sizes through Gradio's own queue, each from a new visitor
who leaves the page open, and reads the program's memory (Linux).
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PORT = 7899


def call(path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/gradio_api/{path}", body, {"Content-Type": content_type})
    return urllib.request.urlopen(request, timeout=120).read()


def upload(data: bytes) -> dict:
    head = b"--x\r\nContent-Disposition: form-data; name=files; filename=image.jpg\r\n\r\n"
    (path,) = json.loads(call("upload", head + data + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"))
    return {"path": path, "orig_name": "image.jpg", "meta": {"_type": "gradio.FileData"}}


def check(data: bytes, visitor: str) -> None:
    """What the browser does when an image is dropped; the page's first event."""
    event = {"data": [upload(data), "cam", 0.7], "fn_index": 0, "session_hash": visitor}
    call("queue/join", json.dumps(event).encode())
    answer = call(f"queue/data?session_hash={visitor}").decode()
    if '"success":true' not in answer.replace(" ", "") or "sentence" not in answer:
        raise RuntimeError(f"The page did not answer: {answer[-500:]}")


def resident_mb(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=200)
    options = parser.parse_args()
    picture = Image.open(ROOT / "examples" / "astronaut.png").convert("RGB")
    app = subprocess.Popen([sys.executable, ROOT / "app.py", "--model", "bundled", "--port", str(PORT)])
    try:
        for _ in range(300):
            time.sleep(0.2)
            try:
                call("info")
                break
            except OSError:
                continue
        memory, seconds = [], []
        for i in range(options.images):
            buffer = io.BytesIO()
            side = 256 + 64 * (i % 28)  # up to 4 megapixels
            picture.resize((side, side)).save(buffer, "JPEG", quality=90)
            start = time.perf_counter()
            check(buffer.getvalue(), f"visitor{i}")
            seconds.append(time.perf_counter() - start)
            if (i + 1) % (options.images // 4) == 0:
                memory.append(round(resident_mb(app.pid)))
        print(f"resident memory after each quarter of {options.images} images: {memory} MB")
        print(f"median of an answer, upload and overlay included: {statistics.median(seconds) * 1000:.0f} ms")
    finally:
        app.terminate()
        app.wait()


if __name__ == "__main__":
    main()
