"""The sources of webhooks that are known by name, each a mapping of its documented bodies. Pure.

BambooHR: field-based webhooks (an `employees` list with `fields`); of event-based ones, which carry no values, only
the deletion says something. HiBob: version 1 (an `employee`), and lifecycle events of version 2, which carry no
values. Personio: its events (`event_name`, `occurred_at`, `payload`: developer.personio.de/reference/webhooks) carry no
values either; the end of an employment is understood, and the values come as the `Employee` objects of its API, which
a relay sends. An id of its own kind in a payload, such as an employment's, is never taken for the person's. Everybody
else: `generic`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bridge.directory.file_mapping import COLUMNS
from bridge.directory.hook_mapping import Adapter

_STATUSES: Final = {
    **dict.fromkeys(("active", "employed", "leave", "on leave", "true"), True),
    **dict.fromkeys(("inactive", "terminated", "false"), False),
}

BAMBOOHR: Final = Adapter(
    people=("/employees",),
    subject=("id", "data.employeeId"),
    occurred=("timestamp",),
    event=("action", "type"),
    attributes={
        "userName": ("fields.workEmail",),
        "email": ("fields.workEmail",),
        "displayName": ("fields.displayName",),
        "givenName": ("fields.firstName",),
        "familyName": ("fields.lastName",),
        "title": ("fields.jobTitle",),
        "department": ("fields.department",),
        "division": ("fields.division",),
        "employeeNumber": ("fields.employeeNumber",),
        "manager": ("fields.supervisorEId", "fields.supervisorEid"),
        "start": ("fields.hireDate",),
        "end": ("fields.terminationDate",),
        "active": ("fields.status",),
    },
    statuses=_STATUSES,
    events={"deleted": False, "employee.deleted": False},
    is_lenient=True,
)

HIBOB: Final = Adapter(
    people=("/employee",),
    subject=("id", "data.employeeId"),
    occurred=("/triggeredAt",),
    event=("/type",),
    attributes={
        "userName": ("email",),
        "email": ("email",),
        "displayName": ("displayName",),
        "givenName": ("firstName",),
        "familyName": ("surname",),
        "title": ("work.title",),
        "department": ("work.department",),
        "manager": ("work.reportsTo.id",),
        "start": ("work.startDate",),
        "end": ("internal.terminationDate",),
        "active": ("internal.lifecycleStatus", "internal.status"),
    },
    statuses=_STATUSES,
    events={
        "employee.joined": True,
        "employee.activated": True,
        "employee.left": False,
        "employee.deleted": False,
    },
    is_lenient=True,
)

PERSONIO: Final = Adapter(
    people=("/data",),
    subject=("attributes.id", "/payload.person.id", "/payload.person_id"),
    occurred=("/timestamp", "/occurred_at"),
    event=("/event_name",),
    attributes={
        "userName": ("attributes.email",),
        "email": ("attributes.email",),
        "displayName": ("attributes.preferred_name",),
        "givenName": ("attributes.first_name",),
        "familyName": ("attributes.last_name",),
        "title": ("attributes.position",),
        "department": ("attributes.department.attributes.name",),
        "manager": ("attributes.supervisor.attributes.id",),
        "start": ("attributes.hire_date",),
        "end": ("attributes.termination_date",),
        "active": ("attributes.status",),
    },
    statuses={**_STATUSES, "onboarding": True},
    events={"person.deleted": False, "employment.started": True, "employment.terminated": False},
    is_lenient=True,
)

GENERIC: Final = Adapter(
    people=("/people", "/person"),
    subject=("externalId",),
    occurred=("occurred_at", "/occurred_at"),
    event=("/type",),
    attributes={name: (name,) for name in COLUMNS if name != "externalId"},
    statuses=_STATUSES,
    events={"person.left": False, "person.deleted": False},
)

ADAPTERS: Final[Mapping[str, Adapter]] = {
    "bamboohr": BAMBOOHR,
    "generic": GENERIC,
    "hibob": HIBOB,
    "personio": PERSONIO,
}


def own_paths(adapter: str, custom: Sequence[str]) -> dict[str, str]:
    """Return where the company's own attributes are unless it says otherwise: in the generic shape, by their names."""
    return {name: name for name in custom} if adapter == "generic" else {}
