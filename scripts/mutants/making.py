"""Make the mutants of a module with mutmut's operators, and three more: on SQL, on calls for their effect, on `if`.

mutmut's own runner is not used: it selects a mutant by an environment variable, which the children here do not get,
and it passes over decorated functions, which all commands are. What only a reader of the log would notice is left out.

Tested in tests/test_mutants.py.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst import matchers as m
from libcst.metadata import ByteSpanPositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_match, operator_string

from scripts.mutants.sql import change_sql


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one change; the lines that were and are name it, wherever the module moves them."""

    module: str
    function: str
    was: str
    now: str
    code: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names this mutant in the list of the harmless ones."""
        return self.module, self.function, self.was, self.now


def mutants_of(module: str, code: str) -> list[Mutant]:
    """Return every mutant of a module's code, in the order of the code."""
    wrapper = cst.MetadataWrapper(cst.parse_module(code))
    spans = wrapper.resolve(ByteSpanPositionProvider)
    wrapper.module.visit(visitor := _Visitor())
    source, made = code.encode(), {}
    for function, old, new in visitor.changes:
        start, end = spans[old].start, spans[old].start + spans[old].length
        changed = (source[:start] + _text(old, new).encode() + source[end:]).decode()
        if changed != code and changed not in made and _compiles(changed):
            begins, ends = source.rfind(b"\n", 0, start) + 1, len(source) - source.find(b"\n", end)
            lines = _difference(source[begins:-ends].decode(), changed.encode()[begins:-ends].decode())
            made[changed] = Mutant(module, function, *lines, changed)
    return list(made.values())


def _text(old: cst.CSTNode, new: cst.CSTNode) -> str:
    """Write a node for the place of another, whose own parentheses stay where they are."""
    if getattr(old, "lpar", ()) and getattr(old, "lpar", ()) == getattr(new, "lpar", ()):
        new = new.with_changes(lpar=(), rpar=())
    text: str = cst.Module([]).code_for_node(new)
    return text.strip() if isinstance(new, cst.BaseCompOp | cst.Break | cst.Return) else text


def _compiles(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _difference(before: str, after: str) -> tuple[str, str]:
    # Written anew, a call over many lines has another indentation, which is no change.
    old, new = ([line.strip() for line in text.splitlines()] for text in (before, after))
    lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
    was = [line[1:] for line in lines if line.startswith("-")]
    now = [line[1:] for line in lines if line.startswith("+")]
    return "\n".join(was), "\n".join(now)


class _Visitor(cst.CSTVisitor):  # type: ignore[misc, unused-ignore]  # for whoever has no libcst
    """Collects the changes inside of functions, and those to SQL wherever it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[tuple[str, cst.CSTNode, cst.CSTNode]] = []
        self._functions: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Collect a node's changes; skip what runs before the tests do, and what nobody but the log sees."""
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Param) or m.matches(node, _LOG | _DOCSTRING):
            return False
        if isinstance(node, cst.FunctionDef):
            self._functions.append(node.name.value)
        if isinstance(node, cst.If):
            self.changes.append((self._functions[-1] if self._functions else "", node.test, _negated(node.test)))
        for kind, operator in _OPERATORS if self._functions else _EVERYWHERE:
            if isinstance(node, kind):
                function = self._functions[-1] if self._functions else ""
                self.changes += [(function, node, new) for new in operator(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Note that a function ends."""
        if isinstance(original_node, cst.FunctionDef):
            self._functions.pop()


_DOCSTRING = m.Expr(m.SimpleString())
_LOG = m.Expr(m.Call(m.Attribute(m.Name("log"))))


def _sql(node: cst.SimpleString) -> Iterator[cst.CSTNode]:
    start, end = len(node.prefix) + len(node.quote), len(node.value) - len(node.quote)
    for changed in change_sql(node.value[start:end]):
        yield node.with_changes(value=node.value[:start] + changed + node.value[end:])


def _sql_in_f_string(node: cst.FormattedStringText) -> Iterator[cst.CSTNode]:
    for changed in change_sql(node.value):
        yield node.with_changes(value=changed)


def _call_for_its_effect(node: cst.Expr) -> Iterator[cst.CSTNode]:
    if m.matches(node.value, m.Call() | m.Await(m.Call())):
        yield cst.Pass()


def _negated(test: cst.BaseExpression) -> cst.BaseExpression:
    return cst.UnaryOperation(cst.Not(), test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))


Operator = tuple[type, Callable[[Any], Any]]

_EVERYWHERE: list[Operator] = [(cst.SimpleString, _sql), (cst.FormattedStringText, _sql_in_f_string)]
_OPERATORS: list[Operator] = [
    *((kind, operator) for kind, operator in mutation_operators if operator not in (operator_string, operator_match)),
    (cst.Expr, _call_for_its_effect),
    *_EVERYWHERE,
]
