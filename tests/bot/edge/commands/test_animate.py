"""/animate over real sockets: what a picture becomes, and every kind of bad input."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from bot.config.generator import GeneratorConfig
from bot.edge.commands.animate import animate_command
from bot.edge.commands.submission.choosing.reading import OPTIONS
from bot.edge.commands.submission.options import Options
from bot.policy.told import NOTHING_TOLD, Told
from bot.queue.job import Job, JobState
from bot.sandbox.faults import Refuse
from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import ADA, BEN, LOBBY, PICTURES
from bot.texts.descriptions import ALT_TEXT, describe_chosen
from bot.texts.limits import count_letters
from generator.clip import BOUNDS, ClipSettings, Format, Framing, Loop, Quality
from tests.support.edge import Edge, Start, buttons, clip_of, hanging, picture, png, until, words
from tests.support.fakes import tiny_clip
from tests.support.texts import make_job


async def test_a_picture_becomes_a_clip_that_mentions_only_its_person(start: Start) -> None:
    async with start() as edge:
        interaction = await edge.animate()
        message = await edge.clip()
        await edge.delivered()
        assert interaction.state is State.ANSWERED
        assert interaction.acknowledged_after is not None and interaction.acknowledged_after < 0.5
        assert edge.world.messages.notified == [(ADA, message["id"])]
        attachment = clip_of(message)
        assert attachment
        assert edge.world.attachment_bytes(attachment["id"]) == tiny_clip()
        assert "Demo model" in words(message)
        assert [item["id"] for item in await edge.only_clips()] == [message["id"]], "the card went"
        assert "message_reference" not in message, "no reply to what is gone"


async def test_the_card_shows_the_framed_picture_the_place_and_a_cancel_button(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        second = await edge.queued(actor=BEN)
        card = await until(lambda: "Your clip comes in" in words(edge.seen()[-1]) and edge.seen()[-1], "a position")
        assert second.card_message_id == int(card["id"])
        assert "Next, after one other clip." in words(card)
        assert [item["filename"] for item in card["attachments"]] == ["framing.png"]
        assert buttons(card["components"]) == {"Cancel": f"vivant:cancel:2:{second.key}"}


async def test_every_option_reaches_the_frozen_settings(start: Start) -> None:
    async with start(config={"generator": {"variant": "svd"}}) as edge:
        await edge.animate(
            motion="33",
            format="webp",
            quality="fast",
            shape="portrait",
            framing="pad",
            loop="boomerang",
            smooth=True,
            seed=4242,
            noise_augmentation=0.3,
            conditioning_fps=9,
            playback_fps=12,
            steps=8,
            frames=6,
            decode_chunk=2,
            guidance=2.5,
        )
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert settings == ClipSettings(
            variant="svd",
            frames=6,
            motion_bucket=33,
            noise_augmentation=0.3,
            conditioning_fps=9,
            playback_fps=12,
            quality=Quality.FAST,
            steps=8,
            max_guidance=2.5,
            decode_chunk=2,
            seed=4242,
            format=Format.WEBP,
            shape=settings.shape,
            framing=Framing.PAD,
            loop=Loop.BOOMERANG,
            smooth=True,
        )
        assert settings.shape == "portrait"


def test_the_ranges_in_discord_are_the_generators_bounds_and_the_operators() -> None:
    names = {"guidance": "max_guidance"}
    ranges = {
        option.name: (option.min_value, option.max_value)
        for option in animate_command(GeneratorConfig(max_steps=40)).parameters
        if option.min_value is not None
    }
    bounds = {name: BOUNDS[names.get(name, name)] for name in ranges}
    assert ranges == bounds | {"steps": (1, 40)}
    assert len(ranges) == 8
    [steps] = [item for item in animate_command(GeneratorConfig()).parameters if item.name == "steps"]
    assert steps.max_value == 50, "each operator's own"


def test_picture_motion_shape_loop_and_format_come_first_and_every_setting_is_there() -> None:
    names = [option.name for option in animate_command(GeneratorConfig()).parameters]
    assert names[:5] == ["image", "motion", "shape", "loop", "format"]
    assert set(names[1:]) == set(OPTIONS)
    settings = {field.name for field in fields(ClipSettings)} - {"variant", "min_guidance"}
    set_by = {{"motion": "motion_bucket", "guidance": "max_guidance"}.get(name, name) for name in names[1:]}
    assert set_by == settings - {"seams"} | {"description"}, "seams are what further parts add"
    assert len(names) <= 25, "what Discord takes"


def test_no_hint_names_a_number_that_is_only_one_models_usual() -> None:
    """Models differ in all of their usual numbers; which are those of this one, the suggestions say."""
    for option in animate_command(GeneratorConfig()).parameters:
        without = str(option.description).replace("from 0 to 255", "").replace("at most 360", "").replace("MP4", "")
        assert not re.search(r"\d", without), option.description


async def test_the_operators_most_steps_can_be_typed_and_no_more(start: Start) -> None:
    async with start(config={"generator": {"variant": "svd", "max_steps": 12}}) as edge:
        with pytest.raises(NotPossible, match="from 1 to 12"):
            await edge.animate(steps=13)
        await edge.animate(steps=12)
        await edge.clip()
        assert edge.backend.requests[0].settings.steps == 12


def test_a_post_names_settings_with_the_words_of_the_menu() -> None:
    told = describe_chosen(with_all_chosen())
    assert len(told.split(" · ")) == len(fields(Options)) - 5, "every option; motion once; no drafts, no seams"
    menu = [item.name for option in animate_command(GeneratorConfig()).parameters for item in option.choices]
    for part in ("As the picture", "Keep the centre", "No loop"):
        assert part in told and any(name.startswith(part) for name in menu)


async def test_a_post_tells_what_was_chosen_and_nothing_else(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        plain = words(await edge.clip())
        await edge.animate(motion="strong", loop="boomerang", format="gif", seed=5)
        chosen = words(await edge.clip(count=2))
        await edge.animate(motion="61", playback_fps=12)
        numbers = words(await edge.clip(count=3))
    for technical in ("motion", "seed", "bucket", "demo ·", "MP4"):
        assert technical not in plain
    assert "-# Motion: Strong · GIF · Boomerang · seed 5" in chosen
    assert "-# Motion: 61 · 12 frames a second" in numbers


CAT = "A cat on a wall, @everyone <@&1>"


async def test_a_description_becomes_the_alt_text_and_stays_with_further_clips(start: Start) -> None:
    async with start() as edge:
        await edge.animate(description=f" {CAT}\u202e\n")
        first = await edge.clip()
        await edge.world.press(BEN, PICTURES, first["id"], buttons(first["components"])["Again"])
        again = await edge.clip(count=2)
        await edge.animate(file=png("sunset-over-the-lake.png"))
        without = await edge.clip(count=3)
        told = [described(clip) for clip in (first, again, without)]
        assert told == [f"{CAT} (a short AI-generated clip)"] * 2 + [ALT_TEXT], "a file's name is not told"
        assert "A cat" not in words(first), "it is for who cannot see the clip"
        assert {person for person, _ in edge.world.messages.notified} == {ADA, BEN}
        assert sorted(person for person, _ in edge.world.messages.notified) == sorted([ADA, ADA, BEN])
        await edge.world.press(ADA, PICTURES, first["id"], buttons(first["components"])["Delete"])
        await until(lambda: len(edge.clips()) == 2, "it is deleted")
        await until(lambda: _is_forgotten(edge), "what was said about it goes with its files")


async def _is_forgotten(edge: Edge) -> bool:
    return (await edge.job(1)).told == NOTHING_TOLD


async def test_the_alt_text_of_a_picture_in_a_message_becomes_the_clips(start: Start) -> None:
    async with start() as edge:
        boat = Upload("boat.png", "image/png", picture(), description="Ben's boat")
        posted = edge.world.post(BEN, PICTURES, "look", [boat])
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        assert described(await edge.clip()) == "Ben's boat (a short AI-generated clip)"


def described(message: dict[str, Any]) -> str:
    """Return the alt text of a message's clip."""
    found = clip_of(message)
    assert found is not None
    return str(found["description"])


