"""Find the commands that the documentation shows, and tell for each how it is known to be right.

A block of commands has before it `<!-- tried: NAME -->`, when a trial of scripts/paths or a test of that file runs it
as written, or `<!-- not tried: WHY -->`, when nothing here can; else each command is looked up in what it calls.
Tested in tests/test_shown.py.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.site.command_line import programs

ROOT = Path(__file__).parents[2]
REASONS = (
    "Windows", "a real card", "the real Discord", "Docker", "systemd itself", "other machines", "5 GB of CUDA", "sudo",
    "Kubernetes",
)  # fmt: skip
"""why nothing here can run a block"""
_FENCE = re.compile(
    r"(?:^<!-- (?P<how>tried|not tried): (?P<which>[^>]+?) -->\n)?"
    r"^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_INDENTED = re.compile(r"(?<=\n\n)(?:(?: {4}.*)\n|\n(?= {4}))+")
_SHELLS = ("", "sh", "bash", "console", "shell", "powershell")
_INLINE = re.compile(r"`((?:make|vivant|docker compose|--sections|(?:\.venv/bin/)?python3? -m) [^`]+)`")


@dataclass(frozen=True)
class Block:
    """Commands that a page shows; `how` is tried, not tried or nothing, `which` the trial or the reason."""

    page: str
    text: str
    how: str = ""
    which: str = ""

    @property
    def lines(self) -> list[str]:
        """Return its commands, those over several lines as one."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def blocks(page: str, markdown: str) -> Iterator[Block]:
    """Yield the blocks of commands of a page, and each command in the middle of a sentence as a block of its own."""
    for found in _FENCE.finditer(markdown):
        if found["language"] in _SHELLS and not _is_drawing(found["text"]):
            yield Block(page, found["text"], found["how"] or "", found["which"] or "")
    rest = _FENCE.sub("", markdown)
    for found in _INDENTED.finditer(rest):
        text = re.sub("^    ", "", found[0], flags=re.MULTILINE)
        if not _is_settings(text) and not text.startswith("- "):
            yield Block(page, text)
    for found in _INLINE.finditer(_INDENTED.sub("", rest)):
        yield Block(page, found[1].replace("\n", " "))


