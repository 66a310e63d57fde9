"""How a command answers: privately, once, whether or not it was acknowledged before, and also when replies are lost.

A request whose reply is lost may have arrived. What may be repeated is sent again, and Discord's 40060 (acknowledged
already) then says that the first one had arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

import aiohttp
import discord
from discord import app_commands, ui

from bot.edge.http_errors import NETWORK_ERRORS, passes
from bot.texts.limits import MESSAGE_LETTERS, shorten
from bot.texts.replies import failed_text, taken_back_text

T = TypeVar("T")
Item = TypeVar("Item")

log = logging.getLogger(__name__)

LOST_REPLIES = (OSError, aiohttp.ClientError)
"""what a request raises when nobody knows whether it arrived; TimeoutError is an OSError"""
RESTS_SECONDS = (0.1, 0.5, 1.0)
"""before each repeat: a first answer has three seconds"""
TRY_SECONDS = 5.0
"""for one try of a first answer"""
ACKNOWLEDGED_ALREADY = 40060
FORM_SECONDS = 3600.0
"""how long the bot remembers an open form: nobody tells it that one was closed"""
_ARRIVED = "arrived"
"""in an interaction's `extras`: a first answer had arrived whose reply was lost, which discord.py does not know"""
_UPDATES = "updates"
"""likewise: its first answer was to leave the message with the pressed button as it is"""


async def repeat_lost(request: Callable[[], Awaitable[T]]) -> T:
    """Send a request that does no harm when it arrives twice, again when its reply was lost.

    Also when something in front of Discord answered instead; limits and failing servers discord.py waits out itself.
    """
    for rest in RESTS_SECONDS:
        try:
            return await request()
        except LOST_REPLIES as error:
            log.info("a reply was lost: %s", type(error).__name__)
        except discord.HTTPException as error:
            if not passes(error) or error.status == 429 or error.status >= 500:
                raise
            log.info("a request was turned away: %d", error.status)
        await asyncio.sleep(rest)
    return await request()


async def answer_first(interaction: discord.Interaction[Any], request: Callable[[], Awaitable[T]]) -> T | None:
    """Send a first answer, again when its reply was lost. Return None when an earlier try had arrived."""

    async def attempt() -> T:
        async with asyncio.timeout(TRY_SECONDS):
            return await request()

    try:
        return await repeat_lost(attempt)
    except discord.HTTPException as error:
        if error.code != ACKNOWLEDGED_ALREADY:
            raise
    interaction.extras[_ARRIVED] = True
    log.info("interaction=%d had been acknowledged", interaction.id)
    return None


def is_acknowledged(interaction: discord.Interaction[Any]) -> bool:
    """Tell whether Discord has a first answer to the interaction."""
    return interaction.response.is_done() or _had_arrived(interaction)


def _had_arrived(interaction: discord.Interaction[Any]) -> bool:
    return _ARRIVED in interaction.extras


async def answer(interaction: discord.Interaction[Any], text: str, **more: Any) -> None:
    """Answer privately: as the response if there was none yet, else as a followup."""
    text = shorten(text, MESSAGE_LETTERS)
    if not is_acknowledged(interaction):
        await answer_first(interaction, lambda: interaction.response.send_message(text, ephemeral=True, **more))
        if not _had_arrived(interaction):
            return
        if _UPDATES not in interaction.extras:
            # That was this very answer, or a deferral of which nobody knew: filling it in is right for both.
            await fill_in(interaction, text, **more)
            return
    await repeat_lost(lambda: interaction.followup.send(text, ephemeral=True, **more))


async def fill_in(interaction: discord.Interaction[Any], text: str, **more: Any) -> None:
    """Write the text into the answer that was deferred."""
    text = shorten(text, MESSAGE_LETTERS)
    await repeat_lost(lambda: interaction.edit_original_response(content=text, **more))


async def acknowledge(interaction: discord.Interaction[Any], *, private: bool) -> int | None:
    """Defer, and return the answer's message id; None when it was too late, so that nobody waits for an answer."""

    def defer() -> Awaitable[discord.InteractionCallbackResponse[Any] | None]:
        return interaction.response.defer(ephemeral=private, thinking=True)

    try:
        callback = await answer_first(interaction, defer)
        if callback is not None:
            return callback.message_id
        return (await repeat_lost(interaction.original_response)).id
    except discord.NotFound:
        log.warning("interaction=%d was acknowledged too late", interaction.id)
        return None


async def acknowledge_press(interaction: discord.Interaction[Any]) -> None:
    """Acknowledge the press of a button with nothing to see; what follows may edit or delete the message it is on."""
    interaction.extras[_UPDATES] = True
    await answer_first(interaction, interaction.response.defer)


async def take_back(interaction: discord.Interaction[Any], text: str, **more: Any) -> None:
    """Replace the public "thinking" by a private answer.

    A deferred answer cannot become private, the first followup would fill it in, and after its deletion followups fail
    with Unknown Message (discord-api-docs#2739, #3087). So it is filled in, answered privately, then deleted.
    """
    await fill_in(interaction, taken_back_text())
    try:
        await answer(interaction, text, **more)
    except NETWORK_ERRORS as error:
        log.info("interaction=%d refusal fell back to the public answer: %s", interaction.id, type(error).__name__)
        await fill_in(interaction, text)
        return
    with contextlib.suppress(discord.NotFound):  # a lost reply to the first try
        await repeat_lost(interaction.delete_original_response)


async def report(interaction: discord.Interaction[Any], error: Exception) -> None:
    """Log the whole error with the interaction's id, never its token, and tell its person once, in a plain sentence."""
    if isinstance(error, app_commands.CheckFailure):
        return  # the check has answered
    if interaction.client.is_closed():
        log.info("interaction=%d was cut short by the stop", interaction.id)
        return
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    name = interaction.command.qualified_name if interaction.command else "button"
    log.error("interaction=%d %s failed", interaction.id, name, exc_info=cause)
    try:
        await answer(interaction, failed_text())
    except NETWORK_ERRORS as late:
        log.info("interaction=%d could not be told: %s", interaction.id, type(late).__name__)


def reporting(
    press: Callable[[Item, Any], Awaitable[None]],
) -> Callable[[Item, Any], Coroutine[Any, Any, None]]:
    """Report what fails in the callback of a button or a menu, which has no tree of commands to catch its errors."""

    @wraps(press)
    async def pressed(self: Item, interaction: discord.Interaction[Any]) -> None:
        try:
            await press(self, interaction)
        except Exception as error:  # noqa: BLE001 - there is nobody else who catches it
            await report(interaction, error)

    return pressed


class Form(ui.Modal):
    """A form that reports what fails in it. Each opening has a custom id of its own, by which discord.py finds it."""

    known: ClassVar[WeakValueDictionary[str, Form]] = WeakValueDictionary()
    """the forms that may still be sent, by custom id; discord.py keeps them as long as they may be"""

    def __init__(self, interaction_id: int, *, title: str, name: str, timeout: float | None = None) -> None:
        super().__init__(title=title, custom_id=f"{name}:{interaction_id}", timeout=timeout or FORM_SECONDS)
        self.known[self.custom_id] = self

    def stop(self) -> None:
        """Take nothing more: it was sent, and discord.py forgets it. Cycles keep it in memory for a while."""
        super().stop()
        self.known.pop(self.custom_id, None)

    async def on_timeout(self) -> None:
        """Take nothing more, as `stop` does."""
        self.known.pop(self.custom_id, None)

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception) -> None:  # type: ignore[override]
        """Log what failed and tell its person."""
        await report(interaction, error)
