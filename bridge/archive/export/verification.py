"""Checking an export without the archive: its signature, every file, every record, and that they stand in the archive.

It reads what lies in the folder, decrypted when it is given age's private key. No problem ends it: all are named.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from typing import Any, Protocol

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.archive import canonical, signing
from bridge.archive.checkpoint import Checkpoint, check_checkpoint
from bridge.archive.export import journal, multiproof, proving
from bridge.archive.export.manifest import MANIFEST, README, SIGNATURE
from bridge.archive.export.records import FORMAT
from bridge.archive.export.writer import ENCRYPTED
from bridge.archive.ledger import leaf_hash
from bridge.errors import InputError, MusterError, RefusedError
from bridge.homeserver import wire

_RECORDS, _PROOF = "records/", "proof.json"
_PIECE = 1 << 20


class Target(Protocol):
    """What takes a file in pieces."""

    def write(self, piece: bytes, /) -> int: ...

    def flush(self) -> None: ...


Copier = Callable[[str, Target], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found."""

    archive: str
    size: int
    """Events of the archive that the checkpoint covers."""
    key_id: str
    files: int
    events: int
    """Records whose content and place are proven when there is no problem."""
    disposed: int
    """Of them, those of which only the leaf is left."""
    missing: int
    """Files that the export itself says are missing."""
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.problems


