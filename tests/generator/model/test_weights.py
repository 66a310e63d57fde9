"""Download weights: the real client of the hub against a small server on this machine, which knows one repository."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from generator.errors import WeightsUnavailable
from generator.model.weights import fetch_weights
from generator.variants import Variant

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


class Hub(ThreadingHTTPServer):
    """Serves `files` of some/model; refuses some/gated; breaks off after `breaks_after` bytes of a file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = WANTED | UNWANTED
        self.asked: list[str] = []
        self.breaks_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if "some/gated" in path:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif path in (f"/api/models/some/model{end}" for end in ("", "/revision/main", f"/revision/{COMMIT}")):
            siblings = [{"rfilename": name} for name in self.server.files]
            self._answer(200, json.dumps({"id": "some/model", "sha": COMMIT, "siblings": siblings}).encode())
        elif path == f"/api/models/some/model/tree/{COMMIT}":
            entries = [
                {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                for name, body in self.server.files.items()
            ]
            self._answer(200, json.dumps(entries).encode())
        elif path.startswith(f"/some/model/resolve/{COMMIT}/"):
            name = path.removeprefix(f"/some/model/resolve/{COMMIT}/")
            self._answer(200, self.server.files[name], {"X-Repo-Commit": COMMIT}, self.server.breaks_after)
        else:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, most: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:most])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", running.url)
        template = "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE"
        monkeypatch.setattr(template, running.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        yield running
        running.shutdown()


def variant(source: str = "some/model") -> Variant:
    return Variant(name="test", source=source, revision=COMMIT, frames=25)


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_is_needed_is_downloaded_once_and_nothing_else(hub: Hub) -> None:
    folder = fetch_weights(variant())
    assert names_in(folder) == WANTED.keys()
    asked = len(hub.asked)
    assert fetch_weights(variant()) == folder
    assert len(hub.asked) == asked, "a finished download needs no hub"


def test_a_distilled_unet_of_its_own_repository_needs_no_hub_the_next_time(hub: Hub) -> None:
    hub.files = {"config.json": b"{}", "unet.safetensors": b"few calls"}
    turbo = replace(variant("some/other"), turbo=True, turbo_unet="some/model")
    folder = fetch_weights(turbo, "some/model")
    asked = len(hub.asked)
    assert fetch_weights(turbo, "some/model") == folder
    assert len(hub.asked) == asked


@pytest.mark.parametrize(("source", "why"), [("some/gated", "gated"), ("some/other", "missing")])
def test_a_repository_that_cannot_be_read_is_reported_with_its_remedy(hub: Hub, source: str, why: str) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        fetch_weights(variant(source))
    assert caught.value.data["why"] == why
    assert source in caught.value.data["remedy"]


def test_a_download_that_breaks_off_is_reported_as_offline_and_goes_on_the_next_time(hub: Hub) -> None:
    hub.breaks_after = 1000
    with pytest.raises(WeightsUnavailable) as caught:
        fetch_weights(variant())
    assert caught.value.data["why"] == "offline"
    hub.breaks_after = None
    assert names_in(fetch_weights(variant())) == WANTED.keys()
