"""Fixed answers of commands, as plain text. No Discord."""

from __future__ import annotations

from collections.abc import Iterable

from bot.queue.job import CancelOutcome
from bot.queue.servers.choices import KEPT_DAYS
from bot.texts.explanations import NOTHING_QUEUED, format_minutes
from bot.texts.limits import MESSAGE_LETTERS, NAME_LETTERS, SENTENCE_LETTERS, fit_parts, shorten
from generator.variants import Variant


def paused_text(reason: str) -> str:
    """Say that the bot takes nothing now."""
    told = shorten(reason, SENTENCE_LETTERS)
    return f"The bot is paused: {told} {NOTHING_QUEUED} Please try again later; what was waiting stays in the queue."


def no_room_text() -> str:
    """Say that the disk is nearly full."""
    return (
        f"The bot's disk is nearly full. {NOTHING_QUEUED} Please tell whoever runs this bot; nothing waiting is lost."
    )


def not_fetched_text() -> str:
    """Say that Discord did not hand over the picture."""
    return f"I could not fetch your picture from Discord. {NOTHING_QUEUED} Please try again in a moment."


def too_long_text(wait_ms: int) -> str:
    """Say that an answer would come too late where the bot is not a member."""
    return (
        f"The queue is {format_minutes(wait_ms)} long, but here I can only answer for 15 minutes, because I am no "
        f"member here. {NOTHING_QUEUED} Use me where I am a member, or in a direct message to me. "
        "To make me a member of a private thread, mention me in it."
    )


def no_history_text() -> str:
    """Tell who manages a server what the bot cannot do without Read Message History."""
    return (
        "You manage this server, so only you see this: I lack the permission Read Message History here. Clips come all "
        "the same, but not as a reply to their card, and after a long outage one may be posted twice, because I cannot "
        "look whether it arrived. Give my role that permission, here or in the whole server."
    )


def taken_back_text() -> str:
    """Fill in a public answer that is about to be deleted."""
    return "I could not take that one; the reason is in a private note."


def no_picture_text() -> str:
    """Say that a message holds nothing to animate."""
    return "There is no picture in that message. Choose one with a picture, or use /animate."


def choose_picture_text(shown: int, found: int) -> str:
    """Ask which of a message's pictures shall move."""
    rest = f" These are the first {shown} of {found}." if shown < found else ""
    return f"That message has several pictures. Which one shall move?{rest}"


def chosen_picture_text(name: str) -> str:
    """Say which of them was chosen."""
    return f"You chose {shorten(name, NAME_LETTERS)}."


def picture_gone_text() -> str:
    """Say that an earlier job's picture has been deleted."""
    return f"That picture is no longer kept here. {NOTHING_QUEUED} Please use /animate with it again."


def no_further_text() -> str:
    """Say that a setting is at its limit already."""
    return f"It cannot go any further. {NOTHING_QUEUED} Again makes another clip with the same motion."


def queued_already_text() -> str:
    """Say that the very same clip is waiting or being made."""
    return f"That very clip is in the queue already. {NOTHING_QUEUED}"


def no_job_text(job_id: int) -> str:
    """Say that there is no such job."""
    return f"There is no job {job_id} here. /queue lists yours."


def earlier_text() -> str:
    """Say that a button's job is no longer stored."""
    return f"That is from before my records begin. {NOTHING_QUEUED} Please use /animate again."


def not_yours_text() -> str:
    """Say who may cancel or delete a job."""
    return "Only the person who asked for it, or a moderator, can do that."


def no_clip_text() -> str:
    """Say that there is nothing to hand over."""
    return "I have no such clip of yours any more. Please use /animate again."


def still_coming_text() -> str:
    """Say that a clip is not done yet."""
    return "That one is not done yet. Its card tells how far it is."


def which_recipe_text() -> str:
    """Ask for what /recipe needs."""
    return "Which clip? Attach one that I made, or give its job number."


def no_recipe_text() -> str:
    """Say that a file carries no recipe."""
    return "There is no recipe in that file. Either I did not make it, or another program has saved it since."


def not_here_text() -> str:
    """Say that the bot does not serve this server."""
    return "I do not work in this server: whoever runs me has chosen others."


def failed_text() -> str:
    """Say that a command failed for a reason nobody planned for."""
    return (
        "Something went wrong on my side. What you had in the queue is still there. "
        "Please try again; if it happens again, tell whoever runs this bot."
    )


def not_admin_text() -> str:
    """Say who may use /admin."""
    return "Only the people who run this bot can use /admin."


def not_operator_text() -> str:
    """Say who may switch the variant."""
    return "Only the bot's owners can switch the variant: it changes the clips of every server."


def no_variant_text(name: str, variants: Iterable[str]) -> str:
    """Say which variants there are."""
    names = (shorten(known, NAME_LETTERS) for known in sorted(variants))
    return f"There is no variant called {shorten(name, NAME_LETTERS)}. There are: {fit_parts(names, 1500, ', ')}."


