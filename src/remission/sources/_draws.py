"""Compiled draws from the laws of this folder: one stream per replicate, rows independent of the block."""

from __future__ import annotations

import math

import numpy as np

from remission.data import Floats
from remission.numerics.jit import jit
from remission.numerics.random import normal, seed, uniform
from remission.rng import Streams


@jit()
def equicorrelated(first, second, replicates, mean, std, own, common, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n, d) with mean + std * (own * z + common * average(z)), z standard normal."""
    d = out.shape[2]
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            total = 0.0
            for a in range(d):
                z = normal(state)
                total += z
                out[i, j, a] = own * z
            shared = common * total / d
            for a in range(d):
                out[i, j, a] = mean[a] + std[a] * (out[i, j, a] + shared)


@jit()
def clusters(first, second, replicates, cumulative, centres, spread, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with draws of a mixture of isotropic Gaussians; a last column beyond d gets the component."""
    d = centres.shape[1]
    labelled = out.shape[2] > d
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            u = uniform(state)
            k, last = 0, cumulative.size - 1
            while k < last:
                middle = (k + last) // 2
                if u < cumulative[middle]:
                    last = middle
                else:
                    k = middle + 1
            for a in range(d):
                out[i, j, a] = centres[k, a] + spread * normal(state)
            if labelled:
                out[i, j, d] = k


@jit()
def linear(first, second, replicates, coefficients, noise, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n, d + 1) with x ~ N(0, I) and, last, y = x . coefficients + noise * e."""
    d = coefficients.size
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            y = 0.0
            for a in range(d):
                x = normal(state)
                out[i, j, a] = x
                y += x * coefficients[a]
            out[i, j, d] = y + noise * normal(state)


@jit()
def moons(first, second, replicates, noise, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n, 2) with points of two interleaving half circles, each plus noise * N(0, I)."""
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            u = 2.0 * uniform(state)
            lower = u >= 1.0
            angle = math.pi * (u - 1.0 if lower else u)
            x, y = math.cos(angle), math.sin(angle)
            if lower:
                x, y = 1.0 - x, 0.5 - y
            out[i, j, 0] = x + noise * normal(state)
            out[i, j, 1] = y + noise * normal(state)


def draw_clusters(n: int, streams: Streams, shares: Floats, centres: Floats, spread: float, width: int) -> Floats:
    """Draws (r, n, width) of the mixture with shares (k,), centres (k, d) and one standard deviation."""
    cumulative = np.cumsum(shares)
    out = np.empty((len(streams), n, width))
    clusters(*streams.words, streams.replicates, cumulative / cumulative[-1], centres, float(spread), out)
    return out


def layout_streams(layout_seed: int) -> Streams:
    """The randomness that lays out a world; it never mixes with that of an experiment."""
    return Streams.of(layout_seed, [0], point="layout")
