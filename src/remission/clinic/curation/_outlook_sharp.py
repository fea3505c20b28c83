"""Word frequencies that are sampled at a temperature, in training sets without limit: the map of law T1."""

from __future__ import annotations

import math

import numpy as np

from remission.data import Floats
from remission.theory.tipping_point import next_shares

_ROUNDS = 2000  # generations after which a loop that has not settled is not said to
_SETTLED = 1e-9  # largest change of a probability in a generation

LAW, SCALE = "tipping-point", "large-n"


def rows(
    p: Floats, rare: np.typing.NDArray[np.bool_], share: float, generations: int, temperature: float
) -> dict[str, Floats]:
    """Rows over t = 1 .. T of p_1 = p, p_{t+1} = (1 - share) p + share p_t^(1/temperature) / Z.

    ``heterozygosity`` 1 - sum p^2, ``entropy`` in nats, ``max-share`` and ``types.tail``, the probability of the ``rare`` types
    (mask (V,)) over what it was. Sampling noise is left out: n without limit. Source: :mod:`remission.theory.tipping_point`.

    >>> found = rows(np.array([0.5, 0.3, 0.2]), np.array([False, False, True]), 0.9, 3, 0.8)
    >>> found["types.tail"].round(4), found["max-share"].round(4)
    (array([1.    , 0.8754, 0.7501]), array([0.5   , 0.5375, 0.5784]))
    """
    now, seen = p, []
    for _ in range(generations):
        seen.append(_measured(now, p, rare))
        now = next_shares(now, p, 1.0 - share, temperature)
    return {row: np.array([one[row] for one in seen]) for row in seen[0]}


def settled(p: Floats, rare: np.typing.NDArray[np.bool_], share: float, temperature: float) -> dict[str, float]:
    """The same rows where the loop settles; NaN when it does not in many generations."""
    now = p
    for _ in range(_ROUNDS):
        before, now = now, next_shares(now, p, 1.0 - share, temperature)
        if float(np.abs(now - before).max()) < _SETTLED:
            return _measured(now, p, rare)
    return dict.fromkeys(_measured(now, p, rare), math.nan)


def _measured(now: Floats, p: Floats, rare: np.typing.NDArray[np.bool_]) -> dict[str, float]:
    alive = now[now > 0]
    return {
        "heterozygosity": 1.0 - float(now @ now), "entropy": -float(alive @ np.log(alive)), "max-share": float(now.max()),
        "types.tail": float(now[rare].sum() / p[rare].sum()),
    }  # fmt: skip
