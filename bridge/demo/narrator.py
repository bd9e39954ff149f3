"""Telling the demo's story on a terminal as it goes, and remembering it for the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from bridge.demo.summary import Check, Step, wrapped

_QUARTERS = 4
_MARGIN = 10


class _Count(MofNCompleteColumn):
    """How many of how many, once that is known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


class Telling:
    """One step under way."""

    def __init__(self, title: str, advance: Callable[[int, int], None]) -> None:
        self.happened = title
        """What the summary will say; the step makes it more precise as it learns more."""
        self.advance = advance
        """Told how many are done, and of how many."""


class Narrator:
    """Prints the steps, counts their seconds and collects the checks."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self.steps: list[Step] = []
        self.checks: list[Check] = []

    @property
    def seconds(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print text as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Telling]:
        """Tell that a step is under way, with a bar on a terminal, and then what happened and how long it took."""
        began = time.monotonic()
        if self._console.is_terminal:
            with self._bar() as bar:
                task = bar.add_task(title, total=None)
                telling = Telling(title, lambda done, of: bar.update(task, completed=done, total=of))
                yield telling
        else:
            telling = Telling(title, self._quarters(title))
            yield telling
        seconds = time.monotonic() - began
        self.steps.append(Step(telling.happened, seconds))
        self._tell(f"{seconds:6.1f} s", telling.happened)

    def leave_out(self, why: str) -> None:
        """Tell that a step is left out."""
        self.steps.append(Step(why, None))
        self._tell("-", why)

    def check(self, name: str, *, expected: object, found: object) -> None:
        """Note something that had to be so, and say at once when it was not."""
        check = Check(name, _plain(expected), _plain(found))
        self.checks.append(check)
        if not check.held:
            self._tell("✗", f"{name}: expected {check.expected}, came {check.found}")

    def _tell(self, mark: str, text: str) -> None:
        """Print a text beside its mark, in as many lines as it needs."""
        for line in wrapped(text, self._console.width - _MARGIN):
            self.say(f"{mark:>{_MARGIN - 2}}  {line}")
            mark = ""

    def _bar(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            _Count(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )

    def _quarters(self, title: str) -> Callable[[int, int], None]:
        """Return what prints a line at every quarter of long work, for logs and pipes."""
        told = 0

        def advance(done: int, of: int) -> None:
            nonlocal told
            quarter = done * _QUARTERS // of if of else 0
            if told < quarter < _QUARTERS:
                told = quarter
                self._tell("", f"{title}: {done} of {of}")

        return advance


def _plain(value: object) -> str:
    """Return a value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value in (None, "") else str(value)
