"""Finds the texts that are labels, by the component that each is given to, and how many letters Discord takes there.

What `bot/edge/` gives to a component is followed to the marked texts that it comes from: through local names, tables,
functions and imports. What is filled into a text, and what people have named, is not followed.

Tested in tests/test_labels.py.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_Limits = Mapping[str | int, int]
_OPTION: _Limits = {"label": 100, "description": 100}
_MENU: _Limits = {"placeholder": 150}
COMPONENTS: Mapping[str, _Limits] = {
    "Button": {"label": 80},
    "Modal": {"title": 45},
    "Form": {"title": 45},
    "Label": {"text": 45, "description": 100},
    "TextInput": {"label": 45, "placeholder": 100},
    **dict.fromkeys(("SelectOption", "RadioGroupOption", "CheckboxGroupOption"), _OPTION),
    **dict.fromkeys(("Select", "ChannelSelect", "RoleSelect", "UserSelect", "MentionableSelect"), _MENU),
    "Choice": {"name": 100, 1: 100},
    "Thumbnail": {"description": 256},
    "MediaGalleryItem": {"description": 256},
    "File": {"description": 1024},
    "ActionButton": {"label": 80, 3: 80},
    "choices_of": {1: 100},
    "_PictureButton": {3: 80},
    "_layout": {"alt_text": 256},
}
"""by component, or what of ours makes one: the letters that Discord takes, by argument"""
_MARKS = {"_": "t", "N_": "t", "ngettext": "tt", "nN_": "tt", "pgettext": "ct", "pN_": "ct"}
_CUTTING = ("shorten", "one_line", "listed")
_PASSING = ("enumerate", "list", "sorted", "str", "tuple")
"""Python's own, of which a label may be made"""
Key = tuple[str | tuple[str, str], str | None]
"""a message's text or texts, and its context"""


@dataclass(frozen=True, slots=True)
class Given:
    """What one component is given in one argument."""

    where: str
    """the file, the component and the argument"""
    most: int
    texts: frozenset[Key]
    functions: frozenset[str]
    """those of `bot.texts` whose whole text it is, however long"""


@dataclass(slots=True)
class _Module:
    """A file's names, each with what defines it."""

    name: str
    tree: ast.Module
    defined: dict[str, ast.AST] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


@functools.cache
def _read(name: str) -> _Module | None:
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    if not name.startswith("bot.") or not path.is_file():
        return None
    module = _Module(name, ast.parse(path.read_text(encoding="utf-8")))
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
class _Scope:
    """Where an expression stands."""

    module: _Module
    function: ast.AST | None = None


@dataclass(slots=True)
class _Search:
    """Follows an expression to the texts that it may be."""

    texts: set[Key] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    seen: set[ast.AST] = field(default_factory=set)

    def follow(self, node: ast.AST, scope: _Scope, *, whole: bool = True) -> None:
        """Follow an expression; `whole` says that nothing cuts it."""
        if node in self.seen:
            return
        self.seen.add(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if name in _MARKS:
                self._mark(name, args, scope)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _CUTTING:
                self.follow(first, scope, whole=False)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _PASSING:
                self.follow(first, scope, whole=whole)
            case ast.Call(func=ast.Attribute(value=value) | ast.Subscript(value=value)):
                self.follow(value, scope, whole=whole)
            case ast.Call(func=function):
                self.follow(function, scope, whole=whole)
            case ast.Name(id=name):
                self._name(name, scope, whole)
            case _:
                for part in _parts(node):
                    self.follow(part, scope, whole=whole)

    def _mark(self, name: str, args: list[ast.expr], scope: _Scope) -> None:
        given = [arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        kinds = _MARKS[name]
        if len(given) < len(kinds):
            for arg in args:
                self.follow(arg, scope)
        elif kinds == "ct":
            self.texts.add((given[1], given[0]))
        else:
            self.texts.add(((given[0], given[1]) if kinds == "tt" else given[0], None))

    def _name(self, name: str, scope: _Scope, whole: bool) -> None:
        for value in _assigned(name, scope.function):
            self.follow(value, scope, whole=whole)
        module: _Module | None = scope.module
        if name in _parameters(scope.function):  # its callers are looked at, by what `COMPONENTS` says of them
            return
        if name in scope.module.imported:
            source, name = scope.module.imported[name]
            module = _read(source)
        found = module.defined.get(name) if module else None
        if module is None or found is None:
            return
        if not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            self.follow(found, _Scope(module), whole=whole)
            return
        if whole and module.name.startswith("bot.texts.") and not scope.module.name.startswith("bot.texts."):
            self.functions.add(f"{module.name.removeprefix('bot.texts.')}.{name}")
        for part in ast.walk(found):
            if isinstance(part, ast.Return | ast.Yield) and part.value is not None:
                self.follow(part.value, _Scope(module, found), whole=whole)


def _parts(node: ast.AST) -> list[ast.AST]:
    """Return the parts of an expression that may be its text; not what chooses between them."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.Dict(values=values) | ast.BoolOp(values=values) | ast.JoinedStr(values=values):
            return [*values]
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return [*elements]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.Lambda(body=element):
            return [element]
        case ast.DictComp(value=value) | ast.Subscript(value=value) | ast.Attribute(value=value):
            return [value]
        case ast.Starred(value=value) | ast.FormattedValue(value=value) | ast.NamedExpr(value=value):
            return [value]
    return []


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


def _component(call: ast.Call, owner: ast.ClassDef | None) -> str:
    """Return what a call makes; of `super().__init__` what its class is."""
    match call.func:
        case ast.Attribute(attr="__init__") if owner is not None:
            bases = (base.value if isinstance(base, ast.Subscript) else base for base in owner.bases)
            names = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in bases]
            return next((name for name in names if name in COMPONENTS), "")
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return "SelectOption" if name == "kind" else name
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
        module = _read(name)
        assert module is not None
        for call, component, function in _calls(module.tree):
            limits = COMPONENTS.get(component, {})
            arguments: dict[str | int | None, ast.expr] = {item.arg: item.value for item in call.keywords}
            arguments |= dict(enumerate(call.args))
            for argument, most in limits.items():
                if argument in arguments:
                    search = _Search()
                    search.follow(arguments[argument], _Scope(module, function))
                    where = f"{name.removeprefix('bot.edge.')} {component} {argument}"
                    found.append(Given(where, most, frozenset(search.texts), frozenset(search.functions)))
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
