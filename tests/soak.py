"""The page under a crowd of which some hang up midway, send slowly, send broken files, ask for what is not theirs.

    python -m tests.soak --minutes 10 --people 64        # make soak

Nothing may be lost, get stuck or grow: everybody is answered or told that the page is busy, whoever comes afterwards is
answered at once, and the log holds no traceback.
"""

import argparse
import http.client
import itertools
import random
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.space import free_port
from tests.broken import mutated, seeds
from tests.client import Page, Refused, at_once
from tests.running import NO_HUB, resident, start_app, wait_until_up

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURES = ("chelsea.png", "coffee.png", "rocket.jpg", "dalle_3.webp", "starry_night.jpg")
BUSY = re.compile(r"busy|Too many people|queue is full", re.I)
FAULT = re.compile(r"Traceback|ERROR|[\w.]+(Error|Exception)\b")  # how a line of the log begins
MISBEHAVE = 4  # one of so many visits
AFTERWARDS = 20  # seconds within which who comes afterwards is answered
GROWTH = 100e6  # bytes that the page may be larger in the last third than in the second


@dataclass
class Found:
    became: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each answer
    memory: list[int] = field(default_factory=list)  # bytes, a second each
    afterwards: float = 0.0  # seconds of the last answer

    @property
    def growth(self) -> float:
        third = len(self.memory) // 3
        return statistics.median(self.memory[-third:]) - statistics.median(self.memory[third:-third])

    def table(self) -> str:
        cuts = statistics.quantiles(self.seconds, n=20)
        rows = [*self.became.most_common(), ("p50, p95 of an answer, s", f"{cuts[9]:.1f}, {cuts[-1]:.1f}")]
        rows += [("memory after each minute, MB", ", ".join(f"{size / 1e6:.0f}" for size in self.memory[59::60]))]
        rows += [("answer afterwards, s", f"{self.afterwards:.1f}"), ("growth, MB", f"{self.growth / 1e6:.0f}")]
        rows += [("faults", len(self.faults))]
        return "\n".join(f"| {name} | {value} |" for name, value in rows)


def answered(page: Page, visitor: str, number: int, api_name: str | None = None) -> str:
    """Somebody who wants an answer to a good picture."""
    try:
        page.ask(GOOD[number % len(GOOD)], visitor, api_name)
    except Refused as error:
        if BUSY.search(str(error)):
            return "told that the page is busy"
        raise
    return "answered"


def broken(page: Page, visitor: str, number: int) -> str:
    """A file that may be no picture: it is judged, or refused in a sentence."""
    try:
        page.ask(mutated(number, SEEDS)[: 2**22], visitor, "predict")
    except Refused as error:
        if not re.search(r'"error": "[^"]{20,}', str(error)):  # Gradio says null of what was no sentence of ours
            raise
        return "broken file refused"
    return "broken file judged"


def _begun(page: Page, sent: bytes, length: int) -> socket.socket:
    """A connection on which the first bytes of an upload have been sent."""
    connection = socket.create_connection(("127.0.0.1", page.port), timeout=60)
    head = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(head.encode() + sent)
    return connection


