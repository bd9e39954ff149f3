"""The demo's HR system: it speaks SCIM (RFC 7644) over HTTP with a bearer token, as a real one would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

import aiohttp

from bridge.demo.company import Company, Employee, scim_group, scim_user
from bridge.demo.concurrency import together
from bridge.errors import MusterError
from bridge.ids import PersonId

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""

_AT_ONCE = 8
_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


class HumanResources:
    """Whoever keeps the company's people, and pushes every change."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Take the address of the SCIM endpoint, such as `http://127.0.0.1:29330/scim/v2`."""
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}

    async def push(self, company: Company, progress: Progress) -> dict[str, PersonId]:
        """Push everybody, level by level so that every manager is known, then the groups.

        Returns the SCIM id of each `external_id`.
        """
        ids: dict[str, PersonId] = {}

        async def hire(employee: Employee) -> None:
            manager = ids[employee.manager] if employee.manager else None
            created = await self._request("POST", "Users", scim_user(employee, manager))
            ids[employee.external_id] = PersonId(created["id"])
            progress(len(ids), len(company.people))

        for _, level in groupby(company.people, key=lambda employee: employee.level):
            await together(map(hire, level), at_once=_AT_ONCE)
        for group in company.groups:
            await self._request("POST", "Groups", scim_group(group, ids))
        return ids

    async def count(self) -> int:
        """Return how many people the endpoint lists."""
        answer = await self._request("GET", "Users?count=1")
        return int(answer["totalResults"])

    async def move(self, person: PersonId, department: str) -> None:
        """Put somebody into another department."""
        await self._replace(person, f"{_ENTERPRISE}:department", department)

    async def dismiss(self, person: PersonId) -> None:
        """Say that somebody does not work here any more; returns when the endpoint has answered."""
        await self._replace(person, "active", value=False)

    async def _replace(self, person: PersonId, path: str, value: object) -> None:
        operation = {"op": "replace", "path": path, "value": value}
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        await self._request("PATCH", f"Users/{person}", {"schemas": schemas, "Operations": [operation]})

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            async with self._session.request(
                method, f"{self._url}/{path}", json=body, headers=self._headers
            ) as response:
                answer: dict[str, Any] = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise MusterError(f"the SCIM endpoint did not answer {method} {path}: {error!r}") from error
        if not response.ok:
            raise MusterError(
                f"the SCIM endpoint refused {method} {path}: {response.status} {answer.get('detail', '')}"
            )
        return answer
