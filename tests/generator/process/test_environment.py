"""A child gets the variables that it needs, by name; what nobody thought of stays here."""

from __future__ import annotations

import pytest

from generator.process.environment import child_environment, model_environment


@pytest.mark.parametrize("name", ["PATH", "HOME", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "IMAGEIO_FFMPEG_EXE"])
def test_every_child_gets_what_it_needs_to_run(name: str) -> None:
    assert child_environment({name: "1"}) == model_environment({name: "1"}) == {name: "1"}


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN", "XDG_CACHE_HOME"),
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION"),
        *("PYTORCH_CUDA_ALLOC_CONF", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CC"),
        *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    ],
)
def test_only_the_executor_gets_what_the_hub_and_the_card_need(name: str) -> None:
    assert model_environment({name: "1"}) == {name: "1"}
    assert child_environment({name: "1"}) == {}


@pytest.mark.parametrize("name", ["VIVANT_TOKEN", "DISCORD_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"])
def test_no_child_gets_anything_else(name: str) -> None:
    assert child_environment({name: "1"}) == model_environment({name: "1"}) == {}
