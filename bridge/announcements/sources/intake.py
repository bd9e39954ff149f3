"""From what a source wants to an announcement, or a draft of one.

All sources come through here, each with an id of its own for what it sends, so that nothing is announced twice. A
source speaks for its desk: it reaches the desk's rooms, or people as far as the desk may. What a poster is to confirm
is shown in the desk in full.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.announcing import Announced, announce, desk_of
from bridge.announcements.announcing_store import load_desk_room
from bridge.announcements.draft import Wanted
from bridge.announcements.outbox_store import put
from bridge.announcements.sources import store
from bridge.announcements.sources.passage import Incoming
from bridge.announcements.values import Act, Outgoing, Priority, Role, State, Whom
from bridge.announcements.wording import Body, caption_of
from bridge.config_announcements import SourceConfig
from bridge.directory.expression import leaves
from bridge.directory.person import STANDARD_ATTRIBUTES
from bridge.directory.selector import Selector, all_of, parse
from bridge.document import nearest
from bridge.errors import RefusedError, SelectorError
from bridge.ids import UserId
from bridge.policy.schema import Desk, Policy

if TYPE_CHECKING:
    from bridge.database import Connection

_FORMAT = "org.matrix.custom.html"


class Intake:
    """Where sources hand over what they want announced."""

    def __init__(self, policy: Callable[[], Policy], bot: UserId, attributes: Collection[str] = ()) -> None:
        """Take the policy as a function, because a new one may be loaded; `attributes` are the directory's own."""
        self._policy = policy
        self._bot = bot
        self._attributes = attributes

    async def announce(
        self, db: Connection, source: SourceConfig, origin: str, item: str, incoming: Incoming, at: datetime
    ) -> Announced | None:
        """Announce, or show a draft, within the caller's database transaction; None when this item came before.

        Raises `RefusedError` and `UnknownNameError`, with the reason; then the transaction is to be rolled back.
        """
        if not await store.remember(db, origin, item, at):
            return None
        policy = self._policy()
        desk = desk_of(policy, source.desk)
        wanted = Wanted(
            texts=incoming.bodies,
            whom=_whom(incoming, desk, self._attributes),
            priority=Priority[incoming.priority.upper()],
            due_at=incoming.due_at,
            lasts=incoming.lasts,
        )
        author = source.author or policy.company
        announced = await announce(
            db,
            policy,
            desk.id,
            wanted,
            origin=origin,
            author=self._bot,
            author_name=author,
            bot=self._bot,
            seed=hashlib.sha256(f"{origin}\n{item}".encode()).digest(),
            at=at,
            confirmed=source.confirmed,
        )
        await store.put_announcement(db, origin, item, announced.id)
        if announced.state is State.DRAFT:
            await self._show(db, desk, announced.id, author, incoming, at)
        return announced

    async def _show(
        self, db: Connection, desk: Desk, announcement: str, author: str, incoming: Incoming, at: datetime
    ) -> None:
        """Let the posters read in the desk what they are to confirm, each language for itself."""
        room_id = await load_desk_room(db, desk.id)
        if room_id is None:
            raise RefusedError(
                f"There is no desk room yet in which a poster could confirm it (desk {desk.id!r}); nothing was "
                "announced. Apply the policy first."
            )
        await put(
            db,
            [
                Outgoing(
                    key=f"{announcement}/shown/{language}",
                    act=Act.SEND,
                    role=Role.ANSWER,
                    rank=Priority.IMPORTANT,
                    due_at=at,
                    room_id=room_id,
                    content=_shown(announcement, author, language, body),
                    announcement=announcement,
                )
                for language, body in incoming.bodies.items()
            ],
        )


def _shown(announcement: str, author: str, language: str, body: Body) -> dict[str, object]:
    """Return what the draft says, as a notice; a file is shown as it will be."""
    said = f" in {language}" if language else ""
    head = f"{author} wants to say this{said} ({announcement}):"
    text = caption_of(body)
    content: dict[str, object] = {**body, "m.mentions": {}, "body": f"{head}\n\n{text}".strip()}
    if body["msgtype"] == "m.text":
        content["msgtype"] = "m.notice"
    if "formatted_body" in body:
        content |= {"format": _FORMAT, "formatted_body": f"<p>{html.escape(head)}</p>\n{body['formatted_body']}"}
    return content


def _whom(incoming: Incoming, desk: Desk, attributes: Collection[str]) -> Whom | None:
    """Return whom it is for; None: for all rooms of the desk."""
    if incoming.people:
        return Whom(people=_people(incoming.people, desk, attributes))
    for room in incoming.rooms:
        if room not in desk.rooms:
            raise RefusedError(
                f"`to`: the desk {desk.id!r} does not announce in {room!r}{nearest(room, desk.rooms)}; nothing was "
                "announced."
            )
    return Whom(rooms=incoming.rooms) if incoming.rooms else None


def _people(text: str, desk: Desk, attributes: Collection[str]) -> Selector:
    try:
        selector = parse(text)
    except SelectorError as error:
        raise RefusedError(
            f'`to`: expected people such as department eq "Sales": {error.message}; nothing was announced.'
        ) from error
    known = {name.lower(): name for name in (*STANDARD_ATTRIBUTES, *attributes)}
    for leaf in leaves(selector.root):
        if leaf.path not in known:
            raise RefusedError(
                f"`to`: the directory has no attribute `{leaf.path}`{nearest(leaf.path, known)}; nothing was announced."
            )
    if desk.people is None:
        raise RefusedError(
            f"`to`: the desk {desk.id!r} announces in rooms only, not to people; nothing was announced. The policy "
            f"allows it with `people` at the desk."
        )
    return all_of([selector, desk.people])
