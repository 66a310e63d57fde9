"""How Discord says no: to the bot (`Refusal`, with Discord's own status and code) and to a person (`NotPossible`)."""

from __future__ import annotations

from bot.sandbox.rules.payloads import Json


class NotPossible(Exception):
    """A person's client would not have let them do this; the text is what it would show."""


class Refusal(Exception):
    """An API request is refused with an HTTP status and Discord's error code."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> Json:
        """Return the error as Discord writes it."""
        body: Json = {"message": self.message, "code": self.code}
        return body | {"errors": self.errors} if self.errors else body


def invalid_form(field: str, code: str, message: str) -> Refusal:
    """Refuse a body because of one field; `field` may be a dotted path."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".")):
        errors = {part: errors}
    return Refusal(400, 50035, "Invalid Form Body", errors)


def unauthorized() -> Refusal:
    """Refuse a request without this application's token."""
    return Refusal(401, 0, "401: Unauthorized")


def unknown(thing: str) -> Refusal:
    """Refuse because a channel, guild, message, ... does not exist (or may not be seen to exist)."""
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
    """Refuse because the bot cannot see that place."""
    return Refusal(403, 50001, "Missing Access")


def missing_permissions() -> Refusal:
    """Refuse because the bot lacks a permission there."""
    return Refusal(403, 50013, "Missing Permissions")


def cannot_edit_others() -> Refusal:
    """Refuse an edit of somebody else's message."""
    return Refusal(403, 50005, "Cannot edit a message authored by another user")


def empty_message() -> Refusal:
    """Refuse a message without anything in it."""
    return Refusal(400, 50006, "Cannot send an empty message")


def cannot_message_user() -> Refusal:
    """Refuse a direct message to somebody who does not take them."""
    return Refusal(403, 50007, "Cannot send messages to this user")


def invalid_token() -> Refusal:
    """Refuse an interaction token that is wrong or older than its 15 minutes."""
    return Refusal(401, 50027, "Invalid Webhook Token")


def already_acknowledged() -> Refusal:
    """Refuse a second answer to one interaction."""
    return Refusal(400, 40060, "Interaction has already been acknowledged.")


def too_many_followups() -> Refusal:
    """Refuse the sixth followup of an app that is only installed for its user."""
    return Refusal(400, 40094, "This interaction has reached the maximum number of follow-up messages.")


def too_large() -> Refusal:
    """Refuse an upload above the limit of that place."""
    return Refusal(413, 40005, "Request entity too large")


def thread_archived() -> Refusal:
    """Refuse to change something in an archived thread."""
    return Refusal(400, 50083, "Thread is archived")
