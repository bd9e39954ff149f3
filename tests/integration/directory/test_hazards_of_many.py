"""What goes wrong with many people at once elsewhere, and does not here: each test is named after its hazard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge.directory.csv_file import CsvFile
from bridge.directory.door_store import load_absences, load_lists
from bridge.directory.feed import Feed, Proof
from bridge.directory.file_mapping import FileMapping
from bridge.directory.intake import ImportReport, bring_in, import_csv
from bridge.directory.store import directory_version, load_history, load_people, load_person
from bridge.errors import ImportFileError, RefusedError
from bridge.ids import PersonId
from bridge.membership.audit_store import read_held
from bridge.membership.held import approve
from tests.integration.membership.conftest import RULES, Company, user

if TYPE_CHECKING:
    from bridge.database import Pool
    from tests.integration.directory.conftest import Scim

START = datetime(2027, 3, 1, 6, tzinfo=UTC)
PAYROLL = FileMapping(complete=True, trailer="END {rows}", name="payroll")
AT_ONCE = replace(PAYROLL, grace=timedelta(0))
STAFF = ["boss", *(f"p{number:02}" for number in range(39))]
"""Forty, of whom four may be missing by a tenth, and five in any case."""


@pytest.fixture
def company(pool: Pool) -> Company:
    """A company with rules, where five may lose something a day, whose people come by whichever way the test takes."""
    found = Company(pool)
    found.rule(
        {**RULES, "rooms": {**RULES["rooms"], "drivers": {"members": 'groups eq "Drivers"'}}}, removals=5, floor=5
    )
    return found


async def bring(
    pool: Pool, names: Iterable[str], *, hours: float = 0, mapping: FileMapping = PAYROLL, **options: Any
) -> ImportReport:
    """Import these people as the file says them, so many hours after the start; the boss is the one who approves."""
    rows = [f"{name},{'Chief' if name == 'boss' else 'Clerk'}\n" for name in names]
    trailer = mapping.trailer.replace("{rows}", str(len(rows)))
    data = "".join(["userName,title\n", *rows, trailer and f"{trailer}\n"]).encode()
    moment = START + timedelta(hours=hours)
    return await import_csv(pool, data, "hr.csv", mapping=mapping, clock=lambda: moment, **options)


async def here(pool: Pool) -> set[str]:
    return {person.user_name for person in await load_people(pool) if person.active}


async def missing(pool: Pool) -> list[tuple[str, str]]:
    return [(each.feed, each.user_name) for each in await load_absences(pool)]


def locked(company: Company) -> set[str]:
    return {user_id[1:].partition(":")[0] for user_id, found in company.homeserver.users.items() if found.locked}


# Mass leave


async def test_mass_leave_in_many_small_requests(scim: Scim, company: Company) -> None:
    """However slowly a provider switches everybody off, within the window no more than the limit lose anything."""
    ids = {name: await scim.user(name, active=True, title="Clerk") for name in STAFF}
    await company.settle()
    await company.upkeep.catch_up()
    for number, name in enumerate(STAFF[1:9]):
        assert (
            await scim.patch(f"/Users/{ids[name]}", {"op": "Replace", "path": "active", "value": "False"})
        ).status == 200
        await scim.user(f"new{number}", active=True)
        await company.upkeep.catch_up()

    assert locked(company) == set(STAFF[1:6])
    assert set(STAFF) - locked(company) <= company.homeserver.people("lounge")
    assert {f"new{number}" for number in range(8)} <= company.homeserver.people("lounge")
    (held,) = await read_held(company.pool)
    assert {change.user_id for change in held.changes} == {user(name) for name in STAFF[6:9]}
    said = company.homeserver.rooms[company.homeserver.room("administrators")].said
    assert "would lose something, 5 of them already within the window; the limit is 5." in said[-1].content["body"]


async def test_mass_leave_by_deletion(scim: Scim, company: Company) -> None:
    """A provider that deletes everybody has said as much as one that disables them."""
    ids = [await scim.user(name, active=True) for name in STAFF]
    await company.settle()
    for id_ in ids:
        assert (await scim.ask("DELETE", f"/Users/{id_}")).status == 204
    await company.upkeep.catch_up()

    assert locked(company) == set()
    assert company.homeserver.people("lounge") == set(STAFF)
    assert len(await read_held(company.pool)) == 1


async def test_mass_leave_of_groups(scim: Scim, company: Company) -> None:
    """Being taken out of a group counts as being disabled does: one by one, or all at once."""
    ids = [await scim.user(name, active=True) for name in STAFF]
    group = await scim.group("Drivers", *ids)
    await company.settle()
    await company.upkeep.catch_up()
    for id_ in ids[:8]:
        await scim.patch(f"/Groups/{group}", {"op": "Remove", "path": "members", "value": [{"value": id_}]})
        await company.upkeep.catch_up()
    assert company.homeserver.people("drivers") == set(STAFF[5:])
    newcomer = await scim.user("newcomer", active=True)
    await scim.patch(f"/Groups/{group}", {"op": "Replace", "path": "members", "value": [{"value": newcomer}]})
    await company.upkeep.catch_up()

    assert company.homeserver.people("drivers") == {*STAFF[5:], "newcomer"}
    (held,) = await read_held(company.pool)
    assert {change.room for change in held.changes} == {"drivers"}


# Absence


async def test_absence_in_an_answer_of_0_entries(pool: Pool) -> None:
    """Lost read rights and a wrong base look like success: such a picture is refused whole, with the reason."""
    await bring(pool, STAFF)
    version = await directory_version(pool)
    empty = CsvFile("ad", ("userName",), ())

    with pytest.raises(ImportFileError, match="came 0 entries; nobody is removed by absence"):
        await bring_in(pool, empty, Feed("ldap:ad", complete=True), proof=Proof.PAGES, source="ldap:ad")
    with pytest.raises(ImportFileError, match="came none; nobody is removed by absence"):
        await bring(pool, [])
    assert (await directory_version(pool), await here(pool)) == (version, set(STAFF))


async def test_absence_in_a_half_sent_file(pool: Pool) -> None:
    """A trailer, a count or a digest that is not right refuses the file whole: its additions, too."""
    await bring(pool, STAFF, mapping=AT_ONCE)
    version = await directory_version(pool)
    plain = replace(AT_ONCE, trailer="")

    with pytest.raises(ImportFileError, match="the last line"):
        await import_csv(pool, b"userName\nnew\nboss\n", "hr.csv", mapping=AT_ONCE)
    with pytest.raises(ImportFileError, match="expected 40 people, came 2"):
        await bring(pool, ["new", "boss"], mapping=plain, rows=40)
    with pytest.raises(ImportFileError, match="expected the SHA-256"):
        await bring(pool, ["new", "boss"], mapping=plain, sha256="0" * 64)
    assert await directory_version(pool) == version


async def test_absence_from_a_file_that_nothing_proves_whole(pool: Pool) -> None:
    """It adds and changes, takes nobody away however long, and says so."""
    plain = replace(AT_ONCE, trailer="")
    await bring(pool, STAFF, mapping=plain)
    for hours in (0, 100):
        report = await bring(pool, ["boss", "new"], mapping=plain, hours=hours)
        assert (report.removed, report.missing, report.waiting) == (0, 0, 0)
        assert report.warnings == (
            "Nothing proves that this is everybody of file:payroll, so whoever is missing stays.",
        )
    assert await here(pool) == {*STAFF, "new"}
    assert await missing(pool) == []


async def test_absence_acts_after_a_grace(pool: Pool) -> None:
    """The first whole picture without somebody notes it; one that comes early changes nothing; a late one acts."""
    await bring(pool, STAFF)
    first = await bring(pool, STAFF[:-2], hours=24)
    assert (first.removed, first.missing) == (0, 2)
    assert (await bring(pool, STAFF[:-2], hours=35)).removed == 0
    assert await missing(pool) == [("file:payroll", "p37"), ("file:payroll", "p38")]
    acted = await bring(pool, STAFF[:-2], hours=36)

    assert (acted.removed, acted.missing, acted.unchanged) == (2, 0, 38)
    assert await here(pool) == set(STAFF[:-2])
    assert await missing(pool) == []
    history = await load_history(pool, (await load_person(pool, "p38")).id)
    assert [(each.source, each.action) for each in history] == [("csv:hr.csv", "created"), ("file:payroll", "changed")]


async def test_absence_of_who_is_back_in_time(pool: Pool) -> None:
    """Whoever is in a later file, a partial one, too, is forgotten; missing once more they begin anew."""
    await bring(pool, STAFF)
    await bring(pool, STAFF[:-2], hours=24)
    await bring(pool, STAFF[:-1], hours=35)
    await bring(pool, STAFF[-1:], hours=36, mapping=replace(PAYROLL, complete=False))
    assert await missing(pool) == []
    again = await bring(pool, STAFF[:-2], hours=48)

    assert (again.removed, again.missing) == (0, 2)
    assert await here(pool) == set(STAFF)


async def test_absence_in_a_dry_run(pool: Pool) -> None:
    """It says who would leave, and notes nothing."""
    await bring(pool, STAFF, mapping=AT_ONCE)
    dry = await bring(pool, STAFF[:-2], mapping=AT_ONCE, dry_run=True)
    assert (dry.removed, await missing(pool), await here(pool)) == (2, [], set(STAFF))
    dry = await bring(pool, STAFF[:20], mapping=AT_ONCE, dry_run=True)
    assert (dry.removed, dry.waiting, await load_lists(pool)) == (0, 20, [])


async def test_absence_of_those_whom_another_source_brings(pool: Pool, scim: Scim) -> None:
    """Of two complete files, SCIM and a webhook each keeps whom it brings, and nobody else."""
    await scim.user("pushed")
    other = replace(AT_ONCE, name="subsidiary")
    await bring(pool, [*STAFF, "pushed", "hooked", "lent"], mapping=AT_ONCE)
    await bring(pool, ["lent", "own"], mapping=other)
    hooked = (await load_person(pool, "hooked")).id
    await pool.execute("INSERT INTO hook_person VALUES ('bamboo', '7', $1, '{}')", hooked)
    report = await bring(pool, STAFF[:-1], mapping=AT_ONCE)

    assert report.removed == 1
    assert "3 people are missing from file:payroll; another source brings them, so they stay." in report.warnings
    assert await here(pool) == {*STAFF[:-1], "pushed", "hooked", "lent", "own"}
    assert {each.user_name: each.kept_by for each in await load_absences(pool)} == {
        "hooked": "hook:bamboo",
        "lent": "file:subsidiary",
        "pushed": "scim:hr",
    }
    assert (await bring(pool, ["own"], mapping=other)).removed == 1
    assert "lent" not in await here(pool)


async def test_absence_of_those_whom_a_partial_file_named_once(pool: Pool) -> None:
    """A source that never shows everybody does not say whom it has dropped, so it keeps nobody."""
    await bring(pool, STAFF, mapping=FileMapping())
    await bring(pool, STAFF, mapping=AT_ONCE)
    assert (await bring(pool, STAFF[:-1], mapping=AT_ONCE)).removed == 1


async def test_absence_of_those_whom_the_source_never_named(pool: Pool) -> None:
    """A complete file of one source says nothing about people of another, nor about those who left before."""
    await bring(pool, [f"other{number}" for number in range(30)], mapping=FileMapping())
    await bring(pool, STAFF, mapping=AT_ONCE)
    await import_csv(
        pool, b"userName,active,end\np37,false,\np38,,2020-01-01\n".replace(b",,2", b",true,2"), "leavers.csv"
    )
    report = await bring(pool, STAFF[:-3], mapping=AT_ONCE)

    assert report.removed == 1
    assert len(await here(pool)) == 30 + 37 + 1  # the last day of p38 is what ended, not the flag


async def test_absence_of_too_many_waits_and_the_rest_goes_on(pool: Pool) -> None:
    """A shrunk file brings its newcomers and changes; all who are missing stay, as one list of exactly them."""
    await bring(pool, STAFF, mapping=AT_ONCE)
    report = await bring(pool, [*STAFF[:34], "new"], mapping=AT_ONCE)

    assert (report.created, report.removed, report.waiting) == (1, 0, 6)
    assert await here(pool) == {*STAFF, "new"}
    (waiting,) = await load_lists(pool)
    assert waiting.digest == report.waiting_digest
    assert waiting.reason == "6 of 40 people of file:payroll are missing from it; the limit is 5."
    assert {(await load_person(pool, each)).user_name for each in waiting.people} == set(STAFF[34:])
    assert report.warnings[-1].endswith(f"muster approve {waiting.digest[:12]} --by PERSON")


async def test_absence_in_small_batches_adds_up(pool: Pool) -> None:
    """Three and three within a day are six; a day later the first three do not count any more."""
    await bring(pool, STAFF, mapping=AT_ONCE)
    assert (await bring(pool, STAFF[:37], mapping=AT_ONCE, hours=1)).removed == 3
    second = await bring(pool, STAFF[:34], mapping=AT_ONCE, hours=24.5)
    assert (second.removed, second.waiting) == (0, 3)
    (waiting,) = await load_lists(pool)
    assert "6 of 40 people of file:payroll are missing from it, 3 of them gone within a day" in waiting.reason

    assert (await bring(pool, STAFF[:34], mapping=AT_ONCE, hours=25.5)).removed == 3
    assert await load_lists(pool) == []


async def test_absence_list_follows_the_newest_picture(pool: Pool) -> None:
    """The same list stays as it was held; another replaces it; with nobody missing it is withdrawn."""
    await bring(pool, STAFF, mapping=AT_ONCE)
    await bring(pool, STAFF[:30], mapping=AT_ONCE)
    (first,) = await load_lists(pool)
    await pool.execute("UPDATE absence_list SET told_at = now()")
    await bring(pool, STAFF[:30], mapping=AT_ONCE, hours=5)
    assert await load_lists(pool) == [replace(first, told=True)]
    await bring(pool, STAFF[:29], mapping=AT_ONCE, hours=6)
    (second,) = await load_lists(pool)
    assert (second.digest != first.digest, second.told, len(second.people)) == (True, False, 11)
    await bring(pool, STAFF, mapping=AT_ONCE, hours=7)
    assert await load_lists(pool) == []


# Absence, and a second person


async def shrink(company: Company) -> str:
    """Make twelve of the staff wait at the door, and return the digest of their list."""
    await bring(company.pool, STAFF, mapping=AT_ONCE)
    await company.settle()
    await company.upkeep.catch_up()
    await bring(company.pool, STAFF[:28], mapping=AT_ONCE)
    await company.upkeep.catch_up()
    (waiting,) = await load_lists(company.pool)
    return waiting.digest


def notices(company: Company) -> list[str]:
    said = company.homeserver.rooms[company.homeserver.room("administrators")].said
    return [event.content["body"] for event in said]


async def test_absence_list_is_told_once(company: Company) -> None:
    """In the administrators' room: why, who, and how to approve; also after a restart and after a crash."""
    digest = await shrink(company)
    await company.restarted().catch_up()
    await company.pool.execute("UPDATE absence_list SET told_at = NULL")
    await company.restarted().catch_up()

    (text,) = notices(company)
    assert "12 of 40 people of file:payroll are missing from it; the limit is 5." in text
    assert all(f"({name})" in text for name in STAFF[28:])
    assert f"muster approve {digest[:12]} --by" in text
    assert locked(company) == set()


