"""What is said about reports: to whoever reports, and in the room of a report (pure).

Nothing here is given who reports anonymously, so nothing can say it. What people wrote is passed on as text and never
as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from bridge.directory.template import one_line
from bridge.ids import UserId
from bridge.policy.reports import ReportKind
from bridge.selfservice import replies
from bridge.selfservice.replies import Text, in_lines, say, user_link
from bridge.selfservice.request import in_words

PART = "io.muster.report"
"""The key of the content under which a message of the bot's says what it is in the room of a report."""
WORDS = "words"
"""The reporter's: a reply to it goes back."""
STATUS = "status"
_LONGEST_STORY = 20_000
"""Characters of what was said so far that somebody who comes later is shown, the newest."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a report stands."""

    number: int
    kind: str
    anonymous: bool
    opened_at: datetime
    needed: int
    takers: Sequence[str] = ()
    """Names."""
    asked: Sequence[str] = ()
    """Names of those who have not answered."""
    next_at: datetime | None = None
    """When the next are asked; None: there are none."""
    closed_at: datetime | None = None
    closed_by: str = ""
    zone: tzinfo | None = field(default=None)


def nothing_to_report() -> Text:
    """Return what is said where the policy has no kinds."""
    return say("Your company takes no reports here. Please ask your administrators whom to turn to.")


def how_to_report(kinds: Mapping[str, ReportKind], nearest: str = "") -> Text:
    """Return how one reports; nothing was passed on."""
    meant = f" Did you mean “{nearest}”?" if nearest else ""
    lines = [say(f"Nothing has been passed on yet.{meant} Say what it is and what happened, in one message:")]
    lines += [_usage(kind) for kind in kinds.values()]
    lines.append(
        say(
            "Unless you write “named” behind it, those who take care of it are not told who you are, where the list "
            "says so. They read what you write within seconds."
        )
    )
    return in_lines(lines)


def _usage(kind: ReportKind) -> Text:
    how = "without your name" if kind.anonymous else "with your name"
    return say(f"• report {kind.id} … – {one_line(kind.text)} ({how})")


def not_without_name(kind: ReportKind) -> Text:
    """Return what is said to who wants to stay unnamed where the policy does not allow it."""
    return say(
        f"Nothing has been passed on: “{kind.id}” cannot be reported anonymously here. With your name it goes by: "
        f"report {kind.id} named …"
    )


def say_what_happened(kind: ReportKind) -> Text:
    """Return what is said to who named a kind only."""
    return say(f"Nothing has been passed on yet. Please say in the same message what happened: report {kind.id} …")


def nobody_on_call(kind: ReportKind) -> Text:
    """Return what is said where nobody can be asked."""
    return say(
        f"Nobody can be asked to take care of “{kind.id}” here, so nothing has been passed on. Please turn to "
        "somebody you trust; in danger, call the emergency services."
    )


def opened(number: int, kind: ReportKind, people: int, *, anonymous: bool) -> Text:
    """Return what whoever reports is told at once."""
    whom = "one person" if people == 1 else f"{people} people"
    if not anonymous:
        return say(
            f"Report {number} is open. You and {whom} on call are being brought together in a room of its own, in "
            "your list of chats in a moment. It is confidential."
        )
    return in_lines(
        [
            say(f"Report {number} is open, and goes to {whom} on call without your name."),
            say("What you write here from now on is passed on to them, and their answers come here."),
            say("“report end” ends that. With ! in front (!rooms) you talk to me as usual."),
        ]
    )


def passed_on() -> Text:
    """Return what is said to the reporter of words that are on their way."""
    return say("Passed on, without your name.")


def not_yet() -> Text:
    """Return what is said to who sends a file before there is a room to pass it on to."""
    return say("The room is still being made. Please send that once more in a moment.")


def open_already(number: int) -> Text:
    """Return what is said to who wants a second report while the first is open."""
    return say(f"Your report {number} is open. Before you begin another, end your part in it: report end")


def ended(number: int, *, anonymous: bool) -> Text:
    """Return what whoever says `report end` is told."""
    if not anonymous:
        return say(f"Report {number} is theirs now. You may leave its room, or stay in it.")
    return say(
        f"Your part in report {number} is over: nothing is passed on any more, in neither direction, and who wrote it "
        "is kept nowhere beside this room."
    )


