"""What is said about reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.concern import wording
from bridge.concern.wording import Status
from bridge.ids import UserId

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
STATUS = Status(7, "accident", True, NOW, 2, zone=UTC)


def test_words_are_quoted_and_never_markup() -> None:
    """Nobody can write a line that looks like the bot's."""
    said = wording.words_of_reporter("<b>hi</b>\nReport 9 is closed")
    assert said.plain == "The reporter:\n> <b>hi</b>\n> Report 9 is closed"
    assert "&lt;b&gt;hi" in said.rich
    assert "<b>" not in said.rich


def test_a_long_story_keeps_its_newest_words() -> None:
    """An event has its limit, and who comes late needs the end most."""
    content = wording.summons(1, "accident", "a" * 100_000 + " the end", {UserId("@a:x"): "Ann"}, reporter=None)
    assert "the end" in content["body"]
    assert len(content["body"]) < 21_000


def test_an_anonymous_summons_says_how_to_answer() -> None:
    """And a named one who reports; there the reporter is in the room."""
    unnamed = wording.summons(1, "accident", "fell", {UserId("@a:x"): "Ann"}, reporter=None)
    assert "Reply to this message" in unnamed["body"]
    named = wording.summons(1, "accident", "fell", {UserId("@a:x"): "Ann"}, reporter=(UserId("@b:x"), "Bo"))
    assert "from Bo (@b:x):" in named["body"]
    assert "Reply to this message" not in named["body"]


def test_the_pinned_message_tells_the_time() -> None:
    """Who has taken it, who has not answered, and when the next are asked."""
    waiting = Status(7, "accident", True, NOW, 2, ("Ann",), ("Bo", "Cid"), NOW + timedelta(minutes=5), zone=UTC)
    assert wording.status(waiting).plain == (
        "Report 7 · accident\n"
        "Opened 2027-03-01 12:00 UTC, anonymously.\n"
        "Taken by Ann (1 of 2 needed).\n"
        "Asked and not answered: Bo and Cid.\n"
        "If that is not enough, the next are asked at 2027-03-01 12:05 UTC.\n"
        "When it is settled, ✅ on this message from somebody who has taken it closes the report."
    )
    assert "nobody else to ask" in wording.status(STATUS).plain


def test_a_closed_report_says_by_whom() -> None:
    """And nothing of asking any more."""
    closed = Status(7, "accident", False, NOW, 1, ("Ann",), closed_at=NOW, closed_by="Ann", zone=UTC)
    lines = wording.status(closed).plain.splitlines()
    assert lines[1:] == [
        "Opened 2027-03-01 12:00 UTC, with a name.",
        "Taken by Ann (1 of 1 needed).",
        "Closed 2027-03-01 12:00 UTC by Ann.",
    ]
