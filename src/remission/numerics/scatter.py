"""Words of 64 bits scattered, array by array: what :func:`remission.numerics.random.mix` does within kernels."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Floats, Words


def scattered(words: Words) -> Words:
    """SplitMix64's finaliser of each word, of any shape (Steele, Lea and Flood, OOPSLA 2014): a bijection.

    >>> scattered(np.array([1], np.uint64)).tolist()
    [6238072747940578789]
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def uniforms(words: Words) -> Floats:
    """A number in 0 .. 1 (1 excluded) for each word, always the same."""
    return (scattered(words) >> np.uint64(11)).astype(np.float64) / 2.0**53
