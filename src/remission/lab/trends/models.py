"""The trends a forecast chooses from: a mean with two free numbers, and a noise that is white, reverts, or adds up.

Every cell is a linear Gaussian state space model of a row on some scale z, one step a generation::

    z_t = X_t b + l_t + e_t,   l_{t+1} = f l_t + s_t + u_t,   s_{t+1} = p s_t + w_t

with Var e = r, Var u = q, Var w = v, all times one unknown variance. The two columns of X carry start and drift; what
is not linear (a rate, an exponent, the shares of the variance) is a grid of cells, weighed by their evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.data import Floats

LEVEL, LOG, LOGIT = "level", "log", "logit"
FORGETS = 0.1  # prior odds of noise that does not add up: every generation inherits the errors of the last
REVERTS = 0.1  # a walk that is taken to revert seems to settle just below where it stands (Kendall 1954, Biometrika 41)
MEASURED = ((0.0, 1.0), (0.5, 0.3), (2.0, 0.1), (8.0, 0.03))


@dataclass(frozen=True)
class Cell:
    """One model without free shape: a scale, a basis with its parameter, and the shares of its noise.

    Attributes:
        basis: ``none``, ``linear``, ``exponential`` (parameter: e-folding time in steps), ``power`` (exponent and shift; exponent 0
            is the logarithm) or ``damped`` (damping of the slope per step).
        f, p, q, v, r: as in the module; ``stationary`` starts the reverting noise at its own law instead of zero.
    """

    scale: str
    basis: str
    shape: tuple[float, ...] = ()
    f: float = 0.0
    q: float = 0.0
    r: float = 0.0
    p: float = 0.0
    v: float = 0.0
    stationary: bool = False
    prior: float = 1.0

    def columns(self, steps: Floats) -> Floats:
        """The columns of X at steps since the first observation, shape (K, 2)."""
        if self.basis == "none":
            return np.zeros((len(steps), 2))
        if self.basis == "linear":
            second = steps
        elif self.basis == "exponential":
            second = -np.expm1(-steps / self.shape[0])
        elif self.basis == "damped":
            second = -np.expm1(steps * math.log(self.shape[0]))
        else:
            exponent, shift = self.shape
            ratio = np.log1p(steps / shift)
            second = ratio if exponent == 0 else np.expm1(exponent * ratio) / exponent
        return np.stack([np.ones_like(steps), second], axis=1)


@dataclass(frozen=True)
class Candidate:
    """A family of cells under one name, with its prior odds."""

    name: str
    cells: tuple[Cell, ...]
    odds: float = 1.0

    @property
    def scale(self) -> str:
        """Of all its cells."""
        return self.cells[0].scale


def _around(scale: str, basis: str, *shapes: tuple[float, ...]) -> list[Cell]:
    """A trend with noise that does not add up: white, or with a short memory."""
    return [
        Cell(scale, basis, shape, f=f, q=q, r=r, stationary=True, prior=FORGETS)
        for shape in shapes
        for f, q, r in ((0.0, 0.0, 1.0), (0.5, 0.75, 0.0), (0.8, 0.36, 0.0), (0.8, 0.18, 0.5))
    ]


def _walking(scale: str, basis: str, *shapes: tuple[float, ...]) -> list[Cell]:
    """A trend with noise that adds up, measured exactly or not."""
    return [Cell(scale, basis, shape, f=1.0, q=1.0, r=r, prior=prior) for shape in shapes for r, prior in MEASURED]


def _reverting(scale: str, times: list[float]) -> list[Cell]:
    """An exponential approach whose noise is forgotten at the very rate of the approach."""
    return [
        Cell(scale, "exponential", (time,), f=math.exp(-1 / time), q=1.0, r=r) for time in times for r in (0.0, 1.0)
    ]


def _damped(scale: str, longest: int) -> list[Cell]:
    noises = (
        (1, 0.0, 0.0),
        (1, 0.05, 0.0),
        (1, 0.3, 0.0),
        (0, 1.0, 0.0),
        (0, 1.0, 5.0),
        (0, 1.0, 50.0),
        (1, 0.05, 2.0),
    )
    dampings = sorted({0.8, 0.9, 0.97, 1 - 1 / max(8, longest)})
    return [Cell(scale, "damped", (p,), f=1.0, q=q, v=v, r=r, p=p) for p in dampings for q, v, r in noises]


def candidates(steps: int, first: float, positive: bool, share: bool) -> list[Candidate]:
    """The candidates for a row.

    Args:
        steps: from the first observation to the last.
        first: generation of the first observation, in steps, at least 0.
        positive: all values are above 0.
        share: all values lie between 0 and 1, both excluded.
    """
    times = [float(time) for time in (1.5, 3, 6, 12, 25, 50, 100, 200, 400) if time <= max(6, 2 * steps)]
    shifts = sorted({1.0, 2.0, 5.0, 12.0, max(1.0, first)})
    powers = [(exponent, shift) for exponent in (-2.0, -1.0, -0.5, 0.0, 0.5) for shift in shifts]
    logs = [(0.0, shift) for shift in (*shifts, 30.0)]
    ends = [(time,) for time in times]
    found = [
        Candidate("linear", tuple(_around(LEVEL, "linear", ())), FORGETS),
        Candidate("random walk with drift", tuple(_walking(LEVEL, "linear", ()))),
        Candidate(
            "exponential to a floor", tuple(_around(LEVEL, "exponential", *ends) + _reverting(LEVEL, times)), REVERTS
        ),
        Candidate("power law to a floor", tuple(_around(LEVEL, "power", *powers) + _walking(LEVEL, "power", *powers))),
        Candidate("damped trend", tuple(_damped(LEVEL, steps))),
    ]
    if positive:
        found += [
            Candidate("log-linear", tuple(_around(LOG, "linear", ())), FORGETS),
            Candidate("random walk with drift of the log", tuple(_walking(LOG, "linear", ()))),
            Candidate("power law", tuple(_around(LOG, "power", *logs) + _walking(LOG, "power", *logs))),
            Candidate(
                "exponential of the log", tuple(_around(LOG, "exponential", *ends) + _reverting(LOG, times)), REVERTS
            ),
            Candidate("damped trend of the log", tuple(_damped(LOG, steps))),
        ]
    if share:
        found.append(Candidate("logistic", tuple(_around(LOGIT, "linear", ()) + _walking(LOGIT, "linear", ()))))
    return found


def onto(scale: str, values: Floats) -> Floats:
    """Values on a scale."""
    if scale == LEVEL:
        return values
    return np.log(values) if scale == LOG else np.log(values) - np.log1p(-values)


def back(scale: str, values: Floats) -> Floats:
    """Values from a scale; overflow becomes infinity."""
    if scale == LEVEL:
        return values
    if scale == LOG:
        return np.exp(np.minimum(values, 700.0))
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def stretch(scale: str, values: Floats) -> Floats:
    """Ln of the derivative of the scale at values: what makes densities on different scales comparable."""
    if scale == LEVEL:
        return np.zeros_like(values)
    return -np.log(values) if scale == LOG else -np.log(values) - np.log1p(-values)


def noises(scale: str) -> list[Cell]:
    """Noise about a law that is known: it adds up, or reverts, or is white."""
    walks = [Cell(scale, "none", f=1.0, q=1.0, r=r, prior=prior) for r, prior in MEASURED]
    return [*walks, Cell(scale, "none", f=0.9, q=1.0), Cell(scale, "none", f=0.7, q=1.0), Cell(scale, "none", r=1.0)]
