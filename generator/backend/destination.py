"""Where a person wants a clip: whether a file can lie there, asked before minutes of rendering. Writes nothing.

Tested in tests/generator/backend/test_destination.py and tests/generator/test_main.py.
"""

from __future__ import annotations

from pathlib import Path

from generator.clip import Format
from generator.errors import SettingsError


def choose_destination(picture: Path, out: Path | None, format: Format) -> Path:
    """Return the clip's path: `out`, else the picture's name with the format's suffix in this folder.

    Raises SettingsError when no clip can be written there.
    """
    usual = f"{picture.stem}.{format}"
    path = out if out is not None else Path(usual)
    try:
        _check(path, picture, usual)
        _try_to_write(path)
    except (OSError, ValueError) as error:  # a name that is too long, or has a zero byte
        why = getattr(error, "strerror", None) or str(error)
        raise _refused(path, f"cannot be written ({why}): choose another name or folder with --out") from error
    return path


def _check(path: Path, picture: Path, usual: str) -> None:
    if path.is_dir():
        raise _refused(path, f"is a folder: name the clip in it, such as {path / usual}")
    if not path.parent.is_dir():
        raise SettingsError(f"There is no folder {path.parent} to write the clip to", setting="out", value=str(path))
    if path.exists() and not path.is_file():
        raise _refused(path, "is a device, not a file: name a file")
    if path.exists() and picture.exists() and path.samefile(picture):
        raise _refused(path, "is the picture itself: name another file for the clip")


def _try_to_write(path: Path) -> None:
    """Make and drop the file of the encoder with the longest name: only this finds every name that is impossible."""
    aside = path.with_name(f".{path.name}.smaller.part")
    is_new = not aside.exists()
    with aside.open("ab"):
        pass
    if is_new:
        aside.unlink()


def _refused(path: Path, why: str) -> SettingsError:
    return SettingsError(f"{path} {why}", setting="out", value=str(path))
