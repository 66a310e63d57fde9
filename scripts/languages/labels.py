"""Finds the texts that are labels, by the component that each is given to, and how many letters Discord takes there.

Tested in tests/test_labels.py.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scripts.languages.origins import ROOT, Key, Origins, Scope, read_module

_Limits = Mapping[str | int, int]
COMPONENTS: Mapping[str, _Limits] = {
    "Button": {"label": 80},
    "Modal": {"title": 45},
    "Form": {"title": 45},
    "Label": {"text": 45, "description": 100},
    "SelectOption": {"label": 100, "description": 100},
    "RadioGroupOption": {"label": 100, "description": 100},
    "Select": {"placeholder": 150},
    "ChannelSelect": {"placeholder": 150},
    "RoleSelect": {"placeholder": 150},
    "Choice": {"name": 100, 1: 100},
    "Thumbnail": {"description": 256},
    "MediaGalleryItem": {"description": 256},
    "File": {"description": 1024},
    "ActionButton": {"label": 80, 3: 80},
    "choices_of": {1: 100},
    "_PictureButton": {3: 80},
    "_layout": {"alt_text": 256},
}
"""by component, or what of ours makes one: the letters that Discord takes, by argument (its name or position)"""


@dataclass(frozen=True, slots=True)
class Given:
    """What one component is given in one argument."""

    where: str
    """the file, the component and the argument"""
    most: int
    texts: frozenset[Key]
    functions: frozenset[str]
    """those of `bot.texts` whose whole text it is, however long"""


def _component(call: ast.Call, owner: ast.ClassDef | None) -> str:
    """Return what a call makes; of `super().__init__` what its class is."""
    match call.func:
        case ast.Attribute(attr="__init__") if owner is not None:
            bases = (base.value if isinstance(base, ast.Subscript) else base for base in owner.bases)
            names = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in bases]
            return next((name for name in names if name in COMPONENTS), "")
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _calls(
    node: ast.AST, owner: ast.ClassDef | None = None, function: ast.AST | None = None
) -> Iterator[tuple[ast.Call, str, ast.AST | None]]:
    """Yield each call of a file with what it makes and the outermost function around it."""
    for child in ast.iter_child_nodes(node):
        inner_owner = child if isinstance(child, ast.ClassDef) else owner
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.Call):
            yield child, _component(child, owner), function
        yield from _calls(child, inner_owner, function or (child if is_function else None))


def given_labels() -> list[Given]:
    """Return everything that a component of `bot/edge/` is given to show."""
    found = []
    for path in sorted((ROOT / "bot/edge").rglob("*.py")):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        module = read_module(name)
        assert module is not None
        for call, component, function in _calls(module.tree):
            limits = COMPONENTS.get(component, {})
            arguments: dict[str | int | None, ast.expr] = {item.arg: item.value for item in call.keywords}
            arguments |= dict(enumerate(call.args))
            for argument, most in limits.items():
                if argument in arguments:
                    origins = Origins()
                    origins.follow(arguments[argument], Scope(module, function))
                    where = f"{name.removeprefix('bot.edge.')} {component} {argument}"
                    found.append(Given(where, most, frozenset(origins.texts), frozenset(origins.functions)))
    return found


@functools.cache
def label_limits() -> dict[Key, int]:
    """Return how many letters each label may have where there is least room for it."""
    limits: dict[Key, int] = {}
    for given in given_labels():
        limits |= {key: min(given.most, limits.get(key, given.most)) for key in given.texts}
    return limits


def key_of(text: str | Sequence[str], context: str | None) -> Key:
    """Return by what a message is looked up here; a plural one has two texts or more."""
    return (text if isinstance(text, str) else (text[0], text[1]), context)


@functools.cache
def label_functions() -> dict[str, int]:
    """Return how many letters the functions of `bot.texts` may return whose whole text is a label."""
    limits: dict[str, int] = {}
    for given in given_labels():
        limits |= {name: min(given.most, limits.get(name, given.most)) for name in given.functions}
    return limits
