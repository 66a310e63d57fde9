"""The order of the house: few things in each folder, a test file for each module, and no word that was given up.

Each check reads a folder that holds a house, so that the negative controls can break one on purpose.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "generator")

# -- few things in each folder --------------------------------------------------------------------------------------

MOST_ENTRIES = 12
NOT_COUNTED = {"__init__.py", "__pycache__"}
FILES_OF_OTHERS = ("bot/sandbox/page/static", "generator/model/demo_model/checkpoint")
"""a browser's files, and a model's weights in diffusers' own layout"""


def crowded(root: Path) -> dict[str, int]:
    """Return the folders of the program that hold too many entries, with their number."""
    folders = [folder for package in PACKAGES for folder in (root / package, *(root / package).rglob("*"))]
    counts = {
        folder.relative_to(root).as_posix(): sum(map(_counts, folder.iterdir()))
        for folder in folders
        if folder.is_dir() and not folder.relative_to(root).as_posix().startswith(FILES_OF_OTHERS)
    }
    return {name: count for name, count in counts.items() if count > MOST_ENTRIES}


def _counts(entry: Path) -> bool:
    """Tell whether a folder's entry counts; a folder of which git keeps nothing is left from an earlier version."""
    if entry.name in NOT_COUNTED or entry.suffix == ".pyc":
        return False
    return entry.is_file() or any(path.is_file() and path.suffix != ".pyc" for path in entry.rglob("*"))


def test_no_folder_holds_more_than_a_person_sees_at_once() -> None:
    assert crowded(ROOT) == {}


def test_a_crowded_folder_would_be_seen(tmp_path: Path) -> None:
    """The negative control: a thirteenth entry, in a room and in the package itself; a folder counts as one."""
    for folder in ("bot", "bot/room", "generator", FILES_OF_OTHERS[0]):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / "__pycache__").mkdir()
    for number in range(MOST_ENTRIES):
        (tmp_path / "bot" / "room" / f"m{number}.py").touch()
        (tmp_path / "generator" / f"m{number}.py").touch()
        (tmp_path / FILES_OF_OTHERS[0] / f"{number}.js").touch()
    (tmp_path / FILES_OF_OTHERS[0] / "another.js").touch()
    assert crowded(tmp_path) == {}
    one_more = tmp_path / "bot" / "room" / "one_more"
    (one_more / "__pycache__").mkdir(parents=True)
    (one_more / "__pycache__" / "left.cpython-311.pyc").touch()
    assert crowded(tmp_path) == {}, "nothing but what Python left"
    (one_more / "new.py").touch()
    (tmp_path / "generator" / "one_more.py").touch()
    assert crowded(tmp_path) == {"bot/room": 13, "generator": 13}


# -- a test file for each module ------------------------------------------------------------------------------------

_PATH = r"tests/[\w/]+\.py"
_TESTED_IN = re.compile(rf"Tested in ({_PATH}(?:(?:, | and ){_PATH})*)\.$")


def mirror(module: str) -> str:
    """Return where the test file of a module belongs, as paths below the root."""
    folder, _, file = module.rpartition("/")
    name = {"__main__.py": "main.py", "__init__.py": "init.py"}.get(file, file)
    return f"tests/{folder.replace('bot/sandbox', 'sandbox')}/test_{name}"


def named_tests(docstring: str) -> list[str]:
    """Return the test files that a module's docstring names in its last sentence."""
    found = _TESTED_IN.search(" ".join(docstring.split()))
    return re.findall(_PATH, found[1]) if found else []


def untested(root: Path) -> dict[str, str]:
    """Return the modules without a test file of their name that name no existing one, with what is missing."""
    missing: dict[str, str] = {}
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        module, tree = path.relative_to(root).as_posix(), ast.parse(path.read_text())
        named = named_tests(ast.get_docstring(tree) or "")
        only_a_docstring = path.name == "__init__.py" and len(tree.body) <= 1
        if only_a_docstring or (not named and _holds_tests(root / mirror(module))):
            continue
        wrong = [name for name in named or [mirror(module)] if not _holds_tests(root / name)]
        if wrong:
            missing[module] = ", ".join(wrong)
    return missing


def _holds_tests(path: Path) -> bool:
    return path.is_file() and re.search(r"^ *(async )?def test_", path.read_text(), re.MULTILINE) is not None


def test_each_module_has_its_test_file_or_names_where_it_is_tested() -> None:
    assert untested(ROOT) == {}


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("bot/queue/jobs.py", "tests/bot/queue/test_jobs.py"),
        ("bot/sandbox/faults.py", "tests/sandbox/test_faults.py"),
        ("bot/sandbox/world/people.py", "tests/sandbox/world/test_people.py"),
        ("generator/executor/__main__.py", "tests/generator/executor/test_main.py"),
        ("generator/model/demo_model/__init__.py", "tests/generator/model/demo_model/test_init.py"),
    ],
)
def test_the_tests_mirror_the_house(module: str, test: str) -> None:
    assert mirror(module) == test


