"""What SCIM calls things here, and the light trees that reading, filtering and storing walk. Pure.

The allow-list itself, and all that needs the SCIM library, is `scim_schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from unicodedata import normalize

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MUSTER: Final = "urn:ietf:params:scim:schemas:extension:muster:2.0:User"
"""Our extension: the days of the employment, and the attributes the company's configuration names."""

DATES: Final = ("start", "end")
"""First and last day of the employment in `MUSTER`: the day as it is written counts, whatever the time behind it."""
STATUS: Final = "employmentStatus"
"""HR's own word in `MUSTER` for how somebody is employed; the configuration says what it means."""
EMPLOYMENTS: Final = "employments"
"""Further jobs in `MUSTER`, beside that of the plain attributes; each with `DATES` and the texts of `JOB`."""
JOB: Final = {
    "title": "title",
    "userType": "user_type",
    "department": "department",
    "division": "division",
    "organization": "organization",
    "costCenter": "cost_center",
    "employeeNumber": "employee_number",
}
"""Attribute of a job → field of `person.Employment`."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute as the schema declares it (RFC 7643 section 7)."""

    name: str
    case_exact: bool = False
    always: bool = False
    """Returned whatever was asked for."""
    parts: Mapping[str, Attribute] = field(default_factory=dict)
    """Sub-attributes by lower-case name; those of an extension by lower-case name too."""


@dataclass(frozen=True, slots=True)
class Shape:
    """All attributes of one resource type, by lower-case name; an extension is an attribute named by its URN."""

    kind: str
    """`User` or `Group`: the resource type's name."""
    endpoint: str
    """`Users` or `Groups`."""
    schema: str
    attributes: Mapping[str, Attribute]


def comparison_keys(document: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """Return the document with every text as comparisons use it: NFC, and lower case unless the attribute is caseExact.

    The same rule as `scim2_models.default_comparison_key`, so that SQL and the library agree.
    """
    return _keys_of(document, shape.attributes)


def comparison_key(text: str, *, case_exact: bool = False) -> str:
    """Return the text as comparisons use it."""
    normalized = normalize("NFC", text)
    return normalized if case_exact else normalize("NFC", normalized.lower())


def _keys_of(document: Mapping[str, Any], attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    keys = {}
    for name, value in document.items():
        attribute = attributes.get(name.lower())
        if attribute is not None:
            keys[attribute.name] = _key_of(value, attribute)
    return keys


def _key_of(value: Any, attribute: Attribute) -> Any:
    if isinstance(value, str):
        return comparison_key(value, case_exact=attribute.case_exact)
    if isinstance(value, list):
        return [_key_of(entry, attribute) for entry in value]
    if isinstance(value, dict):
        return _keys_of(value, attribute.parts)
    return value
