"""Fixed answers of commands, as plain text. No Discord."""

from __future__ import annotations

from collections.abc import Iterable

from bot.queue.job import CancelOutcome
from bot.queue.servers.choices import KEPT_DAYS
from bot.texts.explanations import format_minutes
from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import _, ngettext
from bot.texts.limits import MESSAGE_LETTERS, NAME_LETTERS, SENTENCE_LETTERS, listed, shorten
from generator.variants import Variant


def paused_text(reason: str) -> str:
    """Say that the bot takes nothing now."""
    return _(
        "The bot is paused: {reason} Nothing was queued. Please try again later; what was waiting stays in the queue.",
        reason=shorten(reason, SENTENCE_LETTERS),
    )


def no_room_text() -> str:
    """Say that the disk is nearly full."""
    return _(
        "The bot's disk is nearly full. Nothing was queued. Please tell whoever runs this bot; nothing waiting is lost."
    )


def not_fetched_text() -> str:
    """Say that Discord did not hand over the picture."""
    return _("I could not fetch your picture from Discord. Nothing was queued. Please try again in a moment.")


def too_long_text(wait_ms: int) -> str:
    """Say that an answer would come too late where the bot is not a member."""
    # Translators: {time} is a duration such as "25 min".
    return _(
        "The queue is {time} long, but here I can only answer for 15 minutes, because I am no "
        "member here. Nothing was queued. Use me where I am a member, or in a direct message to me. "
        "To make me a member of a private thread, mention me in it.",
        time=format_minutes(wait_ms),
    )


def no_history_text() -> str:
    """Tell who manages a server what the bot cannot do without Read Message History."""
    return _(
        "You manage this server, so only you see this: I lack the permission Read Message History here. Clips come all "
        "the same, but not as a reply to their card, and after a long outage one may be posted twice, because I cannot "
        "look whether it arrived. Give my role that permission, here or in the whole server."
    )


def taken_back_text() -> str:
    """Fill in a public answer that is about to be deleted."""
    return _("I could not take that one; the reason is in a private note.")


def no_picture_text() -> str:
    """Say that a message holds nothing to animate."""
    return _("There is no picture in that message. Choose one with a picture, or use /animate.")


def choose_picture_text(shown: int, found: int) -> str:
    """Ask which of a message's pictures shall move."""
    if shown >= found:
        return _("That message has several pictures. Which one shall move?")
    return _(
        "That message has several pictures. Which one shall move? These are the first {shown} of {found}.",
        shown=whole(shown),
        found=whole(found),
    )


def chosen_picture_text(name: str) -> str:
    """Say which of them was chosen."""
    return _("You chose {name}.", name=shorten(name, NAME_LETTERS))


def picture_gone_text() -> str:
    """Say that an earlier job's picture has been deleted."""
    return _("That picture is no longer kept here. Nothing was queued. Please use /animate with it again.")


def no_further_text() -> str:
    """Say that a setting is at its limit already."""
    return _("It cannot go any further. Nothing was queued. Again makes another clip with the same motion.")


def queued_already_text() -> str:
    """Say that the very same clip is waiting or being made."""
    return _("That very clip is in the queue already. Nothing was queued.")


def no_job_text(job_id: int) -> str:
    """Say that there is no such job."""
    return _("There is no job {number} here. /queue lists yours.", number=job_id)


def earlier_text() -> str:
    """Say that a button's job is no longer stored."""
    return _("That is from before my records begin. Nothing was queued. Please use /animate again.")


def not_yours_text() -> str:
    """Say who may cancel or delete a job."""
    return _("Only the person who asked for it, or a moderator, can do that.")


def no_clip_text() -> str:
    """Say that there is nothing to hand over."""
    return _("I have no such clip of yours any more. Please use /animate again.")


def still_coming_text() -> str:
    """Say that a clip is not done yet."""
    return _("That one is not done yet. Its card tells how far it is.")


def which_recipe_text() -> str:
    """Ask for what /recipe needs."""
    return _("Which clip? Attach one that I made, or give its job number.")


def no_recipe_text() -> str:
    """Say that a file carries no recipe."""
    return _("There is no recipe in that file. Either I did not make it, or another program has saved it since.")


def not_here_text() -> str:
    """Say that the bot does not serve this server."""
    return _("I do not work in this server: whoever runs me has chosen others.")


def failed_text() -> str:
    """Say that a command failed for a reason nobody planned for."""
    return _(
        "Something went wrong on my side. What you had in the queue is still there. "
        "Please try again; if it happens again, tell whoever runs this bot."
    )


def not_admin_text() -> str:
    """Say who may use /admin."""
    return _("Only the people who run this bot can use /admin.")


def not_operator_text() -> str:
    """Say who may switch the variant."""
    return _("Only the bot's owners can switch the variant: it changes the clips of every server.")


def no_variant_text(name: str, variants: Iterable[str]) -> str:
    """Say which variants there are."""
    return _(
        "There is no variant called {name}. There are: {variants}.",
        name=shorten(name, NAME_LETTERS),
        variants=listed((shorten(known, NAME_LETTERS) for known in sorted(variants)), 1500),
    )


