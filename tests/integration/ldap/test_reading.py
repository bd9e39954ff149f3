"""Reading an OpenLDAP server: to the end or not at all, and only what is asked for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bridge.directory.ldap import LdapReader
from bridge.directory.ldap_mapping import GroupSearch, LdapSource
from bridge.directory.person import attributes_of
from bridge.directory.store import load_people
from bridge.errors import ImportFileError, LdapError, RefusedError
from tests.integration.ldap.server import PASSWORD, PEOPLE, READER, SUFFIX, Slapd, ldif, person

if TYPE_CHECKING:
    from bridge.database import Pool

DAY = timedelta(days=1)
MONDAY = datetime(2027, 3, 1, 8, tzinfo=UTC)


class Hours:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> datetime:
        return self.now


def source(slapd: Slapd) -> LdapSource:
    return LdapSource("main", slapd.url, PEOPLE, bind_dn=READER, password=PASSWORD, page=10)


def reader(pool: Pool, ldap: LdapSource, clock: Hours | None = None) -> LdapReader:
    return LdapReader(pool, ldap, timezone="Europe/Tallinn", clock=clock or Hours())


def crowd(count: int) -> list[str]:
    return [person(f"p{number:05}", mail=f"p{number:05}@example.org") for number in range(count)]


async def active(pool: Pool) -> set[str]:
    return {each.user_name for each in await load_people(pool) if each.active}


async def attributes(pool: Pool, name: str) -> dict[str, str]:
    """Return the first value of everything a selector may ask about somebody."""
    (found,) = [each for each in await load_people(pool) if each.user_name == name]
    return {key: str(values[0]) for key, values in attributes_of(found, MONDAY.date()).items()}


async def refused(pool: Pool, ldap: LdapSource, *, error: type[Exception] = LdapError) -> str:
    """Return why a reading fails, which changes nothing."""
    before = await load_people(pool)
    with pytest.raises(error) as caught:
        await reader(pool, ldap).read(full=True)
    assert await load_people(pool) == before
    return str(caught.value)


@asynccontextmanager
async def cut(slapd: Slapd, octets: int) -> AsyncIterator[str]:
    """Yield the address of a way to the server on which it is killed after so many bytes of its answers."""

    async def serve(near: asyncio.StreamReader, away: asyncio.StreamWriter) -> None:
        far, towards = await asyncio.open_connection("127.0.0.1", slapd.port)

        async def forward() -> None:
            while data := await near.read(65536):
                towards.write(data)
            towards.close()

        asking = asyncio.create_task(forward())
        left = octets
        while data := await far.read(min(left, 65536) or 1):
            if left <= 0:
                break
            away.write(data)
            left -= len(data)
        await slapd.stop(signal.SIGKILL)
        away.close()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        towards.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"ldap://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_everybody_comes_page_by_page(pool: Pool, slapd: Slapd) -> None:
    """Also when the server gives fewer entries at a time than there are, as Active Directory does."""
    slapd.load(crowd(57))
    slapd.limits = f'limits dn.exact="{READER}" size.soft=20 size.hard=20 size.pr=20 size.prtotal=unlimited'
    await slapd.start()
    report = await reader(pool, source(slapd)).read()
    assert (report.created, report.warnings[1:]) == (57, ())
    assert len(await active(pool)) == 57
    again = await reader(pool, source(slapd)).read(full=True)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 57)


async def test_list_that_the_server_ends_early_changes_nothing(pool: Pool, slapd: Slapd) -> None:
    """sizeLimitExceeded is a part of the answer, and no answer."""
    slapd.load(crowd(57))
    slapd.limits = f'limits dn.exact="{READER}" size.prtotal=30'
    await slapd.start()
    assert "sizeLimitExceeded" in await refused(pool, source(slapd))
    assert await active(pool) == set()


@pytest.mark.parametrize("octets", [1, 3000, 9000])
async def test_half_read_changes_nothing(pool: Pool, slapd: Slapd, octets: int) -> None:
    """A server that is killed in the middle has said nothing."""
    slapd.load(crowd(57))
    await slapd.start()
    async with cut(slapd, octets) as url:
        assert "cannot be reached, broke off" in await refused(pool, replace(source(slapd), url=url))
    assert await active(pool) == set()


async def test_entries_are_mapped(pool: Pool, slapd: Slapd) -> None:
    """Multi-valued ones by the entry's own name, managers and groups by whom they name; the id is the server's."""
    slapd.load(
        [
            person("boss", displayName="Õnne Boss", title="Chief"),
            person(
                "m.tamm",
                uid=["alias", "m.tamm"],
                givenName="Mari",
                mail=["mari@example.org", "m@example.org"],
                departmentNumber="Sales",
                employeeNumber="0042",
                manager=f"UID=boss , OU=People,{SUFFIX}",
                employeeType="Contractor",
            ),
            ldif(
                f"cn=Drivers\\, night,ou=Groups,{SUFFIX}",
                {"objectClass": "groupOfNames", "cn": "Drivers, night", "member": f"uid=m.tamm,{PEOPLE}"},
            ),
        ]
    )
    await slapd.start()
    ldap = replace(source(slapd), groups=GroupSearch(f"ou=Groups,{SUFFIX}"))
    await reader(pool, ldap).read()
    found = await attributes(pool, "m.tamm")
    boss = await attributes(pool, "boss")
    assert (
        found.items()
        >= {
            "name.givenname": "Mari",
            "emails": "mari@example.org",
            "department": "Sales",
            "employeenumber": "0042",
            "usertype": "Contractor",
            "groups": "Drivers, night",
        }.items()
    ), found
    assert boss["displayname"] == "Õnne Boss"
    assert len(found["externalid"]) == 36
    assert found["manager"] == boss["id"]


async def test_manager_outside_the_base_is_found(pool: Pool, slapd: Slapd) -> None:
    """Names of managers are looked up one by one; who is no person here is left empty, with a note."""
    slapd.load(
        [
            person("worker", manager=f"cn=gone,{SUFFIX}"),
            person("other", manager=f"uid=worker,{PEOPLE}"),
        ]
    )
    await slapd.start()
    alone, other = (replace(source(slapd), filter=filter_) for filter_ in ("(uid=worker)", "(uid=other)"))
    assert (await reader(pool, alone).read()).warnings[-1].endswith("left empty")
    await reader(pool, other).read()
    assert (await attributes(pool, "other"))["manager"] == (await attributes(pool, "worker"))["id"]


async def test_only_mapped_attributes_are_asked_for(pool: Pool, slapd: Slapd) -> None:
    """What is not mapped never leaves the server."""
    slapd.load([person("a", homePhone="+372 555", mail="a@example.org")])
    slapd.access = f"access to attrs=homePhone by * none stop\n{slapd.access}"
    await slapd.start()
    seen = bytearray()

    async def serve(near: asyncio.StreamReader, away: asyncio.StreamWriter) -> None:
        far, towards = await asyncio.open_connection("127.0.0.1", slapd.port)

        async def forward() -> None:
            while data := await near.read(65536):
                seen.extend(data)
                towards.write(data)
            towards.close()

        asking = asyncio.create_task(forward())
        while data := await far.read(65536):
            away.write(data)
        away.close()
        await asking

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ldap = replace(source(slapd), attributes={"uid": ("userName",)})
    async with server:
        await reader(pool, replace(ldap, url=f"ldap://127.0.0.1:{server.sockets[0].getsockname()[1]}")).read()
    assert b"modifyTimestamp" in seen
    assert not [name for name in (b"homePhone", b"mail", b"cn0", b"*") if name in seen.replace(b"objectClass", b"")]


async def test_wrong_password_is_said(pool: Pool, slapd: Slapd) -> None:
    """And not repeated."""
    await slapd.start()
    said = await refused(pool, replace(source(slapd), password="wrong one"))
    assert "does not accept the password" in said
    assert "wrong one" not in said


async def test_server_that_is_not_there_is_said(pool: Pool, slapd: Slapd) -> None:
    """With its address."""
    assert f"{slapd.url} cannot be reached" in await refused(pool, source(slapd))


async def test_server_that_hangs_is_given_up(pool: Pool, slapd: Slapd) -> None:
    """It accepts connections and never answers; the service goes on meanwhile."""
    await slapd.start()
    slapd.freeze()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    turning = asyncio.create_task(turn())
    said = await refused(pool, replace(source(slapd), timeout=timedelta(seconds=1)))
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)
    assert "has not said everything within 1 s" in said
    assert turns > 10
    await slapd.stop(signal.SIGKILL)


async def test_wrong_base_is_said(pool: Pool, slapd: Slapd) -> None:
    """It may as well be hidden."""
    await slapd.start()
    assert "knows no `base` ou=Nobody" in await refused(pool, replace(source(slapd), base=f"ou=Nobody,{SUFFIX}"))


@pytest.mark.parametrize(
    "access",
    [
        pytest.param(f'access to dn.subtree="{PEOPLE}" by dn.exact="{READER}" search\n', id="search"),
        pytest.param(f'access to dn.subtree="{PEOPLE}" by dn.exact="{READER}" none\n', id="none"),
        pytest.param(f'access to dn.children="{PEOPLE}" by dn.exact="{READER}" none\n', id="children"),
        pytest.param("access to attrs=entryUUID,uid by * none\n", id="attributes"),
    ],
)
async def test_lost_read_rights_change_nothing(pool: Pool, slapd: Slapd, access: str) -> None:
    """An administrator takes them away: success with 0 entries, or none that says who it is. Nobody leaves, ever."""
    slapd.load(crowd(30))
    await slapd.start()
    clock = Hours()
    await reader(pool, source(slapd), clock).read()
    slapd.access = access + slapd.access
    await slapd.restart()
    for _ in range(3):
        clock.now += DAY
        with pytest.raises((LdapError, RefusedError)) as caught:
            await reader(pool, source(slapd), clock).read()
        assert "Nothing was changed" in str(caught.value)
    assert len(await active(pool)) == 30


async def test_lost_rights_on_an_attribute_empty_nothing(pool: Pool, slapd: Slapd) -> None:
    """A department that is suddenly nobody's is not believed, and said."""
    slapd.load([person(f"p{number}", departmentNumber="Sales") for number in range(9)])
    await slapd.start()
    await reader(pool, source(slapd)).read()
    slapd.access = f"access to attrs=departmentNumber by * none\n{slapd.access}"
    await slapd.restart()
    report = await reader(pool, source(slapd)).read(full=True)
    assert (report.changed, report.unchanged) == (0, 9)
    assert "department" in report.warnings[0]
    assert (await attributes(pool, "p3"))["department"] == "Sales"


