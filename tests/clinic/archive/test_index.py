"""The index of the log: the same as a dict, whatever hashes collide, and small."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.gold.index import Items, Places


@given(
    st.lists(st.tuples(st.integers(-3, 3) | st.integers(-(2**63), 2**64 - 1), st.integers(0, 2**32 - 2)), max_size=300)
)
def test_places_are_what_a_dict_of_lists_holds(pairs: list[tuple[int, int]]) -> None:
    places, model = Places(), {}  # type: ignore[var-annotated]
    for key, number in pairs:
        places.add(key, number)
        model.setdefault(key % 2**64, []).append(number)
    assert len(places) == len(pairs)
    for key, numbers in model.items():
        assert list(places.find(key)) == numbers
    assert list(places.find(12345)) == model.get(12345, [])


class Words(str):
    """Words of which many have the same hash."""

    def __hash__(self) -> int:
        return len(self) % 3

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)  # type: ignore[arg-type]


@given(st.lists(st.text(max_size=6), unique=True, max_size=60))
def test_items_are_told_apart_although_their_hashes_are_not(words: list[str]) -> None:
    held = [Words(word) for word in words]

    def names(numbers: array[int]) -> Iterator[tuple[str, int]]:
        return ((words[number - 7], number) for number in numbers)

    items = Items(lambda number: words[number - 7], names)
    for number, word in enumerate(held, 7):
        assert word not in items
        items.note(word, number)
    assert [items[word] for word in held] == list(range(7, 7 + len(words)))
    assert (list(items), len(items)) == (words, len(words))
    assert dict(items.pairs()) == {word: number for number, word in enumerate(words, 7)}
    with pytest.raises(KeyError):
        items[Words("a word that is too long")]


def test_an_entry_takes_a_few_bytes() -> None:
    def weight(count: int) -> int:
        tracemalloc.start()
        places = Places()
        for number in range(count):
            places.add(hash(str(number)), number)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(places) == count
        return held

    assert weight(40_000) < 36 * 40_000 + 10_000
    assert weight(40_000) > 12 * 40_000
