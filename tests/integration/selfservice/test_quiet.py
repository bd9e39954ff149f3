"""Employees ask the bot for their quiet hours and choose them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.announcements import quiet_store
from bridge.announcements.quiet import Wish
from bridge.directory.selector import parse
from bridge.policy.working_time import WorkingTime, times, week
from tests.integration.membership.conftest import user

if TYPE_CHECKING:
    from tests.integration.selfservice.office import Office

HOURS = WorkingTime(
    week=week("mon-fri 08:00-17:00"), laws={"Asia/Tokyo": times("20:00-07:00")}, quiet=parse("active eq true")
)


async def test_a_choice_is_kept_and_what_holds_is_told(office: Office) -> None:
    """With the law, the company's word or one's own, and the working hours; whoever keeps it so is called up."""
    office.company.policy = replace(office.company.policy, hours=HOURS)
    room = await office.direct("ann")
    told = await office.ask("ann", "quiet", room)
    assert "The law for Asia/Tokyo asks for quiet: 20:00-07:00; except while you work." in told
    assert "Your company leaves you in peace whenever you do not work." in told
    assert "Your working hours: mon-fri 08:00-17:00 (clock of Asia/Tokyo)." in told
    assert await quiet_store.next_due(office.pool) is None

    assert "You chose: 17:00-09:00, weekend." in await office.ask("ann", "!quiet 17:00 – 9:00, weekend", room)
    assert await quiet_store.load_choices(office.pool) == {user("ann"): times("17:00-09:00, weekend")}
    assert await quiet_store.next_due(office.pool) == office.company.now
    assert "You chose no more than the law." in await office.ask("ann", "Quiet OFF", room)
    assert await quiet_store.load_choices(office.pool) == {user("ann"): Wish.OFF}
    assert "Your company leaves you" in await office.ask("ann", "quiet default", room)
    assert await quiet_store.load_choices(office.pool) == {}


async def test_what_is_no_time_is_answered_with_an_example(office: Office) -> None:
    """Nothing is kept of it."""
    room = await office.direct("bob")
    told = await office.ask("bob", "quiet at night", room)
    assert told.startswith("I do not know these times: expected days such as mon, mon-fri or weekend, came `at`.")
    assert "quiet 17:00-09:00" in told
    assert "Your company has not told me when you work" in await office.ask("bob", "quiet on", room)
    assert "You have no quiet hours" in await office.ask("bob", "quiet", room)
    assert "at most 200" in await office.ask("bob", f"quiet {'x' * 300}", room)
    assert await quiet_store.load_choices(office.pool) == {}
