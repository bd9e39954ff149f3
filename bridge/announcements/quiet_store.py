"""The tables of quiet hours, `quiet_choice` and `quiet_rule`: one function per statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements.quiet import Stand, Wish, read_choice, write_choice
from bridge.database.listen import QUIET
from bridge.ids import UserId
from bridge.policy.working_time import Times

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Database = Connection | Pool


async def load_choices(db: Database, users: Collection[UserId] | None = None) -> dict[UserId, Wish | Times]:
    """Return what these users chose, or everybody who chose anything."""
    rows = await db.fetch(
        "SELECT user_id, choice FROM quiet_choice WHERE $1::text[] IS NULL OR user_id = ANY($1)",
        None if users is None else list(users),
    )
    return {UserId(row["user_id"]): read_choice(row["choice"]) for row in rows}


async def put_choice(db: Database, user_id: UserId, choice: Wish | Times, at: datetime) -> None:
    """Keep what somebody chose."""
    await db.execute(
        """INSERT INTO quiet_choice VALUES ($1, $2, $3)
           ON CONFLICT (user_id) DO UPDATE SET choice = excluded.choice, chosen_at = excluded.chosen_at""",
        user_id,
        write_choice(choice),
        at,
    )


async def forget_choice(db: Database, user_id: UserId) -> None:
    """Forget what somebody chose."""
    await db.execute("DELETE FROM quiet_choice WHERE user_id = $1", user_id)


async def call_up(db: Database, user_id: UserId, at: datetime) -> None:
    """Have it looked at again, from that moment on, how it stands for somebody, and wake whoever does so."""
    await db.execute(
        f"""WITH called AS (
                INSERT INTO quiet_rule (user_id, wanted, changes_at) VALUES ($1, false, $2)
                ON CONFLICT (user_id) DO UPDATE SET changes_at = excluded.changes_at)
            SELECT pg_notify('{QUIET}', '')""",  # noqa: S608 - our own constant
        user_id,
        at,
    )


async def due(db: Database, at: datetime) -> list[UserId]:
    """Return for whom a moment has come at which it may become or cease to be quiet."""
    rows = await db.fetch("SELECT user_id FROM quiet_rule WHERE changes_at <= $1 ORDER BY user_id", at)
    return [UserId(row["user_id"]) for row in rows]


async def next_due(db: Database) -> datetime | None:
    """Return the first moment at which somebody is due."""
    found: datetime | None = await db.fetchval("SELECT min(changes_at) FROM quiet_rule")
    return found


async def put_stands(db: Database, stands: Mapping[UserId, Stand], again: datetime) -> None:
    """Write down how it stands for people; `again` is when to look where no change is in sight.

    What was given up is tried again with the next change.
    """
    await db.execute(
        """INSERT INTO quiet_rule (user_id, wanted, changes_at)
           SELECT * FROM unnest($1::text[], $2::boolean[], $3::timestamptz[]) AS t (user_id, wanted, changes_at)
           ORDER BY user_id
           ON CONFLICT (user_id) DO UPDATE SET wanted = excluded.wanted, changes_at = excluded.changes_at,
               attempts = CASE WHEN quiet_rule.error IS NULL THEN quiet_rule.attempts ELSE 1 END,
               error = CASE WHEN quiet_rule.wanted = excluded.wanted THEN quiet_rule.error END""",
        list(stands),
        [stand.is_quiet for stand in stands.values()],
        [stand.until or again for stand in stands.values()],
    )


async def kept(db: Database) -> frozenset[UserId]:
    """Return for whom it is looked at again."""
    rows = await db.fetch("SELECT user_id FROM quiet_rule WHERE changes_at IS NOT NULL")
    return frozenset(UserId(row["user_id"]) for row in rows)


async def let_go(db: Database, users: Collection[UserId]) -> None:
    """Lift the quiet hours of these users for good."""
    await db.execute(
        """UPDATE quiet_rule SET wanted = false, changes_at = NULL, error = NULL,
               attempts = CASE WHEN error IS NULL THEN attempts ELSE 1 END
           WHERE user_id = ANY($1) AND changes_at IS NOT NULL""",
        list(users),
    )


async def forget(db: Database) -> None:
    """Forget whose quiet hours are lifted for good, and what those chose who have no account any more."""
    await db.execute(
        """WITH gone AS (DELETE FROM quiet_rule WHERE changes_at IS NULL AND NOT wanted
               AND (error IS NOT NULL OR (NOT told AND attempts = 0)))
           DELETE FROM quiet_choice AS choice
           WHERE NOT EXISTS (SELECT FROM account WHERE account.user_id = choice.user_id AND enabled)"""
    )


# What the homeserver is still to be told


async def claim(db: Database, limit: int) -> list[UserId]:
    """Count one more attempt for some of those whose rule is still to be set or lifted, and return them."""
    rows = await db.fetch(
        f"""UPDATE quiet_rule SET attempts = attempts + 1 WHERE user_id IN (
               SELECT user_id FROM quiet_rule WHERE {_UNTOLD}
               ORDER BY attempts, user_id LIMIT $1 FOR UPDATE SKIP LOCKED)
           RETURNING user_id""",  # noqa: S608 - our own constant
        limit,
    )
    return sorted(UserId(row["user_id"]) for row in rows)


async def lock(db: Database, users: Collection[UserId]) -> dict[UserId, bool]:
    """Lock these rows until the database transaction ends; return whether it is to be quiet for each."""
    rows = await db.fetch(
        f"""SELECT user_id, wanted FROM quiet_rule WHERE user_id = ANY($1) AND {_UNTOLD}
            ORDER BY user_id FOR UPDATE SKIP LOCKED""",  # noqa: S608 - our own constant
        list(users),
    )
    return {UserId(row["user_id"]): row["wanted"] for row in rows}


async def mark_told(db: Database, users: Collection[UserId]) -> None:
    """Record that the homeserver has taken what was wanted for these."""
    await db.execute(
        "UPDATE quiet_rule SET told = wanted, attempts = 0, error = NULL WHERE user_id = ANY($1)", list(users)
    )


async def mark_refused(db: Database, user_id: UserId, error: str) -> None:
    """Record why the homeserver will not take it, which is not tried again before the next change."""
    await db.execute("UPDATE quiet_rule SET error = $2 WHERE user_id = $1", user_id, error)


_UNTOLD = "error IS NULL AND (wanted <> told OR attempts > 0)"
"""As the index `quiet_rule_untold` has it."""
