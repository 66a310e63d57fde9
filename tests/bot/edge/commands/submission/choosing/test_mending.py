"""A refused request keeps its picture and what was chosen, and is mended by a form, over real sockets."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import discord
import pytest

from bot.edge.commands.submission.choosing.reading import OPTIONS
from bot.edge.connection.kept_requests import MOST_EACH, KeptRequests
from bot.policy.language import LANGUAGES
from bot.policy.motion import Motion
from bot.policy.quota import Quota
from bot.policy.server import OthersPictures
from bot.queue.job import Job
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, BEN, GENERAL, NO_FILES, PICTURES, TABLEAUX
from bot.texts.asking.mending import (
    HINT_LETTERS,
    LABEL_LETTERS,
    field_label,
    mend_title,
    motion_hint,
    refused_channel_text,
    refused_field_text,
    refused_picture_text,
    rest_hint,
)
from bot.texts.languages.spoken import speaking
from bot.texts.limits import count_letters
from generator.clip import Format, Loop, Quality
from tests.support.edge import Edge, Start, buttons, clip_of, hanging, picture, png, until, words

MEND = "Mend and try again"
MENU = "Animate this image"


async def refusal(edge: Edge, asked: Interaction) -> dict[str, Any]:
    """Return the private refusal of a request."""
    await edge.answer(asked)
    [found] = [
        item
        for item in edge.seen()
        if (item.get("interaction_metadata") or {}).get("id") == asked.id and item["flags"] & 64
    ]
    return found


async def open_form(edge: Edge, message: dict[str, Any]) -> Interaction:
    pressed = await edge.world.press(ADA, PICTURES, message["id"], buttons(message["components"])[MEND])
    return await pressed.acknowledged()


def parts(opened: Interaction) -> dict[str, dict[str, Any]]:
    """Return the labels of a form by the custom id of their field."""
    assert opened.modal is not None
    return {item["component"]["custom_id"]: item for item in opened.modal["components"] if item["type"] == 18}


def filled(opened: Interaction) -> dict[str, Any]:
    """Return what a form holds when it opens."""
    found: dict[str, Any] = {}
    for name, label in parts(opened).items():
        field = label["component"]
        if field["type"] == 4:
            found[name] = field.get("value") or ""
        elif field["type"] == 3:
            found[name] = [option["value"] for option in field["options"] if option.get("default")]
    return found


async def send(edge: Edge, opened: Interaction, **changes: Any) -> Interaction:
    """Submit a form as it was opened, but for the changes."""
    assert opened.modal is not None
    sent = await edge.world.submit_modal(ADA, opened.id, opened.modal["custom_id"], {**filled(opened), **changes})
    return await sent.acknowledged()


async def test_a_refused_value_is_mended_and_everything_else_is_as_it_was_chosen(start: Start) -> None:
    async with start() as edge:
        wide = Upload("SPOILER_wide.png", "image/png", picture(640, 200))
        chosen: dict[str, Any] = {"format": "gif", "loop": "seam", "seed": 7, "guidance": 2.5, "smooth": True}
        told = await refusal(edge, await edge.animate(file=wide, motion="banana", steps=1, **chosen))
        assert "I know no motion `banana`" in words(told)
        assert "I keep the picture and what you chose until <t:" in words(told)
        assert not edge.seen(actor=BEN), "the refusal is private"
        opened = await open_form(edge, told)
        assert filled(opened)["motion"] == "banana"
        assert parts(opened)["motion"]["description"] == "Refused: banana"
        assert "Refused" not in parts(opened)["rest"]["description"]
        assert filled(opened)["format"] == ["gif"]
        assert set(filled(opened)["rest"].splitlines()) == {
            *("loop: seam", "seed: 7", "guidance: 2.5", "smooth: true", "steps: 1"),
        }
        assert opened.modal is not None and "I know no motion" in words(opened.modal["components"])
        await send(edge, opened, motion="Gentle")
        clip = clip_of(await edge.clip())
        assert clip and clip["filename"].startswith("SPOILER_vivant-"), "the same picture"
        settings = edge.backend.requests[0].settings
        assert (settings.motion_bucket, settings.format, settings.loop, settings.seed) == (60, "gif", Loop.SEAM, 7)
        assert (settings.max_guidance, settings.smooth, settings.steps) == (2.5, True, 1)
        again = await open_form_or_answer(edge, told)
        assert "I no longer keep what you chose" in again, "it was taken, so it is kept no longer"


async def open_form_or_answer(edge: Edge, told: dict[str, Any]) -> str:
    return await edge.answer(await open_form(edge, told))


async def test_what_is_wrong_again_can_be_mended_again(start: Start) -> None:
    async with start() as edge:
        told = await refusal(edge, await edge.animate(motion="banana", seed=7))
        for motion, rest, says in (
            ("42", "seed: 8\nspeed: 9", "There is no option `speed`"),
            ("42", "seed: many", "`seed` is a whole number"),
            ("42", "seed: 1\nseed: 2", "The option `seed` is there twice"),
            ("43", "motion: 9", "The option `motion` is there twice"),
            ("42", "loop: round", "I know no loop `round`"),
        ):
            opened = await open_form(edge, told)
            told = await refusal(edge, await send(edge, opened, motion=motion, rest=rest))
            assert says in words(told)
        opened = await open_form(edge, told)
        assert parts(opened)["loop"]["description"].startswith("Refused:")
        assert not await edge.store.jobs.of_user(int(ADA))
        await send(edge, opened, loop=["boomerang"], rest="seed: 7")
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert (settings.motion_bucket, settings.seed, settings.loop) == (42, 7, Loop.BOOMERANG)


async def test_a_line_below_counts_instead_of_a_field_that_was_left_as_it_opened(start: Start) -> None:
    async with start() as edge:
        told = await refusal(edge, await edge.animate(smooth=True, playback_fps=30, motion="wild", format="gif"))
        opened = await open_form(edge, told)
        assert (filled(opened)["smooth"], filled(opened)["motion"]) == ("true", "wild")
        await send(edge, opened, rest="playback_fps: 30\nsmooth: false\nmotion: 42\nformat: webp")
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert (settings.smooth, settings.playback_fps, settings.motion_bucket) == (False, 30, 42)
        assert settings.format is Format.WEBP


async def test_a_request_that_is_open_in_two_windows_is_mended_once_and_the_other_window_is_told(start: Start) -> None:
    async with start() as edge:
        told = await refusal(edge, await edge.animate(motion="banana", seed=7))
        windows = [await open_form(edge, told) for _ in range(2)]
        await send(edge, windows[0], motion="42")
        await edge.clip()
        assert "I no longer keep what you chose" in await edge.answer(await send(edge, windows[1], motion="43"))
        assert [job.settings.motion_bucket for job in await edge.store.jobs.of_user(int(ADA))] == [42]


async def test_two_options_that_contradict_each_other_are_said_and_mended(start: Start) -> None:
    async with start() as edge:
        told = await refusal(edge, await edge.animate(smooth=True, playback_fps=30))
        assert "leave one of the two out" in words(told)
        opened = await open_form(edge, told)
        assert filled(opened)["smooth"] == "true"
        assert parts(opened)["smooth"]["description"].startswith("Refused:")
        await send(edge, opened, smooth="")
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert (settings.smooth, settings.playback_fps) == (False, 30)


@pytest.mark.parametrize(
    ("server", "asked", "field", "mended"),
    [
        ({"most_motion": Motion.GENTLE}, {"motion": "wild"}, "motion", "gentle"),
        ({"formats": [Format.WEBP]}, {"format": "gif"}, "format", ["webp"]),
        ({"qualities": [Quality.FAST]}, {"quality": "quality"}, "quality", ["fast"]),
        ({"longest_clip": 2.0}, {"frames": 40, "loop": "none"}, "frames", "14"),
    ],
)
async def test_what_a_server_does_not_allow_is_mended(
    start: Start, server: dict[str, Any], asked: dict[str, Any], field: str, mended: Any
) -> None:
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(BEN), server)
        opened = await open_form(edge, await refusal(edge, await edge.animate(**asked)))
        assert parts(opened)[field]["description"].startswith("Refused")
        options = parts(opened)[field]["component"].get("options", [])
        assert [option["value"] for option in options] == (mended if options else []), "only what is allowed"
        await send(edge, opened, **{field: mended})
        await edge.clip()


async def test_more_steps_than_the_operator_allows_are_refused_where_they_can_be_typed(start: Start) -> None:
    """In the command itself they can't be: test_animate.py."""
    async with start(config={"generator": {"variant": "svd", "max_steps": 30}}) as edge:
        opened = await open_form(edge, await refusal(edge, await edge.animate(motion="banana")))
        told = await refusal(edge, await send(edge, opened, motion="", rest="steps: 31"))
        assert "`steps` is out of range. It goes from 1 to 30 here." in words(told)
        opened = await open_form(edge, told)
        assert filled(opened)["steps"] == "31"
        await send(edge, opened, steps="30")
        await edge.clip()
        assert edge.backend.requests[0].settings.steps == 30


