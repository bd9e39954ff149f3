#!/usr/bin/env python3
"""Checks the proof that an event stands in a Muster archive. Needs Python 3.11, `cryptography` and nothing else.

    python verify.py BUNDLE [--key PUBKEY] [--checkpoint FILE]

BUNDLE is what `muster archive prove EVENT` has written. PUBKEY is the archive's public key (archive-key.pub.pem), from
whoever you trust to have it right; without it, the bundle's own key is believed. It may be one that was replaced: the
bundle then holds what the old key has signed about the new one, and each counts for its time alone. FILE holds one or
more checkpoints that were kept outside of the archive; then the proof must be about that same ledger. Exit code 0 when
everything is proven, 1 when anything is not, 2 for wrong usage. It shares no code with Muster; RFC 9162 is its source.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key


class NotProven(Exception):
    """Why not."""


@dataclass(frozen=True)
class Checkpoint:
    """What is signed of a ledger."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Span:
    """A key, and the sizes of the checkpoints for which it counts."""

    key: Ed25519PublicKey
    start: int
    end: int | None

    @property
    def name(self) -> str:
        """What the key is called."""
        return sha256(raw(self.key)).hexdigest()[:16]


def main(arguments: list[str]) -> int:
    """Say what is proven, or why nothing is."""
    parser = argparse.ArgumentParser(description="Checks the proof that an event stands in a Muster archive.")
    parser.add_argument("bundle", metavar="BUNDLE", help="what `muster archive prove` has written")
    parser.add_argument("--key", metavar="PUBKEY", help="the archive's public key, in PEM")
    parser.add_argument("--checkpoint", metavar="FILE", help="checkpoints that were kept outside of the archive")
    args = parser.parse_args(arguments)
    try:
        lines = check(
            read(args.bundle),
            read(args.key) if args.key else None,
            read(args.checkpoint) if args.checkpoint else None,
        )
    except NotProven as reason:
        print(f"NOT PROVEN: {reason}")
        return 1
    print("\n".join(lines))
    return 0