async def test_last_value_of_an_attribute_can_go(pool: Pool, slapd: Slapd) -> None:
    """A handful without it are believed: somebody's title has ended."""
    slapd.load([person("a", title="Acting head"), person("b")])
    await slapd.start()
    await reader(pool, source(slapd)).read()
    await slapd.change(f"dn: uid=a,{PEOPLE}\nchangetype: modify\ndelete: title\n")
    await reader(pool, source(slapd)).read(full=True)
    assert "title" not in await attributes(pool, "a")


async def test_absence_acts_from_full_reads_after_the_grace(pool: Pool, slapd: Slapd) -> None:
    """Who is deleted there is noted at the first full reading, and leaves at one that comes after the grace."""
    slapd.load(crowd(30))
    await slapd.start()
    clock = Hours()
    await reader(pool, source(slapd), clock).read()
    await slapd.change(f"dn: uid=p00007,{PEOPLE}\nchangetype: delete\n")
    clock.now += timedelta(hours=1)
    assert (await reader(pool, source(slapd), clock).read()).missing == 0  # changes do not tell
    clock.now += DAY
    assert (await reader(pool, source(slapd), clock).read()).missing == 1
    assert len(await active(pool)) == 30
    clock.now += DAY
    assert (await reader(pool, source(slapd), clock).read()).removed == 1
    assert "p00007" not in await active(pool)


