"""What is said to somebody who wants to be forgotten, and whose posts are deleted. No Discord.

Tested in tests/bot/edge/commands/test_forgetting.py.
"""

from __future__ import annotations

from bot.texts.languages.sentences import _, ngettext


def forget_text() -> str:
    """Ask before forgetting somebody."""
    return _(
        "This deletes everything I keep about you: your pictures, your clips, your requests in the queue. "
        "What I posted for you in Discord stays there, unless you want that deleted too. "
        "Later I no longer know which posts are yours; then use the Delete button under each of them. Are you sure?"
    )


def forgotten_text(files: int) -> str:
    """Say that somebody was forgotten."""
    return ngettext(
        "Done. I know nothing about you any more ({count} file deleted).",
        "Done. I know nothing about you any more ({count} files deleted).",
        files,
    )


def deleting_posts_text(posts: int) -> str:
    """Say that posts are being deleted."""
    return ngettext(
        "Now I delete {count} message in Discord; that may take some minutes.",
        "Now I delete {count} messages in Discord; that may take some minutes.",
        posts,
    )


def posts_deleted_text(gone: int, left: int) -> str:
    """Say how many posts were deleted, and what to do about those that could not be."""
    told = [ngettext("{count} message in Discord is deleted.", "{count} messages in Discord are deleted.", gone)]
    if left:
        told.append(
            ngettext(
                "{count} could not be deleted: use the Delete button under it, or ask a moderator there to delete it.",
                "{count} could not be deleted: use the Delete button under them, or ask a moderator there to "
                "delete them.",
                left,
            )
        )
    return " ".join(told)


def no_posts_known_text() -> str:
    """Say why no posts were deleted although somebody wanted it."""
    return _("I know of no posts of yours. If some are left, use the Delete button under each of them.")
