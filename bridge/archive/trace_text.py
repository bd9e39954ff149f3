"""Where a file went, as text for a terminal and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.archive.media import Place
from bridge.archive.rendering import printable, short, wrapped, writable
from bridge.archive.sighting import Sighting, Trace
from bridge.ids import UserId

_MOST = 20
"""People, and events, that are shown unless all are asked for."""
_SAID: Mapping[Place, str] = {
    Place.FILE: "sent it",
    Place.THUMBNAIL: "sent it as a preview",
    Place.AVATAR: "set it as a picture of a person or room",
    Place.INLINE: "put it into a text",
}


def trace_as_text(trace: Trace, called: Mapping[UserId, str], width: int, *, everybody: bool) -> str:
    """Return the file, each event that refers to it, and who could see it; `called` has what people are called."""
    return "\n".join(_lines(trace, called, width, everybody=everybody))


def trace_as_json(trace: Trace, called: Mapping[UserId, str]) -> dict[str, Any]:
    """Return the same as JSON."""
    file = trace.file
    found: dict[str, Any] = writable(
        {
            "sha256": file.sha256.hex() if file else trace.target.sha256 and trace.target.sha256.hex(),
            "bytes": file and file.size,
            "mimetype": file and file.mimetype,
            "stored_at": file and file.stored_at.isoformat(),
            "links": [{"mxc": mxc, "not_stored_because": reason or None} for mxc, reason in trace.links.items()],
            "events": [_sighting_as_json(sighting) for sighting in trace.sightings],
            "rooms": sorted(trace.rooms),
            "people": [
                {
                    "user_id": viewer.user_id,
                    "name": called.get(viewer.user_id),
                    "since": viewer.since.isoformat(),
                    "rooms": list(viewer.rooms),
                }
                for viewer in trace.viewers
            ],
            "links_not_stored": trace.unknown,
        }
    )
    return found


def _lines(trace: Trace, called: Mapping[UserId, str], width: int, *, everybody: bool) -> Iterator[str]:
    if trace.file:
        yield f"sha256    {trace.file.sha256.hex()}"
        yield f"file      {trace.file.size:,} bytes, {printable(trace.file.mimetype) or 'of unknown type'}"
        yield f"stored    {short(trace.file.stored_at)}"
    else:
        yield f"{trace.target}:"
        yield "  the archive does not hold this file"
    for mxc, reason in trace.links.items():
        yield f"link      {mxc}"
        if reason and not trace.file:
            yield from wrapped(f"not there: {reason}", width)
    if not trace.sightings:
        yield "No event in the archive refers to it."
    if trace.unknown and trace.target.sha256:
        links, them = ("link was", "it") if trace.unknown == 1 else ("links were", "them")
        yield f"{trace.unknown:,} other {links} not fetched (yet); what is behind {them} is unknown."
    most = None if everybody else _MOST
    for sighting in trace.sightings[:most]:
        yield ""
        yield from _sighting_lines(sighting, called, width)
    yield from _more(len(trace.sightings), most, "events")
    if trace.sightings:
        rooms = f"{len(trace.rooms)} room{'' if len(trace.rooms) == 1 else 's'}"
        yield ""
        yield f"visible in {rooms} to {len(trace.viewers)}, each from when on"
        for viewer in trace.viewers[:most]:
            yield from wrapped(f"{short(viewer.since)} {_called(viewer.user_id, called)}", width)
        yield from _more(len(trace.viewers), most, "people")


def _sighting_lines(sighting: Sighting, called: Mapping[UserId, str], width: int) -> Iterator[str]:
    mention = sighting.mention
    named = f": {mention.name}" if mention.name else ""
    said = f"{short(mention.at)} {_called(mention.sender, called)} {_SAID[mention.place]}{named}"
    yield from wrapped(said, width, indent="")
    yield f"  {printable(mention.event_id)}"
    yield f"  in {printable(mention.room_id)}"
    world = " and to everybody else" if sighting.visibility == "world_readable" else ""
    since = f", {sighting.later} since" if sighting.later else ""
    yield f"  visible to {sighting.then} then{since}{world}"


def _more(count: int, most: int | None, what: str) -> Iterator[str]:
    if most is not None and count > most:
        yield f"  and {count - most} more {what}; --all shows them"


def _sighting_as_json(sighting: Sighting) -> dict[str, Any]:
    mention = sighting.mention
    return {
        "event_id": mention.event_id,
        "room_id": mention.room_id,
        "sender": mention.sender,
        "type": mention.type,
        "sent": mention.at.isoformat(),
        "place": mention.place.value,
        "name": mention.name,
        "mxc": mention.mxc,
        "visibility": sighting.visibility,
        "visible_then": sighting.then,
        "visible_since": sighting.later,
    }


def _called(user: UserId, called: Mapping[UserId, str]) -> str:
    return printable(f"{called[user]} {user}" if user in called else user)
