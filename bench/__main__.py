"""`python -m bench [ONLY]`: run the figures whose names start with ONLY and print a line of JSON for each.

What takes very long is run only when ONLY is its whole name.

Exit code 0 when all were measured, 1 when one failed (the others are still run), 2 when no figure has such a name.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping

import bench
from bench.report import Figure, emit

Measurement = Callable[[], Awaitable[Figure] | Figure]


def find_figures(attribute: str = "FIGURES") -> Mapping[str, Measurement]:
    """Return the figures of every module of this package, by name; `WHEN_NAMED` are those that take very long."""
    figures: dict[str, Measurement] = {}
    for module in pkgutil.iter_modules(bench.__path__):
        if not module.name.startswith("_"):
            figures |= getattr(importlib.import_module(f"bench.{module.name}"), attribute, {})
    return figures


def run(figures: Mapping[str, Measurement]) -> int:
    """Measure each, print each; return how many failed."""
    failed = 0
    for name, measure in figures.items():
        try:
            emit(_measured(measure))
        except Exception:  # a bench is for developers: they want the place, and the other figures
            print(f"{name} failed:", file=sys.stderr)
            traceback.print_exc()
            failed += 1
    return failed


def main(arguments: list[str]) -> int:
    """Run what the command line asks for and return the exit code."""
    only = arguments[0] if arguments else ""
    figures = find_figures()
    when_named = find_figures("WHEN_NAMED")
    if only in when_named:
        return 1 if run({only: when_named[only]}) else 0
    chosen = {name: measure for name, measure in sorted(figures.items()) if name.startswith(only)}
    if not chosen:
        print(f"No figure starts with {only!r}; there are: {', '.join(sorted(figures))}", file=sys.stderr)
        return 2
    return 1 if run(chosen) else 0


def _measured(measure: Measurement) -> Figure:
    outcome = measure()
    return asyncio.run(_awaited(outcome)) if inspect.isawaitable(outcome) else outcome


async def _awaited(outcome: Awaitable[Figure]) -> Figure:
    return await outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
