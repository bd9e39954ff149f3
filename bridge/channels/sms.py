"""Short messages through a gateway: one signed JSON POST each (standardwebhooks.com).

    POST URL
    webhook-id, webhook-timestamp, webhook-signature
    {"id": "…", "to": "+37255512345", "text": "…"}

Any 2xx means taken. The same message sent again has the same `webhook-id`, by which a gateway can know it. What a
gateway of a certain vendor wants instead is for a few lines of adapter in front of it.
"""

from __future__ import annotations

import json
from http import HTTPStatus

import aiohttp

from bridge.channels.message import Note, number_of, shortened
from bridge.clock import Clock, system_clock
from bridge.errors import ChannelError
from bridge.hook_signature import sign

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_WORTH_RETRYING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class SmsGateway:
    """The channel `sms`."""

    name = "sms"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        key: bytes,
        *,
        attribute: str,
        clock: Clock = system_clock,
    ) -> None:
        self.attribute = attribute
        self._session = session
        self._url = url
        self._key = key
        self._clock = clock

    async def send(self, note: Note) -> None:
        """Hand a short message to the gateway, which gets at most `LONGEST_TEXT` characters."""
        number = number_of(note.address)
        if number is None:
            raise ChannelError("What the directory has is no telephone number.", final=True)
        said = {"id": note.key, "to": number, "text": shortened(note.text)}
        body = json.dumps(said, ensure_ascii=False).encode()
        try:
            async with self._session.post(
                self._url, data=body, headers=self._headers(note.key, body), timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ChannelError(f"The SMS gateway does not answer ({type(error).__name__}).") from error
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            final = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
            # Its answer may repeat the text or the number, so only the status is told.
            raise ChannelError(
                f"The SMS gateway answered {status}, expected 2xx.", final=final and status not in _WORTH_RETRYING
            )

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        now = self._clock()
        return {
            "content-type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": sign(self._key, key, now, body),
        }
