"""What the owners read when graphics cards, machines or jobs need them, and what to do. No Discord.

Tested in tests/bot/edge/test_owner_alerts.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.texts.languages.sentences import N_, _, ngettext
from bot.texts.limits import SENTENCE_LETTERS, shorten
from generator.errors import ExecutorLost

_ONE_STOPPED = {
    "signal": N_(
        "A process that renders clips has died again and again (the last one was killed), "
        "so its GPU gets no more jobs; the others go on. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
    "stall": N_(
        "A process that renders clips has died again and again (the last one hung), "
        "so its GPU gets no more jobs; the others go on. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
    "garbage": N_(
        "A process that renders clips has died again and again (the last one spoke garbage), "
        "so its GPU gets no more jobs; the others go on. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
    "": N_(
        "A process that renders clips has died again and again (the last one ended), "
        "so its GPU gets no more jobs; the others go on. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
}
_ALL_STOPPED = {
    "signal": N_(
        "A process that renders clips has died again and again (the last one was killed), "
        "so nothing is started any more. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
    "stall": N_(
        "A process that renders clips has died again and again (the last one hung), "
        "so nothing is started any more. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
    "garbage": N_(
        "A process that renders clips has died again and again (the last one spoke garbage), "
        "so nothing is started any more. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
    "": N_(
        "A process that renders clips has died again and again (the last one ended), "
        "so nothing is started any more. "
        "Everything in the queue is kept. "
        "Look at the bot's log and run `python -m bot doctor`; then use `/admin resume`."
    ),
}
"""by how the last process ended; the last one for any other end"""


def storm_text(error: ExecutorLost, others_go_on: bool) -> str:
    """Return what the owners read when all GPUs have stopped, or one of them, and what to do."""
    sentences = _ONE_STOPPED if others_go_on else _ALL_STOPPED
    return _(sentences.get(error.data.get("cause", ""), sentences[""]))


def left_out_text(node: str) -> str:
    """Return what the owners read when a machine of the cluster gets no more jobs, and what to do."""
    return _(
        "The machine {machine} of the cluster was lost again and again, so it gets no jobs "
        "for half an hour. The others go on, and everything in the queue is kept. Look at its log and run "
        "`python -m bot cluster doctor` on it; `/admin resume` lets it work again at once.",
        machine=shorten(node, SENTENCE_LETTERS),
    )


def unreadable_text(job_ids: Sequence[int]) -> str:
    """Return what the owners read about jobs whose rows this version does not understand."""
    numbers = shorten(", ".join(map(str, job_ids)), SENTENCE_LETTERS)
    if len(job_ids) == 1:
        return _(
            "Job {number} could not be read from the database and failed; everything else goes on. "
            "A newer version may have written that. What was there is kept in the table `set_aside`.",
            number=numbers,
        )
    return ngettext(
        "{count} job ({numbers}) could not be read from the database and failed; everything else goes on. "
        "A newer version may have written that. What was there is kept in the table `set_aside`.",
        "{count} jobs ({numbers}) could not be read from the database and failed; everything else goes on. "
        "A newer version may have written that. What was there is kept in the table `set_aside`.",
        len(job_ids),
        numbers=numbers,
    )
