"""What goes wrong with people elsewhere, and does not here: each test is named after its hazard."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from bridge.directory.census import Census
from bridge.directory.history import HistoryEntry, state_at
from bridge.directory.hook_inbox import HookInbox
from bridge.directory.hook_mapping import HookEvent
from bridge.directory.hook_store import store_events
from bridge.directory.identity import manager_cycles, suspected_rehires
from bridge.directory.intake import import_csv
from bridge.directory.local_day import LocalDays, everywhere
from bridge.directory.person import Person, Standing, attributes_of, is_employed, works_here
from bridge.directory.reuse_store import decide_reuse, load_suspicions
from bridge.directory.scim_shape import ENTERPRISE, MUSTER
from bridge.directory.selector import parse
from bridge.directory.status_store import load_unknown, put_statuses, put_timezone
from bridge.directory.store import (
    boundaries_between,
    changed_since,
    directory_version,
    load_history,
    load_people,
    load_person,
)
from bridge.errors import UnknownNameError
from bridge.ids import PersonId, UserId
from bridge.membership.desired_accounts import DesiredAccounts
from bridge.membership.values import CurrentAccount
from bridge.policy.schema import Accounts

if TYPE_CHECKING:
    from bridge.database import Pool
    from tests.integration.directory.conftest import Scim

DAY = date(2027, 3, 1)
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
STATUSES = {
    "Active": Standing.WORKS,
    "On leave": Standing.AWAY,
    "Garden leave": Standing.BARRED,
    "Terminated": Standing.LEFT,
}


def accounts(people: list[Person], known: dict[PersonId, CurrentAccount] | None = None) -> dict[str, tuple[str, bool]]:
    """Return the localpart of everybody by userName, and whether the account is to be enabled on `DAY`."""
    had = known or {}
    taken = [account.user_id[1:].partition(":")[0] for account in had.values()]
    found = DesiredAccounts(Accounts(), Census(people, everywhere(DAY)), had, "example.org", taken)
    names = {person.id: person.user_name for person in people}
    return {names[id_]: (each.user_id[1:].partition(":")[0], each.enabled) for id_, each in found.items()}


async def works(pool: Pool, name: str, day: date = DAY) -> bool:
    return works_here(await load_person(pool, name), day)


async def departments(pool: Pool, name: str, day: date = DAY) -> tuple[Any, ...]:
    return attributes_of(await load_person(pool, name), day).get("department", ())


async def days_of(pool: Pool) -> set[date]:
    return {each.day for each in await boundaries_between(pool, date(2000, 1, 1), date(9999, 12, 31))}


# Effective dates


async def test_effective_dates(scim: Scim, pool: Pool) -> None:
    """A hire counts from the first day and a contractor until the last; the days on which that changes are known."""
    await scim.user("hire", **{MUSTER: {"start": "2027-03-02"}})
    await scim.user("contractor", userType="Contractor", **{MUSTER: {"start": "2026-01-01", "end": "2027-03-01"}})

    assert [await works(pool, "hire", day) for day in (DAY, DAY + timedelta(1))] == [False, True]
    assert [await works(pool, "contractor", day) for day in (DAY, DAY + timedelta(1))] == [True, False]
    assert await days_of(pool) == {date(2026, 1, 1), date(2027, 3, 2)}


async def test_effective_dates_that_are_corrected(scim: Scim, pool: Pool) -> None:
    """Only the present dates count, from whichever way they come; the last day of the calendar is no end."""
    user = await scim.user("a", **{MUSTER: {"start": "2027-03-02", "end": "2027-04-30"}})
    await scim.ask("PUT", f"/Users/{user}", {"userName": "a", MUSTER: {"start": "2027-03-05", "end": "9999-12-31"}})
    assert await days_of(pool) == {date(2027, 3, 5)}
    await import_csv(pool, b"userName,start,end\na,2027-03-06,2027-03-09\n", "hr.csv")
    assert await days_of(pool) == {date(2027, 3, 6), date(2027, 3, 10)}
    assert (await scim.ask("DELETE", f"/Users/{user}")).status == 204
    assert await days_of(pool) == set()


async def test_effective_dates_that_come_late(scim: Scim, pool: Pool) -> None:
    """What was true on a day, as known now, takes a late correction into account; what was known then stays."""
    today = datetime.now(UTC).date()
    left, asked = today - timedelta(days=30), today - timedelta(days=10)
    user = PersonId(await scim.user("a", **{MUSTER: {"start": "2020-01-01"}}))
    hired = await load_history(pool, user)
    await scim.ask("PUT", f"/Users/{user}", {"userName": "a", MUSTER: {"start": "2020-01-01", "end": f"{left}"}})
    ended = await load_history(pool, user)
    await scim.ask("PUT", f"/Users/{user}", {"userName": "a", "title": "T", MUSTER: {"start": "2020-01-01"}})
    mended = await load_history(pool, user)

    def worked(history: list[HistoryEntry]) -> bool:
        state = state_at(history, asked)
        return state is not None and works_here(state.person, asked)

    assert [worked(history) for history in (hired, ended, mended)] == [True, False, True]
    assert [each.valid_from for each in mended] == [date(2020, 1, 1), left + timedelta(1), left + timedelta(1)]
    assert state_at(mended, date(2019, 12, 31)) is None
    await scim.ask("PUT", f"/Users/{user}", {"userName": "a", "title": "U", MUSTER: {"start": "2020-01-01"}})
    assert (await load_history(pool, user))[-1].valid_from == today


async def test_time_zone_of_the_last_day(scim: Scim, pool: Pool) -> None:
    """Melbourne's last day is over while Los Angeles has hours of it left; who has no zone has the company's."""
    for name, zone in (("m", "Australia/Melbourne"), ("l", "America/Los_Angeles"), ("d", ""), ("j", "Nowhere/Else")):
        await scim.user(name, timezone=zone, **{MUSTER: {"end": "2027-03-01"}})
    people = await load_people(pool)
    at_work = Census(people, LocalDays(datetime(2027, 3, 1, 14, tzinfo=UTC), "Europe/Tallinn"))

    assert {at_work.person(row).user_name for row in at_work.active} == {"l", "d", "j"}


async def test_effective_dates_without_a_start(scim: Scim, pool: Pool) -> None:
    """Who is new and sent with an empty first day is kept and no hire until the day is said, from whichever way."""
    inbox = HookInbox(pool)

    async def tell(**said: str) -> None:
        await store_events(pool, "hr", f"{said}", [HookEvent("9", datetime.now(UTC), said)])
        while await inbox.handle_next():
            pass

    user = await scim.user("scim", **{MUSTER: {"start": ""}})
    listed = await scim.user("listed", **{MUSTER: {"employments": [{"title": "Clerk"}]}})
    await import_csv(pool, b"userName,start\nfile,\n", "hr.csv")
    await tell(userName="hook", start="")
    await scim.user("plain", title="Clerk")
    names = ("scim", "listed", "file", "hook", "plain")

    async def hired() -> list[bool]:
        return [await works(pool, name) for name in names]

    assert await hired() == [False, False, False, False, True]
    await scim.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Clerk"})
    await import_csv(pool, b"userName,title,start\nfile,Clerk,\nplain,Clerk,\n", "hr.csv")
    await tell(title="Clerk")
    assert await hired() == [False, False, False, False, True]
    assert {each.user_name for each in await load_people(pool) if each.awaited} == set(names[:4])

    start = {"op": "replace", "path": f"{MUSTER}:start", "value": "2027-03-01"}
    for id_ in (user, listed):
        assert (await scim.patch(f"/Users/{id_}", start)).status == 200
    await import_csv(pool, b"userName,start\nfile,2027-03-02\n", "hr.csv")
    await tell(start="2027-03-01")
    assert await hired() == [True, True, False, True, True]
    assert await works(pool, "file", DAY + timedelta(1))
    for id_ in (user, listed):
        await scim.patch(f"/Users/{id_}", {**start, "value": ""})
    await import_csv(pool, b"userName,start\nfile,\n", "hr.csv")
    assert await hired() == [True] * 5


async def test_time_zone_of_the_day_of_recording(scim: Scim, pool: Pool) -> None:
    """What is recorded is true from the day that it is then where the person works, else where the company is."""
    for zone, company in (("Pacific/Kiritimati", "UTC"), ("Etc/GMT+12", "UTC"), ("", "Pacific/Kiritimati")):
        await put_timezone(pool, company)
        user = PersonId(await scim.user(f"u{zone}", timezone=zone))
        (entry,) = await load_history(pool, user)
        assert entry.valid_from == entry.recorded_at.astimezone(ZoneInfo(zone or company)).date()
    user = PersonId(await scim.user("nowhere", timezone="Nowhere/Else"))
    (entry,) = await load_history(pool, user)
    assert entry.valid_from == entry.recorded_at.astimezone(ZoneInfo("Pacific/Kiritimati")).date()


async def test_time_zone_of_having_left(scim: Scim, pool: Pool) -> None:
    """An id is somebody else's only when the last day is over at the place of work."""
    for zone, left in (("Pacific/Kiritimati", True), ("Etc/GMT+12", False)):
        today = datetime.now(ZoneInfo("Etc/GMT+12")).date()  # the last place on earth where it is this day
        external = f"7{left}"
        await scim.user(f"old{left}", externalId=external, timezone=zone, **{MUSTER: {"end": f"{today}"}})
        answer = await scim.ask("POST", "/Users", {"userName": f"new{left}", "externalId": external})
        assert (answer.status == 409) is left, answer


