"""What is understood of HR's webhooks, in every vendor's words, and what is dropped unread."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.file_mapping import COLUMNS
from bridge.directory.hook_adapters import ADAPTERS, BAMBOOHR, GENERIC, HIBOB, PERSONIO, own_paths
from bridge.directory.hook_mapping import LONGEST, Adapter, HookEvent, Unusable, adapted, fresh, map_delivery
from bridge.errors import DeliveryError
from tests.unit.directory import deliveries

SENT = datetime(2026, 2, 1, tzinfo=UTC)

CHANGES: tuple[tuple[Adapter, dict[str, Any], str, dict[str, str]], ...] = (
    (
        BAMBOOHR,
        deliveries.bamboohr(
            workEmail="anna@x.ee", firstName="Anna", lastName="Õun", jobTitle="Clerk", department="Sales",
            hireDate="2026-02-01", terminationDate="0000-00-00", status="Active", supervisorEId=7,
        ),
        "123",
        {
            "userName": "anna@x.ee", "email": "anna@x.ee", "givenName": "Anna", "familyName": "Õun", "title": "Clerk",
            "department": "Sales", "start": "2026-02-01", "end": "", "active": "true", "manager": "7",
        },
    ),
    (BAMBOOHR, deliveries.bamboohr(jobTitle="Head of Sales"), "123", {"title": "Head of Sales"}),
    (
        BAMBOOHR,
        deliveries.bamboohr(status="Inactive", terminationDate="2026-01-31"),
        "123",
        {"active": "false", "end": "2026-01-31"},
    ),
    (BAMBOOHR, deliveries.bamboohr("Deleted"), "123", {"active": "false"}),
    (BAMBOOHR, deliveries.bamboohr_event("employee.deleted"), "123", {"active": "false"}),
    (
        HIBOB,
        deliveries.hibob(
            "employee.created", email="bo@x.ee", displayName="Bo Li", firstName="Bo", surname="Li",
            work={"title": "Clerk", "department": "IT", "startDate": "2026-01-08", "reportsTo": {"id": "9"}},
            internal={"status": "Active", "lifecycleStatus": "Employed"},
        ),
        "3332883854254932743",
        {
            "userName": "bo@x.ee", "email": "bo@x.ee", "displayName": "Bo Li", "givenName": "Bo", "familyName": "Li",
            "title": "Clerk", "department": "IT", "start": "2026-01-08", "manager": "9", "active": "true",
        },
    ),
    (HIBOB, deliveries.hibob(work={"department": "Sales"}), "3332883854254932743", {"department": "Sales"}),
    (HIBOB, deliveries.hibob("employee.left"), "3332883854254932743", {"active": "false"}),
    (HIBOB, deliveries.hibob_event("employee.left"), "3332883854254932743", {"active": "false"}),
    (
        PERSONIO,
        deliveries.personio(
            first_name="Cai", last_name="Ek", email="cai@x.ee", status="onboarding", position="Driver",
            hire_date="2026-03-01T00:00:00+01:00", termination_date=None,
            department={"type": "Department", "attributes": {"id": 5, "name": "Fleet"}},
            supervisor={"type": "Employee", "attributes": {"id": {"label": "ID", "value": 4}}},
        ),
        "98765",
        {
            "userName": "cai@x.ee", "email": "cai@x.ee", "givenName": "Cai", "familyName": "Ek", "title": "Driver",
            "department": "Fleet", "manager": "4", "start": "2026-03-01T00:00:00+01:00", "end": "", "active": "true",
        },
    ),
    (PERSONIO, deliveries.personio(position="Dispatcher"), "98765", {"title": "Dispatcher"}),
    (
        PERSONIO,
        deliveries.personio(status="inactive", termination_date="2026-01-31"),
        "98765",
        {"active": "false", "end": "2026-01-31"},
    ),
    (PERSONIO, deliveries.personio_event("employment.terminated"), "98765", {"active": "false"}),
    (
        GENERIC,
        deliveries.generic({"externalId": 5, "userName": "d", "active": True, "groups": ["A", "B"], "title": None}),
        "5",
        {"userName": "d", "active": "true", "groups": "A;B", "title": ""},
    ),
    (GENERIC, {"type": "person.left", "person": {"externalId": "5"}}, "5", {"active": "false"}),
    (GENERIC, {"externalId": "5", "title": "Cle\u0301"}, "5", {"title": "Clé"}),
)  # fmt: skip


@pytest.mark.parametrize(("adapter", "body", "subject", "said"), CHANGES)
def test_vendors_changes_and_terminations_are_understood(
    adapter: Adapter, body: dict[str, Any], subject: str, said: Mapping[str, str]
) -> None:
    """Each adapter reads its vendor's documented bodies: a hire, a change of one attribute, a termination."""
    (event,) = map_delivery(adapter, body, SENT)

    assert isinstance(event, HookEvent)
    assert event.subject == subject
    assert dict(event.attributes) == said