def read(name: str) -> str:
    """Return a file's text."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise NotProven(f"{name} cannot be read: {error}") from error


def check(text: str, key_text: str | None, kept_text: str | None) -> list[str]:
    """Return in words what the bundle proves; raises `NotProven`."""
    bundle = parse(text)
    keys, told = chain(bundle, public_key(key_text or field(bundle, "public_key", str)))
    checkpoint, signer = signed(field(bundle, "checkpoint", str), keys)
    index = field(bundle, "leaf_index", int)
    leaf = binary(bundle, "leaf")
    if len(leaf) != 32:
        raise NotProven("the bundle's leaf is no hash.")
    lines = disposed_lines(bundle, index, checkpoint) if bundle.get("event") is None else event_lines(bundle, leaf)
    if inclusion_root(index, checkpoint.size, leaf, binaries(bundle, "inclusion")) != checkpoint.root:
        raise NotProven("the inclusion proof does not lead from the event's leaf to the signed root.")
    lines.append(f"PROVEN: it stands at position {index + 1} of {checkpoint.size} in the archive {checkpoint.origin}.")
    lines.append(f"PROVEN: the key {signer.name} signed the root of these {checkpoint.size} events.")
    lines += told
    if kept_text is not None:
        lines.append(against(kept_text, bundle, checkpoint, index, keys))
    if key_text is None:
        name = Span(public_key(field(bundle, "public_key", str)), 0, None).name
        lines.append(
            f"NOTE: the key came with the bundle. Compare {name} with what the archive's owner says, or give --key."
        )
    return lines


def disposed_lines(bundle: dict[str, Any], index: int, checkpoint: Checkpoint) -> list[str]:
    """Return who had the record destroyed and why; only its leaf is left, and the entry that says so."""
    if bundle.get("disposition") is None:
        raise NotProven("the bundle holds neither the event nor the entry that disposed of it.")
    entry = field(bundle, "disposition", dict)
    body, place = binary(entry, "event"), field(entry, "leaf_index", int)
    leaf = sha256(b"\0" + binary(entry, "salt") + body).digest()
    if inclusion_root(place, checkpoint.size, leaf, binaries(entry, "inclusion")) != checkpoint.root:
        raise NotProven("the entry that disposed of the event does not stand in the archive.")
    said = entry_of(body)
    details = said["content"]["details"]
    if not any(first <= index + 1 <= last for first, last in spans(details.get("positions"))):
        raise NotProven(f"the entry at position {place + 1} disposed of other records, not of position {index + 1}.")
    return [
        "event   disposed of: its content is gone, and its ID cannot be proven any more",
        f"by      {shown(said.get('sender'))}",
        f"when    {moment(said)}, by the archive's clock",
        f"reason  {shown(details.get('reason'))}",
        f"PROVEN: the entry at position {place + 1} disposed of what stood at position {index + 1}.",
    ]


def entry_of(body: bytes) -> dict[str, Any]:
    """Return a disposition, as it was archived."""
    try:
        entry = json.loads(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        entry = None
    if isinstance(entry, dict) and entry.get("type") == "muster.dispose":
        content = entry.get("content")
        is_ours = str(entry.get("event_id")).startswith("muster:")  # an ID that no homeserver's event can have
        if is_ours and isinstance(content, dict) and isinstance(content.get("details"), dict):
            return entry
    raise NotProven("what the bundle names as the disposition is none.")


def spans(positions: object) -> list[tuple[int, int]]:
    """Return the first and last positions that a disposition names."""
    found = positions if isinstance(positions, list) else []
    return [
        (span[0], span[1])
        for span in found
        if isinstance(span, list) and len(span) == 2 and all(type(one) is int for one in span)
    ]


def event_lines(bundle: dict[str, Any], leaf: bytes) -> list[str]:
    """Return who said what when."""
    body = binary(bundle, "event")
    if sha256(b"\0" + binary(bundle, "salt") + body).digest() != leaf:
        raise NotProven("the event and its salt do not give the leaf: the event was altered.")
    try:
        event = json.loads(body.decode("utf-8", "surrogatepass"))
    except RecursionError:
        return ["PROVEN: these are exactly the bytes that were archived; they are nested too deep to be shown."]
    if event.get("event_id") != bundle.get("event_id"):
        raise NotProven("the event has another ID than the bundle says.")
    content = event.get("content")
    content = content if isinstance(content, dict) else {}
    said = content.get("body")
    if str(event.get("event_id")).startswith("muster:"):  # an entry of the archive's own log, which only Muster writes
        return [
            f"entry   {shown(event.get('event_id'))}",
            f"by      {shown(event.get('sender'))}",
            f"at      {moment(event)}, as the archive's clock said",
            f"type    {shown(event.get('type'))}",
            f"said    {shown(json.dumps(content.get('details'), ensure_ascii=False, sort_keys=True))}",
            "PROVEN: these are exactly the bytes that were archived.",
        ]
    return [
        f"event   {shown(event.get('event_id'))}",
        f"room    {shown(event.get('room_id'))}",
        f"sender  {shown(event.get('sender'))}",
        f"sent    {moment(event)}, as the sender's server says",
        f"text    {shown(said)}" if isinstance(said, str) else f"type    {shown(event.get('type'))}",
        "PROVEN: these are exactly the bytes that were archived.",
    ]


def against(text: str, bundle: dict[str, Any], checkpoint: Checkpoint, index: int, keys: list[Span]) -> str:
    """Return what the checkpoints that were kept elsewhere say of the bundle's."""
    notes = split(text)
    if not notes:
        raise NotProven("the file holds no checkpoint.")
    kept = [signed(note, keys)[0] for note in notes]
    for one in kept:
        if one.origin != checkpoint.origin:
            raise NotProven(f"the file holds a checkpoint of {one.origin}, another archive.")
        if one.size == checkpoint.size and one.root != checkpoint.root:
            raise NotProven(f"the kept checkpoint of {one.size} events has another root: the archive was rewritten.")
    if any(one.size == checkpoint.size for one in kept):
        return f"PROVEN: a kept checkpoint says the same of these {checkpoint.size} events."
    proof = bundle.get("consistency")
    if not isinstance(proof, dict):
        raise NotProven("the bundle does not speak of the kept checkpoints. Have it made with --checkpoint FILE.")
    old, _ = signed(field(proof, "checkpoint", str), keys)
    if old not in kept:
        raise NotProven("the bundle speaks of a checkpoint that is not among the kept ones.")
    if not consistent(old, checkpoint, binaries(proof, "path")):
        raise NotProven(f"the kept checkpoint of {old.size} events is about another history: it was rewritten.")
    if index < old.size:
        return f"PROVEN: it stood at the same position when the kept checkpoint of {old.size} events was signed."
    return f"PROVEN: this is the archive of the kept checkpoint of {old.size} events; the event came later."


