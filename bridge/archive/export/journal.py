"""The journal of an export: what was ordered, and which slices are done; a line of JSON each.

It lies in the export's folder while the export is made, and is removed when everything else is there. A line counts
when it ends; one that was cut off is as if it had not been begun.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bridge.archive.export.order import Order
from bridge.archive.export.values import Missing, Written
from bridge.errors import InputError, MusterError, RefusedError
from bridge.files import write_new

NAME = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Done:
    """A slice that is written."""

    slice: int
    events: int
    files: Sequence[Written]
    missing: Sequence[Missing]
    index: Mapping[str, Any]
    read: int = 0
    """Events that came encrypted and stand as what they said."""
    unread: int = 0
    """Events that came encrypted, which the archive could not read."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What was found when the export began."""

    rooms: Sequence[Any]
    """How complete the archive is for each room."""
    chosen: str
    """SHA-256 of the positions of everything that is handed out, hexadecimal."""
    closed: int
    """Events besides, which whoever ordered it may not see."""


class Journal:
    """The journal of one export."""

    def __init__(self, path: Path, order: Order, begun: Begun | None, done: dict[int, Done], end: int) -> None:
        self._path = path
        self.order = order
        self.begun = begun
        """None when nothing was read yet."""
        self.done = done
        self._end = end

    @staticmethod
    def check(folder: Path) -> None:
        """Raise `RefusedError` unless an export may begin in the folder: it is empty, or not there yet."""
        try:
            is_free = not folder.exists() or not any(folder.iterdir())
        except OSError as error:
            raise MusterError(f"{folder} cannot be used: {error.strerror}. Name another folder.") from error
        if not is_free:
            raise RefusedError(
                f"{folder} is not empty; it was not touched. Name another folder, or go on there with --resume."
            )

    @classmethod
    def start(cls, folder: Path, order: Order) -> Self:
        """Begin an export; raises as `check`."""
        cls.check(folder)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MusterError(f"{folder} cannot be made: {error.strerror}. Name another folder.") from error
        line = json.dumps({"order": order.as_json()}) + "\n"
        write_new(folder / NAME, line, mode=0o600)
        return cls(folder / NAME, order, None, {}, len(line))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the journal of an export that was cut off; raises `InputError`."""
        path = folder / NAME
        try:
            whole, _, _ = path.read_bytes().rpartition(b"\n")
            lines = [json.loads(line) for line in whole.splitlines()]
            order = Order.of_json(lines[0]["order"])
            begun = next((Begun(**line["begun"]) for line in lines if "begun" in line), None)
            done = {line["slice"]: _done(line) for line in lines if "slice" in line}
        except FileNotFoundError as error:
            raise InputError(
                f"{folder} holds no export that was cut off: there is no {NAME} in it. Make a new one without --resume."
            ) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{path} does not read as the journal of an export. Make a new one elsewhere.") from error
        return cls(path, order, begun, done, len(whole) + 1)

    def note_begun(self, begun: Begun) -> None:
        """Keep what was found."""
        self._append({"begun": asdict(begun)})
        self.begun = begun

    def note_done(self, done: Done) -> None:
        """Note a slice as written."""
        self._append(asdict(done))
        self.done[done.slice] = done

    def remove(self) -> None:
        """Take the journal away: everything is there."""
        self._path.unlink()

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line).encode() + b"\n"
        try:
            with self._path.open("r+b") as file:
                file.truncate(self._end)
                file.seek(self._end)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise MusterError(f"{self._path} cannot be written: {error.strerror}. Go on with --resume.") from error
        self._end += len(text)


def _done(line: Mapping[str, Any]) -> Done:
    return Done(
        line["slice"],
        line["events"],
        [Written(**each) for each in line["files"]],
        [Missing(**each) for each in line["missing"]],
        line["index"],
        line["read"],
        line["unread"],
    )
