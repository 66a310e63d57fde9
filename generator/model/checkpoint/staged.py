"""One module's files under the names that diffusers and transformers look for, whatever they are called.

So one way of loading serves every layout: another precision alone, shards with or without an index, a configuration
with a byte order mark, and files of macOS in between. Tested in tests/generator/model/checkpoint/test_layout.py.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from generator.model.checkpoint.layout import ModuleFiles, read_header

_SHARDS = "{}-{:05d}-of-{:05d}.safetensors"


@contextlib.contextmanager
def staged(files: ModuleFiles, weights_name: str) -> Iterator[Path]:
    """Yield a folder of links to a module's files. `weights_name` is diffusion_pytorch_model or model."""
    with tempfile.TemporaryDirectory(prefix="vivant-module-") as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(files.config))
        if len(files.weights) == 1:
            (folder / f"{weights_name}.safetensors").symlink_to(files.weights[0].absolute())
        else:
            _stage_shards(folder, files.weights, weights_name)
        yield folder


def _stage_shards(folder: Path, shards: tuple[Path, ...], weights_name: str) -> None:
    where: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = _SHARDS.format(weights_name, number, len(shards))
        (folder / name).symlink_to(shard.absolute())
        where |= {tensor: name for tensor in read_header(shard) if tensor != "__metadata__"}
    size = sum(shard.stat().st_size for shard in shards)
    index = {"metadata": {"total_size": size}, "weight_map": where}
    (folder / f"{weights_name}.safetensors.index.json").write_text(json.dumps(index))
