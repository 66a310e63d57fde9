"""Other people's pictures: the author is asked, agrees, refuses, does not answer, or has opted out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.edge.commands.submission.asking import MOST_ASKED, WAIT_MS
from bot.policy.server import OthersPictures
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, BEN, MIA, PICTURES, TABLEAUX
from bot.texts.refusals import asks_enough_text, cannot_ask_text, opted_out_text, others_never_text
from bot.texts.safety.trust import (
    allowed_text,
    asked_over_text,
    denied_text,
    not_asked_text,
    opted_out_now_text,
    unanswered_text,
    withdrawn_text,
)
from generator.clip import Loop, total_frames
from tests.bot.edge.commands.finished.test_file_menu import choose as choose_change
from tests.support.edge import Edge, Start, buttons, hanging, picture, png, running_edge, until, words

MENU = "Animate this image"


async def choose(edge: Edge, wants: OthersPictures) -> None:
    await edge.store.servers.change(int(TABLEAUX), int(MIA), {"others_pictures": wants})


async def animate_bens(edge: Edge, *, actor: str = ADA) -> Interaction:
    posted = edge.world.post(BEN, PICTURES, "look", [png()])
    asked = await edge.world.invoke_on_message(actor, PICTURES, posted["id"], MENU)
    return await asked.acknowledged()


async def question(edge: Edge) -> Json:
    """Return the newest message that asks an author."""

    def found() -> Json | None:
        asked = [item for item in edge.seen(actor=BEN) if "Allow" in buttons(item.get("components", []))]
        return asked[-1] if asked else None

    return dict(await until(found, "a question"))


async def press(edge: Edge, message: Json, label: str, actor: str) -> Interaction:
    pressed = await edge.world.press(actor, PICTURES, message["id"], buttons(message["components"])[label])
    return await pressed.acknowledged()


async def shows(edge: Edge, message: Json, text: str) -> Json:
    """Wait until a message has this text, and return it as it is now."""

    def found() -> Json | None:
        same = [item for item in edge.seen(actor=BEN) if item["id"] == message["id"]]
        return next((item for item in same if text in words(item)), None)

    return dict(await until(found, text))


async def waiting(edge: Edge) -> int:
    return await edge.store.trust.consents.count_of(int(ADA))


async def test_the_author_is_asked_and_agrees_and_only_then_the_picture_is_fetched(start: Start) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
        assert {item["id"] for item in asked["mentions"]} == {BEN}, "Ben is told, and nobody else"
        assert list(edge.spool.folder.iterdir()) == [], "nothing of the picture is kept while he thinks"
        await press(edge, asked, "Allow", BEN)
        await edge.clip()
        job = await edge.job()
        assert job.user_id == int(ADA), "it is Ada's request"
        ended = await shows(edge, asked, allowed_text(int(BEN), int(ADA)))
        assert buttons(ended["components"]) == {}
        assert await waiting(edge) == 0


async def test_what_the_picture_shows_is_kept_with_the_question(start: Start) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        boat = Upload("boat.png", "image/png", picture(), description="Ben's boat")
        posted = edge.world.post(BEN, PICTURES, "look", [boat])
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], "Animate this image")
        await press(edge, await question(edge), "Allow", BEN)
        await edge.clip()
        assert (await edge.job()).told.description == "Ben's boat"


@pytest.mark.parametrize(("choice", "kept"), [("extend", 5), ("from", 2)])
async def test_whose_clip_somebody_else_wants_to_go_on_is_asked(start: Start, choice: str, kept: int) -> None:
    async with start() as edge:
        await edge.animate(actor=BEN, loop=Loop.NONE, frames=5)
        clip = await edge.clip()
        await edge.delivered()
        before = set(edge.spool.folder.iterdir())
        await choose(edge, OthersPictures.ASK)
        pressed = await (await choose_change(edge, clip, choice)).acknowledged()
        if pressed.modal is not None:
            sent = await edge.world.submit_modal(ADA, pressed.id, pressed.modal["custom_id"], {"from": str(kept)})
            await sent.acknowledged()
        asked = await question(edge)
        assert {item["id"] for item in asked["mentions"]} == {BEN}
        assert set(edge.spool.folder.iterdir()) == before, "nothing more is kept while he thinks"
        assert await edge.store.jobs.of_user(int(ADA)) == []
        await press(edge, asked, "Allow", BEN)
        await edge.clip(count=2)
        [job] = await edge.store.jobs.of_user(int(ADA))
        assert (job.settings.seams, total_frames(job.settings)) == ((kept,), kept + 4)


@pytest.mark.parametrize("how", ["expired", "deleted"])
async def test_what_is_to_go_on_and_is_gone_by_the_yes_is_told(start: Start, how: str) -> None:
    async with start() as edge:
        await edge.animate(actor=BEN, loop=Loop.NONE)
        clip = await edge.clip()
        await choose(edge, OthersPictures.ASK)
        await choose_change(edge, clip, "extend")
        asked = await question(edge)
        if how == "deleted":
            await edge.services.requests.delete_clip(await edge.job())
        else:
            edge.spool.delete(["1-1.mp4"])
        await press(edge, asked, "Allow", BEN)
        why = "no longer have the frames" if how == "expired" else "no longer kept here"
        await until(lambda: why in words(edge.seen(actor=ADA)), "why not")
        assert await edge.store.jobs.of_user(int(ADA)) == []
        assert not list(edge.spool.folder.glob("*before*"))


async def test_without_the_setting_nobody_is_asked(start: Start) -> None:
    """The negative control."""
    async with start() as edge:
        await animate_bens(edge)
        await edge.clip()
        assert await waiting(edge) == 0


@pytest.mark.parametrize(
    ("actor", "label", "text"),
    [(BEN, "Don't allow", denied_text(int(BEN), int(ADA))), (ADA, "Don't allow", withdrawn_text(int(ADA)))],
    ids=["the author says no", "who asked takes it back"],
)
async def test_a_no_ends_it(start: Start, actor: str, label: str, text: str) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
        await press(edge, asked, label, actor)
        ended = await shows(edge, asked, text)
        assert buttons(ended["components"]) == {}
        assert await waiting(edge) == 0
        assert await edge.store.jobs.of_user(int(ADA)) == []


@pytest.mark.parametrize("label", ["Allow", "Don't allow", "Never my pictures"])
async def test_nobody_else_answers_for_the_author(start: Start, label: str) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
        pressed = await press(edge, asked, label, MIA)
        assert await edge.answer(pressed, actor=MIA) == not_asked_text()
        if label != "Don't allow":
            pressed = await press(edge, asked, label, ADA)
            assert await edge.answer(pressed, actor=ADA) == not_asked_text()
        assert await waiting(edge) == 1


async def test_a_question_outlives_the_process_and_its_buttons_still_work(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
    async with running_edge(tmp_path, sandbox) as edge:
        await press(edge, asked, "Allow", BEN)
        await edge.clip()
        assert (await edge.job()).user_id == int(ADA)


async def test_without_an_answer_the_request_is_refused_in_words_and_deleted(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
        edge.store.trust.consents.look.set()
        await until(lambda: not edge.store.trust.consents.look.is_set(), "a look before the time is over")
        assert await waiting(edge) == 1, "the negative control"
    async with running_edge(tmp_path, sandbox, ahead_ms=WAIT_MS + 1000) as edge:
        ended = await shows(edge, asked, unanswered_text(int(BEN), int(ADA)))
        assert buttons(ended["components"]) == {}
        assert await waiting(edge) == 0
        assert await edge.store.jobs.of_user(int(ADA)) == []


async def test_two_presses_make_one_clip(start: Start) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
        await press(edge, asked, "Allow", BEN)
        await press(edge, asked, "Allow", BEN)
        await edge.clip()
        await until(lambda: asked_over_text() in words(edge.seen(actor=BEN)), "the second one is told")
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


async def test_what_is_forbidden_meanwhile_is_not_made_although_the_author_agrees(start: Start) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked = await question(edge)
        await edge.switches.pause("new model coming.")
        await press(edge, asked, "Allow", BEN)
        await until(lambda: "new model coming." in words(edge.seen(actor=ADA)), "why not")
        assert await edge.store.jobs.of_user(int(ADA)) == []


async def test_a_server_that_wants_only_own_pictures_says_so(start: Start) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.NEVER)
        assert await edge.answer(await animate_bens(edge)) == others_never_text()
        own = await edge.world.invoke_on_message(
            BEN, PICTURES, edge.world.post(BEN, PICTURES, "mine", [png()])["id"], MENU
        )
        await own.acknowledged()
        await edge.clip()


async def test_who_opted_out_is_left_out_in_every_server_and_may_come_back(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        shown = await edge.invoke("privacy", actor=BEN)
        await edge.answer(shown, actor=BEN)
        [note] = [item for item in edge.seen(actor=BEN) if item["id"] == shown.message_id]
        out = await press(edge, note, "Nobody else may animate my pictures", BEN)
        assert await edge.answer(out, actor=BEN) == opted_out_now_text()
        assert await edge.answer(await animate_bens(edge)) == opted_out_text()
        await edge.invoke("forget-me", actor=BEN)
        await edge.services.requests.forget_user(int(BEN))
    async with running_edge(tmp_path, sandbox) as edge:
        assert await edge.answer(await animate_bens(edge)) == opted_out_text(), "also after /forget-me and a restart"
        shown = await edge.invoke("privacy", actor=BEN)
        assert "You have opted out" in await edge.answer(shown, actor=BEN)
        [note] = [item for item in edge.seen(actor=BEN) if item["id"] == shown.message_id]
        await press(edge, note, "Allow it again", BEN)
        await until(lambda: not edge.store.trust.pictures.has_opted_out(edge.store.trust.pictures.who(int(BEN))), "in")
        await animate_bens(edge)
        await edge.clip()


async def test_never_my_pictures_answers_every_open_question_and_all_later_ones(start: Start) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        first = await question(edge)
        await animate_bens(edge)
        await until(lambda: waiting_two(edge), "two questions")
        pressed = await press(edge, first, "Never my pictures", BEN)
        assert await edge.answer(pressed, actor=BEN) == opted_out_now_text()

        async def closed() -> bool:
            return await waiting(edge) == 0

        await until(closed, "both are over")
        assert await edge.answer(await animate_bens(edge)) == opted_out_text()


async def waiting_two(edge: Edge) -> bool:
    return await waiting(edge) == 2


async def test_a_variation_of_somebody_elses_clip_asks_too(start: Start) -> None:
    async with start() as edge:
        await edge.animate(actor=BEN)
        clip = await edge.clip()
        await choose(edge, OthersPictures.ASK)
        pressed = await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        await pressed.acknowledged()
        await press(edge, await question(edge), "Allow", BEN)
        await edge.clip(count=2)
        assert (await edge.job(2)).user_id == int(ADA)


async def test_who_opts_out_later_stops_variations_of_clips_that_exist(start: Start) -> None:
    async with start() as edge:
        await animate_bens(edge)
        clip = await edge.clip()
        await edge.store.trust.pictures.opt_out(int(BEN))
        pressed = await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        await pressed.acknowledged()
        assert await edge.answer(pressed) == opted_out_text()


async def test_a_bots_picture_cannot_be_asked_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        monkeypatch.setitem(edge.world.directory.users[BEN], "bot", True)
        assert await edge.answer(await animate_bens(edge)) == cannot_ask_text()
        assert await waiting(edge) == 0


async def test_nobody_is_pestered(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await choose(edge, OthersPictures.ASK)
        for _ in range(MOST_ASKED):
            await animate_bens(edge)
        assert await edge.answer(await animate_bens(edge)) == asks_enough_text(MOST_ASKED)
        assert await waiting(edge) == MOST_ASKED


@pytest.mark.parametrize("who", [ADA, BEN], ids=["who asks", "who is asked"])
async def test_forgetting_either_of_them_deletes_the_question(start: Start, who: str) -> None:
    async with start() as edge:
        await choose(edge, OthersPictures.ASK)
        await animate_bens(edge)
        asked: dict[str, Any] = await question(edge)
        await edge.services.requests.forget_user(int(who))
        assert await waiting(edge) == 0
        pressed = await press(edge, asked, "Allow", BEN)
        assert await edge.answer(pressed, actor=BEN) == asked_over_text()
