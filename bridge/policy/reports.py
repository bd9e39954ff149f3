"""What employees may report in confidence, and to whom: the policy's section `reports`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bridge.directory.selector import Selector
from bridge.document import Kind, Section, Value, a, boolean, duration, integer, line, list_of, mapping_of

_SPOKEN = frozenset({"anonymous", "named", "end", "help"})
"""Words that stand where the name of a kind could, in what an employee writes."""
_LONGEST = 30


@dataclass(frozen=True, slots=True)
class ReportKind:
    """Something that can be reported, and who is asked to take it."""

    id: str
    """As an employee writes it: `accident`."""
    text: str
    """What it is, as an employee is told."""
    responders: Selector
    """The group that is asked first."""
    next: tuple[Selector, ...] = ()
    """The groups that are asked afterwards, one after the other."""
    needed: int = 1
    """So many must take it before nobody more is asked."""
    escalate: timedelta = timedelta(minutes=10)
    """How long a group has to answer."""
    anonymous: bool = True
    """Whether it can be reported without a name, which it is then unless one says otherwise."""
    not_manager: bool = False
    """Whether those above the reporter are left out."""
    room: str = ""
    """What its rooms are called; empty: as the kind."""


def read_reports(section: Section, selector: Kind[Selector]) -> Mapping[str, ReportKind]:
    """Return the kinds by their names, in the policy's order."""
    return section.optional("reports", mapping_of(a(lambda each: _read_kind(each, selector)), _name), {})


def _read_kind(section: Section, selector: Kind[Selector]) -> ReportKind:
    kind = ReportKind(
        id=section.name,
        text=section.required("text", line),
        responders=section.required("responders", selector),
        next=section.optional("next", list_of(selector), ()),
        needed=section.optional("needed", integer(1, 20), 1),
        escalate=section.optional("escalate", duration, timedelta(minutes=10)),
        anonymous=section.optional("anonymous", boolean, True),
        not_manager=section.optional("not_manager", boolean, False),
        room=section.optional("room", line, ""),
    )
    if kind.escalate < timedelta(minutes=1):
        section.problem("`escalate` must leave people time to answer: 1m at least", key="escalate")
    return kind


def _read_name(value: Value) -> str:
    written = line.make(value)
    fits = written.isascii() and written.replace("-", "").isalnum() and written == written.lower()
    if not fits or len(written) > _LONGEST:
        value.expected(f"one word that people write, of lower-case letters, digits and `-` (at most {_LONGEST})")
    if written in _SPOKEN:
        value.refuse(f"`{written}` says something else behind `report`; call the kind otherwise")
    return written


_name = Kind(_read_name, str)
