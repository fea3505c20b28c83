"""Units: files are put together in order, none is lost, and many tiny ones make few parts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.clinic.census.units import MOST_FILES, SMALL, Grouper
from remission.corpus.spans import Span


def span(size: int, number: int = 0) -> Span:
    return Span(f"{number:06d}", "0" * 64, "whole", 0, 0, -1, size, 0, True, (size, 0))


def grouped(sizes: Sequence[int], size: int) -> list[list[int]]:
    """The sizes of the files of each unit."""
    grouper = Grouper(size)
    groups = [*grouper.add(span(one, number) for number, one in enumerate(sizes)), *grouper.rest()]
    assert [one.path for group in groups for one in group] == [f"{number:06d}" for number in range(len(sizes))]
    return [[one.size for one in group] for group in groups]


@given(st.lists(st.integers(0, 3 * SMALL), max_size=60), st.sampled_from([1, SMALL, 5 * SMALL, 1 << 20]))
def test_units_hold_what_they_may_and_no_file_is_lost(sizes: list[int], size: int) -> None:
    groups = grouped(sizes, size)
    for group in groups:
        assert len(group) == 1 or sum(group) <= size
    for group, after in itertools.pairwise(groups):  # each is full: the next file had no place in it
        assert sum(max(one, min(size, SMALL)) for one in group) + after[0] > size


@pytest.mark.parametrize(
    ("files", "bytes_", "size", "units"),
    [(20_000, 600, 1 << 20, 79), (20_000, 600, 64 << 20, 20), (1000, 600, 1 << 20, 4), (3000, 0, 64 << 20, 3)],
)
def test_tiny_files_make_few_units_and_none_of_too_many(files: int, bytes_: int, size: int, units: int) -> None:
    groups = grouped([bytes_] * files, size)
    assert len(groups) == units
    assert max(map(len, groups)) <= MOST_FILES
