"""What the build takes of this machine: its tools, and how its pip reaches packages."""

from __future__ import annotations

import configparser
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = ("mmdebstrap", "buildah", "runc")
"""from Debian's packages of the same names; runc is what Docker itself runs containers with"""


def lacking() -> str:
    """Say what is missing here to build and run a container; nothing when all is there."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"apt-get install {' '.join(missing)}"
    return "" if os.geteuid() == 0 else "it needs root"


def run(*command: str | Path, environment: dict[str, str] | None = None, text: str | None = None) -> str:
    """Run a command and return what it prints. Raises RuntimeError with its last lines when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | (environment or {}),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise RuntimeError(f"{' '.join(map(str, command[:3]))} ... failed:\n{last}")
    return done.stdout


def make_debian(archive: Path, packages: str) -> None:
    """Make an archive of Debian's smallest system with some packages, named with commas between them.

    It is the release that runs here. APT_MIRROR names another source of packages than apt's usual one.
    """
    suite = next(line.split("=")[1] for line in Path("/etc/os-release").read_text().splitlines() if "CODENAME" in line)
    mirror = filter(None, (os.environ.get("APT_MIRROR"),))
    run("mmdebstrap", "--variant=minbase", f"--include={packages}", suite, archive, *mirror)


def pip_settings() -> dict[str, str]:
    """Return how pip is set up here, by its files and its variables: index-url, find-links, cert and so on."""
    return parse_settings(run(sys.executable, "-m", "pip", "config", "list"))


def parse_settings(listed: str) -> dict[str, str]:
    """Return what `pip config list` prints, by the option's name; a variable wins over a file, as in pip."""
    from_files, from_variables = dict[str, str](), dict[str, str]()
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        into = from_variables if section == ":env:" else from_files
        if section in (":env:", "global", "install"):
            into[option] = value.strip("'\"").replace("\\n", "\n")
    return from_files | from_variables


def pip_file(settings: dict[str, str]) -> str:
    """Return the settings as a pip.conf. Constraints stay out: the lock alone decides the versions."""
    file = configparser.ConfigParser(interpolation=None)
    file["global"] = {name: value for name, value in settings.items() if name != "constraint"}
    text = io.StringIO()
    file.write(text)
    return text.getvalue()


def local_paths(settings: dict[str, str]) -> list[Path]:
    """Return the files and folders on this machine that pip's settings name, which the build must see too.

    An index in a folder links to files beside it: of a `file://` address it is the folder above.
    """
    words = " ".join(value for name, value in settings.items() if name != "constraint").split()
    paths = [Path(word[7:]).parent if word.startswith("file://") else Path(word) for word in words]
    return [path for path in paths if path.is_absolute() and path.exists()]
