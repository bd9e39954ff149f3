"""What the bench prints."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from bench import __main__ as bench
from bench.report import Figure, line_of, median


def test_a_figure_is_one_line_of_json() -> None:
    """A program reads name, value, unit, what it is held against, and the ratio, to four digits."""
    figure = Figure("ingest.cpu", 12.34567, "µs/event", "mautrix.handler", 100)
    assert "\n" not in line_of(figure)
    assert json.loads(line_of(figure)) == {
        "name": "ingest.cpu",
        "value": 12.35,
        "unit": "µs/event",
        "against": "mautrix.handler",
        "against_value": 100,
        "ratio": 0.1235,
    }


def test_the_median_of_several_runs_counts() -> None:
    """One slow run does not make a figure."""
    runs = iter([1.0, 100.0, 2.0])
    assert median(lambda: next(runs), runs=3) == 2.0


def test_figures_are_measured_and_failures_do_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain and async measurements are printed as they come; one that fails is told on stderr and counted."""

    def broken() -> Figure:
        raise RuntimeError("no such server")

    async def slow() -> Figure:
        return Figure("b.slow", 1, "s", "limit", 2)

    figures: Mapping[str, bench.Measurement] = {
        "a.broken": broken,
        "b.slow": slow,
        "c.quick": lambda: Figure("c.quick", 3, "s", "limit", 2),
    }
    assert bench.run(figures) == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["name"] for line in printed.out.splitlines()] == ["b.slow", "c.quick"]
    assert "a.broken failed:" in printed.err
    assert "no such server" in printed.err


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt ONLY says which figures there are."""
    assert bench.main(["no-such"]) == 2
    assert "decide.desired" in capsys.readouterr().err
