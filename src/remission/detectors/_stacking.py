"""One score from several: a logistic mixture without negative weights, fitted to cross-fitted scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Floats

RIDGE = 0.003


def mixed(scores: Floats, weights: Floats) -> Floats:
    """The mixture of scorers (n, k) as logits (n,); a row at a time, so that it does not depend on other rows."""
    return np.einsum("ij,j->i", scores, weights[:-1]) + weights[-1]


def mixture(
    scores: Floats, synthetic: npt.NDArray[np.bool_], weight: Floats, folds: list[tuple[int, int, str]], count: int
) -> Floats:
    """Weights (k,) and a constant (last) of scorers (n, k); no weight is negative.

    A scorer that is right on its own must not be turned round because another is more right: that is what breaks
    first on a new domain. Equal standardised weights are the prior, a weak one. Each kind of fold (what was held out)
    weighs the same, and each fold has a constant of its own: a domain or generator that was not seen shifts a score as a
    whole, which says nothing about how well it tells texts apart, and would count against the scorers that tell them
    apart best. The constant of the mixture is the mean over kinds of the mean over their folds.

    Args:
        scores: (n, k), of items the scorers were not fitted on.
        synthetic: (n,).
        weight: (n,) of each item.
        folds: (first row, row after the last, what was held out).
        count: k; with no item at all the first scorer stands alone.
    """
    from scipy.optimize import minimize

    if not folds:
        return np.eye(1, count + 1)[0]
    kinds = [what for _, _, what in folds]
    mine = np.zeros((len(scores), len(folds)))
    for number, (low, high, _) in enumerate(folds):
        mine[low:high, number] = 1.0
    alike = np.array([[one == other for other in kinds] for one in kinds], dtype=float)
    share = weight * (mine @ (1.0 / (alike @ (mine.T @ weight)))) / len(set(kinds))
    middle, spread = scores.mean(axis=0), scores.std(axis=0) + 1e-12
    sides = np.where(synthetic, 1.0, -1.0)
    standard = np.column_stack([(scores - middle) / spread, mine])
    prior = np.append(np.full(count, 1.0 / count), np.zeros(len(folds)))
    held = np.append(np.full(count, RIDGE), np.zeros(len(folds)))

    def loss(free: Floats) -> tuple[float, Floats]:
        margin, away = sides * (standard @ free), free - prior
        slope = -(standard.T @ (share * sides / (1.0 + np.exp(np.clip(margin, -500, 500)))))
        return float(share @ np.logaddexp(0.0, -margin) + held @ away**2 / 2), slope + held * away

    bounds = [(0.0, None)] * count + [(None, None)] * len(folds)
    found = minimize(loss, prior, jac=True, bounds=bounds, method="L-BFGS-B").x
    slopes = found[:count] / spread
    constant = found[count:] @ (1.0 / alike.sum(axis=1)) / len(set(kinds))
    return np.append(slopes, constant - slopes @ middle)


def separation(scores: Floats, synthetic: npt.NDArray[np.bool_]) -> float:
    """AUROC: the chance that a synthetic item scores above a human one, ties half. 0.5 where a class is missing."""
    from scipy.stats import rankdata

    many = int(synthetic.sum())
    other = synthetic.size - many
    if many == 0 or other == 0:
        return 0.5
    return float((rankdata(scores)[synthetic].sum() - many * (many + 1) / 2) / (many * other))
