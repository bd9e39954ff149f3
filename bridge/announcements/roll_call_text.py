"""What is said in a roll call: to everybody, to the silent, to responders, and on the board (pure).

Every text begins with whether this is a drill. Moments are shown in the company's time zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from enum import IntEnum
from typing import Any

from bridge.announcements.form import HELP, Form, Kind, request_of
from bridge.announcements.on_call import Asked
from bridge.announcements.release import URGENT
from bridge.announcements.roll_call import Count, Present, RollCall, by_department, by_site, count, in_need, silent
from bridge.directory.notice import Notice
from bridge.ids import UserId

SAFETY = Form(Kind.SAFETY)
LONGEST = 20_000
"""Characters of what has happened, at most: far from what an event can hold, with the lines around it."""
MOST_NAMES = 40
"""People who are named on the board as silent, and in a report in one list."""
_MOST_LINES = 60
_MOST_IN_NEED = 200
"""More names would not fit into one message."""
_CALLS = (
    "🔁 You have not answered yet. Please answer now.",
    "❗ You have still not answered. Answer NOW, also if you are not there today.",
    "‼️ LAST CALL. Without an answer you count as missing, and somebody has to look for you.",
)
_YES, _NO = frozenset("✅✔☑👍"), frozenset("❌✖❎👎")
_CHANNELS = {"sms": "SMS", "mail": "E-mail"}


class Turn(IntEnum):
    """What goes first of one roll call, all of it at once: the rank of all is that of emergencies."""

    REST = 0
    """Polls, and what is said again."""
    PEOPLE = 1
    """The alarm, to each person."""
    HELP = 2
    """Who needs help, who is called, and the board."""
    ROOMS = 3
    """The alarm, in rooms."""

    @property
    def before(self) -> timedelta:
        """By so much what has this turn is put before the moment at which the roll call began."""
        return timedelta(seconds=self.value)


def content(text: str, *, mention: UserId | None = None) -> dict[str, Any]:
    """Return the content of a message that rings, also in quiet hours."""
    mentions = {"user_ids": [mention]} if mention else {}
    return {"msgtype": "m.text", "body": text, "m.mentions": mentions, URGENT: True}


def heading(call: RollCall) -> str:
    """Return the first line of every message of a roll call."""
    if call.drill:
        return "🔔 DRILL – this is an exercise, not an emergency"
    return "🚨 EMERGENCY"


def alarm(call: RollCall, company: str) -> str:
    """Return what everybody is told."""
    return _lines(
        f"{heading(call)} – {company}{_where(call)}", "", call.text, "", request_of(SAFETY), "", _tail(call)
    ).rstrip()


def poll_question(call: RollCall) -> str:
    """Return what the poll beside the alarm asks."""
    return f"{'DRILL: ' if call.drill else ''}Are you safe?"


def reminder(call: RollCall, turn: int, turns: int) -> str:
    """Return what the silent are told the so-manieth time of so many, each time more urgently."""
    urgency = _CALLS[-1] if turn >= turns else _CALLS[min(turn, len(_CALLS) - 1) - 1]
    return _lines(heading(call), urgency, "", call.text, "", request_of(SAFETY))


def outward(call: RollCall, company: str) -> tuple[str, str]:
    """Return the subject and the text of what goes out by second channels."""
    kind = "DRILL (no emergency)" if call.drill else "EMERGENCY"
    text = f"{kind} {company}: {call.text}\nOpen your company chat and answer: I am safe, or: I need help."
    return f"{kind}: {company}", text


def over(call: RollCall, company: str) -> str:
    """Return what everybody who was told is told at the end."""
    if call.drill:
        return f"✅ DRILL – {company}: the exercise is over. Thank you."
    return f"✅ {company}: the emergency roll call is over. You need not answer any more.\n\nIt was about: {call.text}"


def ask(call: RollCall) -> str:
    """Return what somebody is asked who may be needed to help."""
    return _lines(
        f"{heading(call)}: you are called to help{_where(call)}",
        "",
        call.text,
        "",
        "React to this message with ✅ if you come, with ❌ if you cannot; then the next is called at once.",
    )


def plea(call: RollCall, person: Present, zone: tzinfo) -> str:
    """Return what responders are told of somebody who asked for help, by the newest answer."""
    who = f"{person.name}{_belongs(person)}"
    if person.answer == HELP:
        at = f", answered {_at(person.answered_at, zone)}" if person.answered_at else ""
        return f"🆘 {_prefix(call)}{who} NEEDS HELP{at}."
    if person.answer is None:
        return f"❔ {_prefix(call)}{who} asked for help and has taken the answer back. Find out."
    return f"✅ {_prefix(call)}{who} is safe now."


def board(
    call: RollCall,
    people: Sequence[Present],
    responders: Sequence[Asked],
    names: Mapping[UserId, str],
    channels: Sequence[str],
    *,
    needed: int,
    zone: tzinfo,
) -> str:
    """Return the board: help first and by name, then the sites, then who is silent, then who comes.

    `names` are those of the responders, `channels` lines on how second channels fare.
    """
    return "\n".join(
        [
            f"{heading(call)} · roll call {call.id}{_where(call)}",
            f"{_first_line(call.text)}",
            f"Started {_at(call.started_at, zone)} by {call.started_by}{_ended(call, zone)}",
            "",
            f"{_counts(count(people))} · {_people(len(people))}",
            *_needing(call, people, zone),
            *_sites(people),
            *_silent(people),
            *_coming(call, responders, names, needed),
            *([""] if channels else []),
            *channels,
        ]
    )


def started_answer(announcement: str, people: int, rooms: int, *, site: str | None, drill: bool) -> str:
    """Return what whoever started a roll call in a desk is told there."""
    started = started_line(announcement, people, rooms, site=site, drill=drill)
    return f"{started} The board is in this room. To end it write: !emergency end"


def started_line(announcement: str, people: int, rooms: int, *, site: str | None, drill: bool) -> str:
    """Return that a roll call has started, and for how many."""
    kind = "DRILL started" if drill else "🚨 Roll call started"
    where = f" at {site}" if site else ""
    return f"{kind}{where}: {announcement}, {_people(people)}, {rooms:,} {'room' if rooms == 1 else 'rooms'}."


def ended_answer(call: RollCall) -> str:
    """Return what whoever ended a roll call is told."""
    return f"{_prefix(call)}The roll call {call.id} is over; whoever was told is told so."


def verdict_of(emoji: str) -> bool | None:
    """Return whether a reaction says that somebody comes to help; None when it says neither."""
    bare = emoji.replace("\ufe0f", "")
    return True if bare in _YES else False if bare in _NO else None


def channel_lines(tallies: Mapping[str, tuple[int, int, int, str]]) -> list[str]:
    """Return how each second channel fares, of what it sent, has waiting, could not send, and the last error."""
    return [
        f"{_CHANNELS.get(name, name)}: {sent:,} sent"
        + (f", {waiting:,} waiting" if waiting else "")
        + (f", {failed:,} not possible (no address, or refused)" if failed else "")
        + (f" – {error}" if error else "")
        for name, (sent, waiting, failed, error) in tallies.items()
    ]


def no_channel() -> Notice:
    """Return what to say when the silent cannot be reached by anything but Matrix."""
    return Notice(
        "no second channel",
        "A roll call has people who do not answer, and no second channel is configured by which they could be reached. "
        "`channels:` in the configuration sets up short messages and e-mail; docs/emergency.md has every key.",
    )


def named(people: Iterable[Present], most: int = MOST_NAMES) -> str:
    """Return names with where people belong, at most so many, and how many more there are."""
    everyone = list(people)
    shown = "; ".join(f"{person.name}{_belongs(person)}" for person in everyone[:most])
    more = len(everyone) - most
    return f"{shown}; and {more:,} more" if more > 0 else shown


def _needing(call: RollCall, people: Sequence[Present], zone: tzinfo) -> list[str]:
    found = in_need(people)
    if not found:
        return []
    lines = [
        f"  🆘 {person.name}{_belongs(person)}, {_at(person.answered_at, zone)}"
        for person in found[:_MOST_IN_NEED]
        if person.answered_at
    ]
    if len(found) > _MOST_IN_NEED:
        lines.append(f"  … and {len(found) - _MOST_IN_NEED:,} more; `muster emergency board {call.id} --json` has all")
    return ["", f"NEED HELP ({len(found):,}):", *lines]


def _sites(people: Sequence[Present]) -> list[str]:
    """Return a line for each site, and below it for each department where that is not too much to read."""
    sites = by_site(people)
    split = {name: by_department(members) for name, members in sites}
    detailed = len(sites) + sum(len(each) for each in split.values()) <= _MOST_LINES
    lines = []
    for name, members in sites[:_MOST_LINES]:
        if len(sites) > 1 or name:
            lines.append(f"{name or 'Site unknown'}: {_counts(count(members))}")
        if detailed:
            lines += [f"  {each or 'no department'}: {_counts(count(some))}" for each, some in split[name]]
    if len(sites) > _MOST_LINES:
        lines.append(f"… and {len(sites) - _MOST_LINES:,} more sites")
    return ["", *lines]


def _silent(people: Sequence[Present]) -> list[str]:
    found = sorted(silent(people), key=lambda person: (person.site, person.department, person.name))
    return ["", f"SILENT ({len(found):,}): {named(found)}"] if found else []


def _coming(call: RollCall, responders: Sequence[Asked], names: Mapping[UserId, str], needed: int) -> list[str]:
    if not responders:
        return []

    def of(accepts: bool | None) -> str:
        return ", ".join(names.get(each.user_id, each.user_id) for each in responders if each.accepts is accepts)

    coming = sum(each.accepts is True for each in responders)
    parts = [f"come: {of(True)}" if of(True) else "", f"cannot: {of(False)}" if of(False) else ""]
    parts.append(f"asked: {of(None)}" if of(None) else "")
    return ["", f"RESPONDERS {coming} of {needed} needed – {'; '.join(part for part in parts if part)}"]


def _counts(counted: Count) -> str:
    help_ = f"🆘 {counted.help:,} need{'s' if counted.help == 1 else ''} help · " if counted.help else ""
    return f"{help_}✅ {counted.safe:,} safe · ❔ {counted.silent:,} silent"


def _belongs(person: Present) -> str:
    parts = ", ".join(part for part in (person.site, person.department) if part)
    return f" ({parts})" if parts else ""


def _where(call: RollCall) -> str:
    return f" – {call.site}" if call.site else ""


def _prefix(call: RollCall) -> str:
    return "DRILL: " if call.drill else ""


def _tail(call: RollCall) -> str:
    return "DRILL: answer as you would in an emergency." if call.drill else ""


def _ended(call: RollCall, zone: tzinfo) -> str:
    return f" · ENDED {_at(call.ended_at, zone)}" if call.ended_at else ""


def _first_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:299]}…"


def _people(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"


def _at(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%H:%M:%S}"


def _lines(*lines: str) -> str:
    return "\n".join(lines)
