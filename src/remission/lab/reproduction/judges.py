"""How one number of a published result is held against a run: every rule in a few lines, and every one can fail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from remission.data import Floats
from remission.errors import SpecError, did_you_mean
from remission.estimate import median_interval
from remission.lab.reading import display_names
from remission.lab.reproduction.rules import OFF, Check, Verdict

ERRORS = 4.0  # standard errors, on either side, of every interval of a mean
JOINT = 2.0  # joint standard errors between a published mean over few runs and ours
BAND = (0.1, 0.9)  # quantiles between which a published single run must lie
FEWEST = 10  # replicates for a band
_FOUR = math.erf(ERRORS / math.sqrt(2))  # the level of an interval of four standard errors
_REDRAWN = 400  # curves drawn again within their errors, for the error of where they are lowest


@dataclass(frozen=True)
class Outcome:
    """A measured number with its interval, and the verdict."""

    measured: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class Measured:
    """What a run measured.

    Attributes:
        values: (point, row) -> (replicates, generations), NaN where nothing is.
        sizes: (replicates, generations) of every point.
        names: of the points; ``settings`` what was swept there.
    """

    values: Mapping[tuple[int, str], Floats]
    sizes: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    settings: tuple[Mapping[str, object], ...]

    def place(self, name: str) -> int:
        """The number of a grid point. Raises SpecError."""
        return point_number(name, self.names, self.settings)

    def of(self, check: Check, point: int, row: str, generation: int | str) -> Floats:
        """The shifted and scaled values of the replicates, (R,)."""
        if (point, row) not in self.values:
            rows = {name for place, name in self.values if place == point}
            raise SpecError(f"check '{check.quantity}': no row '{row}' is measured. {did_you_mean(row, rows)}")
        replicates, generations = self.sizes[point]
        column = self.values[point, row][:replicates, :generations] - check.minus
        if generation == "sum":
            return check.times * column.sum(axis=1)
        return check.times * column[:, (generations if generation == "last" else int(generation)) - 1]


def point_number(name: str, names: tuple[str, ...], settings: tuple[Mapping[str, object], ...]) -> int:
    """Which grid point a name means: its full name, or the short one that reports show. Raises SpecError."""
    if not name and len(names) == 1:
        return 0
    short = display_names(list(names), [dict(one) for one in settings])
    for known in (names, short):
        if list(known).count(name) == 1:
            return list(known).index(name)
    raise SpecError(f"check: no grid point '{name}'. {did_you_mean(name, short)}")


@dataclass(frozen=True)
class _Mean:
    """An estimate, its standard error, and its interval of four of them."""

    value: float
    error: float
    low: float
    high: float


def _terms(check: Check, x: Floats) -> Floats:
    """Numbers whose plain mean is what the scale asks for."""
    if check.scale == "mean-log":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(x)
    if check.scale == "variance":
        return (x - x.mean()) ** 2 * (x.size / max(1, x.size - 1))
    return x


def _plain(value: float, error: float) -> _Mean:
    return _Mean(value, error, value - ERRORS * error, value + ERRORS * error)


def _mean(check: Check, data: Measured, point: int, generation: int | str) -> _Mean:
    x = data.of(check, point, check.row, generation)
    if check.scale == "median":
        found = median_interval(x, _FOUR)
        return _Mean(found.value, (found.high - found.low) / (2 * ERRORS), found.low, found.high)
    z = _terms(check, x)
    value, error = float(z.mean()), _error(z)
    if check.over is None:
        return _plain(value, error)
    base = data.place(check.over.point) if check.over.point else point
    at = check.over.generation or generation
    under = _terms(check, data.of(check, base, check.over.row or check.row, at))
    ratio, size = value / float(under.mean()), abs(float(under.mean()))
    spread = _error(z - ratio * under) if base == point else math.hypot(error, ratio * _error(under))
    return _plain(ratio, spread / size)


def _error(z: Floats) -> float:
    return float(z.std(ddof=1)) / math.sqrt(z.size) if z.size > 1 else math.nan


def _agrees(check: Check, data: Measured) -> Outcome:
    found, expected = _mean(check, data, data.place(check.point), check.generation), _number(check)

    def rejected(value: float) -> bool:
        return abs(found.value - value) > ERRORS * found.error

    verdict: Verdict = "reproduced"
    if not abs(found.value - expected) <= ERRORS * found.error:
        verdict = "differs"
    elif not (rejected((1 - OFF) * expected) and rejected((1 + OFF) * expected)):
        verdict = "no power"
    return Outcome(found.value, found.low, found.high, verdict)


def _within(check: Check, value: float, low: float, high: float) -> Outcome:
    """The interval must lie within the tolerance; one that reaches out of it decides nothing."""
    expected, tolerance = _number(check), check.tolerance or 0.0
    if expected - tolerance <= low and high <= expected + tolerance:
        return Outcome(value, low, high, "reproduced")
    apart = not (low <= expected + tolerance and expected - tolerance <= high)
    return Outcome(value, low, high, "differs" if apart else "no power")


def _near(check: Check, data: Measured) -> Outcome:
    found = _mean(check, data, data.place(check.point), check.generation)
    return _within(check, found.value, found.low, found.high)


def _published(check: Check, data: Measured) -> Outcome:
    found = _mean(check, data, data.place(check.point), check.generation)
    joint = math.hypot(found.error, check.error or 0.0)
    verdict: Verdict = "reproduced" if abs(found.value - _number(check)) <= JOINT * joint else "differs"
    return Outcome(found.value, found.low, found.high, verdict)


def _inside(check: Check, data: Measured) -> Outcome:
    x = data.of(check, data.place(check.point), check.row, check.generation)
    low, middle, high = (float(value) for value in np.quantile(x, (BAND[0], 0.5, BAND[1]), method="inverted_cdf"))
    if x.size < FEWEST:
        return Outcome(middle, low, high, "no power")
    return Outcome(middle, low, high, "reproduced" if low <= _number(check) <= high else "differs")


def _side(check: Check, data: Measured) -> Outcome:
    below, bound, point = check.rule == "below", _number(check), data.place(check.point)
    if check.share is None:
        found = _mean(check, data, point, check.generation)
        value, low, high = found.value, found.low, found.high
    else:
        x = _each(check, data, point)
        reach = check.share if below else 1 - check.share
        edge = float(np.quantile(x, reach, method="inverted_cdf" if below else "higher"))
        value = float(np.median(x))
        low, high = (float(x.min()), edge) if below else (edge, float(x.max()))
    if high < bound if below else low > bound:
        return Outcome(value, low, high, "reproduced")
    open_ = check.share is None and low <= bound <= high
    return Outcome(value, low, high, "no power" if open_ else "differs")


def _each(check: Check, data: Measured, point: int) -> Floats:
    x = data.of(check, point, check.row, check.generation)
    if check.over is None:
        return x
    base = data.place(check.over.point) if check.over.point else point
    return x / data.of(check, base, check.over.row or check.row, check.over.generation or check.generation)


def _order(check: Check, data: Measured) -> Outcome:
    means = [_mean(check, data, data.place(point), check.generation) for point in check.points]
    steps = [
        _plain(later.value - one.value, math.hypot(later.error, one.error)) for one, later in itertools.pairwise(means)
    ]
    least = min(steps, key=lambda step: step.low)
    verdict: Verdict = "reproduced" if least.low > 0 else "differs" if least.high < 0 else "no power"
    return Outcome(least.value, least.low, least.high, verdict)


def _threshold(check: Check, data: Measured) -> Outcome:
    places = [data.place(point) for point in check.points] or list(range(len(data.names)))
    key = _swept(check, data, places)
    places.sort(key=lambda place: float(str(data.settings[place][key])))
    x = np.array([float(str(data.settings[place][key])) for place in places])
    means = [_mean(check, data, place, check.generation) for place in places]
    found = _lowest(x, means) if check.level is None else _crossing(x, means, check.level)
    if found is None:
        return Outcome(math.nan, float(x[0]), float(x[-1]), "differs")
    return _within(check, *found)


def _swept(check: Check, data: Measured, places: list[int]) -> str:
    keys = {key for place in places for key, value in data.settings[place].items()
            if any(data.settings[other].get(key) != value for other in places)}  # fmt: skip
    numbers = [key for key in keys if all(isinstance(data.settings[place][key], (int, float)) for place in places)]
    if len(keys) != 1 or not numbers or len(places) < 2:
        raise SpecError(
            f"check '{check.quantity}': a threshold is sought along one swept number; here {sorted(keys)} change."
        )
    return numbers[0]


def _crossing(x: Floats, means: list[_Mean], level: float) -> tuple[float, float, float] | None:
    """Where the curve crosses a level, between the nearest points that surely lie on either side; None if not once."""
    sides = np.array([-1 if mean.high < level else 1 if mean.low > level else 0 for mean in means])
    sure = np.flatnonzero(sides)
    turns = [(a, b) for a, b in itertools.pairwise(sure) if sides[a] != sides[b]]
    if len(turns) != 1:
        return None
    a, b = turns[0]
    one, other = means[a].value, means[b].value
    return float(x[a] + (x[b] - x[a]) * (level - one) / (other - one)), float(x[a]), float(x[b])


def _lowest(x: Floats, means: list[_Mean]) -> tuple[float, float, float] | None:
    """Where a cubic through the curve is lowest, with its error from curves drawn again; None at an edge."""
    middle, scale = float(x.mean()), float(np.ptp(x)) / 2
    rng = np.random.default_rng(0)
    drawn = np.array([mean.value for mean in means]) + np.array([mean.error for mean in means]) * np.vstack(
        [np.zeros(x.size), rng.standard_normal((_REDRAWN, x.size))]
    )
    grid = np.linspace(-1, 1, 4001)
    fitted = np.polynomial.polynomial.polyfit((x - middle) / scale, drawn.T, 3)
    places = np.polynomial.polynomial.polyval(grid, fitted).argmin(axis=-1)
    if places[0] in (0, grid.size - 1):
        return None
    lows = middle + scale * grid[places]
    best, error = float(lows[0]), float(lows[1:].std())
    return best, best - ERRORS * error, best + ERRORS * error


def _number(check: Check) -> float:
    assert check.expected is not None
    return check.expected


_JUDGES: dict[str, Callable[[Check, Measured], Outcome]] = {
    "agrees": _agrees, "near": _near, "published": _published, "inside": _inside, "below": _side, "above": _side,
    "order": _order, "threshold": _threshold,
}  # fmt: skip


def judge(check: Check, data: Measured) -> Outcome:
    """Hold a run against one number.

    Raises:
        SpecError: the row or the grid point is not there.

    >>> ones = np.array([[0.9], [1.0], [1.1]])
    >>> data = Measured({(0, "x"): ones}, ((3, 1),), ("",), ({},))
    >>> judge(Check(quantity="x", row="x", rule="below", expected=1.5, source="counted"), data).verdict
    'reproduced'
    >>> judge(Check(quantity="x", row="x", rule="agrees", expected=1.0, source="counted"), data).verdict
    'no power'
    """
    return _JUDGES[check.rule](check, data)
