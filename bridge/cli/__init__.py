"""The command line: `muster VERB …`, one module per verb.

Exit codes: 0 ok, 1 refused or failed, 2 wrong usage, 130 interrupted. A person sees the message of a `MusterError`
and never a traceback; anything else that escapes is a defect of ours, is logged with its traceback to the file that
the message names, and ends with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bridge import __version__, event_loop
from bridge.errors import DocumentError, MusterError

VERBS = (
    "demo",
    "init",
    "doctor",
    "run",
    "check",
    "plan",
    "apply",
    "approve",
    "reject",
    "undo",
    "handover",
    "leavers",
    "why",
    "who",
    "barriers",
    "guests",
    "rooms",
    "directory",
    "announce",
    "announcements",
    "emergency",
    "archive",
    "audit",
    "drift",
    "backup",
    "restore",
)


def parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Return the parser of the command line with these verbs; each verb costs the time of importing its module."""
    top = argparse.ArgumentParser(
        prog="muster",
        description="Runs a company's Matrix chat by its own rules.",
        epilog="`muster VERB --help` explains a verb. Exit codes: 0 ok, 1 refused or failed, 2 wrong usage.",
    )
    top.add_argument("--version", action="version", version=f"muster {__version__}")
    subparsers = top.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in verbs:
        import_module(f"bridge.cli.{verb}").add_parser(subparsers)
    _add_common_options(top)
    return top


def _add_common_options(parent: argparse.ArgumentParser) -> None:
    """Give every verb, and every verb below a verb, `-c` and `--json`: there people type them."""
    below = [action for action in parent._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for verb in action.choices.values():
            _add_common_options(verb)
    if not any(action.required for action in below):
        parent.add_argument(
            "-c",
            "--config",
            type=Path,
            default=Path("config.yaml"),
            metavar="FILE",
            help="configuration (default: config.yaml)",
        )
        parent.add_argument("--json", action="store_true", help="print JSON, for scripts")


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        try:
            return _execute(arguments)
        finally:
            sys.stdout.flush()
    except DocumentError as error:  # its lines begin with a file's name, for editors
        print(error.message, file=sys.stderr)
        return 1
    except MusterError as error:
        print(f"muster: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        print(f"muster: this is a defect in Muster; please report it with {_report()}", file=sys.stderr)
        return 1


def _execute(arguments: Sequence[str]) -> int:
    named = [verb for verb in arguments[:1] if verb in VERBS]
    args = parser(named or VERBS).parse_args(arguments)
    code: int = event_loop.run(args.handler(args))
    return code


def _report() -> Path:
    """Write the traceback where a person can attach it from."""
    descriptor, name = tempfile.mkstemp(prefix="muster-defect-", suffix=".txt")
    with os.fdopen(descriptor, "w") as report:
        traceback.print_exc(file=report)
    return Path(name)
