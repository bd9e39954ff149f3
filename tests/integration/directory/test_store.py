"""People as values: reading them, finding one, following changes, and the history."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import pytest

from bridge.database.listen import DIRECTORY
from bridge.directory.intake import import_csv
from bridge.directory.person import works_here
from bridge.directory.scim_shape import ENTERPRISE, MUSTER
from bridge.directory.store import changed_since, directory_version, load_history, load_people, load_person
from bridge.directory.token_store import Bearer, create_token, find_token, load_tokens, revoke_token
from bridge.errors import ImportFileError, RefusedError, UnknownNameError
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Pool
    from tests.integration.directory.conftest import Scim

DAY = date(2027, 3, 1)


async def test_person_has_job_manager_and_groups(scim: Scim, pool: Pool) -> None:
    """A person is read with the employment, the manager's id and present name, and the groups' names and ids."""
    boss = await scim.user("boss", displayName="Boss")
    user = await scim.user(
        "a",
        title="Driver",
        emails=[{"value": "a@x"}],
        **{ENTERPRISE: {"department": "Sales", "manager": {"value": boss}}, MUSTER: {"start": "2027-03-01"}},
    )
    team = await scim.group("Team", user)

    (person,) = await load_people(pool, [PersonId(user)])

    (job,) = person.employments
    assert (job.title, job.department, job.manager, job.manager_name) == ("Driver", "Sales", boss, "Boss")
    assert person.other == {"emails": ("a@x",), "groups": ("Team",), "groups.value": (team,)}
    assert person.version == await directory_version(pool)
    assert works_here(person, DAY)
    assert not works_here(person, date(2027, 2, 28))


async def test_manager_nobody_knows_is_no_manager(scim: Scim, pool: Pool) -> None:
    """A reference to nobody, or to somebody deleted, is kept for SCIM but is nobody's manager."""
    boss = await scim.user("boss")
    await scim.user("a", **{ENTERPRISE: {"manager": {"value": boss}}})
    await scim.user("b", **{ENTERPRISE: {"manager": {"value": "no such id"}}})
    await scim.ask("DELETE", f"/Users/{boss}")

    for name in ("a", "b"):
        assert not (await load_person(pool, name)).employments


async def test_person_is_found_by_any_name(scim: Scim, pool: Pool) -> None:
    """A person is found by id, userName, externalId or display name; otherwise the nearest are named."""
    user = await scim.user("m.tamm", externalId="E1", displayName="Mari Tamm")
    await scim.user("k.tamm", displayName="Kai Tamm")
    await scim.user("kai", displayName="Kai Tamm")

    for name in (user, "M.TAMM", "E1", "mari tamm"):
        assert (await load_person(pool, name)).id == user
    with pytest.raises(UnknownNameError, match=r"There is no person 'm.tam'. Nearest: m.tamm"):
        await load_person(pool, "m.tam")
    with pytest.raises(UnknownNameError, match="There is no person 'e1'"):
        await load_person(pool, "e1")
    with pytest.raises(UnknownNameError, match=r"2 people are called 'Kai Tamm': .* \(k.tamm, kai\)"):
        await load_person(pool, "Kai Tamm")


async def test_changes_name_everybody_of_whom_a_selector_may_now_say_otherwise(scim: Scim, pool: Pool) -> None:
    """A change of the manager's name or of a group changes the people concerned, and nobody else."""
    boss = await scim.user("boss")
    report = await scim.user("report", **{ENTERPRISE: {"manager": {"value": boss}}})
    member, other = await scim.user("member"), await scim.user("other")
    group = await scim.group("Team", member)

    async def changed(method: str, path: str, body: object = None) -> set[str]:
        version = await directory_version(pool)
        assert (await scim.ask(method, path, body)).status < 300
        changes = await changed_since(pool, version)
        assert changes.version == await directory_version(pool)
        assert (await changed_since(pool, changes.version)).ids == frozenset()
        return set(changes.ids)

    def patch(operation: str, user: str) -> object:
        return {"Operations": [{"op": operation, "path": "members", "value": [{"value": user}]}]}

    assert await changed("PUT", f"/Users/{other}", {"userName": "other", "title": "T"}) == {other}
    assert await changed("PUT", f"/Users/{boss}", {"userName": "boss", "title": "T"}) == {boss}
    assert await changed("PUT", f"/Users/{boss}", {"userName": "boss", "displayName": "B"}) == {boss, report}
    assert await changed("PATCH", f"/Groups/{group}", patch("add", other)) == {other}
    assert (
        await changed(
            "PUT",
            f"/Groups/{group}",
            {"displayName": "Team", "externalId": "1", "members": [{"value": member}, {"value": other}]},
        )
        == set()
    )
    assert await changed("PATCH", f"/Groups/{group}", patch("remove", member)) == {member}
    assert await changed("PUT", f"/Groups/{group}", {"displayName": "New", "members": [{"value": other}]}) == {other}
    assert await changed("DELETE", f"/Groups/{group}") == {other}
    assert await changed("DELETE", f"/Users/{boss}") == {boss, report}


