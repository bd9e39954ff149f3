"""The explanation of who is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from bridge.directory.history import HistoryEntry
from bridge.errors import UnknownNameError
from bridge.ids import EventId, PersonId, RoomId, RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.desired import desired
from bridge.membership.explanation import RoomReason
from bridge.membership.presence import Presence
from bridge.membership.ruling import rulings
from bridge.membership.values import Action, Current, CurrentAccount, CurrentRoom
from bridge.membership.why import Known, explain
from bridge.membership.why_text import as_json, as_text
from bridge.policy.schema import RoomKind
from tests.unit.membership import notation

RULES = {
    "spaces": {"company": {"members": "active eq true"}},
    "rooms": {
        "department": {
            "for_each": "department",
            "name": "The {department}",
            "members": 'not (userType eq "Contractor")',
            "moderators": 'title co "Head"',
        },
        "drivers": {"members": 'title eq "Driver" and department eq "Sales"'},
    },
    "approvers": ['title eq "Chief"'],
}
BOB = UserId("@bob:example.org")
ENTRY = Entry(
    id=7,
    run_id=3,
    at=datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC),
    action=Action.JOIN,
    room_key="department/Sales",
    room_id=RoomId("!sales"),
    user_id=BOB,
    person_id=PersonId("bob"),
    value="",
    rule="rooms.department",
    reason='department eq "Sales"',
    directory_version=12,
    policy_digest="0123456789abcdef",
    outcome="done",
    error=None,
    sessions_ended=None,
    cause="directory",
)


def room(key: str, *members: UserId, granted: bool = True, name: str = "", level: int = 0) -> CurrentRoom:
    return CurrentRoom(
        key=RoomKey(key),
        room_id=RoomId(f"!{key}"),
        kind=RoomKind.CHAT,
        name=name or key,
        topic="",
        parents=(),
        open_to=None,
        members=frozenset(members),
        granted=frozenset(members) if granted else frozenset(),
        power={BOB: level} if level else {},
    )


def said_by(source: str, version: int, said: Mapping[str, object], day: int = 1) -> HistoryEntry:
    """Return a state of Bob that was recorded on a day of February 2026."""
    recorded_at = datetime(2026, 2, day, 9, tzinfo=UTC)
    return HistoryEntry(version, recorded_at, source, "changed", recorded_at.date(), notation.person("bob", said))


def known(
    said: Mapping[str, object],
    *rooms: CurrentRoom,
    enabled: bool = True,
    history: Sequence[HistoryEntry] = (),
    presences: Mapping[RoomId, Presence] | None = None,
) -> Known:
    policy = notation.policy(RULES)
    accounts = {PersonId("bob"): CurrentAccount(PersonId("bob"), BOB, "Bob", enabled)}
    census = notation.census({"bob": said})
    current = Current(accounts, {one.key: one for one in rooms})
    return Known(
        rulings(policy, census, desired(policy, census, accounts), current, bot=notation.BOT),
        {"department/Sales": ENTRY},
        notation.DAY,
        in_force_since="2026-01-05T08:00:00+00:00",
        history=history,
        presences=presences or {},
    )


SALES_HEAD = {"department": "Sales", "title": "Head of Sales"}


def why(said: Mapping[str, object], about: str, *rooms: CurrentRoom) -> RoomReason:
    (found,) = explain(notation.person("bob", said), known(said, *rooms), about).rooms
    return found


def test_every_comparison_is_answered() -> None:
    """Of a room somebody is in: the rule, its whole question, each comparison with the directory's values, the power,
    and the entry that made it so."""
    found = why(SALES_HEAD, "department/Sales", room("department/Sales", BOB, level=50))

    assert (found.there, found.wanted, found.rule) == ("in", True, "rooms.department")
    assert [(answer.asked, answer.holds, answer.values) for answer in found.answers] == [
        ('department eq "Sales"', True, ("Sales",)),
        ('usertype eq "Contractor"', False, ()),
    ]
    assert (found.level, found.wanted_level, found.remark) == (50, 50, "")
    assert found.since is not None
    assert (found.since.entry, found.since.run, found.since.directory_version) == (7, 3, 12)


def test_a_room_of_another_value_says_what_does_not_match() -> None:
    """Asked about another department's room, the explanation names the department that the person has."""
    found = why(SALES_HEAD, "department/IT", room("department/IT", UserId("@x:y")))

    assert (found.there, found.wanted) == ("not in", False)
    assert (found.answers[0].holds, found.answers[0].values) == (False, ("Sales",))


