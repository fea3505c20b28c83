"""Which of many things were there before: hashes of rows of tokens, and first occurrences."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Booleans, Integers, Words
from remission.numerics.jit import jit
from remission.numerics.random import mix

_PRIME = np.uint64(0x9E3779B97F4A7C15)


@jit()
def _hashes(ids, first, places, before, itself, out):  # type: ignore[no-untyped-def]
    for k in range(places.size):
        word = np.uint64(before)
        place = places[k]
        for at in range(place - before, place + itself):
            token = np.uint64(ids[at] + 1) if at >= first[k] else np.uint64(0)
            word = mix((word ^ token) * _PRIME)
        out[k] = word | np.uint64(1)  # 0 stands for what is never counted


def hashes(ids: Integers, first: Integers, places: Integers, before: int, itself: bool) -> Words:
    """A hash (k,), never 0, of the ``before`` tokens before each place and, where ``itself``, of its own.

    Args:
        ids: token numbers, not negative.
        first: (k,) where the text of each place begins; what is missing before it counts as one more kind of token.
        places: (k,).
        before: tokens of context.
        itself: whether the token at the place belongs to it.
    """
    out = np.empty(places.size, np.uint64)
    _hashes(ids, first, places, before, int(itself), out)
    return out


@jit()
def _firsts(words, groups, table, owner, out):  # type: ignore[no-untyped-def]
    last = np.uint64(table.size - 1)
    for k in range(words.size):
        word = words[k]
        if word == 0:
            continue
        slot = mix(word) & last
        while owner[slot] == groups[k] and table[slot] != word:
            slot = (slot + np.uint64(1)) & last
        if owner[slot] != groups[k]:
            owner[slot], table[slot] = groups[k], word
            out[k] = True


def firsts(words: Words, groups: Integers | None = None) -> Booleans:
    """Where each word comes for the first time, (k,): in its group, or at all. A word 0 never does.

    Args:
        words: (k,).
        groups: (k,) numbers from 0 on that do not fall; None: all words are one group.

    >>> import numpy as np
    >>> firsts(np.array([7, 7, 0, 7], np.uint64), np.array([0, 0, 0, 1]))
    array([ True, False, False,  True])
    """
    numbers = np.zeros(words.size, np.int64) if groups is None else groups
    largest = int(np.bincount(numbers).max()) if words.size else 0
    size = 1 << max(4, (2 * largest).bit_length())
    out = np.zeros(words.size, np.bool_)
    _firsts(words, numbers, np.zeros(size, np.uint64), np.full(size, -1, np.int64), out)
    return out


@jit()
def _windowed(words, groups, window, table, seen, out):  # type: ignore[no-untyped-def]
    last = np.uint64(table.size - 1)
    start = 0
    for k in range(words.size):
        if k > 0 and groups[k] != groups[k - 1]:
            start = k
        word = words[k]
        slot = mix(word + np.uint64(groups[k]) * _PRIME) & last
        while seen[slot] >= 0 and not (table[slot] == word and seen[slot] >= start):
            slot = (slot + np.uint64(1)) & last
        out[k] = seen[slot] < 0 or k - seen[slot] > window
        table[slot], seen[slot] = word, k


def new_in_window(words: Words, groups: Integers, window: int) -> Booleans:
    """Whether each word is none of the ``window`` words before it in its group, (k,). Groups do not fall."""
    size = 1 << max(4, (2 * words.size).bit_length())
    out = np.zeros(words.size, np.bool_)
    _windowed(words, groups, window, np.zeros(size, np.uint64), np.full(size, -1, np.int64), out)
    return out


@jit()
def _grouped(groups, targets, many, start, order, slot, bounds, kept, inverse):  # type: ignore[no-untyped-def]
    for k in range(groups.size):
        start[groups[k] + 1] += 1
    for g in range(many):
        start[g + 1] += start[g]
    at = start[:many].copy()
    for k in range(groups.size):
        order[at[groups[k]]] = k
        at[groups[k]] += 1
    found = 0
    for g in range(many):
        begun = found
        for i in range(start[g], start[g + 1]):
            k = order[i]
            place = slot[targets[k]]
            if place < begun:
                place = found
                slot[targets[k]], kept[found] = found, k
                found += 1
            inverse[k] = place
        bounds[g + 1] = found
    return found


def grouped(groups: Integers, targets: Integers, many: int, size: int) -> tuple[Integers, Integers, Integers]:
    """Distinct pairs of a group and a target, those of a group together.

    Args:
        groups: (k,) numbers 0 .. many - 1.
        targets: (k,) numbers 0 .. size - 1.
        many: how many groups there may be.
        size: how many targets.

    Returns:
        kept: (p,) where each distinct pair comes first. bounds: (many + 1,) the pairs of each group among them.
        inverse: (k,) the pair of each place.
    """
    k = groups.size
    bounds, kept, inverse = np.zeros(many + 1, np.int64), np.empty(k, np.int64), np.empty(k, np.int64)
    start, slot = np.zeros(many + 1, np.int64), np.full(size, -1, np.int64)
    found = _grouped(groups, targets, many, start, np.empty(k, np.int64), slot, bounds, kept, inverse)
    return kept[:found], bounds, inverse
