"""What the bot says: each reply as plain text and as HTML (pure).

Everything that comes from people, HR or the policy is escaped and put on one line; a name can neither add markup nor
look like another line.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bridge.directory.template import one_line
from bridge.ids import UserId
from bridge.membership.ruling import Ground
from bridge.policy.schema import Exemption
from bridge.selfservice.command import Unclear, Word
from bridge.selfservice.known_rooms import KnownRoom, Standing
from bridge.selfservice.phone_book import Found, Listing

MARKER = "io.muster.answer"
"""The key of the content under which a message of the bot's carries what it answers."""
MOST_ROOMS = 50
"""So many rooms a list names."""
_HTML = "org.matrix.custom.html"
USAGE = {
    Word.WHOAMI: ("whoami", "what the company's directory says of you"),
    Word.WHY: ("why <room>", "why you are in a room, or not"),
    Word.WHO: ("who <name, title or department>", "find a colleague"),
    Word.ROOMS: ("rooms", "your rooms"),
    Word.REQUEST: ("request <room> <reason>", "ask the owner of a room to let you in"),
    Word.REPORT: ("report <what> <what happened>", "harassment, an accident and the like, in confidence"),
    Word.ACK: ("ack", "say that you have read of a legal hold"),
    Word.QUIET: ("quiet", "when nothing rings, and to choose so"),
    Word.HELP: ("help", "this list"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """Words in both forms."""

    plain: str
    rich: str

    def __add__(self, other: Text) -> Text:
        return Text(self.plain + other.plain, self.rich + other.rich)


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody is told of oneself."""

    user_id: UserId
    name: str
    attributes: tuple[tuple[str, str], ...]
    """Names and values, as HR says."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody is in a room, or not."""

    room: KnownRoom
    rule: str
    """Empty for a room that no rule makes any more."""
    because: tuple[tuple[str, str], ...]
    """The own attributes that the rule asks for and that are so: name and value."""
    rank: str
    """`moderator` and the like; empty for everybody else."""
    rank_because: tuple[tuple[str, str], ...] = ()
    """The own attributes by which the rule gives the rank."""
    ranks_as_manager: bool = False
    """Whether the rank is that of somebody above others in the room."""


def content(reply: Text, answers: str) -> dict[str, Any]:
    """Return the content of the `m.room.message`; `answers` is the key of what it answers."""
    return {
        "msgtype": "m.text",
        "body": reply.plain,
        "format": _HTML,
        "formatted_body": reply.rich,
        "m.mentions": {},
        MARKER: answers,
    }


def answered(message: Mapping[str, Any]) -> str | None:
    """Return the key of what a message of the bot's answers."""
    key = message.get(MARKER)
    return key if isinstance(key, str) else None


def usage(before: str = "") -> Text:
    """Return what one may say to the bot."""
    first = [say(before)] if before else []
    return in_lines([*first, say("You can say:"), *(_entry(form, does) for form, does in USAGE.values())])


def welcome(company: str) -> Text:
    """Return what the bot says when it has come."""
    return usage(f"Hello, I keep the rooms and accounts of {one_line(company)}.")


def not_understood(unclear: Unclear) -> Text:
    """Return what to say instead."""
    if unclear.incomplete and unclear.nearest is not None:
        form, does = USAGE[unclear.nearest]
        return in_lines([say("Please say a little more:"), _entry(form, does)])
    if unclear.nearest is not None:
        return usage(f"I do not know that. Did you mean “{unclear.nearest}”?")
    return usage("I do not know that.")


def encrypted() -> Text:
    """Return what is said where the bot cannot read."""
    return say("This room is encrypted, so I cannot read what you write. Start a chat with me without encryption.")


def too_many() -> Text:
    """Return what is said to somebody who asks faster than people do."""
    return say("That is a lot of questions. Please wait a minute before the next one.")


def unknown_room(text: str) -> Text:
    """Return the answer about a room that there is not, or that one may not know of: the same for both."""
    said = say(f"I know of no room “{_short(text)}” that you are in or could ask for. ")
    return said + say("Say ") + _code("rooms") + say(" for the list.")


def several_rooms(found: Sequence[KnownRoom]) -> Text:
    """Return the answer about a name that several rooms have."""
    entries = [_bullet(room_link(room) + say(" – ") + _code(room.key)) for room in found[:MOST_ROOMS]]
    return in_lines([say("Several rooms are called so. Say which, by what stands behind its name:"), *entries])


def describe_account(account: Account) -> Text:
    """Return the answer to `whoami`."""
    lines = [_bold(account.name) + say(f" – {account.user_id}"), say("HR says of you:")]
    lines += [_bullet(say(f"{name}: {one_line(value)}")) for name, value in account.attributes]
    return in_lines([*lines, say("If anything of this is wrong, please tell HR: what they change, I follow.")])


def explain_room(reason: Reason) -> Text:
    """Return the answer to `why`."""
    room, ruling = room_link(reason.room), reason.room.ruling
    standing, rule = reason.room.standing, _rule(reason.rule)
    exception = ruling.exception if ruling is not None and ruling.ground is Ground.EXCEPTION else None
    if standing is Standing.IN and reason.room.wanted and exception is not None:
        lines = [say("You are in ") + room + say(f" by an {_exception(exception)}.")]
    elif standing is Standing.IN and reason.room.wanted and ruling is not None and ruling.ground is Ground.RELATION:
        lines = [say("You are in ") + room + say(" as the manager of somebody in it.")]
    elif standing is Standing.IN and reason.room.wanted:
        first = say("You are in ") + room + say(", because its rule") + rule + say(" names you")
        lines = [first + (say(":") if reason.because else say("."))]
        lines += [_bullet(say(_own(name, value))) for name, value in reason.because]
    elif standing is Standing.IN:
        lines = [say("You are in ") + room + say(f". {_unwanted(reason)}")]
    elif standing is Standing.INVITED and not reason.room.wanted:
        lines = [say("You are not in ") + room + say(", but somebody has invited you.")]
    elif reason.room.wanted:
        lines = [say("You ought to be in ") + room + say(" by its rule") + rule + say(" and will be in a moment.")]
    elif exception is not None:
        lines = [say("You are not in ") + room + say(f" by an {_exception(exception)}.")]
    else:
        lines = [say("You are not in ") + room + say(": its rule") + rule + say(" does not name you.")]
    if reason.rank:
        lines.append(say(f"You are its {reason.rank}{_by(reason)}."))
    return in_lines(lines)


def list_rooms(rooms: Sequence[KnownRoom]) -> Text:
    """Return the answer to `rooms`."""
    titles = {
        Standing.IN: "You are in",
        Standing.INVITED: "You are invited to",
        Standing.ENTITLED: "You will be put into",
        Standing.LISTED: "You may ask for",
    }
    lines: list[Text] = []
    for standing, title in titles.items():
        some = [room for room in rooms if room.standing is standing]
        if some:
            lines += [_bold(f"{title} ({len(some)}):"), *(_bullet(room_link(room)) for room in some[:MOST_ROOMS])]
            lines += [_bullet(say(f"and {len(some) - MOST_ROOMS} more"))] if len(some) > MOST_ROOMS else []
    return in_lines(lines or [say("You are in none of the company's rooms.")])


def list_people(found: Found) -> Text:
    """Return the answer to `who`."""
    if not found.count:
        return say("Nobody who works here is found by these words: say a name, a title or a department.")
    count = f"{found.count:,}" if found.complete else f"more than {found.count:,}"
    people = "person" if found.count == 1 and found.complete else "people"
    shown = f", the best {len(found.shown)} of them" if found.count > len(found.shown) or not found.complete else ""
    more = [say("Say more words to find fewer.")] if shown else []
    return in_lines([say(f"Found {count} {people}{shown}:"), *map(_listing, found.shown), *more])


def room_link(room: KnownRoom) -> Text:
    """Return a room's name, which leads there."""
    target = room.alias or room.room_id
    return Text(room.name, f'<a href="https://matrix.to/#/{quote(target, safe="")}">{html.escape(room.name)}</a>')


def user_link(user_id: UserId, name: str) -> Text:
    """Return somebody's name, by which a chat is begun."""
    name = one_line(name)
    rich = f'<a href="https://matrix.to/#/{quote(user_id, safe="")}">{html.escape(name)}</a>'
    return Text(f"{name} ({user_id})", rich)


def _listing(listing: Listing) -> Text:
    details = [listing.title, listing.department, listing.email]
    details += [f"manager: {listing.manager}"] if listing.manager else []
    details += [f"local time {listing.local_time}"] if listing.local_time else []
    said = " · ".join(one_line(detail) for detail in details if detail)
    return _bullet(user_link(listing.user_id, listing.name) + say(f" – {said}" if said else ""))


def _rule(rule: str) -> Text:
    return say(" ") + _code(rule) if rule else say("")


def _own(name: str, value: str) -> str:
    return "you work here" if name == "active" else f"your {name} is {one_line(value)}"


def _unwanted(reason: Reason) -> str:
    if not reason.rule:
        return "No rule makes this room any more, so everybody is left in it."
    ruling = reason.room.ruling
    if ruling is not None and ruling.barrier is not None:
        why = one_line(ruling.barrier.reason)
        return f"You are about to be taken out: a barrier of the company's keeps you out ({why})."
    if reason.room.waits:
        return "Its rule does not name you any more; that you leave waits for an approval."
    if reason.room.granted:
        return "Its rule does not name you any more, so you will be taken out in a moment."
    return "Its rule does not name you: somebody invited you by hand."


def _by(reason: Reason) -> str:
    """Return why somebody has a rank; nothing where it was given by hand."""
    if reason.ranks_as_manager:
        return ", because you manage people in it"
    own = " and ".join(_own(name, value) for name, value in reason.rank_because)
    return f", because {own}" if own else ""


def _exception(exception: Exemption) -> str:
    return one_line(f"exception until {exception.until}, owner {exception.owner}: {exception.reason}")


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= 80 else f"{text[:79]}…"


def say(text: str) -> Text:
    """Return words as they are."""
    return Text(text, html.escape(text))


def _bold(text: str) -> Text:
    return Text(text, f"<strong>{html.escape(text)}</strong>")


def _code(text: str) -> Text:
    return Text(text, f"<code>{html.escape(text)}</code>")


def _bullet(text: Text) -> Text:
    return say("• ") + text


def _entry(form: str, does: str) -> Text:
    return _bullet(_code(form) + say(f" – {does}"))


def lines(texts: Iterable[str]) -> Text:
    """Return plain words, a line each."""
    return in_lines(map(say, texts))


def in_lines(texts: Iterable[Text]) -> Text:
    """Return texts as lines."""
    found = list(texts)
    return Text("\n".join(line.plain for line in found), "<br>\n".join(line.rich for line in found))
