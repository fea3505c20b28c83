"""Counting and drawing symbols, and shaping probabilities by temperature, top-k and top-p."""

from __future__ import annotations

import numpy as np

from remission.numerics.jit import jit
from remission.numerics.random import alias_table, below, multinomial, seed, uniform


@jit()
def count(items, weight, out):  # type: ignore[no-untyped-def]
    """Add the weight of every symbol of ``items`` (r, n) to ``out`` (r, V); False if one is not in 0 .. V - 1.

    ``weight`` is (r, n), or has no element when every item counts 1.
    """
    size = out.shape[1]
    for i in range(items.shape[0]):
        for j in range(items.shape[1]):
            symbol = items[i, j]
            if symbol < 0 or symbol >= size:
                return False
            out[i, symbol] += weight[i, j] if weight.size else 1.0
    return True


@jit()
def shape(mass, temperature, top_k, top_p):  # type: ignore[no-untyped-def]
    """Shape the masses (k,) of one distribution in place; they need not sum to 1, before or after.

    In this order: mass^(1 / temperature); then only the ``top_k`` largest; then the fewest largest that together
    hold the share ``top_p`` of what is left. Of equal masses the one that stands first is kept.
    """
    size = mass.size
    if size == 0:
        return
    highest = mass.max()
    if temperature != 1.0 and highest > 0.0:
        for i in range(size):
            if mass[i] > 0.0:
                mass[i] = (mass[i] / highest) ** (1.0 / temperature)
    if (top_k <= 0 or top_k >= size) and top_p >= 1.0:
        return
    order = np.argsort(-mass, kind="mergesort")
    kept = size if top_k <= 0 else min(size, top_k)
    if top_p < 1.0:
        total = 0.0
        for i in range(kept):
            total += mass[order[i]]
        goal, reached = top_p * total * (1.0 - 1e-12), 0.0  # a sum that only rounding keeps below the share has it
        for i in range(kept):
            reached += mass[order[i]]
            if reached >= goal:
                kept = i + 1
                break
    for i in range(kept, size):
        mass[order[i]] = 0.0


@jit()
def _support(probabilities, temperature, top_k, top_p, symbols, mass):  # type: ignore[no-untyped-def]
    """Fill ``symbols`` and ``mass`` with what can be drawn after shaping; how many there are."""
    kept = np.int64(0)
    for i in range(probabilities.size):  # without a branch: the processor could not guess it
        symbols[kept], mass[kept] = i, probabilities[i]
        kept += np.int64(probabilities[i] > 0.0)
    shape(mass[:kept], temperature, top_k, top_p)
    if top_k > 0 or top_p < 1.0:
        left = 0
        for i in range(kept):
            if mass[i] > 0.0:
                symbols[left], mass[left] = symbols[i], mass[i]
                left += 1
        kept = np.int64(left)
    return kept


@jit()
def _table(symbols, mass, keep, pair):  # type: ignore[no-untyped-def]
    """Fill ``keep`` and ``pair`` (two symbols a cell) so that a draw is one look at a random cell."""
    other = np.empty(mass.size, np.int64)
    alias_table(mass, keep, other)
    for k in range(mass.size):
        pair[2 * k], pair[2 * k + 1] = symbols[k], symbols[other[k]]


@jit(inline=True)
def _pick(state, kept, keep, pair):  # type: ignore[no-untyped-def]
    cell = below(state, kept)
    return pair[2 * cell + np.int64(uniform(state) >= keep[cell])]


@jit()
def draw(first, second, replicates, probabilities, temperature, top_k, top_p, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n) with symbols drawn from ``probabilities`` (r, V), by an alias table of the support."""
    size = probabilities.shape[1]
    symbols, mass = np.empty(size + 1, np.int64), np.empty(size + 1)
    keep, pair = np.empty(size), np.empty(2 * size, np.int64)
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        kept = _support(probabilities[i], temperature, top_k, top_p, symbols, mass)
        _table(symbols, mass[:kept], keep, pair)
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            out[i, j] = _pick(state, kept, keep, pair)


@jit()
def draw_counts(  # type: ignore[no-untyped-def]
    first, second, replicates, probabilities, n, weight, temperature, top_k, top_p, out
):
    """Add ``weight`` times a multinomial draw of n symbols to ``out`` (r, V).

    By whichever is cheaper for the replicate at hand: n draws from an alias table, or a binomial for every symbol
    of the support.
    """
    size = probabilities.shape[1]
    symbols, mass = np.empty(size + 1, np.int64), np.empty(size + 1)
    keep, pair = np.empty(size), np.empty(2 * size, np.int64)
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        kept = _support(probabilities[i], temperature, top_k, top_p, symbols, mass)
        seed(first, second, replicates[i], state)
        if n < 8 * kept:
            _table(symbols, mass[:kept], keep, pair)
            for _ in range(n):
                out[i, _pick(state, kept, keep, pair)] += weight
        else:
            multinomial(state, n, mass[:kept], pair[:kept])
            for k in range(kept):
                out[i, symbols[k]] += weight * pair[k]


@jit()
def log_probability(probabilities, items, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with the natural log-probability of each symbol; False if one is not in 0 .. V - 1."""
    size = probabilities.shape[1]
    for i in range(items.shape[0]):
        for j in range(items.shape[1]):
            symbol = items[i, j]
            if symbol < 0 or symbol >= size:
                return False
            p = probabilities[i, symbol]
            out[i, j] = np.log(p) if p > 0.0 else -np.inf
    return True
