"""Every rule at every entrance: one table, filled from the code, so that a new entrance or rule cannot be forgotten.

The entrances are read from the command tree, the buttons' actions and every class of the edge that answers a press. The
rules are those of `bot.policy.admission`. What is tried is real: a person acts, and nothing may be enqueued.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands, ui

import bot.edge
from bot.edge.commands import add_commands
from bot.edge.commands.submission.choosing.reading import write_lines
from bot.edge.layouts.actions import Action
from bot.policy.admission import RULES, ReasonKind, decide
from bot.policy.blocking import Block, Subject
from bot.policy.facts import Entrance, Facts
from bot.policy.motion import Motion
from bot.policy.quota import Quota
from bot.policy.server import DEFAULTS, AgeRule, OthersPictures
from bot.queue.job import Job, JobState, NewJob, Route
from bot.sandbox.rules.layout.components import walk
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import (
    ADA,
    BEN,
    BOT_ROLE,
    DIRECT_ADA,
    ELSEWHERE,
    GENERAL,
    LOBBY,
    MODERATOR_ROLE,
    PICTURES,
    TABLEAUX,
    THREAD,
)
from generator.clip import ClipSettings, Format, Quality
from generator.errors import BadFrames, OutOfMemory
from tests.support.edge import Edge, Start, buttons, form_id, png, until, words
from tests.support.fakes import Act, FakeBackend, tiny_clip

MENU = "Animate this image"
FORM_MENU = "Animate with choices"
STRONG: dict[str, Any] = {"motion": "200", "format": "gif", "quality": "balanced", "frames": 20, "seed": 5}
"""what the clip under test has, so that each rule about settings can refuse it"""


# -- the entrances ---------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """A bot, and what was posted in a channel for each entrance to begin from."""

    edge: Edge
    channel: str
    clip: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)
    sheet: dict[str, Any] = field(default_factory=dict)
    refusal: dict[str, Any] = field(default_factory=dict)
    still: dict[str, Any] = field(default_factory=dict)
    too_large: dict[str, Any] = field(default_factory=dict)
    """a failure for which the card was too small"""

    async def press(self, message: dict[str, Any], label: str) -> Interaction:
        custom_id = buttons(message["components"])[label]
        pressed = await self.edge.world.press(ADA, self.channel, message["id"], custom_id)
        return await pressed.acknowledged()


Drive = Callable[[Scene], Awaitable[Interaction]]


async def by_command(scene: Scene) -> Interaction:
    return await scene.edge.animate(channel=scene.channel, **STRONG)


async def by_command_as_drafts(scene: Scene) -> Interaction:
    return await scene.edge.animate(channel=scene.channel, drafts=True, **STRONG)


async def by_message(scene: Scene) -> Interaction:
    author = ADA if scene.channel == DIRECT_ADA else BEN
    posted = scene.edge.world.post(author, scene.channel, "look", [png()])
    chosen = await scene.edge.world.invoke_on_message(ADA, scene.channel, posted["id"], MENU)
    return await chosen.acknowledged()


async def by_choice(scene: Scene) -> Interaction:
    author = ADA if scene.channel == DIRECT_ADA else BEN
    posted = scene.edge.world.post(author, scene.channel, "look", [png("a.png"), png("b.png")])
    asked = await scene.edge.world.invoke_on_message(ADA, scene.channel, posted["id"], MENU)
    await asked.acknowledged()
    [question] = [item for item in scene.edge.seen(channel=scene.channel) if item["id"] == asked.message_id]
    return await scene.press(question, "1. a.png")


async def open_on_message(scene: Scene, count: int = 1) -> Interaction:
    author = ADA if scene.channel == DIRECT_ADA else BEN
    posted = scene.edge.world.post(author, scene.channel, "look", [png(f"{number}.png") for number in range(count)])
    opened = await scene.edge.world.invoke_on_message(ADA, scene.channel, posted["id"], FORM_MENU)
    return await opened.acknowledged()


async def send_form(scene: Scene, opened: Interaction, **values: Any) -> Interaction:
    """Send a form as it is; return what opened it where nothing opened."""
    if opened.modal is None:
        return opened
    sent = await scene.edge.world.submit_modal(ADA, opened.id, opened.modal["custom_id"], values)
    return await sent.acknowledged()


async def by_form(scene: Scene) -> Interaction:
    opened = await scene.edge.invoke("animate-form", channel=scene.channel)
    return await send_form(scene, opened, picture=[png()])


async def by_form_on_message(scene: Scene) -> Interaction:
    return await send_form(scene, await open_on_message(scene))


async def by_form_on_several(scene: Scene) -> Interaction:
    return await send_form(scene, await open_on_message(scene, 2), picture=["1"])


async def ask_ben(scene: Scene) -> tuple[str, str]:
    """Let Ada ask for Ben's picture where he is asked first; return the question, and its button that says yes."""
    servers = scene.edge.store.servers
    await servers.change(int(TABLEAUX), int(BEN), {"others_pictures": OthersPictures.ASK})
    asked = await by_message(scene)
    question = await until(lambda: question_of(scene, asked), "a question")
    await servers.change(int(TABLEAUX), int(BEN), {"others_pictures": OthersPictures.ALLOWED})
    return question["id"], buttons(question["components"])["Allow"]


