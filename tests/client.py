"""A page, and requests to it as a browser sends them; for tests and benchmarks."""

import http.client
import json
import threading
from collections.abc import Callable
from functools import partial


class Page:
    """A page, and requests to it as a browser sends them."""

    def __init__(self, port: int):
        self.port = port
        self.config = json.loads(self.request("GET", "/config"))

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Refused(f"{answer.status} {content[:200]!r}")
        return content

    def door(self, name: str, question: object) -> dict:
        """What the page's own door `name` (ui.shared) answers. Raises Refused."""
        sent = json.dumps({"data": [question]}).encode()
        return json.loads(self.request("POST", f"/gradio_api/run/{name}", sent))["data"][0]

    def upload(self, data: bytes) -> str:
        """Where the server put it. Raises Refused."""
        head = b"--x\r\nContent-Disposition: form-data; name=files; filename=image.jpg\r\n\r\n"
        sent = self.request(
            "POST", "/gradio_api/upload", head + data + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
        )
        return json.loads(sent)[0]

    def ask(self, data: bytes, visitor: str, api_name: str | None = None) -> dict:
        """Upload an image and wait for the answer: of the page, or of the endpoint `api_name`. Raises Refused."""
        image = {"path": self.upload(data), "orig_name": "image.jpg", "meta": {"_type": "gradio.FileData"}}
        event = {"data": [image if api_name else {"turn": 1, "file": image}], "session_hash": visitor, "fn_index": 0}
        if api_name:
            names = [dependency["api_name"] for dependency in self.config["dependencies"]]
            event["fn_index"] = names.index(api_name)
        self.request("POST", "/gradio_api/queue/join", json.dumps(event).encode())
        stream = self.request("GET", f"/gradio_api/queue/data?session_hash={visitor}").decode()
        last = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
        done = next(message for message in last if message["msg"] == "process_completed")
        if not done["success"] or (not api_name and '"who"' not in json.dumps(done["output"])):
            raise Refused(json.dumps(done)[:300])
        return done["output"]


def crowd(page: Page, data: bytes, people: int) -> list[str]:
    """That many people give an image at the same moment: what each of those who got no answer was told."""
    refusals = []

    def visit(name: str) -> None:
        try:
            page.ask(data, name)
        except Refused as error:
            refusals.append(str(error))

    at_once([partial(visit, f"visitor{i}") for i in range(people)])
    return refusals


def at_once(actions: list[Callable]) -> None:
    """Each in a thread of its own; returns when all are done."""
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Refused(RuntimeError):
    """The page did not answer."""
