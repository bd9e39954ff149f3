"""The statements about pictures of people and rooms: one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.database.listen import FACES, MEMBERSHIP
from bridge.ids import PersonId, UserId
from bridge.membership.face import PhotoFile

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Waiting:
    """An account whose picture is to be looked at."""

    user_id: UserId
    person: PersonId
    version: int
    """Directory version of the person."""
    address: str
    """Of the picture so far; empty without one."""
    choice: str
    """By which that one was chosen."""
    problem: str
    """What was said of the photo last."""


@dataclass(frozen=True, slots=True)
class Face:
    """What an account's picture is from now on, and what it was made from."""

    user_id: UserId
    address: str
    choice: str
    version: int
    file: str
    """The mark of the photo's file; empty without one."""
    problem: str
    due_at: datetime


async def wake(db: Connection | Pool) -> None:
    """Wake whoever makes pictures."""
    await db.execute(f"SELECT pg_notify('{FACES}', '')")


async def read_waiting(
    db: Connection | Pool, choice: str, files: Mapping[str, PhotoFile] | None, now: datetime, count: int
) -> list[Waiting]:
    """Return some enabled accounts that have no picture by this choice, or whose person, file or time has come.

    Without `files` nobody's file is compared, which takes a second or two where there are very many.
    """
    rows = await db.fetch(
        """SELECT a.user_id, a.person_id, r.changed, a.face, coalesce(f.choice, '') AS choice,
                  coalesce(f.problem, '') AS problem
           FROM account a
           JOIN scim_resource r ON r.id = a.person_id
           LEFT JOIN face f ON f.user_id = a.user_id
           LEFT JOIN unnest($3::text[], $4::text[]) AS photo (name, mark) ON photo.name = r.name_key
           WHERE a.enabled AND (f.user_id IS NULL OR f.choice <> $1 OR f.version < r.changed OR f.due_at <= $2
                                OR $3::text[] IS NOT NULL AND f.file <> coalesce(photo.mark, ''))
           ORDER BY a.user_id LIMIT $5""",
        choice,
        now,
        None if files is None else list(files),
        None if files is None else [file.mark for file in files.values()],
        count,
    )
    return [
        Waiting(
            UserId(row["user_id"]),
            PersonId(row["person_id"]),
            row["changed"],
            row["face"],
            row["choice"],
            row["problem"],
        )
        for row in rows
    ]


async def put_faces(db: Connection, faces: Sequence[Face]) -> list[UserId]:
    """Remember these pictures, and return whose is another one than before."""
    await db.execute(
        """INSERT INTO face (user_id, choice, version, file, problem, due_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[])
           ON CONFLICT (user_id) DO UPDATE SET choice = excluded.choice, version = excluded.version,
               file = excluded.file, problem = excluded.problem, due_at = excluded.due_at""",
        [face.user_id for face in faces],
        [face.choice for face in faces],
        [face.version for face in faces],
        [face.file for face in faces],
        [face.problem for face in faces],
        [face.due_at for face in faces],
    )
    rows = await db.fetch(
        """UPDATE account a SET face = t.address FROM unnest($1::text[], $2::text[]) AS t (user_id, address)
           WHERE a.user_id = t.user_id AND a.face <> t.address RETURNING a.user_id""",
        [face.user_id for face in faces],
        [face.address for face in faces],
    )
    return [UserId(row["user_id"]) for row in rows]


# What was uploaded


async def find_media(db: Connection | Pool, digest: str) -> str | None:
    """Return the address of what was uploaded already."""
    address: str | None = await db.fetchval("SELECT address FROM media WHERE digest = $1", digest)
    return address


async def put_media(db: Connection | Pool, digest: str, address: str, at: datetime) -> str:
    """Remember what was uploaded, and return its address: that of whoever was first."""
    kept: str = await db.fetchval(
        """INSERT INTO media (digest, address, uploaded_at) VALUES ($1, $2, $3)
           ON CONFLICT (digest) DO UPDATE SET address = media.address RETURNING address""",
        digest,
        address,
        at,
    )
    return kept


# Rooms


async def read_room_pictures(db: Connection | Pool) -> dict[str, str]:
    """Return the address of each picture that the policy names as a file, as far as they are uploaded."""
    return {row["name"]: row["address"] for row in await db.fetch("SELECT name, address FROM room_picture")}


async def put_room_picture(db: Connection | Pool, name: str, address: str) -> None:
    """Remember where a file of the policy's is, and wake whoever keeps rooms as they ought to be if that is news."""
    await db.execute(
        f"""WITH put AS (
                INSERT INTO room_picture (name, address) VALUES ($1, $2)
                ON CONFLICT (name) DO UPDATE SET address = excluded.address, changed = excluded.changed
                WHERE room_picture.address <> excluded.address RETURNING name)
            SELECT pg_notify('{MEMBERSHIP}', '') FROM put""",  # noqa: S608 - our own constant
        name,
        address,
    )


async def newest_room_picture(db: Connection | Pool) -> int:
    """Return the number of the newest picture of a room; 0 without any."""
    newest: int = await db.fetchval("SELECT coalesce(max(changed), 0) FROM room_picture")
    return newest


async def forget_room_pictures(db: Connection | Pool, named: Collection[str]) -> None:
    """Forget the pictures that the policy does not name (any more)."""
    await db.execute("DELETE FROM room_picture WHERE name <> ALL($1)", list(named))
