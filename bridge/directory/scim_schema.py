"""Which attributes of a SCIM User and Group Muster keeps, and how each is compared and returned.

The allow-list of a company's HR data is here: what is not declared is dropped before anything is stored or logged.
The published schemas, the models that validate (`provider_for`) and the light trees of `scim_shape` are all made of
it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from scim2_models import ResourceType, Schema, ScimPolicy, ScimProvider, ServiceProviderConfig
from scim2_server.utils import load_json_resource

from bridge.directory.scim_shape import (
    DATES,
    EMPLOYMENTS,
    ENTERPRISE,
    GROUP,
    JOB,
    MUSTER,
    STATUS,
    USER,
    Attribute,
    Shape,
)

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
        "subAttributes": [*_days(), *(_attribute(name, "Of this job") for name in JOB)],
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
