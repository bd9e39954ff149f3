"""Courses of attributes and the jobs they are cut into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.course import Piece, Span, courses_of, cut

START = date(2027, 1, 1)
DAYS = [date.min, *(START + timedelta(number) for number in range(12)), date.max]

days = st.none() | st.sampled_from(DAYS)
spans = st.builds(Span, value=st.sampled_from("abc"), start=days, end=days)
courses = st.dictionaries(st.sampled_from(["department", "title", "division"]), st.lists(spans, max_size=5))


def day(text: str) -> date:
    return date.fromisoformat(f"2027-{text}")


def covers(each: Span | Piece, when: date) -> bool:
    return (each.start is None or each.start <= when) and (each.end is None or when <= each.end)


def said(by: Mapping[str, Sequence[Span]], when: date) -> set[tuple[str, str]]:
    return {(name, span.value) for name, spans in by.items() for span in spans if covers(span, when)}


def held(pieces: Iterable[Piece], when: date) -> list[Piece]:
    return [piece for piece in pieces if covers(piece, when)]


@given(courses)
def test_every_day_has_the_values_of_the_courses_and_no_other(by: Mapping[str, Sequence[Span]]) -> None:
    """Whatever day is asked for, the jobs of that day say exactly what the courses say."""
    pieces = cut(by)

    for when in DAYS:
        assert {pair for piece in held(pieces, when) for pair in piece.content} == said(by, when)


@given(courses)
def test_courses_come_back(by: Mapping[str, Sequence[Span]]) -> None:
    """The jobs hold all that the courses say, so one course can be exchanged; cutting again changes nothing."""
    pieces = cut(by)
    back = courses_of(pieces)

    assert all(said(back, when) == said(by, when) for when in DAYS)
    assert cut(back) == pieces


@given(courses)
def test_jobs_are_as_long_as_nothing_changes(by: Mapping[str, Sequence[Span]]) -> None:
    """No job says nothing, none is held on no day, and none goes on as it was in the next."""
    pieces = cut(by)

    assert all(piece.content and not piece.is_empty for piece in pieces)
    ends = {(piece.content, piece.end + timedelta(1)) for piece in pieces if piece.end and piece.end < date.max}
    assert not ends & {(piece.content, piece.start) for piece in pieces}


def test_move_and_promotion_cut_a_career_in_three() -> None:
    """Each turn of a course begins a job that has the other attribute's value of the day."""
    pieces = cut(
        {
            "department": [Span("Sales", day("01-01"), day("03-31")), Span("Finance", day("04-01"))],
            "title": [Span("Clerk", day("01-01"), day("05-31")), Span("Chief", day("06-01"))],
        }
    )

    assert pieces == (
        Piece((("department", "Sales"), ("title", "Clerk")), day("01-01"), day("03-31")),
        Piece((("department", "Finance"), ("title", "Clerk")), day("04-01"), day("05-31")),
        Piece((("department", "Finance"), ("title", "Chief")), day("06-01")),
    )


def test_two_departments_at_once_are_two_jobs() -> None:
    """Rows that overlap are jobs side by side, and the one title belongs to both."""
    pieces = cut(
        {
            "department": [Span("Sales", day("01-01")), Span("IT", day("02-01"), day("02-28"))],
            "title": [Span("Clerk", day("01-01"))],
        }
    )

    assert pieces == (
        Piece((("department", "Sales"), ("title", "Clerk")), day("01-01")),
        Piece((("department", "IT"), ("title", "Clerk")), day("02-01"), day("02-28")),
    )


def test_span_of_no_day_says_nothing() -> None:
    """A last day before the first, as of somebody who never came, leaves no job."""
    assert cut({"title": [Span("Clerk", day("02-01"), day("01-31"))]}) == ()
