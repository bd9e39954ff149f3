"""Who asks, and whether the token still holds: a question that the request's first statement answers by the way.

Whose a token is never changes, so it may be remembered; that it is not revoked must be known anew for every request,
before anything of the directory is shown or changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scim2_models import UnauthorizedException

from bridge.directory.token_store import Bearer, is_valid

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(slots=True)
class Admission:
    """The admission of one request."""

    bearer: Bearer
    pending: bytes | None = None
    """The hash of the token, for the first statement to ask about; None once it is known to be valid."""

    async def confirm(self, db: Connection | Pool) -> None:
        """Ask about the token by itself, if nothing else has. Raises `UnauthorizedException`."""
        if self.pending is not None and not await is_valid(db, self.pending):
            raise refused()
        self.pending = None


def refused() -> UnauthorizedException:
    """Return the error of a request without a valid token."""
    return UnauthorizedException(detail="Expected a valid token in the header Authorization: Bearer …")
