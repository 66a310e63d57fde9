"""Layouts of checkpoints that people have: what can be loaded is, and what cannot is named with its file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from generator.errors import SettingsError, WeightsUnavailable
from generator.model.checkpoint.check import look
from generator.model.checkpoint.layout import MODULES, check_pipeline
from generator.model.lean.pack import pack
from generator.model.stock import load_modules
from generator.model.weights import open_checkpoint
from generator.variants import Variant, variant_of_folder
from tests.support.another_user import for_root, rights_of_nobody

Change = Callable[[Path], object]
Weights = dict[str, dict[str, torch.Tensor]]


def by_diffusers(variant: Variant) -> Weights:
    """Return every module's weights in single precision, as diffusers' and transformers' classes load them."""
    modules = load_modules(variant, torch.float32)
    assert modules.scheduler.config.sigma_max == 700.0
    return {name: dict(getattr(modules, name).state_dict()) for name in MODULES}


def by_ourselves(variant: Variant) -> Weights:
    """Return every module's weights in single precision, as the lean pipeline reads them."""
    checkpoint = open_checkpoint(variant)
    assert checkpoint.scheduler["sigma_max"] == 700.0
    found = {}
    for name in MODULES:
        packed = pack([dict(getattr(checkpoint, name).tensors)], torch.float32, torch.device("cpu"))
        found[name] = dict(packed.layers(packed.flat)[0])
    return found


both_ways = pytest.mark.parametrize("load", [by_diffusers, by_ourselves])


@pytest.fixture
def copied(tiny_variant: Variant, tmp_path: Path) -> Variant:
    shutil.copytree(tiny_variant.source, tmp_path / "copy")
    return dataclasses.replace(tiny_variant, source=str(tmp_path / "copy"))


def weights_of(module: Path) -> Path:
    return next(path for path in module.glob("*.safetensors") if not path.name.startswith("._"))


def as_precision(dtype: torch.dtype, name: str, folder: Path) -> None:
    for module in ("unet", "vae", "image_encoder"):
        path = weights_of(folder / module)
        save_file(
            {key: value.to(dtype) for key, value in load_file(path).items()}, path.with_suffix(f".{name}.safetensors")
        )
        path.unlink()


def in_shards(folder: Path, precision: str = "", index: bool = True) -> list[Path]:
    """Cut each module's weights in two, and write the index as `save_pretrained` does."""
    made = []
    for module in ("unet", "vae", "image_encoder"):
        path = weights_of(folder / module)
        tensors, stem = load_file(path), path.name.removesuffix(".safetensors")
        where: dict[str, str] = {}
        keys = sorted(tensors)
        for number, part in enumerate((keys[::2], keys[1::2]), 1):
            shard = path.with_name(f"{stem}{precision}-{number:05d}-of-00002.safetensors")
            save_file({key: tensors[key] for key in part}, shard)
            where |= dict.fromkeys(part, shard.name)
            made.append(shard)
        path.unlink()
        if index:
            text = json.dumps({"metadata": {}, "weight_map": where})
            path.with_name(f"{stem}.safetensors.index{precision}.json").write_text(text)
    return made


