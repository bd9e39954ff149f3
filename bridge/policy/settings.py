"""How a room is set up beside its name and who is in it: what the policy says of that, and what is left to others.

Pure values. What is None, or not in `may`, the policy does not say: a new room gets Muster's own setting, in a room
that is there nobody touches it. Knocking and encryption are always managed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Join(StrEnum):
    """How people come into a room whom Muster does not put in."""

    INVITE = "invite"
    SPACE = "space"
    """Members of the space that lists the room may enter."""
    KNOCK = "knock"
    """Anybody may ask to be let in."""


class History(StrEnum):
    """Who reads what was said: `m.room.history_visibility`."""

    JOINED = "joined"
    INVITED = "invited"
    SHARED = "shared"


class Encryption(StrEnum):
    """Whether a room is encrypted; one that is stays so."""

    OFF = "off"
    REQUIRED = "required"


class Act(StrEnum):
    """What the policy can leave to some of the members."""

    INVITE = "invite"
    PIN = "pin"
    CALL = "call"
    MENTION_ROOM = "mention_room"


class Rank(StrEnum):
    """Some of the members, by power."""

    EVERYONE = "everyone"
    POSTERS = "posters"
    MODERATORS = "moderators"
    ADMINS = "admins"


LEVELS = {Rank.EVERYONE: 0, Rank.POSTERS: 20, Rank.MODERATORS: 50, Rank.ADMINS: 100}
"""Power levels. In announcement rooms writing takes that of posters; 0 is everywhere the default."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one room: as the policy wants them, or as Muster has made them."""

    avatar: str | None = None
    """An `mxc:` address, or as the policy says it the name of a file, which `pictures` resolves."""
    knock: bool = False
    history: History | None = None
    encrypted: bool = False
    may: Mapping[Act, Rank] = field(default_factory=dict)

    def over(self, there: Settings) -> Settings:
        """Return what a room with the settings `there` has once it has these too."""
        return Settings(
            self.avatar if self.avatar is not None else there.avatar,
            self.knock,
            self.history or there.history,
            self.encrypted or there.encrypted,
            {**there.may, **self.may},
        )


PLAIN = Settings()
"""Of a room of which nothing is said."""


NAMES = ("avatar", "join", "history", "encryption", *(f"may {act}" for act in Act))
"""What `differing` names, in its order."""


def differing(wanted: Settings, there: Settings) -> list[str]:
    """Name the settings that a room with those of `there` is to have changed, as the policy names them."""
    after = wanted.over(there)
    changed = {
        "avatar": after.avatar != there.avatar,
        "join": after.knock != there.knock,
        "history": after.history != there.history,
        "encryption": after.encrypted != there.encrypted,
    }
    acts = [f"may {act}" for act in Act if after.may.get(act) != there.may.get(act)]
    return [*(name for name, differs in changed.items() if differs), *acts]


def as_json(settings: Settings) -> dict[str, Any]:
    """Return what differs from a room of which nothing is said, in values that `json.dumps` takes."""
    said = {
        "avatar": settings.avatar,
        "knock": settings.knock,
        "history": settings.history,
        "encrypted": settings.encrypted,
        "may": {act.value: rank.value for act, rank in sorted(settings.may.items())},
    }
    return {name: value for name, value in said.items() if value}


def from_json(said: Mapping[str, Any]) -> Settings:
    """Return the settings of which `as_json` made this."""
    return Settings(
        said.get("avatar"),
        said.get("knock", False),
        History(said["history"]) if "history" in said else None,
        said.get("encrypted", False),
        {Act(act): Rank(rank) for act, rank in said.get("may", {}).items()},
    )
