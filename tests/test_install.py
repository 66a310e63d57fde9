"""What is installed where: the choice of torch's package index, and pip against an index that has one stub of torch."""

from __future__ import annotations

import base64
import hashlib
import http.server
import re
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts.install import CPU_INDEX, Installation, Torch, choose_torch, describe

MAKEFILE = (Path(__file__).parents[1] / "Makefile").read_text()


def test_without_an_nvidia_card_linux_gets_the_torch_for_the_cpu() -> None:
    assert choose_torch({}, "Linux", nvidia=False).index == CPU_INDEX
    assert choose_torch({}, "Linux", nvidia=True).index is None
    assert choose_torch({}, "Darwin", nvidia=False).index is None


def test_the_environment_names_another_index() -> None:
    own = "https://example.com/simple"
    assert choose_torch({"TORCH_INDEX": own}, "Linux", nvidia=True).index == own
    assert choose_torch({"TORCH_INDEX": "default"}, "Linux", nvidia=False).index is None
    assert choose_torch({"PIP_INDEX_URL": own}, "Linux", nvidia=False).index is None
    both = {"TORCH_INDEX": own, "PIP_INDEX_URL": "https://example.com/other"}
    assert choose_torch(both, "Linux", nvidia=False).index == own


def test_the_demo_is_installed_without_the_tests_tools() -> None:
    assert re.search(r"^demo: \.venv/\.demo$", MAKEFILE, re.MULTILINE)
    assert "scripts.install demo" in MAKEFILE


def test_the_parts_and_their_times_are_told() -> None:
    assert describe({"virtual environment": 2.6, "torch": 61.2}) == "virtual environment 3 s, torch 61 s"


@pytest.fixture
def stub_index(tmp_path: Path) -> Iterator[str]:
    """A package index with one file, an empty torch, as PyTorch's index for the CPU names its own."""
    folder = tmp_path / "index" / "torch"
    folder.mkdir(parents=True)
    name, info = "torch-2.99.0+cpu-py3-none-any.whl", "torch-2.99.0+cpu.dist-info"
    files = {
        "torch/__init__.py": b"",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: torch\nVersion: 2.99.0+cpu\nRequires-Dist: sympy\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path, data in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}).items():
            wheel.writestr(path, data)
    (folder / "index.html").write_text(f'<a href="{name.replace("+", "%2B")}">{name}</a>')
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_torch_comes_alone_from_the_index_that_was_chosen(
    stub_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    (tmp_path / "constraints.txt").write_text("torch==2.99.0\n")
    work = Installation(Path(sys.executable), tmp_path / "constraints.txt")
    target = tmp_path / "packages"
    assert work.torch(Torch(stub_index, "This is a test."), "--target", str(target))
    assert work.small
    assert sorted(path.name for path in target.iterdir()) == ["torch", "torch-2.99.0+cpu.dist-info"]
    assert "This is a test." in capfd.readouterr().out
    assert work.seconds["torch"] > 0


def test_an_index_that_does_not_answer_is_left_for_pips_own(
    stub_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", stub_index)
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    (tmp_path / "constraints.txt").write_text("")
    work = Installation(Path(sys.executable), tmp_path / "constraints.txt")
    assert work.torch(Torch("http://127.0.0.1:9", "This is a test."), "--target", str(tmp_path / "packages"))
    assert not work.small
    assert "http://127.0.0.1:9 does not answer" in capfd.readouterr().out