def question_of(scene: Scene, asked: Interaction) -> dict[str, Any] | None:
    """Return the question to an author that an interaction became."""
    found = [item for item in scene.edge.seen(actor=BEN, channel=scene.channel) if item["id"] == asked.message_id]
    return next((item for item in found if "Allow" in buttons(item["components"])), None)


def by_button(label: str, *, under: str = "clip") -> Drive:
    async def drive(scene: Scene) -> Interaction:
        return await scene.press(getattr(scene, under), label)

    return drive


async def by_menu(scene: Scene) -> Interaction:
    [menu] = [item["custom_id"] for item in walk(scene.clip["components"]) if item["type"] == 3]
    return await (await scene.edge.world.press(ADA, scene.channel, scene.clip["id"], menu, ["extend"])).acknowledged()


async def by_moments(scene: Scene) -> Interaction:
    [menu] = [item["custom_id"] for item in walk(scene.clip["components"]) if item["type"] == 3]
    chosen = await scene.edge.world.press(ADA, scene.channel, scene.clip["id"], menu, ["from"])
    opened = await chosen.acknowledged()
    form = opened.modal or {}
    [field] = [item for item in walk(form["components"]) if "options" in item]
    values = {"from": field["options"][-1]["value"]}
    return await (await scene.edge.world.submit_modal(ADA, opened.id, form["custom_id"], values)).acknowledged()


async def by_mending(scene: Scene) -> Interaction:
    pressed = await scene.press(scene.refusal, "Mend and try again")
    rest = write_lines({name: STRONG[name] for name in STRONG if name != "motion"})  # the menus have what is allowed
    values: dict[str, Any] = {"motion": "200", "rest": rest, "format": [], "quality": []}
    form = pressed.modal["custom_id"] if pressed.modal else ""
    submitted = await scene.edge.world.submit_modal(ADA, pressed.id, form, values)
    return await submitted.acknowledged()


async def by_own_picture(scene: Scene) -> Interaction:
    recipe = await scene.press(scene.clip, "Recipe")
    await scene.edge.answer(recipe, channel=scene.channel)
    [shown] = [item for item in scene.edge.seen(channel=scene.channel) if item["id"] == recipe.message_id]
    opened = await scene.press(shown, "With your picture")
    sent = await scene.edge.world.submit_modal(ADA, opened.id, form_id(opened), {"picture": [png("own.png")]})
    return await sent.acknowledged()


