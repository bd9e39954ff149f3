"""A small company: its directory and tables on a real PostgreSQL, its homeserver in memory."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge.clock import system_clock
from bridge.directory.history_store import lock_directory, next_version, record_history, wake
from bridge.directory.resource_store import insert_resources, update_resources
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE
from bridge.ids import PersonId, UserId
from bridge.membership.current import Membership
from bridge.membership.reconcile import Reconciled, Reconciler
from bridge.membership.survey import Scope
from bridge.membership.upkeep import Upkeep
from bridge.policy.schema import Brake, Policy
from tests.integration.membership.homeserver import BOT, SERVER, FakeHomeserver
from tests.unit.membership import notation

if TYPE_CHECKING:
    from bridge.database import Pool

RULES: dict[str, Any] = {
    "spaces": {
        "company": {"members": "active eq true", "rooms": ["lounge"], "spaces": ["departments"]},
        "departments": {"members": "active eq true", "rooms": ["department"]},
    },
    "rooms": {
        "lounge": {},
        "news": {"kind": "announcement", "posters": 'title eq "Chief"'},
        "department": {
            "for_each": "department",
            "members": 'userType ne "Contractor"',
            "moderators": 'title eq "Head"',
            "exclusive": True,
        },
    },
    "approvers": ['title eq "Chief"'],
}
PEOPLE = {
    "ann": {"department": "Sales", "title": "Head"},
    "bob": {"department": "Sales"},
    "cid": {"department": "IT", "title": "Head"},
    "dot": {"department": "IT", "userType": "Contractor"},
    "eve": {"department": "Board", "title": "Chief"},
}

PROMPT = pytest.mark.parametrize("prompt", [False, True], ids=["settled before its event", "settled after its event"])
"""Whether the event of a departure comes before the departure has been recorded."""


class Company:
    """Everything a test of membership works with."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.homeserver = FakeHomeserver()
        self.policy = self.rule(RULES)
        self.ids: dict[str, PersonId] = {}
        self.said: dict[str, dict[str, Any]] = {}
        self.now: datetime | None = None
        """The clock stands still at this moment, if there is one."""
        self.ahead = timedelta()
        self.timezone = "UTC"
        self.consumer = Membership(pool, bot=BOT, clock=self.clock)
        self.upkeep = self.restarted()

    def clock(self) -> datetime:
        return (self.now or system_clock()) + self.ahead

    def run_from(self, moment: datetime) -> None:
        """Let the clock run on from another moment."""
        self.now, self.ahead = None, moment - system_clock()

    def restarted(self) -> Upkeep:
        """Return the service's loop as after a start."""
        self.reconciler = Reconciler(
            self.pool, self.homeserver, self.homeserver, clock=self.clock, timezone=self.timezone
        )
        return Upkeep(self.reconciler, self.pool, lambda: self.policy, clock=self.clock, timezone=self.timezone)

    def rule(self, said: dict[str, Any], digest: str = "policy-1", **brake: Any) -> Policy:
        """Make a policy the company's."""
        policy = notation.policy(said)
        limits = Brake(removals=25, floor=3, approvers=policy.brake.approvers)
        self.policy = replace(policy, digest=digest, brake=replace(limits, **brake))
        return self.policy

    async def say(self, name: str, **said: Any) -> None:
        """Have HR say something of a person, on top of what it said before."""
        self.said[name] = {**self.said.get(name, {}), **said}
        known = name in self.ids
        id_ = self.ids.setdefault(name, PersonId(str(uuid.uuid4())))
        document = _document(name, self.said[name])
        if boss := self.said[name].get("manager"):
            document[ENTERPRISE]["manager"] = {"value": self.ids[boss]}
        resource = resource_of(document, id_, shapes_for()["User"])
        async with self.pool.acquire() as connection, connection.transaction():
            await lock_directory(connection)
            version = await next_version(connection)
            await (update_resources if known else insert_resources)(connection, [resource], version)
            action = "changed" if known else "created"
            await record_history(connection, [id_], version=version, source="hr", action=action)
            await wake(connection, [id_])

    async def hire_all(self) -> None:
        for name, said in PEOPLE.items():
            await self.say(name, **said)

    async def reconcile(self, *names: str) -> Reconciled:
        """Reconcile everybody, or these people."""
        scope = Scope(people=frozenset(self.ids[name] for name in names)) if names else None
        return await self.reconciler.reconcile(self.policy, scope, cause="test")

    async def settle(self) -> Reconciled:
        """Reconcile everybody, and take in the events of it."""
        result = await self.reconcile()
        await self.deliver()
        return result

    async def deliver(self) -> None:
        """Hand the homeserver's new events to the consumer."""
        await self.consumer.handle(self.homeserver.deliver())

    def deliver_at_once(self) -> None:
        """From now on, the event of every departure is handed to the consumer before its request is answered."""
        for name in ("leave", "kick"):
            setattr(self.homeserver, name, self._delivering(getattr(self.homeserver, name)))

    def _delivering(self, act: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def act_and_deliver(*of: Any, **more: Any) -> None:
            await act(*of, **more)
            await self.deliver()

        return act_and_deliver

    async def entries(self) -> list[str]:
        """Return the audit log, oldest first, as `action room localpart outcome`."""
        rows = await self.pool.fetch("SELECT action, room_key, user_id, outcome FROM entry ORDER BY id")
        return [
            " ".join(filter(None, (row["action"], row["room_key"], row["user_id"][1:].split(":")[0], row["outcome"])))
            for row in rows
        ]


def user(name: str) -> UserId:
    return UserId(f"@{name}:{SERVER}")


def _document(name: str, said: dict[str, Any]) -> dict[str, Any]:
    enterprise = {**said.get(ENTERPRISE, {}), **({"department": said["department"]} if "department" in said else {})}
    own = {key: value for key, value in said.items() if key not in ("department", "manager")}
    return {"userName": name, "displayName": name.capitalize(), **own, ENTERPRISE: enterprise}


@pytest.fixture
async def empty_company(pool: Pool) -> Company:
    """A company with rules and nobody in it."""
    return Company(pool)


@pytest.fixture
async def company(empty_company: Company) -> Company:
    """A company whose people HR has told, and nothing else."""
    await empty_company.hire_all()
    return empty_company
