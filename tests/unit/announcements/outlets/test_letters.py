"""Who gets announcements by e-mail, and what stands in the letter."""

from __future__ import annotations

from datetime import date

from bridge.announcements.outlets.letters import sorted_out, write
from bridge.announcements.outlets.said import Said
from bridge.announcements.values import Whom
from bridge.directory.census import Census
from bridge.directory.person import Employment, Person
from bridge.directory.selector import parse
from bridge.ids import PersonId
from bridge.policy.loader import load
from bridge.policy.schema import Policy
from tests.unit.announcements.outlets.test_rss import said

DAY = date(2027, 3, 1)
POLICY = """
version: 1
company: Nordwind
rooms:
  news: {name: News, kind: announcement, members: active eq true and userType ne "Contractor", posters: userName eq "a"}
  department: {for_each: department, name: "{department}", members: active eq true}
"""


def policy() -> Policy:
    return load(POLICY, "policy.yaml", ())


def person(
    name: str, *, department: str | None = None, user_type: str | None = None, active: bool = True, **other: str
) -> Person:
    attributes = {"emails": (f"{name}@company.example",), **{key.lower(): (value,) for key, value in other.items()}}
    jobs = (Employment(department=department, user_type=user_type),)
    return Person(PersonId(name), name, name, active, employments=jobs, other=attributes)


def whom(*people: Person, announcements: dict[str, Whom], holders: tuple[str, ...] = ()) -> dict[str, list[str]]:
    each = [text(id_, audience) for id_, audience in announcements.items()]
    census = Census(people, lambda _: DAY)
    found = sorted_out(policy(), census, each, {PersonId(holder) for holder in holders}, "emails")
    return {str(key): value for key, value in found.items()}


def text(id_: str, audience: Whom) -> Said:
    return said({"": {"msgtype": "m.text", "body": f"This is {id_}."}}, id=id_, audience=audience)


NEWS, SALES = Whom(rooms=("news",)), Whom(people=parse('department eq "Sales"'))


def test_those_whom_it_is_for_get_it() -> None:
    """Rooms by their rule's members, people by the selector; nobody gets what is not for them."""
    found = whom(
        person("a", department="Sales"),
        person("b", department="IT"),
        person("c", department="Sales", user_type="Contractor"),
        announcements={"n": NEWS, "s": SALES, "gone": Whom(rooms=("no-such-rule",))},
    )
    assert found == {"a": ["n", "s"], "b": ["n"], "c": ["s"]}


def test_a_room_for_each_value_is_for_those_who_have_one() -> None:
    """Who is in no department is in none of the departments' rooms."""
    found = whom(person("a", department="IT"), person("b"), announcements={"d": Whom(rooms=("department",))})
    assert found == {"a": ["d"]}


def test_nobody_gets_e_mail_who_has_an_account_or_left_or_has_no_address() -> None:
    """Account holders read it in the chat, leavers nowhere."""
    silent = Person(PersonId("d"), "d", "d", True)
    assert whom(
        person("a"), person("b", active=False), person("c"), silent, announcements={"n": NEWS}, holders=("c",)
    ) == {"a": ["n"]}


def test_a_letter_says_who_when_and_what_in_the_readers_language() -> None:
    """Of several languages the one that the person prefers."""
    both = said({"en": {"msgtype": "m.text", "body": "Hello"}, "et": {"msgtype": "m.text", "body": "Tere"}})
    written = write("Nordwind", person("a", preferredLanguage="et-EE"), [both, text("n", NEWS)], DAY)
    assert written.subject == "Nordwind: 2 announcements, 2027-03-01"
    assert "Anna <CEO>, 2027-03-01 08:00 UTC\n--------------------------------\nTere\n" in written.text
    assert "Hello" not in written.text
    assert "This is n." in written.text
