"""Philox4x32-10, and uniforms that depend on a key, a context of tokens and a token.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, for the generator. How context and token
are absorbed is dialect ``vllm-philox-v1``: that of the serving engine vLLM since version 0.30.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Floats, Integers
from remission.numerics.jit import jit

_ALL = 0xFFFFFFFF
_CONTEXT, _TOKEN = 0x574D4358, 0x574D544B  # domains: "WMCX" and "WMTK"


@jit(inline=True)
def _rounds(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Ten rounds on 32-bit words that are held in 64 bits."""
    full, half = np.uint64(_ALL), np.uint64(32)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & full, (p0 >> half) ^ c3 ^ k1, p0 & full
        k0 = (k0 + np.uint64(0x9E3779B9)) & full
        k1 = (k1 + np.uint64(0xBB67AE85)) & full
    return c0, c1, c2, c3


@jit(inline=True)
def _context(ids, start, place, width, k0, k1):  # type: ignore[no-untyped-def]
    """The state after the ``width`` tokens before ``place``; before ``start`` stands token -1."""
    full = np.uint64(_ALL)
    s0, s1, s2, s3 = np.uint64(_CONTEXT), np.uint64(width), np.uint64(0), np.uint64(0)
    for offset in range(0, width, 4):
        b0, b1, b2, b3 = full, full - np.uint64(1), full - np.uint64(2), full - np.uint64(3)
        for i in range(min(4, width - offset)):
            at = place - width + offset + i
            word = np.uint64(ids[at]) & full if at >= start else full
            if i == 0:
                b0 = word
            elif i == 1:
                b1 = word
            elif i == 2:
                b2 = word
            else:
                b3 = word
        s0, s1, s2, s3 = _rounds(s0 ^ b0, s1 ^ b1, s2 ^ b2, s3 ^ b3, k0 ^ np.uint64(offset), k1)
    return s0, s1, s2, s3


@jit(inline=True)
def _uniform(word):  # type: ignore[no-untyped-def]
    """A 32-bit word as a float32 strictly between 0 and 1, as float64."""
    return np.float64(np.float32((np.float64(word >> np.uint64(8)) + 1.0) / 16777217.0))


@jit()
def _at(ids, first, places, width, k0, k1, out):  # type: ignore[no-untyped-def]
    full = np.uint64(_ALL)
    for k in range(places.size):
        place = places[k]
        s0, s1, s2, s3 = _context(ids, first[k], place, width, k0, k1)
        token = np.uint64(ids[place]) & full
        words = _rounds(token >> np.uint64(2), s0, s1, s2, k0 ^ s3, k1 ^ np.uint64(_TOKEN))
        which = token & np.uint64(3)
        word = words[0]
        if which == 1:
            word = words[1]
        elif which == 2:
            word = words[2]
        elif which == 3:
            word = words[3]
        out[k] = _uniform(word)


@jit()
def _all(context, k0, k1, out):  # type: ignore[no-untyped-def]
    s0, s1, s2, s3 = _context(context, 0, context.size, context.size, k0, k1)
    for block in range((out.size + 3) // 4):
        words = _rounds(np.uint64(block), s0, s1, s2, k0 ^ s3, k1 ^ np.uint64(_TOKEN))
        for i in range(min(4, out.size - 4 * block)):
            out[4 * block + i] = _uniform(words[i])


def uniforms_at(key: int, ids: Integers, first: Integers, places: Integers, width: int) -> Floats:
    """The uniform (k,) of each token at ``places`` (k,) of ``ids`` given the ``width`` tokens before it.

    Args:
        key: 64 bits.
        ids: token numbers.
        first: (k,) where the text of each place begins; before it stands token -1.
        places: (k,).
        width: tokens of context.
    """
    out = np.empty(places.size)
    _at(ids, first, places, width, np.uint64(key & _ALL), np.uint64(key >> 32), out)
    return out


def uniforms(key: int, context: npt.NDArray[np.int64], size: int) -> Floats:
    """The uniforms of tokens 0 .. size - 1 after a context (width,), in which missing tokens are -1."""
    out = np.empty(size)
    _all(np.ascontiguousarray(context), np.uint64(key & _ALL), np.uint64(key >> 32), out)
    return out
