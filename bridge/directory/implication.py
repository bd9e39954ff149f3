"""Whether one selector surely means only people whom another means too, told by their words alone. Pure.

What only the people of today tell is for whoever has them.
"""

from __future__ import annotations

from bridge.directory.expression import Junction, Node
from bridge.directory.selector import Selector, parse

_EVERYONE = parse("active eq true").normal


def implies(one: Selector, other: Selector) -> bool:
    """Tell whether everybody who works here and whom `one` matches is surely matched by `other`.

    Conjunctions and disjunctions are taken apart; that `title eq "Driver"` means `title pr` is not seen. False means
    only that the words do not tell.
    """
    return _implies(one.root, other.root)


def conjuncts(selector: Selector) -> frozenset[str]:
    """Return what the selector asks, all of which must hold, in canonical words; nothing when it means everybody.

    Where these are some of another's, it is surely implied by the other, as `implies` would say more slowly.
    """
    root = selector.root
    terms = root.terms if isinstance(root, Junction) and root.word == "and" else (root,)
    return frozenset(term.normal for term in terms) - {_EVERYONE}


def _implies(one: Node, other: Node) -> bool:
    if one.normal == other.normal or other.normal == _EVERYONE:
        return True
    if isinstance(one, Junction) and one.word == "or":
        return all(_implies(term, other) for term in one.terms)
    if isinstance(other, Junction) and other.word == "and":
        return all(_implies(one, term) for term in other.terms)
    if isinstance(one, Junction) and any(_implies(term, other) for term in one.terms):
        return True
    return isinstance(other, Junction) and other.word == "or" and any(_implies(one, term) for term in other.terms)