# Several jobs


async def test_several_jobs(scim: Scim, pool: Pool) -> None:
    """Somebody works here while any job is held, and belongs to the departments of all that are held."""
    listed = [
        {"department": "Research", "title": "Fellow", "start": "2027-02-01", "end": "2027-03-31"},
        {"department": "Museum", "start": "2027-05-01"},
    ]
    extension = {"start": "2026-01-01", "end": "2027-02-28", "employments": listed}
    user = await scim.user("a", title="Clerk", **{ENTERPRISE: {"department": "Sales"}, MUSTER: extension})

    assert await departments(pool, "a", date(2027, 2, 28)) == ("Sales", "Research")
    assert await departments(pool, "a", DAY) == ("Research",)
    assert not await works(pool, "a", date(2027, 4, 30))
    assert await departments(pool, "a", date(2027, 5, 1)) == ("Museum",)
    ends = {date(2027, 3, 1), date(2027, 4, 1)}
    assert await days_of(pool) == {date(2026, 1, 1), date(2027, 2, 1), date(2027, 5, 1)} | ends
    assert (await scim.read(f"/Users/{user}"))[MUSTER]["employments"] == listed


async def test_several_jobs_have_managers_of_their_own(scim: Scim, pool: Pool) -> None:
    """A selector sees the managers of all jobs held on the day, each named by id, userName or externalId."""
    bosses = {name: await scim.user(name, externalId=f"x-{name}") for name in ("a", "b", "c")}
    listed = [{"title": "Fellow", "manager": "B", "start": "2027-03-01"}, {"title": "Guide", "manager": "x-c"}]
    extension = {"start": "2020-01-01", "end": "2027-02-28", "employments": listed}
    await scim.user("r", **{ENTERPRISE: {"manager": {"value": bosses["a"]}}, MUSTER: extension})
    person = await load_person(pool, "r")

    assert attributes_of(person, date(2027, 2, 28))["manager"] == (bosses["a"], bosses["c"])
    assert attributes_of(person, DAY)["manager"] == (bosses["b"], bosses["c"])
    census = Census([person], everywhere(DAY))
    assert census.by_value("manager").keys() == {bosses["b"], bosses["c"]}
    assert len(census.select(parse(f'manager eq "{bosses["b"]}"'))) == 1
    history = await load_history(pool, person.id)
    assert history[-1].person.employments[0].end == date(2027, 2, 28)