def inclusion_root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """Return the root to which the path leads (RFC 9162 section 2.1.3.2), None when it fits no such tree."""
    if not 0 <= index < size:
        return None
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn % 2 == 1 or fn == sn:
            r = node(p, r)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn // 2, sn // 2
        else:
            r = node(r, p)
        fn, sn = fn // 2, sn // 2
    return r if sn == 0 else None


def consistent(old: Checkpoint, new: Checkpoint, path: list[bytes]) -> bool:
    """Return whether the old tree is the beginning of the new one (RFC 9162 section 2.1.4.2)."""
    if not 0 < old.size < new.size:
        return False
    steps = [old.root, *path] if old.size & (old.size - 1) == 0 else path
    if not steps:
        return False
    fn, sn = old.size - 1, new.size - 1
    while fn % 2 == 1:
        fn, sn = fn // 2, sn // 2
    fr = sr = steps[0]
    for c in steps[1:]:
        if sn == 0:
            return False
        if fn % 2 == 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn // 2, sn // 2
        else:
            sr = node(sr, c)
        fn, sn = fn // 2, sn // 2
    return fr == old.root and sr == new.root and sn == 0


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of two nodes (RFC 9162 section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def signed(note: str, keys: list[Span]) -> tuple[Checkpoint, Span]:
    """Return what one of the keys has signed while it counted, and which (C2SP tlog-checkpoint and signed-note)."""
    found = re.fullmatch(r"((\S+)\n([0-9]{1,19})\n([A-Za-z0-9+/]+={0,2})\n)\n((?:— \S+ \S+\n)+)", note)
    if not found:
        raise NotProven("a checkpoint does not read: expected origin, size, root, an empty line and signatures.")
    statement, origin, size, root, signatures = found.groups()
    checkpoint = Checkpoint(origin, int(size), decoded(root, "the root"))
    late = False
    for span in keys:
        if not has_signed(span.key, origin, statement, signatures):
            continue
        if span.start <= checkpoint.size and (span.end is None or checkpoint.size <= span.end):
            return checkpoint, span
        late = True
    if late:
        raise NotProven(f"the checkpoint of {size} events was signed with a key that was replaced, or stolen.")
    raise NotProven(f"the checkpoint of {size} events was not signed with this key.")


def has_signed(key: Ed25519PublicKey, origin: str, statement: str, signatures: str) -> bool:
    """Return whether there is a signature of the key (C2SP signed-note)."""
    name = sha256(origin.encode() + b"\n\x01" + raw(key)).digest()[:4]
    for line in signatures.splitlines():
        _, signer, text = line.split(" ")
        signature = decoded(text, "a signature")
        if signer == origin and signature[:4] == name:
            try:
                key.verify(signature[4:], statement.encode())
            except InvalidSignature as error:
                raise NotProven(f"what {origin} has signed was altered afterwards.") from error
            return True
    return False


def chain(bundle: dict[str, Any], trusted: Ed25519PublicKey) -> tuple[list[Span], list[str]]:
    """Return the keys that follow from the trusted one, the oldest first, and in words why they do.

    A rotation is a signed statement: the old key ended with so many events, and the new one began. The old key's
    signature leads on to the new, the new key's back to the old.
    """
    keys, told = [Span(trusted, 0, None)], []
    rotations = [rotation(note) for note in field(bundle, "rotations", list)] if "rotations" in bundle else []
    rotations.sort(key=lambda one: one[1])
    for origin, size, old, new, statement, signatures in rotations:
        last = keys[-1]
        if old == raw(last.key) and size > last.start and has_signed(last.key, origin, statement, signatures):
            keys[-1:] = [Span(last.key, last.start, size), Span(of_raw(new), size, None)]
            told.append(f"PROVEN: the key {last.name} named {keys[-1].name} as the one after it, from event {size} on.")
    for origin, size, old, new, statement, signatures in reversed(rotations):
        first = keys[0]
        fits = new == raw(first.key) and (first.end is None or size < first.end)
        if fits and has_signed(first.key, origin, statement, signatures):
            keys[:1] = [Span(of_raw(old), 0, size), Span(first.key, size, first.end)]
            told.append(f"PROVEN: the key {first.name} named {keys[0].name} as the one before it, up to event {size}.")
    return keys, told


def rotation(note: object) -> tuple[str, int, bytes, bytes, str, str]:
    """Return origin, size, old key, new key, statement and signatures of a statement about a new key."""
    key = "([A-Za-z0-9+/]{43}=)\n"
    found = re.fullmatch(rf"(muster-rotation-1\n(\S+)\n([0-9]{{1,19}})\n{key}{key})\n((?:— \S+ \S+\n)+)", str(note))
    if not found:
        raise NotProven("what the bundle says of the archive's keys does not read.")
    statement, origin, size, old, new, signatures = found.groups()
    return origin, int(size), decoded(old, "a key"), decoded(new, "a key"), statement, signatures


def raw(key: Ed25519PublicKey) -> bytes:
    """Return a key's 32 bytes."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def of_raw(key: bytes) -> Ed25519PublicKey:
    """Return the key of 32 bytes."""
    return Ed25519PublicKey.from_public_bytes(key)


def split(text: str) -> list[str]:
    """Return the checkpoints of a file in which they follow one another."""
    parts = [part + "\n" for part in re.split(r"\n{2,}", text.replace("\r\n", "\n").strip("\n")) if part]
    return ["\n".join(parts[at : at + 2]) for at in range(0, len(parts), 2)]


def parse(text: str) -> dict[str, Any]:
    """Return the bundle's JSON."""
    try:
        bundle = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotProven("the bundle is no JSON.") from error
    if not isinstance(bundle, dict) or bundle.get("format") != "muster-proof-1":
        raise NotProven("the bundle is none of the format muster-proof-1.")
    return bundle


def public_key(text: str) -> Ed25519PublicKey:
    """Return the key that is written in PEM."""
    try:
        key = load_pem_public_key(text.encode())
    except ValueError as error:
        raise NotProven("the public key does not read: expected PEM.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotProven("the public key is of another kind than Ed25519.")
    return key


def field(values: dict[str, Any], name: str, kind: type) -> Any:
    """Return a field of the bundle."""
    value = values.get(name)
    if type(value) is not kind:
        raise NotProven(f"the bundle's {name} is missing or not a {kind.__name__}.")
    return value


def binary(values: dict[str, Any], name: str) -> bytes:
    """Return a field that is base64."""
    return decoded(field(values, name, str), name)


def binaries(values: dict[str, Any], name: str) -> list[bytes]:
    """Return a field that is a list of hashes in base64."""
    hashes = [decoded(each, name) for each in field(values, name, list)]
    if any(len(each) != 32 for each in hashes):
        raise NotProven(f"the bundle's {name} holds something that is no hash.")
    return hashes


def decoded(text: object, name: str) -> bytes:
    """Return what base64 stands for."""
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise NotProven(f"{name} is no base64.") from error


def moment(event: dict[str, Any]) -> str:
    """Return when the event says that it was sent, in UTC."""
    at = event.get("origin_server_ts")
    if type(at) is not int or not 0 < at < 253_402_300_800_000:  # milliseconds of a year with four digits
        return "unknown"
    return f"{datetime.fromtimestamp(at / 1000, timezone.utc):%Y-%m-%d %H:%M:%S}Z"


def shown(text: object) -> str:
    """Return a text that cannot steer a terminal, shortened."""
    return "".join(one if one.isprintable() else "�" for one in str(text)[:1000])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