def cannot_run_text(name: str, problem: str) -> str:
    """Say that a variant cannot run on this machine, and what to do about it."""
    told = shorten(problem, 1200)
    return f"{shorten(name, NAME_LETTERS)} cannot run here, so nothing was switched. {told}"


def switched_text(variant: Variant) -> str:
    """Say that the variant was switched."""
    licence = f" Its licence: {_licence(variant)}" if variant.licence else ""
    name = shorten(variant.name, NAME_LETTERS)
    return f"New pictures are made with {name} now; those in the queue keep what they were asked for.{licence}"


def _licence(variant: Variant) -> str:
    texts = (variant.licence, variant.licence_url)
    return " ".join(shorten(text, SENTENCE_LETTERS) for text in texts if text)


def now_paused_text(reason: str) -> str:
    """Say that the bot is paused now."""
    told = shorten(reason, SENTENCE_LETTERS)
    return f"Paused: {told} What is being made goes on to its end; the queue keeps its order. /admin resume ends it."


def resumed_text() -> str:
    """Say that the bot works again."""
    return "Working again."


def forget_text() -> str:
    """Ask before forgetting somebody."""
    return (
        "This deletes everything I keep about you: your pictures, your clips, your requests in the queue. "
        "What I posted for you in Discord stays there, unless you want that deleted too. "
        "Later I no longer know which posts are yours; then use the Delete button under each of them. Are you sure?"
    )


def forgotten_text(files: int) -> str:
    """Say that somebody was forgotten."""
    return f"Done. I know nothing about you any more ({files} files deleted)."


def deleting_posts_text(posts: int) -> str:
    """Say that posts are being deleted."""
    return f"Now I delete {posts} messages in Discord; that may take some minutes."


def posts_deleted_text(gone: int, left: int) -> str:
    """Say how many posts were deleted, and what to do about those that could not be."""
    told = f"{gone} messages in Discord are deleted."
    if left:
        told += (
            f" {left} could not be deleted: use the Delete button under them, or ask a moderator there to delete them."
        )
    return told


def no_posts_known_text() -> str:
    """Say why no posts were deleted although somebody wanted it."""
    return "I know of no posts of yours. If some are left, use the Delete button under each of them."


def privacy_text(clip_hours: int, row_days: int, url: str | None) -> str:
    """Say what is kept, for how long, and how to have it deleted, as PRIVACY.md does at length."""
    lines = [
        "**What I keep**",
        f"Your picture as framed for the model, and the clip: until {clip_hours} hours after your request was over.",
        f"A clip that I could not post waits for you for {row_days} days.",
        f"Your user id, the channel, the settings and times of each request: until {row_days} days after it was over.",
        f"What you chose last in the form: until {KEPT_DAYS} days after you last sent it.",
        "The picture as you sent it is deleted as soon as it has been framed. I keep no other messages and no names.",
        "Nothing is used for training, and nothing is given to anybody else.",
        "`/forget-me` deletes all of it at once, and also what I posted for you in Discord if you want that.",
        "`/my-data` gives you all of it as a file.",
        "The Delete button under a clip works for you as long as the clip mentions you.",
        "Clips say in their file how they were made, and that a model made them.",
    ]
    return shorten("\n".join(lines + ([f"The operator's own notice: {url}"] if url else [])), MESSAGE_LETTERS)


def help_text(variant: Variant) -> str:
    """Explain what the bot does."""
    lines = [
        "**I bring pictures to life.** `/animate` with a picture gives a short clip, or right-click any message with a "
        "picture: Apps, Animate this image. To choose more: `/animate-form`, or Apps, Animate with choices.",
        "Best is one clear subject on a simple background. Faces, text, hands and small things come out distorted: "
        "that is a limit of the model, and no setting cures it. A closer crop and gentle motion help.",
        "Too little motion? Try Strong or Wild. Too much? Gentle. The buttons under a clip make variations.",
        "`/queue` where you stand in the queue · `/cancel` give one up · `/history` your clips · "
        "`/result` a finished clip again · "
        "`/recipe` how a clip was made · `/quota` how many you may still have · `/privacy` what I keep · "
        "`/my-data` have it as a file · "
        "`/forget-me` delete it",
        f"-# {shorten(variant.description or variant.name, SENTENCE_LETTERS)}. {_licence(variant)}".rstrip(),
    ]
    return "\n".join(lines)


def explain_cancel(outcome: CancelOutcome, job_id: int) -> str:
    """Say what came of a cancel."""
    return {
        CancelOutcome.NOT_FOUND: no_job_text(job_id),
        CancelOutcome.QUEUED_CANCELLED: "Cancelled.",
        CancelOutcome.RUNNING_REQUESTED: "Cancelled. It stops within moments.",
        CancelOutcome.ALREADY_SETTLED: "It was over already.",
    }[outcome]