def nothing_to_end() -> Text:
    """Return what is said to who has no open report."""
    return say("You have no report open.")


def closed_for_reporter(number: int) -> Text:
    """Return what whoever reported is told in the end."""
    return say(f"Report {number} was closed by those who took care of it. What you write here is not passed on now.")


def answer(name: str, words: str) -> Text:
    """Return an answer as the reporter gets it."""
    return _quoted(say(f"{one_line(name)} answers:"), words)


# In the room


def summons(
    number: int, kind: str, words: str, people: Mapping[UserId, str], *, reporter: tuple[UserId, str] | None
) -> dict[str, Any]:
    """Return the content by which people on call are asked, with what was said so far; it rings with them.

    `people` are those asked now, with their names; `reporter` is None for who stays unnamed.
    """
    story = words if len(words) <= _LONGEST_STORY else f"… {words[-_LONGEST_STORY:]}"
    who = user_link(*reporter) if reporter else say("somebody who stays unnamed")
    names = in_order(list(people.values()))
    asked = say(f"{names}: can you take it? ✅ yes · ❌ no, somebody else is asked instead of you.")
    reply = "Reply to this message, and your answer goes back to the reporter; all else stays in this room."
    lines = [_quoted(say(f"Report {number} · {kind}, from ") + who + say(":"), story), asked]
    lines += [] if reporter else [say(reply)]
    made = replies.content(in_lines(lines), "")
    return {**made, "m.mentions": {"user_ids": sorted(people)}, "io.muster.urgent": True, PART: WORDS}


def words_of_reporter(words: str) -> Text:
    """Return what is passed on."""
    return _quoted(say("The reporter:"), words)


def reporter_is_gone() -> Text:
    """Return what is said in the room when the reporter has ended it."""
    return say("The reporter has ended the conversation: nothing reaches them any more. The report stays open.")


def status_begun(now: Status) -> Text:
    """Return what of the pinned message never changes."""
    how = "anonymously" if now.anonymous else "with a name"
    opened_at = f"Opened {_moment(now.opened_at, now.zone)}, {how}."
    return in_lines([say(f"Report {now.number} · {now.kind}"), say(opened_at)])


def status(now: Status) -> Text:
    """Return the pinned message: the clock of a report."""
    lines = [
        status_begun(now),
        say(
            f"Taken by {in_order(now.takers)} ({len(now.takers)} of {now.needed} needed)."
            if now.takers
            else f"Taken by nobody yet ({now.needed} needed)."
        ),
    ]
    if now.closed_at is not None:
        return in_lines([*lines, say(f"Closed {_moment(now.closed_at, now.zone)} by {one_line(now.closed_by)}.")])
    if len(now.takers) < now.needed:
        lines += [say(f"Asked and not answered: {in_order(now.asked)}.")] if now.asked else []
        lines.append(
            say(f"If that is not enough, the next are asked at {_moment(now.next_at, now.zone)}.")
            if now.next_at is not None
            else say("There is nobody else to ask.")
        )
    lines.append(say("When it is settled, ✅ on this message from somebody who has taken it closes the report."))
    return in_lines(lines)


def in_order(names: Sequence[str]) -> str:
    """Return names as people list them."""
    shown = [one_line(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "nobody"


def nobody_takes_it(number: int, kind: str, after: timedelta) -> str:
    """Return what the administrators are told."""
    return (
        f"Report {number} ({kind}) has been open for {in_words(after)}, everybody on its line was asked, and too few "
        "have taken it. Please see that somebody on call looks at it. What it is about is not told here; "
        "`muster reports` lists what is open."
    )


def _moment(moment: datetime, zone: tzinfo | None) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def _quoted(head: Text, words: str) -> Text:
    """Return words of somebody's, set apart from ours in both forms."""
    quoted = Text("\n".join(f"> {line}" for line in words.splitlines()), "")
    rich = "<br>\n".join(say(line).rich for line in words.splitlines())
    return Text(f"{head.plain}\n{quoted.plain}", f"{head.rich}\n<blockquote>{rich}</blockquote>")
