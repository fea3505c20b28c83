"""Which of n things belong together: equal keys, linked into clusters, without a table of keys in memory."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Integers, Words
from remission.numerics.jit import jit


def link(parents: Integers, keys: Words, things: Integers) -> None:
    """Put things with equal keys into one cluster, in place.

    Args:
        parents: (n,) of every thing another one of its cluster, at most itself; ``arange(n)`` to begin with.
        keys: (k,) uint64.
        things: (k,) what each is a key of, ascending.
    """
    order = np.argsort(keys, kind="stable")
    things = things[order]
    _link(parents, keys[order], things)


def clusters(parents: Integers) -> Integers:
    """The first thing of the cluster of each thing, (n,).

    >>> parents = np.arange(4)
    >>> link(parents, np.array([7, 9, 7], np.uint64), np.array([0, 1, 3]))
    >>> clusters(parents).tolist()
    [0, 1, 2, 0]
    """
    out = np.empty_like(parents)
    _roots(parents, out)
    return out


@jit(inline=True)
def _root(parents, thing):  # type: ignore[no-untyped-def]
    while parents[thing] != thing:
        parents[thing] = parents[parents[thing]]  # halves the way for whoever comes next
        thing = parents[thing]
    return thing


@jit()
def _link(parents, keys, things):  # type: ignore[no-untyped-def]
    for k in range(1, keys.size):
        if keys[k] == keys[k - 1]:
            one, other = _root(parents, things[k - 1]), _root(parents, things[k])
            if one < other:
                parents[other] = one
            elif other < one:
                parents[one] = other


@jit()
def _roots(parents, out):  # type: ignore[no-untyped-def]
    for thing in range(parents.size):
        out[thing] = _root(parents, thing)
