"""Metrics beside their peers, one core: W1 (scipy), sliced W2 (POT), PRDC (prdc), MMD and Frechet (scipy, sklearn)."""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from remission.numerics import discrepancy, frechet, neighbours, transport


def _time(function: Callable[[], Any]) -> tuple[float, Any]:
    # processor time: the machine may be shared, and one core is compared with one core
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        value = function()
    return time.process_time() - start, value


def compare(name: str, ours: Callable[[], Any], peer: Callable[[], Any], goal: float, rounds: int) -> None:
    ours()
    times = [(_time(ours), _time(peer)) for _ in range(rounds)]
    fast, slow = (min(pair[side][0] for pair in times) for side in (0, 1))
    np.testing.assert_allclose(times[0][0][1], times[0][1][1], rtol=1e-6)
    print(f"{name:34s} {fast * 1e3:9.2f} ms {slow * 1e3:9.2f} ms {slow / fast:8.1f}x  (goal {goal:g}x)", flush=True)


def _median_mmd(x: np.ndarray, y: np.ndarray, width: float) -> float:
    from sklearn.metrics.pairwise import rbf_kernel

    gamma, n = 0.5 / width**2, len(x)
    kxx, kyy, kxy = rbf_kernel(x, x, gamma), rbf_kernel(y, y, gamma), rbf_kernel(x, y, gamma)
    return float((kxx.sum() - n + kyy.sum() - n) / (n * (n - 1)) - 2 * kxy.mean())


def _sqrtm_frechet(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.linalg import sqrtm

    s, t = np.cov(x.T), np.cov(y.T)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round and smaller sets")
    quick = parser.parse_args().quick
    if hasattr(os, "sched_setaffinity"):  # prdc asks for eight threads whatever the environment says
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import ot
    from prdc import compute_prdc
    from scipy.stats import wasserstein_distance

    rng, rounds = np.random.default_rng(0), 1 if quick else 3
    n, k = (3000, 1500) if quick else (10_000, 4000)
    x, y = rng.normal(size=(n, 64)), 1.1 * rng.normal(size=(n, 64)) + 0.1
    a, b = x[:, 0].copy(), y[:, 0].copy()
    directions = transport.projections(64, 128, rng.normal(size=64 * 128))
    print(f"{'case':34s} {'ours':>12s} {'peer':>12s} {'ratio':>9s}")
    compare(f"W1, n={n}", lambda: transport.wasserstein(a, b), lambda: wasserstein_distance(a, b), 15, rounds)
    compare(
        f"sliced W2, n={n} d=64, 128 proj",
        lambda: transport.sliced_wasserstein(x, y, directions),
        lambda: ot.sliced_wasserstein_distance(x, y, projections=directions),
        15,
        rounds,
    )
    compare(
        f"PRDC, n={k} d=64",
        lambda: list(neighbours.prdc(x[:k], y[:k])),
        lambda: list(compute_prdc(x[:k], y[:k], 5).values()),
        5,
        rounds,
    )
    width = discrepancy.median_bandwidth(y)
    compare(
        f"MMD rbf, n={k} d=64",
        lambda: discrepancy.mmd_squared(x[:k], y[:k], bandwidth=width),
        lambda: _median_mmd(x[:k], y[:k], width),
        1,
        rounds,
    )
    compare(f"Frechet, n={n} d=64", lambda: frechet.frechet_distance(x, y), lambda: _sqrtm_frechet(x, y), 1, rounds)


if __name__ == "__main__":
    main()