def with_all_chosen() -> Job:
    names = tuple(field.name for field in fields(Options) if field.name not in ("description", "recipe"))
    return make_job(JobState.RENDERED, told=Told(chosen=names))


MENU = "Animate this image"
PAGE = "https://example.org/pictures/lake.png"


async def test_the_context_menu_takes_the_picture_of_any_message(start: Start) -> None:
    async with start() as edge:
        posted = edge.world.post(BEN, PICTURES, "look", [png()])
        empty = edge.world.post(BEN, PICTURES, "no picture here")
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        await edge.clip()
        refused = await edge.world.invoke_on_message(ADA, PICTURES, empty["id"], MENU)
        assert "no picture" in await edge.answer(refused)


async def test_the_context_menu_takes_a_file_without_a_content_type_by_its_name(start: Start) -> None:
    async with start() as edge:
        posted = edge.world.post(BEN, PICTURES, "look", [Upload("photo.mpo", "", picture())])
        assert "content_type" not in posted["attachments"][0]
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        assert clip_of(await edge.clip())


async def test_the_context_menu_takes_the_picture_behind_a_link_from_discords_copy_alone(start: Start) -> None:
    async with start() as edge:
        linked = edge.world.post_link(BEN, PICTURES, PAGE, png())
        await edge.world.invoke_on_message(ADA, PICTURES, linked["id"], MENU)
        await edge.clip()
        assert not edge.sandbox.unimplemented, "no other host was asked"


async def test_a_copy_that_is_not_discords_is_never_fetched(start: Start) -> None:
    async with start() as edge:
        media = {"url": PAGE, "proxy_url": "https://images-ext-1.discordapp.net.example.org/x.png"}
        for embed in ({"image": media}, {"thumbnail": media}, {"image": {"url": PAGE}}):
            posted = edge.world.post_embeds(BEN, PICTURES, PAGE, [{"type": "rich", "url": PAGE, **embed}])
            refused = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
            assert "no picture" in await edge.answer(refused)
        assert not edge.sandbox.unimplemented


