"""SCIM requests answered from the database, whatever carries them.

Writes, PATCH, Bulk and discovery are the library's, on `scim_storage`; reading and searching are ours, straight from
the stored JSON. Errors are `SCIMException`s. Transport and tokens are left to `bridge.directory.scim`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from scim2_models import (
    Context,
    InvalidSyntaxException,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
)
from scim2_server.handler import AsyncScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation, Target
from scim2_server.service import ScimService
from scim2_server.utils import parametrize

from bridge.directory.admission import Admission
from bridge.directory.refusal import refused_of_bulk, refused_of_patch, refused_of_user
from bridge.directory.refusals import Refusals
from bridge.directory.scim_dialect import (
    require_text,
    standard_bulk,
    standard_filter,
    standard_patch,
    standard_user,
)
from bridge.directory.scim_group import GroupWrite, divide_group, divide_patch
from bridge.directory.scim_plain import is_plain_user, plain_of, plain_writes, write
from bridge.directory.scim_resource import RELATED, WHOLE, Projection, Stored, body_of, projection_of, text_of
from bridge.directory.scim_schema import provider_for, shapes_for
from bridge.directory.scim_search import Page
from bridge.directory.scim_shape import Shape
from bridge.directory.scim_storage import PostgresStorage

if TYPE_CHECKING:
    from bridge.database import Pool

_LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_USER_WRITES: Final = {Operation.create, Operation.replace, Operation.patch}
_READS: Final = {Operation.query, Operation.search, Operation.search_with_body}
_WITH_BODY: Final = {Operation.create, Operation.replace, Operation.patch, Operation.bulk, Operation.search_with_body}


@dataclass
class ListResponse(ScimResponse):
    """A list as JSON text, made of what the database wrote, instead of a body."""

    text: str = ""


class DirectoryService(ScimService):
    """The SCIM protocol over our schemas; `custom` are the attributes of its own that the company keeps.

    `secret` seals the cursors; every process has the same, and keeps it over a restart. `refusals` counts what is sent
    in vain.
    """

    def __init__(
        self, pool: Pool, custom: Sequence[str] = (), *, secret: str, refusals: Refusals | None = None
    ) -> None:
        super().__init__(provider_for(custom), secret=secret)
        self._published = ScimService(provider_for(custom, published=True), secret=secret)
        self._pool = pool
        self._refusals = refusals
        self._turn = asyncio.Lock()
        self._shapes = shapes_for(custom)
        self._plain = plain_of(self._shapes["User"])
        # The library keeps classes made for a model only as long as somebody uses them; making one takes 20 ms.
        self._kept = [
            parametrize(cast("type[Any]", generic), model)
            for generic in (PatchOp, SearchRequest, ResponseParameters)
            for model in self.get_models()
        ]

    async def answer(self, request: ScimRequest, source: str, admission: Admission | None = None) -> ScimResponse:
        """Answer a request; `source` is what the history says about who wrote. Raises `SCIMException`.

        A pending `admission` is confirmed before anything is shown or changed, but not by every error.
        """
        require_text([request.path, dict(request.query)])
        storage = PostgresStorage(self._pool, self.provider, self._shapes, source, admission=admission, turn=self._turn)
        with self.provider:
            target = self.match(request)
            if admission is not None and not self._asks_by_the_way(target):
                await admission.confirm(self._pool)
            if target.operation in _WITH_BODY:
                body = self._standard_body(request, target, source)
                write = self._group_write(target, body)
                if write is not None:
                    return await self._write_group(request, target, write, source)
                if target.operation in _USER_WRITES and target.endpoint is not None and not target.me:
                    resource_type = self.resource_type_at(target.endpoint)
                    if resource_type.name == "User":
                        return await self._write_user(request, target, resource_type, body, storage)
                request = replace(request, body=_encoded(body))
            if target.operation is Operation.query and not target.me:
                return await self._read(request, target, storage)
            if target.operation in (Operation.search, Operation.search_with_body):
                return await self._search(request, target, storage)
            return await AsyncScimHandler(self, storage).handle(request)

    def patch_response(
        self, base_url: str, resource: Resource[Any], response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """Answer a PATCH of a User with the User, as identity providers expect, and that of a Group with 204."""
        if self.get_resource_type_of(resource).name == "Group":
            return super().patch_response(base_url, resource, response_parameters)
        published = self.publish(base_url, resource)
        return self.resource_response(published, Context.RESOURCE_REPLACEMENT_RESPONSE, response_parameters)

    def schemas(self, location: str, query: Mapping[str, str]) -> ScimResponse:
        """List the schemas as they are published."""
        return self._published.schemas(location, query)

    def schema(self, location: str, schema_id: str, query: Mapping[str, str]) -> ScimResponse:
        """Show a schema as it is published."""
        return self._published.schema(location, schema_id, query)

    def read_search(self, resource_types: list[ResourceType], payload: Any) -> tuple[SearchRequest[Any], Any]:
        """Validate a search request, of which the filter may be written as identity providers do."""
        if isinstance(payload, dict):
            shape = self._shapes[str(resource_types[0].name)]
            payload = {
                name: standard_filter(value, shape) if name.lower() == "filter" and isinstance(value, str) else value
                for name, value in payload.items()
            }
        return super().read_search(resource_types, payload)

    def _asks_by_the_way(self, target: Target) -> bool:
        """Tell whether the statement that finds or makes what is asked for asks about the admission too."""
        if target.endpoint is None or target.me:
            return False
        kind = self.resource_type_at(target.endpoint).name
        return target.operation in _READS or (target.operation in _USER_WRITES and kind == "User")

    def _standard_body(self, request: ScimRequest, target: Target, source: str) -> Any:
        """Return the request's JSON as the RFC writes it, and count what of it is dropped."""
        body = self.decode_body(request.body, request.header("Content-Type"))
        require_text(body)
        user = self._shapes["User"]
        if target.operation is Operation.bulk:
            standard, refused = standard_bulk, refused_of_bulk
        elif target.endpoint is None or self.resource_type_at(target.endpoint).name != "User":
            return body
        elif target.operation is Operation.patch:
            standard, refused = standard_patch, refused_of_patch
        elif target.operation in (Operation.create, Operation.replace):
            standard, refused = standard_user, refused_of_user
        else:
            return body
        made = standard(body, user)
        if self._refusals is not None:
            self._refusals.count(source, refused(made, user))
        return made

    def _group_write(self, target: Target, body: Any) -> GroupWrite | None:
        """Divide the body of a write of a group into its members and the rest; None if it is not one."""
        if target.endpoint is None or self.resource_type_at(target.endpoint).name != "Group":
            return None
        if target.operation is Operation.patch:
            return divide_patch(body)
        return divide_group(body) if target.operation in (Operation.create, Operation.replace) else None

    async def _write_group(self, request: ScimRequest, target: Target, write: GroupWrite, source: str) -> ScimResponse:
        """Carry out a write of a group in one database transaction: the library the rest, we the members."""
        shape = self._shapes["Group"]
        resource_type = self.resource_type_at(str(target.endpoint))
        projection = _projection(self.read_response_parameters(resource_type, request.query), shape)
        storage = PostgresStorage(self._pool, self.provider, self._shapes, source, with_members=False)
        status, group_id = HTTPStatus.OK, target.resource_id
        async with storage.operation():
            if write.body is not None:
                response = await AsyncScimHandler(self, storage).handle(replace(request, body=_encoded(write.body)))
                if response.body is not None:
                    status, group_id = response.status, str(response.body["id"])
            else:
                before = await storage.find("Group", str(group_id), related=False)
                self.read_conditions(request).check(before.entity_tag, request.method)
            await storage.change_members(str(group_id), write.change)
            is_silent = target.operation is Operation.patch and projection == WHOLE
            stored = await storage.find("Group", str(group_id), related=not is_silent)
        if is_silent:
            return ScimResponse(HTTPStatus.NO_CONTENT, None, {"ETag": stored.entity_tag})
        return _shown(stored, request.base_url, shape, projection, status)

    async def _write_user(
        self, request: ScimRequest, target: Target, resource_type: ResourceType, body: Any, storage: PostgresStorage
    ) -> ScimResponse:
        """Carry out a write of a User: the library judges and changes all but the plain ones, we store and show."""
        shape = self._shapes["User"]
        if target.operation is Operation.create:
            stored = await storage.create_user(self._made(request, resource_type, body))
            return _shown(stored, request.base_url, shape, WHOLE, HTTPStatus.CREATED)
        projection = self._asked(resource_type, request, shape)
        conditions = self.read_conditions(request)
        writes = plain_writes(body, self._plain) if target.operation is Operation.patch else None

        def change(before: Stored) -> Mapping[str, Any] | None:
            after = None if writes is None else write(before.document, writes, self._plain)
            if after is not None:
                conditions.check(before.entity_tag, request.method)
                return None if after == before.document else after
            model = self._changed(request, target, resource_type, body, storage.model(before))
            return None if model is None else model.model_dump()

        stored = await storage.change_user(str(target.resource_id), change)
        return _shown(stored, request.base_url, shape, projection, HTTPStatus.OK)

    def _made(self, request: ScimRequest, resource_type: ResourceType, body: Any) -> Mapping[str, Any]:
        """Return the document of a new User. Raises `SCIMException`."""
        if is_plain_user(body, self._plain):
            return cast("Mapping[str, Any]", body)
        return self.read_creation(resource_type, _encoded(body), request.header("Content-Type")).model_dump()

    def _changed(
        self, request: ScimRequest, target: Target, resource_type: ResourceType, body: Any, current: Resource[Any]
    ) -> Resource[Any] | None:
        """Return what the library makes of a User, None for no change; it consumes what it is given."""
        conditions, sent = self.read_conditions(request), (_encoded(body), request.header("Content-Type"))
        if target.operation is Operation.patch:
            return self.apply_patch(current, self.read_patch(resource_type, *sent), conditions)
        return self.apply_replacement(current, self.read_replacement(resource_type, *sent), conditions)

    def _asked(self, resource_type: ResourceType, request: ScimRequest, shape: Shape) -> Projection:
        """Return which attributes the query asks for."""
        if not request.query:
            return WHOLE
        return _projection(self.read_response_parameters(resource_type, request.query), shape)

    async def _read(self, request: ScimRequest, target: Target, storage: PostgresStorage) -> ScimResponse:
        resource_type = self.resource_type_at(str(target.endpoint))
        shape = self._shapes[str(resource_type.name)]
        projection = self._asked(resource_type, request, shape)
        stored = await storage.find(shape.kind, str(target.resource_id), related=projection.shows(RELATED[shape.kind]))
        if not self.read_conditions(request).check(stored.entity_tag, "GET"):
            return ScimResponse(HTTPStatus.NOT_MODIFIED, None, {"ETag": stored.entity_tag})
        return _shown(stored, request.base_url, shape, projection, HTTPStatus.OK)

    async def _search(self, request: ScimRequest, target: Target, storage: PostgresStorage) -> ScimResponse:
        resource_types = self.searched_types(target.endpoint)
        if target.operation is Operation.search:
            search, position = self.read_search_query(resource_types, request.query)
        else:
            search, position = self.read_search_body(resource_types, request.body, request.header("Content-Type"))
        shapes = {str(each.name): self._shapes[str(each.name)] for each in resource_types}
        projections = {kind: _projection(search, shape) for kind, shape in shapes.items()}
        related = any(projection.shows(RELATED[kind]) for kind, projection in projections.items())
        page = await storage.find_page(list(shapes), search, position, related=related)
        listed = [
            text_of(stored, request.base_url, shapes[stored.kind], projections[stored.kind]) for stored in page.found
        ]
        frame = {
            "schemas": [_LIST],
            "totalResults": page.total,
            "itemsPerPage": len(page.found),
            **self._neighbours(resource_types, search, page),
        }
        return ListResponse(HTTPStatus.OK, text=f'{json.dumps(frame)[:-1]}, "Resources": [{", ".join(listed)}]}}')

    def _neighbours(self, resource_types: list[ResourceType], search: SearchRequest[Any], page: Page) -> dict[str, Any]:
        """Return where the page lies: its index, or the cursors of the pages beside it (RFC 9865 section 2)."""
        if search.cursor is None:
            return {"startIndex": search.start_index}
        cursors = {
            "nextCursor": self._seal(resource_types, search, page.next),
            "previousCursor": self._seal(resource_types, search, page.previous),
        }
        return {name: cursor for name, cursor in cursors.items() if cursor is not None}


def _projection(parameters: ResponseParameters[Any], shape: Shape) -> Projection:
    only = [str(path) for path in parameters.attributes or ()]
    without = [str(path) for path in parameters.excluded_attributes or ()]
    return projection_of(only, without, shape)


def _shown(stored: Stored, base_url: str, shape: Shape, projection: Projection, status: HTTPStatus) -> ScimResponse:
    location = f"{base_url}/{shape.endpoint}/{stored.id}"
    headers = {"ETag": stored.entity_tag, "Content-Location": location}
    if status == HTTPStatus.CREATED:
        headers["Location"] = location
    return ScimResponse(status, body_of(stored, base_url, shape, projection), headers)


def _encoded(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise InvalidSyntaxException(detail="NaN and Infinity are not JSON") from error
