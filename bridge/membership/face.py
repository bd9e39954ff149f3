"""What somebody's picture is made from: a photo of the company's, else the initials. Pure.

Where photos are is said by the configuration; reading them is left to `photos`, making the picture to `picture`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.directory.person import Person
from bridge.directory.scim_shape import comparison_key
from bridge.ids import UserId, localpart_of

FIELD: Final = "avatar_url"
"""The field of a profile that holds the picture (Matrix specification, "Profiles")."""
_SAME = str.maketrans({"Ł": "L", "Đ": "D", "Ø": "O", "Æ": "A", "Œ": "O", "Þ": "T", "ẞ": "S", "Ð": "D", "İ": "I"})
"""What does not come apart into a letter and its mark."""


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file of the folder of photos."""

    path: Path
    mark: str
    """Name, size and time: another mark is another photo."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where somebody's photo is, if anywhere; a file goes before an address."""

    file: PhotoFile | None = None
    url: str = ""


def source_of(person: Person, files: Mapping[str, PhotoFile], attribute: str | None) -> Source:
    """Return where the person's photo is; `files` are by userName as it is compared, `attribute` holds an address."""
    values = person.other.get(attribute.lower(), ()) if attribute is not None else ()
    return Source(files.get(comparison_key(person.user_name)), str(values[0]).strip() if values else "")


def initials_of(person: Person, user_id: UserId) -> str:
    """Return one or two Latin capitals: of given and family name, else of the first and last word of the name.

    A name in another script gives the first letter of the user ID, which everybody can read there.
    """
    given, family = (str(person.other.get(f"name.{part}", ("",))[0]) for part in ("givenname", "familyname"))
    words = [given, family] if given and family else person.display_name.split()
    found = [letter for word in ([words[0], words[-1]] if len(words) > 1 else words) if (letter := _latin(word))]
    return "".join(found) or _latin(localpart_of(user_id)) or "?"


def colour_of(user_id: UserId) -> int:
    """Return a number that is the person's own, to choose a colour by."""
    return hashlib.sha256(user_id.encode()).digest()[0]


def _latin(word: str) -> str:
    """Return the first letter or digit of a word as a capital of ASCII; empty when there is none."""
    first = next((char for char in word if char.isalnum()), "").upper()[:1].translate(_SAME)
    plain = unicodedata.normalize("NFKD", first)[:1]
    return plain if plain.isascii() else ""
