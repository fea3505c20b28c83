"""The Gaussian mixture loop (fit, sample, fit, ...) against scikit-learn, warm-started the same way, one core.

Ours: one block of replicates through ``Gmm.fit`` and ``Gmm.sample``. Peer: for every replicate a ``GaussianMixture`` given
the last weights, means and precisions, no covariance floor, then its ``sample``. Both start from the same mixture and
make the same number of EM steps (or stop at the same tolerance); times are CPU times per replicate and generation, the
best of three interleaved runs. The mean log-determinant of the last sample's covariance must agree.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from benchmarks import _peer
from remission.data import Array, Dataset, Floats, Space
from remission.interfaces import Sampling
from remission.models.gmm import Gmm, Mixture
from remission.rng import Streams

SPACE = Space("vector", (2,))


def beginning(k: int, r: int) -> Mixture:
    """Overlapping components on a circle, the same in every replicate."""
    angle = 2 * np.pi * np.arange(k) / k
    means = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    spread = np.broadcast_to(np.eye(2) * 0.09, (r, k, 2, 2)).copy()
    none, zero = np.zeros(r, np.int64), np.zeros((r, k))
    weights, centres = np.full((r, k), 1 / k), np.broadcast_to(means, (r, k, 2)).copy()
    return Mixture("full", weights, centres, spread, zero, none, none > 0, np.zeros(r), zero > 0)


def spread_of(x: Array) -> Floats:
    """Log-determinant of the covariance of each sample (r, n, 2)."""
    return np.array([np.linalg.slogdet(np.cov(one.T))[1] for one in x])


def ours(model: Gmm, n: int, r: int, generations: int, seed: int) -> tuple[float, Floats]:
    """Seconds per replicate and generation, and the final log-determinants."""
    streams, state = Streams.of(seed, range(r)), beginning(model.components, r)
    begin = time.process_time()
    for t in range(generations):
        items = model.sample(state, n, streams.at(t, "sample"), Sampling())
        data = Dataset(SPACE, items, np.zeros((r, n), np.int32))
        state = model.fit(data, streams.at(t, "fit"), state)
    seconds = time.process_time() - begin
    return seconds / (r * generations), spread_of(model.sample(state, n, streams.at(-1, "sample"), Sampling()))


def peer(model: Gmm, n: int, r: int, generations: int, seed: int) -> tuple[float, Floats]:
    """The same with scikit-learn."""
    from sklearn.mixture import GaussianMixture

    start, last, seconds = beginning(model.components, 1), [], 0.0
    rng = np.random.RandomState(seed)
    for _ in range(r):
        fitted: Any = GaussianMixture(model.components, random_state=rng)
        fitted.weights_, fitted.means_, fitted.covariances_ = start.weights[0], start.means[0], start.spread[0]
        fitted.precisions_ = np.linalg.inv(start.spread[0])
        begin = time.process_time()
        for _t in range(generations):
            x, _ = fitted.sample(n)
            fitted = GaussianMixture(
                model.components, max_iter=model.iterations, tol=model.tolerance, reg_covar=0.0, random_state=rng,
                weights_init=fitted.weights_, means_init=fitted.means_, precisions_init=fitted.precisions_,
            ).fit(x)  # fmt: skip
        seconds += time.process_time() - begin
        last.append(fitted.sample(n)[0])
    return seconds / (r * generations), spread_of(np.array(last))


def compare(n: int, k: int, tolerance: float, goal: int, quick: bool) -> None:
    """Print one line."""
    model = Gmm(components=k, iterations=20 if tolerance == 0 else 100, tolerance=tolerance)
    generations, r, rounds = 5, 20, 1 if quick else 3
    few = 4 if quick else 8
    ours(model, n, r, 1, 0)
    best, slow, mine, theirs = np.inf, np.inf, [], []
    for turn in range(rounds):
        for chunk in range(3):
            seconds, values = ours(model, n, r, generations, 3 * turn + chunk)
            best = min(best, seconds)
            mine.append(values)
        seconds, values = peer(model, n, few, generations, 100 + 10 * goal + n + k + turn)
        slow = min(slow, seconds)
        theirs.append(values)
    a, b = np.concatenate(mine), np.concatenate(theirs)
    rule = "20 steps" if tolerance == 0 else f"tolerance {tolerance:g}"
    _peer.line(f"gmm loop, k = {k}, n = {n}, {rule}", best, slow, goal, f"log-determinant {_peer.agreement(a, b)}")


def main(arguments: list[str] | None = None) -> None:
    """Every case of the goal."""
    quick = _peer.quick(__doc__, arguments)
    warnings.simplefilter("ignore")
    for tolerance, goal in ((0.0, 60), (1e-3, 40)):
        for n in (1_000, 10_000):
            for k in (3, 10):
                compare(n, k, tolerance, goal, quick)


if __name__ == "__main__":
    main()
