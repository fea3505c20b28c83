"""What the closed forms say of the long run: each law evaluated far beyond the run, and its end read off."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.estimate import Estimate
from remission.lab.predictions import predictions
from remission.spec import Experiment

if TYPE_CHECKING:
    from remission.lab.long_run.fate import Fate

FURTHER, LEAST, MOST = 8, 512, 4096  # generations: times those run, at least, at most
STILL = 1e-9  # a law that moves by less than this share per doubling has arrived
SLOWING = 0.8  # ratio of the steps of two doublings above which a law does not converge
FAST = 20.0  # relaxation times within the curve that make an approach exponential
STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class End:
    """The end of one law.

    Attributes:
        law, row, scale: its name, the metric row and how replicates are summarised to compare.
        limit: where it ends; infinite when nowhere; NaN when it says nothing.
        exponent: p of b t^p of what it goes on doing; NaN when it converges.
        per_generation: change per generation at the end, for laws that do not converge.
        rate: 1 - r where its steps shrink by the factor r; near 0 for algebraic approach.
        time: mean number of fits until absorbed, where the law knows.
        generations: how far it was evaluated.
        curve: its values for the generations of the run.
    """

    law: str
    row: str
    scale: str
    limit: float
    exponent: float
    per_generation: float
    rate: float
    time: float
    generations: int
    curve: tuple[float, ...] = ()

    def table(self) -> dict[str, Any]:
        """As plain values for JSON; the curve is left to figures."""
        return {key: value for key, value in self.__dict__.items() if key != "curve"}


@dataclass(frozen=True)
class Beside:
    """One number of ours beside the law's: the name, both, and whether they are within 4 standard errors."""

    law: str
    quantity: str
    ours: Estimate
    theory: float
    agrees: bool

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return dict(self.__dict__) | {"ours": self.ours.table()}


def ends(experiment: Experiment, rows: set[str]) -> list[End]:
    """The end of every law that says something of these rows of one grid point; bounds are left out."""
    wanted = min(max(FURTHER * experiment.generations, LEAST), max(MOST, experiment.generations))
    try:
        world = dataclasses.replace(experiment, generations=wanted).world()
    except SpecError:  # a schedule that leaves its range: as far as the file goes
        world = experiment.world()
    found, _ = predictions(world)
    return [
        dataclasses.replace(
            end_of(one.values, one.law, one.metric, one.scale),
            curve=tuple(one.values[: experiment.generations].tolist()),
        )
        for one in found
        if one.metric in rows and one.scale != "bound"
    ]


def end_of(values: Floats, law: str = "", row: str = "", scale: str = "mean") -> End:
    """The end of a curve for t = 1 .. G.

    >>> t = np.arange(1, 1025)
    >>> round(end_of(3 - 2 * 0.9**t).limit, 6), round(end_of(1 + 1 / t).limit, 4), end_of(0.5 * t).exponent
    (3.0, 1.0, 1.0)
    """
    far = np.flatnonzero(np.isfinite(values))
    nowhere = End(law, row, scale, math.nan, math.nan, math.nan, math.nan, math.nan, values.size)
    if far.size < 16:
        return nowhere
    last = int(far[-1]) + 1
    if not np.isfinite(values[[last // 4 - 1, last // 2 - 1]]).all():
        return nowhere
    first, middle, final = (float(values[at - 1]) for at in (last // 4, last // 2, last))
    one, two = middle - first, final - middle
    size = max(abs(final), abs(middle), abs(first))
    rate = _rate(values[:last])
    time = 1.0 + float((values[:last] - 1.0).sum()) if law == "fixation-time" else math.nan
    limit, exponent, speed = final, math.nan, 0.0
    if abs(two) > STILL * size:
        ratio = two / one if one else math.inf
        if ratio >= SLOWING:
            limit, exponent = math.copysign(math.inf, two), min(math.log2(ratio), 64.0)
            speed = two / (last - last // 2)
        elif rate * last > FAST:  # exponential: what is left follows from the last step
            limit = final + (final - float(values[last - 2])) * (1 - rate) / rate
        elif ratio > 0:
            limit = final + two * ratio / (1 - ratio)
    return End(law, row, scale, limit, exponent, speed, rate, time, last)


def _rate(values: Floats) -> float:
    steps = np.diff(values)
    size = np.abs(values).max()
    usable = np.flatnonzero(np.abs(steps) > 1e-7 * size)
    if usable.size < 4:
        return math.nan
    at = usable[(usable >= usable[-1] // 2) & (usable + 1 < steps.size)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(1.0 - np.median(steps[at + 1] / steps[at])) if at.size else math.nan


def beside(fate: Fate, law: End) -> list[Beside]:
    """What can be compared: limits and growth of means, the speed of mean logarithms, times of absorption."""
    out = []
    if math.isfinite(law.time) and fate.absorption is not None:
        out.append(_beside(law, "absorption time", fate.absorption.time, law.time))
    if law.scale == "mean" and fate.of == "mean" and fate.scale == "linear":
        if math.isfinite(law.limit) and math.isfinite(fate.limit.value):
            out.append(_beside(law, "fixed point", fate.limit, law.limit))
        endless, rests = fate.verdict == "incoherent", fate.verdict in ("healthy", "stable-degraded")
        if (endless and math.isfinite(law.limit)) or (rests and math.isinf(law.limit)):
            out.append(Beside(law.law, "fixed point", fate.limit, law.limit, False))
        if math.isfinite(law.exponent) and fate.verdict in ("incoherent", "total-loss") and not fate.absorption:
            out.append(_beside(law, "growth exponent", fate.exponent, law.exponent))
            out.append(_beside(law, "change per generation", fate.rate, law.per_generation))
    if law.scale == "log-mean" and fate.of == "mean" and fate.scale == "log" and math.isfinite(law.exponent):
        out.append(_beside(law, "change of the logarithm per generation", fate.rate, law.per_generation))
    return out


def _beside(law: End, quantity: str, ours: Estimate, theory: float) -> Beside:
    from scipy.special import ndtri

    points = float(ndtri(0.5 + ours.level / 2))
    below, above = (ours.value - ours.low) / points, (ours.high - ours.value) / points
    allowed = STANDARD_ERRORS * (below if theory < ours.value else above)
    near = 1e-9 * max(abs(theory), abs(ours.value))
    return Beside(law.law, quantity, ours, theory, bool(abs(theory - ours.value) <= allowed + near))
