"""One pass of Kalman filters over a row, for all cells at once: what every earlier origin knew falls out on the way.

The filter whitens the columns of X and the row alike (the gain does not depend on the data), so that the regression
coefficients and the variance have their exact posterior under a flat prior at every prefix: normal given the variance,
scaled inverse chi-square. The evidence of a cell is the restricted likelihood, which is the product of its densities of
the next value given those before: a rolling origin at a horizon of one.

Source: de Jong (1991), The diffuse Kalman filter, Annals of Statistics 19, for the augmented filter; Harville (1974),
Biometrika 61, for the restricted likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from remission.data import Floats, Integers
from remission.lab.trends.models import LEVEL, LOG, Cell, onto, stretch

TINY = 1e-9  # of the spread of a row: the standard deviation below which noise is rounding


@dataclass(frozen=True, eq=False)
class Known:
    """What all cells know after a prefix of a row.

    Attributes:
        step: of the last observation, counted from the first.
        n: observations so far.
        coefficients: (C, 2); ``root`` with root root' = covariance of the coefficients over the variance, (C, 2, 2).
        square: residual sum of squares over ``dof``, the posterior of the variance, (C,).
        evidence: natural log, (C,), comparable between scales.
        offset: taken off z before the filter, for the sake of rounding, (C,).
        state, slope: mean of (l, s) one step ahead for the row (C, 2) and for each column (C, 2, 2).
        spread: root of their covariance, (C, 2, 2).
    """

    step: int
    n: int
    coefficients: Floats
    root: Floats
    square: Floats
    dof: float
    evidence: Floats
    offset: Floats
    state: Floats
    slope: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class Row:
    """A row to be forecast.

    Attributes:
        steps: whole numbers from 0, ascending, shape (m,).
        values: (m,).
        error: relative size of the measurement errors, mean square 1, (m,).
        others: replicates that the row summarises, (R, m), or None; the variance of the row's noise is ``ratio`` times
            that of theirs.
        mean: the row is their mean, else their median.
        free: a trend is fitted; else the row is what is left beside a law, on the scale on which noise is even.
    """

    steps: Integers
    values: Floats
    error: Floats
    others: Floats | None = None
    ratio: float = 1.0
    mean: bool = False
    free: bool = True


def known_at(row: Row, cells: Sequence[Cell], origins: Sequence[int]) -> list[Known]:
    """What is known after the first ``origins`` observations each (ascending, each at least 4)."""
    pass_ = _Pass(row, cells)
    wanted, found = set(origins), []
    here = dict(zip(row.steps.tolist(), range(row.steps.size), strict=True))
    for step in range(int(row.steps[max(wanted) - 1]) + 1):
        index = here.get(step)
        if index is not None:
            pass_.update(index)
        pass_.predict()
        if index is not None and index + 1 in wanted:
            found.append(pass_.known(index + 1))
    return found


class _Pass:
    """The running sums of one pass."""

    def __init__(self, row: Row, cells: Sequence[Cell]) -> None:
        self.row = row
        steps = row.steps.astype(np.float64)
        scales = sorted({cell.scale for cell in cells})
        which = np.array([scales.index(cell.scale) for cell in cells])
        z = np.stack([onto(scale, row.values) for scale in scales])
        self.offset = z[which, 0] if row.free else np.zeros(len(cells))
        self.jacobian = np.stack([np.cumsum(stretch(scale, row.values)) for scale in scales])[which]
        columns = np.stack([cell.columns(steps) for cell in cells])  # (C, m, 2)
        self.data = np.concatenate([columns, (z[which] - self.offset[:, None])[:, :, None]], axis=2)
        if row.others is not None:
            beside = np.stack([_beside(row, row.others, scale) for scale in scales])
            self.data = np.concatenate([self.data, beside[which].transpose(0, 2, 1)], axis=2)
        spread = np.array([np.ptp(one) + TINY * np.abs(one).max() for one in z])[which]
        quantum = quantum_of(row.values) * np.exp(np.stack([stretch(scale, row.values).min() for scale in scales]))
        self.floor = (TINY * spread) ** 2 + quantum[which] ** 2 / 12 + np.finfo(float).tiny
        f, p, q, v, r = (np.array([getattr(cell, name) for cell in cells]) for name in "fpqvr")
        self.f, self.p, self.q, self.v, self.r = f, p, q, v, r
        self.prior = np.log([cell.prior for cell in cells])
        self.a = np.zeros((len(cells), 2, self.data.shape[2]))
        self.P = np.zeros((len(cells), 2, 2))
        still = np.array([cell.stationary for cell in cells])
        self.P[:, 0, 0] = np.where(still, q / np.maximum(1 - f * f, 1e-12), 0.0 if row.free else q)
        self.cross = np.zeros((len(cells), 3, 3))
        self.others = np.zeros(len(cells))
        self.beside = np.zeros((len(cells), 2, self.data.shape[2] - 3))
        self.log_f = np.zeros(len(cells))
        self.plain = np.zeros((len(cells), 2, 2))

    def update(self, index: int) -> None:
        """Take in observation ``index``."""
        gap = self.data[:, index] - self.a[:, 0]
        size = self.P[:, 0, 0] + self.r * self.row.error[index] ** 2
        first = size <= 1e-12  # a walk that starts at zero: its first value is all start
        size = np.where(first, 1e-6, size)
        white = gap / np.sqrt(size)[:, None]
        self.cross += white[:, :3, None] * white[:, None, :3]
        self.others += (white[:, 3:] ** 2).sum(axis=1)
        self.beside += white[:, :2, None] * white[:, None, 3:]
        self.log_f += np.log(size)
        x = self.data[:, index, :2]
        self.plain += x[:, :, None] * x[:, None, :]
        gain = self.P[:, :, 0] / size[:, None]
        self.a += gain[:, :, None] * gap[:, None, :]
        self.P -= gain[:, :, None] * self.P[:, None, 0, :]

    def predict(self) -> None:
        """One step on."""
        f, p, P = self.f, self.p, self.P
        level = f[:, None] * self.a[:, 0] + self.a[:, 1]
        self.a = np.stack([level, p[:, None] * self.a[:, 1]], axis=1)
        mixed = p * (f * P[:, 0, 1] + P[:, 1, 1])
        new = np.empty_like(P)
        new[:, 0, 0] = f * f * P[:, 0, 0] + 2 * f * P[:, 0, 1] + P[:, 1, 1] + self.q
        new[:, 0, 1] = new[:, 1, 0] = mixed
        new[:, 1, 1] = p * p * P[:, 1, 1] + self.v
        self.P = new

    def known(self, n: int) -> Known:
        """The posterior so far."""
        xx, xy, yy = self.cross[:, :2, :2], self.cross[:, :2, 2], self.cross[:, 2, 2]
        if self.row.free:
            inverse = np.asarray(np.linalg.inv(xx), np.float64)
            coefficients = np.einsum("cij,cj->ci", inverse, xy)
            yy = yy - np.einsum("ci,ci->c", coefficients, xy)
            shape = _log_det(xx) - _log_det(self.plain)
        else:
            inverse, coefficients, shape = np.zeros(xx.shape), np.zeros_like(xy), np.zeros(len(xx))
        square = np.maximum(yy, 0.0) + n * self.floor
        dof, times = float(n - 2 if self.row.free else n), 1.0
        if self.row.others is not None:  # each replicate has a start and a drift of its own, as the row has
            rows = len(self.row.others) - 1
            weight = min(1.0, 2.0 * n / (rows * dof))  # they inform the noise, but must not outvote the row's own fit
            alone = self.others - np.einsum("cir,cij,cjr->c", self.beside, inverse, self.beside)
            square = square + weight * np.maximum(alone, 0.0) * self.row.ratio
            dof, times = dof * (1 + weight * rows), 1 + weight * rows
        spent = self.jacobian[:, 1] if self.row.free else 0.0  # two values fix the trend and say nothing for a scale
        evidence = times * (self.jacobian[:, n - 1] - spent - 0.5 * (self.log_f + shape)) - 0.5 * dof * np.log(square)
        evidence = evidence + self.prior
        return Known(
            int(self.row.steps[n - 1]), n, coefficients, _root(inverse), square, dof, evidence, self.offset,
            self.a[:, :, 2].copy(), self.a[:, :, :2].copy(), _root(self.P),
        )  # fmt: skip


def _beside(row: Row, others: Floats, scale: str) -> Floats:
    """How far replicates lie from the row on a scale, (R, m); to first order where that is all that can be had."""
    usable = scale == LEVEL or bool((others > 0).all() and (scale == LOG or (others < 1).all()))
    if usable and not row.mean:
        return np.asarray(onto(scale, others) - onto(scale, row.values))
    return np.asarray((others - row.values) * np.exp(stretch(scale, row.values)))


def _log_det(matrices: Floats) -> Floats:
    return np.log(np.maximum(np.linalg.det(matrices), 1e-300))


def _root(matrices: Floats) -> Floats:
    """Lower roots of 2 x 2 positive semi-definite matrices, (C, 2, 2)."""
    out = np.zeros_like(matrices)
    out[:, 0, 0] = np.sqrt(np.maximum(matrices[:, 0, 0], 0.0))
    safe = np.maximum(out[:, 0, 0], 1e-150)
    out[:, 1, 0] = np.where(out[:, 0, 0] > 0, matrices[:, 1, 0] / safe, 0.0)
    out[:, 1, 1] = np.sqrt(np.maximum(matrices[:, 1, 1] - out[:, 1, 0] ** 2, 0.0))
    return out


def simulate(known: Known, cells: Sequence[Cell], chosen: Integers, horizon: int, rng: np.random.Generator) -> Floats:
    """Paths of z on the scale of each path's cell, steps 1 .. horizon ahead, shape (N, horizon).

    Args:
        known: at the origin.
        cells: the same as were filtered.
        chosen: the cell of each path, (N,).
        horizon: steps.
        rng: of the paths.
    """
    used, place = np.unique(chosen, return_inverse=True)
    steps = known.step + np.arange(1, horizon + 1, dtype=np.float64)
    columns = np.stack([cells[c].columns(steps) for c in used])[place]  # (N, H, 2)
    f, p, q, v, r = (np.array([getattr(cells[c], name) for c in used])[place] for name in "fpqvr")
    sigma = np.sqrt(known.square[chosen] / rng.chisquare(known.dof, chosen.size))
    jolt = sigma[:, None] * np.einsum("nij,nj->ni", known.root[chosen], rng.standard_normal((chosen.size, 2)))
    b = known.coefficients[chosen] + jolt
    state = known.state[chosen] - np.einsum("nij,nj->ni", known.slope[chosen], b)
    state += sigma[:, None] * np.einsum("nij,nj->ni", known.spread[chosen], rng.standard_normal((chosen.size, 2)))
    level, slope = state[:, 0], state[:, 1]
    latent = np.empty((horizon, chosen.size))
    noise = rng.standard_normal((horizon, 3, chosen.size)) * (sigma * np.sqrt(np.stack([q, v, r])))
    for h in range(horizon):
        latent[h] = level + noise[h, 2]
        level, slope = f * level + slope + noise[h, 0], p * slope + noise[h, 1]
    return np.asarray(np.einsum("nhi,ni->nh", columns, b) + latent.T + known.offset[chosen, None])


def quantum_of(values: Floats) -> float:
    """The unit of a row that counts, such as types alive; 0 when there is none.

    >>> quantum_of(np.array([21.0, 17, 16, 16, 13])), quantum_of(np.array([0.31, 0.2, 0.17]))
    (1.0, 0.0)
    """
    if (values == np.round(values)).all():
        return 1.0
    gaps = np.abs(np.diff(values))
    if gaps.all():  # a row that counts stands still at times
        return 0.0
    unit = float(gaps[gaps > 0].min(initial=math.inf))
    whole = gaps / unit
    return unit if math.isfinite(unit) and (np.abs(whole - np.round(whole)) < 1e-6).all() else 0.0
