"""The errors: `Refusal` for the bot, with Discord's status and code, and `NotPossible` for a person.

Tested in tests/sandbox/rules/test_message_bodies.py and tests/sandbox/world/test_channels.py.
"""

from __future__ import annotations

from bot.sandbox.rules.payloads import Json


class NotPossible(Exception):
    """A person's client would not let them do this; the text is what it would show."""


class Refusal(Exception):
    """An API request is refused with an HTTP status and Discord's error code."""

    def __init__(
        self, status: int, code: int, message: str, errors: Json | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.retry_after = retry_after
        """seconds; only for a 429"""

    def body(self) -> Json:
        """Return the error as Discord writes it."""
        body: Json = {"message": self.message, "code": self.code}
        if self.retry_after is not None:
            body |= {"retry_after": self.retry_after, "global": False}
        return body | {"errors": self.errors} if self.errors else body


def invalid_form(field: str, code: str, message: str) -> Refusal:
    """Return the refusal of a body because of one field; `field` may be a dotted path."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".")):
        errors = {part: errors}
    return Refusal(400, 50035, "Invalid Form Body", errors)


def unauthorized() -> Refusal:
    """Return the refusal of a request without this application's token."""
    return Refusal(401, 0, "401: Unauthorized")


def unknown(thing: str) -> Refusal:
    """Return the refusal of a channel, guild, message, ... that does not exist or that the bot may not know of."""
    codes = {
        "Application": 10002,
        "Channel": 10003,
        "Guild": 10004,
        "Member": 10007,
        "Message": 10008,
        "User": 10013,
        "Webhook": 10015,
        "Interaction": 10062,
        "application command": 10063,
    }
    return Refusal(404, codes[thing], f"Unknown {thing}")


def missing_access() -> Refusal:
    """Return the refusal of a channel or guild that the bot cannot see."""
    return Refusal(403, 50001, "Missing Access")


def missing_permissions() -> Refusal:
    """Return the refusal of what the bot has no permission for."""
    return Refusal(403, 50013, "Missing Permissions")


def cannot_edit_others() -> Refusal:
    """Return the refusal to edit somebody else's message."""
    return Refusal(403, 50005, "Cannot edit a message authored by another user")


def empty_message() -> Refusal:
    """Return the refusal of an empty message."""
    return Refusal(400, 50006, "Cannot send an empty message")


def cannot_message_user() -> Refusal:
    """Return the refusal of a direct message to somebody who does not accept them."""
    return Refusal(403, 50007, "Cannot send messages to this user")


def invalid_token() -> Refusal:
    """Return the refusal of an interaction token that is wrong or older than 15 minutes."""
    return Refusal(401, 50027, "Invalid Webhook Token")


def already_acknowledged() -> Refusal:
    """Return the refusal of another first answer to an interaction."""
    return Refusal(400, 40060, "Interaction has already been acknowledged.")


def too_many_followups() -> Refusal:
    """Return the refusal of the sixth followup where the app is installed only for its user."""
    return Refusal(400, 40094, "This interaction has reached the maximum number of follow-up messages.")


def too_large() -> Refusal:
    """Return the refusal of an upload above the limit of its channel."""
    return Refusal(413, 40005, "Request entity too large")


def too_many_old_edits(retry_after: float) -> Refusal:
    """Return the refusal of one more edit of messages that are older than an hour."""
    text = "Maximum number of edits to messages older than 1 hour reached. Try again later"
    return Refusal(429, 30046, text, retry_after=retry_after)


def thread_archived() -> Refusal:
    """Return the refusal of a change in an archived thread."""
    return Refusal(400, 50083, "Thread is archived")


def thread_locked() -> Refusal:
    """Return the refusal of a change in a locked thread that is not archived."""
    return Refusal(400, 160005, "Thread is locked")


def threads_only() -> Refusal:
    """Return the refusal of a message in a channel that holds posts alone."""
    return Refusal(400, 40058, "Cannot send a message in a forum channel")


def no_reply() -> Refusal:
    """Return the refusal of a reply where the history may not be read."""
    return Refusal(403, 160002, "Cannot reply without permission to read message history")
