"""How much likelier a score is among synthetic items than among human ones, learned from calibration scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remission.data import Floats
from remission.scored import Sample

_LIMIT = 30.0  # of log ratios, so that nothing overflows
_ROUNDS = 50


@dataclass(frozen=True)
class Ratio:
    """The density ratio synthetic : human as exp(slope * score + offset): logistic calibration (Platt, 1999)."""

    slope: float
    offset: float

    def __call__(self, scores: Floats) -> Floats:
        """The ratio at each score."""
        return np.exp(np.clip(self.slope * scores + self.offset, -_LIMIT, _LIMIT))

    def posterior(self, scores: Floats, prior: float = 0.5) -> Floats:
        """The probability of being synthetic when that share ``prior`` of all items is."""
        ratio = self(scores)
        return prior * ratio / (prior * ratio + 1 - prior)


def density_ratio(human: Sample, synthetic: Sample) -> Ratio:
    """Logistic regression on the score, both classes weighing the same, by Newton's method.

    Targets are smoothed as Platt does, so that separated classes leave a finite slope.
    """
    scores = np.concatenate([human.scores, synthetic.scores])
    centre, scale = float(np.median(scores)), float(scores.std()) or 1.0
    x = (scores - centre) / scale
    m0, m1 = len(human), len(synthetic)
    weight = np.concatenate([human.weight / human.weight.sum(), synthetic.weight / synthetic.weight.sum()])
    target = np.concatenate([np.full(m0, 1 / (m0 + 2)), np.full(m1, (m1 + 1) / (m1 + 2))])
    slope, offset = 1.0, 0.0
    loss = np.inf
    step = np.zeros(2)
    for _ in range(_ROUNDS):
        z = slope * x + offset
        new = float(weight @ (np.logaddexp(0, z) - target * z))
        if new > loss + 1e-12:  # too far: half the way back
            step = step / 2
            slope, offset = slope + step[0], offset + step[1]
            continue
        if loss - new < 1e-12:
            break
        loss = new
        p = 1 / (1 + np.exp(-z))
        gradient = np.array([weight @ ((p - target) * x), weight @ (p - target)])
        curve = weight * p * (1 - p)
        hessian = np.array([[curve @ x**2, curve @ x], [curve @ x, curve.sum()]]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - step[0], offset - step[1]
    slope = max(float(slope), 0.0)  # a score that points the wrong way carries nothing
    return Ratio(slope / scale, float(offset) - slope * centre / scale)