async def test_many_absent_wait(pool: Pool, slapd: Slapd) -> None:
    """A filter that fits half of the people is a whole read of half: the rest wait for a second person."""
    slapd.load(crowd(30))
    await slapd.start()
    clock = Hours()
    await reader(pool, source(slapd), clock).read()
    half = replace(source(slapd), filter="(uid=p0000*)")
    clock.now += DAY
    await reader(pool, half, clock).read()
    clock.now += DAY
    report = await reader(pool, half, clock).read()
    assert (report.removed, report.waiting) == (0, 20)
    assert len(await active(pool)) == 30


async def test_referral_takes_the_proof(pool: Pool, slapd: Slapd) -> None:
    """A part of the tree on another server is not followed, is said, and nobody leaves meanwhile."""
    slapd.load(crowd(30))
    await slapd.start()
    clock = Hours()
    await reader(pool, source(slapd), clock).read()
    await slapd.stop()
    slapd.load(
        [
            ldif(
                f"ou=East,{PEOPLE}",
                {
                    "objectClass": ["referral", "extensibleObject"],
                    "ou": "East",
                    "ref": f"ldap://east.invalid/ou=East,{PEOPLE}",
                },
            )
        ]
    )
    await slapd.start()
    await slapd.change(f"dn: uid=p00007,{PEOPLE}\nchangetype: delete\n")
    for _ in range(3):
        clock.now += DAY
        report = await reader(pool, source(slapd), clock).read()
        assert "ldap://east.invalid" in report.warnings[0]
        assert (report.removed, report.missing) == (0, 0)
    assert len(await active(pool)) == 30