async def test_absence_approval_lets_exactly_that_list_go(company: Company) -> None:
    """They become inactive at once under the approver's name, and the brake asks nobody a second time."""
    digest = await shrink(company)
    await approve(company.pool, company.policy, digest[:12], "boss", company.clock)
    assert await here(company.pool) == set(STAFF[:28])
    (result,) = await company.upkeep.catch_up()

    assert (result.held.changes, len(result.reasons)) == ((), 0)
    assert locked(company) == set(STAFF[28:])
    assert company.homeserver.people("lounge") == set(STAFF[:28])
    assert await read_held(company.pool) == []
    assert await load_lists(company.pool) == []
    boss = (await load_person(company.pool, "boss")).id
    history = await load_history(company.pool, (await load_person(company.pool, "p38")).id)
    assert history[-1].source == f"file:payroll; approved by {boss}"
    approvals = await company.pool.fetch("SELECT DISTINCT approval FROM entry WHERE action = 'disable account'")
    assert [row["approval"] for row in approvals] == [digest]


async def test_absence_that_was_approved_does_not_use_up_the_allowance(company: Company) -> None:
    """Whom a second person let go neither counts towards the brake's window nor goes with what it holds."""
    digest = await shrink(company)
    await approve(company.pool, company.policy, digest, "boss", company.clock)
    said = b"userName,active\n" + b"".join(b"%s,false\n" % name.encode() for name in STAFF[1:7])
    await import_csv(company.pool, said, "leavers.csv")
    await company.upkeep.catch_up()

    assert locked(company) == set(STAFF[28:])
    (held,) = await read_held(company.pool)
    assert {change.user_id for change in held.changes} == {user(name) for name in STAFF[1:7]}
    await import_csv(company.pool, said.replace(b"p05,false", b"p05,true"), "leavers.csv")
    await company.upkeep.catch_up()
    assert locked(company) == {*STAFF[28:], *STAFF[1:6]}


