"""What becomes of those who are missing from whole pictures, decided from what the database knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.directory.door import WINDOW, Judgement, Missing, digest_of, judge, limit_of, words_of
from bridge.directory.feed import Feed
from bridge.ids import PersonId

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEED = Feed("file:hr", complete=True)
AT_ONCE = Feed("file:hr", complete=True, grace=timedelta(0))


def person(number: int) -> PersonId:
    return PersonId(f"{number:04}")


def missing(numbers: Sequence[int], since: datetime | None = NOW - 12 * HOUR) -> list[Missing]:
    return [Missing(person(number), since) for number in numbers]


@pytest.mark.parametrize(
    ("since", "leaves"), [(None, False), (NOW - 11 * HOUR, False), (NOW - 12 * HOUR, True), (NOW - 30 * HOUR, True)]
)
def test_absence_must_last(since: datetime | None, leaves: bool) -> None:
    """Whoever is missing for the first time, or not for the whole grace, is noted and stays."""
    found = judge(FEED, missing([1], since), 100, (), NOW)
    assert (found.leaving, found.noted) == (((person(1),), ()) if leaves else ((), (person(1),)))


def test_absence_without_grace_acts_at_once() -> None:
    """A grace of nothing is one that may be asked for."""
    assert judge(AT_ONCE, missing([1], None), 100, (), NOW).leaving == (person(1),)


def test_absence_lasts_only_while_no_other_feed_names_the_person() -> None:
    """The grace begins when the last of the feeds has stopped naming somebody."""
    both = [Missing(person(1), NOW - 90 * HOUR, unnamed_since=NOW - 2 * HOUR)]
    assert judge(FEED, both, 100, (), NOW).noted == (person(1),)
    assert judge(FEED, both, 100, (), NOW + 10 * HOUR).leaving == (person(1),)


def test_who_is_brought_by_another_source_stays_and_does_not_count() -> None:
    """Ten who are kept and five who are not are five."""
    kept = [Missing(person(number), NOW - 90 * HOUR, kept_by="scim:okta") for number in range(10)]
    found = judge(FEED, [*kept, *missing(range(10, 15))], 20, (), NOW)
    assert (len(found.leaving), len(found.kept)) == (5, 10)


def test_too_many_wait_with_figures_and_the_others_are_told() -> None:
    """The sentences name how many of how many, the limit and the digest of exactly these."""
    found = judge(FEED, missing(range(9)), 80, [person(99)], NOW)
    assert found.leaving == ()
    assert found.reason == (
        "10 of 81 people of file:hr are missing from it, 1 of them gone within a day; the limit is 8."
    )
    digest = digest_of("file:hr", map(person, range(9)))
    assert words_of(FEED, found)[-1].endswith(f"muster approve {digest[:12]} --by PERSON")
    noted = judge(FEED, missing([1], None), 100, (), NOW)
    assert words_of(FEED, noted) == (
        "1 person is missing from file:hr, which has been noted; whoever is missing for 12h and from a later whole "
        "picture leaves.",
    )


def test_digest_is_of_exactly_the_feed_and_the_people() -> None:
    """In whatever order; one more, one less or another feed is another digest."""
    digest = digest_of("file:hr", [person(2), person(1)])
    assert digest == digest_of("file:hr", [person(1), person(2)])
    others = [("file:hr", [1]), ("file:hr", [1, 2, 3]), ("file:h", [1, 2]), ("ldap:hr", [1, 2])]
    assert digest not in [digest_of(feed, map(person, people)) for feed, people in others]


def test_limit_is_a_share_and_never_below_five() -> None:
    """Also where floating point says a little less."""
    assert [limit_of(Feed("f", shrink=share), 100) for share in (0, 0.04, 0.07, 0.29, 1)] == [5, 5, 7, 29, 100]


@example(parts=[5, 1], shrink=0.0, hours=1, population=60)
@given(
    parts=st.lists(st.integers(0, 15), max_size=12),
    shrink=st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0]),
    hours=st.integers(0, 30),
    population=st.integers(1, 120),
)
def test_splitting_an_absence_into_many_pictures_passes_no_more(
    parts: list[int], shrink: float, hours: int, population: int
) -> None:
    """However the missing are spread over pictures, within a day no more leave than one picture might take away."""
    feed = Feed("file:hr", complete=True, shrink=shrink, grace=timedelta(0))
    here = [person(number) for number in range(population)]
    gone: dict[PersonId, datetime] = {}
    absent: list[PersonId] = []
    for step, size in enumerate(parts):
        now = NOW + step * hours * HOUR
        named = [each for each in here if each not in gone]
        absent += [each for each in named if each not in absent][:size]
        recent = [each for each, at in gone.items() if at > now - WINDOW]
        found = judge(feed, [Missing(each) for each in absent if each in named], len(named), recent, now)
        assert sorted((*found.leaving, *found.waiting)) == sorted(each for each in absent if each in named)
        assert bool(found.waiting) is bool(found.reason)
        gone |= dict.fromkeys(found.leaving, now)
        lately = [each for each, at in gone.items() if at > now - WINDOW]
        assert len(lately) <= limit_of(feed, len(named) + len(recent))


@given(st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 24), st.booleans()), unique_by=lambda t: t[0]))
def test_everybody_missing_is_in_one_of_the_four(people: list[tuple[int, int | None, bool]]) -> None:
    """Nobody is forgotten, nobody told twice, and nobody who is kept or not due leaves or waits."""
    found = [
        Missing(person(each), None if since is None else NOW - since * HOUR, kept_by="hook:a" if kept else "")
        for each, since, kept in people
    ]
    judged: Judgement = judge(FEED, found, 31, (), NOW)
    together = (*judged.leaving, *judged.waiting, *judged.noted, *judged.kept)
    assert sorted(together) == sorted(each.person for each in found)
    assert not (judged.leaving and judged.waiting)
    due = {each.person for each in found if each.since and not each.kept_by and NOW - each.since >= FEED.grace}
    assert {*judged.leaving, *judged.waiting} == due
