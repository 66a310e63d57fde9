"""Changes single keys of the configuration file, and leaves every other letter of it as it is, comments too."""

from __future__ import annotations

import contextlib
import errno
import os
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bot.config.file import ConfigError, read_text
from generator.process.durable import publish

Answers = Mapping[str, Any]
"""new values by their key, with the section before a dot: `generator.variant`"""


def template() -> str:
    """Return the text of a new file: every key with its default and a line about it."""
    return files("bot.config").joinpath("config.example.toml").read_text(encoding="utf-8")


def current_text(path: Path) -> str:
    """Return the text of a config file, or that of a new one. Raises ConfigError when it cannot be read."""
    return read_text(path) if os.path.lexists(path) else template()


def changed(text: str, answers: Answers) -> str:
    """Return a file's text with these keys set. Raises ConfigError when the text is not TOML, or a section is none."""
    before = _parsed(text)
    for key, value in answers.items():
        _set(before, key, value)
    try:
        document = tomlkit.parse(text)
        for key, value in answers.items():
            _set(document, key, value)
        after = tomlkit.dumps(document)
        if tomllib.loads(after) == before:
            return after
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, ValueError):
        pass
    raise ConfigError("The config file is written in a way that cannot be changed safely. Change it with an editor.")


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The config file is not valid TOML: {error}") from error


def _set(document: Any, key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        if section not in document:
            document[section] = tomlkit.table() if isinstance(document, tomlkit.TOMLDocument) else {}
        document = document[section]
        if not isinstance(document, Mapping):
            raise ConfigError(f"The config file has {section} as a value; it is a section: [{section}].")
    document[last] = value


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all. Raises OSError.

    A link stays a link. A file that is mounted by itself, as in a container, cannot be replaced and is overwritten.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.part")
    aside.unlink(missing_ok=True)
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            _keep_owner(file.fileno(), target)
            file.write(text)
        publish(aside, target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        target.chmod(0o600)
        target.write_text(text, encoding="utf-8")
    finally:
        aside.unlink(missing_ok=True)


def _keep_owner(descriptor: int, target: Path) -> None:
    """Give the new file to whom the old one belonged: root may run the setup of a bot that does not run as root."""
    with contextlib.suppress(OSError):
        found = (target if target.exists() else target.parent).stat()
        if os.geteuid() == 0:
            os.fchown(descriptor, found.st_uid, found.st_gid)