ENTRANCES: dict[str, dict[str, Drive]] = {
    "/animate": {"the command": by_command, "as drafts": by_command_as_drafts},
    "menu Animate this image": {"one picture": by_message},
    "_PictureButton": {"one of several pictures": by_choice},
    "MendForm": {"a refused command": by_mending},
    "/animate-form": {"a picture in the form": by_form},
    "menu Animate with choices": {"one picture": by_form_on_message},
    "AnimateForm": {"one of several pictures": by_form_on_several},
    "button again": {"under a clip": by_button("Again"), "under a failure": by_button("Again", under="failure")},
    "button more": {"under a clip": by_button("More motion")},
    "button less": {"under a clip": by_button("Less motion")},
    "FileMenu": {"go on from the end": by_menu},
    "ExtendForm": {"go on from earlier": by_moments},
    "button drafts": {"under a clip": by_button("Drafts")},
    "button first": {"under drafts": by_button("1", under="sheet")},
    "button second": {"under drafts": by_button("2", under="sheet")},
    "button third": {"under drafts": by_button("3", under="sheet")},
    "button fourth": {"under drafts": by_button("4", under="sheet")},
    "button liven": {"under a clip that hardly moves": by_button("Make it move", under="still")},
    "button remedy": {"under a failure": by_button("Try smaller", under="too_large")},
    "OwnPictureForm": {"from a recipe": by_own_picture},
}
"""by which a request for a clip comes; each way to use one is tried"""

LATER = {"button allow", "button putback"}
"""what lets an earlier request go on, tried by `test_an_authors_yes_is_held_against_every_rule_again` and
`test_what_is_put_back_is_held_against_every_rule_again`"""

NO_ENTRANCES = {
    *("/queue", "/cancel", "/result", "/history", "/recipe", "/help", "/privacy", "/forget-me", "/quota", "/settings"),
    *("SettingMenu", "PageButton", "QuotaButton", "QuotaForm"),
    *("/admin variant", "/admin pause", "/admin resume", "/admin status"),
    *("button cancel", "button recipe", "button delete", "button forget", "button erase"),
    *("/my-data", "/admin drain", "/admin cancel", "/admin limits", "/admin block", "/admin unblock", "/admin blocks"),
    *("/admin take-down", "/admin block-pictures", "/admin audit", "/admin announce"),
    "button shorten",
    *("button report", "button reporting", "button takedown", "button dismiss"),
    *("button deny", "button never", "button optout", "button optin"),
    "MendPress",  # opens the form, which asks
    *("button own", "_OwnPictureButton", "button tell"),  # the first two open OwnPictureForm
    *("button history", "button undo", "button fetch", "button discard", "button discarding"),
    "JobButton",  # its actions are listed one by one
    "ReviewPress",  # what moderators allow was asked for, and admitted, by one of the entrances
}
"""what asks for no clip"""

DRIVES = {f"{name}: {way}": drive for name, ways in ENTRANCES.items() for way, drive in ways.items()}


def names_in_tree(tree: app_commands.CommandTree[Any]) -> set[str]:
    """Name every command that a person can run."""
    found = {f"/{item.qualified_name}" for item in tree.walk_commands() if isinstance(item, app_commands.Command)}
    for kind in (discord.AppCommandType.message, discord.AppCommandType.user):
        found |= {f"menu {item.name}" for item in tree.get_commands(type=kind)}
    return found


def names_of_items() -> set[str]:
    """Name every class of the edge that answers a press, a choice or a form."""
    for module in pkgutil.walk_packages(bot.edge.__path__, "bot.edge."):
        importlib.import_module(module.name)
    waiting: list[type[Any]] = [ui.Item, ui.Modal, ui.View, ui.LayoutView]
    found: set[str] = set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        answers = {"callback", "on_submit"} & set(vars(kind))
        if kind.__module__.startswith("bot.edge") and answers:
            found.add(kind.__name__)
    return found


def all_names(tree: app_commands.CommandTree[Any]) -> set[str]:
    return names_in_tree(tree) | names_of_items() | {f"button {action}" for action in Action}