async def test_versions_become_visible_in_their_order(scim: Scim, pool: Pool) -> None:
    """Under concurrent writers, a reader that keeps its cursor sees every change: versions commit in order."""
    seen: set[str] = set()
    written: list[str] = []
    cursor = 0

    async def write() -> None:
        for number in range(8):
            written.append(await scim.user(f"u{len(written)}-{number}-{id(asyncio.current_task())}"))

    writers = asyncio.gather(*(write() for _ in range(5)))
    while not writers.done():
        changes = await changed_since(pool, cursor)
        seen |= changes.ids
        cursor = changes.version
    await writers
    seen |= (await changed_since(pool, cursor)).ids

    assert seen == set(written)


async def test_history_keeps_every_state_with_its_source(scim: Scim, pool: Pool) -> None:
    """Each state a person had is kept, with who said so; also the groups, and the end."""
    user = await scim.user("a", title="T1")
    await import_csv(pool, b"userName,title\na,T2\n", "hr.csv")
    group = await scim.group("Team", user)
    await scim.ask("PUT", f"/Groups/{group}", {"displayName": "Crew", "members": [{"value": user}]})
    await scim.ask("DELETE", f"/Users/{user}")

    history = await load_history(pool, PersonId(user))

    assert [(entry.action, entry.source) for entry in history] == [
        ("created", "scim:hr"),
        ("changed", "csv:hr.csv"),
        ("groups", "scim:hr"),
        ("groups", "scim:hr"),
        ("deleted", "scim:hr"),
    ]
    assert [entry.person.employments[0].title for entry in history] == ["T1", "T2", "T2", "T2", "T2"]
    assert [entry.person.other.get("groups") for entry in history] == [None, None, ("Team",), ("Crew",), None]
    assert [entry.person.active for entry in history] == [True, True, True, True, False]
    assert sorted(entry.version for entry in history) == [entry.version for entry in history]


async def test_write_wakes_whoever_listens(scim: Scim, pool: Pool) -> None:
    """A committed write notifies the directory's channel with the person's id."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    def listener(_connection: object, _process: int, _channel: str, payload: object) -> None:
        heard.put_nowait(str(payload))

    async with pool.acquire() as connection:
        await connection.add_listener(DIRECTORY, listener)
        user = await scim.user("a")
        assert await asyncio.wait_for(heard.get(), 30) == user
        await connection.remove_listener(DIRECTORY, listener)


async def test_import_writes_people_groups_and_managers(pool: Pool) -> None:
    """An import makes people, their groups and managers in one version; a second run changes nothing."""
    data = b"userName,displayName,department,manager,groups\na,Anna,Sales,b,Team; Night\nb,Bo,Sales,,Team\n"

    dry = await import_csv(pool, data, "hr.csv", dry_run=True)
    assert (dry.created, await directory_version(pool)) == (2, 0)
    report = await import_csv(pool, data, "hr.csv")
    again = await import_csv(pool, data, "hr.csv")

    assert (report.created, report.changed, report.removed, report.unchanged) == (2, 0, 0, 0)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 2)
    assert await directory_version(pool) == 1
    anna = await load_person(pool, "a")
    assert anna.employments[0].manager_name == "Bo"
    assert anna.other["groups"] == ("Night", "Team")
    regrouped = await import_csv(pool, b"userName,groups\na,Team\n", "hr.csv")
    assert (regrouped.changed, (await load_person(pool, "a")).other["groups"]) == (1, ("Team",))
    assert (await changed_since(pool, 1)).ids == {anna.id}


async def test_refused_import_changes_nothing(pool: Pool) -> None:
    """A damaged file and an exchange of names leave everything as it was."""
    await import_csv(pool, b"userName,externalId\n" + b"".join(b"u%d,%d\n" % (n, n) for n in range(20)), "hr.csv")
    version = await directory_version(pool)

    with pytest.raises(ImportFileError):
        await import_csv(pool, b"userName\nnew\nnew\n", "hr.csv")
    with pytest.raises(ImportFileError, match="exchange"):
        await import_csv(pool, b"userName,externalId\nu0,1\nu1,0\n", "hr.csv")

    assert await directory_version(pool) == version
    assert len([person for person in await load_people(pool) if person.active]) == 20


async def test_token_is_known_only_by_its_hash(pool: Pool) -> None:
    """A token is shown once; what is stored does not hold it; a name is never used twice."""
    token = await create_token(pool, "okta")

    assert await find_token(pool, token) == Bearer("okta", "okta")
    assert await find_token(pool, token + "x") is None
    assert token not in str(await pool.fetch("SELECT * FROM scim_token"))
    await revoke_token(pool, "okta")
    assert await find_token(pool, token) is None
    with pytest.raises(RefusedError):
        await create_token(pool, "okta")
    with pytest.raises(UnknownNameError):
        await revoke_token(pool, "nobody")
    assert [each.revoked_at is None for each in await load_tokens(pool)] == [False]
