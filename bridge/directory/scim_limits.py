"""What a resource must keep to beside its schema, because of what is made of it and where it is kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from scim2_models import InvalidValueException

from bridge.directory.scim_shape import MUSTER
from bridge.directory.scim_user import employments_of

MAX_KEY: Final = 500
"""Longest userName, externalId, group name and reference, in characters; PostgreSQL indexes at most 2,700 bytes."""


def is_id(text: str) -> bool:
    """Tell whether this could be an id of ours; others are not worth asking the database about."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def require_days(document: Mapping[str, Any]) -> None:
    """Raise `InvalidValueException` for days of which no employment can be made."""
    try:
        employments_of(document)
    except ValueError as error:
        raise InvalidValueException(detail=f"{MUSTER}: {error}") from error


def require_short(values: Iterable[str]) -> None:
    """Raise `InvalidValueException` for a name or id that is too long for an index."""
    if any(len(value) > MAX_KEY for value in values):
        raise InvalidValueException(detail=f"Expected names and ids of at most {MAX_KEY} characters")