@pytest.mark.parametrize(("adapter", "body"), [case[:2] for case in CHANGES])
def test_private_attributes_are_dropped_unread(adapter: Adapter, body: dict[str, Any]) -> None:
    """Privacy: birth date, gender, pay, home address, private contacts and reason of leave go no further."""
    kept = json.dumps([asdict(event) for event in map_delivery(adapter, body, SENT)], default=str)

    assert [value for value in deliveries.PRIVATE if value in kept] == []


@pytest.mark.parametrize("adapter", ADAPTERS.values())
def test_adapters_know_only_attributes_that_are_allowed(adapter: Adapter) -> None:
    """A mapping cannot widen what the directory keeps."""
    assert set(adapter.attributes) <= set(COLUMNS)


@pytest.mark.parametrize(
    ("adapter", "body", "moment"),
    [
        (BAMBOOHR, deliveries.bamboohr(jobTitle="x"), datetime(2026, 1, 31, 18, 42, tzinfo=UTC)),
        (HIBOB, deliveries.hibob_event("employee.left"), datetime(2026, 1, 8, 13, 6, 26, 915906, UTC)),
        (GENERIC, {"externalId": "5", "title": "x"}, SENT),
        (GENERIC, {"externalId": "5", "title": "x", "occurred_at": "9999-01-01T00:00:00Z"}, SENT),
    ],
)
def test_event_has_its_own_time(adapter: Adapter, body: dict[str, Any], moment: datetime) -> None:
    """The source's, in UTC where it names no zone; never after the sending, which is it when it names no time."""
    assert map_delivery(adapter, body, SENT)[0].occurred_at == moment


@pytest.mark.parametrize(
    ("adapter", "body", "message"),
    [
        (GENERIC, [], "expected a JSON object"),
        (GENERIC, {"people": []}, "expected at least one person"),
        (GENERIC, {"people": ["anna"]}, "expected each person to be a JSON object"),
        (GENERIC, {"userName": "anna"}, "expected the person's id at externalId"),
        (GENERIC, {"externalId": "", "userName": "anna"}, "expected the person's id"),
        (GENERIC, {"externalId": "1"}, "it names no attribute of the person"),
        (GENERIC, {"externalId": "1", "active": "sabbatical"}, "does not read: active"),
        (GENERIC, {"externalId": "1", "start": "5 May", "email": "none"}, "does not read: email, start"),
        (GENERIC, {"externalId": "1.2E+10", "title": "x"}, "does not read: externalId"),
        (GENERIC, {"externalId": "1", "title": "=HYPERLINK(1)"}, "does not read: title"),
        (GENERIC, {"externalId": "1", "title": {"a": 1}}, "expected text in title"),
        (GENERIC, {"externalId": "1", "title": "a\x00b"}, "none of control, in title"),
        (GENERIC, {"externalId": "1", "title": "\ud800"}, "none of control, in title"),
        (GENERIC, {"externalId": "1", "title": "x" * (LONGEST + 1)}, f"at most {LONGEST} characters"),
        (GENERIC, {"externalId": "1", "title": "x", "occurred_at": "0001-01-01T00:00+09:00"}, "in ISO 8601"),
        (GENERIC, {"externalId": "1", "title": "x", "occurred_at": "yesterday"}, "the moment of the event in ISO 8601"),
    ],
)
def test_what_is_not_understood_is_told_without_values(adapter: Adapter, body: object, message: str) -> None:
    """The sender learns which attribute, and the log gets no value."""
    with pytest.raises(DeliveryError) as caught:
        map_delivery(adapter, body, SENT)
    assert message in caught.value.message
    assert "sabbatical" not in caught.value.message