async def test_a_reached_quota_is_tried_again_once_there_is_room(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"member_quota": Quota(clips_at_once=1)})
        first = await edge.queued()
        told = await refusal(edge, await edge.animate(seed=7))
        assert "waiting or being made at once" in words(told)
        again = await refusal(edge, await send(edge, await open_form(edge, told)))
        assert "waiting or being made at once" in words(again), "the quota holds for this entrance too"
        await edge.services.requests.cancel(first.id)
        await until(lambda: is_over(edge, first.id), "the first job's end")
        await send(edge, await open_form(edge, again))
        jobs = await until(lambda: later(edge, first.id), "a second job")
        assert jobs[0].settings.seed == 7


async def is_over(edge: Edge, number: int) -> bool:
    return number not in [job.id for job in await edge.store.jobs.active()]


async def later(edge: Edge, number: int) -> list[Any]:
    return [job for job in await edge.store.jobs.of_user(int(ADA)) if job.id > number]


async def test_a_picture_that_cannot_be_used_is_mended_by_another_one(start: Start) -> None:
    async with start(config={"generator": {"variant": "demo"}, "picture": {"max_megapixels": 1}}) as edge:
        for bad in (Upload("big.png", "image/png", picture(1200, 1000)), Upload("note.txt", "text/plain", b"hello")):
            before = len(edge.clips())
            told = await refusal(edge, await edge.animate(file=bad, seed=7, motion="42"))
            opened = await open_form(edge, told)
            assert parts(opened)["picture"]["description"].startswith("Refused: your picture")
            again = await refusal(edge, await send(edge, opened))
            assert words(again).splitlines()[0] == words(told).splitlines()[0], "the same picture is refused again"
            await send(edge, await open_form(edge, again), picture=[png()])
            await edge.clip(count=before + 1)
            settings = edge.backend.requests[-1].settings
            assert (settings.seed, settings.motion_bucket) == (7, 42)


