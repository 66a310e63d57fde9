"""The doctor recommends the filter and the signatures, and says what is wrong with them before anybody notices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from bot.doctor.check import Status
from bot.doctor.trust import check_credentials, check_filter
from generator.picture.filter.model import INSTALL as INSTALL_FILTER
from generator.picture.filter.model import OPEN_NSFW, missing
from generator.video.credentials.keys import KeyFiles
from generator.video.credentials.manifest import INSTALL as INSTALL_CREDENTIALS
from generator.video.credentials.manifest import is_installed
from generator.video.credentials.signer import open_signer

needs_filter = pytest.mark.skipif(bool(missing(OPEN_NSFW)), reason=INSTALL_FILTER)
needs_credentials = pytest.mark.skipif(not is_installed(), reason=INSTALL_CREDENTIALS)


def config(folder: Path, **settings: Any) -> Config:
    values: dict[str, Any] = {"generator": {"variant": "demo"}, "data_dir": folder}
    return Config(**values | settings)


@needs_filter
async def test_the_filter_is_asked_about_a_picture(tmp_path: Path) -> None:
    [check] = await check_filter(config(tmp_path))
    assert check.status is Status.OK and "OpenNSFW guesses 0." in check.seen and "from 0.8 on" in check.seen


async def test_a_filter_that_is_not_installed_is_recommended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    [check] = await check_filter(config(tmp_path))
    assert check.status is Status.WARNING and INSTALL_FILTER in check.remedy


@needs_filter
@pytest.mark.parametrize("content", [None, b"no model"])
async def test_a_model_that_cannot_be_asked_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    model = tmp_path / "own.onnx"
    if content is not None:
        model.write_bytes(content)
    [check] = await check_filter(config(tmp_path, filter={"model": str(model)}))
    assert check.status is Status.PROBLEM and "own" in check.seen and "filter.model" in check.remedy


@needs_credentials
async def test_the_key_is_tried_and_its_certificate_s_end_is_told(tmp_path: Path) -> None:
    assert (await check_credentials(config(tmp_path)))[0].seen == "a key is made at the next start"
    files = KeyFiles.in_folder(tmp_path / "credentials")
    await open_signer(files, make=True)
    [check] = await check_credentials(config(tmp_path))
    assert check.status is Status.OK and "ends in 36" in check.seen
    other = KeyFiles.in_folder(tmp_path / "other")
    await open_signer(other, make=True)
    own = {"key": str(files.key), "certificate": str(other.certificates)}
    [mixed] = await check_credentials(config(tmp_path, credentials=own))
    assert mixed.status is Status.PROBLEM and "cannot sign" in mixed.seen
    [gone] = await check_credentials(config(tmp_path, credentials=own | {"key": str(tmp_path / "gone.pem")}))
    assert gone.status is Status.PROBLEM and "gone.pem" in gone.seen


async def test_clips_that_are_not_signed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [off] = await check_credentials(config(tmp_path, credentials={"sign": False}))
    assert off.status is Status.WARNING and "turned off" in off.seen
    monkeypatch.setitem(sys.modules, "c2pa", None)
    [absent] = await check_credentials(config(tmp_path))
    assert absent.status is Status.WARNING and INSTALL_CREDENTIALS in absent.remedy
