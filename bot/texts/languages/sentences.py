"""Says a sentence in the language that is spoken just now. No Discord.

Sentences are written in English where they are used, marked with `_`, `ngettext` or `pgettext`, and looked up in the
catalogue of the language. A sentence that is not there stays English. How one is written: docs/translating.md.
"""

from __future__ import annotations

import functools
import gettext
from pathlib import Path

from bot.policy.language import ENGLISH, Language
from bot.texts.languages.numbers import whole
from bot.texts.languages.spoken import spoken

CATALOGUES = Path(__file__).parent / "catalogues"
DOMAIN = "vivant"


@functools.cache
def catalogue(language: Language) -> gettext.NullTranslations:
    """Return a language's catalogue; English has none, for its sentences are in the code."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, CATALOGUES, [language.folder])


def N_(text: str) -> str:  # noqa: N802  # the name that gettext's tools know
    """Mark a sentence for the catalogue and return it as it is. `_` says it, where it is used."""
    return text


def nN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802
    """Mark a sentence about a number of things, as `N_` does: `ngettext(*SENTENCE, count)` says it."""
    return one, many


def pN_(context: str, text: str) -> tuple[str, str]:  # noqa: N802
    """Mark what means something else in another context, as `N_` does: `pgettext(*TEXT)` says it."""
    return context, text


def _(text: str, /, **values: object) -> str:
    """Say a sentence, with its placeholders filled. Without values, braces stay as they are."""
    return _filled(catalogue(spoken()).gettext(text), values)


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """Say a sentence about a number of things. {count} in it is that number, as the language writes it."""
    return _filled(catalogue(spoken()).ngettext(one, many, count), {"count": whole(count), **values})


def pgettext(context: str, text: str, /, **values: object) -> str:
    """Say what means something else in another context; the context tells translators which one this is."""
    return _filled(catalogue(spoken()).pgettext(context, text), values)


def _filled(text: str, values: dict[str, object]) -> str:
    return text.format(**values) if values else text
