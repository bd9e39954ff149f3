"""Sets of row numbers as integers: bit *n* is row *n*; and an index of an attribute made of such integers.

Everything here is about speed with plain integers: what the rows are is the census' business.
"""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from itertools import compress, count
from operator import and_, or_
from typing import Generic, TypeVar

Value = TypeVar("Value", bound=Hashable)

_FLAGS_TO_DIGITS = b"0" + b"1" * 255
_DIGITS_TO_FLAGS = bytes.maketrans(b"01", b"\x00\x01")
_DIGIT = tuple(bytes(octet >> digit & 1 for octet in range(256)) for digit in range(8))
_SCATTERED = 64
"""Up to so many rows are cheaper to take off one by one than to look for."""
_CROWDED = 5
"""When one row in so many is set, walking along all of them in C beats jumping from one to the next."""
_MANY_VALUES = 2048
"""An index of more values does not remember the rows of each: that memory grows with values times people."""
_MANY_ASKED = 64
"""So many values of such an index are united by going through the rows once."""


def bits_of(rows: Sequence[int]) -> int:
    """Return the set of these rows, in any order. Shifting would copy the whole integer for every row."""
    if not rows:
        return 0
    size = max(rows) + 1
    if len(rows) * _CROWDED < size:
        octets = bytearray((size + 7) // 8)
        for row in rows:
            octets[row >> 3] |= 1 << (row & 7)
        return int.from_bytes(octets, "little")
    flags = bytearray(size)
    for row in rows:
        flags[row] = 1
    return bits_of_flags(flags)


def bits_of_flags(flags: bytes | bytearray) -> int:
    """Return the set of the rows whose byte is not 0."""
    return int(b"0" + flags.translate(_FLAGS_TO_DIGITS)[::-1], 2)


def rows_of(bits: int) -> Iterator[int]:
    """Yield the rows of a set in ascending order."""
    size = bits.bit_count()
    if size <= _SCATTERED:
        return reversed(list(_highest_first(bits)))
    digits = format(bits, "b").encode()[::-1]
    if size * _CROWDED < len(digits):
        return _found(digits)
    return compress(count(), digits.translate(_DIGITS_TO_FLAGS))


def _highest_first(bits: int) -> Iterator[int]:
    while bits:
        row = bits.bit_length() - 1
        yield row
        bits ^= 1 << row


def _found(digits: bytes) -> Iterator[int]:
    row = digits.find(b"1")
    while row >= 0:
        yield row
        row = digits.find(b"1", row + 1)


class BitSlicedIndex(Generic[Value]):
    """Which rows have which value (O'Neil and Quass, 1997).

    Values are numbered, and the numbers of all rows are kept as one bitmap for each binary digit; so making the index
    takes a few passes in C however many values there are, and the rows of a value are a few operations on integers.
    A row without a value has None; further values of a row are given apart.
    """

    def __init__(self, values: Iterable[Value | None], further: Iterable[tuple[int, Value]] = ()) -> None:
        numbers: defaultdict[Value | None, int] = defaultdict(count(1).__next__, {None: 0})
        self._numbers = list(map(numbers.__getitem__, values))
        more: defaultdict[int, list[int]] = defaultdict(list)
        for row, value in further:
            more[numbers[value]].append(row)
        self._further = {number: bits_of(rows) for number, rows in more.items()}
        self._remembered: dict[int, int] = {}
        self.values: Mapping[Value, int] = {value: number for value, number in numbers.items() if value is not None}
        """Every value, and its number."""

    def rows_with(self, numbers: Sequence[int]) -> int:
        """Return the set of the rows that have at least one of the values with these numbers."""
        if len(numbers) <= _MANY_ASKED or len(self.values) <= _MANY_VALUES:
            return reduce(or_, map(self._rows_numbered, numbers), 0)
        asked = bytearray(len(self.values) + 1)
        for number in numbers:
            asked[number] = 1
        further = (self._further[number] for number in numbers if number in self._further)
        return reduce(or_, further, bits_of_flags(bytes(map(asked.__getitem__, self._numbers))))

    def _rows_numbered(self, number: int) -> int:
        bits = self._remembered.get(number)
        if bits is None:
            slices = (pair[number >> digit & 1] for digit, pair in enumerate(self._slices))
            bits = reduce(and_, slices) | self._further.get(number, 0)
            if len(self.values) <= _MANY_VALUES:
                self._remembered[number] = bits
        return bits

    @cached_property
    def _slices(self) -> Sequence[tuple[int, int]]:
        """For each binary digit of the numbers, lowest first: the rows whose number has it clear, and has it set."""
        width = len(self.values).bit_length()
        everyone = (1 << len(self._numbers)) - 1
        octets = self._octets() if width > 8 else [bytes(self._numbers)]
        ones = [bits_of_flags(octets[digit // 8].translate(_DIGIT[digit % 8])) for digit in range(width)]
        return [(everyone ^ bits, bits) for bits in ones]

    def _octets(self) -> Sequence[bytes]:
        """Return the numbers of all rows, octet by octet, lowest first."""
        numbers = array("I", self._numbers)
        if sys.byteorder == "big":
            numbers.byteswap()
        packed = numbers.tobytes()
        return [packed[octet :: numbers.itemsize] for octet in range(numbers.itemsize)]
