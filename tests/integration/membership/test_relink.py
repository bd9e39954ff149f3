"""Somebody who comes back under a new id goes on with the account of before, once somebody says so."""

from __future__ import annotations

import pytest

from bridge.directory.history_store import load_links
from bridge.directory.store import load_person
from bridge.errors import RefusedError
from bridge.membership.relink import relink
from tests.integration.membership.conftest import Company, user


async def link(company: Company, old: str, new: str) -> None:
    people = [await load_person(company.pool, company.ids[name]) for name in (old, new)]
    await relink(company.pool, *people, clock=company.clock)
    await company.upkeep.catch_up()
    await company.deliver()


async def test_a_returner_has_the_old_user_id_again(company: Company) -> None:
    """The old account is let in again and is in its rooms; the one made meanwhile is shut out."""
    await company.settle()
    await company.say("ann", active=False)
    await company.say("anna", department="Sales", title="Head")
    await company.settle()
    assert company.homeserver.users[user("ann")].locked

    await link(company, "ann", "anna")

    assert not company.homeserver.users[user("ann")].locked
    assert company.homeserver.users[user("anna")].locked
    assert "ann" in company.homeserver.people("department/Sales")
    assert "anna" not in company.homeserver.people("department/Sales")
    assert await load_links(company.pool) == {(company.ids["ann"], company.ids["anna"])}


async def test_a_returner_without_an_account_yet(company: Company) -> None:
    """Nothing new is made for somebody who is linked before the first day."""
    await company.settle()
    await company.say("bob", active=False)
    await company.say("robert", active=False, department="Sales")
    await company.settle()
    await link(company, "bob", "robert")
    await company.say("robert", active=True)
    await company.settle()

    assert not company.homeserver.users[user("bob")].locked
    assert user("robert") not in company.homeserver.users


@pytest.mark.parametrize(("old", "new"), [("ann", "bob"), ("bob", "bob")])
async def test_only_who_has_left_can_have_come_back(company: Company, old: str, new: str) -> None:
    """Whoever works here keeps the account, and nobody is two people."""
    await company.say("bob", active=False)
    await company.settle()
    with pytest.raises(RefusedError, match="Expected"):
        await link(company, old, new)
    assert not await load_links(company.pool)


async def test_a_localpart_is_never_used_twice(company: Company) -> None:
    """Somebody new of the same name, unlinked, gets a number, although the namesake has left."""
    await company.settle()
    await company.say("ann", active=False)
    await company.say("ann2", userName="ann@elsewhere.example", department="Sales")
    await company.settle()

    assert company.homeserver.users[user("ann")].locked
    assert not company.homeserver.users[user("ann2")].locked