def test_a_module_without_a_test_file_would_be_seen(tmp_path: Path) -> None:
    """The negative control: no file, a file without a test, a name that leads nowhere, a sentence in the middle."""
    for name, text in {
        "bot/__init__.py": '"""A package."""\n',
        "bot/tested.py": '"""A module."""\n',
        "tests/bot/test_tested.py": "def test_something() -> None: ...\n",
        "bot/elsewhere.py": '"""A module.\n\nTested in tests/bot/test_tested.py and\ntests/bot/test_tested.py.\n"""\n',
        "bot/forgotten.py": '"""A module."""\n',
        "bot/hollow.py": '"""A module."""\n',
        "tests/bot/test_hollow.py": '"""No test yet."""\n',
        "bot/misled.py": '"""A module. Tested in tests/bot/test_tested.py and tests/bot/test_gone.py."""\n',
        "bot/middle.py": '"""A module. Tested in tests/bot/test_tested.py. It does more."""\n',
        "generator/__init__.py": '"""A package with code."""\n\nVALUE = 1\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert untested(tmp_path) == {
        "bot/forgotten.py": "tests/bot/test_forgotten.py",
        "bot/hollow.py": "tests/bot/test_hollow.py",
        "bot/middle.py": "tests/bot/test_middle.py",
        "bot/misled.py": "tests/bot/test_gone.py",
        "generator/__init__.py": "tests/generator/test_init.py",
    }


# -- words that were given up ---------------------------------------------------------------------------------------

GIVEN_UP = re.compile(r"flights?|studios?|shoots?|shooting|muxers?|wish|wishe[sd]|wishing|verdicts?")
ALLOWED_PAIRS = {
    ("in", "flight"): "the field's own word for a request that a child has; also in_flight and InFlight",
}
LIST_OF_WORDS = Path(__file__)
TEXTS = {".py", ".md", ".sql", ".js", ".css", ".html", ".service"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; an identifier is split at its underscores and capitals."""
    return [word.lower() for word in _WORD.findall(text)]


def given_up(text: str) -> list[str]:
    """Return the words of a text that were given up, less what is allowed."""
    found = words(text)
    pairs = zip(["", *found], found, strict=False)
    return [pair[1] for pair in pairs if GIVEN_UP.fullmatch(pair[1]) and pair not in ALLOWED_PAIRS]


def texts(root: Path) -> Iterator[Path]:
    """Yield every file whose words count."""
    yield from sorted(root.glob("*.md"))
    for folder in (*PACKAGES, "tests", "docs"):
        yield from (path for path in sorted((root / folder).rglob("*")) if path.suffix in TEXTS)


def still_used(root: Path) -> dict[str, list[str]]:
    """Return the files whose names or texts still use words that were given up, with the words."""
    found = {path.relative_to(root).as_posix(): path for path in texts(root) if path != LIST_OF_WORDS}
    used = {name: given_up(f"{name}\n{path.read_text()}") for name, path in found.items()}
    return {name: sorted(set(given)) for name, given in used.items() if given}


def test_no_word_that_was_given_up_is_left() -> None:
    assert still_used(ROOT) == {}


def test_a_word_that_was_given_up_would_be_seen(tmp_path: Path) -> None:
    """The negative control: in identifiers, in prose, in a file's name; not inside of another word."""
    for name, text in {
        "bot/studio.py": "",
        "generator/a.py": "class FlightPlan:\n    _last_wish: int\n    SHOOTS = 1\n",
        "tests/test_a.py": '"""The Verdict."""\n',
        "docs/a.md": "Troubleshoot the overflight: requests in flight, InFlight and in_flight are wishful.\n",
        "README.md": "A muxer.\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert still_used(tmp_path) == {
        "bot/studio.py": ["studio"],
        "generator/a.py": ["flight", "shoots", "wish"],
        "tests/test_a.py": ["verdict"],
        "README.md": ["muxer"],
    }


# -- what ARCHITECTURE.md names -------------------------------------------------------------------------------------

_CODE = re.compile(r"`([^`\s]+)`")
_PATHS = re.compile(r"[\w.]+/")
_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*")


def names_that_are_not_there(text: str, root: Path) -> list[str]:
    """Return the names in backticks that are neither a path nor a file, function, class or constant of the program."""
    sources = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    known = {path.name for package in PACKAGES for path in (root / package).rglob("*")}
    for path in sources:
        known |= _defined(ast.parse(path.read_text()), f"{path.stem}.")
    return [
        name
        for name in _CODE.findall(text)
        if not (root / name).exists()
        and name.rstrip("/") not in known
        and (_NAME.fullmatch(name) or _PATHS.match(name))
    ]


def _defined(tree: ast.AST, owner: str) -> set[str]:
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found |= {node.name, f"{owner}{node.name}"}
                found |= _defined(node, f"{node.name}.") if isinstance(node, ast.ClassDef) else set()
            case ast.Assign():
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


OTHER_NAMES = {"motion_bucket_id", "noise_aug_strength", "torch.Generator", "sending", "sent", "svd", "demo", "outbox"}
"""the model's parameters, torch's class, states of a delivery, variants, a table"""


def test_what_the_architecture_names_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert set(names_that_are_not_there(text, ROOT)) - OTHER_NAMES == set()


def test_a_name_that_is_not_there_would_be_seen() -> None:
    """The negative control: a function, a method and a path that nobody wrote."""
    text = "`submit` calls `submitted`, `Worker.run`, `Worker.rest` and `bot/queue/nowhere.py`."
    assert names_that_are_not_there(text, ROOT) == ["submitted", "Worker.rest", "bot/queue/nowhere.py"]