@pytest.mark.parametrize("path", ["employments", f"{MUSTER}:employments"])
async def test_several_jobs_need_days(scim: Scim, pool: Pool, path: str) -> None:
    """A job with a day that is none is refused, however it comes, and changes nothing."""
    user = await scim.user("a")
    wrong = [{"department": "Sales", "end": "2027-02-30"}]
    answers = [
        await scim.ask("POST", "/Users", {"userName": "b", MUSTER: {"employments": wrong}}),
        await scim.patch(f"/Users/{user}", {"op": "add", "path": path, "value": wrong}),
    ]

    assert [(answer.status, answer.body["scimType"]) for answer in answers] == [(400, "invalidValue")] * 2
    assert [person.employments for person in await load_people(pool)] == [()]


# Leave of absence


async def test_leave_of_absence(scim: Scim, pool: Pool) -> None:
    """The company's table says what HR's words mean: on leave one works here still, on garden leave no more."""
    await put_statuses(pool, STATUSES)
    user = await scim.user("a")
    seen = {}
    for word in ("Active", "ON LEAVE", "Garden leave", "Terminated", ""):
        body = {"userName": "a", MUSTER: {"employmentStatus": word}}
        assert (await scim.ask("PUT", f"/Users/{user}", body)).status == 200
        seen[word] = await works(pool, "a"), attributes_of(await load_person(pool, "a"), DAY).get("standing")

    assert seen == {
        "Active": (True, ("works",)),
        "ON LEAVE": (True, ("away",)),
        "Garden leave": (False, ("barred",)),
        "Terminated": (False, ("left",)),
        "": (True, None),
    }


