"""The fields of an account's profile: what they ought to be, and what differs.

Pure. A field holds one line of text; one that is empty is not there. Which fields there are says the policy
(`accounts.profile`, and `accounts.avatar` for the picture); all others are the person's own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final

from bridge.directory.template import Lookup, fill, one_line
from bridge.membership.face import FIELD
from bridge.policy.schema import Accounts, Avatars


def fill_profile(templates: Mapping[str, str], lookup: Lookup) -> dict[str, str]:
    """Return every field with its text for one person, which is empty where the directory has no value."""
    return {name: one_line(fill(template, lookup)) for name, template in templates.items()}


NAME: Final = "displayname"
"""The field of a profile that holds the display name, which is always the policy's."""


def fields_of(accounts: Accounts) -> tuple[str, ...]:
    """Return the fields in which the policy has a say."""
    return (NAME, *accounts.profile, *([FIELD] if accounts.avatar is not None else []))


def picture_of(avatar: Avatars | None, face: str) -> dict[str, str]:
    """Return the field that holds the picture, as the policy wants it; nothing where it has no say, and nothing before
    the picture is ready."""
    if avatar is Avatars.OFF:
        return {FIELD: ""}
    return {FIELD: face} if avatar is not None and face else {}


def differing(wanted: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Return what makes a profile the wanted one, field by field, each as the value of a change."""
    return [f"{name} {text}".rstrip() for name, text in wanted.items() if known.get(name, "") != text]


def divide(value: str) -> tuple[str, str]:
    """Return the field and the text that a change's value says."""
    name, _, text = value.partition(" ")
    return name, text


def managed_part(profile: Mapping[str, object], fields: Collection[str]) -> dict[str, str]:
    """Return these fields of a profile as the homeserver has it; what is no text is shown as JSON, which is never
    what the policy wants."""
    found = {name: profile[name] for name in fields if name in profile}
    texts = {name: said if isinstance(said, str) else json.dumps(said) for name, said in found.items()}
    return {name: text for name, text in texts.items() if text}
