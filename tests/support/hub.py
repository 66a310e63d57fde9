"""A small hub of models on this machine that the real client of Hugging Face talks to, and the trouble it can be in."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WANTED = {
    "model_index.json": b"{}",
    "scheduler/scheduler_config.json": b"{}",
    **{f"{module}/config.json": b"{}" for module in ("unet", "vae", "image_encoder")},
    **{f"{module}/model.fp16.safetensors": b"half" * 1000 for module in ("unet", "vae", "image_encoder")},
}
UNWANTED = {
    "svd_xt.safetensors": b"all modules in one file, which is not used",
    "unet/model.safetensors": b"single precision, twice the size",
    "unet/model.bin": b"pickled, which can run code",
    "README.md": b"words",
}
LOGIN_PAGE = b"<!DOCTYPE html><html><body>Welcome to the hotel. Please log in.</body></html>"


@dataclass(frozen=True)
class Answer:
    """What the hub says to everything instead of its own answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Hub(ThreadingHTTPServer):
    """Serves `files` of some/model; refuses some/gated; breaks off after `breaks_after` bytes of a file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = WANTED | UNWANTED
        self.asked: list[str] = []
        self.breaks_after: int | None = None
        self.trouble: Answer | None = None
        self.refused_token: str | None = None
        """a token that has expired: every request with it gets 401, the public model's as well"""
        self.storage: str | None = None
        """where the content lies that is fetched by the storage protocol; None: the hub gives it itself"""
        self.sizes: dict[str, int] = {}
        """what is said of a file's size in place of the truth"""
        self.stops_after: int | None = None
        """the bytes of a file after which nothing more is sent, though the line stays open"""
        self.gated: str | bool = False
        """whether some/model shows its list to everybody and its files to those who accepted its licence"""
        self.slow_seconds = 0.0
        """a pause after each 256 KiB"""
        self.closed = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        hub = self.server
        hub.asked.append(path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if hub.trouble is not None:
            self._answer(hub.trouble.status, hub.trouble.body, hub.trouble.headers)
        elif hub.refused_token and token == hub.refused_token:
            self._answer(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif "some/gated" in path:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif path in (f"/api/models/some/model{end}" for end in ("", "/revision/main", f"/revision/{COMMIT}")):
            siblings = [{"rfilename": name, "size": hub.sizes.get(name, len(body))} for name, body in hub.files.items()]
            facts = {"id": "some/model", "sha": COMMIT, "siblings": siblings, "gated": hub.gated}
            self._answer(200, json.dumps(facts).encode())
        elif path == "/api/models/some/model/auth-check":
            self._answer(403 if hub.gated else 200, b"", {"X-Error-Code": "GatedRepo"} if hub.gated else {})
        elif path == f"/api/models/some/model/tree/{COMMIT}":
            self._answer(200, json.dumps([_entry(name, body) for name, body in hub.files.items()]).encode())
        elif path.startswith(f"/some/model/resolve/{COMMIT}/"):
            self._file(path.removeprefix(f"/some/model/resolve/{COMMIT}/"))
        elif path == "/storage-token":
            place = {
                "X-Xet-Cas-Url": str(hub.storage),
                "X-Xet-Access-Token": "x",
                "X-Xet-Token-Expiration": "9999999999",
            }
            self._answer(200, b"", place)
        elif path.startswith("/api/models/some/model/revision/"):
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _file(self, name: str) -> None:
        headers = {"X-Repo-Commit": COMMIT}
        if self.server.storage and name.endswith(".safetensors"):
            headers |= {"X-Xet-Hash": "ab" * 32, "X-Xet-Refresh-Route": f"{self.server.url}/storage-token"}
        self._answer(200, self.server.files[name], headers, self.server.breaks_after)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, most: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self._send(body[:most])

    def _send(self, body: bytes) -> None:
        hub = self.server
        is_file = "/resolve/" in self.path
        for start in range(0, len(body), 2**18):
            self.wfile.write(body[start : start + 2**18][: hub.stops_after if is_file else None])
            if is_file and hub.stops_after is not None:
                hub.closed.wait(60)
            if is_file and hub.slow_seconds:
                hub.closed.wait(hub.slow_seconds)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _entry(name: str, body: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}


@contextmanager
def running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield hub
        finally:
            hub.closed.set()
            hub.shutdown()