async def test_leave_of_absence_by_a_word_nobody_explained(scim: Scim, pool: Pool) -> None:
    """Such a word changes nothing for that person, hires nobody, and is reported until the table has it."""
    await put_statuses(pool, STATUSES)
    for name, known in (("works", "Active"), ("barred", "Garden leave")):
        user = await scim.user(name, **{MUSTER: {"employmentStatus": known}})
        await scim.patch(
            f"/Users/{user}", {"op": "replace", "path": f"{MUSTER}:employmentStatus", "value": "Sabbatical"}
        )
    await scim.user("new", **{MUSTER: {"employmentStatus": "Sabbatical"}})
    await scim.user("silent")
    names = ("works", "barred", "new", "silent")

    assert [await works(pool, name) for name in names] == [True, False, False, True]
    assert [(each.user_name, each.word) for each in await load_unknown(pool)] == [
        ("barred", "Sabbatical"),
        ("new", "Sabbatical"),
        ("works", "Sabbatical"),
    ]

    version = await directory_version(pool)
    await put_statuses(pool, {**STATUSES, "Sabbatical": Standing.AWAY})
    assert [await works(pool, name) for name in names] == [True, True, True, True]
    assert not await load_unknown(pool)
    assert len((await changed_since(pool, version)).ids) == 3
    await put_statuses(pool, {})
    assert [await works(pool, name) for name in names] == [True, True, True, True]


async def test_leave_of_absence_that_bars(scim: Scim, pool: Pool) -> None:
    """On garden leave somebody has no account that is enabled, and is still nobody who has left."""
    await put_statuses(pool, STATUSES)
    both = {"emails": [{"value": "m@x.example"}]}
    user = PersonId(await scim.user("m.tamm", externalId="7", **both, **{MUSTER: {"employmentStatus": "Garden leave"}}))
    had = {user: CurrentAccount(user, UserId("@m.tamm:example.org"), "M", True)}
    await scim.user("m.kask", **both)
    people = [await load_person(pool, name) for name in ("m.tamm", "m.kask")]

    assert accounts(people[:1], had) == {"m.tamm": ("m.tamm", False)}
    assert (works_here(people[0], DAY), is_employed(people[0], DAY)) == (False, True)
    assert not suspected_rehires(people, everywhere(DAY))
    other = await scim.ask("POST", "/Users", {"userName": "k.saar", "externalId": "7"})
    assert other.status == 201, "the id of somebody who is here is shared, as ever"


# Rehire and change of id


async def test_rehire_under_the_same_record(scim: Scim, pool: Pool) -> None:
    """Who is made active again is the same person, with the localpart of before."""
    user = PersonId(await scim.user("m.tamm", externalId="7"))
    had = {user: CurrentAccount(user, UserId("@m.tamm:example.org"), "M", False)}
    for active in (False, True):
        await scim.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": active})
        assert accounts(await load_people(pool), had) == {"m.tamm": ("m.tamm", active)}


