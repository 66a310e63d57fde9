"""A recipe with one's own picture, from a job and from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.config.generator import GeneratorConfig
from bot.edge.commands.jobs.own_picture import options_of
from bot.edge.commands.submission.options import resolve
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, BEN, PICTURES
from generator.clip import ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.variants import BUILT_IN
from generator.video.recipe import make_recipe, write_recipe
from tests.support.edge import Edge, Start, buttons, form_id, png, until, words
from tests.support.fakes import tiny_clip

ODD = ClipSettings(
    variant="demo",
    frames=9,
    motion_bucket=33,
    noise_augmentation=0.07,
    conditioning_fps=11,
    playback_fps=13,
    quality=Quality.QUALITY,
    steps=1,
    max_guidance=2.5,
    decode_chunk=4,
    seed=4711,
    format=Format.GIF,
    framing=Framing.PAD,
    loop=Loop.CROSSFADE,
    smooth=True,
)


def test_the_options_ask_for_every_setting_of_the_recipe() -> None:
    assert resolve(options_of(ODD), BUILT_IN["demo"], GeneratorConfig()) == replace(ODD, shape=Shape.AUTO)
    assert (
        resolve(options_of(ClipSettings(variant="demo", steps=1, seed=1)), BUILT_IN["demo"], GeneratorConfig()).seed
        == 1
    )


async def recipe_of(edge: Edge, clip: Json, *, actor: str) -> str:
    """Press Recipe below a clip as somebody, and return the id of the message that tells it."""
    pressed = await edge.world.press(actor, PICTURES, clip["id"], buttons(clip["components"])["Recipe"])
    assert await edge.answer(await pressed.acknowledged(), actor=actor)
    return str(pressed.message_id)


async def open_form(edge: Edge, message_id: str, *, actor: str) -> Interaction:
    """Press the button of a recipe as somebody; return what opened the form."""
    [shown] = [item for item in edge.seen(actor=actor) if item["id"] == message_id]
    custom_id = buttons(shown["components"])["With your picture"]
    return await (await edge.world.press(actor, PICTURES, message_id, custom_id)).acknowledged()


async def send(edge: Edge, opened: Interaction, *, actor: str) -> None:
    sent = await edge.world.submit_modal(actor, opened.id, form_id(opened), {"picture": [png("own.png")]})
    await sent.acknowledged()


async def make(edge: Edge, message_id: str, *, actor: str) -> None:
    """Have a recipe made with somebody's picture."""
    await send(edge, await open_form(edge, message_id, actor=actor), actor=actor)


async def test_somebody_else_makes_a_clip_s_recipe_with_their_own_picture(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=77, motion="200", format="gif")
        clip = await edge.clip()
        pressed = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Recipe"])
        assert "77" in await edge.answer(await pressed.acknowledged(), actor=BEN)
        await make(edge, str(pressed.message_id), actor=BEN)
        await edge.clip(count=2)
        theirs, mine = await edge.job(2), await edge.job(1)
        assert theirs.user_id == int(BEN) and theirs.picture != mine.picture
        assert replace(theirs.settings, shape=mine.settings.shape) == mine.settings
        assert edge.store.names.of(theirs) == "own.png"


