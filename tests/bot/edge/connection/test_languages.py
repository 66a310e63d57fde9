"""Each person reads their own language, a channel the server's: real discord.py against the local Discord.

Ada's client is German and Ben's is Japanese, in one channel of a French server; Olga, who owns it, is Brazilian.
"""

from __future__ import annotations

import ast
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands

import bot.edge
from bot.edge.commands.settings.panel import Page
from bot.policy.quota import Quota
from bot.sandbox.rules.locales import as_shown
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, DIRECT_BEN, OLGA, PICTURES, TABLEAUX
from bot.texts.languages.spoken import spoken
from tests.support.edge import Edge, hanging, running_edge, until, words

GERMAN_LABEL = "KI-generiert: Ein Modell hat diesen Clip aus einem Bild gemacht."
FRENCH_LABEL = "Généré par IA\u00a0: un modèle a créé ce clip à partir d'une image."
JAPANESE_LABEL = "AI生成：このクリップはモデルが1枚の画像から作りました。"


def people_of_many_countries(sandbox: Sandbox, server: str = "fr") -> None:
    for person, locale in ((ADA, "de"), (BEN, "ja"), (OLGA, "pt-BR")):
        sandbox.world.set_locale(person, locale)
    sandbox.world.directory.guilds[TABLEAUX]["preferred_locale"] = server


@pytest.fixture
async def abroad(edge: Edge) -> AsyncIterator[Edge]:
    """A French server with a German, a Japanese and a Brazilian."""
    people_of_many_countries(edge.sandbox)
    yield edge


async def label(edge: Edge, *, channel: str = PICTURES) -> str:
    """Return what stands below the newest clip."""
    return words(await edge.clip(channel=channel))


async def test_in_one_channel_each_reads_their_own_answers_and_all_read_the_servers_clips(abroad: Edge) -> None:
    await abroad.store.servers.change(int(TABLEAUX), int(OLGA), {"member_quota": Quota(clips_per_day=5)})
    german = await abroad.answer(await abroad.invoke("quota", actor=ADA), actor=ADA)
    japanese = await abroad.answer(await abroad.invoke("quota", actor=BEN), actor=BEN)
    assert "**Du, auf diesem Server**\n0 von 5 Clips in 24 Stunden" in german
    assert "**あなた（このサーバー）**\n24時間で0／5本" in japanese
    await abroad.queued(actor=ADA)
    assert FRENCH_LABEL in await label(abroad)
    await abroad.queued(actor=BEN)
    await abroad.clip(count=2)
    assert [FRENCH_LABEL in words(clip) for clip in abroad.clips(actor=BEN)] == [True, True]
    seen = words(abroad.seen(actor=BEN))
    assert GERMAN_LABEL not in seen and JAPANESE_LABEL not in seen, "what all read is French"


async def test_direct_messages_are_in_the_persons_language(abroad: Edge) -> None:
    await abroad.queued(actor=BEN, channel=DIRECT_BEN)
    assert JAPANESE_LABEL in await label(abroad, channel=DIRECT_BEN)


async def test_what_was_chosen_with_settings_wins_over_discords_language(abroad: Edge) -> None:
    await abroad.store.servers.change(int(TABLEAUX), int(OLGA), {"language": "ja"})
    await abroad.queued(actor=ADA)
    assert JAPANESE_LABEL in await label(abroad)


async def test_in_a_server_that_has_chosen_nothing_the_person_who_asks_sets_the_language(edge: Edge) -> None:
    people_of_many_countries(edge.sandbox, server="en-US")
    await edge.queued(actor=ADA)
    assert GERMAN_LABEL in await label(edge)


async def test_answers_that_everybody_sees_are_in_the_channels_language(abroad: Edge) -> None:
    await abroad.store.servers.change(int(TABLEAUX), int(OLGA), {"private_replies": False})
    await abroad.invoke("quota", actor=ADA)
    told = "Il n'y a pas de limite de clips ici"
    await until(lambda: told in words(abroad.seen(actor=BEN)), "the answer, seen by the others too")