def hangs_up(page: Page, visitor: str, number: int) -> str:
    """In the middle of an upload."""
    with _begun(page, FORM[: len(FORM) // 2], len(FORM)) as connection:
        connection.shutdown(socket.SHUT_WR) if number % 2 else None
    return "hung up while sending"


def slow(page: Page, visitor: str, number: int) -> str:
    """An upload in ten pieces, half a second apart: it arrives."""
    pieces = [FORM[i * len(FORM) // 10 : (i + 1) * len(FORM) // 10] for i in range(10)]
    with _begun(page, pieces[0], len(FORM)) as connection:
        for piece in pieces[1:]:
            time.sleep(0.5)
            connection.sendall(piece)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        if answer.status != 200:
            raise Refused(f"slow upload: {answer.status}")
    return "slow upload taken"


def leaves(page: Page, visitor: str, number: int) -> str:
    """Asks, and goes before the answer comes."""
    where = page.upload(GOOD[number % len(GOOD)])
    event = '{"data": [{"path": "%s", "meta": {"_type": "gradio.FileData"}}], "session_hash": "%s", "fn_index": %d}'
    names = [dependency["api_name"] for dependency in page.config["dependencies"]]
    try:
        page.request("POST", "/gradio_api/queue/join", (event % (where, visitor, names.index("predict"))).encode())
    except Refused as error:
        if BUSY.search(str(error)):
            return "told that the page is busy"
        raise
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    connection.request("GET", f"/gradio_api/queue/data?session_hash={visitor}")
    connection.getresponse().read(1)
    connection.close()
    return "left before the answer"


def intrudes(page: Page, visitor: str, number: int) -> str:
    """Asks for files that are none of theirs."""
    paths = (
        "/etc/passwd",
        "../../app.py",
        "/proc/self/environ",
        "http://127.0.0.1:9/",
        str(EXAMPLES.parent / "app.py"),
    )
    for route in ("/gradio_api/file=", "/file=", "/static/", "/gradio_api/stream/", "/assets/", "/theme.css/"):
        path = paths[number % len(paths)]
        try:
            said = page.request("GET", route + path)
        except Refused as error:
            if not re.match(r"(307|4\d\d) ", str(error)):
                raise
        else:
            if b"root:" in said or b"import gradio" in said or b"PATH=" in said:
                raise Refused(f"{route}{path} was served")
    return "asked for what is not theirs"


GOOD = [(EXAMPLES / name).read_bytes() for name in PICTURES]
FORM = b"--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n\r\n" + GOOD[0] + b"\r\n--x--\r\n"
SEEDS = seeds()
ODD = (broken, hangs_up, slow, leaves, intrudes)


def visit(page: Page, found: Found, numbers: itertools.count, end: float, lock: threading.Lock) -> None:
    """One person after the other, until the end."""
    while time.monotonic() < end:
        with lock:
            number = next(numbers)
        odd = number % MISBEHAVE == 0
        turn, kind = divmod(number // MISBEHAVE, len(ODD))
        does: Callable = ODD[kind] if odd else answered
        name, start = f"visitor-{number}-{random.random()}", time.monotonic()
        try:
            became = does(page, name, turn if odd else number)
            with lock:
                found.became[became] += 1
                if became == "answered":
                    found.seconds.append(time.monotonic() - start)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            with lock:
                found.faults.append(f"{does.__name__} {number}: {type(error).__name__}: {str(error)[:300]}")


def run(seconds: float, people: int, folder: Path) -> Found:
    found, lock = Found(), threading.Lock()
    port = free_port()
    app = start_app(folder, "--port", str(port), "--model", "bundled", hub=NO_HUB)
    log = folder / "log.txt"
    try:
        wait_until_up(app, f"http://127.0.0.1:{port}/config", log)
        page = Page(port)
        page.ask(GOOD[0], "first")  # the model is there
        end, numbers, left = time.monotonic() + seconds, itertools.count(), threading.Event()

        def weigh() -> None:
            while not left.wait(1):
                found.memory.append(resident(app.pid))

        threading.Thread(target=weigh, daemon=True).start()
        at_once([partial(visit, page, found, numbers, end, lock) for _ in range(people)])
        left.set()
        if app.poll() is not None:
            found.faults.append(f"the page has ended ({app.returncode})")
            return found
        start = time.monotonic()
        page.ask(GOOD[1], "afterwards")
        found.afterwards = time.monotonic() - start
    finally:
        app.terminate()
        app.wait(30)
    told = log.read_text()
    found.faults += [f"the log: {line}" for line in told.splitlines() if FAULT.match(line)][:20]
    found.faults += [f"left behind: {path}" for path in (folder / "up").rglob("*") if path.is_file()][:20]
    if found.afterwards > AFTERWARDS:
        found.faults.append(f"whoever came afterwards waited for {found.afterwards:.0f} s")
    if found.growth > GROWTH:
        found.faults.append(f"the page has grown by {found.growth / 1e6:.0f} MB")
    return found


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--people", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(options.minutes * 60, options.people, Path(folder))
    print(found.table())
    print("\n".join(found.faults) or "no faults")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
