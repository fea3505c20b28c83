"""Where the log speaks of an item or of a content: a few bytes for each, however long its name; the names stay on the disk."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping

_FULL, _ALL = 2 / 3, (1 << 64) - 1


class Places:
    """Numbers of entries by 64-bit hashes; a hash may have several.

    An open table (linear probing; Knuth, The Art of Computer Programming 3, section 6.4, algorithm L): 12 bytes a slot, one
    to two thirds of them used.

    >>> places = Places()
    >>> places.add(-1, 5)
    >>> places.add(-1, 9)
    >>> list(places.find(-1)), list(places.find(1)), len(places)
    ([5, 9], [], 2)
    """

    def __init__(self) -> None:
        """Empty."""
        self._hashes, self._numbers, self._count = array("Q", bytes(8 * 64)), array("I", bytes(4 * 64)), 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: int, number: int) -> None:
        """Note a number under a hash, of which the last 64 bits count."""
        if self._count >= _FULL * len(self._numbers):
            self._grow()
        self._put(key & _ALL, number + 1)  # 0: nothing is there
        self._count += 1

    def find(self, key: int) -> Iterator[int]:
        """All numbers under a hash, in the order they were noted."""
        key &= _ALL
        hashes, numbers = self._hashes, self._numbers
        mask = len(numbers) - 1
        at = key & mask
        while numbers[at]:
            if hashes[at] == key:
                yield numbers[at] - 1
            at = (at + 1) & mask

    def _put(self, key: int, stored: int) -> None:
        hashes, numbers = self._hashes, self._numbers
        mask = len(numbers) - 1
        at = key & mask
        while numbers[at]:
            at = (at + 1) & mask
        hashes[at], numbers[at] = key, stored

    def _grow(self) -> None:
        hashes, numbers = self._hashes, self._numbers
        size = 2 * len(numbers)
        self._hashes, self._numbers = array("Q", bytes(8 * size)), array("I", bytes(4 * size))
        gap = numbers.index(0)  # from behind a gap on, so that those of one hash keep their order
        for at in (*range(gap, len(numbers)), *range(gap)):
            if numbers[at]:
                self._put(hashes[at], numbers[at])


class Items(Mapping[str, int]):
    """Item -> number of the entry that brought it, in the order they came in. Names are read from the log."""

    def __init__(self, name_of: Callable[[int], str], names: Callable[[array[int]], Iterator[tuple[str, int]]]) -> None:
        """Of what reads the item of an entry, and what reads the items of many entries, in order."""
        self._name_of, self._names = name_of, names
        self._places, self._numbers = Places(), array("I")

    def note(self, item: str, number: int) -> None:
        """An entry brought an item that was not there."""
        self._places.add(hash(item), number)
        self._numbers.append(number)

    def __getitem__(self, item: str) -> int:
        for number in self._places.find(hash(item)):
            if self._name_of(number) == item:
                return number
        raise KeyError(item)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return (item for item, _ in self._names(self._numbers))

    def pairs(self) -> Iterator[tuple[str, int]]:
        """Items with their numbers, read in one go."""
        return self._names(self._numbers)
