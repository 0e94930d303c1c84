"""A Hugging Face Hub small enough to misbehave on demand: files of models and datasets, and uploads of models."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`files` maps (repo, file) to bytes; a dataset's repo begins with datasets/. `renamed` maps a repository to its
    new name, `asked` logs the requests, `token` is what an upload must carry. `push` keeps what was there under the
    commit that it had, and under `tags`.

    `mood` is fine, redirect, truncated, error or silent (until `speak` is set).
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
        self.commit, self.history, self.tags = COMMIT, {}, {}
        self.speak = threading.Event()
        self.stored = {}  # LFS: SHA-256 -> bytes
        self.token = "hf_test"

    def push(self, files: dict) -> str:
        """A new commit with these files in place of theirs; its number."""
        self.history[self.commit] = dict(self.files)
        self.files |= files
        self.commit = hashlib.sha1(self.commit.encode()).hexdigest()
        return self.commit

    def at(self, revision: str) -> tuple[str, dict] | None:
        """Commit and files of a branch, tag or commit."""
        commit = {"main": self.commit, **self.tags}.get(revision, revision)
        return (
            (commit, {**self.history, self.commit: self.files}[commit])
            if commit in {*self.history, self.commit}
            else None
        )


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        self.hub.asked.append((self.command, self.path))
        if self.hub.mood == "silent":
            self.hub.speak.wait(60)
        if self.hub.mood == "error":
            return self.reply(500, {})
        if self.path.startswith("/api/datasets/"):
            return self.dataset(self.path.split("?")[0].removeprefix("/api/"))
        if self.path.startswith("/api/models/"):
            repo = self.path.removeprefix("/api/models/")
            return self.json({"id": repo}) if repo in {repo for repo, _ in self.hub.files} else self.no_repo()
        moved = self.path.startswith("/cdn")
        owner, name, _, revision, file = (
            self.path.removeprefix("/cdn").removeprefix("/datasets").strip("/").split("/", 4)
        )
        repo = ("datasets/" if self.path.startswith("/datasets/") else "") + f"{owner}/{name}"
        if repo in self.hub.renamed:
            return self.reply(307, {"Location": self.path.replace(repo, self.hub.renamed[repo])})
        if repo not in {repo for repo, _ in self.hub.files}:
            return self.no_repo()
        found = self.hub.at(unquote(revision))
        if found is None:
            return self.reply(404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        commit, files = found
        data = files.get((repo, file))
        if data is None:
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        if self.hub.mood == "redirect" and not moved:  # large files lie on another server
            headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(data))}
            return self.reply(302, headers | {"Location": f"{self.hub.url}/cdn{self.path}"})
        self.reply(200, headers, data, body)

    def dataset(self, path: str):
        """What /api/datasets/{owner}/{name}[/revision/{revision} or /tree/{revision}] says."""
        parts = path.split("/")
        repo = "/".join(parts[:3])
        names = [file for owner, file in self.hub.files if owner == repo]
        if not names:
            return self.no_repo()
        if "tree" in parts[3:]:
            sizes = [(name, self.hub.files[repo, name]) for name in names]
            return self.json([{"type": "file", "path": n, "size": len(d), "oid": "0" * 40} for n, d in sizes])
        siblings = [{"rfilename": name} for name in names]
        self.json({"id": repo.removeprefix("datasets/"), "sha": COMMIT, "siblings": siblings, "tags": []})

    def do_POST(self):
        """An upload, as huggingface_hub makes it without Xet: create, validate, ask how, LFS batch, commit."""
        self.hub.asked.append((self.command, self.path))
        data = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Authorization"] != f"Bearer {self.hub.token}":
            return self.reply(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        if self.path == "/api/repos/create":
            found = json.loads(data)
            owner = found.get("organization") or "somebody"
            return self.json({"url": f"{self.hub.url}/{owner}/{found['name']}", "name": f"{owner}/{found['name']}"})
        if self.path == "/api/validate-yaml":
            return self.json({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [
                {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular",
                 "shouldIgnore": False} for f in json.loads(data)["files"]
            ]  # fmt: skip
            return self.json({"files": files})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(data)["objects"]
            actions = [o | {"actions": {"upload": {"href": f"{self.hub.url}/lfs/{o['oid']}"}}} for o in objects]
            return self.json({"transfer": "basic", "objects": actions})
        repo = self.path.removeprefix("/api/models/").split("/commit/")[0]
        for line in map(json.loads, data.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[repo, value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.files[repo, value["path"]] = self.hub.stored[value["oid"]]
        self.json({"success": True, "commitOid": COMMIT, "commitUrl": f"{self.hub.url}/{repo}/commit/{COMMIT}"})

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(data).hexdigest() == self.path.removeprefix("/lfs/")
        self.hub.stored[self.path.removeprefix("/lfs/")] = data
        self.reply(200, {})

    def no_repo(self):
        self.reply(404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

    def json(self, found):
        self.reply(200, {"Content-Type": "application/json"}, json.dumps(found).encode(), body=True)

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
