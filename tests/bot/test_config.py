"""The configuration: every key has a place, and every mistake a sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.config import Config, ConfigError, load_config
from generator.variants import BUILT_IN

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_the_example_lists_every_key_with_its_default(tmp_path: Path) -> None:
    example = (ROOT / "config.example.toml").read_text()
    loaded = load_config(write(tmp_path, example))
    assert loaded == load_config(write(tmp_path, ""))
    sections = tomllib.loads(example)
    hidden = {"proxy", "privacy_url", "variants"}
    assert set(Config.model_fields) - set(sections) == hidden
    for name in ("queue", "picture", "generator", "retention"):
        section = Config.model_fields[name].annotation
        assert isinstance(section, type) and issubclass(section, BaseModel)
        fields = set(section.model_fields)
        assert fields - set(sections[name]) <= {"role_weights"}


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, 'token = "from-file"\n[generator]\nvariant = "svd"\ndevice = "cpu"\n')
    monkeypatch.setenv("VIVANT_TOKEN", "from-environment")
    monkeypatch.setenv("VIVANT_GENERATOR__VARIANT", "demo")
    config = load_config(path)
    assert config.token.get_secret_value() == "from-environment"
    assert config.generator.variant == "demo"
    assert config.generator.device == "cpu", "a section's other keys stay as the file says"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("tokn = 1", "no setting 'tokn'", id="unknown key"),
        pytest.param("[generator]\nstepps = 1", "no setting 'generator.stepps'", id="unknown key in a section"),
        pytest.param("[generator]\ndevice = 'gpu'", "generator.device", id="unknown device"),
        pytest.param("[generator]\nmemory = 'tiny'", "generator.memory", id="unknown memory plan"),
        pytest.param("[generator]\nvariant = 'svdxt'", "known variants are: demo, svd, svd-xt", id="unknown variant"),
        pytest.param("[generator]\ngpus = [0, -1]", "generator.gpus: list each GPU once", id="negative GPU"),
        pytest.param("[generator]\ngpus = [1, 1]", "generator.gpus: list each GPU once", id="one GPU twice"),
        pytest.param("[generator]\ndevice = 'cpu'\ngpus = [0, 1]", 'set device to "auto"', id="GPUs of a CPU"),
        pytest.param("[queue]\nmax_attempts = 0", "queue.max_attempts", id="out of range"),
        pytest.param("[queue.role_weights]\nvip = 2", "role ids are numbers", id="role by name"),
        pytest.param("token = ", "not valid TOML", id="broken file"),
    ],
)
def test_a_mistake_gets_a_sentence_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert says in str(caught.value)
    assert "config.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("VIVANT_GENERATOR__MEMORY", "6GB", "VIVANT_GENERATOR__MEMORY: generator.memory: memory must be"),
        ("VIVANT_GENERATOR__VARIANT", "svdxt", "environment: generator.variant is 'svdxt'"),
        ("VIVANT_OWNERS", "1,2", 'field "owners" from source "EnvSettingsSource". Lists are written as [1, 2]'),
    ],
)
def test_a_mistake_in_the_environment_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text", ["gpus = [1, 0]", "device = 'cuda'\ngpus = [0]", "device = 'cuda:1'", "device = 'cpu'"]
)
def test_devices_and_gpus_that_fit_are_taken(tmp_path: Path, text: str) -> None:
    wanted = tomllib.loads(text)
    generator = load_config(write(tmp_path, f"[generator]\n{text}")).generator
    assert generator.model_dump(include=set(wanted)) == wanted


def test_a_named_file_that_is_missing_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.example\.toml"):
        load_config(tmp_path / "none.toml")


def test_the_token_never_shows_in_a_print(tmp_path: Path) -> None:
    assert "secret-token" not in repr(load_config(write(tmp_path, 'token = "secret-token"')))


def test_own_variants_stand_beside_the_built_in_ones(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, '[variants.mine]\nsource = "/models/mine"\nframes = 14\n'))
    assert {"svd", "svd-xt", "demo", "mine"} <= set(config.all_variants())
    assert config.all_variants()["mine"].frames == 14


def test_a_built_in_variant_keeps_what_the_operator_does_not_change(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, '[variants.svd]\nsource = "/models/svd"\n'))
    svd = config.all_variants()["svd"]
    assert (svd.source, svd.revision) == ("/models/svd", None)
    assert (svd.frames, svd.licence) == (14, BUILT_IN["svd"].licence)


def test_a_variants_folder_may_be_named_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/olga")
    config = load_config(write(tmp_path, '[variants.mine]\nsource = "~/models/mine"\n'))
    assert config.all_variants()["mine"].source == "/home/olga/models/mine"
