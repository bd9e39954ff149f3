"""Whether a text holds a phrase as it stands. Pure; what may hold one at all, the index says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bridge.archive.search.segment import LONGEST, Run, folded, runs_of

_Piece = tuple[str, bool]
"""A word, or a character of a stretch that does not part words, and whether it goes on with the one before."""


def holds(text: str, phrases: Sequence[Sequence[Run]]) -> bool:
    """Return whether a text holds all the phrases, each as runs of normalised text."""
    text = folded(text)
    if not all(run.text in text for phrase in phrases for run in phrase):
        return False
    # Neighbours in a stretch that does not part words are neighbours wherever they stand.
    longer = [phrase for phrase in phrases if len(phrase) > 1]
    pieces = list(_pieces(runs_of(text))) if longer else []
    return all(_stands_in(list(_pieces(phrase)), pieces) for phrase in longer)


def _pieces(runs: Iterable[Run]) -> Iterator[_Piece]:
    for run in runs:
        if run.parted:
            yield run.text[:LONGEST], False
        else:
            yield from ((character, place > 0) for place, character in enumerate(run.text))


def _stands_in(phrase: Sequence[_Piece], pieces: Sequence[_Piece]) -> bool:
    """Return whether the pieces hold those of a phrase side by side.

    What is one stretch in the phrase is so in the text; what is two may be one there.
    """
    first, length = phrase[0][0], len(phrase)
    return any(
        pieces[at][0] == first
        and all(
            piece == wanted and (goes_on or not must)
            for (piece, goes_on), (wanted, must) in zip(pieces[at : at + length], phrase, strict=True)
        )
        for at in range(len(pieces) - length + 1)
    )
