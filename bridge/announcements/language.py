"""Which language somebody reads, and what languages call themselves (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

SAID_TO_ALL = ""
"""The language of a text that is said to everybody, whatever they read."""

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*")
_MOST_RANGES = 20


def readable(wishes: Sequence[str], languages: Sequence[str]) -> str:
    """Return which of the languages somebody gets; the first one when none is wished.

    `wishes` are `preferredLanguage`, which is written as HTTP's Accept-Language (RFC 7643 section 4.1.1), and `locale`,
    in this order. A wish for `de-CH` is met by `de-CH`, else by `de`, else by another `de-…` (RFC 4647 section 3.4).
    """
    for wish in wishes:
        for wanted in _ranges(wish):
            if (found := _met(wanted, languages)) is not None:
                return found
    return languages[0]


def endonym(tag: str) -> str:
    """Return what a language calls itself; the tag of one that is not known here."""
    primary, _, rest = tag.partition("-")
    name = _ENDONYMS.get(primary.lower())
    return tag if name is None else f"{name} ({rest})" if rest else name


def _ranges(wish: str) -> list[str]:
    """Return the languages of an Accept-Language, the most wished first."""
    found = [_RANGE.fullmatch(part) for part in wish.split(",")[:_MOST_RANGES]]
    weighed = [(float(each[2] or 1), each[1].replace("_", "-").lower()) for each in found if each is not None]
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]


def _met(wanted: str, languages: Sequence[str]) -> str | None:
    by_tag = {tag.lower(): tag for tag in reversed(languages)}
    parts = wanted.split("-")
    for length in range(len(parts), 0, -1):
        if (found := by_tag.get("-".join(parts[:length]))) is not None:
            return found
    return next((tag for tag in languages if tag.lower().split("-")[0] == parts[0]), None)


_ENDONYMS = {
    "ar": "العربية",
    "bg": "Български",
    "bn": "বাংলা",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "et": "Eesti",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "Hrvatski",
    "hu": "Magyar",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "lt": "Lietuvių",
    "lv": "Latviešu",
    "nb": "Norsk bokmål",
    "nl": "Nederlands",
    "no": "Norsk",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "ru": "Русский",
    "sk": "Slovenčina",
    "sl": "Slovenščina",
    "sr": "Srpski",
    "sv": "Svenska",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}
