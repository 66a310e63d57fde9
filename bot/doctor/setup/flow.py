"""Goes through the setup's questions: takes answers from flags or asks for them, and writes the file."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console

from bot.config import Config, load_config
from bot.config.edited import changed, current_text, write_private
from bot.config.file import USUAL_FILE, ConfigError, from_home
from bot.config.mistakes import PREFIX
from bot.doctor import check_disk
from bot.doctor.account import REFUSED, Account, find_account
from bot.doctor.check import Status
from bot.doctor.setup import questions
from bot.doctor.setup.asking import ask, confirm, explain
from bot.doctor.setup.card import Card, find_cards, propose
from bot.doctor.setup.questions import Question
from bot.edge.redact import hide_tokens

_KINDS: dict[str, Callable[[Any], Any]] = {"token": SecretStr, "data_dir": lambda text: Path(from_home(text))}
"""what the configuration makes of an answer"""


class SetupStopped(Exception):
    """The setup cannot go on; the text says why. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says. `None` is not given."""

    answers: Mapping[str, str]
    """by the key that they set, as they were written"""
    download: bool | None = None
    asks: bool = True
    """whether there is a person to ask"""


@dataclass(slots=True)
class Setup:
    """One run: what was there before, and what is new."""

    path: Path
    given: Given
    console: Console
    before: Config
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """Return the configuration as it will be."""
        config = self.before
        for key, value in self.answers.items():
            section, _, last = key.rpartition(".")
            if section:
                inner = getattr(config, section).model_copy(update={last: value})
                config = config.model_copy(update={section: inner})
            else:
                config = config.model_copy(update={last: _KINDS.get(last, lambda same: same)(value)})
        return config


def start(path: Path, given: Given, console: Console) -> Setup:
    """Read what is there. Raises ConfigError."""
    before = load_config(path if os.path.lexists(path) else Path(os.devnull))
    return Setup(path, given, console, before)


def collect(setup: Setup) -> Account | None:
    """Take or ask for every answer. Return the account, None where Discord did not tell. Raises SetupStopped."""
    if "proxy" in setup.given.answers:
        _take(setup, Question("proxy", "--proxy", "", "", questions.parse_proxy))
    account = _token(setup)
    owner = str((account.application.get("owner") or {}).get("username") or "") if account else ""
    _answer(setup, lambda: questions.owners_question(owner), ", ".join(map(str, sorted(setup.before.owners))) or "-")
    _answer(setup, questions.language_question, setup.before.language)
    asks = setup.given.asks and not {"generator.variant", "generator.memory"} <= setup.given.answers.keys()
    cards = _look_at_cards(setup) if asks else []
    _variant(setup, cards)
    variant = setup.config.all_variants()[setup.config.generator.variant]
    if not variant.is_demo or "generator.memory" in setup.given.answers:
        _answer(setup, lambda: questions.memory_question(propose(cards, variant)), setup.before.generator.memory)
    _answer(setup, lambda: questions.folder_question(lambda path: _wrong_with(setup, path)), str(setup.before.data_dir))
    return account


def _look_at_cards(setup: Setup) -> list[Card]:
    setup.console.print("\nLooking at the graphics card ...", markup=False)
    return find_cards()


def _variant(setup: Setup, cards: list[Card]) -> None:
    known = setup.before.all_variants()
    usual = setup.before.generator.variant
    if not os.path.lexists(setup.path) and not cards:
        usual = "demo"
    _answer(setup, lambda: questions.variant_question(known, bool(cards)), usual)
    if setup.given.asks and "generator.variant" not in setup.answers and usual != setup.before.generator.variant:
        setup.answers["generator.variant"] = usual


def _wrong_with(setup: Setup, folder: Path) -> str:
    """Say why a folder cannot be the data folder; nothing when it can."""
    [check] = asyncio.run(check_disk(setup.before.model_copy(update={"data_dir": folder})))
    return f"{check.seen}. {check.remedy}" if check.status is Status.PROBLEM else ""


def _answer(setup: Setup, make: Callable[[], Question], current: str) -> None:
    """Take one answer from its flag, or ask for it."""
    question = make()
    if question.key in setup.given.answers:
        _take(setup, question)
    elif setup.given.asks:
        explain(setup.console, question)
        value = ask(setup.console, question, current)
        if value is not None:
            setup.answers[question.key] = value


def _take(setup: Setup, question: Question) -> None:
    try:
        setup.answers[question.key] = question.parse(setup.given.answers[question.key])
    except ValueError as error:
        raise SetupStopped(f"{question.flag}: {error}") from error


def _token(setup: Setup) -> Account | None:
    """Get a token that Discord knows. Raises SetupStopped where there is none, or it is refused and nobody can say."""
    question = questions.token_question()
    has_one = bool(setup.before.token.get_secret_value())
    if not (has_one or setup.given.asks or "token" in setup.given.answers):
        raise SetupStopped(
            "There is no token. Put it into a file and give --token-file FILE, or - for the standard input; or set "
            f"{PREFIX}TOKEN. {question.text.splitlines()[0]}"
        )
    _answer(setup, lambda: question, "the one that is set" if has_one else "")
    while True:
        found = asyncio.run(find_account(setup.config))
        if isinstance(found, Account):
            setup.console.print(f"Discord knows it: {found.user['username']}.", style="green", markup=False)
            return found
        if not setup.given.asks:
            if found.seen == REFUSED.seen or setup.config.token_problem:
                raise SetupStopped(f"The token is wrong: {found.seen}. {found.remedy}")
            setup.console.print(f"Not checked: {found.seen}. {found.remedy}", style="yellow", markup=False)
            return None
        setup.console.print(f"{found.seen}. {found.remedy}", style="red", markup=False, soft_wrap=True)
        if found.seen != REFUSED.seen and confirm(setup.console, "Go on without this check?", usual=False):
            return None
        value = ask(setup.console, question, "try the same again")
        if value is not None:
            setup.answers["token"] = value


def write(setup: Setup) -> list[str]:
    """Write what is new into the file; return a line for each key that changed. Raises ConfigError and OSError."""
    text = current_text(setup.path)
    new = {key: value for key, value in setup.answers.items() if _in_file(text, key) != value}
    after = changed(text, new)
    if new or not os.path.lexists(setup.path):
        write_private(setup.path, after)
    else:
        setup.path.resolve().chmod(0o600)
    return [_told(key, value) for key, value in new.items()]


def _in_file(text: str, key: str) -> Any:
    """Return what the file alone says of a key, its default where it says nothing."""
    found: Any = tomllib.loads(text)
    usual: Any = Config()
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
        usual = getattr(usual, part)
    if found is None:
        found = {"token": "", "owners": []}.get(key, usual if usual is None else str(usual))
    return found


def _told(key: str, value: Any) -> str:
    line = f"{key} = {'(hidden)' if key == 'token' else hide_tokens(str(value))}"  # a proxy may have a password
    variable = PREFIX + key.upper().replace(".", "__")
    return line + (f" - but {variable} in the environment wins over the file" if variable in os.environ else "")


def file_to_write(given: Path | None) -> Path:
    """Return the file that the setup writes: `given`, else $VIVANT_CONFIG, else config.toml. Raises ConfigError."""
    named = str(given) if given is not None else os.environ.get("VIVANT_CONFIG", "")
    try:
        path = Path(from_home(named)) if named else USUAL_FILE
    except ValueError as error:
        raise ConfigError(f"{error}.") from error
    if str(path).startswith("~"):
        raise ConfigError(f"{path}: there is no such user on this machine; write the path without ~.")
    return path