def read_identity(path: Path) -> pyrage.x25519.Identity:
    """Return the first private key of a file of `age-keygen`; raises `InputError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        line = next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))
        return pyrage.x25519.Identity.from_str(line.strip())
    except (OSError, ValueError, StopIteration, pyrage.IdentityError) as error:
        raise InputError(f"{path} holds no private key of age. Name the file that `age-keygen` made.") from error


def verify_export(
    folder: Path, key: Ed25519PublicKey | None = None, identity: pyrage.x25519.Identity | None = None
) -> Verdict:
    """Check an export; without a key the one that came with it is believed.

    Raises `InputError` when there is nothing that could be checked.
    """
    if (folder / journal.NAME).exists():
        raise InputError(f"{folder} is not whole yet. Go on with `muster archive export {folder} --resume`.")
    copy = _copier(folder, identity)
    read = _reader(copy)
    text = read(MANIFEST)
    manifest = _manifest(text)
    given = signing.read_public_key(str(manifest["export"]["public_key"]).encode(), MANIFEST)
    problems = list(_signature_problems(text, read, key or given))
    problems += _file_problems(folder, manifest, copy)
    checkpoint = _checkpoint(manifest, key or given, problems)
    leaves: dict[int, bytes] = {}
    disposed = 0
    for path in (each["path"] for each in manifest["files"] if each["path"].startswith(_RECORDS)):
        for number, line in enumerate(_lines(read, path, problems), 1):
            problem = _record_problem(line, leaves)
            disposed += bool(line) and line.get("salt") is None
            if problem:
                problems.append(f"{path}:{number}: {problem}")
    if len(leaves) != manifest["counts"]["events"]:
        problems.append(f"expected {manifest['counts']['events']} records, as the manifest says, came {len(leaves)}")
    problems += _proof_problems(read, checkpoint, leaves)
    return Verdict(
        archive=checkpoint.origin if checkpoint else str(manifest["archive"]),
        size=checkpoint.size if checkpoint else 0,
        key_id=signing.key_id(key or given),
        files=len(manifest["files"]),
        events=len(leaves),
        disposed=disposed,
        missing=manifest["counts"]["missing_files"],
        problems=tuple(problems),
    )


def _copier(folder: Path, identity: pyrage.x25519.Identity | None) -> Copier:
    """Return what copies a file of the export in pieces, decrypted when it is encrypted; it raises `InputError`."""

    def copy(path: str, target: Target) -> None:
        place = folder / path
        encrypted = place.with_name(f"{place.name}{ENCRYPTED}")
        is_plain = place.exists() or not encrypted.exists()
        if not is_plain and identity is None:
            raise InputError(f"{encrypted} is encrypted. Name the private key with --identity FILE.")
        try:
            with (place if is_plain else encrypted).open("rb") as source:
                if is_plain:
                    copyfileobj(source, target, _PIECE)
                else:
                    pyrage.decrypt_io(source, target, [identity])
        except pyrage.DecryptError as error:
            raise InputError(f"{encrypted} was not encrypted to this key, or was altered.") from error
        except OSError as error:
            if is_plain or error.strerror:
                raise InputError(f"{place} cannot be read: {error.strerror}.") from error
            raise InputError(f"{encrypted} was not encrypted to this key, or was altered.") from error

    return copy


def _reader(copy: Copier) -> Callable[[str], bytes]:
    """Return what reads a whole file of the export; records come in parts of some megabytes."""

    def read(path: str) -> bytes:
        content = BytesIO()
        copy(path, content)
        return content.getvalue()

    return read


def _manifest(text: bytes) -> Mapping[str, Any]:
    try:
        manifest = json.loads(text)
        is_ours = manifest["format"] == FORMAT
        [(each["path"], each["sha256"], each["size"]) for each in manifest["files"]]
        _ = manifest["export"]["public_key"], manifest["export"]["checkpoint"], manifest["archive"]
        _ = manifest["counts"]["events"], manifest["counts"]["missing_files"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"{MANIFEST} does not read as the manifest of an export.") from error
    if not is_ours:
        raise InputError(f"{MANIFEST} is not of the format {FORMAT}. Check it with the Muster that made it.")
    return manifest  # type: ignore[no-any-return]


def _signature_problems(text: bytes, read: Callable[[str], bytes], key: Ed25519PublicKey) -> Iterator[str]:
    try:
        signing.check(text, signing.read_signature(read(SIGNATURE).decode("utf-8", "replace"), SIGNATURE), key)
    except MusterError as error:
        yield f"{MANIFEST}: {error.message}"


class _Digest:
    """A file to write to, of which only hash and size are kept: shared files may be larger than the memory."""

    def __init__(self) -> None:
        self._digest = sha256()
        self.size = 0

    def write(self, piece: bytes) -> int:
        self._digest.update(piece)
        self.size += len(piece)
        return len(piece)

    def flush(self) -> None:
        """Do nothing: a file has it."""

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _file_problems(folder: Path, manifest: Mapping[str, Any], copy: Copier) -> Iterator[str]:
    listed = {MANIFEST, SIGNATURE, README}
    for each in manifest["files"]:
        path = str(each["path"])
        listed.add(path)
        if path.startswith("/") or ".." in path.split("/"):
            yield f"{path}: lies outside of the export"
            continue
        digest = _Digest()
        try:
            copy(path, digest)
        except MusterError as error:
            yield error.message
            continue
        if digest.size != each["size"] or digest.hexdigest() != each["sha256"]:
            yield f"{path}: altered: it is not the file that the manifest lists"
    for place in sorted(folder.rglob("*")):
        path = place.relative_to(folder).as_posix()
        if place.is_file() and path.removesuffix(ENCRYPTED) not in listed and path not in listed:
            yield f"{path}: not of this export: the manifest does not list it"


def _checkpoint(manifest: Mapping[str, Any], key: Ed25519PublicKey, problems: list[str]) -> Checkpoint | None:
    try:
        return check_checkpoint(str(manifest["export"]["checkpoint"]), str(manifest["archive"]), key)
    except (InputError, RefusedError) as error:
        problems.append(error.message)
        return None


def _lines(read: Callable[[str], bytes], path: str, problems: list[str]) -> Iterator[Mapping[str, Any]]:
    try:
        lines = read(path).splitlines()
    except MusterError:  # which was said of the file
        return
    for number, line in enumerate(lines, 1):
        try:
            record = wire.decode(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            yield record
        else:
            problems.append(f"{path}:{number}: no record")
            yield {}


def _record_problem(record: Mapping[str, Any], leaves: dict[int, bytes]) -> str:
    """Note the record's leaf, and return what is wrong with it."""
    try:
        leaf = base64.b64decode(record["leaf"], validate=True)
        index = int(record["leaf_index"])
        if index in leaves:
            return "the same record twice"
        leaves[index] = leaf
        if record["salt"] is None:
            return ""
        if "event_base64" in record:
            body = base64.b64decode(record["event_base64"], validate=True)
        else:
            body = canonical.encode_value(record["event"])
        if leaf_hash(base64.b64decode(record["salt"], validate=True), body) != leaf:
            return "altered: the event and its salt do not give the leaf"
        event = wire.decode(body)
    except (LookupError, TypeError, ValueError, binascii.Error) as error:
        return f"no record ({type(error).__name__})" if record else ""
    if any(event.get(name, "") != record.get(name) for name in ("event_id", "room_id", "type", "sender")):
        return "altered: what stands beside the event is not what stands in it"
    return ""


def _proof_problems(
    read: Callable[[str], bytes], checkpoint: Checkpoint | None, leaves: Mapping[int, bytes]
) -> Iterator[str]:
    try:
        proof = json.loads(read(_PROOF))
        steps = [base64.b64decode(step, validate=True) for step in proof["steps"]]
        is_ours = proof["format"] == proving.FORMAT
    except (MusterError, ValueError, LookupError, TypeError):
        yield f"{_PROOF} does not read as a proof"
        return
    if not is_ours:
        yield f"{_PROOF} is not of the format {proving.FORMAT}"
    elif checkpoint and multiproof.root_of(leaves, checkpoint.size, steps) != checkpoint.root:
        yield f"{_PROOF} does not lead from the records to the signed root: one was altered, added or taken away"