def with_marks(folder: Path) -> None:
    """Save every JSON file as Windows' editors did: with a byte order mark."""
    for path in folder.rglob("*.json"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def with_files_of_macos(folder: Path) -> None:
    for path in list(folder.rglob("*")):
        if path.is_file():
            path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")
    for module in ("unet", "vae", "image_encoder"):
        (folder / module / "._model.fp16.safetensors").write_bytes(b"\0\5\26\7")


def one_shard_of_half_precision(folder: Path) -> None:
    """An interrupted download of one precision beside a whole one of the other."""
    path = weights_of(folder / "unet")
    save_file({}, path.with_name("diffusion_pytorch_model.fp16-00002-of-00003.safetensors"))


def three_at_once(folder: Path) -> None:
    in_shards(folder)
    with_files_of_macos(folder)
    with_marks(folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: None, id="as saved"),
        pytest.param(lambda folder: as_precision(torch.bfloat16, "bf16", folder), id="only bf16"),
        pytest.param(lambda folder: as_precision(torch.float16, "fp16", folder), id="only fp16"),
        pytest.param(lambda folder: in_shards(folder), id="shards"),
        pytest.param(lambda folder: in_shards(folder, ".fp16"), id="shards of fp16"),
        pytest.param(lambda folder: in_shards(folder, ".bf16", index=False), id="shards of bf16 without an index"),
        pytest.param(with_files_of_macos, id="files of macOS"),
        pytest.param(with_marks, id="byte order marks"),
        pytest.param(one_shard_of_half_precision, id="another precision that is not whole"),
        pytest.param(three_at_once, id="three at once"),
    ],
)
@both_ways
def test_a_layout_that_people_have_is_loaded(
    tiny_variant: Variant, copied: Variant, change: Change, load: Callable[[Variant], Weights]
) -> None:
    change(Path(copied.source))
    loaded, expected = load(copied), by_diffusers(tiny_variant)
    for name in MODULES:
        assert loaded[name].keys() == expected[name].keys()
        for key, wanted in expected[name].items():
            assert torch.allclose(loaded[name][key].view(wanted.shape), wanted, atol=0.02), (name, key)
    assert variant_of_folder(Path(copied.source)).frames == tiny_variant.frames


