"""What a measurement says, and the one line of JSON in which it says it.

Measuring is left to the modules beside; `python -m bench` finds and runs them.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value beside what it is held against."""

    name: str
    """Where and what, `ingest.durable`."""
    value: float
    unit: str
    """Of both values: `s`, `events/s`, `µs/event`."""
    against: str
    """What was measured beside it, `postgres.copy`; or `limit`, when it is a bound that we promised."""
    against_value: float

    @property
    def ratio(self) -> float:
        """Return how many times `against_value` the value is."""
        return self.value / self.against_value


def line_of(figure: Figure) -> str:
    """Return the figure as one line of JSON, numbers to four significant digits."""
    return json.dumps(
        {
            "name": figure.name,
            "value": _rounded(figure.value),
            "unit": figure.unit,
            "against": figure.against,
            "against_value": _rounded(figure.against_value),
            "ratio": _rounded(figure.ratio),
        },
        ensure_ascii=False,
    )


def emit(figure: Figure) -> None:
    """Print the figure's line at once, also into a pipe."""
    print(line_of(figure), flush=True)


def median(measure: Callable[[], float], runs: int = 5) -> float:
    """Return the median of several runs of `measure`."""
    return statistics.median(measure() for _ in range(runs))


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that this process, all its threads, spends in `work`."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
