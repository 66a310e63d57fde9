"""The configuration: every key has a place, and every mistake a sentence."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.config import Config, load_config
from bot.config.file import ConfigError
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
        obsolete = {key for key, field in section.model_fields.items() if field.exclude}
        assert fields - set(sections[name]) <= {"role_weights"} | obsolete


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
        pytest.param("metrics_address = 'here'", "metrics_address: value is not a valid IP", id="address"),
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
        ("VIVANT_GENERATOR__VARIANT", "svdxt", "VIVANT_GENERATOR__VARIANT: generator.variant is 'svdxt'"),
        ("VIVANT_OWNERS", "1,2", "VIVANT_OWNERS: owners: Lists are written as [1, 2]."),
        ("VIVANT_GENERATOR__GPUS", "0,1", "VIVANT_GENERATOR__GPUS: generator.gpus: Lists are written as [1, 2]."),
        ("VIVANT_QUEUE", "20", 'VIVANT_QUEUE: queue: Tables are written as [name] with keys below, or as {"key": 1}'),
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


SETTINGS = 'allowed_guilds = [7]\nprivacy_url = "https://example.org/für-alle"\n'
"""a letter beyond ASCII shows the encoding"""


def named(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("VIVANT_CONFIG", str(path))


def refusal() -> str:
    with pytest.raises(ConfigError) as caught:
        load_config()
    return str(caught.value)


def test_a_file_that_the_environment_names_and_that_is_missing_is_no_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named(monkeypatch, tmp_path / "conf" / "config.toml")
    assert "VIVANT_CONFIG" in refusal() and str(tmp_path / "conf") in refusal()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.toml").write_text(SETTINGS)
    assert load_config().allowed_guilds == {7}


def test_without_any_file_the_defaults_are_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: nobody named a file, or named the empty device."""
    monkeypatch.chdir(tmp_path)
    assert load_config().allowed_guilds == frozenset()
    named(monkeypatch, Path(os.devnull))
    assert load_config().allowed_guilds == frozenset()
    monkeypatch.setenv("VIVANT_CONFIG", "")
    assert load_config().allowed_guilds == frozenset()


@pytest.mark.parametrize("by", ["the usual name", "VIVANT_CONFIG", "--config"])
def test_a_folder_in_the_files_place_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").mkdir()
    if by == "VIVANT_CONFIG":
        named(monkeypatch, tmp_path / "config.toml")
    with pytest.raises(ConfigError, match=r"is a folder.*Docker"):
        load_config(tmp_path / "config.toml" if by == "--config" else None)


def test_a_file_in_a_folder_that_may_not_be_entered_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    named(monkeypatch, tmp_path / "config.toml")
    (tmp_path / "config.toml").touch()
    monkeypatch.setattr(Path, "lstat", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "may not be read" in refusal()


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").symlink_to(tmp_path / "gone.toml")
    assert "link to a file that is not there" in refusal()


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, SETTINGS)

    def refuse(self: Path) -> bytes:  # the tests may run as root, whom no permission stops
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"may not be read by the user that runs the bot .*chown or chmod"):
        load_config(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark", "utf-32"])
def test_an_encoding_with_a_mark_is_read(tmp_path: Path, encoding: str) -> None:
    text = f"\ufeff{SETTINGS}" if encoding.endswith("-mark") else SETTINGS
    path = tmp_path / "config.toml"
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding.removesuffix("-mark")))
    config = load_config(path)
    assert config.allowed_guilds == {7}
    assert config.privacy_url == "https://example.org/für-alle"


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("cp1252", r"Windows-1252 \(ANSI\): line 2.*UTF-8"),
        ("utf-16-le", "UTF-16.*UTF-8"),
        ("utf-16-be", "UTF-16.*UTF-8"),
    ],
)
def test_an_encoding_without_a_mark_is_named(tmp_path: Path, encoding: str, says: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(SETTINGS.replace("für", "fur" if encoding != "cp1252" else "für").encode(encoding))
    with pytest.raises(ConfigError, match=says):
        load_config(path)


def test_home_is_meant_by_a_tilde_in_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, 'data_dir = "~/data"\n[variants.mine]\nsource = "~/m"\nturbo_unet = "~/t"\n')
    for config in (load_config(Path("~/config.toml")), _load_named(monkeypatch, "~/config.toml")):
        mine = config.all_variants()["mine"]
        found = (config.data_dir, mine.source, mine.turbo_unet)
        assert found == (tmp_path / "data", f"{tmp_path}/m", f"{tmp_path}/t")
    monkeypatch.setenv("VIVANT_DATA_DIR", "~/other")
    assert load_config().data_dir == tmp_path / "other"
    monkeypatch.setenv("VIVANT_DATA_DIR", "a~b")
    assert load_config().data_dir == Path("a~b")