async def test_a_picture_of_a_message_keeps_its_author(start: Start) -> None:
    """Mending goes round no rule about other people's pictures."""
    async with start() as edge:
        posted = edge.world.post(BEN, PICTURES, "look", [png()])
        await edge.switches.pause("new model coming.")
        asked = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        told = await refusal(edge, await asked.acknowledged())
        assert "paused" in words(told)
        await edge.switches.resume()
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"others_pictures": OthersPictures.NEVER})
        refused = await refusal(edge, await send(edge, await open_form(edge, told)))
        assert "only pictures that you posted yourself" in words(refused)
        assert buttons(refused["components"]) == {}, "nothing a person can mend"
        assert not await edge.store.jobs.of_user(int(ADA))


async def test_what_another_channel_takes_is_made_there(start: Start) -> None:
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"channels": [GENERAL, NO_FILES]})
        told = await refusal(edge, await edge.animate(seed=7, motion="42"))
        assert f"only in <#{GENERAL}>" in words(told)
        opened = await open_form(edge, told)
        channels = parts(opened)["channel"]["component"]["options"]
        assert [(item["label"], item["value"]) for item in channels] == [("#general", GENERAL)], "where both may post"
        here = await refusal(edge, await send(edge, opened))
        assert f"only in <#{GENERAL}>" in words(here), "without another channel it is the same"
        moved = await send(edge, await open_form(edge, here), channel=[GENERAL])
        clip = await edge.clip(channel=GENERAL)
        assert f"<@{ADA}>" in words(clip)
        job = await edge.job()
        assert (job.route.channel_id, job.settings.seed, job.settings.motion_bucket) == (int(GENERAL), 7, 42)
        await edge.delivered()
        assert "It is in the queue over there" in await edge.answer(moved)
        await until(lambda: not card_of(edge, job), "no card beside the clip")
        assert edge.seen(actor=BEN) == [], "nothing is left where it was asked"
        assert edge.world.messages.notified == [(ADA, clip["id"])]


