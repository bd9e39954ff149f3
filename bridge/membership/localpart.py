"""Localparts: the part of a user ID that is ours to choose, once for each person.

Pure. Which localparts are taken, for ever, the caller knows.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

from bridge.directory.person import Attributes, Scalar
from bridge.directory.template import fill, placeholders

USER_ID_MAX = 255
"""Bytes of a user ID, with `@`, `:` and the server name (Matrix specification, Appendices, User Identifiers)."""

_FORBIDDEN = re.compile(r"[^a-z0-9._=\-/+]+")
_E_MAIL = re.compile(r"[^@\s]+(?=@[^@\s]+$)")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._=\-/+]*")
_SPELT_OUT = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
"""Latin letters that Unicode does not decompose."""


def localpart(attributes: Attributes, template: str, taken: Collection[str], *, server_name: str = "") -> str:
    """Return a localpart in Matrix's grammar that is not taken, the same for the same person and `taken`.

    An e-mail address loses its domain, accents go, spaces become dots. A name in a script without an ASCII form gives
    way to `externalId`, then `id`. Somebody taken already gets a number: `m.tamm2`. Never starts with `_`, and never is
    all digits, which Synapse keeps for guests. With the server name it has at most 255 bytes.
    """
    room = USER_ID_MAX - len(f"@:{server_name}".encode())
    base = (_filled(attributes, template) or _fallback(attributes))[:room]
    chosen, number = base, 1
    while chosen in taken:
        number += 1
        suffix = f"-{number}" if base[-1].isdigit() else str(number)
        chosen = base[: room - len(suffix)] + suffix
    return chosen


def normalised(text: str) -> str:
    """Return the text in the grammar of localparts, or nothing when one of its letters has no ASCII form."""
    if _PLAIN.fullmatch(text):
        ascii_form = text
    else:
        decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_SPELT_OUT)).casefold()
        if any(ord(char) > 127 and char.isalnum() for char in decomposed):
            return ""
        ascii_form = _FORBIDDEN.sub("", ".".join(decomposed.split())).strip(".").lstrip("_.")
    return f"u{ascii_form}" if ascii_form.isdigit() else ascii_form


def _filled(attributes: Attributes, template: str) -> str:
    local = {path: (_without_domain(attributes[path][0]),) for path in placeholders(template) if attributes.get(path)}
    return normalised(fill(template, local.get))


def _without_domain(value: Scalar) -> str:
    match = _E_MAIL.match(str(value).strip())
    return match.group() if match else str(value)


def _fallback(attributes: Attributes) -> str:
    own = [str(attributes[path][0]) for path in ("externalid", "id") if attributes.get(path)]
    usable = next((name for name in map(normalised, own) if name), "")
    return usable or "u" + hashlib.sha256("\0".join(own).encode(errors="surrogatepass")).hexdigest()[:12]
