"""What the setup asks: each question with its explanation, and what an answer must be. Prints nothing, reads nothing.

A parser takes what was typed, or what a flag says, and returns the value of the key. It raises ValueError with a
sentence that does not repeat a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config.file import from_home
from bot.config.token import PORTAL, WHERE, shape_problem
from bot.policy.language import LANGUAGES
from generator.errors import SettingsError, did_you_mean
from generator.memory import check_memory
from generator.variants import Variant

Parse = Callable[[str], Any]

_IDS = re.compile(r"[\s,]+")
_PROXY = re.compile(r"https?://(?:[^\s/@]+@)?(?:[\w.-]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the key that its answer sets, the flag that answers it, what people read, what it accepts."""

    key: str
    flag: str
    title: str
    text: str
    parse: Parse
    secret: bool = False


def token_question() -> Question:
    """Ask for the bot's token."""
    text = (
        "Vivant logs in to Discord as an application of yours. To get its token, "
        f"{WHERE}.\nIf you have no application yet: {PORTAL}?new_application=true\n"
        "It looks like three words with dots between: MTE4NzY1….GaBcDe.k3y…. "
        "What you type or paste stays hidden. Whoever has it is your bot: show it to nobody."
    )
    return Question("token", "--token-file", "The bot's token", text, parse_token, secret=True)


def owners_question(owner: str) -> Question:
    """Ask who may use /admin besides the application's owner, named `owner` if Discord has told."""
    who = f"{owner}, the application's owner, may" if owner else "The application's owner may"
    text = (
        f"{who} use /admin already. Others are named by their user id: in Discord's settings, Advanced, turn on "
        "Developer Mode, then right-click a person and Copy User ID.\n"
        "https://support.discord.com/hc/articles/206346498 shows it. It looks like 123456789012345678; several are "
        "separated by commas, and - means nobody."
    )
    return Question("owners", "--owner", "Who else may administer the bot", text, parse_owners)


def language_question() -> Question:
    """Ask for the language that is spoken where nobody chose another."""
    lines = [f"{code}: {language.name}" for code, language in LANGUAGES.items()]
    text = (
        "Everybody reads the answers in the language of their own Discord, and each server may choose one with "
        "/settings. This one is for what is written to the bot's owners, and below its name.\n"
        "How that works: docs/operators.md\n" + "\n".join(lines)
    )
    return Question("language", "--language", "The bot's own language", text, parse_language)


def variant_question(variants: Mapping[str, Variant], has_card: bool) -> Question:
    """Ask for the model."""
    lines = [f"{name}: {variants[name].description}" for name in sorted(variants)]
    text = (
        "The model that makes the clips. The real ones need an NVIDIA card of 4 GB or more and about 10 GB of disk; "
        "demo needs neither.\nWhat they look like and their licences: "
        "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt\n" + "\n".join(lines)
    )
    if not has_card:
        text += "\nNo card was found that computes, so only demo works here now."
    return Question("generator.variant", "--variant", "The model", text, lambda typed: parse_variant(typed, variants))


def memory_question(proposal: str) -> Question:
    """Ask how much of the card may be used; `proposal` says what was found and what it would come to."""
    text = (
        f"{proposal}\nauto takes what is free when a clip begins. A cap such as 6GiB leaves the rest of the card to "
        "other programs; full, model-offload, lean and minimal name one plan.\n"
        "What each plan takes: docs/performance.md"
    )
    return Question("generator.memory", "--memory", "The card's memory", text, parse_memory)


def folder_question(examine: Callable[[Path], str]) -> Question:
    """Ask where the data lies; `examine` says what is wrong with a folder."""
    text = (
        "The queue, pictures and clips lie in one folder, on a local disk, that only the bot's account can open. "
        "It looks like data (in the folder where you are) or /var/lib/vivant.\n"
        "What is kept, and for how long: PRIVACY.md"
    )

    def parse(typed: str) -> str:
        folder = parse_folder(typed)
        if wrong := examine(Path(folder)):
            raise ValueError(wrong)
        return folder

    return Question("data_dir", "--data-dir", "The data folder", text, parse)


def parse_token(typed: str) -> str:
    """Return the token. Raises ValueError for what cannot be one."""
    token = typed.strip()
    if problem := shape_problem(token):
        raise ValueError(f"This cannot be the bot's token: {problem}. To get it, {WHERE}.")
    return token


def parse_owners(typed: str) -> list[int]:
    """Return user ids in order, none for "-". Raises ValueError for what is no id."""
    words = [word for word in _IDS.split(typed.strip()) if word]
    if words in (["-"], ["none"]):
        return []
    for word in words:
        if not re.fullmatch(r"\d{15,20}", word, re.ASCII):
            raise ValueError(f"{word!r} is no user id, which is a number of 17 to 19 digits. - means nobody.")
    if not words:
        raise ValueError("No user id was given. - means nobody.")
    return sorted({int(word) for word in words})


def parse_language(typed: str) -> str:
    """Return the code of a language that the bot speaks. Raises ValueError for any other."""
    code = typed.strip()
    called = {name.casefold(): each.code for each in LANGUAGES.values() for name in (each.code, each.folder, each.name)}
    found = called.get(code.casefold())
    if found is None:
        raise ValueError(f"I do not speak {code!r}, only {', '.join(LANGUAGES)}.{did_you_mean(code, LANGUAGES)}")
    return found


def parse_variant(typed: str, variants: Mapping[str, Variant]) -> str:
    """Return the name of a known variant. Raises ValueError for any other."""
    name = typed.strip()
    if name not in variants:
        raise ValueError(f"There is no variant {name!r}, only {', '.join(variants)}.{did_you_mean(name, variants)}")
    return name


def parse_memory(typed: str) -> str:
    """Return a memory setting. Raises ValueError for any other text."""
    memory = typed.strip()
    try:
        check_memory(memory)
    except SettingsError as error:
        raise ValueError(f"{error.text}{'' if error.text.endswith(('?', '.')) else '.'}") from error
    return memory


def parse_folder(typed: str) -> str:
    """Return a folder as it was written. Raises ValueError for what can be none."""
    folder = typed.strip()
    if not folder or not folder.isprintable():
        raise ValueError("Name a folder, such as data or /var/lib/vivant.")
    if from_home(folder).startswith("~"):
        raise ValueError(f"{folder}: there is no such user on this machine; write the path without ~.")
    return folder


def parse_proxy(typed: str) -> str:
    """Return a proxy's address. Raises ValueError for what is none."""
    address = _PROXY.fullmatch(typed.strip())
    if address is None or not 0 < int(address[1] or 80) < 65536:
        raise ValueError("A proxy is written as http://host:port.")
    return typed.strip()
