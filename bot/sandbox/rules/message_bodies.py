"""What a message may be: Discord's rules for bodies, flags, files and mentions. Pure checks that raise Refusal."""

from __future__ import annotations

import re
from enum import IntFlag
from typing import Any

from bot.sandbox.rules.errors import empty_message, invalid_form
from bot.sandbox.rules.layout.components import Media, check_components
from bot.sandbox.rules.payloads import Json


class Flag(IntFlag):
    """Message flags."""

    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


SETTABLE = Flag.SUPPRESS_EMBEDS | Flag.EPHEMERAL | Flag.SUPPRESS_NOTIFICATIONS | Flag.COMPONENTS_V2


def check_message(message: Json) -> None:
    """Check a message as it would be stored. Raises Refusal when it breaks a rule."""
    flags = Flag(message["flags"])
    content, embeds, components = message["content"], message["embeds"], message["components"]
    if len(content) > 2000:
        raise invalid_form("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
    if flags & Flag.COMPONENTS_V2:
        for field in ("content", "embeds"):
            if message[field]:
                raise _legacy_field(field)
    check_components(components, v2=bool(flags & Flag.COMPONENTS_V2))
    _check_embeds(embeds)
    has_body = components if flags & Flag.COMPONENTS_V2 else content or embeds or message["attachments"] or components
    has_body = has_body or message.get("message_snapshots")
    if not has_body:
        raise empty_message()


def _legacy_field(field: str) -> Exception:
    code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
    return invalid_form(field, code, f"The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2")


def _check_embeds(embeds: list[Json]) -> None:
    if len(embeds) > 10:
        raise invalid_form("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    if sum(_embed_length(embed) for embed in embeds) > 6000:
        raise invalid_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
    for embed in embeds:
        for field, most in (("title", 256), ("description", 4096)):
            if len(embed.get(field) or "") > most:
                raise invalid_form(f"embeds.{field}", "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def _embed_length(embed: Json) -> int:
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    texts += [part for item in embed.get("fields", []) for part in (item["name"], item["value"])]
    return sum(len(text) for text in texts if text)


def check_flags(flags: Any, settable: int = SETTABLE) -> int:
    """Return the flags of a request. Raises Refusal when one of them is not in `settable`."""
    if not isinstance(flags, int):
        raise invalid_form("flags", "NUMBER_TYPE_COERCE", "Value is not an int.")
    if flags & ~settable:
        raise invalid_form("flags", "MESSAGE_FLAGS_INVALID", f"Flags {flags & ~settable} cannot be set here.")
    return flags


def check_nonce(nonce: Any) -> str | int | None:
    """Return the nonce of a request. Raises Refusal when it is too long or of a wrong type."""
    if isinstance(nonce, str) and len(nonce) > 25:
        raise invalid_form("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    if nonce is not None and not isinstance(nonce, str | int):
        raise invalid_form("nonce", "NONCE_TYPE_INVALID_TYPE", "Value must be a string or integer.")
    return nonce


def mentioned_users(text: str, allowed: Json | None) -> set[str]:
    """Return the user ids that `text` mentions and `allowed_mentions` allows."""
    found = set(re.findall(r"<@!?(\d+)>", text))
    if allowed is None:
        return found
    named = {str(user) for user in allowed.get("users") or []}
    parse = allowed.get("parse")
    if parse and "users" in parse:
        if named:
            text = 'parse:["users"] and users: [ids...] are mutually exclusive.'
            raise invalid_form("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text)
        return found
    return found & named


def mentions_everyone(text: str, allowed: Json | None) -> bool:
    """Return whether @everyone or @here in `text` may ping."""
    return ("@everyone" in text or "@here" in text) and (allowed is None or "everyone" in (allowed.get("parse") or []))


def complete_embed(embed: Json, media: Media) -> Json:
    """Return an embed as the server answers it, with its media resolved."""
    done: Json = {"type": "rich"} | embed
    for key in ("image", "thumbnail"):
        if key in embed:
            resolved = media(embed[key]["url"])
            done[key] = {name: resolved[name] for name in ("url", "proxy_url", "width", "height") if name in resolved}
    return done