def _is_settings(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def _is_drawing(text: str) -> bool:
    return any(letter in text for letter in "─│═→")


# -- how a command is known to be right --------------------------------------------------------------------------------


def unknown(block: Block, trials: Sequence[str]) -> list[str]:
    """Return what is wrong with a block: each command that nothing knows, a trial or a reason that is none."""
    if block.how == "tried":
        known = block.which in trials or _names(ROOT / block.which, block.page)
        return [] if known else [f"there is no trial {block.which}"]
    if block.how == "not tried":
        return [] if block.which in REASONS else [f"{block.which} is no reason"]
    return [problem for line in block.lines for problem in _unknown_in(line)]


def _names(test: Path, page: str) -> bool:
    """Tell whether a test file names a page, whose block it runs."""
    return test.is_file() and test.suffix == ".py" and f'"{page}"' in test.read_text()


def _unknown_in(line: str) -> Iterator[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;><")
    lexer.whitespace_split, lexer.commenters = True, "#"
    try:
        words = list(lexer)
    except ValueError as error:
        yield f"{line}: {error}"
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("&|;"):
            while command and re.match(r"\w+=", command[0]):
                command.pop(0)
            if command and (problem := _problem(command)):
                yield f"{line}: {problem}"
            command = []
        else:
            command.append(word)


def _problem(words: list[str]) -> str:
    """Return why a command is not known; nothing when it is."""
    program, rest = words[0], words[1:]
    if program == "--sections":  # as docs/performance.md shows the sections of one benchmark
        return _no_sections(rest)
    if program == "make":
        return _no_target(rest)
    if program == "vivant":
        return _no_command("python -m bot", rest)
    if re.fullmatch(r"(\S*/)?python3?", program) and rest[:1] == ["-m"] and rest[1:]:
        known = f"python -m {rest[1]}"
        return _no_command(known, rest[2:]) if known in programs() else _no_module(rest[1], rest[2:])
    if program == "docker" and rest[:1] == ["compose"]:
        return _no_service(rest[1:])
    if program == "pip" and rest[:1] == ["install"]:
        return _no_extra(rest[1:])
    if program in ("cp", "mv", "cat") and rest:
        sources = [word for word in rest[: -1 if program == "cp" else None] if not word.startswith("-")]
        missing = [word for word in sources if not (ROOT / word).exists()]
        return f"the repository has no {' '.join(missing)}" if missing else ""
    return f"nothing tells whether {program} does this; mark the block as tried or not tried"


def _no_extra(words: list[str]) -> str:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    known = {f"vivant[{extra}]" for extra in extras}
    return "" if words and known.issuperset(words) else f"pip install {' '.join(words)}: not an extra of ours"


def _no_target(words: list[str]) -> str:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    missing = [word for word in words if "=" not in word and word not in targets]
    return f"the Makefile has no {' '.join(missing)}" if missing else ""


def _no_sections(words: list[str]) -> str:
    code = (ROOT / "tests/benchmarks/gpu/__main__.py").read_text()
    missing = [name for word in words for name in word.split(",") if f'"{name}"' not in code]
    return f"the benchmark has no section {' '.join(missing)}" if missing else ""


def _no_command(program: str, words: list[str]) -> str:
    """Look a command up in the tree of its program, with each option that it names."""
    command: Any = programs()[program]
    if program == "python -m generator" and words and words[0] not in command.commands and words[0] != "--recipe":
        words = ["render", *words]  # as generator/__main__.py reads a picture
    known = {name: item for item in command.params for name in item.opts}
    free = 0
    while words:
        word, *words = words
        name = word.split("=")[0]
        if word in (">", "...") or word.startswith("..."):
            return ""
        if inner := getattr(command, "commands", {}).get(word):
            command = inner
            known |= {name: item for item in command.params for name in (*item.opts, *item.secondary_opts)}
        elif word.startswith("-") and name != "--help":
            if name not in known:
                return f"{program} has no {name}"
            takes_value = not getattr(known[name], "is_flag", False) and "=" not in word
            words = words[1:] if takes_value else words
        elif not word.startswith("-"):
            free += 1
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    if free > len(arguments):
        return f"{program} knows no such command"
    return ""


def _no_module(name: str, words: list[str]) -> str:
    """Look a module of ours up, with the options that its file or its package names."""
    if name == "pytest":
        missing = [word for word in words if not word.startswith("-") and not (ROOT / word).exists()]
        return f"the repository has no {' '.join(missing)}" if missing else ""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        return f"there is no module {name}"
    if not name.startswith(("bot", "generator", "scripts", "tests")):
        return f"{name} is not ours; mark the block as tried or not tried"
    folder = Path(found.origin).parent
    files = folder.rglob("*.py") if found.submodule_search_locations else [Path(found.origin)]
    text = "".join(path.read_text() for path in files)
    missing = [word for word in words if re.match("--[a-z]", word) and not _is_option(word, text)]
    return f"{name} has no {' '.join(missing)}" if missing else ""


def _is_option(word: str, code: str) -> bool:
    """Tell whether code knows an option: as argparse's, or as a number that it is called with."""
    name = word.split("=")[0]
    return f'"{name}"' in code or ("=" in word and re.search(rf"\b{name[2:]}: int\b", code) is not None)


_COMPOSE = ("exec", "up", "run", "ps", "stop", "logs", "down", "build")


def _no_service(words: list[str]) -> str:
    import yaml

    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    free = [word for word in words if not word.startswith("-") and word != "..."]
    if free[:1] and free[0] not in _COMPOSE:
        return f"docker compose has no {free[0]}"
    if free[1:] and free[1] not in services:
        return f"compose.yaml has no service {free[1]}"
    if free[:1] == ["exec"] and free[2:]:  # after the service a whole command, as in the container
        return _problem(words[words.index(free[1]) + 1 :])
    return _no_command("python -m bot", free[2:]) if free[:1] == ["run"] else ""
