"""Between full readings only what has changed is read, where the server can tell it; the rest is read whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bridge.directory.ldap import ask
from bridge.directory.ldap_mapping import ACTIVE_DIRECTORY, GroupSearch, LdapSource, request_of
from bridge.directory.ldap_store import load_place
from bridge.errors import ImportFileError
from tests.integration.ldap.server import PASSWORD, PEOPLE, READER, SUFFIX, Slapd, ldif, person, user
from tests.integration.ldap.test_reading import Hours, active, attributes, crowd, reader, source

if TYPE_CHECKING:
    from bridge.database import Pool

GUID = bytes(range(16))


def domain(slapd: Slapd) -> LdapSource:
    return LdapSource(
        "ad",
        slapd.url,
        PEOPLE,
        active_directory=True,
        filter="(&(objectCategory=person)(objectClass=user))",
        attributes=ACTIVE_DIRECTORY,
        groups="memberOf",
        bind_dn=READER,
        password=PASSWORD,
        page=2,
    )


async def answered(pool: Pool, ldap: LdapSource) -> list[str]:
    """Return whom the server tells when it is asked from where the last reading ended."""
    place = await load_place(pool, ldap.name)
    assert place is not None
    answer = await ask(request_of(ldap, (place.server, place.cursor)), ldap.timeout)
    assert answer.changes_only
    return sorted(entry.dn.partition(",")[0] for entry in answer.people)


# OpenLDAP: modifyTimestamp


async def test_only_changes_are_read_again(pool: Pool, slapd: Slapd) -> None:
    """Who has changed since, or is new; and whoever shares the last second, since that may have gone on."""
    slapd.load([person(f"p{number}", modifyTimestamp="20200101000000Z") for number in range(3)])
    await slapd.start()
    clock = Hours()
    await reader(pool, source(slapd), clock).read()
    await slapd.change(f"dn: uid=p1,{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: new@example.org\n")
    await slapd.change(person("p3").replace("\nobjectClass", "\nchangetype: add\nobjectClass", 1))
    clock.now += timedelta(hours=1)
    report = await reader(pool, source(slapd), clock).read()
    assert (report.created, report.changed, report.removed, report.missing) == (1, 1, 0, 0)
    assert (await attributes(pool, "p1"))["emails"] == "new@example.org"
    assert await active(pool) == {"p0", "p1", "p2", "p3"}


async def test_nothing_new_changes_nothing(pool: Pool, slapd: Slapd) -> None:
    """A reading without changes is no empty picture of the company."""
    slapd.root = {"dsServiceName": f"cn=dc1,{SUFFIX}", "highestCommittedUSN": "100"}
    slapd.load([user("A", 7, sAMAccountName="a", objectGUID=GUID)])
    await slapd.start()
    clock = Hours()
    await reader(pool, domain(slapd), clock).read()
    assert await answered(pool, domain(slapd)) == []
    report = await reader(pool, domain(slapd), clock).read()
    assert (report.created, report.changed, report.removed, report.unchanged) == (0, 0, 0, 0)
    assert await active(pool) == {"a"}


async def test_everybody_is_read_when_that_is_due(pool: Pool, slapd: Slapd) -> None:
    """After `full`, or when something about the question is not as it was."""
    slapd.load(crowd(3))
    await slapd.start()
    clock = Hours()
    await reader(pool, source(slapd), clock).read()
    whole = 3

    async def seen(ldap: LdapSource) -> int:
        await slapd.change(f"dn: uid=p00000,{PEOPLE}\nchangetype: modify\nreplace: sn\nsn: {clock.now:%d%H}\n")
        report = await reader(pool, ldap, clock).read()
        return report.changed + report.unchanged

    await pool.execute("UPDATE ldap_cursor SET cursor = '20990101000000Z'")
    assert await seen(source(slapd)) < whole
    clock.now += timedelta(hours=24)
    assert await seen(source(slapd)) == whole
    await pool.execute("UPDATE ldap_cursor SET cursor = '20990101000000Z'")
    assert await seen(replace(source(slapd), filter="(&(objectClass=inetOrgPerson)(uid=*))")) == whole
    await pool.execute("UPDATE ldap_cursor SET cursor = '20990101000000Z', server = 'another'")
    assert await seen(replace(source(slapd), filter="(&(objectClass=inetOrgPerson)(uid=*))")) == whole


async def test_changed_group_reads_everybody(pool: Pool, slapd: Slapd) -> None:
    """Who has left a group can only be told by reading all of it, and soon."""
    group = f"cn=Drivers,ou=Groups,{SUFFIX}"
    slapd.load(
        [
            *crowd(3),
            ldif(
                group,
                {
                    "objectClass": "groupOfNames",
                    "cn": "Drivers",
                    "member": [f"uid=p00000,{PEOPLE}", f"uid=p00001,{PEOPLE}"],
                },
            ),
        ]
    )
    await slapd.start()
    ldap = replace(source(slapd), groups=GroupSearch(f"ou=Groups,{SUFFIX}"))
    await reader(pool, ldap).read()
    assert (await attributes(pool, "p00001"))["groups"] == "Drivers"
    await pool.execute("UPDATE ldap_cursor SET cursor = to_char(now() at time zone 'UTC', 'YYYYMMDDHH24MISSZ')")
    await slapd.change(f"dn: {group}\nchangetype: modify\ndelete: member\nmember: uid=p00001,{PEOPLE}\n")
    await reader(pool, ldap).read()
    assert "groups" not in await attributes(pool, "p00001")
    assert (await attributes(pool, "p00000"))["groups"] == "Drivers"


# Active Directory: uSNChanged


async def test_active_directory_is_understood(pool: Pool, slapd: Slapd) -> None:
    """Flags, times, ids, managers and groups as Windows writes them."""
    slapd.load(
        [
            user("Boss", 5, sAMAccountName="boss", objectGUID=GUID, displayName="The Boss"),
            user(
                "Tamm, Mari",
                6,
                sAMAccountName="m.tamm",
                objectGUID=GUID[::-1],
                department="Sales",
                manager=f"CN=Boss,{PEOPLE}",
                # The end of 31 March 2027 in Tallinn.
                accountExpires=str((1806523200 - 3 * 3600 + 11644473600) * 10_000_000),
                memberOf=[f"cn=Drivers\\, night,ou=Groups,{SUFFIX}", f"cn=All,ou=Groups,{SUFFIX}"],
            ),
            user("Gone", 7, sAMAccountName="gone", objectGUID=GUID[1:] + b"x", userAccountControl="514"),
            ldif(f"cn=printer,{PEOPLE}", {"objectClass": "device", "cn": "printer"}),
        ]
    )
    await slapd.start()
    report = await reader(pool, domain(slapd)).read()
    assert report.created == 3
    assert await active(pool) == {"boss", "m.tamm"}
    boss, tamm = await attributes(pool, "boss"), await attributes(pool, "m.tamm")
    assert boss["externalid"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert tamm["manager"] == boss["id"]
    assert tamm["groups"] == "All"
    (end,) = await pool.fetch("SELECT document::text AS text FROM person_history WHERE document::text LIKE '%m.tamm%'")
    assert "2027-03-31" in end["text"]


async def test_changes_are_told_by_usn(pool: Pool, slapd: Slapd) -> None:
    """Those above what the server had committed when the last reading began; a disabled account comes that way."""
    slapd.root = {"dsServiceName": f"cn=dc1,{SUFFIX}", "highestCommittedUSN": "100"}
    slapd.load(
        [
            user("A", 99, sAMAccountName="a", objectGUID=GUID, manager=f"cn=B,{PEOPLE}"),
            user("B", 100, sAMAccountName="b", objectGUID=GUID[::-1]),
        ]
    )
    await slapd.start()
    await reader(pool, domain(slapd)).read()
    assert await answered(pool, domain(slapd)) == []
    await slapd.change(
        f"dn: cn=A,{PEOPLE}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n-\n"
        "replace: uSNChanged\nuSNChanged: 101\n"
    )
    assert await answered(pool, domain(slapd)) == ["cn=A"]
    slapd.root = {**slapd.root, "highestCommittedUSN": "101"}
    await slapd.restart()
    report = await reader(pool, domain(slapd)).read()
    assert (report.changed, report.unchanged, report.warnings) == (1, 0, ())
    assert await active(pool) == {"b"}
    assert (await attributes(pool, "a"))["manager"] == (await attributes(pool, "b"))["id"]
    assert await answered(pool, domain(slapd)) == []


async def test_another_or_restored_controller_is_read_whole(pool: Pool, slapd: Slapd) -> None:
    """Each counts for itself, and one from a backup counts anew."""
    service = ldif(
        f"cn=dc1,{SUFFIX}", {"objectClass": ["device", "extensibleObject"], "cn": "dc1", "invocationId": GUID}
    )
    slapd.root = {"dsServiceName": f"cn=dc1,{SUFFIX}", "highestCommittedUSN": "100"}
    slapd.load([service, user("A", 50, sAMAccountName="a", objectGUID=GUID)])
    await slapd.start()
    await reader(pool, domain(slapd)).read()
    place = await load_place(pool, "ad")
    assert place is not None
    assert place.server == f"cn=dc1,{SUFFIX}|03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert (await reader(pool, domain(slapd)).read()).unchanged == 0

    await slapd.change(
        f"dn: cn=dc1,{SUFFIX}\nchangetype: modify\nreplace: invocationId\ninvocationId:: AAAAAAAAAAAAAAAAAAAAAA==\n"
    )
    assert (await reader(pool, domain(slapd)).read()).unchanged == 1
    slapd.root = {"dsServiceName": f"cn=dc1,{SUFFIX}", "highestCommittedUSN": "60"}
    await slapd.restart()
    assert (await reader(pool, domain(slapd)).read()).unchanged == 1
    slapd.root = {"dsServiceName": f"cn=dc2,{SUFFIX}", "highestCommittedUSN": "60"}
    await slapd.restart()
    assert (await reader(pool, domain(slapd)).read()).unchanged == 1


async def test_failed_reading_keeps_the_place(pool: Pool, slapd: Slapd) -> None:
    """The next one begins where the last good one ended."""
    slapd.root = {"dsServiceName": f"cn=dc1,{SUFFIX}", "highestCommittedUSN": "100"}
    slapd.load([user("A", 99, sAMAccountName="a", objectGUID=GUID)])
    await slapd.start()
    await reader(pool, domain(slapd)).read()
    before = await load_place(pool, "ad")
    await slapd.change(
        f"dn: cn=A,{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: nowhere\n-\n"
        "replace: uSNChanged\nuSNChanged: 101\n"
    )
    with pytest.raises(ImportFileError, match="expected an address"):
        await reader(pool, domain(slapd)).read()
    assert await load_place(pool, "ad") == before
    assert await answered(pool, domain(slapd)) == ["cn=A"]
