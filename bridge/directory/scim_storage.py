"""The SCIM library's storage on PostgreSQL: every write with its history, its version and its wake-up.

One instance serves one request. `operation` is one database transaction which holds the directory's lock, so a
PATCH reads, changes and writes without anybody in between. Groups of groups are kept and shown, but only a direct
member counts as being in a group.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, cast
from uuid import uuid4

import asyncpg
from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    ScimProvider,
    SearchRequest,
    UniquenessException,
)
from scim2_models import Resource as Model
from scim2_server.storage import AsyncScimStorage, SearchPage
from scim2_server.utils import parametrize

from bridge.directory import group_store, history_store, page_store, reuse_store
from bridge.directory import resource_store as store
from bridge.directory.admission import Admission
from bridge.directory.filter_sql import ANY, compile_filter, compile_order
from bridge.directory.identity import Suspicion, has_left, is_other
from bridge.directory.scim_group import MemberChange, divide_group
from bridge.directory.scim_limits import is_id, require_days, require_short
from bridge.directory.scim_resource import RELATED, Resource, Stored, resource_of
from bridge.directory.scim_search import Page, Search
from bridge.directory.scim_shape import Shape, comparison_key
from bridge.directory.scim_user import display_name_of, managers_of, settle_start
from bridge.directory.token_store import Bearer
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


class PostgresStorage(AsyncScimStorage):
    """Users and Groups in `scim_resource`; `source` is what the history says about who wrote.

    Without `with_members`, models have no members or groups and writing one leaves its members alone. Only `find`,
    `find_page`, `create_user` and `change_user` ask about a pending `admission`; before anything else it must be
    confirmed. Writers of one process share a `turn`, because waiting for it costs less than waiting inside PostgreSQL.
    """

    supports_cursors = True

    def __init__(
        self,
        pool: Pool,
        provider: ScimProvider,
        shapes: Mapping[str, Shape],
        source: str,
        *,
        with_members: bool = True,
        admission: Admission | None = None,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self._pool = pool
        self._provider = provider
        self._shapes = shapes
        self._source = source
        self._with_members = with_members
        self._admission = admission or Admission(Bearer("", source))
        self._turn = turn or asyncio.Lock()
        self._connection: Connection | None = None
        self._suspicions: list[Suspicion] = []

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Enclose what is done or not done together."""
        async with self._writing():
            yield

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Model[Any]:
        return self.model(await self.find(_kind(resource_type), resource_id, related=self._with_members))

    async def find(self, kind: str, id_: str, *, related: bool = True) -> Stored:
        """Return a User or Group, without its groups or members unless `related`. Raises `NotFoundException`."""
        return await self._found(self._connection or self._pool, kind, id_, related=related)

    async def _found(self, db: Connection | Pool, kind: str, id_: str, *, related: bool) -> Stored:
        token, stored = self._admission.pending, None
        if is_id(id_):
            stored = await store.find_resource(db, kind, id_, related=related, token=token)
        if stored is None:
            await self._admission.confirm(db)
            raise NotFoundException(detail=f"There is no {kind} {id_!r}")
        self._admission.pending = None
        return stored

    async def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        kinds = [_kind(resource_type) for resource_type in resource_types]
        page = await self.find_page(kinds, search_request, position, related=True)
        return SearchPage(page.total, [self.model(each.parsed()) for each in page.found], page.next, page.previous)

    async def find_page(
        self, kinds: Sequence[str], request: SearchRequest[Any], position: Any, *, related: bool
    ) -> Page:
        """Return how many match, and one page of them; with their groups and members only if `related`."""
        async with self._reading() as db:
            is_descending = request.sort_order == SearchRequest.SortOrder.descending
            search = Search(db, self._selections(kinds, request), is_descending, related, self._admission)
            return await search.find_page(request, position)

    async def create_user(self, document: Mapping[str, Any]) -> Stored:
        """Store a new User, in a database transaction of its own; who comes back gets the old id."""
        new = self._new("User", document)
        async with self._alone() as db:
            with _unique_names(new):
                stored = await store.create_user(db, new, self._source, token=self._admission.pending)
        if stored is not None:
            return stored
        await self._admission.confirm(self._connection or self._pool)
        return await self._take_back(new)

    async def change_user(self, id_: str, change: Callable[[Stored], Mapping[str, Any] | None]) -> Stored:
        """Store what `change` makes of a User, or nothing for None, whoever else writes meanwhile.

        Tries without the directory's lock, because holding it over two statements keeps every other writer waiting;
        when somebody was faster, or reports have to be told of their manager's new name, does it again with the lock.
        """
        async with self._reading() as db:
            before = await self._found(db, "User", id_, related=True)
            document = change(before)
            if document is None:
                return before
            new = self._resource("User", id_, document, before.document)
            if new.display_name == display_name_of(before.document):
                async with self._turn:
                    with _unique_names(new):
                        after = await store.update_user(db, new, before, self._source)
                if after is not None:
                    return after
        async with self._writing():
            before = await self.find("User", id_)
            again = change(before)
            if again is None:
                return before
            await self._store_user(before, self._resource("User", id_, again, before.document))
            return await self.find("User", id_)

    async def create(self, resource_type: ResourceType, resource: Model[Any]) -> Model[Any]:
        async with self._writing() as connection:
            if _kind(resource_type) == "User":
                return self.model(await self.create_user(resource.model_dump()))
            new = self._new("Group", resource.model_dump())
            version = await history_store.next_version(connection)
            with _unique_names(new):
                await store.insert_resources(connection, [new], version)
            if self._with_members:
                await self.change_members(new.id, _members_of(resource))
            return self.model(await self.find(new.kind, new.id, related=self._with_members))

    async def update(
        self, resource_type: ResourceType, resource: Model[Any], *, expected_version: str | None = None
    ) -> Model[Any]:
        async with self._writing() as connection:
            before = await self._expect(_kind(resource_type), str(resource.id), expected_version)
            new = self._resource(before.kind, before.id, resource.model_dump(), before.document)
            if new.kind == "User":
                await self._store_user(before, new)
            else:
                version = await history_store.next_version(connection)
                with _unique_names(new):
                    await store.update_resources(connection, [new], version)
                if new.display_name != display_name_of(before.document):
                    await self._record_groups(connection, await group_store.member_ids(connection, new.id), version)
                if self._with_members:
                    await self.change_members(new.id, _members_of(resource))
            return self.model(await self.find(new.kind, new.id, related=self._with_members))

    async def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        async with self._writing() as connection:
            before = await self._expect(_kind(resource_type), resource_id, expected_version)
            version = await history_store.next_version(connection)
            await group_store.touch_groups(connection, await group_store.leave_groups(connection, before.id), version)
            if before.kind == "User":
                await store.mark_deleted(connection, before.id, version)
                await history_store.touch_reports(connection, [before.id], version)
                await self._record(connection, [before.id], version, "deleted")
            else:
                members = await group_store.member_ids(connection, before.id)
                await group_store.delete_group(connection, before.id)
                await self._record_groups(connection, members, version)

    async def change_members(self, group_id: str, change: MemberChange) -> None:
        """Put people into a group and take people out, at a cost that does not depend on the size of the group."""
        async with self._writing() as connection:
            require_short(change.added)
            removed = change.removed
            if change.is_whole:
                wanted = frozenset(change.added)
                present = await group_store.member_ids(connection, group_id)
                removed = tuple(each for each in present if each not in wanted)
            gone = await group_store.remove_members(connection, [(group_id, member) for member in removed])
            come = await group_store.add_members(connection, [(group_id, member) for member in change.added])
            if gone or come:
                version = await history_store.next_version(connection)
                await group_store.touch_groups(connection, [group_id], version)
                await self._record_groups(connection, [*gone, *come], version)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        """Yield one connection for several statements: every return to the pool costs a statement more."""
        if self._connection is not None:
            yield self._connection
            return
        async with self._pool.acquire() as connection:
            yield connection

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """Yield a connection for one statement that writes, in turn; whoever has the turn waits for no connection."""
        if self._connection is not None:
            yield self._connection
            return
        async with self._pool.acquire() as connection, self._turn:
            yield connection

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Connection]:
        if self._connection is not None:
            yield self._connection
            return
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await history_store.lock_directory(connection)
                self._connection = connection
                try:
                    yield connection
                finally:
                    self._connection = None
        finally:
            # What is held is kept although, or because, nothing else of the request is.
            if self._suspicions:
                await reuse_store.put_suspicions(self._pool, self._suspicions)
                self._suspicions.clear()

    async def _take_back(self, new: Resource) -> Stored:
        """Store a new User whose externalId somebody has or had: as that person again, or as another one."""
        async with self._writing() as connection:
            former = await self._former(connection, new)
            version = await history_store.next_version(connection)
            with _unique_names(new):
                if former is None:
                    await store.insert_resources(connection, [new], version)
                else:
                    new = replace(new, id=former)
                    await store.update_resources(connection, [new], version)
                    await history_store.touch_reports(connection, [former], version)
            await self._record(connection, [new.id], version, "created")
            return await self.find("User", new.id)

    async def _former(self, connection: Connection, new: Resource) -> PersonId | None:
        """Return who has left under this externalId and comes back now; whoever is still there keeps the userName.

        Raises `UniquenessException`, and has it held for review, when the id seems to be somebody else's now.
        """
        external_id = new.external_id or ""
        formers = await reuse_store.load_formers(connection, external_id)
        others = [
            each.person.id
            for each in formers
            if has_left(each.person, each.today) and is_other(each.document, new.document)
        ]
        confirmed = await reuse_store.load_confirmed(connection) if others else frozenset()
        held = [each for each in others if (each, new.name_key) not in confirmed]
        if held:
            name = new.document["userName"]
            self._hold([Suspicion(each, external_id, name, self._source) for each in held])
        if any(comparison_key(each.document["userName"]) == new.name_key and not each.deleted for each in formers):
            return None  # the client ought to have changed that one, and is told that the name is taken
        return formers[0].person.id if formers and all(has_left(each.person, each.today) for each in formers) else None

    async def _require_same(self, connection: Connection, id_: str, new: Resource) -> None:
        """Have the record held for review that was somebody's who has left and becomes somebody else's."""
        former = await reuse_store.load_former(connection, id_)
        confirmed = await reuse_store.load_confirmed(connection)
        if has_left(former.person, former.today) and (id_, new.name_key) not in confirmed:
            name = new.document["userName"]
            self._hold([Suspicion(former.person.id, new.external_id or "", name, self._source, is_change=True)])

    def _hold(self, suspicions: list[Suspicion]) -> NoReturn:
        self._suspicions += suspicions
        raise UniquenessException(
            detail="This id was somebody else's, who has left. An administrator must decide: muster directory review"
        )

    async def _store_user(self, before: Stored, new: Resource) -> None:
        async with self._writing() as connection:
            if is_other(before.document, new.document):
                await self._require_same(connection, before.id, new)
            version = await history_store.next_version(connection)
            with _unique_names(new):
                await store.update_resources(connection, [new], version)
            if new.display_name != display_name_of(before.document):
                await history_store.touch_reports(connection, [new.id], version)
            await self._record(connection, [new.id], version, "changed")

    async def _expect(self, kind: str, id_: str, version: str | None) -> Stored:
        stored = await self.find(kind, id_, related=False)
        if version is not None and stored.entity_tag != version:
            raise PreconditionFailedException
        return stored

    async def _record_groups(self, connection: Connection, members: Collection[str], version: int) -> None:
        await history_store.touch_people(connection, members, version)
        await self._record(connection, members, version, "groups")

    async def _record(self, connection: Connection, ids: Collection[str], version: int, action: str) -> None:
        await history_store.record_history(connection, ids, version=version, source=self._source, action=action)
        await history_store.wake(connection, ids)

    def _selections(self, kinds: Sequence[str], request: SearchRequest[Any]) -> list[page_store.Selection]:
        selections: list[page_store.Selection] = []
        for kind in kinds:
            model = self._model_of(kind)
            condition = ANY
            if request.filter is not None:
                first = 1 + sum(len(each.condition.arguments) for each in selections)
                condition = compile_filter(parametrize(ScimFilter, model)(request.filter.ast), first=first)
            selections.append(page_store.Selection(kind, condition, compile_order(request, model)))
        return selections

    def _model_of(self, kind: str) -> type[Model[Any]]:
        return cast("type[Model[Any]]", self._provider.model_for(kind))

    def model(self, stored: Stored) -> Model[Any]:
        """Return the library's form of what is stored."""
        meta = {
            "resourceType": stored.kind,
            "created": stored.created,
            "lastModified": stored.modified,
            "version": stored.entity_tag,
        }
        related = {RELATED[stored.kind]: stored.related} if stored.related else {}
        return self._model_of(stored.kind).model_validate(
            {**stored.document, **related, "id": stored.id, "meta": meta}, scim_policy=self._provider.policy
        )

    def _new(self, kind: str, document: Mapping[str, Any]) -> Resource:
        # So that a filter on `active` finds those for whom nobody has said anything.
        defaults = {"active": True} if kind == "User" else {}
        return self._resource(kind, str(uuid4()), {**defaults, **document})

    def _resource(
        self, kind: str, id_: str, document: Mapping[str, Any], before: Mapping[str, Any] | None = None
    ) -> Resource:
        if kind == "User":
            document = settle_start(document, before)
        name = "userName" if kind == "User" else "displayName"
        if not document.get(name, "").strip():
            raise InvalidValueException(detail=f"{name}: expected a name, not an empty text")
        resource = resource_of(document, id_, self._shapes[kind])
        require_days(resource.document)
        require_short([resource.name_key, resource.external_id or "", *managers_of(resource.document).values()])
        return resource


@contextmanager
def _unique_names(resource: Resource) -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        name = "userName" if resource.kind == "User" else "displayName"
        raise UniquenessException(detail=f"Another {resource.kind} has this {name}") from error


def _kind(resource_type: ResourceType) -> str:
    return str(resource_type.name)


def _members_of(group: Model[Any]) -> MemberChange:
    return divide_group(group.model_dump()).change
