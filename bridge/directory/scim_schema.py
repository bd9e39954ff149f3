"""Which attributes of a SCIM User and Group Muster keeps, and how each is compared and returned.

The allow-list of a company's HR data is here: what is not declared is dropped before anything is stored or logged.
The published schemas, the models that validate (`provider_for`) and the light trees (`Shape`) that reading,
filtering and storing walk are all made of it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from unicodedata import normalize

from scim2_models import ResourceType, Schema, ScimPolicy, ScimProvider, ServiceProviderConfig
from scim2_server.utils import load_json_resource

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
"""Further jobs in `MUSTER`, beside that of the plain attributes; each with `DATES`, `MANAGER` and texts of `JOB`."""
MANAGER: Final = "manager"
"""Who manages one of `EMPLOYMENTS`: id, userName or externalId, also of somebody who has not come yet."""
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
MAX_RESULTS: Final = 200
"""Largest page of a list (RFC 7644 section 3.4.2.4)."""

_KEPT: Final = {
    USER: frozenset(
        [
            "userName",
            "name",
            "displayName",
            "title",
            "userType",
            "preferredLanguage",
            "locale",
            "timezone",
            "active",
            "emails",
            "groups",
        ]
    ),
    GROUP: frozenset({"displayName", "members"}),
    ENTERPRISE: frozenset(["employeeNumber", "costCenter", "organization", "division", "department", "manager"]),
}
"""The allow-list. Phone numbers, addresses, photos and passwords are left out on purpose."""


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


def provider_for(custom: Sequence[str] = (), *, published: bool = False) -> ScimProvider:
    """Return the description of our SCIM service: reduced schemas, with the custom attributes of the company.

    What is `published` leaves out what is accepted and not returned as sent, which validators would stumble on:
    days, which are no free text, and the name of a group's member. Tolerates what identity providers send beside
    the specification, as far as it cannot be misread.
    """
    definitions = _definitions(custom, published=published)
    return ScimProvider.from_discovery(
        [Schema.model_validate(definition) for definition in definitions],
        [ResourceType.model_validate(definition) for definition in _resource_types()],
        config=ServiceProviderConfig.model_validate(_SERVICE),
        policy=ScimPolicy(
            unknown=ScimPolicy.Unknown.ignore,
            remove_value_as_filter=ScimPolicy.RemoveValue.apply,
            unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
        ),
    )


def shapes_for(custom: Sequence[str] = ()) -> Mapping[str, Shape]:
    """Return the shape of each resource type, by its name."""
    definitions = {definition["id"]: definition for definition in _definitions(custom)}
    user = _attributes(definitions[USER]["attributes"]) | {
        urn.lower(): Attribute(urn, parts=_attributes(definitions[urn]["attributes"])) for urn in (ENTERPRISE, MUSTER)
    }
    return {
        "User": Shape("User", "Users", USER, _COMMON | user),
        "Group": Shape("Group", "Groups", GROUP, _COMMON | _attributes(definitions[GROUP]["attributes"])),
    }


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


def _attributes(definitions: Iterable[Mapping[str, Any]]) -> dict[str, Attribute]:
    return {
        definition["name"].lower(): Attribute(
            definition["name"],
            case_exact=definition.get("caseExact", False),
            always=definition.get("returned") == "always",
            parts=_attributes(definition.get("subAttributes", ())),
        )
        for definition in definitions
    }


_COMMON: Final = {
    "schemas": Attribute("schemas", case_exact=True, always=True),
    "id": Attribute("id", case_exact=True, always=True),
    "externalid": Attribute("externalId", case_exact=True),
    "meta": Attribute(
        "meta",
        parts={
            name.lower(): Attribute(name, case_exact=True)
            for name in ("resourceType", "created", "lastModified", "location", "version")
        },
    ),
}


def _definitions(custom: Sequence[str], *, published: bool = False) -> list[dict[str, Any]]:
    kept = []
    for definition in load_json_resource("default-schemas.json"):
        if definition["id"] in _KEPT:
            attributes = [
                attribute for attribute in definition["attributes"] if attribute["name"] in _KEPT[definition["id"]]
            ]
            kept.append({**definition, "attributes": attributes})
    group = next(definition for definition in kept if definition["id"] == GROUP)
    for attribute in group["attributes"]:
        if attribute["name"] == "displayName":
            attribute["uniqueness"] = "server"
        elif published:
            # `display` is none of RFC 7643 section 8.7.1, and would be out of date with every change of a name.
            attribute["subAttributes"] = [part for part in attribute["subAttributes"] if part["name"] != "display"]
    return [*kept, _extension(custom, published=published)]


def _extension(custom: Sequence[str], *, published: bool) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": MUSTER,
        "name": "Muster",
        "description": "Days and status of the employment, further jobs, and what this company asks for beside",
        "attributes": [
            *([] if published else [*_days(), _employments()]),
            _attribute(STATUS, "HR's own word, which the configuration translates"),
            *(_attribute(name, "Named in the configuration") for name in custom),
        ],
    }


def _days() -> list[dict[str, Any]]:
    return [_attribute(name, "An ISO 8601 day, at the place of work") for name in DATES]


def _employments() -> dict[str, Any]:
    return {
        **_attribute(EMPLOYMENTS, "Further jobs beside that of the plain attributes"),
        "type": "complex",
        "multiValued": True,
        "subAttributes": [*_days(), *(_attribute(name, "Of this job") for name in (*JOB, MANAGER))],
    }


def _attribute(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "string",
        "multiValued": False,
        "description": description,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }


def _resource_types() -> list[dict[str, Any]]:
    definitions: list[dict[str, Any]] = load_json_resource("default-resource-types.json")
    return [
        {
            **definition,
            "schemaExtensions": [*definition["schemaExtensions"], {"schema": MUSTER, "required": False}],
        }
        if definition["id"] == "User"
        else definition
        for definition in definitions
    ]


_SERVICE: Final = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    "patch": {"supported": True},
    "bulk": {"supported": True, "maxOperations": 100, "maxPayloadSize": 1_048_576},
    "filter": {"supported": True, "maxResults": MAX_RESULTS},
    "changePassword": {"supported": False},
    "pagination": {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": MAX_RESULTS,
        "maxPageSize": MAX_RESULTS,
        "cursorTimeout": 3600,
    },
    "sort": {"supported": True},
    "etag": {"supported": True},
    "authenticationSchemes": [
        {
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token made by `muster`, in the Authorization header",
            "primary": True,
        }
    ],
}