@pytest.mark.parametrize(
    ("said", "rooms", "about", "remark"),
    [
        (SALES_HEAD, [], "drivers", ""),
        ({**SALES_HEAD, "title": "Driver"}, [], "drivers", "The room has not been made yet."),
        ({**SALES_HEAD, "title": "Driver"}, [room("drivers")], "drivers", "Muster has yet to put this person in."),
        (SALES_HEAD, [room("drivers", BOB, granted=False)], "drivers", "Somebody invited this person by hand."),
        (SALES_HEAD, [room("drivers", BOB)], "drivers", "Muster put this person in and has yet to take them out"),
        (SALES_HEAD, [room("old", BOB)], "old", "No rule of the policy makes this room any more"),
    ],
)
def test_what_the_question_alone_does_not_explain(
    said: dict[str, object], rooms: list[CurrentRoom], about: str, remark: str
) -> None:
    """A guest, a change that waits, a room to be made and a room of no rule each get their own sentence."""
    found = why(said, about, *rooms)

    assert found.remark.startswith(remark)
    assert bool(found.remark) == bool(remark)


def test_a_leaver_is_wanted_nowhere() -> None:
    """Who does not work here belongs in no room, whatever the question says."""
    said = {**SALES_HEAD, "active": False}
    found = explain(notation.person("bob", said), known(said, room("department/Sales", BOB), enabled=False))

    assert not found.works_here
    assert not any(reason.wanted for reason in found.rooms)


@pytest.mark.parametrize("name", ["department/sales", "DEPARTMENT/Sales", "the sales"])
def test_a_room_is_found_by_key_or_name(name: str) -> None:
    """Keys and names of rooms are found in any case."""
    assert why(SALES_HEAD, name, room("department/Sales", name="The Sales")).room == "department/Sales"


def test_an_unknown_room_names_the_nearest() -> None:
    """A room that does not exist is refused with the nearest one."""
    with pytest.raises(UnknownNameError, match="Did you mean drivers"):
        why(SALES_HEAD, "driver")


def test_text_fits_the_terminal_and_says_it_all() -> None:
    """The text keeps to 80 columns, and has names, answers, versions and no control characters."""
    person = notation.person("bob", {**SALES_HEAD, "displayName": "Bob\x1b[31m"})
    text = as_text(explain(person, known(SALES_HEAD, room("department/Sales", BOB))), 80)

    assert all(len(line) <= 80 and line.replace("\n", "").isprintable() for line in text.splitlines())
    for words in (
        "department/Sales: in, as the policy says",
        "entry 7 of run 3",
        "policy 0123456789ab",
        "yes  department",
    ):
        assert words in text
    assert text.index("department/Sales") < text.index("drivers: not in")


def test_json_has_what_the_text_has() -> None:
    """Scripts get the same explanation as values."""
    found = as_json(explain(notation.person("bob", SALES_HEAD), known(SALES_HEAD), "department/Sales"))

    assert found["rooms"][0]["answers"][0] == {
        "asked": 'department eq "Sales"', "holds": True, "attribute": "department", "values": ("Sales",),
        "source": None,
    }  # fmt: skip


def test_every_answer_names_who_said_so_and_the_event_that_followed() -> None:
    """The source is whoever first said what is still true, whatever was sent since; the event is the archive's."""
    history = (
        said_by("csv:first.csv", 3, {"department": "IT", "title": "Clerk"}),
        said_by("scim:okta", 7, {**SALES_HEAD, "title": "Clerk"}, day=2),
        said_by("hook:hibob", 9, SALES_HEAD, day=3),
    )
    moment = datetime(2026, 2, 2, 9, 0, 2, tzinfo=UTC)
    event = Presence(RoomId("!department/Sales"), BOB, "join", moment, EventId("$in"), BOB, None, EventId("$in"))
    facts = known(
        SALES_HEAD, room("department/Sales", BOB), history=history, presences={RoomId("!department/Sales"): event}
    )
    (found,) = explain(notation.person("bob", SALES_HEAD), facts, "department/Sales").rooms

    assert [(one.attribute, one.source and one.source.source) for one in found.answers] == [
        ("department", "scim:okta"),
        ("usertype", "csv:first.csv"),
    ]
    assert found.event is not None
    assert (found.event.event_id, found.event.sender) == ("$in", BOB)
