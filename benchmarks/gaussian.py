"""The Gaussian replace loop, 10,000 replicates of 100 generations of 100 items, against NumPy, one core.

Ours: the public way, an ``Experiment`` with the metric ``moments`` run block by block as ``execute`` would cut it (for
one worker), both with every sample drawn and on the fast path. Peer: for every replicate and generation
``rng.normal``, ``mean`` and ``std``, nothing measured; it runs a few hundred replicates and its time is scaled up
linearly. The mean final log-variance of both must agree.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import _peer
from remission import Experiment, run
from remission.data import Floats
from remission.engines.local import map_units
from remission.lab.execute import block_size
from remission.metrics.moments import Moments
from remission.models.gaussian import Gaussian
from remission.regimes.replace import Replace
from remission.sources.gaussian import Gaussian as Normal


def experiment(replicates: int, generations: int, fast: bool) -> Experiment:
    """N(0, 1), 100 items per generation."""
    return Experiment(
        source=Normal(), model=Gaussian(), regime=Replace(), metric=(Moments(),), generations=generations,
        replicates=replicates, samples=100, seed=1, fast=fast, examples=0,
    )  # fmt: skip


def ours(wanted: Experiment) -> Floats:
    """The final log-variance of every replicate, one block after the other in this process."""
    size = block_size(wanted, 1)
    blocks = [range(first, min(first + size, wanted.replicates)) for first in range(0, wanted.replicates, size)]
    return np.concatenate([last for _, last in map_units(partial(final, wanted), blocks)])


def final(wanted: Experiment, block: range) -> Floats:
    """The last generation of a block."""
    *_, last = run(wanted, block)
    return last.rows["moments.log-det"]


def peer(replicates: int, generations: int) -> Floats:
    """The same with NumPy, replicate by replicate."""
    rng, last = np.random.default_rng(0), np.empty(replicates)
    for i in range(replicates):
        mean, std = 0.0, 1.0
        for _ in range(generations):
            x = rng.normal(mean, std, 100)
            mean, std = x.mean(), x.std()
        last[i] = 2 * np.log(std)
    return last


def main(arguments: list[str] | None = None) -> None:
    """Plain and fast."""
    quick = _peer.quick(__doc__, arguments)
    replicates, few, generations = 2_000 if quick else 10_000, 200, 100
    for fast, goal in ((False, 20), (True, 250)):
        wanted = experiment(replicates, generations, fast)
        ours(experiment(2, 2, fast))
        timed = _peer.best_of(partial(ours, wanted), partial(peer, few, generations), rounds=1 if quick else 5)
        _peer.line(
            f"Gaussian replace {replicates} x {generations} x 100, {'fast path' if fast else 'plain'}",
            timed.ours, timed.peer * replicates / few, goal,
            f"peer of {few} replicates scaled up; log-variance {_peer.agreement(timed.value, timed.peer_value)}",
        )  # fmt: skip


if __name__ == "__main__":
    main()
