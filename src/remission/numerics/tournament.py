"""SynthID-Text's pseudorandom g-values and tournament, bit for bit.

Source: Dathathri et al., "Scalable watermarking for identifying large language model outputs", Nature 634 (2024), for the
tournament. The hash is that of the published packages (a 64-bit linear congruence), not the one of any service.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Array, Booleans, Floats, Integers, Words
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


@jit()
def _turned(ids, first, places, before, most, out):  # type: ignore[no-untyped-def]
    for k in range(places.size):
        word, place = _ONE, places[k]
        for at in range(place - before, place + 1):
            word = _grown(word, ids[at] if at >= first[k] else 0)
        out[k] = np.int64((word * _FACTOR) & most)


@jit()
def _turned_everywhere(ids, before, out):  # type: ignore[no-untyped-def]
    """32 bits are enough for a table, and one lag at a time is what vector units do best."""
    factor = np.uint32(FACTOR & 0xFFFFFFFF)
    power, constant = factor, np.uint32(0)
    for _ in range(before + 1):
        constant, power = np.uint32(constant + power), np.uint32(power * factor)
    constant, power = np.uint32(constant + power), np.uint32(factor * factor)
    for p in range(ids.size):
        out[p] = constant
    for lag in range(before + 1):
        for p in range(ids.size - lag):
            out[p + lag] = np.uint32(out[p + lag] + np.uint32(ids[p] * power))
        power = np.uint32(power * factor)


@jit()
def _picked(words, places, table, out):  # type: ignore[no-untyped-def]
    most = np.uint32(table.size - 1)
    for k in range(places.size):
        out[k] = table[words[places[k]] & most]


def looked_up(ids: Integers, first: Integers | None, places: Integers, before: int, table: Array, out: Array) -> None:
    """Fill ``out`` (k,) with the entries of a table of :func:`shifted` that belong to the n-grams at some places.

    Args:
        ids: token numbers.
        first: (k,) where the text of each place begins; missing tokens are 0. None: every place has ``before`` tokens before
            it in its text.
        places: (k,).
        before: tokens of context.
        table: its size is a power of two up to 2^32.
        out: (k,).
    """
    if first is None:
        words = np.empty(ids.size, np.uint32)
        _turned_everywhere(ids.astype(np.uint32), before, words)
        _picked(words, places, table, out)
        return
    turned = np.empty(places.size, np.int64)
    _turned(ids, first, places, before, np.uint64(table.size - 1), turned)
    out[:] = table[turned]


def shifted(keys: Words, table: Booleans, weights: Array) -> Array:
    """The sum over layers of a weight times the bit of the layer, for every place of :func:`looked_up`: (size,).

    With a table whose size is a power of two the low bits of a hash h decide: layer l looks up h FACTOR + key FACTOR + 1, so
    layers are shifted copies of one table.
    """
    size = table.size
    with np.errstate(over="ignore"):
        shifts = ((keys * _FACTOR + _ONE) & np.uint64(size - 1)).astype(np.int64)
    twice = np.concatenate([table, table]).astype(weights.dtype)
    out = np.zeros(size, weights.dtype)
    one = np.empty_like(out)
    for shift, weight in zip(shifts, weights, strict=True):
        out += np.multiply(twice[shift : shift + size], weight, out=one)
    return out


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
