"""The mutation run notices what its tests notice, keeps the list of survivors, and draws the same mutants again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scripts.mutants.sql import change_sql

pytest.importorskip("mutmut", reason="the mutation run's own package; pip install '.[dev]'")

from scripts.mutants.__main__ import main, run_tests
from scripts.mutants.drawing import drawn, modules_of, read_reasons, write_reasons
from scripts.mutants.drawing import tests_of as files_of
from scripts.mutants.drawing import tests_of_callers as files_of_callers
from scripts.mutants.making import Mutant, mutants_of

CODE = '''"""Counts."""

import logging

log = logging.getLogger(__name__)


def at_least(count: int, least: int = 3) -> bool:
    """Tell whether a count is enough."""
    log.info("asked %d", count)
    return count >= least


def add_ten(count: int) -> int:
    """Add ten."""
    return count + 10
'''

TEST = """from bot.work.counts import add_ten, at_least

def test_at_least() -> None:
    assert at_least(4) and not at_least(2)

def test_add_ten() -> None:
    assert add_ten(1) == 11
"""

SURVIVES = ("bot/work/counts.py", "at_least", "return count >= least", "return count > least")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A repository with one module, and a test that does not look at the bound itself."""
    for name, text in {
        "bot/work/counts.py": CODE,
        "bot/__init__.py": "",
        "bot/work/__init__.py": "",
        "tests/bot/work/test_counts.py": TEST,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def now_of(text: str) -> list[str]:
    return [mutant.now for mutant in mutants_of("a.py", text)]


def test_what_survives_is_listed_and_what_a_test_notices_is_not(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The negative control is inside: the other mutants of the same module are noticed."""
    assert main(["work", "--jobs", "1"], house) == 1
    assert read_reasons(house / "tests/mutants.json") == {SURVIVES: ""}
    printed = capsys.readouterr().out
    assert "SURVIVED" in printed and "test_add_ten" in printed
    assert (house / "bot/work/counts.py").read_text() == CODE


def test_a_harmless_mutant_is_not_tried_again_and_is_forgotten_with_its_line(house: Path) -> None:
    entry = dict(zip(("module", "in", "was", "now"), SURVIVES, strict=True)) | {"harmless": "a reason"}
    (house / "tests/mutants.json").write_text(json.dumps([entry]))
    assert main(["work", "--jobs", "1"], house) == 0
    assert read_reasons(house / "tests/mutants.json") == {SURVIVES: "a reason"}
    (house / "bot/work/counts.py").write_text(CODE.replace("count >= least", "least <= count"))
    main(["work", "--jobs", "1", "--count", "0"], house)
    assert read_reasons(house / "tests/mutants.json") == {}


def add_caller(house: Path, room: str) -> str:
    """Add a module that calls the first one, and its test, which looks at the bound; return the test's path."""
    caller = "from bot.work.counts import at_least\n\n\ndef is_party(people: int) -> bool:\n    return at_least(people)"
    test = f"from bot.{room}.party import is_party\n\ndef test_a_party() -> None:\n    assert is_party(3)\n"
    for name, text in ((f"bot/{room}/party.py", caller), (f"tests/bot/{room}/test_party.py", test)):
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        (house / name).write_text(text)
    return f"tests/bot/{room}/test_party.py"


def test_survivors_are_tried_again_by_themselves_and_by_the_tests_of_their_callers(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reasons(house / "tests/mutants.json", {SURVIVES: ""})
    noticing = add_caller(house, "work")
    assert main(["work", "--jobs", "1", "--again"], house) == 0
    printed = capsys.readouterr().out
    assert "1 of 1 noticed" in printed and f"{noticing}::test_a_party" in printed
    assert read_reasons(house / "tests/mutants.json") == {}


def test_callers_are_those_of_the_same_area(house: Path) -> None:
    ours, _ = add_caller(house, "work"), add_caller(house, "edge")
    modules = modules_of("work", house)
    assert files_of_callers("bot/work/counts.py", modules, house) == (ours,)
    assert files_of_callers("bot/work/party.py", modules, house) == ()


def test_a_test_that_hangs_has_noticed(house: Path) -> None:
    (house / "tests/bot/work/test_counts.py").write_text("import time\n\ndef test_a() -> None:\n    time.sleep(60)\n")
    assert run_tests(house, ["tests/bot/work/test_counts.py"], 1) == "a hang"


def test_tests_that_fail_without_a_mutant_end_the_run(house: Path) -> None:
    (house / "tests/bot/work/test_counts.py").write_text("def test_a() -> None:\n    assert False\n")
    with pytest.raises(SystemExit, match="fails on the code as it is"):
        main(["work", "--jobs", "1"], house)


def test_the_draw_is_the_same_for_a_seed_and_takes_every_line_first() -> None:
    mutants = {
        name: [Mutant(name, "f", f"line {line}", f"{line} {way}", "") for line in range(count) for way in range(3)]
        for name, count in (("small.py", 2), ("large.py", 8))
    }
    order = drawn(mutants, 1)
    assert order == drawn(mutants, 1) != drawn(mutants, 2)
    first = order[:10]
    assert {mutant.was for mutant in first if mutant.module == "large.py"} == {f"line {line}" for line in range(8)}
    assert sum(mutant.module == "small.py" for mutant in first) == 2


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("def f(a):\n    if a:\n        g()\n", "if not (a):"),
        ("def f(a):\n    x = b or (not a)\n", "x = b or (a)"),
        ("def f(a):\n    x = not (a or b)\n", "x = (a or b)"),
        ("def f(a):\n    wake()\n", "pass"),
        ("async def f(a):\n    await wake()\n", "pass"),
        ("@command()\ndef f(a):\n    g(1, weight=a)\n", "g(1, )"),
        ("def f(a):\n    return a.x and a.y\n", "return a.x or a.y"),
        ("SQL = 'select 1 from job where id = 1'\n", "SQL = 'select 1 from job where true'"),
        ("def f(a):\n    g(f'select {a} where b and c')\n", "g(f'select {a} where b or c')"),
    ],
)
def test_a_mutant_changes_what_runs(code: str, changed: str) -> None:
    assert changed in now_of(code)


def test_a_mutant_is_named_by_the_lines_that_changed_and_no_others() -> None:
    made = mutants_of("a.py", "def f():\n    g(\n        1,\n        a=2,\n    )\n")
    assert ("f", "a=2,", "a=3,") in [(mutant.function, mutant.was, mutant.now) for mutant in made]
    assert ("f", "a=2,", "") in [(mutant.function, mutant.was, mutant.now) for mutant in made]


@pytest.mark.parametrize(
    "code",
    [
        "def f(a):\n    log.info('a %s', a)\n",
        "LIMIT = 3\n",
        "def f(a: int = 1) -> None: ...\n",
        "x: list[int]\n",
        '"""Update this and that."""\n',
    ],
)
def test_what_only_a_reader_of_the_code_or_of_the_log_would_notice_is_left_out(code: str) -> None:
    assert now_of(code) == []


@pytest.mark.parametrize(
    ("sql", "changed"),
    [
        ("select a from t where b = :b and c is not null", "select a from t where b = :b and true"),
        ("select a from t where b = :b and c is not null", "select a from t where true and c is not null"),
        ("select a from t where b in ('x', 'y') or c < 1", "select a from t where b in ('x', 'y') or c <= 1"),
        ("select a from t order by b, c", "select a from t order by c"),
        ("update t set a = coalesce(a, :now) where b = 1", "update t set a = :now where b = 1"),
        ("delete from t where a >= 1", "delete from t where a > 1"),
    ],
)
def test_sql_is_changed_one_condition_at_a_time(sql: str, changed: str) -> None:
    assert changed in list(change_sql(sql))


def test_a_sentence_is_no_sql() -> None:
    assert list(change_sql("It is yours and mine, or nobody's - is it not?")) == []


def test_the_tests_of_a_module_are_those_of_its_name_and_those_it_names(house: Path) -> None:
    (house / "tests/bot/work/test_more.py").touch()
    named = CODE.replace('"""Counts."""', '"""Counts.\n\nTested in tests/bot/work/test_more.py.\n"""')
    (house / "bot/work/counts.py").write_text(named)
    assert files_of("bot/work/counts.py", house) == ("tests/bot/work/test_counts.py", "tests/bot/work/test_more.py")
