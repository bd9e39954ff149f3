"""How soon a reaction stands on the board, from end to end, with a real Synapse that delivers to us.

People acknowledge one announcement, one after another at uneven moments, so that some come when the board has just been
edited. The clock runs from the sending of the reaction until Synapse has answered the edit that counts it. Between are
Synapse's delivery, the archive, the counting and the postman.
"""

from __future__ import annotations

import asyncio
import functools
import re
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.live import heard, running
from bench.membership_apply import REGISTRATION, SERVER, Scene, scene, user_id
from bench.report import Figure
from bridge.announcements import board
from bridge.announcements.heard import HeardConsumer
from bridge.announcements.outbox_store import put
from bridge.announcements.postman import Postman
from bridge.announcements.values import Act, Outgoing, Priority, Role, copy_key
from bridge.archive.feed import run_consumer
from bridge.clock import system_clock
from bridge.database.listen import ANNOUNCEMENTS, EVENTS, Listener
from bridge.homeserver.client import Homeserver
from bridge.ids import EventId, RoomId
from bridge.process import free_port

PEOPLE = 44
WARM = 4
"""The first ones, which fill caches and are not counted."""
LIMIT = 1.0
_ID = "7kq2-m9xd"
_NEWS = "News"
_PAUSES = (0.9, 0.1, 0.35, 0.6, 0.0, 0.2)
"""Seconds between one reaction and the next, over and over."""
_COUNT = re.compile(r"\n([\d,]+) of [\d,]+ acknowledged")


class Watched(Homeserver):
    """A homeserver that notes when each count first stood on the board."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shown: list[float] = []
        """The moment of each count, from 0."""
        self.copy: EventId | None = None

    async def send(self, room_id: RoomId, event_type: str, content: Mapping[str, object], **kwargs: Any) -> EventId:
        event_id = await super().send(room_id, event_type, content, **kwargs)
        found = _COUNT.search(str(content.get("body", "")))
        now = time.perf_counter()
        if content.get("body") == _NEWS:
            self.copy = event_id
        while found is not None and len(self.shown) <= int(found[1].replace(",", "")):
            self.shown.append(now)
        return event_id


async def _latencies() -> list[float]:
    port = free_port()
    names = [f"p{number}" for number in range(PEOPLE)]
    async with scene(heard_at=f"http://127.0.0.1:{port}") as stage, heard(stage.pool, port):
        await stage.make_accounts(names, known=True)
        watched = Watched(stage.transport, bot=stage.homeserver.bot, server_name=SERVER, appservice_id=REGISTRATION.id)
        news = await _announced(stage, names)
        listener = Listener(stage.database_url)
        events, *wakes = (
            listener.subscribe(EVENTS),
            listener.subscribe(ANNOUNCEMENTS),
            listener.subscribe(ANNOUNCEMENTS),
        )
        async with running(
            run_consumer(stage.pool, HeardConsumer(stage.pool, bot=watched.bot), events),
            Postman(stage.pool, watched).run(wakes[0]),
            board.Boards(stage.pool).run(wakes[1]),
            listener.run(),
        ):
            await _until(lambda: bool(watched.shown) and watched.copy is not None)
            relation = {"rel_type": "m.annotation", "event_id": watched.copy, "key": "✅"}
            begun = []
            for number, name in enumerate(names):
                await asyncio.sleep(_PAUSES[number % len(_PAUSES)])
                begun.append(time.perf_counter())
                await stage.homeserver.send(
                    news, "m.reaction", {"m.relates_to": relation}, transaction_id=name, as_user=user_id(name)
                )
            await _until(lambda: len(watched.shown) > PEOPLE)
    return [shown - start for start, shown in zip(begun, watched.shown[1:], strict=True)][WARM:]


async def _announced(stage: Scene, names: list[str]) -> RoomId:
    """Make a desk and a room of everybody, and have an announcement wait to be said there."""
    desk = await stage.homeserver.create_room({"preset": "private_chat"})
    news = await stage.homeserver.create_room({"preset": "private_chat"})
    for name in names:
        await stage.homeserver.invite(news, user_id(name))
        await stage.homeserver.join(news, as_user=user_id(name))
    await stage.pool.execute(
        "INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias)"
        " VALUES ('desk', $1, 'desk', 'desk', 'Desk', '', 'desk')",
        desk,
    )
    await stage.pool.execute(
        "INSERT INTO announcement (id, desk, author, author_name, created_at, opened_at, audience)"
        " VALUES ($1, 'desk', '@a', 'A', now(), now(), '{\"rooms\": []}')",
        _ID,
    )
    await stage.pool.execute(
        'INSERT INTO announcement_text VALUES ($1, 1, \'\', \'{"msgtype": "m.text", "body": "News"}\', false, now())',
        _ID,
    )
    await stage.pool.execute(
        "INSERT INTO recipient (announcement, user_id, targeted_at, department)"
        " SELECT $1, user_id, now(), 'D' FROM unnest($2::text[]) AS member (user_id)",
        _ID,
        [user_id(name) for name in names],
    )
    await put(
        stage.pool,
        [
            Outgoing(
                key=copy_key(_ID, news),
                act=Act.SEND,
                role=Role.COPY,
                rank=Priority.NORMAL,
                due_at=system_clock(),
                room_id=news,
                content={"msgtype": "m.text", "body": _NEWS},
                announcement=_ID,
                version=1,
            )
        ],
    )
    return news


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - it works by itself
            await asyncio.sleep(0.005)


@functools.cache
def _measured() -> list[float]:
    return asyncio.run(_latencies())


def board_p50() -> Figure:
    """Reaction → on the board, the median, beside the second that is promised."""
    return Figure("heard.board.p50", statistics.median(_measured()), "s", "limit", LIMIT)


def board_p95() -> Figure:
    """The same, of which one in twenty is slower."""
    return Figure("heard.board.p95", statistics.quantiles(_measured(), n=20)[-1], "s", "limit", LIMIT)


FIGURES: Mapping[str, Callable[[], Figure]] = {"heard.board.p50": board_p50, "heard.board.p95": board_p95}