async def test_a_clip_that_is_posted_after_a_restart_is_in_the_language_in_which_it_was_asked_for(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    people_of_many_countries(sandbox)
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        job = await edge.queued(actor=ADA)
        assert (job.route.language, job.route.own_language) == ("fr", "de")
    sandbox.world.directory.guilds[TABLEAUX]["preferred_locale"] = "en-US"
    async with running_edge(tmp_path, sandbox) as edge:
        assert FRENCH_LABEL in await label(edge)


async def test_a_job_from_an_earlier_version_is_posted_in_the_bots_own_language(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    people_of_many_countries(sandbox)
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        await edge.queued(actor=ADA)
    with contextlib.closing(sqlite3.connect(tmp_path / "vivant.db")) as db:
        db.execute("update job set route = json_remove(route, '$.language', '$.own_language')")
        db.commit()
    async with running_edge(tmp_path, sandbox, config={"language": "pt-BR"}) as edge:
        assert "Gerado por IA: um modelo criou este clipe a partir de uma imagem." in await label(edge)


async def test_forms_menus_and_their_mistakes_are_in_the_persons_language(abroad: Edge) -> None:
    panel = "### Minhas configurações para Tableaux: "
    await abroad.invoke("settings", actor=OLGA)
    await until(lambda: f"{panel}Onde e quem" in words(abroad.seen(actor=OLGA)), "the panel in Portuguese")
    message = abroad.seen(actor=OLGA)[-1]["id"]
    pressed = await abroad.world.press(OLGA, PICTURES, message, f"vivant-settings-page:{Page.LIMITS}")
    await pressed.acknowledged()
    assert f"{panel}Limites" in words(abroad.seen(actor=OLGA))
    opened = await abroad.world.press(OLGA, PICTURES, message, "vivant-settings-quota:member_quota")
    modal: dict[str, Any] | None = (await opened.acknowledged()).modal
    assert modal is not None
    assert (modal["title"], modal["components"][0]["label"]) == (
        "O que cada pessoa pode ter aqui",
        "Clipes em 24 horas",
    )
    wrong = await abroad.world.submit_modal(OLGA, opened.id, modal["custom_id"], {"clips_per_day": "many"})
    told = await abroad.answer(await wrong.acknowledged(), actor=OLGA)
    assert told.startswith("“Clipes em 24 horas” deve ser um número inteiro")


async def test_every_kind_of_interaction_comes_in_through_the_one_entrance(abroad: Edge) -> None:
    """A command, its suggestions, an entry of the menu: each callback speaks its person's language."""
    heard: list[str] = []
    tree = abroad.client.tree

    @tree.command(name="probe", description="Tells the language")
    async def probe(interaction: discord.Interaction, word: str) -> None:
        heard.append(spoken().code)
        await interaction.response.send_message("heard")

    @probe.autocomplete("word")
    async def _suggest(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=spoken().code, value="x")]

    @tree.context_menu(name="Probe")
    async def _menu(interaction: discord.Interaction, message: discord.Message) -> None:
        heard.append(spoken().code)
        await interaction.response.send_message("heard")

    await tree.sync()
    for person in (ADA, BEN):
        await abroad.invoke("probe", {"word": "x"}, actor=person)
        message = abroad.world.post(person, PICTURES, "Here I am")
        await (await abroad.world.invoke_on_message(person, PICTURES, message["id"], "Probe")).acknowledged()
    assert heard == ["de", "de", "ja", "ja"]
    for person, code in ((ADA, "de"), (BEN, "ja")):
        choices = await abroad.world.autocomplete(person, PICTURES, "probe", {"word": "x"}, "word")
        assert [choice["name"] for choice in choices] == [code]
    assert spoken().code == "en", "nothing of it stays in the task that reads from Discord"


async def test_commands_are_called_in_each_persons_language(abroad: Edge) -> None:
    def shown(person: str) -> dict[str, Any]:
        locale = abroad.world.locale(person)
        return next(
            as_shown(item, locale) for item in abroad.world.commands_for(person, PICTURES) if item["name"] == "animate"
        )

    german, japanese = shown(ADA), shown(BEN)
    assert (german["name_localized"], japanese["name_localized"]) == ("animieren", "動かす")
    assert german["description"] == "Erwecke ein Bild als kurzen Clip zum Leben"
    options = {item["name"]: item for item in japanese["options"]}
    assert options["motion"]["name_localized"] == "動き"
    assert len({item["name"] for item in options["loop"]["choices"]}) == 4
    menu = next(item for item in abroad.world.commands_for(ADA, PICTURES) if item["type"] == 3)
    assert as_shown(menu, "de")["name_localized"] == "Dieses Bild animieren"
    assert as_shown(menu, "es-419")["name_localized"] == as_shown(menu, "es-ES")["name_localized"]
    assert "name_localized" not in as_shown(menu, "it"), "English, where the bot does not speak it"


# -- nothing is written into a channel without a language having been chosen -----------------------------------------

WRITERS = {"send", "edit_card", "write_to_channel"}
"""what writes where nobody has asked at that moment, or where others read too"""
CHOOSES = {"speak", "speaking"}
KNOWN = {
    "status_cards.StatusCards._request": "_write chooses, by the job",
    "commands.trust.announcing._write": "posted chooses, by the server",
    "delivery.Poster._close_cancelled": "_deliver chooses, by the job",
    "delivery.Poster._end_card": "_deliver chooses, by the job",
    "posting.Posting.send": "_deliver chooses, by the job",
    "posting.Posting._post_in": "_deliver chooses, by the job",
    "commands.jobs.remedying._tell_owners": "the owners read the bot's own language",
    "commands.submission.choosing.elsewhere.place_for_card": "the entrance chooses; the card follows in the server's",
    "owner_alerts.OwnerAlerts.run": "the owners read the bot's own language, which is that of the start",
    "commands.trust.reports._tell_operators": "likewise",
    "commands.settings.log_channel.write_to_channel": "writes what its callers say",
    "commands.submission.answers.answer": "an answer to one person: the entrance chooses",
}


def writers_without_a_language(source: str) -> list[str]:
    """Name the functions of a module that write into a channel and choose no language."""

    def functions(node: ast.AST, name: str) -> list[tuple[str, ast.AST]]:
        inside: list[tuple[str, ast.AST]] = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                inside += functions(child, f"{name}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inside.append((f"{name}{child.name}", child))
        return inside

    def called(node: ast.AST) -> set[str]:
        calls = [item.func for item in ast.walk(node) if isinstance(item, ast.Call)]
        return {item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "") for item in calls}

    found = [(name, called(node)) for name, node in functions(ast.parse(source), "")]
    return [name for name, calls in found if calls & WRITERS and not calls & CHOOSES]


def test_whatever_writes_into_a_channel_has_chosen_a_language() -> None:
    """A new writer chooses one with `speaking`, or is named above with the reason why it need not."""
    folder = Path(str(bot.edge.__file__)).parent
    found = {
        ".".join([*path.relative_to(folder).with_suffix("").parts, name])
        for path in folder.rglob("*.py")
        for name in writers_without_a_language(path.read_text())
    }
    assert found == set(KNOWN)


def test_a_writer_that_chooses_nothing_would_be_seen() -> None:
    source = "async def tell(channel):\n    {}await channel.send('hello')\n"
    assert writers_without_a_language(source.format("")) == ["tell"]
    assert writers_without_a_language(source.format("with speaking('de'): ")) == []
