"""SynthID-Text's pseudorandom g-values and tournament, bit for bit.

Source: Dathathri et al., "Scalable watermarking for identifying large language model outputs", Nature 634 (2024), for the
tournament. The hash is that of the published packages (a 64-bit linear congruence), not the one of any service.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Booleans, Floats, Integers, Words
from remission.numerics.jit import jit

FACTOR = 6364136223846793005
_FACTOR = np.uint64(FACTOR)
_ONE = np.uint64(1)


@jit(inline=True)
def _grown(word, token):  # type: ignore[no-untyped-def]
    return (word + np.uint64(token)) * _FACTOR + _ONE


@jit()
def _hashes(ids, first, places, before, itself, out):  # type: ignore[no-untyped-def]
    for k in range(places.size):
        word, place = _ONE, places[k]
        for at in range(place - before, place + itself):
            word = _grown(word, ids[at] if at >= first[k] else 0)
        out[k] = word


def hashes(ids: Integers, first: Integers, places: Integers, before: int, itself: bool) -> Words:
    """The hash (k,) of the ``before`` tokens before each place and, where ``itself``, of its own; missing tokens are 0."""
    out = np.empty(places.size, np.uint64)
    _hashes(ids, first, places, before, int(itself), out)
    return out


@jit()
def _layers(words, keys, table, out):  # type: ignore[no-untyped-def]
    size = np.int64(table.size)
    for k in range(words.size):
        packed = np.uint64(0)
        for layer in range(keys.size):
            signed = np.int64(_grown(words[k], keys[layer]))
            if table[signed % size]:  # the remainder is not negative, as in Python
                packed |= _ONE << np.uint64(layer)
        out[k] = packed


def layers(words: Words, keys: Words, table: Booleans) -> Words:
    """The g-values (k,) of hashes of n-grams: bit l is that of layer l. Up to 64 layers.

    Args:
        words: (k,) from :func:`hashes`.
        keys: (depth,).
        table: (size,) the sampling table.
    """
    out = np.empty(words.size, np.uint64)
    _layers(words, keys, table, out)
    return out


def by_low_bits(keys: Words, table: Booleans) -> Words:
    """The g-values of every hash by its low bits, for a table whose size is a power of two: (size,)."""
    return layers(np.arange(table.size, dtype=np.uint64), keys, table)


@jit()
def _play(weights, bits, depth):  # type: ignore[no-untyped-def]
    for layer in range(depth):
        shift = np.uint64(layer)
        mass = 0.0
        for v in range(weights.size):
            mass += weights[v] * np.float64((bits[v] >> shift) & _ONE)
        for v in range(weights.size):
            weights[v] *= 1.0 + np.float64((bits[v] >> shift) & _ONE) - mass


def play(weights: Floats, bits: Words, depth: int) -> None:
    """Change probabilities (V,) in place to those of the winner of a tournament of 2^depth draws."""
    _play(weights, bits, depth)


def bits_of(packed: Words, depth: int) -> npt.NDArray[np.uint8]:
    """g-values (k, depth) of 0 and 1."""
    return np.asarray((packed[:, None] >> np.arange(depth, dtype=np.uint64)) & _ONE, dtype=np.uint8)