async def test_absence_approval_is_used_up_when_somebody_returns(company: Company) -> None:
    """Who is active again and said to leave once more is judged as anybody is."""
    digest = await shrink(company)
    await approve(company.pool, company.policy, digest, "boss", company.clock)
    await company.upkeep.catch_up()
    await bring(company.pool, STAFF, mapping=AT_ONCE)
    back = b"userName,active\n" + b"".join(b"%s,true\n" % name.encode() for name in STAFF[28:])
    await import_csv(company.pool, back, "back.csv")
    await company.upkeep.catch_up()
    assert locked(company) == set()
    await import_csv(company.pool, back.replace(b"true", b"false"), "leavers.csv")
    await company.upkeep.catch_up()

    assert locked(company) == set()
    assert len(await read_held(company.pool)) == 1


async def test_absence_approval_of_a_list_that_has_changed_is_refused(company: Company) -> None:
    """Whether a picture made another list, or a partial file or another source has named somebody on it since."""
    digest = await shrink(company)
    await bring(company.pool, STAFF[-1:], mapping=replace(AT_ONCE, complete=False))
    with pytest.raises(RefusedError, match="has changed"):
        await approve(company.pool, company.policy, digest, "boss", company.clock)
    await bring(company.pool, STAFF[:28], mapping=AT_ONCE)
    hooked: PersonId = (await load_person(company.pool, "p30")).id
    await company.pool.execute("INSERT INTO hook_person VALUES ('bamboo', '7', $1, '{}')", hooked)
    with pytest.raises(RefusedError, match="has changed"):
        await approve(company.pool, company.policy, digest, "boss", company.clock)

    assert await here(company.pool) == set(STAFF)
    await company.upkeep.catch_up()
    assert locked(company) == set()


@pytest.mark.parametrize(("by", "refusal"), [("p01", "may not approve"), ("p38", "may not approve")])
async def test_absence_is_approved_by_an_approver_only(company: Company, by: str, refusal: str) -> None:
    """One rule of who may say yes, for plans and lists alike."""
    digest = await shrink(company)
    with pytest.raises(RefusedError, match=refusal):
        await approve(company.pool, company.policy, digest, by, company.clock)
    assert await here(company.pool) == set(STAFF)


async def test_absence_is_approved_by_nobody_who_is_on_the_list(company: Company) -> None:
    """An approver who is missing from the file has to ask another."""
    await bring(company.pool, STAFF, mapping=AT_ONCE)
    await bring(company.pool, STAFF[12:], mapping=AT_ONCE)
    (waiting,) = await load_lists(company.pool)
    with pytest.raises(RefusedError, match="ask another"):
        await approve(company.pool, company.policy, waiting.digest, "boss", company.clock)
