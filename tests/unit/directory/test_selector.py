"""A selector is a SCIM filter, and says clearly when it is none."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import ScimFilter
from scim2_models.exceptions import InvalidFilterException

from bridge.directory.person import Attributes
from bridge.directory.selector import all_of, any_of, matches, parse
from bridge.errors import SelectorError
from tests.unit.directory.people import selector_texts

ANNA: Attributes = {
    "id": ("a1",),
    "externalid": ("E-7",),
    "username": ("Anna.Tamm",),
    "department": ("Sales",),
    "groups": ("Drivers", "Night shift"),
    "active": (True,),
    "shift": (2,),
    "nickname": ("",),
    "displayname": ("Müller",),
}


@pytest.mark.parametrize(
    "text",
    [
        'department eq "sales"',
        'userName eq "anna.tamm"',
        'userName sw "ANNA"',
        'userName ew "tamm"',
        'department co "ale"',
        'groups eq "night SHIFT"',
        'groups ne "Cooks"',
        "active eq true",
        "active pr",
        "shift eq 2",
        "shift ge 2",
        "shift gt 1.5",
        "not (shift lt 2)",
        'department gt "RESEARCH"',
        "title eq null",
        "department ne null",
        'title ne "Driver"',
        "not (title pr)",
        "not (nickname pr)",
        'externalId eq "E-7"',
        'displayName eq "mu\\u0308LLER"',
        'title pr or department eq "Sales" and active eq true',
        'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Sales"',
        'urn:ietf:params:scim:schemas:core:2.0:User:userName eq "anna.tamm"',
        'User:department eq "Sales"',
        'groups.display eq "Drivers"',
    ],
)
def test_anna_is_meant(text: str) -> None:
    """Comparisons ignore case, any of several values may satisfy them, and absent attributes equal nothing."""
    assert matches(parse(text), ANNA)


@pytest.mark.parametrize(
    "text",
    [
        'department eq "Sales North"',
        'externalId eq "e-7"',
        'externalId co "e"',
        'id eq "A1"',
        'groups ne "drivers"',
        'active eq "true"',
        "active eq 1",
        'shift eq "2"',
        "shift gt 2",
        'shift sw "2"',
        'title eq "Driver"',
        'title gt "A"',
        "title pr",
        "nickname pr",
        "department eq null",
        "title ne null",
        'department sw "%"',
        '(title pr or department eq "Sales") and active eq false',
    ],
)
def test_anna_is_not_meant(text: str) -> None:
    """Ids are compared with their case, values of different kinds are never equal, `%` is a character."""
    assert not matches(parse(text), ANNA)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ('Department EQ "Sales"', 'department eq "Sales"'),
        ('((department  eq\n"Sales"))', 'department eq "Sales"'),
        ("a pr and (b pr and c pr)", "a pr and b pr and c pr"),
        ("(a pr and b pr) or c pr", "a pr and b pr or c pr"),
        ("a pr and (b pr or c pr)", "a pr and (b pr or c pr)"),
        ("NOT(a PR)", "not (a pr)"),
        ("not (not (a pr))", "a pr"),
        ("not (a pr and not ((b pr)))", "not (a pr and not (b pr))"),
        ("a eq null", "not (a pr)"),
        ('title eq "\\u00e9"', 'title eq "é"'),
        ('manager.value eq "x"', 'manager eq "x"'),
    ],
)
def test_equal_questions_have_the_same_canonical_text(text: str, normal: str) -> None:
    """Case of names, white space and superfluous parentheses do not make another question."""
    assert parse(text).normal == normal


def test_a_selector_knows_which_attributes_it_asks_for() -> None:
    """The paths are lower-case, without the schema."""
    selector = parse('Title co "Head" and not (urn:ietf:params:scim:schemas:core:2.0:User:name.givenName pr)')
    assert selector.attributes == {"title", "name.givenname"}


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("department eq 'Sales'", 15, "expected a value after eq, came '; text stands in double quotes"),
        ("department eq Sales", 15, 'expected a value after eq, came Sales; text stands in double quotes: "Sales"'),
        ('department = "Sales"', 12, "expected an operator after department, came =; write `eq`"),
        ('department == "Sales"', 12, "expected an operator after department, came ==; write `eq`"),
        ('department != "Sales"', 12, "expected an operator after department, came !=; write `ne`"),
        (
            'department "Sales"',
            12,
            'expected an operator after department, came "Sales"; operators are eq, ne, co, sw, ew, gt, ge, lt, le, pr',
        ),
        ('title like "a"', 7, "expected an operator after title, came like; operators are eq, ne, co, sw, ew, gt, ge,"),
        ("title", 6, "expected an operator after title, came the end; operators are"),
        ("title eq", 9, "expected a value after eq, came the end; text in double quotes, a number, true, false or"),
        ('title eq "a" title pr', 14, "expected `and`, `or` or the end, came title"),
        ('title eq "a" && title pr', 14, "expected `and`, `or` or the end, came &&; write `and`"),
        ('title eq "a" || title pr', 14, "expected `and`, `or` or the end, came ||; write `or`"),
        ("title pr)", 9, "expected `and`, `or` or the end, came ); no parenthesis is open here"),
        ("(title pr", 10, "expected `)` for the `(` at column 1, `and` or `or`, came the end"),
        ("title pr and", 13, "expected an attribute, `not (` or `(`, came the end"),
        ("", 1, "expected an attribute, `not (` or `(`, came the end"),
        ("not title pr", 5, "expected `(` after `not`, came title; write `not` with parentheses: `not (…)`"),
        ("!(title pr)", 1, "expected an attribute, `not (` or `(`, came !; write `not (…)`"),
        ('"Sales" eq department', 1, 'expected an attribute, `not (` or `(`, came "Sales"'),
        (
            'emails[type eq "work"]',
            7,
            "expected an operator after emails, came [; conditions in brackets are not possible in a selector; "
            "ask for the attribute itself",
        ),
        ('title eq "a', 10, 'expected a value after eq, came "; the text is not closed'),
        ('title eq "\\q"', 10, 'expected a value after eq, came "; the text is not closed'),
        ('title eq "\\ud800"', 10, 'expected text, came "\\ud800"; half a surrogate pair is no character'),
        ("title co 5", 10, 'expected text in double quotes after co, came 5; write "5"'),
        ("shift gt true", 10, "expected text or a number after gt, came true"),
        ("shift gt null", 10, "expected text or a number after gt, came null"),
        ("shift eq 1e999", 10, "expected a number that fits, came 1e999"),
        ("shift eq 007", 10, 'expected a value after eq, came 007; text stands in double quotes: "007"'),
        ("title\u00a0pr", 6, "expected a plain space, came '\\xa0'"),
        ("title \x00", 7, "expected an operator after title, came '\\x00'"),
        ("(" * 31 + "a pr" + ")" * 31, 31, "expected at most 30 parentheses inside each other"),
        (f'title eq "{"a" * 10_000}"', 1, "expected a selector of at most 10000 characters, came 10011"),
    ],
)
def test_a_mistake_is_told_with_its_column_and_what_to_write(text: str, column: int, message: str) -> None:
    """The message says what was expected, what came, and for common habits what to write."""
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert caught.value.message.startswith(message)
    assert caught.value.column == column


def test_many_groups_beside_each_other_are_not_deep() -> None:
    """Only parentheses that are open at once count."""
    assert parse(" or ".join(f'(title eq "{number}")' for number in range(100))).attributes == {"title"}


@given(selector_texts)
def test_the_canonical_text_reads_back_as_the_same_question(text: str) -> None:
    """`normal` is itself a selector, and its own canonical text."""
    normal = parse(text).normal
    assert parse(normal).normal == normal


@given(selector_texts)
def test_every_selector_is_a_scim_filter(text: str) -> None:
    """What a selector may be, the SCIM endpoint's parser reads too."""
    assert parse(str(ScimFilter(text).ast)).normal == parse(text).normal


