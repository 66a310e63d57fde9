"""Numbers as each language writes them."""

from __future__ import annotations

import pytest

from bot.texts.languages.numbers import percent, rounded, shortest, whole
from bot.texts.languages.spoken import speaking

NARROW, FIXED = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("en", ["1,234,567", "-1,234", "999", "1,234.5", "0.0", "2.5", "42%"]),
        ("de", ["1.234.567", "-1.234", "999", "1.234,5", "0,0", "2,5", f"42{FIXED}%"]),
        ("fr", [f"1{NARROW}234{NARROW}567", f"-1{NARROW}234", "999", f"1{NARROW}234,5", "0,0", "2,5", f"42{FIXED}%"]),
        ("es", ["1.234.567", "-1234", "999", "1234,5", "0,0", "2,5", f"42{FIXED}%"]),
        ("pt-BR", ["1.234.567", "-1.234", "999", "1.234,5", "0,0", "2,5", "42%"]),
        ("ja", ["1,234,567", "-1,234", "999", "1,234.5", "0.0", "2.5", "42%"]),
    ],
)
def test_numbers_have_the_signs_of_the_language(code: str, texts: list[str]) -> None:
    with speaking(code):
        assert [
            *(whole(number) for number in (1_234_567, -1_234, 999)),
            *(rounded(number, 1) for number in (1_234.5, 0.0)),
            shortest(2.5),
            percent(0.42),
        ] == texts


@pytest.mark.parametrize(("number", "text"), [(4294967295.0, "4294967295"), (1234567, "1234567"), (0.02, "0.02")])
def test_a_number_that_may_be_typed_is_written_without_an_exponent(number: float, text: str) -> None:
    assert shortest(number) == text
