"""The names of pictures: each person's own, not for ever, and forgotten with them."""

from __future__ import annotations

from bot.queue.life.picture_names import PictureNames
from tests.support.texts import make_job


def test_a_name_is_its_person_s_alone() -> None:
    names = PictureNames()
    names.note(42, "picture-k.png", "cat.jpg")
    mine, theirs = make_job(), make_job(id=18, user_id=43)
    assert (names.of(mine), names.of(theirs)) == ("cat.jpg", None)
    assert names.of_all([mine, theirs]) == {17: "cat.jpg"}


def test_names_go_with_their_person_and_with_their_picture() -> None:
    names = PictureNames()
    for user in (42, 43):
        names.note(user, "picture-k.png", "cat.jpg")
        names.note(user, "picture-x.png", "dog.jpg")
    names.forget(42)
    assert names.of(make_job()) is None
    assert names.of(make_job(user_id=43)) == "cat.jpg", "the negative control"
    names.drop(["picture-k.png"])
    assert names.of(make_job(user_id=43)) is None
    assert names.of(make_job(user_id=43, picture="picture-x.png")) == "dog.jpg"


def test_only_so_many_are_kept_the_oldest_go_first() -> None:
    names = PictureNames(most=2)
    for number in range(3):
        names.note(42, f"{number}.png", f"{number}")
    assert [names.of(make_job(picture=f"{number}.png")) for number in range(3)] == [None, "1", "2"]
