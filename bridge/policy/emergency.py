"""What the policy says of emergencies: when the silent are asked again, and who is called to help. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from bridge.directory.selector import Selector
from bridge.document import Kind, Section, duration, integer, list_of

_SHORTEST = timedelta(seconds=10)
_MOST_NEEDED = 100


@dataclass(frozen=True, slots=True)
class Emergency:
    """How a roll call goes on after its first message."""

    site: str | None = None
    """Lower-case path of the attribute that says where somebody works; None: there is only one place."""
    repeat: tuple[timedelta, ...] = (timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=10))
    """After so long, from the start, those who are silent are asked again; rising."""
    channels: timedelta = timedelta(minutes=10)
    """After so long second channels go out to those who are silent."""
    line: tuple[Selector, ...] = ()
    """Who is called to help: the responders, then each next group."""
    needed: int = 1
    """So many must come."""
    escalate: timedelta = timedelta(minutes=5)
    """After so long the next group is called too."""


def read_emergency(section: Section, selector: Kind[Selector], attribute: Kind[str]) -> Emergency:
    """Read the section `emergency`; `selector` and `attribute` are the kinds of the policy's vocabulary."""
    usual = Emergency()
    repeat = section.optional("repeat", list_of(duration), usual.repeat)
    responders = section.optional("responders", selector, None)
    following = section.optional("next", list_of(selector), ())
    found = Emergency(
        site=section.optional("site", attribute, None),
        repeat=repeat,
        channels=section.optional("channels", duration, max(repeat, default=usual.channels)),
        line=() if responders is None else (responders, *following),
        needed=section.optional("needed", integer(1, _MOST_NEEDED), usual.needed),
        escalate=section.optional("escalate", duration, usual.escalate),
    )
    if any(later <= earlier for earlier, later in pairwise(repeat)) or any(each < _SHORTEST for each in repeat):
        section.problem("expected rising times from the start, 10s at least, such as [2m, 5m, 10m]", key="repeat")
    if found.escalate < _SHORTEST:
        section.problem("expected at least 10s, so that somebody can answer", key="escalate")
    if following and responders is None:
        section.problem("`next` is who follows `responders`, of which nothing is said", key="next")
    return found