async def test_a_redirect_is_not_followed(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(
            Refuse(302, "", {"Location": "https://example.org/elsewhere.png"}), "GET", "/external/**"
        )
        linked = edge.world.post_link(BEN, PICTURES, PAGE, png())
        refused = await edge.world.invoke_on_message(ADA, PICTURES, linked["id"], MENU)
        assert "could not fetch" in await edge.answer(refused)
        assert not edge.sandbox.unimplemented


async def test_the_context_menu_takes_the_picture_of_a_forwarded_message(start: Start) -> None:
    async with start() as edge:
        for original in (
            edge.world.post(BEN, PICTURES, "look", [png()]),
            edge.world.post_link(BEN, PICTURES, PAGE, png()),
        ):
            before = len(edge.clips())
            forwarded = edge.world.forward(BEN, PICTURES, original)
            assert not forwarded["attachments"]
            await edge.world.invoke_on_message(ADA, PICTURES, forwarded["id"], MENU)
            await edge.clip(count=before + 1)


async def test_of_several_pictures_the_person_chooses_one(start: Start) -> None:
    async with start() as edge:
        files = [png("first.png"), Upload("SPOILER_second.png", "image/png", picture(640, 200)), png("third.png")]
        posted = edge.world.post(BEN, PICTURES, "look", files)
        asked = await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        assert "Which one" in await edge.answer(asked)
        assert not await edge.store.jobs.active(), "nothing is queued before the choice"
        question = next(item for item in edge.seen() if "Which one" in words(item))
        offered = buttons(question["components"])
        assert list(offered) == ["1. first.png", "2. second.png", "3. third.png"]
        assert not any("Which one" in words(item) for item in edge.seen(actor=BEN)), "the question is private"
        await edge.world.press(ADA, PICTURES, question["id"], offered["2. second.png"])
        clip = clip_of(await edge.clip())
        assert clip is not None
        assert clip["filename"].startswith("SPOILER_")
        answered = await until(lambda: [item for item in edge.seen() if "You chose" in words(item)], "the choice")
        assert "2. second.png" in words(answered[0])
        assert answered[0]["components"] == []
        assert len(edge.clips()) == 1


async def test_the_longest_names_of_several_pictures_fit_their_buttons(start: Start) -> None:
    async with start() as edge:
        files = [png("W" * 250 + ".png"), png("WW" * 125 + ".png")]
        posted = edge.world.post(BEN, PICTURES, "look", files)
        assert "Which one" in await edge.answer(await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU))
        question = next(item for item in edge.seen() if "Which one" in words(item))
        labels = list(buttons(question["components"]))
        assert [count_letters(label) for label in labels] == [80, 80]
        await edge.world.press(ADA, PICTURES, question["id"], buttons(question["components"])[labels[0]])
        await edge.clip()


async def test_a_picture_that_a_message_shows_twice_is_offered_once(start: Start) -> None:
    async with start() as edge:
        embed = edge.world.attachments.link(PAGE, png())
        posted = edge.world.post_embeds(BEN, PICTURES, PAGE, [embed, embed | {"image": embed["thumbnail"]}])
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
        await edge.clip()
        assert not any("Which one" in words(item) for item in edge.seen())


async def test_a_link_that_was_covered_gives_a_covered_clip(start: Start) -> None:
    async with start() as edge:
        embed = edge.world.attachments.link(PAGE, png())
        for content, covered in ((f"||{PAGE} ||", True), (f"||not this|| {PAGE}", False)):
            posted = edge.world.post_embeds(BEN, PICTURES, content, [embed])
            before = len(edge.clips())
            await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], MENU)
            clip = clip_of(await edge.clip(count=before + 1))
            assert clip is not None
            assert clip["filename"].startswith("SPOILER_") is covered


async def test_where_the_bot_is_no_member_the_answer_itself_becomes_the_clip(start: Start) -> None:
    async with start() as edge:
        interaction = await edge.animate(channel=LOBBY)
        message = await edge.clip(channel=LOBBY)
        assert message["id"] == interaction.message_id
        assert "here is your clip" in words(message)
        assert (await edge.delivered()).state == "sent"


async def test_the_card_of_a_spoilered_picture_shows_it_covered(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued(file=Upload("SPOILER_photo.png", "image/png", picture()))
        card = await until(lambda: edge.seen()[0]["components"] and edge.seen()[0], "the card")
        preview = card["components"][0]["components"][0]["accessory"]
        assert preview["spoiler"]
        assert preview["media"]["url"].partition("?")[0].endswith("/SPOILER_framing.png")


async def test_a_spoilered_picture_gives_a_spoilered_clip(start: Start) -> None:
    async with start() as edge:
        await edge.animate(file=Upload("SPOILER_photo.png", "image/png", picture()))
        attachment = clip_of(await edge.clip())
        assert attachment
        assert attachment["filename"].startswith("SPOILER_vivant-")
