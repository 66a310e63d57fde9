"""What each question accepts, and what it says to everything else; each names its link and its flag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.doctor.setup import questions
from bot.doctor.setup.command import setup
from generator.variants import BUILT_IN

ALL = [
    questions.token_question(),
    questions.owners_question("Olga"),
    questions.language_question(),
    questions.variant_question(BUILT_IN, has_card=False),
    questions.memory_question("Found."),
    questions.folder_question(lambda folder: ""),
]


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.key)
def test_a_question_says_where_to_look_what_it_looks_like_and_has_a_flag(question: questions.Question) -> None:
    assert "http" in question.text or ".md" in question.text
    assert question.flag.removeprefix("--").replace("-", "_") in setup.__annotations__
    assert question.secret is (question.key == "token")


def test_a_machine_without_a_card_is_told_so_where_the_model_is_chosen() -> None:
    assert "only demo works" in questions.variant_question(BUILT_IN, has_card=False).text
    assert "only demo works" not in questions.variant_question(BUILT_IN, has_card=True).text


@pytest.mark.parametrize(
    ("parse", "typed", "value"),
    [
        (questions.parse_owners, " 223456789012345678,123456789012345678 ", [123456789012345678, 223456789012345678]),
        (questions.parse_owners, "123456789012345678 123456789012345678", [123456789012345678]),
        (questions.parse_owners, "-", []),
        (questions.parse_owners, "none", []),
        (questions.parse_language, " de ", "de"),
        (questions.parse_language, "pt_br", "pt-BR"),
        (questions.parse_language, "français", "fr"),
        (questions.parse_memory, " 6GiB ", "6GiB"),
        (questions.parse_folder, " ~/vivant ", "~/vivant"),
        (questions.parse_proxy, "http://user:pw@10.0.0.1:3128", "http://user:pw@10.0.0.1:3128"),
        (questions.parse_proxy, "http://[::1]:3128/", "http://[::1]:3128/"),
    ],
)
def test_a_good_answer_becomes_the_value_of_its_key(parse: Callable[[str], Any], typed: str, value: object) -> None:
    assert parse(typed) == value


@pytest.mark.parametrize(
    ("parse", "typed"),
    [
        (questions.parse_token, ""),
        (questions.parse_owners, " , "),
        (questions.parse_owners, "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨"),
        (questions.parse_owners, "123456789012345678, me"),
        (questions.parse_owners, "1" * 40),
        (questions.parse_language, ""),
        (questions.parse_language, "it"),
        (questions.parse_language, "de\0"),
        (questions.parse_memory, ""),
        (questions.parse_memory, "0x6GiB"),
        (questions.parse_folder, "a\nb"),
        (questions.parse_folder, "a\0b"),
        (questions.parse_proxy, "socks5://10.0.0.1:1"),
        (questions.parse_proxy, "http://"),
        (questions.parse_proxy, "http://host:0"),
    ],
)
def test_a_bad_answer_is_a_sentence(parse: Callable[[str], Any], typed: str) -> None:
    with pytest.raises(ValueError, match=r"\.$|\?$"):
        parse(typed)


def test_a_variant_is_one_that_there_is() -> None:
    assert questions.parse_variant(" svd ", BUILT_IN) == "svd"
    with pytest.raises(ValueError, match="There is no variant 'SVD!'"):
        questions.parse_variant("SVD!", BUILT_IN)


def test_a_folder_that_cannot_be_used_is_asked_for_again() -> None:
    question = questions.folder_question(lambda folder: "full." if folder == Path("full") else "")
    assert question.parse("empty") == "empty"
    with pytest.raises(ValueError, match="full"):
        question.parse("full")


def test_a_wrong_token_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="Reset Token") as caught:
        questions.parse_token("hunter2-hunter2")
    assert "hunter2" not in str(caught.value)
