"""Download weights: the real client of the hub against a small server on this machine, which knows one repository."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.hub import fetch_weights
from generator.model.checkpoint.troubles import Wanted, explain
from generator.protocol import Progress
from generator.variants import Variant
from tests.support.hub import COMMIT, LOGIN_PAGE, WANTED, Answer, Hub


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


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    return "hf_expired"


def refusal(source: str = "some/model") -> tuple[str, str]:
    with pytest.raises(WeightsUnavailable) as caught:
        fetch_weights(variant(source))
    return caught.value.data["why"], caught.value.data["remedy"]


def test_an_expired_token_is_named_though_the_model_is_public(hub: Hub, token: str) -> None:
    hub.refused_token = token
    why, remedy = refusal()
    assert why == "token" and "expired" in remedy and "settings/tokens" in remedy


def test_a_401_without_the_hubs_own_words_is_the_tokens_fault_only_if_one_was_sent(hub: Hub, token: str) -> None:
    hub.trouble = Answer(401)
    assert refusal()[0] == "token"


def test_a_401_without_a_token_is_a_repository_that_is_not_there_or_private(hub: Hub) -> None:
    """The negative control of the two above."""
    hub.trouble = Answer(401)
    assert refusal()[0] == "missing"


@pytest.mark.parametrize(
    ("trouble", "why", "says"),
    [
        (Answer(429), "busy", "429"),
        (Answer(429, headers={"Retry-After": "240"}), "busy", "after 4 min"),
        (Answer(500), "hub-down", "status.huggingface.co"),
        (Answer(503, LOGIN_PAGE), "hub-down", "nothing is wrong here"),
        (Answer(403), "token", "firewall"),
        (Answer(407), "proxy", "HTTPS_PROXY"),
        (Answer(404), "missing", "Correct the variant's `source`"),
        (Answer(418), "hub", "418"),
        (Answer(200, LOGIN_PAGE), "endpoint", "HF_ENDPOINT"),
        (Answer(302, b"", {"Location": "/login"}), "offline", "HF_ENDPOINT"),
    ],
)
def test_each_trouble_of_the_hub_has_its_word_and_its_remedy(hub: Hub, trouble: Answer, why: str, says: str) -> None:
    hub.trouble = trouble
    found, remedy = refusal()
    assert (found, says in remedy) == (why, True), remedy


def test_a_page_in_place_of_the_usual_hub_is_a_network_that_wants_a_login() -> None:
    error = json.JSONDecodeError("Expecting value", LOGIN_PAGE.decode(), 0)
    why, remedy = explain(error, Wanted("some/model", None))
    assert why == "portal" and "login in a browser" in remedy


def test_a_revision_that_is_not_there_is_named(hub: Hub) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        fetch_weights(replace(variant(), revision="f" * 40))
    assert caught.value.data["why"] == "missing" and "revision" in caught.value.data["remedy"]


@pytest.mark.parametrize(
    "endpoint",
    ["huggingface.co", "ftp://huggingface.co", "http://", "htps://hf-mirror.com", "https://hf.co:abc", "http://[::1"],
)
def test_an_endpoint_that_is_no_address_is_told_before_anything_is_asked(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    why, remedy = refusal()
    assert why == "endpoint" and endpoint in remedy and hub.asked == []


def test_an_endpoint_where_nobody_answers_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    why, remedy = refusal()
    assert why == "offline" and "HF_ENDPOINT" in remedy


def test_offline_mode_is_named_where_it_is_set(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    why, remedy = refusal()
    assert why == "offline" and "HF_HUB_OFFLINE" in remedy and hub.asked == []


def test_a_cache_that_cannot_be_written_names_its_folder(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    why, remedy = refusal()
    assert why == "cache" and str(tmp_path / "file") in remedy and "HF_HOME" in remedy


def test_a_disk_without_room_for_the_whole_is_told_before_the_download(hub: Hub) -> None:
    hub.sizes["unet/model.fp16.safetensors"] = 2**60
    why, remedy = refusal()
    assert why == "disk-full" and "HF_HOME" in remedy
    assert not any("resolve" in path for path in hub.asked)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk-full"),
        (RuntimeError("Data processing error: I/O error: No space left on device (os error 28)"), "disk-full"),
        (OSError(errno.EFBIG, "File too large"), "cache"),
        (PermissionError(errno.EACCES, "Permission denied", "/cache/models--a"), "cache"),
        (OSError(errno.EROFS, "Read-only file system", "/cache/models--a"), "cache"),
        (OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), "certificate"),
        (ConnectionRefusedError(111, "Connection refused"), "offline"),
        (TimeoutError("timed out"), "offline"),
        (ValueError("something new"), "hub"),
    ],
)
def test_an_error_beneath_another_is_what_counts(error: Exception, why: str) -> None:
    try:
        raise RuntimeError("the download failed") from error
    except RuntimeError as outer:
        assert explain(outer, Wanted("some/model", None))[0] == why


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("https://huggingface.co/some/model/tree/main", "some/model"),
        ("some/model/unet", "owner/name"),
        ("my model", "owner/name"),
        ("~/nowhere", "no folder"),
        ("./nowhere", "no folder"),
    ],
)
def test_a_source_that_is_no_repository_is_told(hub: Hub, source: str, says: str) -> None:
    why, remedy = refusal(source)
    assert why == "missing" and says in remedy


@pytest.mark.parametrize("answers", [False, True], ids=["nobody listens", "it takes the call and says nothing"])
def test_content_whose_storage_is_out_of_reach_comes_from_the_hub_itself(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("generator.model.checkpoint.hub.STALL_SECONDS", 1.0)
    with socket.socket() as storage:
        storage.bind(("127.0.0.1", 0))
        if answers:
            storage.listen()
        hub.storage = f"http://127.0.0.1:{storage.getsockname()[1]}"
        assert names_in(fetch_weights(variant())) == WANTED.keys()
    assert "/storage-token" in hub.asked, "the storage protocol was tried first"


def test_a_hub_that_stops_in_the_middle_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generator.model.checkpoint.hub.STALL_SECONDS", 0.5)
    hub.stops_after = 1000
    why, remedy = refusal()
    assert why == "stalled" and "stood still" in remedy
    hub.stops_after = None
    assert names_in(fetch_weights(variant())) == WANTED.keys()


def test_a_download_tells_how_far_it_is(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generator.model.checkpoint.hub.LOOK_SECONDS", 0.02)
    hub.files["unet/model.fp16.safetensors"] = b"half" * 1_000_000
    hub.slow_seconds = 0.05
    seen: list[Progress] = []
    fetch_weights(variant(), on_progress=seen.append)
    percents = [progress.step for progress in seen]
    assert percents == sorted(percents) and len(percents) > 1 and {progress.of for progress in seen} == {100}


@pytest.mark.parametrize(
    "shards",
    [
        ["unet/model-00001-of-00002.safetensors", "unet/model-00002-of-00002.safetensors"],
        ["unet/model.fp16-00001-of-00002.safetensors", "unet/model.fp16-00002-of-00002.safetensors"],
        ["unet/model-00001-of-00002.fp16.safetensors", "unet/model-00002-of-00002.fp16.safetensors"],
    ],
)
def test_a_download_of_shards_that_was_interrupted_goes_on(hub: Hub, shards: list[str]) -> None:
    hub.files = {name: body for name, body in WANTED.items() if "unet/model" not in name}
    hub.files |= dict.fromkeys(shards, b"part")
    folder = fetch_weights(variant())
    asked = len(hub.asked)
    assert fetch_weights(variant()) == folder and len(hub.asked) == asked
    (folder / shards[1]).unlink()  # as if the first download had ended before it
    assert fetch_weights(variant()) == folder
    assert (folder / shards[1]).read_bytes() == b"part"


def test_a_download_ends_with_the_process_that_waits_for_it(hub: Hub, tmp_path: Path) -> None:
    hub.stops_after = 1000
    script = "from generator.model.checkpoint.hub import fetch_weights\nfrom generator.variants import Variant\n"
    script += f"fetch_weights(Variant(name='test', source='some/model', revision='{COMMIT}', frames=25))\n"
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as waiting:
        while not any("/resolve/" in path for path in hub.asked):
            assert waiting.poll() is None
            time.sleep(0.02)
        (child,) = psutil.Process(waiting.pid).children()
        waiting.kill()
    assert psutil.wait_procs([child], 10)[1] == []
