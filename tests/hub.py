"""A Hugging Face Hub small enough to misbehave on demand: HEAD and GET of /{repo}/resolve/{revision}/{file}."""

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`files` maps (repo, file) to bytes, `renamed` a repository to its new name; `asked` logs the requests.

    `mood` is fine, redirect, truncated, error or silent.
    """

    def __init__(self):
        self.reset()
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reset(self):
        self.files, self.mood, self.asked, self.renamed = {}, "fine", [], {}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        self.hub.asked.append((self.command, self.path))
        if self.hub.mood == "silent":
            time.sleep(60)
        if self.hub.mood == "error":
            return self.reply(500, {})
        moved = self.path.startswith("/cdn")
        owner, name, _, _, file = self.path.removeprefix("/cdn").strip("/").split("/", 4)
        repo = f"{owner}/{name}"
        if repo in self.hub.renamed:
            return self.reply(307, {"Location": self.path.replace(repo, self.hub.renamed[repo])})
        if repo not in {repo for repo, _ in self.hub.files}:
            return self.reply(404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        data = self.hub.files.get((repo, file))
        if data is None:
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        if self.hub.mood == "redirect" and not moved:  # large files lie on another server
            headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(data))}
            return self.reply(302, headers | {"Location": f"{self.hub.url}/cdn{self.path}"})
        self.reply(200, headers, data, body)

    def reply(self, status: int, headers: dict, data: bytes = b"", body: bool = False):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data[: len(data) // 2] if self.hub.mood == "truncated" else data)
            self.close_connection = True

    def log_message(self, *arguments):
        pass
