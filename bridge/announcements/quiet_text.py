"""What somebody is told of the own quiet hours: what holds, and why (pure)."""

from __future__ import annotations

from datetime import datetime

from bridge.announcements.quiet import Rest, Stand, Wish
from bridge.policy.working_time import Times, Week, in_words

HOW = (
    "Say “quiet 17:00-09:00, weekend” for times of your own, “quiet on” for whenever you do not work, “quiet off” for "
    "no more than the law, “quiet default” for what the company says."
)


def describe(rest: Rest, found: Stand) -> list[str]:
    """Return how it stands for somebody, who says so, and what one can say; a line each."""
    lines = [_now(rest, found)]
    lines += [
        f"The law for {_place(place)} asks for quiet: {in_words(times)}; except while you work."
        for place, times in rest.laws
    ]
    lines += [said] if (said := _beside_the_law(rest)) else []
    if rest.planned:
        lines.append(_hours(rest))
    return [*lines, HOW]


def not_understood(problem: str) -> list[str]:
    """Return the answer to times that are none."""
    return [f"I do not know these times: {problem}.", HOW]


def not_planned() -> list[str]:
    """Return the answer to whoever wants quiet outside hours that nobody has said."""
    return ["Your company has not told me when you work. Say your times, such as “quiet 17:00-09:00, weekend”."]


def _now(rest: Rest, found: Stand) -> str:
    if found.is_quiet:
        until = f" until {_moment(found.until, rest)}" if found.until else ""
        return f"It is quiet for you{until}: nothing rings but what is urgent."
    if found.until is not None:
        return f"Messages ring for you now. It is quiet from {_moment(found.until, rest)} on."
    if rest.may_be_quiet:
        return "Messages ring for you now. No quiet hours begin within a week."
    return "You have no quiet hours: messages ring at any time."


def _beside_the_law(rest: Rest) -> str:
    if isinstance(rest.choice, Times):
        return f"You chose: {in_words(rest.choice)}."
    if rest.choice is Wish.ON:
        return "You chose quiet whenever you do not work."
    if rest.choice is Wish.OFF:
        return "You chose no more than the law." if rest.laws else "You chose no quiet hours."
    return "Your company leaves you in peace whenever you do not work." if rest.company else ""


def _hours(rest: Rest) -> str:
    if rest.hours.away:
        return "You are on leave."
    return f"Your working hours: {_week(rest.hours.week)} (clock of {rest.hours.zone.key})."


def _week(week: Week) -> str:
    return in_words(Times(week)) or "none"


def _place(place: str) -> str:
    """Return a country or a time zone as people write it."""
    return place if "/" in place else place.upper() if len(place) <= 3 else place.title()


def _moment(moment: datetime, rest: Rest) -> str:
    local = moment.astimezone(rest.hours.zone)
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"
