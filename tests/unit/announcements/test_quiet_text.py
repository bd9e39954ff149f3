"""What somebody is told of the own quiet hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.announcements.hours import Hours
from bridge.announcements.quiet import Rest, Wish, stand
from bridge.announcements.quiet_text import describe
from bridge.policy.working_time import times, week

NIGHT = datetime(2027, 3, 1, 20, tzinfo=UTC)  # a Monday; 22 o'clock there
REST = Rest(
    Hours(ZoneInfo("Europe/Tallinn"), week("mon-fri 08:00-17:00")), (("ee", times("18:00-08:00")),), company=True
)


def _told(rest: Rest, moment: datetime = NIGHT) -> list[str]:
    return describe(rest, stand(rest, moment))[:-1]


def test_one_is_told_whether_it_is_quiet_until_when_and_why() -> None:
    """By the clock where one works."""
    assert _told(REST) == [
        "It is quiet for you until Tue 2 Mar, 08:00: nothing rings but what is urgent.",
        "The law for EE asks for quiet: 18:00-08:00; except while you work.",
        "Your company leaves you in peace whenever you do not work.",
        "Your working hours: mon-fri 08:00-17:00 (clock of Europe/Tallinn).",
    ]


@pytest.mark.parametrize(
    ("rest", "first", "line"),
    [
        (replace(REST, laws=(), choice=Wish.OFF), "You have no quiet hours", "You chose no quiet hours."),
        (replace(REST, choice=Wish.OFF), "It is quiet for you until", "You chose no more than the law."),
        (replace(REST, choice=Wish.ON), "It is quiet for you until", "You chose quiet whenever you do not work."),
        (
            replace(REST, laws=(), choice=times("23:00-24:00")),
            "Messages ring for you now. It is quiet from Mon 1 Mar, 23:00 on.",
            "You chose: 23:00-24:00.",
        ),
        (replace(REST, hours=replace(REST.hours, away=True)), "It is quiet for you: nothing", "You are on leave."),
        (
            replace(REST, laws=(("fr", times("leave")),), company=False),
            "Messages ring for you now. No quiet hours begin within a week.",
            "The law for FR asks for quiet: leave; except while you work.",
        ),
    ],
)
def test_each_choice_has_its_words(rest: Rest, first: str, line: str) -> None:
    """What one chose is said in place of the company's word."""
    told = _told(rest)
    assert told[0].startswith(first)
    assert line in told
