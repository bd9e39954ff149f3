"""`muster undo RUN`: what it takes to undo a run, and with `--apply DIGEST` doing it."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.cli.apply import apply_as_json, apply_as_text, shown_progress
from bridge.cli.command import print_json, system_user, width, with_services
from bridge.directory.store import load_person
from bridge.errors import RefusedError, UnknownNameError
from bridge.ids import UserId
from bridge.membership.audit import COMMAND_LINE, Entry, told_cause
from bridge.membership.audit_store import read_policy_before, read_run
from bridge.membership.reconcile import Reconciler, widened
from bridge.membership.rendering import as_json, as_text, printable
from bridge.membership.survey import Scope, Survey
from bridge.membership.undo import Undoing, undo
from bridge.membership.values import Change
from bridge.policy.schema import UnmanagedRooms

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


@dataclass(frozen=True, slots=True)
class _Found:
    """A run, what undoing it comes to, and the plan of it."""

    entries: Sequence[Entry]
    undoing: Undoing
    survey: Survey
    policy_before: str | None


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "undo",
        help="plan the reverse of a run, and carry it out",
        description="Shows what of a run comes back, and what policy or directory would at once do again: put these "
        "right first. `--apply DIGEST` carries out exactly what was shown, through the brake and with entries of its "
        "own. Exit code 1 when not all of the run can be undone.",
    )
    parser.add_argument("run", type=int, metavar="RUN", help="the number of the run, as `muster audit` shows it")
    parser.add_argument("--apply", metavar="DIGEST", help="carry it out, if it still is what that digest stands for")
    parser.add_argument("--by", metavar="PERSON", help="who undoes; somebody else must approve what is held of it")
    parser.set_defaults(handler=with_services(undo_run))


async def undo_run(args: argparse.Namespace, services: Services) -> int:
    """Show what undoing the run comes to, or do it."""
    entries = await read_run(services.pool, args.run)
    if not entries:
        raise UnknownNameError(f"There is no run {args.run} that did anything. `muster audit` shows the runs.")
    reconciler = Reconciler(
        services.pool,
        services.homeserver,
        services.accounts,
        clock=services.clock,
        timezone=services.config.directory.timezone,
        at_once=services.config.homeserver.concurrency,
    )
    if args.apply is not None:
        return await _apply(args, services, reconciler, entries)
    survey = await reconciler.survey(services.policy(), _scope(entries))
    undoing = _undo(args.run, entries, survey)
    before = await read_policy_before(services.pool, args.run)
    found = _Found(entries, undoing, widened(survey, undoing.given_back), before)
    if args.json:
        print_json(_as_json(found))
    else:
        print(_as_text(args.run, found, width()), end="")
    return 1 if undoing.again else 0


async def _apply(args: argparse.Namespace, services: Services, reconciler: Reconciler, entries: Sequence[Entry]) -> int:
    by = None if args.by is None else (await load_person(services.pool, args.by)).id
    again: list[Entry] = []

    def besides(survey: Survey) -> Sequence[Change]:
        undoing = _undo(args.run, entries, survey)
        again.extend(undoing.again)
        if not (undoing.given_back or undoing.planned):
            raise RefusedError(
                f"Nothing of run {args.run} can be undone now: `muster undo {args.run}` says why. Nothing was done."
            )
        return undoing.given_back

    with shown_progress() as progress:
        result = await reconciler.reconcile(
            services.policy(),
            _scope(entries),
            cause=f"undo of run {args.run}",
            digest=args.apply,
            set_off_by=system_user() or COMMAND_LINE,
            by=by,
            besides=besides,
            progress=progress,
        )
    if args.json:
        print_json({**apply_as_json(result), "again": len(again)})
    else:
        print(apply_as_text(result, width()), end="")
    return 1 if result.applied.failures or again else 0


def _scope(entries: Sequence[Entry]) -> Scope:
    return Scope(users=frozenset(UserId(entry.user_id) for entry in entries if entry.user_id))


def _undo(run: int, entries: Sequence[Entry], survey: Survey) -> Undoing:
    closing = survey.policy.unmanaged_rooms is UnmanagedRooms.CLOSE
    return undo(run, entries, survey.plan, survey.desired, survey.current, closing=closing)


def _as_json(found: _Found) -> dict[str, object]:
    undoing = found.undoing
    return {
        **as_json(found.survey.plan),
        "policy_before": found.policy_before,
        "past": len(undoing.past),
        "kept": len(undoing.kept),
        "again": [
            {"action": entry.action.value, "room": entry.room_key, "user_id": entry.user_id, "rule": entry.rule}
            for entry in undoing.again
        ],
    }


def _as_text(run: int, found: _Found, columns: int) -> str:
    first, undoing = found.entries[0], found.undoing
    done = sum(entry.outcome == "done" for entry in found.entries)
    lines = [
        f"Run {run} ({told_cause(first.cause, first.set_off_by, first.approver)}; {first.at:%Y-%m-%d %H:%M} UTC)"
        f" did {done} changes."
    ]
    comes = len(undoing.planned) + len(undoing.given_back)
    lines.append(f"{comes} can be undone now, {len(undoing.past)} are not so any more.")
    if undoing.kept:
        lines.append(f"{len(undoing.kept)} stay: rooms that were made, and names, follow policy and directory.")
    if undoing.again:
        lines += ["", f"{len(undoing.again)} would at once be done again, because policy or directory ask for them:"]
        lines += [f"  {_named(entry)}" for entry in undoing.again]
        lines += list(_advice(found))
    text = "".join(
        f"{line}\n"
        for text in lines
        for line in textwrap.wrap(printable(text), columns, subsequent_indent="    ") or [""]
    )
    if not comes:
        return text
    digest = found.survey.plan.digest[:12]
    return f"{text}\n{as_text(found.survey.plan, columns)}\nTo carry it out: muster undo {run} --apply {digest}\n"


def _advice(found: _Found) -> Iterator[str]:
    run_policy = found.entries[0].policy_digest
    if found.policy_before is not None and found.policy_before != run_policy:
        yield (
            f"Put the policy right first: {found.policy_before[:12]} was in force before that run, "
            f"{run_policy[:12]} in it, {found.survey.policy.digest[:12]} is now."
        )
    else:
        yield "Put the directory or the policy right first."


def _named(entry: Entry) -> str:
    place = f" in {entry.room_key}" if entry.room_key else ""
    level = f" to {entry.value}" if entry.value else ""
    return f"{entry.action.value} {entry.user_id}{place}{level}: {entry.reason}"