async def test_a_recipe_from_a_file_is_made_with_ones_own_picture(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        path = tmp_path / "made.mp4"
        path.write_bytes(tiny_clip())
        write_recipe(path, Format.MP4, make_recipe(replace(ODD, steps=3), BUILT_IN["demo"], fast_math=False))
        read = await edge.invoke("recipe", files={"clip": Upload("made.mp4", "video/mp4", path.read_bytes())})
        await edge.answer(read)
        await make(edge, str(read.message_id), actor=ADA)
        await edge.clip()
        assert replace((await edge.job()).settings, shape=Shape.AUTO) == replace(ODD, shape=Shape.AUTO)


async def test_a_file_that_is_none_of_ours_offers_nothing(edge: Edge) -> None:
    read = await edge.invoke("recipe", files={"clip": Upload("a.mp4", "video/mp4", tiny_clip())})
    await edge.answer(read)
    [shown] = [item for item in edge.seen() if item["id"] == read.message_id]
    assert buttons(shown["components"]) == {} and "no recipe" in words(shown)


async def test_a_recipe_that_this_server_does_not_allow_is_refused_privately(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=77, format="gif")
        clip = await edge.clip()
        recipe = await recipe_of(edge, clip, actor=ADA)
        guild = (await edge.job()).route.guild_id
        assert guild is not None
        await edge.store.servers.change(guild, int(BEN), {"formats": [Format.WEBP]})
        await make(edge, recipe, actor=ADA)
        await until(lambda: "only these formats: webp" in words(edge.seen()), "the refusal")
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


async def test_the_form_says_what_the_clip_is_made_with(start: Start) -> None:
    async with start() as edge:
        job = await edge.queued(seed=77)
        read = await edge.invoke("recipe", {"job": job.id})
        await edge.answer(read)
        opened = await open_form(edge, str(read.message_id), actor=ADA)
        assert opened.modal is not None
        assert "seed 77" in words(opened.modal["components"])


async def test_the_clip_tells_what_was_chosen_for_the_recipe_but_not_what_its_picture_showed(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=77, motion="200", loop="boomerang", description="my cat", format="gif")
        first = await edge.clip()
        await make(edge, await recipe_of(edge, first, actor=BEN), actor=BEN)
        second = await edge.clip(count=2)
        shown = [next(line for line in words(clip).splitlines() if "seed 77" in line) for clip in (first, second)]
        assert shown[0] == shown[1] and "Motion: 200" in shown[1] and "Boomerang" in shown[1]
        mine, theirs = await edge.job(1), await edge.job(2)
        assert theirs.told.chosen == mine.told.chosen == ("format", "loop", "seed", "motion_bucket")
        assert (mine.told.description, theirs.told.description) == ("my cat", "")


async def test_another_clip_of_it_keeps_what_was_chosen_but_the_seed(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=77, motion="200", format="gif")
        clip = await edge.clip()
        await make(edge, await recipe_of(edge, clip, actor=BEN), actor=BEN)
        theirs = await edge.clip(count=2)
        await edge.world.press(BEN, PICTURES, theirs["id"], buttons(theirs["components"])["Again"])
        await edge.clip(count=3)
        assert (await edge.job(3)).told.chosen == ("format", "motion_bucket")
        assert (await edge.job(3)).settings.motion_bucket == 200


async def test_a_recipe_of_a_file_tells_no_choice_for_nobody_knows_what_was_chosen(
    start: Start, tmp_path: Path
) -> None:
    async with start() as edge:
        path = tmp_path / "made.mp4"
        path.write_bytes(tiny_clip())
        write_recipe(path, Format.MP4, make_recipe(ODD, BUILT_IN["demo"], fast_math=False))
        read = await edge.invoke("recipe", files={"clip": Upload("made.mp4", "video/mp4", path.read_bytes())})
        await edge.answer(read)
        await make(edge, str(read.message_id), actor=ADA)
        clip = await edge.clip()
        assert "4711" not in words(clip)
        assert (await edge.job()).settings.seed == 4711
        assert (await edge.job()).told.chosen == ()


async def test_of_a_sheet_of_drafts_the_whole_clip_is_made_with_ones_own_picture(start: Start) -> None:
    async with start() as edge:
        await edge.animate(drafts=True, motion="200")
        sheet = await edge.clip()
        await make(edge, await recipe_of(edge, sheet, actor=BEN), actor=BEN)
        clip = await edge.clip(count=2)
        assert "Motion: 200" in words(clip) and "Drafts" not in words(clip)
        mine, theirs = await edge.job(1), await edge.job(2)
        assert mine.settings.drafts and not theirs.settings.drafts
        assert replace(theirs.settings, shape=mine.settings.shape) == replace(mine.settings, drafts=False)


async def test_two_people_with_the_form_open_at_once_get_each_their_own_recipe(start: Start) -> None:
    async with start() as edge:
        opened = {}
        for number, (seed, actor) in enumerate(((11, ADA), (22, BEN)), 1):
            await edge.animate(seed=seed)
            clip = await edge.clip(count=number)
            opened[actor] = await open_form(edge, await recipe_of(edge, clip, actor=actor), actor=actor)
        for actor, form in opened.items():
            await send(edge, form, actor=actor)
        await edge.clip(count=4)
        made = [await edge.job(number) for number in (3, 4)]
        assert {(job.user_id, job.settings.seed) for job in made} == {(int(ADA), 11), (int(BEN), 22)}
