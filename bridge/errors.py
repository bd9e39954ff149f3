"""Every error that Muster raises on purpose, as one tree.

    MusterError                        something a person can mend; the message says how
    ├── InputError                     what came in is wrong; nothing was changed
    │   ├── DocumentError              a YAML file: every problem at once, as file:line:col: error: …
    │   ├── SelectorError              a SCIM filter that does not read, with the column
    │   ├── ImportFileError            a directory file, with line and column
    │   ├── PictureError               a file or an answer that is no picture that can be used
    │   ├── DeliveryError              a webhook that says nothing about people that could be understood
    │   └── UnknownNameError           a person, room, announcement or event that does not exist
    ├── LdapError                      an LDAP server cannot be read to the end
    ├── SecretError                    a secret of ours that is missing, or is not the one
    ├── RefusedError                   a rule of ours says no (stale digest, brake, wrong approver)
    ├── DatabaseError                  PostgreSQL
    │   ├── DatabaseUnavailableError   away for now; try again
    │   │   └── DatabaseSilentError    it does not answer
    │   └── DatabaseVersionError       made by a newer Muster
    ├── ChannelError                   short messages or e-mail: not taken, for now or for good
    ├── MediaError                     a stored file is missing or altered
    │   ├── MediaTooLargeError         larger than the limit
    │   └── MediaUnavailableError      where files are kept is away or full; try again
    └── HomeserverError                Synapse said no, in its own words
        └── HomeserverUnavailableError away for now; try again

The class docstring is the message when none is given. Library exceptions are translated where they arise, always
with `from`. The command line prints the message of a `MusterError` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus


class MusterError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)

    @property
    def message(self) -> str:
        """What to tell a person."""
        return str(self.args[0])

    @property
    def problem(self) -> str:
        """What it is about, in however many ways it shows; whoever waits tells each problem once."""
        return self.message


class InputError(MusterError):
    """The input is wrong; nothing was changed."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file, and where; line and column are 1-based, 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str
    severity: str = "error"
    """Or `warning`: worth a look, and no reason to refuse the file; or `note`: may well be meant."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.severity}: {self.message}"


class DocumentError(InputError):
    """The file has problems; nothing was changed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SelectorError(InputError):
    """The selector is not a SCIM filter (RFC 7644 section 3.4.2.2)."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column
        """1-based column inside the selector's text."""


class ImportFileError(InputError):
    """The directory file cannot be imported; nothing was changed."""

    def __init__(self, message: str | None = None, columns: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(dict.fromkeys(columns))
        """Where the problems are, for logs, which must not repeat what stands there."""


class PictureError(InputError):
    """This is no picture that can be used."""


class DeliveryError(InputError):
    """The webhook's body says nothing about people that could be understood; nothing was changed."""


class UnknownNameError(InputError):
    """There is nothing by that name."""


class LdapError(MusterError):
    """The LDAP server cannot be read to the end; nothing was changed."""


class SecretError(MusterError):
    """A secret in the data folder is missing, or is not the one; put back that of your backup."""


class RefusedError(MusterError):
    """Refused by a rule of Muster's own."""


class DatabaseError(MusterError):
    """PostgreSQL refused."""


class DatabaseUnavailableError(DatabaseError):
    """PostgreSQL cannot be reached; Muster will try again."""


class DatabaseSilentError(DatabaseUnavailableError):
    """PostgreSQL does not answer; Muster will try again."""

    @property
    def problem(self) -> str:
        """It is the same whether connections break, are refused, or wait for it to have started."""
        return "PostgreSQL does not answer"


class DatabaseVersionError(DatabaseError):
    """The database was made by a newer Muster; install that version, or restore an older backup."""


class MediaError(MusterError):
    """A stored file is missing or altered."""


class MediaTooLargeError(MediaError):
    """The file is larger than `archive.media.limit`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        """Bytes that it has, or has at least."""


class MediaUnavailableError(MediaError):
    """Where files are kept cannot be reached or is full; Muster will try again."""


class ChannelError(MusterError):
    """A second channel did not take a message."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final
        """Whether sending this message again would be of no use."""


class HomeserverError(MusterError):
    """The homeserver refused."""

    def __init__(self, message: str, *, status: int = 0, errcode: str = "") -> None:
        super().__init__(message)
        self.status = status
        """HTTP status, 0 when there was no answer."""
        self.errcode = errcode
        """Matrix error code, such as `M_FORBIDDEN`, or empty."""

    @property
    def is_away(self) -> bool:
        """Whether nothing at all can be done there: no answer, or a token of ours that is not accepted."""
        return self.status == HTTPStatus.UNAUTHORIZED

    @property
    def is_final(self) -> bool:
        """Whether asking for the same again would be of no use."""
        return not self.is_away and 400 <= self.status < 500 and self.status != HTTPStatus.TOO_MANY_REQUESTS


class HomeserverUnavailableError(HomeserverError):
    """The homeserver cannot be reached; Muster will try again."""

    @property
    def problem(self) -> str:
        """It is the same whether connections break or are refused, and whatever was asked of it."""
        return "the homeserver does not answer"

    @property
    def is_away(self) -> bool:
        """By definition."""
        return True
