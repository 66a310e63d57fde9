"""The container's parts that need no container: what the image gets, what compose says, how a trial is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from bot.config import load_config
from scripts.container import running as running_module
from scripts.container.__main__ import main
from scripts.container.machine import lacking, local_paths, parse_settings, pip_file, run
from scripts.container.running import Container, Image, description, run_to_end, running
from scripts.container.trials import Bench, Failed, no_leftovers, unprivileged
from tests.support.edge import until
from tests.test_lock import pins

ROOT = Path(__file__).parent.parent
IMAGE = ROOT / "deploy" / "image"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETTINGS = {"Entrypoint": ["python", "-m", "bot"], "Env": ["PATH=/bin", "CC=/cc"], "WorkingDir": "/app"}

Json = dict[str, Any]


def services() -> dict[str, Json]:
    found: dict[str, Json] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


# -- the stand-in for a compiler ---------------------------------------------------------------------------------------


@pytest.fixture
def compiler(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "cc").write_bytes((IMAGE / "cc").read_bytes())
    (folder / "driver.c").write_text("int answer;\n")
    (folder / "cuda_utils.so").write_text("compiled")
    return folder


def compile_with(compiler: Path, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(compiler / "cc"), str(source), "-O3", "-shared", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_source_that_was_compiled_with_the_image_is_handed_over(compiler: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "cuda_utils.c", tmp_path / "out put.so"
    source.write_text("int answer;\n")
    done = compile_with(compiler, source, "-o", str(output), "-l:libcuda.so.1", "-I/usr/include")
    assert (done.returncode, done.stderr) == (0, "")
    assert output.read_text() == "compiled"


@pytest.mark.parametrize("options", [("-o", "out.so"), ()])
def test_another_source_or_no_output_is_refused_with_the_reason(
    compiler: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    source = tmp_path / "other.c"
    source.write_text("int answer;\n" if not options else "int other;\n")
    done = compile_with(compiler, source, *(str(tmp_path / word) if "." in word else word for word in options))
    assert done.returncode == 1
    assert "no C compiler in this image" in done.stderr
    assert not (tmp_path / "out.so").exists()


# -- the image ---------------------------------------------------------------------------------------------------------


def test_the_image_for_cpus_has_everything_of_the_lock_but_cuda_and_torch(tmp_path: Path) -> None:
    [program] = re.findall(r"awk '(.+)' requirements.lock", (IMAGE / "install.sh").read_text())
    lock = (ROOT / "requirements.lock").read_text()
    left = run("awk", program, ROOT / "requirements.lock")
    without = pins(lock).keys() - pins(left).keys()
    assert {"torch", "triton"} < without
    assert all(re.match("torch$|triton$|nvidia-|cuda-", name) for name in without)
    assert left.count("--hash") == len(re.findall("--hash", left)) > 50
    assert not re.search(r"^ .*\n(?=\S*nvidia)", left, re.MULTILINE)


def test_the_scripts_of_the_image_are_shell_and_come_into_its_build() -> None:
    for name in ("install.sh", "triton.sh", "cc"):
        subprocess.run(["sh", "-n", IMAGE / name], check=True)
    assert "COPY requirements.lock deploy/image/ ./" in DOCKERFILE
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored.index("deploy") < ignored.index("!deploy/image")


def test_the_base_and_the_kind_of_torch_are_arguments_and_the_last_stage_has_no_compiler() -> None:
    first, last = DOCKERFILE.split("\nFROM ")[1:]
    assert re.search(r"^ARG BASE=\S+$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^ARG TORCH=cuda$", DOCKERFILE, re.MULTILINE)
    assert "apt-get install" in first and "apt-get" not in last
    assert "COPY --from=packages /opt/vivant /opt/vivant" in last
    assert last.index("USER vivant") > last.index("RUN useradd")


# -- compose -----------------------------------------------------------------------------------------------------------


def test_every_container_may_gain_nothing_and_write_nowhere_but_its_data() -> None:
    assert services().keys() == {"vivant", "cpu"}
    for service in services().values():
        assert (service["security_opt"], service["cap_drop"]) == (["no-new-privileges:true"], ["ALL"])
        assert (service["read_only"], service["tmpfs"], service["init"]) == (True, ["/tmp"], True)


def test_the_metrics_of_a_container_are_read_on_its_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (service, _) = services().values()
    for name in ("VIVANT_METRICS_PORT", "VIVANT_METRICS_ADDRESS"):
        monkeypatch.setenv(name, str(service["environment"][name]))
    monkeypatch.chdir(tmp_path)
    config = load_config()
    assert config.metrics_address.is_unspecified, "inside, 127.0.0.1 is the container itself"
    (published,) = service["ports"]
    assert published.startswith("127.0.0.1:") and published.endswith(f":{config.metrics_port}")


def test_a_missing_configuration_is_an_empty_folder_and_not_a_folder_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (service, _) = services().values()
    assert "./config:/app:ro" in service["volumes"]
    assert "WORKDIR /app" in DOCKERFILE
    monkeypatch.chdir(tmp_path)
    assert load_config().log_level == "INFO", "what Docker makes of a missing ./config"
    (tmp_path / "config.toml").write_text('log_level = "DEBUG"')
    assert load_config().log_level == "DEBUG"


def test_the_cards_are_chosen_in_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (service, without_card) = services().values()
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "deploy" not in without_card
    assert without_card["build"]["args"]["TORCH"] == "cpu"
    assert without_card["environment"]["VIVANT_GENERATOR__VARIANT"] == "demo"
    written = service["environment"]["VIVANT_GENERATOR__GPUS"]
    default = re.fullmatch(r"\$\{VIVANT_GPUS:-(.*)\}", written)
    assert default is not None
    monkeypatch.chdir(tmp_path)
    for value, gpus in ((default[1], []), ("[0,1]", [0, 1])):
        monkeypatch.setenv("VIVANT_GENERATOR__GPUS", value)
        assert load_config().generator.gpus == gpus


# -- how it is built and run -------------------------------------------------------------------------------------------


def test_the_build_gets_this_machines_way_to_packages_and_no_constraints(tmp_path: Path) -> None:
    wheels, cap, index = tmp_path / "wheels", tmp_path / "cap.txt", tmp_path / "index" / "simple"
    wheels.mkdir()
    index.mkdir(parents=True)
    cap.touch()
    listed = (
        f":env:.find-links='{wheels}'\nglobal.find-links='/elsewhere'\nglobal.constraint='{cap}'\n"
        f"global.index-url='https://packages.example/simple'\nglobal.extra-index-url='file://{index}'\n"
        "list.format='columns'\n"
    )
    settings = parse_settings(listed)
    assert settings["find-links"] == str(wheels), "a variable wins over a file"
    assert local_paths(settings) == [wheels, index.parent], "an index links to files beside it"
    written = pip_file(settings).splitlines()
    assert {f"find-links = {wheels}", "index-url = https://packages.example/simple"} < set(written)
    assert not any("constraint" in line for line in written)


def test_a_trial_runs_as_the_images_user_with_nothing_to_gain_and_a_root_that_is_read_only(tmp_path: Path) -> None:
    image = Image(tmp_path, SETTINGS)
    told = description(Container(image, tmp_path, ("doctor",), tmp_path, {"CC": "gcc"}, {"/pictures": tmp_path}))
    process = told["process"]
    assert process["args"] == ["python", "-m", "bot", "doctor"]
    assert (process["user"]["uid"], process["noNewPrivileges"], told["root"]["readonly"]) == (10001, True, True)
    assert set(process["capabilities"]) == {"bounding", "effective", "permitted"}
    assert not any(process["capabilities"].values())
    assert process["env"] == ["PATH=/bin", "CC=gcc"]
    writable = {mount["destination"]: mount["options"] for mount in told["mounts"] if mount["type"] == "bind"}
    assert writable == {"/data": ["bind", "rw"], "/pictures": ["bind", "ro"]}
    assert description(Container(image, tmp_path, ("id",), tmp_path, whole=True))["process"]["args"] == ["id"]


def test_where_the_tools_are_missing_it_says_so_and_ends_with_77(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["container"])
    assert main() == 77
    assert "NOT TRIED: the container: apt-get install mmdebstrap buildah runc" in capsys.readouterr().out
    for tool in ("mmdebstrap", "buildah", "runc"):
        (tmp_path / tool).touch(mode=0o755)
    assert lacking() == ("" if os.geteuid() == 0 else "it needs root")


# -- real containers: this machine's /usr in a root of its own ---------------------------------------------------------

for_runc = pytest.mark.skipif(
    bool(shutil.which("runc") is None or os.geteuid()), reason="SKIPPED FOR LACK OF RUNC OR ROOT: apt-get install runc"
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    tree = tmp_path / "tree"
    for name in ("app", "data", "usr"):
        (tree / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    return Bench(Image(tree, SETTINGS), tmp_path)


def described(change: Callable[[Json], None]) -> Any:
    """Let every container have /usr, and differ from what it should be by `change`."""

    def changed(container: Container) -> Json:
        told = description(container)
        told["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]})
        change(told)
        return told

    return patch.object(running_module, "description", changed)


def nothing(told: Json) -> None:
    """Leave the container as it is."""


def with_a_root_to_write_to(told: Json) -> None:
    told["root"]["readonly"] = False


def as_root(told: Json) -> None:
    told["process"]["user"]["uid"] = 0


def with_a_capability(told: Json) -> None:
    told["process"]["capabilities"]["bounding"] = ["CAP_NET_RAW"]


@for_runc
async def test_a_container_without_privileges_passes_the_trial(bench: Bench) -> None:
    with described(nothing):
        assert "read-only" in await unprivileged(bench)


@for_runc
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_a_root_to_write_to, "the root can be written to"),
        (as_root, "the user is not 10001"),
        (with_a_capability, "there are capabilities"),
    ],
)
async def test_a_container_with_a_privilege_fails_the_trial(
    bench: Bench, change: Callable[[Json], None], says: str
) -> None:
    """The negative controls."""
    with described(change), pytest.raises(Failed, match=says):
        await unprivileged(bench)


@for_runc
async def test_what_the_build_left_in_an_image_fails_the_trial(bench: Bench) -> None:
    (bench.image.tree / "app" / "left").touch()
    with described(nothing), pytest.raises(Failed, match="/app/left"):
        await no_leftovers(bench)


@for_runc
async def test_a_container_that_takes_too_long_is_killed_and_what_it_said_is_told(bench: Bench) -> None:
    script = "echo begun; exec sleep 60"
    container = Container(bench.image, bench.folder, ("sh", "-c", script), bench.volume("late"), whole=True)
    with described(nothing):
        async with running(container) as found:
            with pytest.raises(TimeoutError, match="begun"):
                await found.ended(0.3)
        async with running(container) as left:

            async def answers() -> bool:
                return (await left.execute(["true"])).code == 0

            await until(answers, "the container to run")
        ended = await run_to_end(replace(container, command=("sh", "-c", "exit 7")), 10)
    assert ended.code == 7
    assert not {found.name, left.name} & set(run("runc", "list", "--quiet").split())
