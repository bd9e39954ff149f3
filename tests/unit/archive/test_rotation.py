"""Which key counts where: what follows from the key that somebody trusts, and nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.checkpoint import Checkpoint, sign_checkpoint, split_notes
from bridge.archive.rotation import Rotation, Span, check_in_span, raw, read_rotation, sign_rotation, spans_of
from bridge.errors import InputError, RefusedError

ORIGIN = "example.org/muster"
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(5)]
ENDS = [10, 20, 30, 40]


def rotation(number: int, size: int, *signers: int, following: int | None = None) -> str:
    """Return the statement that one key ended, signed by these."""
    new = KEYS[number + 1 if following is None else following]
    pair = raw(KEYS[number].public_key()), raw(new.public_key())
    return sign_rotation(Rotation(ORIGIN, size, *pair), *(KEYS[signer] for signer in signers))


CHAIN = [rotation(number, end, number, number + 1) for number, end in enumerate(ENDS)]


def checkpoint(size: int, *signers: int) -> str:
    """Return a checkpoint, signed by these."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, bytes(32)), *(KEYS[signer] for signer in signers))


def ends(spans: tuple[Span, ...]) -> list[tuple[int, int, int | None]]:
    """Return which keys the spans are of, and where they count."""
    known = [raw(key.public_key()) for key in KEYS]
    return [(known.index(raw(span.key)), span.start, span.end) for span in spans]


def test_a_statement_reads_as_it_was_signed() -> None:
    """It is a note of its own kind, which is no checkpoint, and checkpoints are none of it."""
    found = read_rotation(CHAIN[0])
    assert (found.origin, found.size, found.new) == (ORIGIN, 10, raw(KEYS[1].public_key()))
    assert split_notes(f"{CHAIN[0]}\n{CHAIN[1]}") == CHAIN[:2]
    for text in (checkpoint(10, 0), CHAIN[0].replace("-1", "-2"), CHAIN[0].replace("\n10\n", "\n010\n"), ""):
        with pytest.raises(InputError, match="no statement about a new key"):
            read_rotation(text)


@given(trusted=st.integers(0, 4), order=st.permutations(CHAIN))
def test_every_key_leads_to_all_the_others(trusted: int, order: list[str]) -> None:
    """The auditor's first key leads to today's, and today's to the first."""
    starts = [0, *ENDS]
    expected = [(number, starts[number], ENDS[number] if number < 4 else None) for number in range(5)]
    assert ends(spans_of(ORIGIN, KEYS[trusted].public_key(), order)) == expected


@given(size=st.integers(1, 50), signer=st.integers(0, 4), trusted=st.integers(0, 4))
def test_a_key_counts_for_its_time_alone(size: int, signer: int, trusted: int) -> None:
    """Neither a stolen old key goes on nor a new one reaches back; where they meet both count."""
    spans = spans_of(ORIGIN, KEYS[trusted].public_key(), CHAIN)
    counts = [0, *ENDS][signer] <= size <= [*ENDS, 50][signer]
    if counts:
        assert check_in_span(checkpoint(size, signer), ORIGIN, spans).size == size
    else:
        with pytest.raises(RefusedError, match="replaced, or stolen"):
            check_in_span(checkpoint(size, signer), ORIGIN, spans)


def test_a_lost_key_leads_nowhere_but_is_led_to() -> None:
    """Without the old key's signature only whoever trusts the new key knows both."""
    lost = [CHAIN[0], rotation(1, 20, 2)]
    assert ends(spans_of(ORIGIN, KEYS[0].public_key(), lost)) == [(0, 0, 10), (1, 10, None)]
    assert ends(spans_of(ORIGIN, KEYS[2].public_key(), lost)) == [(0, 0, 10), (1, 10, 20), (2, 20, None)]


def test_a_thief_without_the_key_adds_nothing() -> None:
    """What the trusted key, or one that it leads to, has not signed is left out; so is what is of another archive."""
    trusted = KEYS[0].public_key()
    other = CHAIN[0].replace(ORIGIN, "example.com/muster")
    for forged in (rotation(0, 10, 4, 4, following=4), CHAIN[0].replace("\n10\n", "\n11\n"), other):
        assert ends(spans_of(ORIGIN, trusted, [forged])) == [(0, 0, None)]
    assert ends(spans_of(ORIGIN, KEYS[1].public_key(), [rotation(4, 10, 4, following=1)])) == [(1, 0, None)]


def test_a_replaced_key_has_one_follower() -> None:
    """Whoever steals it afterwards cannot name another."""
    stolen = rotation(0, 15, 0, 4, following=4)
    assert ends(spans_of(ORIGIN, KEYS[0].public_key(), [CHAIN[0], stolen])) == [(0, 0, 10), (1, 10, None)]


def test_unknown_keys_and_other_archives_do_not_count() -> None:
    """As without any rotation."""
    spans = spans_of(ORIGIN, KEYS[0].public_key(), CHAIN[:1])
    with pytest.raises(RefusedError, match="not signed with this key"):
        check_in_span(checkpoint(5, 4), ORIGIN, spans)
    with pytest.raises(RefusedError, match="expected one of"):
        check_in_span(checkpoint(5, 0).replace(ORIGIN, "x/muster"), ORIGIN, spans)
