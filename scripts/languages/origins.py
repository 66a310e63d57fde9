"""Finds the marked texts that an expression may come to: through local names, tables, functions and imports.

What chooses between texts, what is filled into one, and what people have named is not followed.

Tested in tests/test_labels.py.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
KEYWORDS: dict[str, Any] = {
    "_": None,
    "N_": None,
    "ngettext": (1, 2),
    "nN_": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pN_": ((1, "c"), 2),
}
"""what marks a text, and which of its arguments are texts or a context (c), as Babel writes that"""
_CUTTING = ("shorten", "one_line", "listed")
_PASSING = ("enumerate", "list", "sorted", "str", "tuple")
"""Python's own, of which a label may be made"""
_NO_TEXT = {"args", "keywords", "test", "slice", "key", "keys", "generators", "format_spec"}
"""the parts of an expression that are not shown but choose, order or fill in what is"""
Key = tuple[str | tuple[str, str], str | None]
"""a message's text, or the singular and the plural, and its context"""


@dataclass(slots=True)
class Module:
    """A file's names, each with what defines it."""

    name: str
    tree: ast.Module
    defined: dict[str, ast.AST] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


@functools.cache
def read_module(name: str) -> Module | None:
    """Return a module of `bot` by its dotted name; None for any other one."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    if not name.startswith("bot.") or not path.is_file():
        return None
    return parse_module(name, path.read_text(encoding="utf-8"))


def parse_module(name: str, source: str) -> Module:
    """Return what a module's text says, by its dotted name."""
    module = Module(name, ast.parse(source))
    for node in module.tree.body:
        match node:
            case ast.ImportFrom(module=str() as source, names=names):
                module.imported |= {item.asname or item.name: (source, item.name) for item in names}
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                module.defined[node.name] = node
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                module.defined[target] = value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                module.defined[target] = value
    return module


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands."""

    module: Module
    function: ast.AST | None = None


@dataclass(slots=True)
class Origins:
    """What was found on the way back from an expression."""

    texts: set[Key] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    """those of `bot.texts` whose whole text it is, however long"""
    _seen: set[ast.AST] = field(default_factory=set)

    def follow(self, node: ast.AST, scope: Scope, *, whole: bool = True) -> None:
        """Follow an expression; `whole` says that nothing cuts it."""
        if node in self._seen:
            return
        self._seen.add(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if name in KEYWORDS:
                self._mark(name, args, scope)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in (*_CUTTING, *_PASSING):
                self.follow(first, scope, whole=whole and name in _PASSING)
            case ast.Name(id=name):
                self._name(name, scope, whole)
            case _:
                for part in _parts(node):
                    self.follow(part, scope, whole=whole)

    def _mark(self, name: str, args: list[ast.expr], scope: Scope) -> None:
        match name, [arg.value for arg in args if isinstance(arg, ast.Constant)]:
            case (("_" | "N_"), [str() as text, *_]):
                self.texts.add((text, None))
            case (("ngettext" | "nN_"), [str() as one, str() as many, *_]):
                self.texts.add(((one, many), None))
            case (("pgettext" | "pN_"), [str() as context, str() as text, *_]):
                self.texts.add((text, context))
            case _:  # it is looked up by a name or in a table
                for arg in args:
                    self.follow(arg, scope)

    def _name(self, name: str, scope: Scope, whole: bool) -> None:
        for value in _assigned(name, scope.function):
            self.follow(value, scope, whole=whole)
        if name in _parameters(scope.function):  # its callers are looked at, by what `COMPONENTS` says of them
            return
        module: Module | None = scope.module
        if name in scope.module.imported:
            source, name = scope.module.imported[name]
            module = read_module(source)
        if module is None or (found := module.defined.get(name)) is None:
            return
        if not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            self.follow(found, Scope(module), whole=whole)
            return
        if whole and module.name.startswith("bot.texts.") and not scope.module.name.startswith("bot.texts."):
            self.functions.add(f"{module.name.removeprefix('bot.texts.')}.{name}")
        for part in ast.walk(found):
            if isinstance(part, ast.Return | ast.Yield) and part.value is not None:
                self.follow(part.value, Scope(module, found), whole=whole)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of an expression of which a text may be made."""
    for name, value in ast.iter_fields(node):
        if name not in _NO_TEXT:
            yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST))


def _parameters(function: ast.AST | None) -> set[str]:
    """Return the names that a function is given."""
    return {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)} if function else set()


def _assigned(name: str, function: ast.AST | None) -> Iterator[ast.AST]:
    """Yield what a function lets a name be."""
    for node in ast.walk(function) if function else ():
        match node:
            case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
                pass
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                pass
            case _:
                continue
        if any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(target)):
            yield value