def unlisted(names: Iterable[str]) -> set[str]:
    """Return what is neither an entrance nor said to be none."""
    return set(names) ^ (ENTRANCES.keys() | NO_ENTRANCES | LATER)


def bots_tree() -> app_commands.CommandTree[Any]:
    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    add_commands(tree)
    return tree


async def test_every_command_button_and_form_is_an_entrance_or_said_to_be_none() -> None:
    assert unlisted(all_names(bots_tree())) == set()


async def test_a_new_command_that_nobody_listed_would_be_seen() -> None:
    """The negative control: a command and a form that this table does not know."""

    @app_commands.command(name="sneak", description="x")
    async def sneak(interaction: discord.Interaction) -> None:
        raise NotImplementedError

    tree = bots_tree()
    tree.add_command(sneak)
    assert unlisted(all_names(tree)) == {"/sneak"}
    assert unlisted([*all_names(bots_tree()), "SneakForm"]) == {"SneakForm"}


# -- the rules -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Break:
    """How a rule is made to refuse what Ada asks for in a server, and what she reads then."""

    sentence: str
    settings: dict[str, Any] | None = None
    """what the server chooses"""
    around: Callable[[Scene, pytest.MonkeyPatch], Awaitable[None]] | None = None
    """what else is done before"""
    mend: Callable[[Scene], Awaitable[object]] | None = None
    """what takes that back"""
    adapts: bool = False
    """whether a request that leaves the choice to the bot is made as the server wants it, and not refused"""


