"""What Synapse asks before it lets people do something, as the module `synapse-http-antispam` asks it.

`routes` answers `POST /_muster/antispam/CALLBACK` from the database in milliseconds: a 200 lets it be done, anything
else is what the person's client shows. Only barriers are asked about; every other question is answered with yes.
The module presents the homeserver's own token (`hs_token`), which it knows from the registration. Without the module
`barrier_guard` undoes what this would have refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bridge.database import AWAY
from bridge.homeserver import wire
from bridge.ids import RoomId, UserId
from bridge.membership import barrier_store

if TYPE_CHECKING:
    from bridge.database import Pool

PREFIX = "/_muster/antispam"


def routes(pool: Pool, hs_token: str, *, bot: UserId) -> list[web.RouteDef]:
    """Return the handlers; `bot` is ours, which acts by plans that keep the barriers."""
    asked = _Questions(pool, hs_token.encode(), bot)
    return [
        web.post(f"{PREFIX}/ping", asked.ping),
        web.post(f"{PREFIX}/user_may_invite", asked.may_invite),
        web.post(f"{PREFIX}/user_may_join_room", asked.may_join),
        web.post(PREFIX + "/{callback}", asked.anything_else),
    ]


class _Questions:
    def __init__(self, pool: Pool, token: bytes, bot: UserId) -> None:
        self._pool = pool
        self._token = token
        self._bot = bot

    async def ping(self, request: web.Request) -> web.Response:
        """Answer that we are here, with the number of the question."""
        asked = await self._asked(request)
        return web.json_response({"id": asked.get("id"), "status": "ok"})

    async def may_invite(self, request: web.Request) -> web.Response:
        """Refuse an invitation that would put somebody beside the other side; the inviter may have made the room just
        now, so that we do not know yet that they are in it."""
        asked = await self._asked(request)
        inviter, invitee, room_id = (_text(asked, name) for name in ("inviter", "invitee", "room_id"))
        if inviter == self._bot:
            return web.json_response({})
        return await self._answer(UserId(invitee), RoomId(room_id), UserId(inviter))

    async def may_join(self, request: web.Request) -> web.Response:
        """Refuse to let somebody join who would be beside the other side."""
        asked = await self._asked(request)
        user = UserId(_text(asked, "user"))
        return await self._answer(user, RoomId(_text(asked, "room")), user)

    async def anything_else(self, request: web.Request) -> web.Response:
        """Say yes to what is none of our business."""
        await self._asked(request)
        return web.json_response({})

    async def _answer(self, user: UserId, room_id: RoomId, inside: UserId) -> web.Response:
        try:
            reason = await barrier_store.read_obstacle(self._pool, user, room_id, inside)
        except AWAY as error:
            raise _refusal(web.HTTPServiceUnavailable, "M_UNKNOWN", "Muster cannot say now; try again.") from error
        if reason is None:
            return web.json_response({})
        raise _refusal(
            web.HTTPForbidden, "M_FORBIDDEN", f"An information barrier is between people in this room: {reason}."
        )

    async def _asked(self, request: web.Request) -> Mapping[str, Any]:
        """Return what is asked; refuse whoever does not know the token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not compare_digest(given, self._token):
            raise _refusal(web.HTTPUnauthorized, "M_UNAUTHORIZED", "This is not the homeserver's token.")
        try:
            body = wire.decode(await request.read())
        except ValueError as error:
            raise _refusal(web.HTTPBadRequest, "M_NOT_JSON", "The body is not JSON.") from error
        return body if isinstance(body, dict) else {}


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str):
        raise _refusal(web.HTTPBadRequest, "M_BAD_JSON", f"Expected a text as `{name}`.")
    return value


def _refusal(kind: type[web.HTTPException], errcode: str, message: str) -> web.HTTPException:
    return kind(text=json.dumps({"errcode": errcode, "error": message}), content_type="application/json")
