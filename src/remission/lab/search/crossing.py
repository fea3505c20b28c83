"""Where the expectation of a noisy reading crosses zero as a parameter moves: sequential bracketing, then a local fit.

First the two ends are told apart, then halves, with more replicates wherever a sign is undecided. When halving stops to
help, new replicates are spread around the crossing and a local polynomial is fitted to them alone, because those that
were stopped at a decision are biased by it. The interval is Fieller's: all places whose fitted value cannot be told from zero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.numerics.local_root import Fit, fit_root

Method = Literal["bracket", "fit"]
Draw = Callable[
    [Sequence[tuple[float, int]]], list[Floats]
]  # (parameter, replicates) -> readings, at least so many of each

FIRST = 12  # replicates of a first look: all on one side is p = 0.0005
DECIDED = 0.002  # two-sided p of a sign
_INNER = 5  # points of the first, even look at the whole range
_DESIGN = 8  # points of the local fit; even, so that none is a place where halving stopped
_MOST = 8  # a sign is given up after so many times FIRST replicates


class SeveralCrossings(SpecError):  # noqa: N818
    """The line is crossed more than once within the range."""


class Undecided(SpecError):  # noqa: N818
    """At an end of the range it cannot be told whether the line is kept.

    Attributes:
        end: which value of the parameter; told: what was seen there; needed: about how many replicates would decide it.
    """

    def __init__(self, message: str, end: float, told: str, needed: int) -> None:
        super().__init__(message)
        self.end, self.told, self.needed = end, told, needed


class NotBracketed(SpecError):  # noqa: N818
    """The line is kept at both ends of the range, or at neither.

    Attributes:
        kept: at both.
    """

    def __init__(self, message: str, kept: bool) -> None:
        super().__init__(message)
        self.kept = kept


@dataclass(frozen=True)
class Rule:
    """What is crossed: healthy margins of zero, on the mean or by a share of the replicates.

    Attributes:
        share: cross where this share of the replicates keeps the line (1/2: the median); None for the mean.
    """

    share: float | None

    def signs(self, margins: Floats) -> Floats:
        """Readings whose expectation is to cross zero."""
        return margins if self.share is None else np.asarray((margins >= 0) - self.share, np.float64)

    def p_value(self, margins: Floats) -> float:
        """Two-sided p of an expectation of zero."""
        from scipy.special import bdtr, bdtrc, stdtr

        n = margins.size
        if self.share is not None:
            kept = int((margins >= 0).sum())
            below, above = bdtr(kept, n, self.share), bdtrc(kept - 1, n, self.share) if kept else 1.0
            return float(min(1.0, 2 * min(below, above)))
        if not np.isfinite(margins).all():
            return 1.0
        spread = float(margins.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
        centre = float(margins.mean())
        if spread == 0.0:
            return 1.0 if centre == 0.0 else 0.0
        return float(2 * stdtr(n - 1, -abs(centre) / spread))


@dataclass(frozen=True)
class Crossing:
    """Where it crosses.

    Attributes:
        value: best guess; low, high: interval at ``level``.
        rising: healthy above the crossing, collapsed below.
        method: ``bracket``: a sign on both sides and nothing undecided between; ``fit``: of a local fit.
        settled: the interval is as narrow as was asked.
        window: the range of the parameter that the local fit looked at (the bracket, without one).
    """

    value: float
    low: float
    high: float
    level: float
    rising: bool
    method: Method
    settled: bool
    window: tuple[float, float]


@dataclass
class Axis:
    """The range of the parameter as 0 .. 1."""

    low: float
    high: float
    whole: bool = False
    log: bool = False

    def at(self, u: float) -> float:
        """The parameter at u."""
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        return float(round(value)) if self.whole else value

    def of(self, value: float) -> float:
        """Where the parameter lies."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass
class Search:
    """A search for one crossing.

    Attributes:
        draw: readings on the scale of healthy margins.
        tolerance: the width of the interval that is wanted, as a share of the range.
        budget: replicates in all.
    """

    draw: Draw
    rule: Rule
    axis: Axis
    level: float = 0.95
    tolerance: float = 0.02
    budget: int = 2000
    spent: dict[float, int] = field(default_factory=dict)

    def margins(self, u: float, count: int) -> Floats:
        """At least ``count`` margins at u."""
        return self.all([u], count)[0]

    def all(self, places: Sequence[float], count: int) -> list[Floats]:
        """At least ``count`` margins at each place."""
        found = self.draw([(self.axis.at(u), count) for u in places])
        for u, values in zip(places, found, strict=True):
            self.spent[self.axis.at(u)] = max(self.spent.get(self.axis.at(u), 0), values.size)
        return found

    @property
    def first(self) -> int:
        """Replicates of a first look."""
        return first_look(self.rule)

    @property
    def left(self) -> int:
        """Replicates that may still be made."""
        return self.budget - sum(self.spent.values())

    def sign(self, u: float, most: int = _MOST) -> int:
        """-1 or 1 where the sign is decided, 0 where it is not within ``most`` looks."""
        count, last = self.first, most * self.first
        while True:
            margins = self.margins(u, count)
            if self.rule.p_value(margins) <= DECIDED:
                return 1 if self.rule.signs(margins).mean() > 0 else -1
            if count >= last or self.left < count:
                return 0
            count *= 2

    def run(self) -> Crossing:
        """Find it. Raises SpecError when the range does not bracket one crossing."""
        least = (2 + _INNER + _DESIGN) * self.first
        if self.budget < least:
            raise SpecError(
                f"A budget of {self.budget} replicates is too small: a first look and one fit take {least}. Allow at least that."
            )
        low, high, first = self._bracket()
        while self.axis.at(low) != self.axis.at(high):
            width = abs(self.axis.at(high) - self.axis.at(low))
            if high - low <= self.tolerance or (self.axis.whole and width <= 1):
                return self._bracketed(low, high, first)
            middle = (low + high) / 2
            sign = self.sign(middle)
            if sign == 0:
                return (
                    self._fitted(low, high, first) if self.left > _DESIGN * self.first else self._open(low, high, first)
                )
            low, high = (middle, high) if sign == first else (low, middle)
        return self._bracketed(low, high, first)

    def _bracket(self) -> tuple[float, float, int]:
        """The two neighbouring decided places of the first look between which the sign changes, and the sign below."""
        most = max(_MOST, self.budget // (8 * self.first))  # without ends there is no answer: they may cost a quarter
        first, last = self.sign(0.0, most), self.sign(1.0, most)
        self._check_ends(first, last)
        inner = [k / (_INNER + 1) for k in range(1, _INNER + 1)]
        self.all(inner, self.first)
        signs = [(0.0, first), *((u, self.sign(u, most=1)) for u in inner), (1.0, last)]
        decided = [(u, sign) for u, sign in signs if sign]
        changes = [(a[0], b[0]) for a, b in itertools.pairwise(decided) if a[1] != b[1]]
        if len(changes) > 1:
            told = ", ".join(f"{self.axis.at(a):g} to {self.axis.at(b):g}" for a, b in changes)
            raise SeveralCrossings(
                f"The line is crossed {len(changes)} times: within {told}. Choose one of these ranges."
            )
        return (*changes[0], first)

    def _check_ends(self, first: int, last: int) -> None:
        ends = [
            (self.axis.low, first, self.margins(0.0, self.first)),
            (self.axis.high, last, self.margins(1.0, self.first)),
        ]
        for value, sign, margins in ends:
            if sign == 0:
                self._refuse(value, margins)
        if first == last:
            kept = "kept" if first > 0 else "not kept"
            raise NotBracketed(
                f"The range does not bracket a crossing: the line is {kept} at {ends[0][0]:g} ({self._told(ends[0][2])}) and "
                f"at {ends[1][0]:g} ({self._told(ends[1][2])}). Widen the range or move the line.",
                kept=first > 0,
            )

    def _refuse(self, value: float, margins: Floats) -> NoReturn:
        """The end that is undecided, and what would decide it."""
        told, needed = f"{self._told(margins)} of {margins.size} replicates", self._needed(margins)
        if needed == 0:
            raise Undecided(
                f"At {value:g} the row is no number, or exactly on the line: {told}. Move the line.", value, told, 0
            )
        raise Undecided(
            f"At {value:g} it cannot be told whether the line is kept: {told}. Move this end away from the line, or allow about "
            f"{needed} replicates (budget {self.budget}; or raise samples, which lowers the noise).", value, told, needed,
        )  # fmt: skip

    def _told(self, margins: Floats) -> str:
        if self.rule.share is not None:
            return f"kept by {100 * float((margins >= 0).mean()):.0f} %, {100 * self.rule.share:g} % wanted"
        error = float(margins.std(ddof=1)) / math.sqrt(margins.size)
        return f"margin {margins.mean():.3g} with standard error {error:.2g}"

    def _needed(self, margins: Floats) -> int:
        """About how many replicates would decide a sign, if the margin is what it seems; 0 when no number would."""
        signs = self.rule.signs(margins)
        if not np.isfinite(signs).all() or not signs.std():
            return 0
        gap = max(abs(float(signs.mean())), float(signs.std()) / math.sqrt(margins.size), 1e-12)
        return math.ceil((4.0 * float(signs.std()) / gap) ** 2)

    # --- answers ------------------------------------------------------------------------------------------------

    def _bracketed(self, low: float, high: float, first: int) -> Crossing:
        ends = self.axis.at(low), self.axis.at(high)
        middle = self.axis.at(high) if self.axis.whole else self.axis.at((low + high) / 2)
        return Crossing(middle, *ends, self.level, first < 0, "bracket", True, ends)

    def _open(self, low: float, high: float, first: int) -> Crossing:
        ends = self.axis.at(low), self.axis.at(high)
        return Crossing(self.axis.at((low + high) / 2), *ends, self.level, first < 0, "bracket", False, ends)

    def _fitted(self, low: float, high: float, first: int) -> Crossing:
        """Replicates spread around the crossing until the interval is narrow enough or the budget is spent."""
        outer, window, count = (low, high), _grown((low, high), 2.0), self.first
        fit: Fit | None = None
        before = -1
        while True:
            places = _spread(window, self.axis)
            fit = self._fit(places, self.all(places, count), outer, first)
            more, made = self.left // len(places), sum(self.spent.values())
            if made == before or more < self.first or (fit is not None and fit.high - fit.low <= self.tolerance):
                break
            before = made  # a pass that made nothing new is the last
            wanted = window if fit is None else _grown((fit.root - fit.scale, fit.root + fit.scale), 1.0)
            if window[1] - window[0] > 1.5 * (wanted[1] - wanted[0]):
                window, count = wanted, min(count, more)  # less noise than thought: look where the curve is straighter
            else:
                count += min(count, more)
        if fit is None:
            return self._open(low, high, first)
        value, ends = self.axis.at(fit.root), (self.axis.at(fit.low), self.axis.at(fit.high))
        settled = fit.high - fit.low <= self.tolerance
        seen = self.axis.at(window[0]), self.axis.at(window[1])
        return Crossing(value, *ends, self.level, first < 0, "fit", settled, seen)

    def _fit(self, places: list[float], found: list[Floats], outer: tuple[float, float], first: int) -> Fit | None:
        where = np.repeat([self.axis.of(self.axis.at(u)) for u in places], [values.size for values in found])
        margins = np.concatenate(found)
        kept = None if self.rule.share is None else (margins >= 0).astype(np.float64)
        return fit_root(where, margins if kept is None else kept, self.rule.share, -first, self.level, outer)


def first_look(rule: Rule) -> int:
    """Replicates of a first look.

    For a mean more, as its t test is not to be trusted on a few skewed readings; for a high share so many that all of them
    keeping the line says something.
    """
    if rule.share is None:
        return 4 * FIRST
    return max(FIRST, math.ceil(math.log(DECIDED / 2) / math.log(max(rule.share, 1 - rule.share))))


def _grown(window: tuple[float, float], factor: float) -> tuple[float, float]:
    middle, half = (window[0] + window[1]) / 2, (window[1] - window[0]) / 2 * factor
    return max(0.0, middle - half), min(1.0, middle + half)


def _spread(window: tuple[float, float], axis: Axis) -> list[float]:
    """Places of the local design, none twice where the parameter is a whole number."""
    places = [window[0] + (window[1] - window[0]) * (k + 0.5) / _DESIGN for k in range(_DESIGN)]
    return list({axis.at(u): u for u in places}.values())