def cannot_run_text(name: str, problem: str) -> str:
    """Say that a variant cannot run on this machine, and what to do about it."""
    # Translators: {problem} is one sentence or more.
    return _(
        "{name} cannot run here, so nothing was switched. {problem}",
        name=shorten(name, NAME_LETTERS),
        problem=shorten(problem, 1200),
    )


def switched_text(variant: Variant) -> str:
    """Say that the variant was switched."""
    name = shorten(variant.name, NAME_LETTERS)
    if not variant.licence:
        return _("New pictures are made with {name} now; those in the queue keep what they were asked for.", name=name)
    # Translators: {licence} is the licence's name, often with its address.
    return _(
        "New pictures are made with {name} now; those in the queue keep what they were asked for. "
        "Its licence: {licence}",
        name=name,
        licence=_licence(variant),
    )


def _licence(variant: Variant) -> str:
    texts = (variant.licence, variant.licence_url)
    return " ".join(shorten(text, SENTENCE_LETTERS) for text in texts if text)


def now_paused_text(reason: str) -> str:
    """Say that the bot is paused now."""
    return _(
        "Paused: {reason} What is being made goes on to its end; the queue keeps its order. /admin resume ends it.",
        reason=shorten(reason, SENTENCE_LETTERS),
    )


def resumed_text() -> str:
    """Say that the bot works again."""
    return _("Working again.")


def privacy_text(clip_hours: int, row_days: int, url: str | None) -> str:
    """Say what is kept, for how long, and how to have it deleted, as PRIVACY.md does at length."""
    lines = [
        _("**What I keep**"),
        ngettext(
            "Your picture as framed for the model, and the clip: until {count} hour after your request was over.",
            "Your picture as framed for the model, and the clip: until {count} hours after your request was over.",
            clip_hours,
        ),
        ngettext(
            "A clip that I could not post waits for you for {count} day.",
            "A clip that I could not post waits for you for {count} days.",
            row_days,
        ),
        ngettext(
            "Your user id, the channel, the settings and times of each request: until {count} day after it was over.",
            "Your user id, the channel, the settings and times of each request: until {count} days after it was over.",
            row_days,
        ),
        ngettext(
            "What you chose last in the form: until {count} day after you last sent it.",
            "What you chose last in the form: until {count} days after you last sent it.",
            KEPT_DAYS,
        ),
        _(
            "The picture as you sent it is deleted as soon as it has been framed. "
            "I keep no other messages and no names."
        ),
        _("Nothing is used for training, and nothing is given to anybody else."),
        _("`/forget-me` deletes all of it at once, and also what I posted for you in Discord if you want that."),
        _("`/my-data` gives you all of it as a file."),
        _("The Delete button under a clip works for you as long as the clip mentions you."),
        _("Clips say in their file how they were made, and that a model made them."),
    ]
    own = [_("The operator's own notice: {url}", url=url)] if url else []
    return shorten("\n".join([*lines, *own]), MESSAGE_LETTERS)


def help_text(variant: Variant) -> str:
    """Explain what the bot does."""
    lines = [
        _(
            "**I bring pictures to life.** `/animate` with a picture gives a short clip, or choose Apps, Animate "
            "this image in the menu of any message with a picture: hold the message on a phone, right-click it on a "
            "computer. To choose more: `/animate-form`, or Apps, Animate with choices."
        ),
        _(
            "Best is one clear subject on a simple background. Faces, text, hands and small things come out distorted: "
            "that is a limit of the model, and no setting cures it. A closer crop and gentle motion help."
        ),
        _("Too little motion? Try Strong or Wild. Too much? Gentle."),
        _(
            "Under each clip: Again and the buttons beside it make another one, Drafts gives four rough ones to choose "
            "from, and the menu makes it longer, a loop, slower, smoother or a GIF. What you change there you can undo."
        ),
        _(
            "`/queue` where you stand in the queue · `/cancel` give one up · `/history` your clips · "
            "`/result` a finished clip again · "
            "`/recipe` how a clip was made · `/quota` how many you may still have · `/privacy` what I keep · "
            "`/my-data` have it as a file · "
            "`/forget-me` delete it"
        ),
        f"-# {shorten(variant.description or variant.name, SENTENCE_LETTERS)}. {_licence(variant)}".rstrip(),
    ]
    return shorten("\n".join(lines), MESSAGE_LETTERS)


def explain_cancel(outcome: CancelOutcome, job_id: int) -> str:
    """Say what came of a cancel."""
    return {
        CancelOutcome.NOT_FOUND: no_job_text(job_id),
        CancelOutcome.QUEUED_CANCELLED: _("Cancelled."),
        CancelOutcome.RUNNING_REQUESTED: _("Cancelled. It stops within moments."),
        CancelOutcome.ALREADY_SETTLED: _("It was over already."),
    }[outcome]
