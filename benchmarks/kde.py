"""The one-dimensional kernel density loop (fit, sample, fit, ...) against scikit-learn's KernelDensity, one core.

n = 1,000 items, 50 generations, 50 replicates, bandwidth 0.3. Ours: one block through ``Kde.fit`` and ``Kde.sample``.
Peer: for every replicate and generation ``KernelDensity(bandwidth=0.3).fit(x)`` and its ``sample``, nothing else. CPU
times per replicate and generation, the best of three interleaved runs; a second line compares the exact log-density of
10,000 points under 10,000 items. The mean final log-variance must agree.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks import _peer
from remission.data import Dataset, Floats, Space
from remission.interfaces import Sampling
from remission.models.kde import Kde
from remission.rng import Streams

SPACE, N, H = Space("vector", (1,)), 1_000, 0.3


def ours(r: int, generations: int, seed: int) -> tuple[float, Floats]:
    """Seconds per replicate and generation, and the final log-variances."""
    model, streams = Kde(bandwidth=H), Streams.of(seed, range(r))
    items = streams.at(0, "source").normals(N)[:, :, None]
    begin = time.process_time()
    for t in range(1, generations + 1):
        state = model.fit(Dataset(SPACE, items, np.zeros((r, N), np.int32)), streams.at(t, "fit"))
        items = model.sample(state, N, streams.at(t, "sample"), Sampling())
    return (time.process_time() - begin) / (r * generations), np.log(items[:, :, 0].var(axis=1))


def peer(r: int, generations: int, seed: int) -> tuple[float, Floats]:
    """The same with scikit-learn."""
    from sklearn.neighbors import KernelDensity

    rng, final, seconds = np.random.RandomState(seed), np.empty(r), 0.0
    for i in range(r):
        x = rng.normal(size=(N, 1))
        begin = time.process_time()
        for _ in range(generations):
            x = KernelDensity(bandwidth=H).fit(x).sample(N, random_state=rng)
        seconds += time.process_time() - begin
        final[i] = np.log(x.var())
    return seconds / (r * generations), final


def density(m: int) -> tuple[float, float, float]:
    """Seconds of ours and of the peer, and the largest difference."""
    from sklearn.neighbors import KernelDensity

    rng, model = np.random.default_rng(0), Kde(bandwidth=H)
    x, q = rng.normal(size=(1, m, 1)), rng.normal(size=(1, m, 1))
    state = model.fit(Dataset(SPACE, x, np.zeros((1, m), np.int32)), Streams.of(0, [0]))
    begin = time.process_time()
    mine = model.log_density(state, q)[0]
    middle = time.process_time()
    theirs = KernelDensity(bandwidth=H).fit(x[0]).score_samples(q[0])
    return middle - begin, time.process_time() - middle, float(np.abs(mine - theirs).max())


def main(arguments: list[str] | None = None) -> None:
    """Loop and density."""
    quick = _peer.quick(__doc__, arguments)
    ours(2, 2, 0)
    best, slow, mine, theirs = np.inf, np.inf, [], []
    for turn in range(1 if quick else 3):
        for chunk in range(3):
            seconds, values = ours(50, 50, 3 * turn + chunk)
            best = min(best, seconds)
            mine.append(values)
        seconds, values = peer(10 if quick else 50, 50, turn)
        slow = min(slow, seconds)
        theirs.append(values)
    a, b = np.concatenate(mine), np.concatenate(theirs)
    _peer.line(f"kde loop, n = {N}, per fit and sample", best, slow, 60, f"log-variance {_peer.agreement(a, b)}")
    density(100)
    m = 2_000 if quick else 10_000
    runs = [density(m) for _ in range(2)]
    one, other = min(run[0] for run in runs), min(run[1] for run in runs)
    worst = max(run[2] for run in runs)
    _peer.line(f"kde log-density, {m} items at {m} points", one, other, None, f"largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
