"""A bare Debian: a folder with the smallest set of packages, in which commands run as on a machine of its own.

It sees this machine's network and its way to Python's packages, and nothing else of it. Tested in tests/test_paths.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.container.machine import local_paths, pip_file, pip_settings

TOOLS = ("mmdebstrap", "unshare", "chroot")
WORK = "root/work"
"""where commands run, below the machine's root"""
_ENTER = """
mount -t proc proc $TREE/proc
mount --rbind /dev $TREE/dev
for seen in $SEEN; do mount --bind "$seen" $TREE"$seen"; mount -o remount,ro,bind $TREE"$seen"; done
exec chroot $TREE /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    PATH=/root/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $VARIABLES \
    /bin/bash -euo pipefail -c $SCRIPT
"""


class Failed(Exception):
    """A command failed, or a trial found something wrong; the text says what."""


@dataclass(frozen=True)
class Machine:
    """A bare Debian in the folder `tree`."""

    tree: Path

    @property
    def work(self) -> Path:
        """Return the folder in which its commands run."""
        return self.tree / WORK

    def run(self, script: str, variables: Mapping[str, str] | None = None) -> str:
        """Run a script of bash and return what it printed. Raises Failed with its last lines when it fails."""
        done = subprocess.run(
            self._words(script, variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = "\n".join(done.stdout.splitlines()[-25:])
            raise Failed(f"it ended with {done.returncode}:\n{script}\n{last}")
        return done.stdout

    @contextmanager
    def running(self, script: str, variables: Mapping[str, str]) -> Iterator[Path]:
        """Run a script until the block ends, and yield the file with what it prints."""
        log = self.tree / "root/log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._words(script, variables), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            yield log
        finally:
            process.kill()  # the only signal that unshare heeds; what it started goes with it
            process.wait()

    def _words(self, script: str, variables: Mapping[str, str]) -> list[str]:
        """Return the command that runs a script in this machine, in namespaces of its own."""
        put = {
            "$TREE": str(self.tree),
            "$SEEN": " ".join(map(str, local_paths(pip_settings()))),
            "$VARIABLES": " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items()),
            "$SCRIPT": shlex.quote(f"cd /{WORK}\n{script}"),
        }
        enter = re.sub(r"\$[A-Z]+", lambda name: put[name[0]], _ENTER)
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", enter]


def unpack(archive: Path, tree: Path) -> Machine:
    """Return a new machine, with this one's names of hosts and its way to Python's packages."""
    with tarfile.open(archive) as packed:
        packed.extractall(tree, filter="fully_trusted")
    settings = pip_settings()
    (tree / "etc/pip.conf").write_text(pip_file(settings))
    shutil.copyfile("/etc/resolv.conf", tree / "etc/resolv.conf")
    for path in local_paths(settings):
        there = tree / path.relative_to("/")
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
    (tree / WORK).mkdir()
    return Machine(tree)
