"""E-mail by SMTP (RFC 5321), one message for each person.

The same message sent again has the same Message-ID, by which mail programs show it once.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from enum import StrEnum
from hashlib import sha256

import aiosmtplib

from bridge.channels.message import Note
from bridge.clock import Clock, system_clock
from bridge.errors import ChannelError

_TIMEOUT = 20.0
_LONGEST_SUBJECT = 200
_PERMANENT = 500


class Security(StrEnum):
    """How the way to the server is encrypted."""

    START = "start"
    """STARTTLS, insisted on."""
    TLS = "tls"
    """From the beginning."""
    NONE = "none"
    """Not at all: for a server on this machine."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes our mail, and in whose name it is sent."""

    host: str
    port: int
    security: Security
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    """A file with the certificates to trust; None: those of the system."""


class Mailer:
    """The channel `mail`."""

    name = "mail"

    def __init__(self, server: MailServer, *, attribute: str, clock: Clock = system_clock) -> None:
        self.attribute = attribute
        self._server = server
        self._clock = clock
        encrypted = server.security is not Security.NONE
        self._tls = ssl.create_default_context(cafile=server.ca) if encrypted else None

    async def send(self, note: Note) -> None:
        """Hand an e-mail to the server."""
        message = self._message(note)
        try:
            await self._hand_over(message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = min(refused.code for refused in error.recipients)
            raise _refused("the recipient", code, final=code >= _PERMANENT) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise _refused("the username and password", error.code, final=False) from error
        except aiosmtplib.SMTPDataError as error:
            raise _refused("the message", error.code, final=error.code >= _PERMANENT) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused("to go on", error.code, final=False) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ChannelError(f"The mail server does not take mail ({type(error).__name__}).") from error

    def _message(self, note: Note) -> EmailMessage:
        message = EmailMessage(policy=SMTP_POLICY)
        sender = Address(addr_spec=self._server.sender)
        try:
            message["To"] = Address(addr_spec=note.address.strip())
        except (ValueError, IndexError, MessageError) as error:
            raise ChannelError("What the directory has is no e-mail address.", final=True) from error
        message["From"] = sender
        message["Subject"] = " ".join(note.subject.split())[:_LONGEST_SUBJECT]
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = f"<{sha256(note.key.encode()).hexdigest()[:32]}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office answers are not wanted
        if note.urgent:
            message["Importance"] = "high"
        message.set_content(note.text)
        return message

    async def _hand_over(self, message: EmailMessage) -> None:
        server = self._server
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            timeout=_TIMEOUT,
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.START,
            tls_context=self._tls,
        )


def _refused(what: str, code: int, *, final: bool) -> ChannelError:
    # The server's own words may hold the address, so only its code is told.
    return ChannelError(f"The mail server refused {what} ({code}).", final=final)
