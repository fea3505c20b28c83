"""Metrics beside their peers, one core: W1 (scipy), sliced W2 (POT), PRDC (prdc), MMD and Frechet (scipy, sklearn).

prdc asks for eight threads whatever the environment says: it is timed first as it comes, by the clock on the wall and
with every processor for itself (ours has one), and then, as the others, kept on one processor by processor time.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import _peer
from remission.numerics import discrepancy, frechet, neighbours, transport


def compare(
    name: str, ours: Callable[[], Any], peer: Callable[[], Any], goal: float, rounds: int, wall: bool = False
) -> None:
    """Time both and check that they agree."""
    ours()
    with contextlib.redirect_stdout(io.StringIO()):  # prdc prints
        timed = _peer.best_of(ours, peer, rounds, time.perf_counter if wall else time.process_time)
    np.testing.assert_allclose(timed.value, timed.peer_value, rtol=1e-6)
    _peer.line(name, timed.ours, timed.peer, goal)


def _median_mmd(x: np.ndarray, y: np.ndarray, width: float) -> float:
    from sklearn.metrics.pairwise import rbf_kernel

    gamma, n = 0.5 / width**2, len(x)
    kxx, kyy, kxy = rbf_kernel(x, x, gamma), rbf_kernel(y, y, gamma), rbf_kernel(x, y, gamma)
    return float((kxx.sum() - n + kyy.sum() - n) / (n * (n - 1)) - 2 * kxy.mean())


def _sqrtm_frechet(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.linalg import sqrtm

    s, t = np.cov(x.T), np.cov(y.T)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real))


def main(arguments: list[str] | None = None) -> None:
    """All cases."""
    quick = _peer.quick(__doc__, arguments)
    import ot
    from prdc import compute_prdc
    from scipy.stats import wasserstein_distance

    rng, rounds = np.random.default_rng(0), 1 if quick else 5
    n, k = (3000, 1500) if quick else (10_000, 4000)
    x, y = rng.normal(size=(n, 64)), 1.1 * rng.normal(size=(n, 64)) + 0.1

    def ours() -> list[float]:
        return list(neighbours.prdc(x[:k], y[:k]))

    def peer() -> list[float]:
        return list(compute_prdc(x[:k], y[:k], 5).values())

    compare(f"PRDC, n={k} d=64, wall, all cores", ours, peer, 5, rounds, wall=True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    compare(f"PRDC, n={k} d=64", ours, peer, 5, rounds)
    pairs = list(zip(x.T[:50].copy(), y.T[:50].copy(), strict=True))  # one call takes a tenth of a millisecond
    compare(
        f"W1, n={n}, 50 pairs",
        lambda: [transport.wasserstein(a, b) for a, b in pairs],
        lambda: [wasserstein_distance(a, b) for a, b in pairs],
        15,
        rounds,
    )
    directions = transport.projections(64, 128, rng.normal(size=64 * 128))
    compare(
        f"sliced W2, n={n} d=64, 128 proj",
        lambda: transport.sliced_wasserstein(x, y, directions),
        lambda: ot.sliced_wasserstein_distance(x, y, projections=directions),
        15,
        rounds,
    )
    width = discrepancy.median_bandwidth(y)
    compare(
        f"MMD rbf, n={k} d=64",
        lambda: discrepancy.mmd_squared(x[:k], y[:k], bandwidth=width),
        lambda: _median_mmd(x[:k], y[:k], width),
        2,
        rounds,
    )
    compare(f"Frechet, n={n} d=64", lambda: frechet.frechet_distance(x, y), lambda: _sqrtm_frechet(x, y), 1, rounds)


if __name__ == "__main__":
    main()
