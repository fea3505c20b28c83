"""The random permutations of PyTorch's CPU generator, bit for bit: MT19937 and a forward Fisher-Yates shuffle.

Only the head of a permutation is ever needed. Whether some numbers are in it can be followed without the permutation.
Permutations of 214,748,364 numbers (2^32 / 20) or more are shuffled in another manner by PyTorch, which is not done here.

Source: Matsumoto and Nishimura, "Mersenne twister", ACM TOMACS 8 (1998), for the generator.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Booleans, Floats, Integers, Words
from remission.numerics.jit import jit

_N, _M = 624, 397


@jit(inline=True)
def _start(seed, words):  # type: ignore[no-untyped-def]
    """The state of the generator for the low 32 bits of a seed."""
    word = np.uint32(seed & np.uint64(0xFFFFFFFF))
    words[0] = word
    for i in range(1, _N):
        word = np.uint32(np.uint32(1812433253) * (word ^ (word >> np.uint32(30))) + np.uint32(i))
        words[i] = word


@jit(inline=True)
def _twisted(low, high, other):  # type: ignore[no-untyped-def]
    mixed = (low & np.uint32(0x80000000)) | (high & np.uint32(0x7FFFFFFF))
    odd = np.uint32(0) - (mixed & np.uint32(1))
    return other ^ (mixed >> np.uint32(1)) ^ (odd & np.uint32(0x9908B0DF))


@jit(inline=True)
def _turn(words, out):  # type: ignore[no-untyped-def]
    """The next 624 numbers, tempered, into ``out``."""
    for i in range(_N - _M):
        words[i] = _twisted(words[i], words[i + 1], words[i + _M])
    for i in range(_N - _M, _N - 1):
        words[i] = _twisted(words[i], words[i + 1], words[i + _M - _N])
    words[_N - 1] = _twisted(words[_N - 1], words[0], words[_M - 1])
    for i in range(_N):
        y = words[i]
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        out[i] = y ^ (y >> np.uint32(18))


@jit(inline=True)
def _partners(drawn, done, many, size, inverse, out):  # type: ignore[no-untyped-def]
    """With which place each of the steps ``done`` .. ``done + many - 1`` swaps its own.

    The remainder by size - step is taken in floating point, where all numbers are whole and below 2^53: by a reciprocal,
    which may be off by one step and is then put right.
    """
    for i in range(many):
        rest = np.float64(size - done - i)
        number = np.float64(np.int32(drawn[i] ^ np.uint32(0x80000000))) + 2147483648.0
        remainder = number - np.floor(number * inverse[done + i]) * rest
        if remainder < 0.0:
            remainder += rest
        if remainder >= rest:
            remainder -= rest
        out[i] = np.int32(remainder) + np.int32(done + i)


@jit(inline=True)
def _meets(partner, many, place):  # type: ignore[no-untyped-def]
    """Whether a place is among the partners of a turn; without a way out in the middle this is a few vector steps."""
    found = np.int32(0)
    for i in range(many):
        found |= np.int32(partner[i] == place)
    return found > 0


@jit()
def _head(seed, size, inverse, out):  # type: ignore[no-untyped-def]
    words, drawn, partner = np.empty(_N, np.uint32), np.empty(_N, np.uint32), np.empty(_N, np.int32)
    numbers = np.arange(size).astype(np.int32)
    _start(seed, words)
    done = 0
    while done < out.size:
        many = min(_N, out.size - done)
        _turn(words, drawn)
        _partners(drawn, done, many, size, inverse, partner)
        for i in range(many):
            j = partner[i]
            out[done + i] = numbers[j]
            numbers[j] = numbers[done + i]
        done += many


@jit()
def _follow_one(seed, size, count, inverse, target, words, drawn, partner):  # type: ignore[no-untyped-def]
    """Whether one number comes into the first ``count`` places."""
    _start(seed, words)
    place, done = target, 0
    while done < count:
        many = min(_N, count - done)
        _turn(words, drawn)
        _partners(drawn, done, many, size, inverse, partner)
        if done <= place < done + many or _meets(partner, many, place):
            for i in range(many):
                if partner[i] == place:
                    return True
                if done + i == place:
                    place = partner[i]
        done += many
    return False


@jit()
def _follow(seed, size, count, inverse, targets, owner, words, drawn, partner, inside):  # type: ignore[no-untyped-def]
    """Which of several numbers come into the first ``count`` places; ``owner`` (size,) is -1 everywhere, also after."""
    for k in range(targets.size):
        owner[targets[k]] = k
        inside[k] = False
    _start(seed, words)
    left, done = targets.size, 0
    while done < count and left > 0:
        many = min(_N, count - done)
        _turn(words, drawn)
        _partners(drawn, done, many, size, inverse, partner)
        for i in range(many):
            step, j = done + i, partner[i]
            one, other = owner[step], owner[j]
            if other >= 0:
                inside[other] = True
                left -= 1
                owner[j] = -1
            if one >= 0:
                owner[step] = -1
                if j != step:
                    owner[j] = one
        done += many
    if left > 0:
        owner[:] = -1


@jit()
def _members(seeds, bounds, targets, size, count, inverse, inside):  # type: ignore[no-untyped-def]
    words, drawn, partner = np.empty(_N, np.uint32), np.empty(_N, np.uint32), np.empty(_N, np.int32)
    owner = np.full(size, np.int32(-1))
    for g in range(bounds.size - 1):
        low, high = bounds[g], bounds[g + 1]
        if high - low == 1:
            inside[low] = _follow_one(seeds[low], size, count, inverse, targets[low], words, drawn, partner)
        else:
            _follow(
                seeds[low],
                size,
                count,
                inverse,
                targets[low:high],
                owner,
                words,
                drawn,
                partner,
                inside[low:high],
            )


@cache
def _inverse(size: int, count: int) -> Floats:
    return 1.0 / (size - np.arange(count, dtype=np.float64))


def head(seed: int, size: int, count: int) -> npt.NDArray[np.int32]:
    """The first ``count`` numbers of ``torch.randperm(size)`` with a CPU generator seeded with ``seed``.

    >>> head(0, 10, 4)
    array([4, 1, 7, 5], dtype=int32)
    """
    out = np.empty(count, np.int32)
    _head(np.uint64(seed % 2**64), size, _inverse(size, count), out)
    return out


def members(seeds: Words, bounds: Integers, targets: Integers, size: int, count: int) -> Booleans:
    """Whether numbers are among the first ``count`` of random permutations of 0 .. size - 1.

    Args:
        seeds: (k,) the seed of each; only the low 32 bits matter.
        bounds: (g + 1,) runs of equal seeds; no number comes twice in a run.
        targets: (k,) the numbers.
        size: of the permutations.
        count: of their heads.
    """
    inside = np.zeros(targets.size, np.bool_)
    _members(seeds, bounds, targets.astype(np.int32), size, count, _inverse(size, count), inside)
    return inside


@jit()
def _integers(seed, out):  # type: ignore[no-untyped-def]
    words, drawn = np.empty(_N, np.uint32), np.empty(_N, np.uint32)
    _start(seed, words)
    for begun in range(0, out.size, _N):
        _turn(words, drawn)
        for i in range(min(_N, out.size - begun)):
            out[begun + i] = drawn[i]


def integers(seed: int, count: int) -> npt.NDArray[np.uint32]:
    """The first ``count`` 32-bit numbers of the generator."""
    out = np.empty(count, np.uint32)
    _integers(np.uint64(seed % 2**64), out)
    return out