@pytest.mark.parametrize(
    ("adapter", "body", "subject", "outcome", "reason"),
    [
        (BAMBOOHR, deliveries.bamboohr_event("employee.updated"), "123", "without_values", "no values"),
        (HIBOB, deliveries.hibob_event("employee.updated"), "3332883854254932743", "without_values", "no values"),
        (PERSONIO, deliveries.personio_event("person.updated"), "98765", "without_values", "no values"),
        (BAMBOOHR, deliveries.bamboohr(), "123", "ignored", "nothing of what is kept"),
        (BAMBOOHR, {"employees": []}, "", "ignored", "names nobody"),
        (BAMBOOHR, deliveries.bamboohr(status="sabbatical"), "123", "refused", "does not read: active"),
        (HIBOB, {"type": "timeoff.request", "data": {"id": 7}}, "", "refused", "expected the person's id"),
        (PERSONIO, {"event_name": "document.created", "payload": {"id": "4"}}, "", "refused", "the person's id"),
        (HIBOB, {"employee": "anna"}, "", "refused", "each person to be a JSON object"),
        (HIBOB, {"employee": {"id": {"a": 1}}}, "", "refused", "expected text in externalId"),
    ],
)
def test_what_a_vendor_says_in_vain_is_kept_as_such(
    adapter: Adapter, body: object, subject: str, outcome: str, reason: str
) -> None:
    """A vendor whose webhook is refused switches it off: the event is taken, with why nobody can act on it."""
    (event,) = map_delivery(adapter, body, SENT)

    assert isinstance(event, Unusable)
    assert (event.subject, event.outcome) == (subject, outcome)
    assert reason in event.reason
    assert "sabbatical" not in event.reason


def test_one_bad_person_of_a_vendors_does_not_hide_the_others() -> None:
    """The vendor does not send the delivery again, so each person counts by itself."""
    good, bad = deliveries.bamboohr(jobTitle="x"), deliveries.bamboohr(status="sabbatical")
    events = map_delivery(BAMBOOHR, {"employees": bad["employees"] + good["employees"]}, SENT)

    assert [type(event) for event in events] == [Unusable, HookEvent]


def test_one_bad_person_refuses_the_delivery() -> None:
    """All or nothing."""
    with pytest.raises(DeliveryError):
        map_delivery(GENERIC, deliveries.generic({"externalId": "1", "title": "x"}, {"externalId": "2"}), SENT)


def test_company_names_its_own_attributes_and_words() -> None:
    """A path for an attribute of its own, and an explicit table of its statuses."""
    adapter = adapted(BAMBOOHR, {"shift": "fields.customShift"}, {"Garden Leave": False})
    (event,) = map_delivery(adapter, deliveries.bamboohr(customShift="night", status="garden leave"), SENT)

    assert isinstance(event, HookEvent)
    assert event.attributes == {"shift": "night", "active": "false"}
    assert own_paths("generic", ["shift"]) == {"shift": "shift"}
    assert own_paths("hibob", ["shift"]) == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["employees", "employee", "data", "people", "id", "fields", "value", "attributes", *COLUMNS]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(sorted(ADAPTERS)), json_values)
def test_no_body_is_more_than_refused(adapter: str, body: Any) -> None:
    """Whatever the JSON, it is understood or refused."""
    try:
        events = map_delivery(ADAPTERS[adapter], body, SENT)
    except DeliveryError:
        return
    assert all(isinstance(event, Unusable) or (event.subject and event.attributes) for event in events)
    assert adapter != "generic" or not any(isinstance(event, Unusable) for event in events)


@given(
    st.permutations(range(4)),
    st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=3), min_size=1), min_size=4, max_size=4),
)
def test_order_of_arrival_does_not_matter(order: list[int], said: list[dict[str, str]]) -> None:
    """Disorder: older never overwrites newer, attribute by attribute, and what only the older says is not lost."""

    def told(events: list[HookEvent]) -> dict[str, str]:
        values: dict[str, str] = {}
        moments: dict[str, datetime] = {}
        for event in events:
            news = fresh(event, moments)
            values |= news
            moments |= dict.fromkeys(news, event.occurred_at)
        return values

    events = [HookEvent("1", SENT + timedelta(hours=hour), attributes) for hour, attributes in enumerate(said)]
    assert told([events[place] for place in order]) == told(events)
    assert told(list(itertools.chain(events, events[:2]))) == told(events)
