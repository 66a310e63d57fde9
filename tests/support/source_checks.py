"""What the habits of the tests are checked with: private names in a source, and tests without a claim.

Tested in tests/test_habits.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef

FOREIGN = {
    "_exit": "os._exit is public: it ends a process without its clean-up",
    "_resize_with_antialiasing": "what diffusers' pipeline does to a picture; nothing public does the same",
    "_scaled_mm": "torch's product of 8-bit numbers, which has no public name before torch 2.10",
    "_cdata": "the identity of a torch storage, which has no public name",
    "_scaled_dot_product_efficient_attention": "a torch operator that only its private name tells apart",
    "_scaled_dot_product_flash_attention": "a torch operator that only its private name tells apart",
}
"""private names of other people's objects that nothing public stands for, and why"""

CLAIMS = ("assert", "require", "raises", "warns", "fail", "until", "eventually", "expect", "wait_for")
"""names of what raises when a claim does not hold begin with one of these"""


def private_uses(source: str) -> list[str]:
    """Return where a source uses private names of objects other than its own classes': line number and name.

    `self._name` is its own when the class, or a base in the same source, defines it. A private method that overrides
    one of a base in another source is not found.
    """
    tree = ast.parse(source)
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    own = {id(use) for one in classes.values() for use in _uses_of_own(one, classes)}
    found = [(line, name) for line, name, use in _named(tree) if _is_private(name) and id(use) not in own]
    return [f"{line}: {name}" for line, name in sorted(found)]


def _is_private(name: str) -> bool:
    is_mark = name == "_"  # by which gettext's tools know a sentence
    return name.startswith("_") and not name.startswith("__") and not is_mark and name not in FOREIGN


def _named(tree: ast.AST) -> Iterator[tuple[int, str, ast.AST]]:
    """Yield every name that is taken from something else: as an attribute, by an import, or as text by setattr."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                yield node.lineno, name, node
            case ast.ImportFrom(names=names):
                yield from ((node.lineno, alias.name, node) for alias in names)
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "delattr") | ast.Attribute(attr="setattr" | "delattr")
            ):
                texts = [str(item.value) for item in node.args if isinstance(item, ast.Constant)]
                yield from ((node.lineno, text.rpartition(".")[2], node) for text in texts)


def _uses_of_own(one: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.Attribute]:
    names = _defined(one, classes)
    return [use for use in _self_attributes(one) if use.attr in names]


def _self_attributes(tree: ast.AST) -> list[ast.Attribute]:
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [use for use in uses if isinstance(use.value, ast.Name) and use.value.id in ("self", "cls")]


def _defined(one: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> set[str]:
    """Return the names that a class defines: methods, fields, what is stored on self, and those of its bases here."""
    names = {node.name for node in one.body if isinstance(node, Function)}
    names |= {node.id for node in ast.walk(one) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {use.attr for use in _self_attributes(one) if isinstance(use.ctx, ast.Store)}
    for base in one.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            names |= _defined(classes[base.id], classes)
    return names


def claimless_tests(source: str) -> list[str]:
    """Return the tests that neither assert, nor call what raises, nor say in a docstring what would fail them."""
    tests = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Function)]
    return [node.name for node in tests if node.name.startswith("test_") and not _claims(node)]


def _claims(test: Function) -> bool:
    calls = [node.func for node in ast.walk(test) if isinstance(node, ast.Call)]
    names = [func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls]
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(test))
    return asserts or ast.get_docstring(test) is not None or any(name.startswith(CLAIMS) for name in names)
