"""A small company's past, as it is read of the database: Bob moved from Sales to IT on the second of March 2026."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from bridge.archive.values import Comparison
from bridge.directory.history import HistoryEntry
from bridge.directory.local_day import everywhere
from bridge.directory.person import Person
from bridge.ids import EventId, PersonId, RoomId, RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.explanation import PolicyVersion
from bridge.membership.past_company import Company, Setting, judged
from bridge.membership.presence import Power, Presence
from bridge.membership.room_past import RoomPast
from bridge.membership.ruling import Rulings
from bridge.membership.values import Action
from bridge.membership.who import Facts
from bridge.membership.why_then import Then
from bridge.policy.schema import Policy
from tests.unit.membership import notation

RULES = {
    "spaces": {"company": {"members": "active eq true"}},
    "rooms": {
        "department": {
            "for_each": "department",
            "members": 'not (userType eq "Contractor")',
            "moderators": 'title co "Head"',
        },
        "drivers": {"members": 'title eq "Driver"'},
    },
}
VERSION = PolicyVersion("c0ffee" * 10 + "beef", "2026-01-05T08:00:00+00:00")
POLICY = replace(notation.policy(RULES), digest=VERSION.digest)
ANN, BOB, GUEST = UserId("@ann:example.org"), UserId("@bob:example.org"), UserId("@guest:elsewhere.example")
SALES, COMPANY, CLUB = RoomId("!sales"), RoomId("!company"), RoomId("!club")
NOW = datetime(2026, 3, 1, 21, 59, 59, tzinfo=UTC)


def moment(day: int, hour: int = 9) -> datetime:
    """Return a moment of February 2026."""
    return datetime(2026, 2, day, hour, tzinfo=UTC)


def recorded(version: int, source: str, day: int, said: Mapping[str, object]) -> HistoryEntry:
    """Return a state of Bob."""
    at = moment(day)
    return HistoryEntry(version, at, source, "changed", at.date(), notation.person("bob", said))


def presence(room: RoomId, user: UserId, membership: str, day: int, **more: UserId) -> Presence:
    """Return a membership since a day, by the user's own event."""
    event = EventId("$" + f"{membership}-{user[1:4]}-{day}-".ljust(43, "x"))
    found = Presence(room, user, membership, moment(day), event, user, None, event)
    return replace(found, **more)  # type: ignore[arg-type]


def entry(room: str, user: UserId, action: Action = Action.JOIN, **more: object) -> Entry:
    """Return an entry of the audit log."""
    plain = Entry(
        id=7,
        run_id=3,
        at=moment(2),
        action=action,
        room_key=room,
        room_id=None,
        user_id=user,
        person_id=PersonId(user[1:4]),
        value="",
        rule="rooms.department",
        reason='department eq "Sales"',
        directory_version=4,
        policy_digest=VERSION.digest,
        outcome="done",
        error=None,
        sessions_ended=None,
        cause="directory",
        plan_digest="abcdef0123456789",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


ROOMS = {
    SALES: RoomPast(SALES, moment(1), RoomKey("department/Sales"), "Sales", names=frozenset({"sales"})),
    COMPANY: RoomPast(COMPANY, moment(1), RoomKey("company"), "Company", names=frozenset({"company"})),
    CLUB: RoomPast(CLUB, moment(1), None, "Chess", names=frozenset({"chess"})),
}
COMPLETE = Comparison(moment(1), True, datetime(2026, 4, 1, tzinfo=UTC), 0)


def then(**more: object) -> Then:
    """Return what is known of Bob at the end of the first of March in Tallinn."""
    plain = Then(
        moment=NOW,
        day=notation.DAY.replace(day=1),
        rulings=None,
        version=VERSION,
        history=(
            recorded(2, "csv:start.csv", 1, {"department": "IT", "title": "Clerk"}),
            recorded(4, "scim:okta", 2, {"department": "Sales", "title": "Head of Sales"}),
            recorded(9, "scim:okta", 3, {"department": "Sales", "title": "Head of Sales", "userName": "b.tamm"}),
        ),
        user_id=BOB,
        account=entry("", BOB, Action.CREATE_ACCOUNT),
        presences={
            SALES: presence(SALES, BOB, "join", 2),
            CLUB: presence(CLUB, BOB, "join", 5, invited_by=ANN),
            COMPANY: presence(COMPANY, BOB, "leave", 6, sender=ANN),
        },
        powers={SALES: Power({BOB: 50})},
        rooms=ROOMS,
        comparisons={SALES: COMPLETE, COMPANY: COMPLETE},
        arrivals={"department/Sales": entry("department/Sales", BOB)},
    )
    found = replace(plain, **more)  # type: ignore[arg-type]
    if "rulings" not in more:
        found = replace(found, rulings=judged_of(found.history[-1].person))
    return found


def judged_of(*people: Person, policy: Policy = POLICY) -> Rulings:
    """Return what the policy decided about these people."""
    states = {one.id: HistoryEntry(1, NOW, "csv:x", "changed", notation.DAY, one) for one in people}
    holders = {UserId(f"@{one.id}:example.org"): one.id for one in people}
    return judged(policy, Company(states, ()), ROOMS, holders, NOW, Setting(notation.BOT, (), "UTC"))


def facts(**more: object) -> Facts:
    """Return what is known of the room of Sales at that moment."""
    ann = notation.person("ann", {"department": "Sales", "title": "Chief, =Sales", "displayName": "Ann Põld"})
    bob = notation.person("bob", {"department": "IT", "title": "Clerk"})
    plain = Facts(
        moment=NOW,
        rulings=None,
        version=VERSION,
        bot=notation.BOT,
        presences={
            notation.BOT: presence(SALES, notation.BOT, "join", 1),
            ANN: presence(SALES, ANN, "join", 2),
            BOB: presence(SALES, BOB, "join", 2),
            GUEST: presence(SALES, GUEST, "invite", 9, sender=ANN),
        },
        power=Power({ANN: 50}, creators=frozenset({notation.BOT})),
        people={ANN: ann, BOB: bob},
        day=everywhere(notation.DAY),
        arrivals={
            ANN: entry("department/Sales", ANN, approval="fedc" * 16, approved_by=PersonId("eve")),
            BOB: entry("department/Sales", BOB, id=8),
        },
        names={PersonId("eve"): "Eve Saar"},
        comparison=COMPLETE,
    )
    found = replace(plain, **more)  # type: ignore[arg-type]
    if "rulings" not in more:
        found = replace(found, rulings=judged_of(*found.people.values()))
    return found
