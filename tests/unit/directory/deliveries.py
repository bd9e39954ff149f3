"""What HR systems send: bodies in the shapes their vendors document, with what must never be kept left in."""

from __future__ import annotations

from typing import Any

PRIVATE = ("1990-05-04", "QQ123456C", "84000", "Home Street 5", "anna@home.example", "female", "resigned in anger")
"""Values in these bodies that no one may keep or log."""


def bamboohr(action: str = "Updated", time: str = "2026-01-31T18:42:00+0000", **fields: Any) -> dict[str, Any]:
    """Return a field-based webhook about employee 123."""
    private = {"dateOfBirth": PRIVATE[0], "ssn": PRIVATE[1], "payRate": PRIVATE[2], "address1": PRIVATE[3]}
    return {
        "employees": [
            {
                "id": "123",
                "action": action,
                "timestamp": time,
                "changedFields": list(fields),
                "fields": {name: {"value": value} for name, value in (private | fields).items()},
            }
        ]
    }


def bamboohr_event(kind: str) -> dict[str, Any]:
    """Return an event-based webhook, which carries no values."""
    return {
        "type": kind,
        "timestamp": "2026-01-31T18:42:00+0000",
        "data": {"companyId": "12345", "employeeId": "123", "changedFields": ["firstName"]},
    }


def hibob(kind: str = "employee.updated", **employee: Any) -> dict[str, Any]:
    """Return a webhook of version 1."""
    return {
        "companyId": 636192,
        "type": kind,
        "triggeredBy": "3332883804594373380",
        "triggeredAt": "2026-01-08T13:06:26.915906",
        "version": "v1",
        "employee": {
            "id": "3332883854254932743",
            "personal": {"birthDate": PRIVATE[0], "gender": PRIVATE[5]},
            "home": {"privateEmail": PRIVATE[4]},
            **employee,
        },
        "data": {"changes": [{"field": {"id": "payroll.salary"}, "newValue": PRIVATE[2]}]},
    }


def hibob_event(kind: str) -> dict[str, Any]:
    """Return a lifecycle webhook of version 2, which carries no values."""
    return {
        "companyId": 636192,
        "type": kind,
        "triggeredBy": "system",
        "triggeredAt": "2026-01-08T13:06:26.915906",
        "version": "v2",
        "data": {"employeeId": "3332883854254932743"},
    }


def personio(**attributes: Any) -> dict[str, Any]:
    """Return an employee of the API, as a relay sends it."""
    private = {"gender": PRIVATE[5], "fix_salary": PRIVATE[2], "termination_reason": PRIVATE[6]}
    return {
        "timestamp": "2026-01-31T18:42:00Z",
        "data": {
            "type": "Employee",
            "attributes": {
                name: {"label": name.replace("_", " "), "value": value, "type": "standard", "universal_id": name}
                for name, value in ({"id": 98765} | private | attributes).items()
            },
        },
    }


def personio_event(kind: str) -> dict[str, Any]:
    """Return an event, which carries no values."""
    return {
        "company_id": "16",
        "event_name": kind,
        "occurred_at": "2026-01-31T18:42:00Z",
        "payload": {"person_id": "98765", "employment_id": "4711"},
        "meta": {},
    }


def generic(*people: dict[str, Any], time: str = "2026-01-31T18:42:00Z", **top: Any) -> dict[str, Any]:
    """Return our own shape."""
    return {"occurred_at": time, "people": list(people), **top}
