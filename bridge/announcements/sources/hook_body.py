"""What the body of an announcing webhook says (pure).

    {"title": "Maintenance", "markdown": "The VPN is **down** from 22:00.", "to": ["news"], "priority": "important",
     "at": "2027-03-01T08:00:00+02:00", "lasts": "7d"}

One of `text`, `markdown` and `html` says it to everybody; instead `languages` says it to each in their own:
`{"languages": {"en": {"title": "…", "text": "…"}, "et": {"text": "…"}}}`. Keys that nobody knows
are refused, so that a misspelt audience is never the whole company. Slack's form is read by `slack`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.announcements.sources import slack
from bridge.announcements.sources.passage import Body, Incoming, Writing, body_of
from bridge.document import nearest
from bridge.errors import InputError

PRIORITIES: Final = ("urgent", "important", "normal")
"""An emergency is declared by people."""
_SAYING: Final = tuple(writing.value for writing in Writing)
_PASSAGE: Final = (*_SAYING, "title")
_KNOWN: Final = (*_PASSAGE, "to", "priority", "at", "lasts", "languages")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def read_body(said: Any) -> Incoming:
    """Return what is to be announced; raise `InputError`, which says what was expected, when it does not read."""
    if not isinstance(said, dict):
        raise InputError("expected a JSON object")
    if slack.is_slack(said):
        return Incoming({"": _something(slack.body_of_slack(said))})
    for key in said:
        if key not in _KNOWN:
            raise InputError(f"unknown key `{key[:40]}`{nearest(key, _KNOWN)}")
    rooms, people = _audience(said.get("to"))
    return Incoming(
        _bodies(said),
        rooms,
        people,
        _priority(said.get("priority", "normal")),
        _moment(said.get("at")),
        _duration(said.get("lasts")),
    )


def _bodies(said: Mapping[str, Any]) -> Mapping[str, Body]:
    languages = said.get("languages", {})
    if not isinstance(languages, dict):
        raise InputError('`languages`: expected an object such as {"en": {"text": "…"}}')
    if not languages:
        return {"": _passage(said, "")}
    for key in _PASSAGE:
        if key in said:
            raise InputError(f"expected `{key}` within `languages`, for each language, and not beside it")
    found: dict[str, Body] = {}
    for language, passage in languages.items():
        if not _LANGUAGE.fullmatch(language):
            raise InputError(f"`languages`: expected a language such as en or pt-BR, came {language[:40]!r}")
        where = f"`languages.{language}`: "
        if not isinstance(passage, dict):
            raise InputError(f'{where}expected an object such as {{"text": "…"}}')
        for key in passage:
            if key not in _PASSAGE:
                raise InputError(f"{where}unknown key `{key[:40]}`{nearest(key, _PASSAGE)}")
        found[language] = _passage(passage, where)
    return found


def _passage(said: Mapping[str, Any], where: str) -> Body:
    given = [key for key in _SAYING if key in said]
    title = said.get("title", "")
    if len(given) > 1:
        raise InputError(f"{where}expected one of text, markdown and html, came {' and '.join(given)}")
    if not given and not title:
        raise InputError(f"{where}expected `text`, `markdown` or `html` with what is to be announced")
    words = said[given[0]] if given else ""
    if not isinstance(words, str) or not isinstance(title, str):
        raise InputError(f"{where}expected text, came something else")
    return _something(body_of(words, Writing(given[0]) if given else Writing.TEXT, title), where)


def _something(body: Body, where: str = "") -> Body:
    if not body:
        raise InputError(f"{where}nothing is left of it that could be shown")
    return body


def _audience(to: Any) -> tuple[tuple[str, ...], str]:
    """Return the rooms, or the selector of people."""
    if to is None:
        return (), ""
    if isinstance(to, str) and to.strip():
        return (), to
    if isinstance(to, list) and to and all(isinstance(each, str) and each for each in to):
        return tuple(dict.fromkeys(to)), ""
    raise InputError(
        '`to`: expected a list of the policy\'s rooms such as ["news"], or a selector of people such as '
        '"department eq \\"Sales\\""'
    )


def _priority(said: Any) -> str:
    if said not in PRIORITIES:
        raise InputError(f"`priority`: expected one of {', '.join(PRIORITIES)}")
    return str(said)


def _moment(said: Any) -> datetime | None:
    if said is None:
        return None
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        found = None
    if found is None or found.utcoffset() is None:
        raise InputError("`at`: expected a time with its zone, such as 2027-03-01T08:00:00+02:00")
    return found


def _duration(said: Any) -> timedelta | None:
    if said is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", said) if isinstance(said, str) else None
    if match is None:
        raise InputError("`lasts`: expected a duration such as 12h or 7d")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
