"""Which of this process's environment variables a child gets: the ones it needs by name, and no others.

A secret is safe from a child only when it is never handed over, and nobody knows the names of all secrets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_EVERY_CHILD = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "IMAGEIO_FFMPEG_EXE", "NIX_LD")
_EVERY_CHILD_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "SYSTEMROOT")
"""the interpreter, its libraries, and how many threads they take"""

_MODEL = (
    *("USER", "LOGNAME", "CC", "CXX", "CPATH", "LIBRARY_PATH", "MAX_JOBS", "CONDA_PREFIX"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)
_MODEL_PREFIXES = (
    *("HF_", "HUGGINGFACE_", "HUGGING_FACE_", "TRANSFORMERS_", "DIFFUSERS_", "ACCELERATE_", "SAFETENSORS_"),
    *("TORCH", "PYTORCH_", "TRITON_", "KINETO_", "KMP_", "GOMP_", "NUMEXPR_", "VECLIB_", "XDG_"),
    *("CUDA_", "CUDNN_", "CUBLAS", "NVIDIA_", "NCCL_", "GPU_", "HIP_", "HSA_", "ROCR_", "ROCM_", "MIOPEN_"),
    *("AMD_", "ZE_", "SYCL_", "ONEAPI_", "MTL_", "METAL_"),
)
"""the hub, the card and what compiles for it"""


def child_environment(ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what every child gets of our environment."""
    return _chosen(ours, _EVERY_CHILD, _EVERY_CHILD_PREFIXES)


def model_environment(ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a child gets that downloads weights and uses the GPU: the hub's token too, Discord's never."""
    return child_environment(ours) | _chosen(ours, _MODEL, _MODEL_PREFIXES)


def _chosen(ours: Mapping[str, str], names: tuple[str, ...], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in ours.items() if name in names or name.startswith(prefixes)}
