"""Which localpart somebody gets."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import Attributes, Person
from bridge.ids import PersonId, UserId
from bridge.membership.desired_accounts import DesiredAccounts
from bridge.membership.localpart import USER_ID_MAX, localpart, normalised
from bridge.membership.values import CurrentAccount
from bridge.policy.schema import Accounts

GRAMMAR = re.compile(r"[a-z0-9._=\-/+]+")


@pytest.mark.parametrize(
    ("user_name", "expected"),
    [
        ("m.tamm", "m.tamm"),
        ("M.Tamm@Nordwind.example", "m.tamm"),
        ("  Mari  Tamm ", "mari.tamm"),
        ("Õie Käär", "oie.kaar"),
        ("Łukasz Żółć", "lukasz.zolc"),
        ("Jürgen Groß", "jurgen.gross"),
        ("Søren Ærø", "soren.aero"),
        ("Ｍａｒｉ", "mari"),
        ("o'brien (night)", "obrien.night"),
        ("_admin", "admin"),
        ("._x", "x"),
        ("mari+test/a=b-c_d", "mari+test/a=b-c_d"),
        ("100123", "u100123"),
        ("a\u200db\x00c\ud800", "abc"),
        ("@mari", "mari"),
    ],
)
def test_user_name_is_brought_into_matrix_grammar(user_name: str, expected: str) -> None:
    """E-mail domains, capitals, accents and what Matrix forbids go; spaces become dots; digits alone get a letter."""
    assert localpart({"username": (user_name,)}, "{userName}", ()) == expected


@pytest.mark.parametrize("user_name", ["Юрий", "สมชาย", "山田", "Юрий K", "", "@@", "..."])
def test_a_name_without_ascii_form_gives_way_to_external_id_then_id(user_name: str) -> None:
    """Somebody whose name cannot be written in ASCII, not even in part, still gets a readable, stable localpart."""
    known: Attributes = {"username": (user_name,), "externalid": ("E-77",), "id": ("0a1b",)}
    assert localpart(known, "{userName}", ()) == "e-77"
    assert localpart({**known, "externalid": ("№ 工",)}, "{userName}", ()) == "0a1b"


def test_there_is_always_a_localpart() -> None:
    """Where nothing at all can be written in ASCII, a digest stands in, another one for another person."""
    first, second = (localpart({"id": (name,)}, "{userName}", ()) for name in ("山", "川"))
    assert first != second
    assert GRAMMAR.fullmatch(first)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{userName}", "m.tamm"),
        ("{employeeNumber}", "u77"),
        ("{department}.{userName}", "sales.m.tamm"),
        ("{nickname}.{userName}", "m.tamm"),
        ("{name.givenName}.{name.familyName}", "mari.tamm"),
    ],
)
def test_template_names_any_attribute(template: str, expected: str) -> None:
    """The template may name any attribute; an e-mail address inside it loses its domain, an absent one its dot."""
    known: Attributes = {
        "username": ("m.tamm@nordwind.example",),
        "employeenumber": (77,),
        "department": ("Sales", "Night"),
        "name.givenname": ("Mari",),
        "name.familyname": ("Tamm",),
    }
    assert localpart(known, template, ()) == expected


def test_somebody_taken_gets_the_next_free_number() -> None:
    """Numbers begin at 2, and stand apart from a name that ends in one."""
    mari: Attributes = {"username": ("m.tamm",)}
    assert localpart(mari, "{userName}", {"m.tamm"}) == "m.tamm2"
    assert localpart(mari, "{userName}", {"m.tamm", "m.tamm2"}) == "m.tamm3"
    assert localpart({"username": ("anna7",)}, "{userName}", {"anna7"}) == "anna7-2"


TEXTS = st.text(st.characters() | st.sampled_from("ab1_.@ ÕЮ"))


@given(TEXTS, TEXTS, st.sets(st.sampled_from(["a", "b", "a2", "b2", "u1", "u1-2", "ab", "ab2"])))
def test_every_localpart_is_in_the_grammar_and_free(user_name: str, identity: str, taken: set[str]) -> None:
    """Whatever HR sends, Synapse accepts the localpart, and nobody has it yet."""
    known: Attributes = {"username": (user_name,), "id": (identity,)}
    chosen = localpart(known, "{userName}", taken)
    assert GRAMMAR.fullmatch(chosen)
    assert not chosen.startswith("_")
    assert not chosen.isdigit()
    assert chosen not in taken
    assert chosen == localpart(known, "{userName}", taken)


@given(st.text("abcd"), st.integers(1, 200))
def test_a_localpart_is_a_name_for_itself(name: str, times: int) -> None:
    """What is in the grammar already is not changed."""
    assert normalised(name * times) == name * times


@pytest.mark.parametrize("server_name", ["example.org", "a" * 230])
def test_a_user_id_has_at_most_255_bytes(server_name: str) -> None:
    """A long name is cut to what the server's name leaves, and a number still fits."""
    known: Attributes = {"username": ("a" * 500,)}
    first = localpart(known, "{userName}", (), server_name=server_name)
    second = localpart(known, "{userName}", {first}, server_name=server_name)
    assert len(f"@{first}:{server_name}") == len(f"@{second}:{server_name}") == USER_ID_MAX
    assert second.endswith("2")


def test_duplicate_localparts_of_a_whole_company_are_numbered_alike_whatever_the_order() -> None:
    """8,652 people of whom 2,150 share an address: everybody has one localpart, however they are listed."""
    dice = random.Random(2150)
    names = [f"a{number}" for number in range(6502)]
    shared = ["info", *dice.choices(names, k=1149)] + ["info"] * 1000
    people = [
        Person(PersonId(f"id{number}"), f"{name}@{number}.example", name, active=True)
        for number, name in enumerate([*names, *shared])
    ]
    chosen = _user_ids(people)
    assert len(people) == 8652
    assert len(set(chosen.values())) == len(people)
    dice.shuffle(people)
    assert _user_ids(people) == chosen
    known = {id_: CurrentAccount(id_, user, "", True) for id_, user in chosen.items()}
    assert _user_ids([*people, Person(PersonId("new"), "info@new.example", "N", active=True)], known) == {
        **chosen,
        PersonId("new"): UserId("@info1002:example.org"),
    }


def _user_ids(people: list[Person], known: Mapping[PersonId, CurrentAccount] | None = None) -> dict[PersonId, UserId]:
    census = Census(people, everywhere(date(2027, 3, 1)))
    wanted = DesiredAccounts(Accounts(), census, known or {}, "example.org", ())
    return {person: account.user_id for person, account in wanted.items()}
