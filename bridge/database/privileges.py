"""What the role of the running service may do with each table, when another role owns them.

The service adds to the ledger and reads it, and can neither change nor remove what is there; what was disposed of is
noted by a function of the owner's alone. All other tables it reads and writes. It owns nothing, so that it can
neither switch a trigger off nor give itself more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_ADD = frozenset({"SELECT", "INSERT"})
_READ = frozenset({"SELECT"})
_WRITE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_SPECIAL = {
    "event": _ADD,
    "ledger_checkpoint": _ADD,
    "ledger_block": _ADD,
    "checkpoint_anchor": _ADD,
    "key_rotation": _ADD,
    "disposed": _READ,
    "version": _READ,
    "database_owner": _READ,
}
"""All others are `_WRITE`."""
LEDGER = tuple(name for name, allowed in _SPECIAL.items() if allowed is _ADD)
"""The tables that the service only adds to."""


async def may_make_tables(connection: Connection) -> bool:
    """Return whether this role upgrades the database: it owns the tables, or there are none and nothing to respect."""
    found: bool = await connection.fetchval(
        """SELECT coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('event')),
                           to_regclass('version') IS NULL OR has_schema_privilege('public', 'CREATE'))"""
    )
    return found


async def unprotected(db: Connection | Pool) -> list[str]:
    """Return which tables of the ledger this role could change or empty, by name."""
    rows = await db.fetch(
        """SELECT name FROM unnest($1::text[]) AS name
           WHERE has_table_privilege(name, 'UPDATE, DELETE, TRUNCATE')
              OR (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = name::regclass)
           ORDER BY name""",
        LEDGER,
    )
    return [row["name"] for row in rows]


async def grant(owner: Connection, service: str) -> None:
    """Give the role exactly what the service needs, as far as it has it not; the owner itself keeps everything."""
    if await owner.fetchval("SELECT pg_has_role($1, current_user, 'USAGE')", service):
        return
    wrong = [name for name, held in await _held(owner, service) if held != _SPECIAL.get(name, _WRITE)]
    if not wrong:
        return
    role = _quoted(service)
    statements = [f"GRANT USAGE ON SCHEMA public TO {role}"]
    for name in wrong:
        allowed = ", ".join(sorted(_SPECIAL.get(name, _WRITE)))
        statements += [f"REVOKE ALL ON {_quoted(name)} FROM {role}", f"GRANT {allowed} ON {_quoted(name)} TO {role}"]
    statements += [
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role}",
    ]
    async with owner.transaction():
        await owner.execute("; ".join(statements))


async def _held(owner: Connection, service: str) -> list[tuple[str, frozenset[str]]]:
    """Return for each table what the role may do with it."""
    rows = await owner.fetch(
        """SELECT relname, ARRAY(
               SELECT action FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS action
               WHERE has_table_privilege($1, pg_class.oid, action)) AS held
           FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')""",
        service,
    )
    return [(row["relname"], frozenset(row["held"])) for row in rows]


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
