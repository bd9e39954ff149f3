"""Which words stand where, held against the plain way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search.postings import (
    BLOCK,
    Bucket,
    Shelf,
    Tail,
    bucket_of,
    distinct,
    masks_of,
    numbers_of,
    stored,
    without,
)
from bridge.archive.search.words import MOST_WORDS

NUMBER = st.integers(-(2**31), 2**31 - 1).filter(bool) | st.sampled_from([1, 2, 4097, -1, -4097])
SEQ = st.integers(1, 4 * BLOCK) | st.sampled_from([1, BLOCK - 1, BLOCK, 2 * BLOCK])
MESSAGES = st.lists(st.tuples(SEQ, st.lists(NUMBER, max_size=5)), max_size=12)

Messages = Sequence[tuple[int, Sequence[int]]]


def tail_of(messages: Messages) -> Tail:
    """Return the tail of messages, each a position and the numbers of its words."""
    numbers = b"".join(stored(number) for _, words in messages for number in (*words, 0))
    return Tail.of([seq for seq, _ in messages], numbers)


def standing(messages: Messages) -> Mapping[int, Set[int]]:
    """Return for each word where it stands."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for seq, words in messages:
        for word in words:
            found[word].add(seq)
    return found


def shelved(buckets: Sequence[Bucket], words: Sequence[int]) -> set[int]:
    """Return where one of the words stands, looked up in its buckets."""
    wanted = {bucket_of(word) for word in words}
    found: set[int] = set()
    for block in {bucket.block for bucket in buckets}:
        shelf = Shelf.read([each for each in buckets if each.block == block and each.bucket in wanted])
        found |= {block * BLOCK + place for place in np.flatnonzero(shelf.holding(numbers_of(words))).tolist()}
    return found


@given(MESSAGES, st.lists(NUMBER, max_size=4))
def test_tail_and_blocks_know_where_words_stand(messages: Messages, others: Sequence[int]) -> None:
    """Of one word or some, and nothing of those that are not there."""
    tail, truth = tail_of(messages), standing(messages)
    buckets = list(tail.buckets())
    for words in [*([word] for word in truth), others, [*truth][:2]]:
        wanted = set().union(*(truth.get(word, set()) for word in words))
        assert set(tail.holding(numbers_of(words)).tolist()) == wanted
        assert shelved(buckets, words) == wanted
    assert set(distinct([tail.words.tobytes(), *(bucket.words for bucket in buckets)])) == set(truth)


@given(MESSAGES, MESSAGES)
def test_parts_add_up(messages: Messages, more: Messages) -> None:
    """Stored parts of a tail, and buckets that are stored twice, are read as if they had come together."""
    one, other = tail_of(messages), tail_of(more)
    truth = standing([*messages, *more])
    tail = Tail.read([one.columns(), other.columns()])
    packed = Tail.packed([seq for seq, _ in more], [b"".join(map(stored, words)) for _, words in more])
    buckets = [*one.buckets(), *other.buckets()]
    for word, wanted in truth.items():
        for each in (tail, one.joined(packed)):
            assert set(each.holding(numbers_of([word])).tolist()) == wanted
        assert shelved(buckets, [word]) == wanted


@given(MESSAGES, st.sets(SEQ))
def test_what_is_to_go_goes_and_nothing_else(messages: Messages, gone: Set[int]) -> None:
    """From the tail and from each bucket; buckets that hold nothing of it stay as they are."""
    tail = tail_of(messages)
    truth = standing([(seq, words) for seq, words in messages if seq not in gone])
    left = tail.kept(~np.isin(tail.seqs, list(gone)))
    masks = masks_of(np.array(sorted(gone), np.int64))
    buckets: list[Bucket] = []
    for bucket in tail.buckets():
        changed = without(bucket, masks[bucket.block]) if bucket.block in masks else None
        buckets.append(changed or bucket)
    for word in standing(messages):
        wanted = truth.get(word, set())
        assert set(left.holding(numbers_of([word])).tolist()) == wanted
        assert shelved(buckets, [word]) == wanted
    assert set(distinct([bucket.words for bucket in buckets])) == set(truth)


def test_tail_is_stored_as_the_upgrade_says() -> None:
    """Positions in 8 bytes, sizes in 2, numbers in 4, the lowest byte first."""
    columns = tail_of([(1, [2, -3]), (258, [])]).columns()
    assert columns.seqs == bytes([1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    assert columns.sizes == bytes([2, 0, 0, 0])
    assert columns.words == bytes([2, 0, 0, 0, 253, 255, 255, 255])


def test_message_of_the_most_words_is_held_whole() -> None:
    """However many a message has, those behind it stay its neighbours'."""
    words = list(range(1, MOST_WORDS + 1))
    tail = tail_of([(5, words), (6, [7])])
    assert tail.sizes.tolist() == [MOST_WORDS, 1]
    assert tail.holding(numbers_of([MOST_WORDS])).tolist() == [5]
    assert set(tail.holding(numbers_of([7])).tolist()) == {5, 6}