async def test_the_form_shows_and_takes_the_persons_language(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.world.set_locale(ADA, "de")
        told = await refusal(edge, await edge.animate(motion="banane", steps=1, seed=7))
        assert "Bei bewegung kenne ich `banane` nicht. Wähle `sanft`, `mittel`, `stark`, `wild`" in words(told)
        pressed = buttons(told["components"])["Ändern und noch mal versuchen"]
        opened = await (await edge.world.press(ADA, PICTURES, told["id"], pressed)).acknowledged()
        assert set(filled(opened)["rest"].splitlines()) == {"schritte: 1", "seed: 7"}
        assert parts(opened)["rest"]["description"].endswith("zum Beispiel schleife: bumerang")
        await send(edge, opened, motion="Sanft", rest="schleife: bumerang\nseed: 8\nsteps: 1")
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert (settings.motion_bucket, settings.loop, settings.seed, settings.steps) == (60, Loop.BOOMERANG, 8, 1)


async def test_a_channel_of_the_longest_name_can_be_chosen_too(start: Start) -> None:
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"channels": [GENERAL, NO_FILES]})
        told = await refusal(edge, await edge.animate(motion="42"))
        general = edge.client.get_channel(int(GENERAL))
        assert isinstance(general, discord.TextChannel)
        general.name = "g" * 100
        [channel] = parts(await open_form(edge, told))["channel"]["component"]["options"]
        assert channel["label"] == "#" + "g" * 98 + "…"


def card_of(edge: Edge, job: Job) -> list[dict[str, Any]]:
    return [item for item in edge.seen(channel=GENERAL) if item["id"] == str(job.card_message_id)]


async def test_another_channel_goes_round_no_rule_and_leaves_nothing_behind(start: Start) -> None:
    async with start() as edge:
        servers = edge.store.servers
        await servers.change(int(TABLEAUX), int(BEN), {"channels": [GENERAL]})
        told = await refusal(edge, await edge.animate(file=Upload("a.png", "image/png", b"no picture")))
        opened = await open_form(edge, told)
        no_picture = await refusal(edge, await send(edge, opened, channel=[GENERAL]))
        assert "not a picture" in words(no_picture), "seen when it is decoded, after the acknowledgement"
        await servers.change(int(TABLEAUX), int(BEN), {"most_motion": Motion.GENTLE})
        told = await refusal(edge, await edge.animate(motion="42"))
        opened = await open_form(edge, told)
        sent = await refusal(edge, await send(edge, opened, channel=[GENERAL], motion="200"))
        assert "no stronger motion than Gentle" in words(sent)
        opened = await open_form(edge, sent)
        assert "channel" not in parts(opened)
        assert edge.seen(channel=GENERAL) == []
        assert await edge.store.jobs.of_user(int(ADA)) == []


async def test_where_no_other_channel_is_open_there_is_nothing_to_mend(start: Start) -> None:
    async with start() as edge:
        await edge.store.servers.change(int(TABLEAUX), int(BEN), {"channels": [NO_FILES]})
        told = await refusal(edge, await edge.animate())
        assert f"only in <#{NO_FILES}>" in words(told)
        assert buttons(told["components"]) == {}


async def test_an_author_is_not_asked_from_another_channel(start: Start) -> None:
    async with start() as edge:
        servers = edge.store.servers
        await servers.change(int(TABLEAUX), int(BEN), {"channels": [GENERAL]})
        posted = edge.world.post(BEN, PICTURES, "look", [png()])
        asked = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        opened = await open_form(edge, await refusal(edge, await asked.acknowledged()))
        await servers.change(int(TABLEAUX), int(BEN), {"others_pictures": OthersPictures.ASK})
        told = await refusal(edge, await send(edge, opened, channel=[GENERAL]))
        assert "this one I cannot ask" in words(told)
        assert edge.seen(channel=GENERAL) == []


