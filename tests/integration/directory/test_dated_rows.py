"""Files of dated rows, in a real database."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from bridge.directory.file_mapping import Ends, FileMapping
from bridge.directory.history import state_at
from bridge.directory.intake import ImportReport, import_csv
from bridge.directory.person import attributes_of
from bridge.directory.scim_shape import MUSTER
from bridge.directory.store import boundaries_between, load_history, load_person
from bridge.errors import ImportFileError
from tests.integration.directory.conftest import Scim

if TYPE_CHECKING:
    from bridge.database import Pool

PEOPLE = (
    b"userName,externalId,displayName,department,title,start\na,1,Anna,Sales,Clerk,2020-01-01\nb,2,Bo,IT,,2020-01-01\n"
)


async def bring(pool: Pool, attribute: str, *rows: str, claim: str | None = None) -> ImportReport:
    columns = {"id": ("externalId",), "is": (attribute,), "from": ("from",), "to": ("to",)}
    text = "\n".join(["id,is,from,to", *rows, ""])
    mapping = FileMapping(columns=columns, ends=Ends.INCLUSIVE)
    return await import_csv(pool, text.encode(), f"{attribute}.csv", mapping=mapping, claim=claim)


async def said(pool: Pool, name: str, day: date) -> tuple[object, object]:
    attributes = attributes_of(await load_person(pool, name), day)
    return attributes.get("department"), attributes.get("title")


async def test_days_of_dated_rows_wake_people_up(pool: Pool) -> None:
    """The service has to look at somebody on the first day of a row, and on the day after its last."""
    await import_csv(pool, PEOPLE, "people.csv")
    await bring(pool, "department", "1,Sales,2027-02-01,2027-02-28", "1,IT,2027-04-01,")

    found = await boundaries_between(pool, date(2027, 1, 1), date(2030, 1, 1))

    assert {each.day for each in found} == {date(2027, 2, 1), date(2027, 3, 1), date(2027, 4, 1)}


async def test_second_history_is_true_from_its_own_first_day(pool: Pool) -> None:
    """A history of titles that turns on no other day than the departments is part of what was true back then."""
    await import_csv(pool, PEOPLE, "people.csv")
    await bring(pool, "department", "1,Sales,2021-01-01,2021-12-31", "1,IT,2022-01-01,")
    await bring(pool, "title", "1,Chief,2021-01-01,")

    history = await load_history(pool, (await load_person(pool, "a")).id)
    state = state_at(history, date(2021, 6, 1))

    assert state is not None
    assert attributes_of(state.person, date(2021, 6, 1))["title"] == ("Chief",)


async def test_scim_sees_and_keeps_a_course(scim: Scim, pool: Pool) -> None:
    """What a client changes beside leaves the dated jobs alone, and the plain department it writes does not count."""
    await import_csv(pool, PEOPLE, "people.csv")
    await bring(pool, "department", "1,Sales,2021-01-01,")
    user = (await load_person(pool, "a")).id
    course = [{"start": "2021-01-01", "department": "Sales"}]

    answer = await scim.patch(
        f"/Users/{user}",
        {"op": "replace", "path": "title", "value": "Chief"},
        {
            "op": "replace",
            "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "value": "IT",
        },
    )

    assert answer.status == 200
    assert answer.body[MUSTER]["course"] == course
    assert await said(pool, "a", date(2027, 1, 1)) == (("Sales",), ("Chief",))


async def test_held_person_gets_no_rows(pool: Pool) -> None:
    """While it is open whether an id was given to somebody else, the history under it is left out."""
    await import_csv(pool, PEOPLE, "people.csv")
    await import_csv(pool, b"userName,externalId,active\na,1,no\n", "people.csv")
    await import_csv(pool, b"userName,externalId,displayName\nzoe,1,Zoe\n", "people.csv")

    report = await bring(pool, "department", "1,Finance,2021-01-01,", "2,Finance,2021-01-01,")

    assert (report.changed, len(report.warnings)) == (1, 1)
    assert await said(pool, "a", date(2027, 1, 1)) == (("Sales",), ("Clerk",))
    assert await said(pool, "b", date(2027, 1, 1)) == (("Finance",), None)


async def test_dated_file_is_taken_once_and_whole(pool: Pool) -> None:
    """The same claim again does nothing, also when the directory has moved on; a bad row leaves nothing behind."""
    await import_csv(pool, PEOPLE, "people.csv")
    first = await bring(pool, "department", "1,Finance,2021-01-01,", claim="c")
    await bring(pool, "department", "1,IT,2021-01-01,")

    assert await bring(pool, "department", "1,Finance,2021-01-01,", claim="c") == first
    with pytest.raises(ImportFileError):
        await bring(pool, "department", "1,Legal,2021-01-01,", "2,Legal,never,")
    assert await said(pool, "a", date(2027, 1, 1)) == (("IT",), ("Clerk",))
