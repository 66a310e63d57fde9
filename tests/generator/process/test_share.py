"""How many threads executors take, on few and many cores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator.process.share import (
    executor_environment,
    has_gpu,
    host_bytes,
    share_cores,
    share_pinned,
    usable_cores,
)


@pytest.mark.parametrize(
    ("cores", "executors", "on_gpu", "threads"),
    [
        (64, 1, True, 4),
        (64, 4, True, 4),
        (8, 4, True, 2),
        (2, 4, True, 1),
        (1, 1, True, 1),
        (64, 1, False, 64),
        (64, 4, False, 16),
        (2, 3, False, 1),
    ],
)
def test_executors_never_take_more_threads_than_there_are_cores(
    cores: int, executors: int, on_gpu: bool, threads: int
) -> None:
    assert share_cores(cores, executors, on_gpu=on_gpu) == threads
    assert threads == 1 or threads * executors <= cores


def test_the_operators_threads_win_over_the_environment_and_that_over_the_default() -> None:
    ours = {"OMP_NUM_THREADS": "7"}
    by_operator = executor_environment(3, 2, on_gpu=True, ours=ours)
    assert by_operator.pop("OMP_WAIT_POLICY") == "PASSIVE", "threads that wait take no core from others"
    assert set(by_operator.values()) == {"3"}
    by_environment = executor_environment(0, 2, on_gpu=True, ours=ours)
    assert by_environment["OMP_NUM_THREADS"] == "7"
    assert int(by_environment["MKL_NUM_THREADS"]) == min(4, max(1, usable_cores() // 2))


def test_torch_takes_the_threads_of_its_environment() -> None:
    environment = os.environ | executor_environment(1, 1, on_gpu=True)  # MKL never takes more than there are cores
    command = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "1"


def test_a_containers_quota_counts_as_its_cores(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    all_cores = usable_cores(quota)
    assert all_cores == len(os.sched_getaffinity(0))
    quota.write_text("max 100000\n")
    assert usable_cores(quota) == all_cores
    quota.write_text("100000 100000\n")
    assert usable_cores(quota) == 1
    quota.write_text("50000 100000\n")
    assert usable_cores(quota) == 1


def test_a_gpu_is_known_by_its_device_before_torch_is_there(tmp_path: Path) -> None:
    assert has_gpu("cuda:1", tmp_path) and not has_gpu("cpu", tmp_path)
    assert not has_gpu("auto", tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu("auto", tmp_path)


def test_the_machines_memory_is_what_its_container_may_have(tmp_path: Path) -> None:
    assert host_bytes(system=tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  1000 kB\nMemAvailable:  10 kB\n")
    assert (host_bytes(system=tmp_path), host_bytes("MemAvailable", tmp_path)) == (1024_000, 10_240)
    limit = tmp_path / "sys/fs/cgroup/memory.max"
    limit.parent.mkdir(parents=True)
    limit.write_text("max\n")
    assert host_bytes(system=tmp_path) == 1024_000
    limit.write_text("512000\n")
    assert host_bytes(system=tmp_path) == 512_000


def test_all_executors_together_pin_no_more_than_half_of_the_memory() -> None:
    assert [4 * share_pinned(total, 4) <= total // 2 for total in (1, 1000, 2**35)] == [True] * 3
    assert share_pinned(2**35, 1) == 2**34
