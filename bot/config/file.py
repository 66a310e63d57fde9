"""The configuration file: where it lies, its bytes as text, and its TOML. Knows no setting.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

import codecs
import os
import tomllib
from pathlib import Path
from typing import Any

USUAL_FILE = Path("config.toml")

_MARKS = (  # UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""what an editor may write before the first letter, and the encoding that it names"""


class ConfigError(Exception):
    """The configuration cannot be used; the text says what is wrong and what to do, a sentence or more a mistake."""


def from_home(path: str) -> str:
    """Return a path with its `~` or `~name` replaced by that home folder. Raises ValueError for a user without one."""
    found = os.path.expanduser(path)  # noqa: PTH111 - a Path would change an address, and refuse an unknown name
    if found == "~" or found.startswith("~/"):
        raise ValueError(f"{path}: this user has no home folder; set HOME, or write the path without ~")
    return found


def find_file(given: Path | None) -> Path | None:
    """Return the file to read: `given`, else $VIVANT_CONFIG, else config.toml. None: there is none, and none was named.

    Raises ConfigError when a file was named that is not there.
    """
    named = str(given) if given is not None else os.environ.get("VIVANT_CONFIG", "")
    if not named:
        return USUAL_FILE if os.path.lexists(USUAL_FILE) else None
    try:
        path = Path(from_home(named))
        path.lstat()
    except ValueError as error:
        raise ConfigError(f"{error}.") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        by = "" if given is not None else ", which VIVANT_CONFIG names"
        raise ConfigError(
            f"There is no config file at {path}{by}. Run `vivant setup`, or copy config.example.toml there."
        ) from error
    except OSError:
        pass  # it is there and cannot be looked at, which `read_file` tells
    return path


def read_file(path: Path) -> dict[str, Any]:
    """Return the tables of a config file. Raises ConfigError when it cannot be read or is not TOML."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def read_text(path: Path) -> str:
    """Return a config file's text, in whatever encoding an editor has left it. Raises ConfigError."""
    try:
        raw = path.read_bytes()
    except IsADirectoryError as error:
        raise ConfigError(
            f"{path} is a folder, not a file. Docker makes a folder where the file that it should mount is missing: "
            "stop the container, put config.toml there instead, and start it again."
        ) from error
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is a link to a file that is not there. Put the file there.") from error
    except PermissionError as error:
        raise ConfigError(
            f"{path} may not be read by the user that runs the bot ({_user()}). Allow it: chown or chmod the file."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).") from error
    return _text(path, raw)


def _text(path: Path, raw: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        guess = "probably Windows-1252 (ANSI)" if encoding == "utf-8" else f"damaged {encoding.upper()}"
        raise ConfigError(
            f"{path} is not UTF-8 but {guess}: line {line} holds a letter that cannot be read. Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise ConfigError(f"{path} is not UTF-8 but probably UTF-16 without its mark. Save it as UTF-8.")
    return text


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"number {os.getuid()}"
