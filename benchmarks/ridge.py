"""The regression loop with new covariates, d = 200, T = 1000, 20 generations, against scikit-learn's Ridge."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.linear_model import Ridge

from benchmarks import _peer
from remission.data import Floats
from remission.interfaces import Sampling
from remission.laws import LinearLaw
from remission.models.linear import Linear
from remission.rng import Streams

BLOCK = 10  # replicates at a time


def ours(model: Linear, law: LinearLaw, n: int, generations: int, replicates: int) -> Floats:
    """Excess risk of every replicate after the loop, by drawn statistics."""
    out = []
    for begin in range(0, replicates, BLOCK):
        streams = Streams.of(seed=1, replicates=range(begin, min(begin + BLOCK, replicates)))
        state = model.state_of(law, len(streams))
        for t in range(1, generations + 1):
            state = model.solve(model.draw_statistics(state, n, 1.0, streams.at(t, "sample"), Sampling()))
        gap = state.coefficients - law.coefficients
        out.append(np.einsum("ra,ab,rb->r", gap, law.cov, gap))
    return np.concatenate(out)


def peer(ridge: float, law: LinearLaw, n: int, generations: int, replicates: int) -> Floats:
    """The same loop with rows and scikit-learn."""
    rng, out, d = np.random.default_rng(0), [], law.coefficients.size
    for _ in range(replicates):
        w = law.coefficients
        for _ in range(generations):
            x = rng.standard_normal((n, d))
            y = x @ w + law.noise * rng.standard_normal(n)
            w = Ridge(alpha=ridge, fit_intercept=False).fit(x, y).coef_
        out.append(((w - law.coefficients) ** 2).sum())
    return np.array(out)


def main(arguments: list[str] | None = None) -> None:
    """Weak, middling and no penalty."""
    quick = _peer.quick(__doc__, arguments)
    d, n, generations, replicates = 200, 1000, 20, 20 if quick else 100
    few = 4 if quick else 10  # replicates of the peer; its time is scaled up linearly
    law = LinearLaw(np.full(d, d**-0.5), 1.0, np.eye(d))
    for ridge, goal in ((1.0, 15), (10.0, 15), (0.0, 15)):
        model = Linear(ridge=ridge, noise=1.0)
        ours(model, law, n, 1, 1)
        timed = _peer.best_of(
            partial(ours, model, law, n, generations, replicates),
            partial(peer, max(ridge, 1e-9), law, n, generations, few),
        )
        _peer.line(
            f"ridge {ridge:g}, d = {d}, n = {n}, {generations} generations, {replicates} replicates",
            timed.ours, timed.peer * replicates / few, goal,
            f"peer of {few} replicates scaled up; excess risk {_peer.agreement(timed.value, timed.peer_value)}",
        )  # fmt: skip


if __name__ == "__main__":
    main()
