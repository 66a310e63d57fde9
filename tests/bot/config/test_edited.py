"""Single keys of a config file change, and nothing else in it does."""

from __future__ import annotations

import difflib
import errno
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bot.config import load_config
from bot.config.edited import changed, current_text, template, write_private
from bot.config.file import ConfigError

ROOT = Path(__file__).parents[3]
OWN = """# my bot
token='t'   # secret

[retention]   # keep little
clip_hours = 12 # half a day
# the end
"""


def lines_that_differ(before: str, after: str) -> list[str]:
    found = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in found if line[0] in "+-"]


def test_a_new_file_is_the_example_with_every_key(tmp_path: Path) -> None:
    assert current_text(tmp_path / "config.toml") == template() == (ROOT / "config.example.toml").read_text()


def test_one_key_of_the_example_changes_one_line_and_keeps_its_comment() -> None:
    after = changed(template(), {"generator.variant": "svd", "owners": [7]})
    removed, added = lines_that_differ(template(), after)[0::2], lines_that_differ(template(), after)[1::2]
    assert [line[2:].split("#")[0].strip() for line in removed] == ["owners = []", 'variant = "svd-xt"']
    assert [line[2:].split("#")[0].strip() for line in added] == ["owners = [7]", 'variant = "svd"']
    assert [line.split("#", 1)[1] for line in removed] == [line.split("#", 1)[1] for line in added]
    assert changed(after, {"generator.variant": "svd", "owners": [7]}) == after, "a second time changes nothing"


def test_nothing_asked_changes_no_letter() -> None:
    for text in (template(), OWN, "", OWN.replace("\n", "\r\n")):
        assert changed(text, {}) == text


def test_keys_that_are_not_there_come_where_they_belong() -> None:
    after = changed(OWN, {"data_dir": "/srv/x", "generator.memory": "6GiB", "retention.row_days": 3})
    assert tomllib.loads(after) == {
        "token": "t",
        "data_dir": "/srv/x",
        "retention": {"clip_hours": 12, "row_days": 3},
        "generator": {"memory": "6GiB"},
    }
    assert [line for line in lines_that_differ(OWN, after) if line.startswith("-")] == []


@pytest.mark.parametrize(
    "text",
    [
        'generator.variant = "demo"\ngenerator.threads = 1\n',
        'generator = {variant = "demo", threads = 1}\n',
        "[generator]\nthreads = 1\n[queue]\nmax_attempts = 2\n[generator.x]\ny = 1\n",
        "\n\n",
        "[variants.mine]\nsource = '/x'\n",
    ],
)
def test_other_ways_to_write_the_same_are_understood(text: str) -> None:
    after = tomllib.loads(changed(text, {"generator.variant": "svd", "token": "t"}))
    expected: dict[str, Any] = tomllib.loads(text)
    expected.setdefault("generator", {})["variant"] = "svd"
    assert after == expected | {"token": "t"}


@pytest.mark.parametrize(("text", "said"), [("x = = 1", "not valid TOML"), ("generator = 3\n", "it is a section")])
def test_what_cannot_be_changed_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        changed(text, {"generator.variant": "svd"})


def test_what_is_written_is_for_its_owner_alone_and_read_by_the_bot(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "new" / "config.toml"
        write_private(path, changed(template(), {"token": "a-secret"}))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["config.toml"]
    assert load_config(path).token.get_secret_value() == "a-secret"
    path.chmod(0o644)
    write_private(path, OWN)
    assert path.stat().st_mode & 0o777 == 0o600, "others lose a right that they had"


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("")
    (tmp_path / "config.toml").symlink_to("real.toml")
    write_private(tmp_path / "config.toml", OWN)
    assert (tmp_path / "config.toml").is_symlink() and (tmp_path / "real.toml").read_text() == OWN


@pytest.mark.parametrize("number", [errno.EBUSY, errno.ENOSPC])
def test_a_file_that_is_a_mount_is_overwritten_and_a_full_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(aside: Path, path: Path) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "config.toml"
    path.write_text("old")
    monkeypatch.setattr("bot.config.edited.publish", refuse)
    if number == errno.EBUSY:
        write_private(path, OWN)
        assert (path.read_text(), path.stat().st_mode & 0o777) == (OWN, 0o600)
    else:
        with pytest.raises(OSError, match="No space"):
            write_private(path, OWN)
        assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]
