"""A file that exists for as long as the demo can be used, for scripts that wait for it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bridge.errors import MusterError


def insist_on_place(path: Path) -> None:
    """Raise `MusterError` when the file could not be written later."""
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
        raise MusterError(f"{path} cannot be written: expected a file name in a folder that exists and is writable")


@contextmanager
def ready_file(path: Path, content: Mapping[str, object]) -> Iterator[None]:
    """Write the content as JSON, whole and readable by us alone, and remove it at the end of the block."""
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
        Path(scratch).replace(path)
    except OSError as error:
        Path(scratch).unlink(missing_ok=True)
        raise MusterError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
