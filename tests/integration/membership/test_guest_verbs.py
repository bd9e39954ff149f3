"""`muster guests`: what is refused, what is kept, and what is shown."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli.guests import add_guest, list_guests, remove_guest, renew_guest
from bridge.directory.local_day import LocalDays
from bridge.errors import InputError, MusterError, RefusedError, UnknownNameError
from bridge.homeserver.accounts import AccountState
from bridge.ids import UserId
from bridge.membership.member_store import read_drift
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.test_guests import GUESTED, KIM, LEO

if TYPE_CHECKING:
    from bridge.app import Services

TODAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


class _Accounts:
    """The homeserver's accounts: one of a stranger, and one that is locked."""

    async def get(self, user_id: UserId) -> AccountState | None:
        known = {LEO: False, user("locked"): True}
        return AccountState(user_id, "", known[user_id], False, False) if user_id in known else None


@pytest.fixture
async def services(company: Company) -> Services:
    """What the composition root would open, in a company with everything in place."""
    company.now = TODAY
    company.rule(GUESTED)
    await company.upkeep.catch_up()
    return cast(
        "Services",
        SimpleNamespace(
            pool=company.pool,
            homeserver=company.homeserver,
            accounts=_Accounts(),
            clock=company.clock,
            policy=lambda: company.policy,
            local_days=lambda: LocalDays(company.clock()),
        ),
    )


def args(**values: Any) -> argparse.Namespace:
    usual = {"json": False, "user": LEO, "sponsor": "ann", "reason": "summer job", "room": [], "until": None}
    return argparse.Namespace(**{**usual, **values})


async def test_a_guest_is_added_shown_renewed_and_removed(
    company: Company, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each wakes the service; the last day is as far away as the policy allows, or what was said."""
    assert await add_guest(args(until="2026-03-09"), services) == 0
    assert list(await read_drift(company.pool)) == [LEO]
    assert capsys.readouterr().out == f"{LEO} is a guest of Ann until 2026-03-09.\n"
    assert await list_guests(args(), services) == 0
    assert capsys.readouterr().out == (
        f"{LEO}: guest of Ann until 2026-03-09: summer job\n  every room of the sponsor's that is not exclusive\n"
    )
    await company.upkeep.catch_up()
    assert await renew_guest(args(), services) == 0
    assert capsys.readouterr().out == f"{LEO} stays a guest of Ann until 2026-05-31.\n"
    assert list(await read_drift(company.pool)) == [LEO]
    await company.upkeep.catch_up()
    assert await remove_guest(args(), services) == 0
    assert capsys.readouterr().out == f"{LEO} is a guest no more.\n"
    await company.upkeep.catch_up()
    assert "leo" not in company.homeserver.people("lounge")
    assert await list_guests(args(), services) == 0
    assert capsys.readouterr().out == "There are no guests.\n"


async def test_adding_again_changes_the_terms(
    company: Company, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a moment in which the guest is none; who is nowhere is shown with the reason."""
    await add_guest(args(), services)
    await add_guest(args(sponsor="cid", room=["lounge"], reason="another"), services)
    await company.say("cid", active=False)
    capsys.readouterr()
    await list_guests(args(json=True), services)
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["sponsor"], shown["rooms"], shown["reason"]) == ("cid", ["lounge"], "another")
    assert shown["over"] == "the sponsor does not work here"
    assert date.fromisoformat(shown["review_by"]) == date(2026, 5, 31)


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"user": "leo"}, InputError, "such as @kim:partner.example"),
        ({"user": user("ann")}, RefusedError, "somebody in the directory"),
        ({"user": user("nobody")}, RefusedError, "Have it made on the homeserver"),
        ({"user": user("locked")}, RefusedError, "can be used"),
        ({"user": "@x:other.example"}, RefusedError, "admits no guests of other.example"),
        ({"sponsor": "dot"}, RefusedError, "the sponsor may not have guests"),
        ({"sponsor": "nobody"}, UnknownNameError, "nobody"),
        ({"room": ["lonuge"]}, UnknownNameError, "did you mean `lounge`"),
        ({"until": "2026-03-01"}, RefusedError, "from 2026-03-02 to 2026-05-31"),
        ({"until": "2026-06-01"}, RefusedError, "from 2026-03-02 to 2026-05-31"),
        ({"until": "tomorrow"}, InputError, "such as 2027-03-01"),
        ({"reason": " "}, InputError, "one line of text"),
    ],
)
async def test_who_cannot_be_a_guest_is_refused(
    services: Services, values: dict[str, Any], error: type[MusterError], words: str
) -> None:
    """With what was expected; nothing is kept."""
    with pytest.raises(error, match=words):
        await add_guest(args(**values), services)
    assert await services.pool.fetchval("SELECT count(*) FROM guest") == 0


async def test_guests_need_a_policy_that_has_them(company: Company, services: Services) -> None:
    """And who is none can be neither renewed nor removed."""
    for verb in (renew_guest, remove_guest):
        with pytest.raises(UnknownNameError, match="is no guest"):
            await verb(args(user=KIM), services)
    company.rule({"rooms": {"lounge": {}}})
    with pytest.raises(RefusedError, match="The policy has no guests"):
        await add_guest(args(), services)
