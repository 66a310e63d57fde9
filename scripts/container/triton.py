"""What of Triton can be tried without a graphics card: how it gets the part that it would compile for its kernels.

Tested in tests/test_container.py.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from scripts.container.machine import run
from scripts.container.running import run_to_end
from scripts.container.trials import Bench, Failed

_LOAD = """
import pathlib, sys
import triton.backends.nvidia.driver as driver
from triton.runtime.build import compile_module_from_src
source = pathlib.Path(driver.dirname, "driver.c").read_text()
options = dict(library_dirs=["/stub"], include_dirs=driver.include_dirs, libraries=driver.libraries)
module = compile_module_from_src(src=source, name="cuda_utils", **options)
print("loaded", all(hasattr(module, name) for name in ("load_binary", "launch", "build_signature_metadata")))
try:
    compile_module_from_src(src=source + "//", name="cuda_utils", **options)
except Exception as error:
    print("refused", type(error).__name__)
"""


async def kernels_without_a_compiler(bench: Bench) -> str:
    """Let Triton load its driver's part, with a stand-in for the card's library; see other sources refused.

    Without gcc on this machine the stand-in cannot be made, and the trial fails.
    """
    if shutil.which("gcc") is None:
        raise Failed("gcc is needed to make a stand-in for libcuda.so.1")
    (source,) = bench.image.tree.glob("opt/vivant/lib/python3*/site-packages/triton/backends/nvidia/driver.c")
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        Path(folder).chmod(0o755)
        _stand_in(source, Path(folder) / "libcuda.so.1")
        container = bench.container("triton", "python", "-c", _LOAD)
        container = replace(
            container,
            whole=True,
            mounts={"/stub": Path(folder)},
            environment={"LD_LIBRARY_PATH": "/stub", "TRITON_CACHE_DIR": "/data/kernels"},
        )
        ended = await run_to_end(container, 120)
    if "loaded True" not in ended.output or "refused CalledProcessError" not in ended.output:
        raise Failed(ended.output[-2000:])
    return "Triton's driver part loads; another source is refused"


def _stand_in(source: Path, library: Path) -> None:
    names = sorted(set(re.findall(r"\b(cu[A-Z]\w+)\(", source.read_text())))
    code = "".join(f"int {name}(void) {{ return 100; }}\n" for name in names)
    run("gcc", "-shared", "-Wl,-soname,libcuda.so.1", "-o", library, "-x", "c", "-", text=code)