def cut_short(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


def replaced(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def gone(path: Path) -> Path:
    path.unlink()
    return path


def half_of(path: Path) -> Path:
    tensors = load_file(path)
    save_file({key: tensors[key] for key in sorted(tensors)[::2]}, path)
    return path.parent


def linked_to_nowhere(path: Path) -> Path:
    path.unlink()
    path.symlink_to("../../../blobs/0123")
    return path


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3049435836\n"


@pytest.mark.parametrize(
    ("change", "why", "says"),
    [
        pytest.param(
            lambda folder: replaced(weights_of(folder / "vae"), POINTER), "missing", "git lfs pull", id="pointer"
        ),
        pytest.param(lambda folder: cut_short(weights_of(folder / "vae")), "damaged", "cut short", id="truncated"),
        pytest.param(lambda folder: cut_short(in_shards(folder)[1]), "damaged", "cut short", id="truncated shard"),
        pytest.param(lambda folder: replaced(weights_of(folder / "unet"), b""), "damaged", "cut short", id="empty"),
        pytest.param(
            lambda folder: replaced(weights_of(folder / "unet"), b"\x10"), "damaged", "cut short", id="one byte"
        ),
        pytest.param(
            lambda folder: replaced(weights_of(folder / "unet"), b"<!DOCTYPE html>" * 9),
            "damaged",
            "no safetensors",
            id="page",
        ),
        pytest.param(lambda folder: gone(in_shards(folder)[0]), "damaged", "lacks", id="a shard is missing"),
        pytest.param(
            lambda folder: gone(in_shards(folder, ".fp16")[1]), "damaged", "lacks", id="a last shard is missing"
        ),
        pytest.param(lambda folder: half_of(weights_of(folder / "vae")), "damaged", "tensors", id="VAE"),
        pytest.param(
            lambda folder: half_of(weights_of(folder / "image_encoder")),
            "damaged",
            "tensors",
            id="CLIP",
        ),
        pytest.param(lambda folder: linked_to_nowhere(weights_of(folder / "unet")), "missing", "cp -L", id="dead link"),
        pytest.param(
            lambda folder: gone(folder / "scheduler" / "scheduler_config.json"), "missing", "Copy it", id="scheduler"
        ),
        pytest.param(lambda folder: gone(folder / "vae" / "config.json"), "missing", "is not there", id="no config"),
        pytest.param(
            lambda folder: replaced(folder / "vae" / "config.json", b"{"), "damaged", "as JSON", id="half a config"
        ),
        pytest.param(
            lambda folder: replaced(folder / "model_index.json", b"[]"), "damaged", "no JSON object", id="a list"
        ),
        pytest.param(
            lambda folder: replaced(folder / "unet" / "config.json", b'{"in_channels": "x"}'),
            "damaged",
            "UNetSpatioTemporalConditionModel",
            id="another model",
        ),
    ],
)
@both_ways
def test_a_file_that_cannot_be_used_is_named_exactly(
    copied: Variant, change: Callable[[Path], Path], why: str, says: str, load: Callable[[Variant], Weights]
) -> None:
    before = Path(copied.source)
    path = change(before)
    kept = {item: item.lstat().st_mtime_ns for item in before.rglob("*")}
    with pytest.raises(WeightsUnavailable) as caught:
        load(copied)
    remedy = caught.value.data["remedy"]
    assert (caught.value.data["why"], says in remedy) == (why, True), remedy
    assert path.name in remedy or path.parent.name in remedy
    assert "elete" not in remedy and "emove" not in remedy
    assert {item: item.lstat().st_mtime_ns for item in before.rglob("*")} == kept, "a person's folder is only read"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("svd_xt.safetensors", "all modules in one file"),
        ("svd_xt.ckpt", "can run code"),
        ("svd/model_index.json", "The checkpoint is in"),
        ("snapshots/0123/model_index.json", "The checkpoint is in"),
        ("notes.txt", "no Stable Video Diffusion folder"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_told_for_what_it_is(tmp_path: Path, file: str, says: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(WeightsUnavailable) as caught:
        check_pipeline(tmp_path)
    assert says in caught.value.data["remedy"]


@both_ways
def test_one_file_with_all_modules_is_no_folder_and_the_way_is_named(
    tiny_variant: Variant, tmp_path: Path, load: Callable[[Variant], Weights]
) -> None:
    single = tmp_path / "svd_xt.safetensors"
    single.touch()
    with pytest.raises(WeightsUnavailable) as caught:
        load(dataclasses.replace(tiny_variant, source=str(single)))
    assert "all modules in one file" in caught.value.data["remedy"]
    assert "stable-video-diffusion-img2vid-xt" in caught.value.data["remedy"]


@for_root
@pytest.mark.parametrize("name", ["", "unet", "scheduler", "vae/config.json", "model_index.json"])
@pytest.mark.parametrize("mode", [0o700, 0o744, 0o711])
def test_what_this_user_may_not_read_is_told_with_chown(tiny_variant: Variant, name: str, mode: int) -> None:
    """Weights that root downloaded, and a bot with a user of its own."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        folder = Path(shutil.copytree(tiny_variant.source, Path(home) / "weights"))
        variant = dataclasses.replace(tiny_variant, source=str(folder))
        for path in folder.rglob("*"):
            path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else 0o644)
        folder.chmod(0o755)
        with rights_of_nobody():
            assert look(variant)["status"] == "ok", "the negative control"
            variant_of_folder(folder)
        shut = folder / name
        shut.chmod(mode if shut.is_dir() else 0o600)
        with rights_of_nobody():
            found = look(variant)
            assert look(dataclasses.replace(variant, source=str(folder / "x")))["status"] == "problem"
            with contextlib.suppress(SettingsError):
                variant_of_folder(folder)
        assert found["status"] == "problem"
        assert f"{shut} may not be read by this user" in found["remedy"] and "chown" in found["remedy"]
        shut.chmod(0o755)  # so that it can be cleaned up


@for_root
def test_a_folder_on_the_command_line_that_may_not_be_read_is_told(tiny_variant: Variant) -> None:
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(tiny_variant.source, Path(home) / "weights")
        with rights_of_nobody(), pytest.raises(SettingsError, match=r"may not be read by this user.*chown"):
            variant_of_folder(Path(home) / "weights")
