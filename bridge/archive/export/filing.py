"""Putting the files that came with messages into an export; one that cannot be had is noted, and stops nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from bridge.archive.export.attachments import NOT_ARCHIVED
from bridge.archive.export.file_key import FileKey
from bridge.archive.export.values import Attachment, Media, Missing, Record, Written
from bridge.archive.export.writer import Writer
from bridge.errors import MusterError

_EMBEDDED = 20_000_000
"""Bytes of a file that is put into the file of its conversation."""
_EMBEDDED_TOGETHER = 100_000_000
"""Of all of a conversation's; mails are refused at 250 MB, and base64 takes a third more."""

_NO_KEY = "it is encrypted, and the message brings no key that opens it"


@dataclass(slots=True)
class Filed:
    """The files of one slice."""

    records: list[Record] = field(default_factory=list)
    """With what became of their attachments."""
    written: list[Written] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    content: dict[str, bytes] = field(default_factory=dict)
    """Path → bytes of what is small enough to be embedded."""


async def file_attachments(records: Sequence[Record], media: Media | None, writer: Writer) -> Filed:
    """Write the files of these records, each once."""
    filed = Filed()
    seqs = [record.seq for record in records if record.attachment]
    found = await media.find(seqs) if media and seqs else {}
    for record in records:
        attachment = record.attachment
        if attachment:
            state = found.get((record.seq, attachment.mxc))
            if media and state and state.sha256 is not None:
                attachment = await _write(attachment, state.sha256, media, writer, filed)
            else:
                attachment = replace(attachment, problem=(state and state.problem) or NOT_ARCHIVED)
            if attachment.problem:
                missing = Missing(record.event.event_id, attachment.name, attachment.mxc, attachment.problem)
                filed.missing.append(missing)
            record = replace(record, attachment=attachment)
        filed.records.append(record)
    return filed


async def _write(attachment: Attachment, digest: bytes, media: Media, writer: Writer, filed: Filed) -> Attachment:
    if attachment.is_encrypted and (attachment.key is None or attachment.key.sha256 != digest):
        return replace(attachment, problem=_NO_KEY)
    try:
        content = media.read(digest) if attachment.key is None else _opened(media.read(digest), attachment.key)
        digest = digest if attachment.key is None else await _digest_of(_opened(media.read(digest), attachment.key))
    except MusterError as error:
        return replace(attachment, problem=error.message)
    path = f"media/{digest.hex()}"
    written = next((each for each in filed.written if each.path == path), None)
    if written is None:
        kept: list[bytes] = []
        try:
            written = await writer.write_stream(path, _kept(content, kept), digest)
        except MusterError as error:
            return replace(attachment, sha256=digest.hex(), problem=error.message)
        filed.written.append(written)
        if kept and sum(map(len, filed.content.values())) + written.size <= _EMBEDDED_TOGETHER:
            filed.content[path] = b"".join(kept)
    return replace(attachment, sha256=written.sha256, path=path, size=written.size, problem="")


async def _opened(content: AsyncIterator[bytes], key: FileKey) -> AsyncIterator[bytes]:
    opener = key.opener()
    async for chunk in content:
        yield opener.update(chunk)


async def _digest_of(content: AsyncIterator[bytes]) -> bytes:
    digest = sha256()
    async for chunk in content:
        digest.update(chunk)
    return digest.digest()


async def _kept(content: AsyncIterator[bytes], kept: list[bytes]) -> AsyncIterator[bytes]:
    """Pass the content on, and keep it as long as it may be embedded."""
    size = 0
    async for chunk in content:
        size += len(chunk)
        if size <= _EMBEDDED:
            kept.append(chunk)
        else:
            kept.clear()
        yield chunk