def test_a_user_without_a_home_is_told_what_a_tilde_cannot_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(number: int) -> object:
        raise KeyError(number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIVANT_DATA_DIR", "~/data")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_config().data_dir == tmp_path / "data", "the negative control"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(ConfigError, match=r"VIVANT_DATA_DIR: data_dir: ~/data: this user has no home folder; set HOME"):
        load_config()
    with pytest.raises(ConfigError, match=r"^~/config.toml: this user has no home folder"):
        load_config(Path("~/config.toml"))


@pytest.mark.parametrize("value", ['"5"', "5", "true"])
def test_a_list_that_is_none_is_told_how_lists_are_written(tmp_path: Path, value: str) -> None:
    for key in ("owners", "allowed_guilds"):
        with pytest.raises(ConfigError, match=rf"{key}: Lists are written as \[1, 2\]\.$"):
            load_config(write(tmp_path, f"{key} = {value}\n"))


def _load_named(monkeypatch: pytest.MonkeyPatch, path: str) -> Config:
    monkeypatch.setenv("VIVANT_CONFIG", path)
    return load_config()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tokn = 'x'", "'token'"),
        ("[generator]\nstepps = 1", "'generator.max_steps'"),
        ("[generator]\nmax-steps = 1", "'generator.max_steps'"),
        ("[generater]\nmax_steps = 1", "'generator'"),
        ("variant = 'svd'", "'generator.variant'"),
        ("[queue]\nclip_hours = 1", "'retention.clip_hours'"),
        ("[variants.mine]\nsource = 'a/b'\nframe = 9", "'frames'"),
        ("[generator]\nvariant = 'SVD_XT'", "'svd-xt'"),
        ("[generator]\nvariant = 'min'\n[variants.mine]\nsource = 'a/b'", "'mine'"),
        ("xyzzy = 1", None),
    ],
)
def test_a_key_or_variant_that_nearly_exists_is_guessed(tmp_path: Path, text: str, meant: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert (f"Did you mean {meant}?" in str(caught.value)) == (meant is not None)
    assert ("Did you mean" in str(caught.value)) == (meant is not None)


def test_all_mistakes_are_told_at_once_in_the_file_and_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        tmp_path,
        "tokn = 'x'\nmetrics_port = -1\n[queue]\nmax_attempts = 0\n[generator]\nvariant = 'svdxt'\ndevice = 'cpu'\n"
        "gpus = [0]\nquality = 'best'\n[variants.mine]\nframes = 1\n",
    )
    monkeypatch.setenv("VIVANT_OWNERS", "1,2")
    monkeypatch.setenv("VIVANT_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("VIVANT_ALLOWED_GUILD", "[7]")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    wanted = ["tokn", "metrics_port", "max_attempts", "svdxt", "generator.gpus", "quality", "variants.mine.frames"]
    wanted += ["variants.mine.source", "VIVANT_OWNERS", "VIVANT_LOG_LEVEL", "VIVANT_ALLOWED_GUILD"]
    for word in wanted:
        assert len([line for line in lines if word in line]) == 1, (word, lines)
    assert len(lines) == len(wanted)


def test_a_broken_file_hides_no_mistake_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVANT_METRICS_PORT", "many")
    with pytest.raises(ConfigError, match=r"not valid TOML[\s\S]*VIVANT_METRICS_PORT"):
        load_config(write(tmp_path, "token = "))


def test_variables_of_others_with_our_prefix_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVANT_PORT", "tcp://10.0.0.1:80")  # Kubernetes, for a service named vivant
    monkeypatch.setenv("VIVANT_SERVICE_HOST", "10.0.0.1")
    assert load_config(write(tmp_path, SETTINGS)).allowed_guilds == {7}


def test_gpus_are_named_by_number_or_uuid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '[generator]\ngpus = [1, "0", "GPU-8f6a", "MIG-c7c8"]\n')
    assert load_config(path).generator.gpus == [1, 0, "GPU-8f6a", "MIG-c7c8"]
    monkeypatch.setenv("VIVANT_GENERATOR__GPUS", '["MIG-c7c8"]')
    assert load_config(path).generator.gpus == ["MIG-c7c8"]
    monkeypatch.delenv("VIVANT_GENERATOR__GPUS")
    for wrong in ('["cuda:1"]', "[1, '1']", "[true]", "[1.5]", '[""]'):
        with pytest.raises(ConfigError, match=r"generator\.gpus: list each GPU once"):
            load_config(write(tmp_path, f"[generator]\ngpus = {wrong}\n"))


@pytest.mark.parametrize("command", ["run", "doctor", "healthy"])
def test_a_missing_configuration_ends_every_command_with_78_and_no_traceback(tmp_path: Path, command: str) -> None:
    environment = os.environ | {"VIVANT_CONFIG": str(tmp_path / "none.toml")}
    done = subprocess.run(
        [sys.executable, "-m", "bot", command], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 78
    assert "There is no config file" in done.stderr and "Traceback" not in done.stderr


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