async def test_rehire_with_a_new_id(scim: Scim, pool: Pool) -> None:
    """It is suspected by e-mail, or name and employeeNumber, and changes nothing by itself."""
    numbered = {ENTERPRISE: {"employeeNumber": "77"}}
    await scim.user("m.tamm", externalId="7", active=False, emails=[{"value": "M.Tamm@x.example"}])
    await scim.user("k.saar", displayName="Kai Saar", active=False, **numbered)
    await scim.user("namesake", displayName="Kai Saar", active=False)
    await scim.user("m.tamm-kask", externalId="8", emails=[{"value": "m.tamm@x.example"}])
    await scim.user("kai", displayName="Kai Saar", **{**numbered, MUSTER: {"start": "2999-01-01"}})
    people = await load_people(pool)

    found = suspected_rehires(people, everywhere(DAY))
    assert [(each.old.user_name, each.new.user_name, each.because) for each in found] == [
        ("k.saar", "kai", "name and employeeNumber"),
        ("m.tamm", "m.tamm-kask", "e-mail"),
    ]
    assert suspected_rehires(people, everywhere(DAY), {(each.old.id, each.new.id) for each in found}) == []


async def test_rehire_under_the_same_id(scim: Scim, pool: Pool) -> None:
    """Who has left, or was deleted, and is sent again under the same externalId is the same person, however sent."""
    user = await scim.user("m.tamm", externalId="7", displayName="Mari Tamm", active=False)
    again = {"userName": "m.tamm", "externalId": "7", "displayName": "Mari Tamm"}
    assert (await scim.ask("POST", "/Users", again)).status == 409
    assert await scim.user("m.rebane", externalId="7", displayName="Mari Tamm") == user
    await scim.ask("DELETE", f"/Users/{user}")
    assert await scim.user("m.kask", externalId="7", displayName="Mari Tamm") == user
    assert (await scim.read(f"/Users/{user}"))["userName"] == "m.kask"
    await scim.ask("DELETE", f"/Users/{user}")

    report = await import_csv(pool, b"userName,externalId,displayName\nm.tamm,7,Mari Tamm\n", "hr.csv")
    assert (report.created, report.changed) == (0, 1)
    (person,) = await load_people(pool)
    assert (person.id, person.user_name, works_here(person, DAY)) == (user, "m.tamm", True)


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("way", ["scim", "file"])
@pytest.mark.parametrize("same", [False, True])
async def test_id_reuse(scim: Scim, pool: Pool, deleted: bool, way: str, same: bool) -> None:
    """Somebody else under a leaver's externalId is held and changes nothing, until somebody says who it is."""
    old = await scim.user("m.tamm", externalId="7", displayName="Mari Tamm", active=False, emails=[{"value": "m@x"}])
    if deleted:
        await scim.ask("DELETE", f"/Users/{old}")
    body = {"userName": "k.saar", "externalId": "7", "displayName": "Kai Saar", "emails": [{"value": "k@x"}]}

    async def send() -> object:
        if way == "scim":
            answer = await scim.ask("POST", "/Users", body)
            return answer.status, answer.body.get("scimType")
        text = "userName,externalId,displayName,email,active\nk.saar,7,Kai Saar,k@x,yes\n"
        report = await import_csv(pool, text.encode(), "hr.csv")
        return report.created, report.changed, len(report.warnings)

    before = await load_people(pool)
    assert await send() == await send() == ((409, "uniqueness") if way == "scim" else (0, 0, 1))
    assert await load_people(pool) == before
    (held,) = await load_suspicions(pool)
    assert (held.person, held.external_id, held.user_name) == (old, "7", "k.saar")

    await decide_reuse(pool, "K.Saar", same=same)
    await send()
    people = {person.user_name: person for person in await load_people(pool)}
    if same:
        assert [(name, person.id) for name, person in people.items()] == [("k.saar", old)]
    else:
        assert {people["m.tamm"].id, people["k.saar"].id} > {old}
        assert people["m.tamm"].external_id is None
    assert not await load_suspicions(pool)
    with pytest.raises(UnknownNameError):
        await decide_reuse(pool, "k.saar", same=same)


