"""The unigram loop on a Zipf law of 50,000 symbols, 20 generations, against rng.choice and bincount."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import argparse
import time

import numpy as np

from remission.data import Dataset, Floats, Space
from remission.interfaces import Sampling
from remission.laws import CategoricalLaw
from remission.models.unigram import Unigram
from remission.rng import Streams


def ours(p: Floats, n: int, generations: int, replicates: int, fast: bool) -> float:
    """Types alive at the end, on the fast path or with every sample made."""
    model, streams = Unigram(), Streams.of(seed=1, replicates=range(replicates))
    state, space = model.state_of(CategoricalLaw(p), replicates), Space("symbols", (), p.size)
    for t in range(1, generations + 1):
        here = streams.at(t, "sample")
        if fast:
            state = model.solve(model.draw_statistics(state, n, 1.0, here, Sampling()))
        else:
            items = model.sample(state, n, here, Sampling())
            state = model.fit(Dataset(space, items, np.zeros(items.shape, np.int32)), here)
    return float((state.p > 0).sum(axis=1).mean())


def peer(p: Floats, n: int, generations: int, replicates: int) -> float:
    """The same with NumPy, replicate by replicate."""
    rng, alive = np.random.default_rng(0), []
    for _ in range(replicates):
        q = p
        for _ in range(generations):
            q = np.bincount(rng.choice(p.size, n, p=q), minlength=p.size) / n
        alive.append((q > 0).sum())
    return float(np.mean(alive))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    p = 1 / (np.arange(50_000) + 2.7)
    p /= p.sum()
    replicates = 2 if quick else 8
    for n in (10_000, 100_000):
        for fast in (True, False):
            ours(p, n, 1, 1, fast)
            best, alive = [np.inf, np.inf], [0.0, 0.0]
            for _ in range(3):
                for which in (0, 1):
                    start = time.perf_counter()
                    alive[which] = ours(p, n, 20, replicates, fast) if which == 0 else peer(p, n, 20, replicates)
                    best[which] = min(best[which], time.perf_counter() - start)
            way = "fast path" if fast else "with samples"
            name = f"V 50000, n {n}, {way} (alive {alive[0]:.0f}, peer {alive[1]:.0f})"
            print(f"{name}  {best[0]:.4f} s  {best[1]:.3f} s  {best[1] / best[0]:.1f}x  (goal -)", flush=True)


if __name__ == "__main__":
    main()
