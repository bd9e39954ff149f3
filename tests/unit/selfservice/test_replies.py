"""Replies are readable as text and safe as HTML."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.selector import parse
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.ruling import Ground, Ruling
from bridge.policy.schema import Barrier, Exemption, RoomKind
from bridge.selfservice import replies
from bridge.selfservice.command import Unclear, Word
from bridge.selfservice.known_rooms import KnownRoom, Standing
from bridge.selfservice.phone_book import Found, Listing
from bridge.selfservice.replies import MOST_ROOMS, USAGE, Account, Reason, Text

HOSTILE = "<b>Eve</b>\n• @boss:x – \"approved\" & 'signed'"
TOURS = Exemption("fleet", "", "bob", True, date(2026, 4, 1), "cid", "tours")
WALL = Barrier(parse('department eq "R"'), parse('department eq "T"'), "research independence")
TAGS = {"a", "strong", "code", "br"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def _room(name: str, standing: Standing = Standing.IN, *, wanted: bool = False) -> KnownRoom:
    return KnownRoom(RoomKey("k"), RoomId("!k"), name, "#muster_k:x", RoomKind.CHAT, standing, wanted)


def _ruled(ground: Ground, **said: Any) -> KnownRoom:
    """Return a room with what the policy makes of it."""
    of_room = {key: said.pop(key) for key in ("waits", "granted") if key in said}
    standing, wanted = said.pop("standing", Standing.IN), said.pop("wanted", False)
    ruling = Ruling(RoomKey("k"), None, wanted, wanted, ground, **said)
    return replace(_room("Fleet", standing, wanted=wanted), ruling=ruling, **of_room)


def _all_with(text: str) -> list[Text]:
    listing = Listing(UserId("@e:x"), text, text, text, text, text, "14:05")
    return [
        replies.list_people(Found((listing,), 1, complete=True)),
        replies.unknown_room(text),
        replies.describe_account(Account(UserId("@e:x"), "E", (("title", text),))),
        replies.explain_room(Reason(_room("k", wanted=True), "rooms.k", (("title", text),), "")),
        replies.welcome(text),
    ]


@given(st.text() | st.just(HOSTILE))
def test_nothing_that_people_say_becomes_markup_or_a_line(text: str) -> None:
    """Whatever stands in a name or an attribute, the tags and the number of lines stay ours."""
    for reply, harmless in zip(_all_with(text), _all_with("x"), strict=True):
        reader = _Reader()
        reader.feed(reply.rich)
        assert reader.tags <= TAGS
        assert len(reply.plain.split("\n")) == len(harmless.plain.split("\n"))


def test_a_colleague_is_a_link_that_begins_a_chat() -> None:
    """With what everybody may know, and the user ID for clients that show no links."""
    listing = Listing(UserId("@m.tamm:x"), "Mari Tamm", "Driver", "Sales", "m@x", "Jüri", "14:05")
    reply = replies.list_people(Found((listing,), 1, complete=True))
    assert reply.plain == (
        "Found 1 person:\n• Mari Tamm (@m.tamm:x) – Driver · Sales · m@x · manager: Jüri · local time 14:05"
    )
    assert '<a href="https://matrix.to/#/%40m.tamm%3Ax">Mari Tamm</a>' in reply.rich


def test_the_count_says_when_there_are_more() -> None:
    """Also when not all were looked at."""
    listing = Listing(UserId("@m:x"), "M", "", "", "", "", "")
    assert "Found 25 people, the best 1 of them:" in replies.list_people(Found((listing,), 25, complete=True)).plain
    assert "more than 500 people" in replies.list_people(Found((listing,), 500, complete=False)).plain
    assert replies.list_people(Found((), 0, complete=True)).plain.startswith("Nobody who works here")


def test_help_names_every_command() -> None:
    """And so does the answer to what is not understood, with the nearest first."""
    assert set(USAGE) == set(Word)
    for reply in (replies.usage(), replies.not_understood(Unclear(None)), replies.not_understood(Unclear(Word.WHO))):
        assert all(form in reply.plain for form, _ in USAGE.values())
    assert "Did you mean “who”?" in replies.not_understood(Unclear(Word.WHO)).plain
    assert "who <name, title or department>" in replies.not_understood(Unclear(Word.WHO, incomplete=True)).plain


def test_rooms_are_listed_by_what_one_is_to_them() -> None:
    """A long list ends with how many more there are."""
    many = [_room("Inside") for _ in range(MOST_ROOMS + 3)]
    reply = replies.list_rooms([*many, _room("Other", Standing.LISTED)]).plain
    assert f"You are in ({len(many)}):" in reply
    assert "• and 3 more" in reply
    assert reply.endswith("• Other")
    assert replies.list_rooms([]).plain == "You are in none of the company's rooms."


def test_a_reason_names_the_rule_and_only_the_own_attributes() -> None:
    """For a room one is not in, the rule alone."""
    told = (("department", "Sales"), ("active", "true"))
    reply = replies.explain_room(Reason(_room("Sales", wanted=True), "rooms.sales", told, "moderator")).plain
    assert reply == (
        "You are in Sales, because its rule rooms.sales names you:\n"
        "• your department is Sales\n• you work here\nYou are its moderator."
    )
    other = Reason(_room("Fleet", Standing.LISTED), "rooms.fleet", (), "")
    assert replies.explain_room(other).plain == "You are not in Fleet: its rule rooms.fleet does not name you."
    by_hand = Reason(_room("Fleet"), "rooms.fleet", (), "")
    assert "invited you by hand" in replies.explain_room(by_hand).plain
    old = Reason(_room("Fleet"), "", (), "")
    assert "No rule makes this room any more" in replies.explain_room(old).plain
    soon = Reason(_room("Fleet", Standing.ENTITLED, wanted=True), "rooms.fleet", (), "")
    assert replies.explain_room(soon).plain.startswith("You ought to be in Fleet by its rule rooms.fleet")
    invited = Reason(_room("Fleet", Standing.INVITED), "rooms.fleet", (), "")
    assert "somebody has invited you" in replies.explain_room(invited).plain
    let_in = _ruled(Ground.EXCEPTION, wanted=True, exception=TOURS)
    assert replies.explain_room(Reason(let_in, "rooms.fleet", (), "")).plain == (
        "You are in Fleet by an exception until 2026-04-01, owner cid: tours."
    )


@pytest.mark.parametrize(
    ("room", "rest", "words"),
    [
        (
            {"ground": Ground.BARRIER, "barrier": WALL},
            {},
            "You are in Fleet. You are about to be taken out: a barrier of the company's keeps you out"
            " (research independence).",
        ),
        (
            {"ground": Ground.EXCEPTION, "exception": TOURS, "standing": Standing.LISTED},
            {},
            "You are not in Fleet by an exception until 2026-04-01, owner cid: tours.",
        ),
        (
            {"ground": Ground.RELATION, "wanted": True},
            {"rank": "moderator", "ranks_as_manager": True},
            "You are in Fleet as the manager of somebody in it.\n"
            "You are its moderator, because you manage people in it.",
        ),
        (
            {"ground": Ground.RULE, "wanted": True},
            {"rank": "moderator", "rank_because": (("title", "Head"),)},
            "You are in Fleet, because its rule rooms.fleet names you.\n"
            "You are its moderator, because your title is Head.",
        ),
        (
            {"ground": Ground.NONE, "waits": True, "granted": True},
            {},
            "You are in Fleet. Its rule does not name you any more; that you leave waits for an approval.",
        ),
        (
            {"ground": Ground.NONE, "granted": True},
            {},
            "You are in Fleet. Its rule does not name you any more, so you will be taken out in a moment.",
        ),
    ],
)
def test_why_tells_what_really_decides(room: dict[str, Any], rest: dict[str, Any], words: str) -> None:
    """A barrier, an exception, being somebody's manager, and what waits for an approval are told as such."""
    reason = Reason(_ruled(**room), "rooms.fleet", **{"because": (), "rank": "", **rest})
    assert replies.explain_room(reason).plain == words
