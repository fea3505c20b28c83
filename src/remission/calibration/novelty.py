"""Whether an item is unlike everything that was calibrated: then its error rate is unknown, and nothing is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.calibration.audit import item_features
from remission.numerics.arrays import Array, Floats, Integers

# Yes or no: an item cannot be far out in them.
_BINARY = {"blank at an end", "ends without punctuation", "begins in lower case"}
_LOGARITHMIC = {"characters", "height", "width", "pixels"}
_FLOOR = {"word length": 0.5, "long words": 0.1, "upper case": 0.05}  # a difference smaller than this is none
_LOG_FLOOR, _SHARE_FLOOR = 0.25, 0.02


@dataclass(frozen=True, eq=False)
class Novelty:
    """How far out an item is: the largest distance of a feature from its median, in units of its usual reach.

    The reach is the distance from the median to the 1 % or the 99 % quantile of calibration items, at least a small
    constant. The limit is a split-conformal quantile (by halves: reach from one, quantile in the other) at the stated
    rate, of the human and of the synthetic items, whichever is higher: so a new item of either kind is called novel with
    at most about that probability.

    Attributes:
        names: features.
        middle: medians (d,).
        below: reach downwards (d,).
        above: reach upwards (d,).
        limit: novelty above it is too much; infinite with fewer items than 1 / rate - 1.
        rate: the stated rate.
    """

    names: tuple[str, ...]
    middle: Floats
    below: Floats
    above: Floats
    limit: float
    rate: float

    @classmethod
    def fit(cls, kinds: Sequence[Sequence[Any]], rate: float) -> Novelty:
        """From calibration items, human and (where there are) synthetic."""
        tables = [matrix(items) for items in kinds if len(items)]
        names = tuple(name for name in tables[0][0] if all(name in other for other, _ in tables))
        parts = [values[:, [list(own).index(name) for name in names]] for own, values in tables]
        limits = [_limit(parts, number, names, rate) for number in range(len(parts))]
        middle, below, above = _reach(np.concatenate(parts), names)
        return cls(names, middle, below, above, max(limits) if rate > 0.0 else np.inf, rate)

    def look(self, items: Sequence[Any]) -> tuple[Floats, Integers, Floats]:
        """Novelty (n,), the feature that is farthest out (n,), and its value (n,)."""
        own, values = matrix(items)
        places = [own.index(name) if name in own else -1 for name in self.names]
        chosen = np.column_stack(
            [values[:, p] if p >= 0 else self.middle[k] + np.zeros(len(items)) for k, p in enumerate(places)]
        )
        far = _distance(chosen, self.middle, self.below, self.above)
        which = far.argmax(1).astype(np.int64)
        rows = np.arange(len(items))
        return far[rows, which], which, chosen[rows, which]

    def reason(self, feature: int, value: float) -> str:
        """Why an item is novel, in words."""
        name, limit = self.names[feature], self.limit
        low = self.middle[feature] - limit * self.below[feature]
        high = self.middle[feature] + limit * self.above[feature]
        if name in _LOGARITHMIC:
            value, low, high = float(np.expm1(value)), float(np.expm1(max(low, 0.0))), float(np.expm1(min(high, 700.0)))
        return f"unlike the calibration items: {name} {value:.3g}, usual {max(low, 0.0):.3g} to {high:.3g}"

    def arrays(self) -> dict[str, Array]:
        """For storage."""
        return {
            "novelty_names": np.array(self.names, dtype=np.str_), "novelty_middle": self.middle, "novelty_below": self.below,
            "novelty_above": self.above, "novelty_limit": np.array([self.limit, self.rate]),
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, stored: dict[str, Array]) -> Novelty:
        """What ``arrays`` gave."""
        limit, rate = stored["novelty_limit"].tolist()
        names = tuple(stored["novelty_names"].tolist())
        return cls(names, stored["novelty_middle"], stored["novelty_below"], stored["novelty_above"], limit, rate)


def matrix(items: Sequence[Any]) -> tuple[list[str], Floats]:
    """Names and values (n, d) of the features that novelty looks at."""
    found = {name: column for name, column in item_features(items).items() if name not in _BINARY}
    columns = [np.log1p(column) if name in _LOGARITHMIC else column for name, column in found.items()]
    return list(found), np.column_stack(columns) if columns else np.zeros((len(items), 0))


def _reach(values: Floats, names: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    low, middle, high = np.quantile(values, [0.01, 0.5, 0.99], axis=0)
    floor = np.array([_LOG_FLOOR if name in _LOGARITHMIC else _FLOOR.get(name, _SHARE_FLOOR) for name in names])
    return middle, np.maximum(middle - low, floor), np.maximum(high - middle, floor)


def _distance(values: Floats, middle: Floats, below: Floats, above: Floats) -> Floats:
    gap = values - middle
    return np.where(gap < 0.0, -gap / below, gap / above)


def _limit(parts: Sequence[Floats], number: int, names: Sequence[str], rate: float) -> float:
    """The conformal quantile of one kind, each half judged by the reach of the other halves of all kinds."""
    found = []
    for half in (0, 1):
        reach = _reach(np.concatenate([part[half::2] if len(part) > 1 else part for part in parts]), names)
        found.append(_distance(parts[number][1 - half :: 2], *reach).max(1, initial=0.0))
    far = np.sort(np.concatenate(found))
    rank = int(np.floor(rate * (far.size + 1)))
    return float(far[far.size - rank]) if rank >= 1 else np.inf
