"""What is known about a request when it is decided whether it may be taken. Frozen, pure; every field has a default.

Tested in tests/bot/policy/test_admission.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.policy.blocking import Block
from bot.policy.quota import Exceeded
from bot.policy.server import DEFAULTS, ServerSettings
from generator.clip import ClipSettings


class Entrance(StrEnum):
    """By which way a request for a clip came."""

    COMMAND = "command"
    """/animate"""
    MESSAGE = "message"
    """the command on a message, and the question which of its pictures is meant"""
    FORM = "form"
    """the form, from /animate-form or from a message"""
    AGAIN = "again"
    MORE = "more"
    LESS = "less"
    DRAFTS = "drafts"
    """four drafts of a clip"""
    DRAFT = "draft"
    """one of four drafts, to be made in full"""
    EXTEND = "extend"
    """a finished clip, to go on from its last frame"""
    FILE = "file"
    """a finished clip's file, to be made anew without rendering: nothing is enqueued"""
    MEND = "mend"
    """the form with which a refused request is mended"""
    LIVEN = "liven"
    """the cure of a clip in which hardly anything moves"""
    REMEDY = "remedy"
    """the button under a failure"""
    RECIPE = "recipe"
    """an earlier clip's settings, with one's own picture"""
    PUT_BACK = "put-back"
    """an earlier request that its person cancelled"""
    ALLOWED = "allowed"
    """the picture's author agreed to an earlier request"""


class ChannelKind(StrEnum):
    """What kind of channel a request came from."""

    TEXT = "text"
    """any channel of a server that is no thread"""
    THREAD = "thread"
    PRIVATE_THREAD = "private-thread"
    DIRECT = "direct"
    """the bot's own direct messages with a person"""
    OTHERS_DIRECT = "others-direct"
    """direct messages and groups of other people, where somebody installed the bot for themselves"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks."""

    id: int = 0
    roles: frozenset[int] = frozenset()
    """in the server where they ask, its own id (everyone) included"""
    manages_server: bool = False
    is_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where somebody asks."""

    guild_id: int | None = None
    channel_id: int = 0
    parents: frozenset[int] = frozenset()
    """of a thread its channel, and of a channel its category"""
    kind: ChannelKind = ChannelKind.TEXT
    is_age_restricted: bool = False
    is_member: bool = True
    """whether the bot is a member of that server; False: somebody installed it for themselves"""
    missing: tuple[str, ...] = ()
    """the permissions that the bot lacks for posting a clip there"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """The picture, as far as it is known at that moment."""

    author_id: int | None = None
    """who posted it; None: nobody but the person who asks is known"""
    message_id: int | None = None
    is_spoiler: bool = False
    can_answer: bool = True
    """whether the author is a person who can be asked, and is known"""
    is_allowed: bool = False
    """whether the author has agreed"""
    hash: str | None = None
    """by which the picture is known again"""
    who: str | None = None
    """a keyed hash of the id of who posted it; None: the person who asks"""
    has_opted_out: bool = False
    """whether who posted it wants nobody else to animate it"""
    is_blocked: bool = False


NOTHING_KNOWN = PictureFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rules may look at."""

    entrance: Entrance
    person: Person = Person()
    where: Where = Where()
    server: ServerSettings = DEFAULTS
    settings: ClipSettings | None = None
    """what is asked for; None: not known yet, and the request is decided again when it is"""
    picture: PictureFacts = PictureFacts()
    exceeded: Exceeded | None = None
    """the limit of a quota that this request would exceed"""
    paused: str | None = None
    """why the bot takes nothing now"""
    draining: str | None = None
    """why it takes nothing new while it finishes the rest"""
    person_block: Block | None = None
    server_block: Block | None = None
    has_room: bool = True
    """whether the disk has room for another request"""

    @property
    def is_others_picture(self) -> bool:
        """Tell whether somebody else posted the picture."""
        return self.picture.author_id is not None and self.picture.author_id != self.person.id
