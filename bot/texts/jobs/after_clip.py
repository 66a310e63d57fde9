"""What a person reads who changes a finished clip's file. No Discord.

Tested in tests/bot/texts/test_limits.py and tests/bot/edge/commands/finished/test_file_menu.py.
"""

from __future__ import annotations

from bot.texts.languages.numbers import whole
from bot.texts.languages.sentences import N_, _, ngettext
from bot.work.uplink.changes import Change

_MENU: dict[Change, tuple[str, str]] = {
    Change.BOOMERANG: (N_("Boomerang"), N_("Plays forwards, then backwards, again and again")),
    Change.CROSSFADE: (N_("Cross-fade loop"), N_("The end melts into the beginning; a quarter shorter")),
    Change.SEAM: (N_("Best cut loop"), N_("Cut to the part whose end fits its beginning best, with a score")),
    Change.NO_LOOP: (N_("No loop"), N_("From the beginning to the end")),
    Change.EXTEND: (N_("Longer: from the end"), N_("It goes on from there; this one takes the GPU, like a clip")),
    Change.EXTEND_FROM: (N_("Longer: from earlier"), N_("You choose from where; what comes after is left out")),
    Change.SHORTEN: (N_("Undo the last part"), N_("The clip without the part that was added last")),
    Change.SMOOTH: (N_("Smooth"), N_("Fills in frames, to 24 a second")),
    Change.SLOWER: (N_("Slower"), N_("Half the speed")),
    Change.FASTER: (N_("Faster"), N_("Twice the speed")),
    Change.MP4: (N_("As MP4"), N_("Sharpest and smallest")),
    Change.GIF: (N_("As GIF"), N_("Loops by itself everywhere; smaller, with fewer colours")),
    Change.WEBP: (N_("As WebP"), N_("Loops by itself, with all colours")),
    Change.UNDO: (N_("Undo all changes"), N_("The file as it was made first")),
}


def change_label(change: Change) -> str:
    """Name a change in the menu below a clip."""
    return _(_MENU[change][0])


def change_hint(change: Change) -> str:
    """Say below its name what a change does."""
    return _(_MENU[change][1])


def moments_title() -> str:
    """Name the form that asks from where a clip goes on."""
    return _("Longer: from earlier")


def moments_label() -> str:
    """Ask from where a clip goes on."""
    return _("From where?")


def moments_hint() -> str:
    """Say in the form what becomes of the rest of the clip."""
    return _("A new clip keeps what comes before. The clip above stays as it is.")


def moment_label(frame: int, frames: int) -> str:
    """Name a moment of a clip of so many frames from which it may go on."""
    percent = whole(round(100 * frame / frames)) if frames else whole(0)
    return _("From frame {frame} of {frames} ({percent} %)", percent=percent, frame=frame, frames=frames)


def menu_text() -> str:
    """Say what the menu below a clip is for, while nothing is chosen."""
    return _("Longer, loop, speed, format")


def frames_gone_text(clip_hours: int) -> str:
    """Say that a clip's file can no longer be changed."""
    return ngettext(
        "I no longer have the frames of this clip: I keep them for {count} hour. "
        "The file above stays as it is. /animate with the picture and the same seed makes the clip again.",
        "I no longer have the frames of this clip: I keep them for {count} hours. "
        "The file above stays as it is. /animate with the picture and the same seed makes the clip again.",
        clip_hours,
    )


def same_file_text() -> str:
    """Say that the file is as it was asked for."""
    return _("The file is like that already.")


def making_already_text() -> str:
    """Say that one change of a clip at a time is made."""
    return _("I am still at your last change of this clip. Choose again in a moment.")


def not_changed_text() -> str:
    """Say that a file could not be made."""
    return _("I could not make that file. The clip above is as it was. Try another change, or this one again later.")


def worse_already_text() -> str:
    """Say that a clip has got worse at its end, so that it does not go on from there."""
    return _(
        "I stopped this clip where it began to get softer or its colours off. From there it would only get worse. "
        'Nothing was queued. With "Longer: from earlier" in the menu it can go on from there in another way.'
    )