async def pause(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.edge.switches.pause("new model coming.")


async def deny_files(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = scene.edge.world.channels.get(scene.channel)
    above = scene.edge.world.channels.get(channel["parent_id"]) if channel["parent_id"] else channel
    denied = {"id": BOT_ROLE, "type": 0, "allow": "0", "deny": str(int(Permission.ATTACH_FILES))}
    monkeypatch.setitem(above, "permission_overwrites", [denied])


async def drain(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.edge.switches.drain("new model coming.")


async def resume(scene: Scene) -> None:
    await scene.edge.switches.resume()


def blocking(subject: Subject, number: int) -> dict[str, Any]:
    """Return how somebody is blocked, and how that is taken back."""

    async def block(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        where = number or scene.edge.world.channels.get(scene.channel)["guild_id"]
        found = Block(subject=subject, number=int(where), reason="spam.")
        await scene.edge.store.trust.blocks.block(found, by=int(BEN))

    async def unblock(scene: Scene) -> None:
        for found in scene.edge.store.trust.blocks.all():
            await scene.edge.store.trust.blocks.unblock(found.subject, found.number, by=int(BEN))

    return {"around": block, "mend": unblock}


async def opt_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.edge.store.trust.pictures.opt_out(int(BEN))


async def opt_in(scene: Scene) -> None:
    await scene.edge.store.trust.pictures.opt_in(int(BEN))


async def block_pictures(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every picture be a blocked one; which ones are, tests/bot/edge/commands/trust/test_takedown.py tries."""

    async def is_blocked(found: str | None, guild_id: int | None) -> bool:
        return True

    monkeypatch.setattr(scene.edge.store.trust.pictures, "is_blocked", is_blocked)


async def fill_disk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.edge.spool, "free_bytes", lambda: 0)


BREAKS: dict[ReasonKind, Break] = {
    ReasonKind.PAUSED: Break("The bot is paused: new model coming.", around=pause, mend=resume),
    ReasonKind.DRAINING: Break("take nothing new now: new model coming.", around=drain, mend=resume),
    ReasonKind.PERSON_BLOCKED: Break("requests from you: spam.", **blocking(Subject.PERSON, int(ADA))),
    ReasonKind.SERVER_BLOCKED: Break("requests from this server: spam.", **blocking(Subject.SERVER, 0)),
    ReasonKind.OPTED_OUT: Break("wants nobody else to animate", around=opt_out, mend=opt_in),
    ReasonKind.OTHERS_PICTURE: Break("pictures that you posted yourself", {"others_pictures": OthersPictures.NEVER}),
    ReasonKind.PICTURE_BLOCKED: Break("That picture is blocked here", around=block_pictures),
    ReasonKind.ASK_AUTHOR: Break("", {"others_pictures": OthersPictures.ASK}),
    ReasonKind.PERMISSIONS: Break("I lack Attach Files", around=deny_files),
    ReasonKind.NO_ROOM: Break("disk is nearly full", around=fill_disk),
    ReasonKind.CHANNEL: Break(f"only in <#{GENERAL}>", {"channels": [GENERAL]}),
    ReasonKind.ROLE: Break(f"<@&{MODERATOR_ROLE}>", {"roles": [MODERATOR_ROLE]}),
    ReasonKind.AGE: Break("only in age-restricted channels", {"age_rule": AgeRule.RESTRICTED_ONLY}),
    ReasonKind.MOTION: Break("no stronger motion than Gentle", {"most_motion": Motion.GENTLE}, adapts=True),
    ReasonKind.FORMAT: Break("only these formats: webp", {"formats": [Format.WEBP]}, adapts=True),
    ReasonKind.QUALITY: Break("only these qualities: fast", {"qualities": [Quality.FAST]}, adapts=True),
    ReasonKind.VARIANT: Break("only clips made with svd,", {"variants": ["svd"]}),
    ReasonKind.TOO_LONG: Break("this server allows 1.", {"longest_clip": 1.0}, adapts=True),
    ReasonKind.QUOTA: Break("may have 1 clip in 24 hours", {"member_quota": Quota(clips_per_day=1)}),
}

ON_MESSAGES = (
    "menu Animate this image: one picture",
    "_PictureButton: one of several pictures",
    "menu Animate with choices: one picture",
    "AnimateForm: one of several pictures",
)
"""the entrances for a picture that somebody else may have posted"""
CHOOSE_NOTHING = (*ON_MESSAGES, "/animate-form: a picture in the form")
"""the entrances that leave every option to the bot, or offer only what may be chosen"""
ABOUT_OTHERS = (ReasonKind.OPTED_OUT, ReasonKind.OTHERS_PICTURE, ReasonKind.ASK_AUTHOR)
"""the rules about pictures of somebody else, which Ada reaches by the entrances on messages alone"""
OF_SERVERS = {kind for kind, item in BREAKS.items() if item.settings} | {
    ReasonKind.PERMISSIONS,
    ReasonKind.SERVER_BLOCKED,
}


def test_every_rule_has_a_row() -> None:
    assert set(BREAKS) == set(ReasonKind)
    assert len(RULES) == len(set(ReasonKind)), "one kind of reason for each rule"


@asynccontextmanager
async def scene_in(start: Start, channel: str) -> AsyncIterator[Scene]:
    """Start a bot that has posted a clip, a failure and a clip that hardly moves there, all of Ada."""
    fails = Act(error=BadFrames("NaN in latents", kind="nan"))
    too_large = Act(error=OutOfMemory("", needed_gib=9))
    script = [Act(steps=1), fails, too_large, Act(steps=1, motion=0.1)]
    async with start(backend=FakeBackend(script=script, usual=Act(steps=1))) as edge:
        scene = Scene(edge, channel)
        await edge.animate(channel=channel, **STRONG)
        scene.clip = await edge.clip(channel=channel)
        (edge.spool.folder / "1-1-frames.mp4").write_bytes(tiny_clip())  # a GIF does not hold its frames
        await edge.animate(channel=channel, **STRONG | {"seed": 6})
        await edge.delivered(2)
        await until(lambda: failures(edge, channel), "a failure with its button")
        [scene.failure] = failures(edge, channel)[-1:]
        await edge.animate(channel=channel, **STRONG | {"seed": 7})
        await edge.delivered(3)
        await until(lambda: failures(edge, channel, "Try smaller"), "a failure with its remedy")
        [scene.too_large] = failures(edge, channel, "Try smaller")[-1:]
        await edge.animate(channel=channel, **STRONG | {"seed": 8})
        scene.still = await edge.clip(channel=channel, count=2)
        await by_command_as_drafts(scene)
        scene.sheet = await edge.clip(count=3, channel=channel)
        await edge.answer(await edge.animate(channel=channel, **STRONG | {"motion": "banana"}), channel=channel)
        [scene.refusal] = [item for item in edge.seen(channel=channel) if "banana" in words(item)]
        yield scene


def failures(edge: Edge, channel: str, remedy: str = "Again") -> list[dict[str, Any]]:
    """Return the messages with nothing but the button that helps, and no card."""
    return [item for item in edge.seen(channel=channel) if set(buttons(item["components"])) == {remedy}]


async def require_refused(scene: Scene, name: str, drive: Drive, kind: ReasonKind) -> None:
    """Require that what was asked for is refused with the rule's sentence, or made as the server wants it."""
    before = await newest(scene.edge)
    broken = BREAKS[kind]
    asked = await drive(scene)
    if broken.adapts and name in CHOOSE_NOTHING:
        job = await until(lambda: newer(scene.edge, before), f"{name} is made as {kind} wants")
        server = scene.edge.store.servers.settings(int(TABLEAUX))
        assert decide(Facts(entrance=Entrance.MESSAGE, server=server, settings=job.settings)) is None, (name, kind)
        return
    if kind is ReasonKind.ASK_AUTHOR:
        await until(lambda: question_of(scene, asked), f"{name} asks the author")
        assert await newer(scene.edge, before) is None, (name, kind)
        return
    told = await scene.edge.answer(asked, channel=scene.channel)
    assert broken.sentence in told, (name, kind, told)
    assert "Nothing was queued" in told, (name, kind)
    assert await newer(scene.edge, before) is None, (name, kind)


async def require_taken(scene: Scene, name: str, drive: Drive) -> Job:
    """Require that a request becomes a job, wait for its clip, and return the job."""
    before = await newest(scene.edge)
    await drive(scene)
    job: Job = await until(lambda: newer(scene.edge, before), f"a job by {name}")
    await scene.edge.delivered(job.id)
    return job


async def newest(edge: Edge) -> int:
    return max((job.id for job in await edge.store.jobs.of_user(int(ADA), 1)), default=0)


async def newer(edge: Edge, number: int) -> Job | None:
    jobs = await edge.store.jobs.of_user(int(ADA), 1)
    return jobs[0] if jobs and jobs[0].id > number else None


async def with_rule_broken(scene: Scene, kind: ReasonKind, drives: dict[str, Drive], guild: str | None) -> int:
    """Break one rule, try the entrances, and mend it again. Return how many were tried."""
    broken = BREAKS[kind]
    with pytest.MonkeyPatch.context() as monkeypatch:
        if broken.around:
            await broken.around(scene, monkeypatch)
        if broken.settings and guild:
            await scene.edge.store.servers.change(int(guild), int(BEN), broken.settings)
        for name, drive in drives.items():
            if kind not in ABOUT_OTHERS or name in ON_MESSAGES:
                await require_refused(scene, name, drive, kind)
            elif name == "/animate: the command":
                await require_taken(scene, name, drive)  # the negative control: her own picture
        if broken.settings and guild:
            usual = {name: getattr(DEFAULTS, name) for name in broken.settings}
            await scene.edge.store.servers.change(int(guild), int(BEN), usual)
        if broken.mend:
            await broken.mend(scene)
    return len(drives)


@pytest.mark.parametrize("kind", list(ReasonKind))
async def test_no_entrance_forgets_a_rule(start: Start, kind: ReasonKind) -> None:
    async with scene_in(start, PICTURES) as scene:
        assert await with_rule_broken(scene, kind, DRIVES, TABLEAUX) == len(DRIVES)


async def test_every_entrance_is_open_when_no_rule_is_broken(start: Start) -> None:
    """The negative control of all refusals: the same requests, and no rule in the way."""
    async with scene_in(start, PICTURES) as scene:
        for name, drive in DRIVES.items():
            assert await require_taken(scene, name, drive)


@pytest.mark.parametrize(
    ("channel", "guild"),
    [(THREAD, TABLEAUX), (LOBBY, ELSEWHERE), (DIRECT_ADA, None)],
    ids=["thread", "installed for a person, in a foreign server", "direct message"],
)
async def test_a_rule_holds_in_every_kind_of_channel(start: Start, channel: str, guild: str | None) -> None:
    drives = {name: DRIVES[name] for name in ("/animate: the command", "button again: under a clip")}
    async with scene_in(start, channel) as scene:
        for kind in ReasonKind:
            if guild is None and kind in OF_SERVERS:
                continue  # no server chooses anything there
            if guild == ELSEWHERE and kind is ReasonKind.PERMISSIONS:
                continue  # the bot only answers there
            assert await with_rule_broken(scene, kind, drives, guild) == len(drives)


@pytest.mark.parametrize("kind", [kind for kind in ReasonKind if kind is not ReasonKind.ASK_AUTHOR])
async def test_an_authors_yes_is_held_against_every_rule_again(start: Start, kind: ReasonKind) -> None:
    """A rule that was not in the way when Ada asked may be in it when Ben agrees."""
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        scene = Scene(edge, PICTURES)
        await edge.animate(**STRONG)
        await edge.clip()
        message_id, custom_id = await ask_ben(scene)
        with pytest.MonkeyPatch.context() as monkeypatch:
            if broken := BREAKS[kind].around:
                await broken(scene, monkeypatch)
            wanted = NOT_WHAT_DEMO_MAKES if kind is ReasonKind.QUALITY else BREAKS[kind].settings or {}
            await edge.store.servers.change(int(TABLEAUX), int(BEN), wanted)
            await (await edge.world.press(BEN, PICTURES, message_id, custom_id)).acknowledged()
            sentence = BREAKS[kind].sentence.partition(":")[0]
            told = await until(lambda: telling(edge, sentence), f"why it is not made: {kind}")
        assert f"<@{ADA}>" in told[0]
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


FORBIDDEN: dict[ReasonKind, dict[str, Any]] = {
    ReasonKind.MOTION: {"motion": "wild"},
    ReasonKind.FORMAT: {"format": ["gif"]},
    ReasonKind.QUALITY: {"extras": ["fast"]},
}
"""what Ada has chosen in a form that was open before the rule was"""


@pytest.mark.parametrize("kind", list(ReasonKind))
async def test_a_form_that_was_open_before_is_held_against_every_rule(start: Start, kind: ReasonKind) -> None:
    """A rule that was not in the way when the form opened may be in it when the form is sent."""
    broken = BREAKS[kind]
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        scene = Scene(edge, PICTURES)
        await edge.animate(**STRONG)
        await edge.clip()
        opened = await open_on_message(scene)
        assert opened.modal is not None
        with pytest.MonkeyPatch.context() as monkeypatch:
            if broken.around:
                await broken.around(scene, monkeypatch)
            wanted = NOT_WHAT_DEMO_MAKES if kind is ReasonKind.QUALITY else broken.settings or {}
            await edge.store.servers.change(int(TABLEAUX), int(BEN), wanted)
            sent = await send_form(scene, opened, **FORBIDDEN.get(kind, {}))
            if kind is ReasonKind.ASK_AUTHOR:
                await until(lambda: question_of(scene, sent), "a question to the author")
            elif broken.adapts and kind not in FORBIDDEN:
                job: Job = await until(lambda: newer(edge, 1), "a clip as the server wants it")
                server = edge.store.servers.settings(int(TABLEAUX))
                assert decide(Facts(entrance=Entrance.FORM, server=server, settings=job.settings)) is None
                return
            else:
                assert broken.sentence.partition(":")[0] in await edge.answer(sent)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


@pytest.mark.parametrize("kind", [kind for kind in ReasonKind if kind not in ABOUT_OTHERS])
async def test_what_is_put_back_is_held_against_every_rule_again(start: Start, kind: ReasonKind) -> None:
    """A rule that was not in the way when Ada asked may be in it when she puts back what she cancelled."""
    async with start(backend=FakeBackend(usual=Act(hangs=True))) as edge:
        for _ in range(2):
            await edge.queued(**STRONG)
        cancelled = await edge.invoke("cancel", {"job": 2})
        await edge.answer(cancelled)
        await edge.delivered(2)
        [told] = [item for item in edge.seen() if item["id"] == cancelled.message_id]
        scene, broken = Scene(edge, PICTURES), BREAKS[kind]
        with pytest.MonkeyPatch.context() as monkeypatch:
            if broken.around:
                await broken.around(scene, monkeypatch)
            if broken.settings:
                wanted = NOT_WHAT_DEMO_MAKES if kind is ReasonKind.QUALITY else broken.settings
                await edge.store.servers.change(int(TABLEAUX), int(BEN), wanted)
            answer = await edge.answer(await scene.press(told, "Put it back"))
        assert broken.sentence.partition(":")[0] in answer and "Nothing was queued" in answer
        assert (await edge.job(2)).state is JobState.CANCELLED


NOT_WHAT_DEMO_MAKES = {"qualities": [Quality.QUALITY]}


def telling(edge: Edge, sentence: str) -> list[str]:
    """Return what Ada sees with this sentence in it."""
    return [text for item in edge.seen() if sentence in (text := words(item))]


async def test_an_authors_yes_makes_a_clip_when_no_rule_is_broken(start: Start) -> None:
    """The negative control."""
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        scene = Scene(edge, PICTURES)
        message_id, custom_id = await ask_ben(scene)
        await (await edge.world.press(BEN, PICTURES, message_id, custom_id)).acknowledged()
        await edge.clip()
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


# -- a new entrance that goes its own way ----------------------------------------------------------------------------


async def sneak_in(scene: Scene) -> Interaction:
    """Enqueue without asking anybody, as an entrance might that forgot the rules."""
    route = Route(application_id=1, channel_id=int(PICTURES), guild_id=int(TABLEAUX))
    job = NewJob(key="sneaked", user_id=int(ADA), route=route, settings=ClipSettings(variant="demo"), picture="x.png")
    await scene.edge.store.jobs.enqueue(job)
    return await scene.edge.invoke("help")


async def test_an_entrance_that_forgets_the_rules_would_be_seen(start: Start) -> None:
    """The negative control of the table."""
    async with scene_in(start, PICTURES) as scene:
        with pytest.raises(AssertionError):
            await with_rule_broken(scene, ReasonKind.CHANNEL, {"sneak": sneak_in}, TABLEAUX)


AFTER_A_DECISION = "commands/reviews/deciding.py:_take_up"
"""enqueues what moderators allow: `_accept` admitted it before the filter held it back, and makes every such review"""


def enqueuers(sources: dict[str, str]) -> set[str]:
    """Name each function that calls `enqueue`."""
    found = set()
    for name, text in sources.items():
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
                if any(isinstance(call, ast.Attribute) and call.attr == "enqueue" for call in calls):
                    found.add(f"{name}:{function.name}")
    return found


def test_one_function_alone_enqueues_and_it_asks_first() -> None:
    folder = Path(bot.edge.__path__[0])
    sources = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}
    assert enqueuers(sources) == {"commands/submission/submit.py:_accept", AFTER_A_DECISION}
    text = sources["commands/submission/submit.py"]
    [accept] = [item for item in ast.walk(ast.parse(text)) if getattr(item, "name", "") == "_accept"]
    body = ast.unparse(accept)
    assert 0 < body.index("await admit(") < body.index(".enqueue(")
    sinner = {"x.py": "async def f(services, new):\n    await services.store.jobs.enqueue(new)\n"}
    assert enqueuers(sinner) == {"x.py:f"}, "the negative control"
