"""What entries say about people, and whether everybody is among them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.ldap_exchange import (
    Answer,
    Entry,
    Request,
    Search,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from bridge.directory.ldap_mapping import (
    ACTIVE_DIRECTORY,
    FLOOR,
    OPENLDAP,
    GroupSearch,
    LdapSource,
    fingerprint,
    picture_of,
    request_of,
)
from bridge.errors import ImportFileError, RefusedError

BASE = "ou=People,dc=x"
SOURCE = LdapSource("main", "ldaps://ldap.example.org", BASE)
DOMAIN = replace(SOURCE, active_directory=True, attributes=ACTIVE_DIRECTORY)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def entry(name: str, **values: str | tuple[str, ...]) -> Entry:
    found = {key.lower(): (value,) if isinstance(value, str) else value for key, value in values.items()}
    return Entry(f"uid={name},{BASE}", {"uid": (name,), **found})


def windows(name: str, **values: str | tuple[str, ...]) -> Entry:
    return entry(name, **{"sAMAccountName": name, "userAccountControl": "512", "accountExpires": "0", **values})


def answer(*people: Entry, changes_only: bool = False, references: tuple[str, ...] = ()) -> Answer:
    return Answer(people, (), (), changes_only, "server", "cursor", references)


def rows(source: LdapSource, found: Answer) -> list[dict[str, str]]:
    return [dict(row.values) for row in picture_of(source, found, "UTC").file.rows]


def test_only_what_is_mapped_is_asked_for() -> None:
    """The attributes of the mapping, and the one that names groups; nothing else."""
    source = replace(SOURCE, attributes={"uid": ("userName", "externalId"), "mail": ("email",)}, groups="memberOf")
    asked = request_of(source, None)
    assert asked.people == Search(BASE, "(objectClass=inetOrgPerson)", ("uid", "mail", "memberOf"))
    assert (asked.groups, asked.manager) == (None, "")
    assert request_of(replace(SOURCE, groups=GroupSearch("ou=G")), None).groups == Search(
        "ou=G", GroupSearch("").filter, ("cn", "member")
    )


def test_secrets_are_not_shown() -> None:
    """Neither by the source nor by the request."""
    source = replace(SOURCE, password="hidden")
    assert "hidden" not in repr(source) + repr(request_of(source, None))


def test_fingerprint_is_of_what_decides_the_answer() -> None:
    """Another filter makes another; another password or page does not."""
    asked = request_of(SOURCE, None)
    same = replace(SOURCE, password="other", page=7)
    assert fingerprint(request_of(same, ("server", "1"))) == fingerprint(asked)
    for other in (replace(SOURCE, filter="(a=b)"), replace(SOURCE, attributes={"uid": ("userName",)}), DOMAIN):
        assert fingerprint(request_of(other, None)) != fingerprint(asked)


def test_both_flavours_name_everybody_and_keep_an_id() -> None:
    """Their defaults map a userName and an id that a rename does not change."""
    for attributes in (ACTIVE_DIRECTORY, OPENLDAP):
        ours = [name for names in attributes.values() for name in names]
        assert {"userName", "externalId", "manager"} <= set(ours)
        assert len(ours) == len(set(ours))


def test_first_value_counts_unless_the_entry_is_named_by_another() -> None:
    """Which a server does not reorder."""
    found = entry("m.tamm", uid=("alias", "M.Tamm"), mail=("b@x", "a@x"))
    (row,) = rows(SOURCE, answer(found))
    assert (row["userName"], row["email"]) == ("M.Tamm", "b@x")


def test_windows_account_is_read() -> None:
    """Disabled is inactive, an expiry is the end, never is no end."""
    on = windows("on", accountExpires="9223372036854775807")
    off = windows("off", userAccountControl="514", accountExpires="133801632000000000")
    first, second = rows(DOMAIN, answer(on, off))
    assert (first["active"], first["end"]) == ("true", "")
    assert (second["active"], second["end"]) == ("false", "2024-12-31")


def test_time_stamps_become_days() -> None:
    """A GeneralizedTime mapped to a day is the day where the company is; another text stays."""
    source = replace(SOURCE, attributes={"uid": ("userName",), "hired": ("start",)})
    found = answer(entry("a", hired="20270228230000Z"), entry("b", hired="2027-03-05"))
    days = [row.values["start"] for row in picture_of(source, found, "Europe/Tallinn").file.rows]
    assert days == ["2027-03-01", "2027-03-05"]


def test_managers_are_named_by_user_name() -> None:
    """From the people or from those looked up beside them; a plain text stays as it is."""
    boss = Entry("uid=boss,ou=Board,dc=x", {"uid": ("boss",)})
    found = replace(
        answer(
            entry("a", manager="UID=Boss, ou=board, DC=x"),
            entry("b", manager=f"uid=a,{BASE}"),
            entry("c", manager="4711"),
            entry("d", manager="uid=gone,dc=x"),
        ),
        managers=(boss,),
    )
    picture = picture_of(SOURCE, found, "UTC")
    assert [row.values["manager"] for row in picture.file.rows] == ["boss", "a", "4711", ""]
    assert any(note.endswith("cannot be read, or has no userName: 1; left empty") for note in picture.notes)


def test_groups_are_found_by_entry_or_user_name() -> None:
    """groupOfNames and posixGroup; a semicolon in a name, which separates groups, becomes a comma."""
    source = replace(SOURCE, groups=GroupSearch("ou=G,dc=x", member="member"))
    found = replace(
        answer(entry("a"), entry("b"), entry("c")),
        groups=(
            Entry("cn=N", {"cn": ("Night; east",), "member": (f"UID=a , {BASE}", "b")}),
            Entry("cn=D", {"cn": ("Drivers", "Fahrer"), "member": ("A",)}),
        ),
    )
    assert [row["groups"] for row in rows(source, found)] == ["Drivers;Night, east", "Night, east", ""]


def test_names_of_groups_come_from_their_distinguished_names() -> None:
    """memberOf of Active Directory."""
    source = replace(SOURCE, groups="memberOf")
    (row,) = rows(source, answer(entry("a", memberOf=(r"CN=Sales\, EMEA,OU=G,DC=x", "CN=All,OU=G,DC=x"))))
    assert row["groups"] == "All;Sales, EMEA"


def test_nobody_is_an_error_unless_only_changes_were_asked_for() -> None:
    """Success with 0 entries is what lost rights look like."""
    with pytest.raises(RefusedError, match="gave 0 entries"):
        picture_of(SOURCE, answer(), "UTC")
    picture = picture_of(SOURCE, answer(changes_only=True), "UTC")
    assert (picture.file.rows, picture.proven) == ((), False)


def test_changes_prove_nothing() -> None:
    """Only a full reading tells who is absent."""
    assert picture_of(SOURCE, answer(entry("a")), "UTC").proven
    assert not picture_of(SOURCE, answer(entry("a"), changes_only=True), "UTC").proven


def test_reference_takes_the_proof_but_for_partitions_without_people() -> None:
    """Which every domain controller refers to below the root of its domain."""
    own = ("ldap://ForestDnsZones.x/DC=ForestDnsZones,DC=x", "ldap://x/CN=Configuration,DC=x")
    assert picture_of(SOURCE, answer(entry("a"), references=own), "UTC").proven
    elsewhere = picture_of(SOURCE, answer(entry("a"), references=(*own, "ldap://east/OU=East,DC=x")), "UTC")
    assert not elsewhere.proven
    assert "ldap://east" in elsewhere.notes[0]
    assert "ForestDnsZones" not in elsewhere.notes[0]


def test_missing_canary_takes_the_proof() -> None:
    """However its name is written."""
    source = replace(SOURCE, expect=f"UID=Canary, {BASE}")
    assert picture_of(source, answer(entry("a"), entry("canary")), "UTC").proven
    assert not picture_of(source, answer(entry("a")), "UTC").proven


@pytest.mark.parametrize(("before", "believed"), [(0, False), (1, True), (FLOOR, True), (FLOOR + 1, False)])
def test_attribute_that_nobody_has_any_more_is_believed_of_a_few(before: int, believed: bool) -> None:
    """Otherwise the column is left out, and settles nothing."""
    picture = picture_of(SOURCE, answer(entry("a")), "UTC", {"title": before})
    assert ("title" in picture.file.columns) is believed
    assert any("title" in note for note in picture.notes) is not believed


def test_expiry_of_never_is_a_value() -> None:
    """Whose account no longer expires has no end, though nobody else has one."""
    picture = picture_of(DOMAIN, answer(windows("a")), "UTC")
    assert "end" in picture.file.columns
    assert picture.counts["end"] == 1


def test_every_problem_is_told_by_the_name_of_the_entry() -> None:
    """All or nothing: duplicates, what is missing, what does not read."""
    found = answer(
        windows("a"),
        windows("b", sAMAccountName="A"),
        windows("c", userAccountControl="maybe"),
        windows("d", accountExpires="soon"),
        windows("e", displayName="a\x00b"),
        Entry(f"cn=f,{BASE}", {"useraccountcontrol": ("512",)}),
    )
    with pytest.raises(ImportFileError) as caught:
        picture_of(DOMAIN, found, "UTC")
    said = caught.value.message
    for problem in (
        f"uid=b,{BASE}: userName: error: 'A' is also that of uid=a,{BASE}",
        f"uid=c,{BASE}: active: error: expected true or false, came 'maybe'",
        f"uid=d,{BASE}: end: error: expected a day",
        f"uid=e,{BASE}: displayName: error: expected text, came a NUL character",
        f"cn=f,{BASE}: userName: error: expected a name, came nothing",
        "Nothing was changed.",
    ):
        assert problem in said
    assert set(caught.value.columns) == {"active", "end", "userName", "displayName"}


def test_account_without_flags_among_others_is_refused() -> None:
    """Whether it is active cannot be told."""
    blind = Entry(f"uid=b,{BASE}", {"samaccountname": ("b",)})
    with pytest.raises(ImportFileError, match="active: error: expected true or false, came ''"):
        picture_of(DOMAIN, answer(windows("a"), blind), "UTC")


entries = st.builds(Entry, WORDS, st.dictionaries(WORDS, st.lists(WORDS, max_size=3).map(tuple), max_size=3))
searches = st.builds(Search, WORDS, WORDS, st.lists(WORDS, max_size=3).map(tuple))


@given(
    st.builds(
        Answer,
        *[st.lists(entries, max_size=3).map(tuple)] * 3,
        st.booleans(),
        WORDS,
        WORDS,
        st.lists(WORDS, max_size=2).map(tuple),
    )
)
def test_answers_survive_the_way_between_processes(found: Answer) -> None:
    """Every text does."""
    assert decode_answer(encode_answer(found)) == found


@given(
    st.builds(
        Request,
        url=WORDS,
        start_tls=st.booleans(),
        ca=WORDS,
        bind_dn=WORDS,
        password=WORDS,
        page=st.integers(),
        active_directory=st.booleans(),
        people=searches,
        groups=st.none() | searches,
        manager=WORDS,
        since=st.none() | st.tuples(WORDS, WORDS),
    )
)
def test_requests_survive_the_way_between_processes(asked: Request) -> None:
    """Every text does."""
    assert decode_request(encode_request(asked)) == asked