async def test_expected_entry_that_is_missing_takes_the_proof(pool: Pool, slapd: Slapd) -> None:
    """A canary: whoever cannot see it may not see others."""
    slapd.load(crowd(30))
    await slapd.start()
    clock = Hours()
    ldap = replace(source(slapd), expect=f"UID=P00003, {PEOPLE}")
    assert (await reader(pool, ldap, clock).read()).missing == 0
    slapd.access = f'access to dn.exact="uid=p00003,{PEOPLE}" by * none\n{slapd.access}'
    await slapd.restart()
    for _ in range(2):
        clock.now += DAY
        report = await reader(pool, ldap, clock).read()
        assert "`expect`" in report.warnings[0]
        assert (report.removed, report.missing) == (0, 0)


async def test_wrong_entry_refuses_all(pool: Pool, slapd: Slapd) -> None:
    """All or nothing, with the names of the entries."""
    slapd.load(
        [
            person("good"),
            person("bad", mail="nowhere"),
            ldif(f"cn=x,{PEOPLE}", {"objectClass": "inetOrgPerson", "cn": "x", "sn": "x"}),
        ]
    )
    await slapd.start()
    said = await refused(pool, source(slapd), error=ImportFileError)
    assert f"ldap:main: uid=bad,{PEOPLE}: email: error: expected an address" in said
    assert f"ldap:main: cn=x,{PEOPLE}: userName: error: expected a name, came nothing" in said


async def test_dry_run_changes_nothing(pool: Pool, slapd: Slapd) -> None:
    """Neither people nor how far the server has been read."""
    slapd.load(crowd(3))
    await slapd.start()
    assert (await reader(pool, source(slapd)).read(dry_run=True)).created == 3
    assert await active(pool) == set()
    assert await pool.fetchval("SELECT count(*) FROM ldap_cursor") == 0