async def test_what_a_person_cannot_mend_offers_no_button(start: Start) -> None:
    async with start() as edge:
        posted = edge.world.post(BEN, PICTURES, "look", [png()])
        await edge.store.trust.pictures.opt_out(int(BEN))
        asked = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        told = await refusal(edge, await asked.acknowledged())
        assert "wants nobody else to animate" in words(told)
        assert buttons(told["components"]) == {}
        assert edge.client.kept.of_user(int(ADA)) == []


async def test_a_kept_request_is_its_persons_alone_and_goes_with_the_person(start: Start) -> None:
    async with start() as edge:
        told = await refusal(edge, await edge.animate(motion="banana"))
        [key] = [custom.partition(":")[2] for custom in buttons(told["components"]).values()]
        kept = edge.client.kept.get(key)
        assert kept is not None and kept.owner.user_id == int(ADA)
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        [question] = [item for item in edge.seen() if "Are you sure" in words(item)]
        yes = buttons(question["components"])["Delete what you keep"]
        await (await edge.world.press(ADA, PICTURES, question["id"], yes)).acknowledged()
        await until(lambda: edge.client.kept.get(key) is None, "forgotten")
        assert "I no longer keep" in await edge.answer(await open_form(edge, told))


async def test_a_request_is_kept_for_the_stated_time_and_no_longer(start: Start) -> None:
    async with start() as edge:
        edge.client.kept = KeptRequests(0.05)
        told = await refusal(edge, await edge.animate(motion="banana"))
        await until(lambda: edge.client.kept.of_user(int(ADA)) == [], "its end")
        assert "I no longer keep" in await edge.answer(await open_form(edge, told))


async def test_the_longest_words_still_make_a_form_that_discord_takes(start: Start) -> None:
    """The local Discord and discord.py check what is too long in no form, so it is counted here."""
    async with start() as edge:
        for option, value in (("motion", "\U0001f39e" * 3000), ("quality", "q" * 6000), ("format", "`" * 6000)):
            asked = await edge.invoke("animate", {option: value}, files={"image": png()})
            opened = await open_form(edge, await refusal(edge, asked))
            assert opened.modal is not None
            assert count_letters(opened.modal["title"]) <= 45
            assert len(opened.modal["components"]) <= 5
            for label in parts(opened).values():
                assert count_letters(label["label"]) <= 45
                assert count_letters(label.get("description") or "") <= 100
                field = label["component"]
                assert count_letters(field.get("value") or "") <= field.get("max_length", 4000)
                assert field.get("options") != []


async def test_of_one_person_few_requests_are_kept(start: Start) -> None:
    async with start() as edge:
        for number in range(MOST_EACH + 1):
            await edge.animate(motion=f"nonsense {number}")
        await edge.animate(actor=BEN, motion="nonsense")
        kept = edge.client.kept.of_user(int(ADA))
        assert [item.typed["motion"] for item in kept] == [f"nonsense {number}" for number in range(1, MOST_EACH + 1)]
        assert len(edge.client.kept.of_user(int(BEN))) == 1


async def test_a_persons_own_data_has_the_requests_that_can_be_mended(start: Start) -> None:
    async with start() as edge:
        await edge.animate(motion="banana", seed=7)
        await edge.animate(actor=BEN, motion="cherry")
        told = await refusal(edge, await edge.invoke("my-data"))
        data = edge.world.attachment_bytes(told["attachments"][0]["id"])
        rows = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("my-data.json"))
        [kept] = rows["refused_to_mend"]
        assert kept["chosen"] == {"motion": "banana", "seed": "7"}
        assert kept["picture"].startswith("https://")


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_form_s_texts_are_as_short_as_discord_wants_them(code: str) -> None:
    with speaking(code):
        hints = [refused_field_text(value) for value in ("", "x" * 500)]
        hints += [refused_picture_text(), refused_channel_text(), motion_hint(), rest_hint()]
        labels = [field_label(name) for name in (*OPTIONS, "rest", "picture", "channel")]
        assert all(1 <= count_letters(text) <= HINT_LETTERS for text in hints)
        assert all(1 <= count_letters(text) <= LABEL_LETTERS for text in (mend_title(), *labels))
        assert len(set(labels)) == len(labels)
