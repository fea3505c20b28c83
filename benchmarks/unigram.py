"""The unigram loop on a Zipf law of 50,000 symbols, 20 generations, against rng.choice and bincount."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import _peer
from remission.data import Dataset, Floats, Space
from remission.interfaces import Sampling
from remission.laws import CategoricalLaw
from remission.models.unigram import Unigram
from remission.rng import Streams

BLOCK = 4  # replicates side by side, as the run command would take them


def ours(p: Floats, n: int, generations: int, replicates: int, fast: bool) -> Floats:
    """Types alive at the end of every replicate, on the fast path or with every sample made."""
    blocks = [range(first, min(first + BLOCK, replicates)) for first in range(0, replicates, BLOCK)]
    return np.concatenate([block_of(p, n, generations, block, fast) for block in blocks])


def block_of(p: Floats, n: int, generations: int, block: range, fast: bool) -> Floats:
    """The replicates that run side by side."""
    model, streams, replicates = Unigram(), Streams.of(seed=1, replicates=block), len(block)
    state, space = model.state_of(CategoricalLaw(p), replicates), Space("symbols", (), p.size)
    for t in range(1, generations + 1):
        here = streams.at(t, "sample")
        if fast:
            state = model.solve(model.draw_statistics(state, n, 1.0, here, Sampling()))
        else:
            items = model.sample(state, n, here, Sampling())
            state = model.fit(Dataset(space, items, np.zeros(items.shape, np.int32)), here)
    return np.count_nonzero(state.p, axis=1).astype(float)


def peer(p: Floats, n: int, generations: int, replicates: int) -> Floats:
    """The same with NumPy, replicate by replicate."""
    rng, alive = np.random.default_rng(0), []
    for _ in range(replicates):
        q = p
        for _ in range(generations):
            q = np.bincount(rng.choice(p.size, n, p=q), minlength=p.size) / n
        alive.append((q > 0).sum())
    return np.array(alive, float)


def main(arguments: list[str] | None = None) -> None:
    """Small and large samples, on both paths."""
    quick = _peer.quick(__doc__, arguments)
    p = 1 / (np.arange(50_000) + 2.7)
    p /= p.sum()
    replicates = 4 if quick else 16
    for n in (10_000, 100_000):
        for fast in (True, False):
            ours(p, n, 1, 1, fast)
            timed = _peer.best_of(
                partial(ours, p, n, 20, replicates, fast),
                partial(peer, p, n, 20, replicates),
            )
            _peer.line(
                f"unigram loop, V = 50000, n = {n}, 20 generations, {'fast path' if fast else 'plain'}",
                timed.ours, timed.peer, None, f"types alive {_peer.agreement(timed.value, timed.peer_value)}",
            )  # fmt: skip


if __name__ == "__main__":
    main()
