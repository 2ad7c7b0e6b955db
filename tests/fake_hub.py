"""A hub on this machine: as much of its HTTP interface as pushing and fetching a model takes, kept in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN = "hf_of_the_tests"


@dataclass
class FakeHub:
    """Where it is, and what it has: files by repository, and whether that is private."""

    address: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)

    def commit_of(self, repository: str) -> str:
        content = sorted((name, hashlib.sha1(data).hexdigest()) for name, data in self.files[repository].items())
        return hashlib.sha1(json.dumps(content).encode()).hexdigest()


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/api/validate-yaml":
                head = yaml.safe_load(json.loads(body)["content"].split("---")[1])
                wrong = [] if isinstance(head.get("license"), str) else [{"message": '"license" is missing'}]
                return self.say({"errors": wrong, "warnings": []}, status=400 if wrong else 200)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.say({"error": "Invalid credentials in Authorization header"}, status=401)
            match self.path.split("?")[0].strip("/").split("/"):
                case ["api", "repos", "create"]:
                    asked = json.loads(body)
                    owner = asked.get("organization") or "me"
                    name = asked["name"] if "/" in asked["name"] else f"{owner}/{asked['name']}"
                    if name in hub.files:
                        return self.say({"error": "You already created this model repo"}, status=409)
                    hub.files[name] = {}
                    hub.private[name] = asked.get("visibility") == "private" or bool(asked.get("private"))
                    return self.say({"url": f"{hub.address}/{name}", "id": name, "name": name})
                case ["api", "models", owner, name, "preupload", _]:
                    asked = json.loads(body)["files"]
                    modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
                    return self.say({"files": modes})
                case ["api", "models", owner, name, "commit", _]:
                    for line in body.splitlines():
                        operation = json.loads(line)
                        if operation["key"] == "file":
                            value = operation["value"]
                            hub.files[f"{owner}/{name}"][value["path"]] = base64.b64decode(value["content"])
                    oid = hub.commit_of(f"{owner}/{name}")
                    url = f"{hub.address}/{owner}/{name}/commit/{oid}"
                    return self.say({"commitUrl": url, "commitOid": oid, "success": True})
            return self.say({"error": f"no POST {self.path}"}, status=404)

        def do_GET(self) -> None:
            self.find(with_body=True)

        def do_HEAD(self) -> None:
            self.find(with_body=False)

        def find(self, *, with_body: bool) -> None:
            match self.path.split("?")[0].strip("/").split("/"):
                case ["api", "models", owner, name, *rest] if f"{owner}/{name}" in hub.files:
                    repository = f"{owner}/{name}"
                    files = hub.files[repository]
                    if rest[:1] == ["tree"]:
                        return self.say(
                            [
                                {"type": "file", "path": p, "size": len(d), "oid": hashlib.sha1(d).hexdigest()}
                                for p, d in files.items()
                            ]
                        )
                    siblings = [{"rfilename": path} for path in files]
                    return self.say({"id": repository, "sha": hub.commit_of(repository), "siblings": siblings})
                case [owner, name, "resolve", _, path] if path in hub.files.get(f"{owner}/{name}", {}):
                    data = hub.files[f"{owner}/{name}"][path]
                    self.send_response(200)
                    self.send_header("X-Repo-Commit", hub.commit_of(f"{owner}/{name}"))
                    self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    if with_body:
                        self.wfile.write(data)
                    return None
            return self.say({"error": "Repository not found"}, status=404)

        def say(self, content: Any, *, status: int = 200) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
