"""A ruling as an explanation tells it: by what, from which source, and in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from bridge.directory.history import HistoryEntry
from bridge.directory.person import Attributes
from bridge.directory.selector import Selector
from bridge.ids import PersonId, UserId
from bridge.membership.audit import Entry, Held
from bridge.membership.explanation import (
    BarrierReason,
    ExceptionReason,
    Grounds,
    PowerReason,
    Waits,
    iso,
)
from bridge.membership.plan import GUEST
from bridge.membership.question import Answer, answers
from bridge.membership.ruling import Ground, Power, Ruling, Rulings
from bridge.membership.values import Action
from bridge.policy.schema import Barrier, Exemption


@dataclass(frozen=True, slots=True)
class Witness:
    """What the directory knows of the person about whom a ruling is."""

    attributes: Attributes
    history: Sequence[HistoryEntry]
    day: date


def grounds_of(ruling: Ruling, rulings: Rulings, witness: Witness) -> Grounds:
    """Return by what somebody is to be in a room, or not, every part with its source."""
    policy = rulings.policy.digest
    return Grounds(
        ground=ruling.ground.value,
        shadow=ruling.shadow,
        exception=exception_of(ruling.exception, policy) if ruling.exception is not None else None,
        barrier=_barrier(ruling.barrier, ruling.side, policy, witness) if ruling.barrier is not None else None,
        power=_power(ruling, ruling.power, rulings, witness) if ruling.power is not None else None,
        reports=named(ruling.reports, rulings),
    )


def exception_of(exemption: Exemption, policy: str) -> ExceptionReason:
    """Return an exception with where it comes from; `policy` is the digest of the one in force."""
    if exemption.made is not None:
        by, at = exemption.made
        source = f"made by {by} at {iso(at)}"
    else:
        source = place_in(policy, exemption.place)
    return ExceptionReason(exemption.adds, exemption.until.isoformat(), exemption.owner, exemption.reason, source)


def in_words(ruling: Ruling, rulings: Rulings) -> str:
    """Return by what somebody is to be in a room, in words for a table; empty where nothing asks for it."""
    if ruling.exception is not None and ruling.ground is Ground.EXCEPTION:
        each = ruling.exception
        return f"exception until {each.until}, owner {each.owner}: {each.reason}"
    if ruling.barrier is not None:
        return f"kept out by the barrier {ruling.barrier.reason!r}"
    if ruling.ground is Ground.RELATION:
        return f"manager of {', '.join(named(ruling.reports, rulings, version=False))}"
    return ruling.question.selector.text if ruling.wanted and ruling.question is not None else ""


def sentence(ruling: Ruling, rulings: Rulings, *, there: bool) -> str:
    """Return what the rule's question alone does not explain; empty where it explains everything."""
    said = ""
    if ruling.ground is Ground.EXCEPTION:
        words = in_words(ruling, rulings)
        said = f"{words[0].upper()}{words[1:]}."
    elif ruling.ground is Ground.RELATION:
        said = f"Is to be here as {in_words(ruling, rulings)}."
    elif ruling.barrier is not None:
        said = f"The barrier {ruling.barrier.reason!r} keeps this person out, whatever the rule asks."
    elif ruling.ground is Ground.BARRED:
        said = "Whoever is barred, as on garden leave, is to be in no room until the return."
    elif ruling.ground is Ground.NOT_WORKING:
        said = "Whoever does not work here is to be in no room."
    if ruling.shadow and ruling.wanted != there:
        would = "put this person in" if ruling.wanted else "not have this person here"
        said = f"{said} The rule is in shadow: it would {would}, and nothing of it is carried out.".strip()
    return said


def named(people: Iterable[PersonId], rulings: Rulings, *, version: bool = True) -> tuple[str, ...]:
    """Return what people are called, with the directory version that says what is known of them."""
    found = []
    for each in people:
        row = rulings.census.row(each)
        if row is not None:
            person = rulings.census.person(row)
            found.append(
                f"{person.display_name} (directory version {person.version})" if version else person.display_name
            )
    return tuple(found)


def waits_of(entry: Entry | None, held: Iterable[Held], room: str, user_id: UserId | None) -> Waits | None:
    """Return what waits for a second person about somebody and a room: by what is held now, or by the last entry."""
    for plan in held:
        for change in plan.changes:
            if change.room == room and change.user_id == user_id:
                number = entry.id if entry is not None and entry.outcome == "held" else None
                return Waits(
                    change.action.value, iso(plan.held_at), change.reason, plan.reasons, plan.digest, number,
                    plan.rejected_by,
                )  # fmt: skip
    return None


def waited(entry: Entry | None) -> Waits | None:
    """Return what the last entry by a moment says to have waited."""
    if entry is None or entry.outcome != "held":
        return None
    return Waits(entry.action.value, iso(entry.at), entry.reason, (), "", entry.id)


def by_hand(entry: Entry | None) -> str:
    """Return by what somebody is in a room who came there by hand and went with the account; empty for others."""
    if entry is None or entry.action is not Action.JOIN or entry.reason != GUEST or entry.outcome != "done":
        return ""
    return "Was here by hand before the account was disabled, and got the place back with the account."


def handed_over(entry: Entry | None, user_id: str | None) -> str:
    """Return how somebody got, or passed on, a room that its last administrator left; empty for others."""
    if entry is None or entry.outcome != "done":
        return ""
    if entry.value == user_id:
        return f"Took the room over from {entry.user_id}, its last administrator, who no longer works here."
    return f"Passed the room on to {entry.value}, as its last administrator."


def _barrier(barrier: Barrier, side: int, policy: str, witness: Witness) -> BarrierReason:
    own, opposite = (barrier.one, barrier.other) if side == 0 else (barrier.other, barrier.one)
    said = _answers(own, witness)
    return BarrierReason(barrier.reason, own.text, opposite.text, said, place_in(policy, barrier.place))


def _power(ruling: Ruling, power: Power, rulings: Rulings, witness: Witness) -> PowerReason:
    rule = f"{ruling.question.rule if ruling.question is not None else ''}.{power.rank.value}"
    if power.selector is not None:
        return PowerReason(power.level, rule, power.selector.text, _answers(power.selector, witness), ())
    steps = "manager of" if power.above == 1 else f"{power.above} levels above"
    return PowerReason(power.level, rule, f"{steps} somebody the rule asks for", (), named(power.reports, rulings))


def _answers(selector: Selector, witness: Witness) -> tuple[Answer, ...]:
    return tuple(answers(selector, witness.attributes, witness.history, witness.day))


def place_in(policy: str, place: tuple[int, int]) -> str:
    """Return where something stands in the policy of that digest."""
    return f"policy {policy[:12]}, line {place[0]}"
