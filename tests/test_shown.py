"""Every command of the documentation is run by a trial or known to what it calls, or says why it can't be tried."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.paths.trials import TRIALS, shown
from scripts.site.shown import Block, blocks, unknown

ROOT = Path(__file__).parent.parent
PAGES = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))]


def problems(page: str, text: str) -> list[str]:
    return [problem for block in blocks(page, text) for problem in unknown(block, list(TRIALS))]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_command_of_a_page_is_known_to_be_right(page: str) -> None:
    assert problems(page, (ROOT / page).read_text()) == []


def test_the_pages_that_install_show_what_is_tried() -> None:
    found = {page: list(blocks(page, (ROOT / page).read_text())) for page in PAGES}
    assert sum(map(len, found.values())) > 100
    tried = {block.which for several in found.values() for block in several if block.how == "tried"}
    assert {"source", "wheel", "pipx", "uv", "pip"} <= tried


GOOD = """
Use `make demo`, or `python -m bot doctor --json`.

```
make setup test                                  # two
.venv/bin/python -m bot cluster join 10.0.0.5:6379 --cards 2
VIVANT_TOKEN=... vivant run --config config.toml && vivant doctor
python -m generator picture.jpg -o clip.mp4 \\
    --variant demo
python -m generator --recipe clip.mp4
docker compose run --rm vivant doctor
docker compose exec vivant python -m bot status
pip install 'vivant[filter]'
cp config.example.toml config.toml
python -m scripts.container --torch cuda
```

    [generator]
    gpus = [0, 1]

```toml
rm = "no command"
```

<!-- not tried: Windows -->
```powershell
wsl --install
```
"""


def test_commands_that_are_right_pass() -> None:
    assert problems("a.md", GOOD) == []
    assert len(list(blocks("a.md", GOOD))) == 4, "settings are no commands"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("make everything", "Makefile has no everything"),
        ("--sections phases,faces", "no section faces"),
        ("vivant docter", "knows no such command"),
        ("python -m bot doctor --jason", "has no --jason"),
        ("vivant cluster leave", "knows no such command"),
        ("python -m bot demo one two", "knows no such command"),
        ("python -m generator plan --gib 8", "has no --gib"),
        ("python -m bot.nowhere", "no module bot.nowhere"),
        ("python -m scripts.container --touch cpu", "has no --touch"),
        ("python -m pytest tests/nowhere.py", "has no tests/nowhere.py"),
        ("docker compose run other doctor", "no service other"),
        ("docker compose fly", "has no fly"),
        ("docker compose exec vivant python -m bot stats", "knows no such command"),
        ("pip install vivant[everything]", "not an extra of ours"),
        ("docker compose run vivant docter", "knows no such command"),
        ("cp config.sample.toml config.toml", "no config.sample.toml"),
        ("make demo && reboot", "nothing tells whether reboot"),
        ("curl https://example.org | sh", "nothing tells whether curl"),
        ("echo 'x", "No closing quotation"),
    ],
)
def test_a_command_that_is_wrong_or_unknown_is_seen(command: str, says: str) -> None:
    """The negative controls, in a block and in the middle of a sentence."""
    (problem,) = unknown(Block("a.md", command), [])[:1]
    assert says in problem
    assert says in problems("a.md", f"```\n{command}\n```\n")[0]


def test_a_command_in_a_sentence_or_an_indented_block_is_seen() -> None:
    assert "no everything" in problems("a.md", "Try `make everything` now.\n")[0]
    assert "nothing tells" in problems("a.md", "Text:\n\n    reboot now\n\nMore.\n")[0]


@pytest.mark.parametrize(
    ("mark", "wrong"),
    [
        ("tried: source", False),
        ("tried: nothing", True),
        ("tried: tests/test_site.py", True),
        ("tried: tests/nowhere.py", True),
        ("not tried: a real card", False),
        ("not tried: too lazy", True),
    ],
)
def test_a_mark_names_a_trial_a_test_of_that_page_or_a_reason(mark: str, wrong: bool) -> None:
    assert bool(problems("docs/a-page.md", f"<!-- {mark} -->\n```\nreboot\n```\n")) is wrong


def test_a_certificate_is_made_as_the_page_says(tmp_path: Path) -> None:
    script = shown("docs/cluster.md", "tests/test_shown.py").replace("rsa:3072", "rsa:1024")  # quicker
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    verify = ["openssl", "verify", "-CAfile", "ca.crt", "-verify_ip", "10.0.0.6", "-auth_level", "0", "node.crt"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    verify[verify.index("10.0.0.6")] = "10.0.0.7"
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode != 0, "another address"