@given(
    st.lists(st.sampled_from(["a", '"x"', "1", "eq", "pr", "and", "or", "not", "(", ")", "true", "null"])).map(" ".join)
)
def test_no_selector_is_refused_that_is_a_scim_filter_and_the_other_way_round(text: str) -> None:
    """The two parsers of one grammar agree about what is a filter, but for attributes named like a word of it."""
    assert _reads_here(text) == (_reads_there(text) and not _names_an_attribute_like_a_word(text))


@given(st.text())
def test_any_text_reads_or_is_refused(text: str) -> None:
    """Nothing but `SelectorError` ever comes out, and its column is one of the text's or just behind it."""
    error = _error_of(text)
    assert error is None or 1 <= error.column <= len(text) + 1


def test_a_selector_can_be_a_key_and_travel() -> None:
    """Selectors are hashable, comparable and can be pickled."""
    selector = parse('title co "Head" or not (active eq false)')
    assert pickle.loads(pickle.dumps(selector)) == selector  # noqa: S301 - our own bytes
    assert {selector: 1}[parse(selector.text)] == 1
    assert str(selector) == selector.text


def test_selectors_join() -> None:
    """`any_of` and `all_of` keep the meaning whatever binds tighter, and say a repeated question once."""
    one, two = parse("a pr or b pr"), parse("c pr")
    assert all_of([one, two]).normal == "(a pr or b pr) and c pr"
    assert parse(all_of([one, two]).text).normal == all_of([one, two]).normal
    assert any_of([one, two, parse("(c pr)")]).normal == "a pr or b pr or c pr"
    assert any_of([two, two]) == two


def _reads_here(text: str) -> bool:
    return _error_of(text) is None


def _reads_there(text: str) -> bool:
    try:
        ScimFilter(text)
    except InvalidFilterException:
        return False
    return True


def _names_an_attribute_like_a_word(text: str) -> bool:
    error = _error_of(text)
    return error is not None and "expected an attribute" in error.message and "the end" not in error.message


def _error_of(text: str) -> SelectorError | None:
    try:
        parse(text)
    except SelectorError as error:
        return error
    return None
