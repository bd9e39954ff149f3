"""Random people and selectors whose values meet often."""

from __future__ import annotations

import json
from datetime import date
from uuid import UUID

from hypothesis import strategies as st

from bridge.directory.person import Employment, Person, Scalar
from bridge.ids import PersonId

DAY = date(2027, 3, 1)

_TEXTS = (
    "",
    "Sales",
    "sales",
    "SALES",
    "Sales North",
    "North",
    "Straße",
    "STRASSE",
    "é",
    "e\u0301",
    "1",
    "true",
    "%",
    "_",
)
_DAYS = (None, date(2027, 2, 28), DAY, date(2027, 3, 2))
_PATHS = (
    "id",
    "externalId",
    "userName",
    "displayName",
    "active",
    "department",
    "TITLE",
    "manager",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter",
    "name.givenName",
    "groups",
    "shift",
)

texts = st.sampled_from(_TEXTS)
scalars: st.SearchStrategy[Scalar] = st.one_of(texts, st.booleans(), st.sampled_from((0, 1, 1.0, 2, 2.5)))
employments = st.builds(
    Employment,
    start=st.sampled_from(_DAYS),
    end=st.sampled_from(_DAYS),
    title=st.none() | texts,
    department=st.none() | texts,
    cost_center=st.none() | texts,
    manager=st.none() | texts.map(PersonId),
)
people = st.lists(
    st.builds(
        Person,
        id=st.uuids(version=4).map(lambda uuid: PersonId(str(UUID(str(uuid))))) | texts.map(PersonId),
        user_name=texts,
        display_name=texts,
        active=st.booleans(),
        external_id=st.none() | texts,
        employments=st.lists(employments, max_size=3).map(tuple),
        other=st.dictionaries(
            st.sampled_from(("name.givenname", "groups", "shift")), st.lists(scalars, max_size=3).map(tuple)
        ),
    ),
    max_size=10,
)


@st.composite
def questions(draw: st.DrawFn) -> str:
    """A comparison or a presence test."""
    path = draw(st.sampled_from(_PATHS))
    operator = draw(st.sampled_from(("eq", "NE", "co", "sw", "Ew", "gt", "ge", "lt", "le", "pr", "null")))
    if operator == "pr":
        return f"{path} pr"
    if operator == "null":
        return f"{path} {draw(st.sampled_from(('eq', 'ne')))} null"
    if operator in ("co", "sw", "Ew"):
        return f"{path} {operator} {_quoted(draw(texts))}"
    values = scalars if operator in ("eq", "NE") else scalars.filter(lambda value: not isinstance(value, bool))
    return f"{path} {operator} {_quoted(draw(values))}"


selector_texts = st.recursive(
    questions(),
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({})".format, inner),
        st.builds("{} and ({})".format, inner, inner),
        st.builds("({}) AND {}".format, inner, inner),
        st.builds("{} or\n{}".format, inner, inner),
    ),
    max_leaves=6,
)


def _quoted(value: Scalar) -> str:
    return json.dumps(value)