@pytest.mark.parametrize("way", ["PUT", "PATCH", "Bulk"])
@pytest.mark.parametrize("same", [False, True])
async def test_id_reuse_by_a_change_of_the_record(scim: Scim, pool: Pool, way: str, same: bool) -> None:
    """Turning a leaver's own record into somebody else is held; who is somebody else becomes a new person."""
    old = await scim.user("m.tamm", externalId="7", displayName="Mari Tamm", active=False)
    body = {"userName": "k.saar", "externalId": "7", "displayName": "Kai Saar", "active": True}

    async def send() -> int:
        if way == "PUT":
            return (await scim.ask("PUT", f"/Users/{old}", body)).status
        if way == "PATCH":
            return (await scim.patch(f"/Users/{old}", {"op": "replace", "value": body})).status
        operations = [{"method": "PUT", "path": f"/Users/{old}", "data": body}]
        answer = await scim.ask("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
        return int(answer.body["Operations"][0]["status"])

    assert [await send(), await send()] == [409, 409]
    assert [person.user_name for person in await load_people(pool)] == ["m.tamm"]
    (held,) = await load_suspicions(pool)
    assert (held.person, held.user_name, held.is_change) == (old, "k.saar", True)

    await decide_reuse(pool, "k.saar", same=same)
    assert await send() == (200 if same else 404)
    if not same:
        assert (await scim.ask("POST", "/Users", body)).status == 201
    people = {person.user_name: person for person in await load_people(pool)}
    assert people["k.saar"].active
    assert (people["k.saar"].id == old) is same
    assert ("m.tamm" in people) is not same


async def test_id_reuse_in_a_webhook(scim: Scim, pool: Pool) -> None:
    """Somebody else under a leaver's id is held there too until it is decided; a returner is let in."""
    inbox = HookInbox(pool)

    async def tell(**said: str) -> object:
        await store_events(pool, "hr", f"{len(said)} {datetime.now(UTC)}", [HookEvent("7", datetime.now(UTC), said)])
        await inbox.handle_next()
        return await pool.fetchval("SELECT outcome FROM hook_event ORDER BY seq DESC LIMIT 1")

    old = await scim.user("m.tamm", externalId="7", displayName="Mari Tamm", active=False)
    other = {"userName": "k.saar", "displayName": "Kai Saar", "active": "true"}
    assert await tell(**other) == "held"
    assert [held.user_name for held in await load_suspicions(pool)] == ["k.saar"]
    await scim.ask("DELETE", f"/Users/{old}")
    assert await tell(userName="m.kask", displayName="Mari Tamm", active="true") == "applied"
    (person,) = await load_people(pool)
    assert (person.id, person.user_name, person.active) == (old, "m.kask", True)


# Names


async def test_rename(scim: Scim, pool: Pool) -> None:
    """The user ID never changes; the display name does."""
    user = PersonId(await scim.user("m.tamm", displayName="Mari Tamm"))
    had = {user: CurrentAccount(user, UserId("@m.tamm:example.org"), "Mari Tamm", True)}
    await scim.ask("PUT", f"/Users/{user}", {"userName": "m.saar", "displayName": "Mari Saar"})
    people = await load_people(pool)

    assert accounts(people, had) == {"m.saar": ("m.tamm", True)}
    found = DesiredAccounts(Accounts(), Census(people, everywhere(DAY)), had, "example.org", ())
    assert found[user].display_name == "Mari Saar"


async def test_duplicate_e_mail_or_localpart(scim: Scim, pool: Pool) -> None:
    """Addresses and names that come to the same localpart get a number, always the same one; nobody is refused."""
    for name in ("m.tamm@a.example", "m.tamm@b.example", "M.Tämm"):
        await scim.user(name, emails=[{"value": "office@a.example"}])
    people = await load_people(pool)

    assert sorted(part for part, _ in accounts(people).values()) == ["m.tamm", "m.tamm2", "m.tamm3"]
    assert accounts(people) == accounts(people[::-1])


# Managers


async def test_manager_cycles(scim: Scim, pool: Pool) -> None:
    """Two who manage each other, and one who manages himself, are stored, read and decided about as anybody."""
    a, b = await scim.user("a"), await scim.user("b")
    for user, name, boss in ((a, "a", b), (b, "b", a)):
        body = {"userName": name, ENTERPRISE: {"manager": {"value": boss}}}
        assert (await scim.ask("PUT", f"/Users/{user}", body)).status == 200
    c = await scim.user("c")
    await scim.ask("PUT", f"/Users/{c}", {"userName": "c", ENTERPRISE: {"manager": {"value": c}}})

    people = await load_people(pool)
    assert {person.user_name: person.employments[0].manager for person in people} == {"a": b, "b": a, "c": c}
    circles = [{person.user_name for person in circle} for circle in manager_cycles(people)]
    assert sorted(circles, key=len) == [{"c"}, {"a", "b"}]


@pytest.mark.parametrize("sent", ["x-boss", "BOSS", "boss"])
@pytest.mark.parametrize("way", ["scim", "listed", "file", "hook"])
async def test_manager_who_is_unknown(scim: Scim, pool: Pool, sent: str, way: str) -> None:
    """A manager who has not come yet is kept as sent, and is the manager from the day on which somebody is that."""
    await _report(scim, pool, way, sent)
    version = await directory_version(pool)
    assert await managers(pool, "r") == ()
    boss = await scim.user("boss", externalId="x-boss", displayName="Boss")

    assert await managers(pool, "r") == (boss,)
    report = await load_person(pool, "r")
    assert report.id in (await changed_since(pool, version)).ids
    assert attributes_of(report, DAY)["manager.displayname"] == ("Boss",)

    await scim.ask("PUT", f"/Users/{boss}", {"userName": "chief", "externalId": "y", "displayName": "Chief"})
    await scim.user("boss", externalId="x-boss")
    await scim.patch(f"/Users/{report.id}", {"op": "replace", "path": "title", "value": "Clerk"})
    assert await managers(pool, "r") == (boss,), "a name that went to another is still the same manager"
    version = await directory_version(pool)
    await scim.ask("DELETE", f"/Users/{boss}")
    assert await managers(pool, "r") == ()
    assert report.id in (await changed_since(pool, version)).ids
    assert await scim.user("chief", externalId="y") == boss
    assert await managers(pool, "r") == (boss,)


async def test_manager_who_is_unknown_by_id(scim: Scim, pool: Pool) -> None:
    """An id of somebody who was deleted waits for that person; a manager taken away is nobody's."""
    boss = await scim.user("boss", externalId="7")
    await scim.ask("DELETE", f"/Users/{boss}")
    user = await scim.user("r", **{ENTERPRISE: {"manager": {"value": boss}}})
    assert await managers(pool, "r") == ()
    assert await scim.user("boss", externalId="7") == boss
    assert await managers(pool, "r") == (boss,)
    await scim.ask("PUT", f"/Users/{user}", {"userName": "r"})
    assert await managers(pool, "r") == ()
    assert await pool.fetchval("SELECT count(*) FROM manager_reference") == 0


async def managers(pool: Pool, name: str) -> tuple[Any, ...]:
    return attributes_of(await load_person(pool, name), DAY).get("manager", ())


async def _report(scim: Scim, pool: Pool, way: str, manager: str) -> None:
    """Send a person called r with a manager, by one of the ways."""
    if way == "scim":
        await scim.user("r", **{ENTERPRISE: {"manager": {"value": manager}}})
    elif way == "listed":
        await scim.user("r", **{MUSTER: {"employments": [{"start": "2020-01-01", "manager": manager}]}})
    elif way == "file":
        await import_csv(pool, f"userName,manager\nr,{manager}\n".encode(), "hr.csv")
    else:
        said = {"userName": "r", "manager": manager}
        await store_events(pool, "hr", "1", [HookEvent("9", datetime.now(UTC), said)])
        await HookInbox(pool).handle_next()
