"""What the full scan would take, from the sample: hours of work, and what they cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.clinic.census.parts import part_path, receipt_of
from remission.clinic.census.running import Census
from remission.clinic.census.units import Config
from remission.estimate import Estimate
from remission.numerics.arrays import Floats


@dataclass(frozen=True)
class Cost:
    """Of looking at every document, in hours of one worker like those of this run.

    Attributes:
        hours: with an interval from the differences between parts; price: of an hour, None: not known.
        parts: that were timed.
    """

    hours: Estimate
    price: float | None
    parts: int

    def table(self) -> dict[str, Any]:
        """As plain values."""
        found: dict[str, Any] = {"hours": self.hours.table(), "price": self.price, "parts": self.parts, "money": None}
        if self.price is not None:
            found["money"] = {name: self.price * getattr(self.hours, name) for name in ("value", "low", "high")}
        return found


def full_scan(census: Census, price: float | None = None, level: float = 0.95) -> Cost | None:
    """What a census of everything takes, from the parts that were made now; None where fewer than two were.

    Reading goes by bytes, scoring by documents; both rates are ratios of totals, with Student's interval by a jackknife over
    parts. How many documents there are is estimated from the sample.

    Args:
        census: of a sample.
        price: of an hour of one worker.
        level: of the interval.
    """
    from scipy.stats import t

    rows = np.array(
        [(*times, receipt_of(part_path(census.folder, name)).kept) for name, times in sorted(census.timed.items())]
    )
    if len(rows) < 2:
        return None
    manifest, sampling = census.manifest, Config.of(census.manifest.config).sampling
    total = float(sum(size for _, size in manifest.inputs.values()) + sum(size for _, size in manifest.unread))
    documents = sum(
        stratum.n / (sampling.probability(name) * sampling.files) for name, stratum in census.receipt.strata.items()
    )
    hours = _hours(rows.sum(axis=0), total, documents)
    others = np.array([_hours(rows.sum(axis=0) - row, total, documents) for row in rows])
    k = len(rows)
    error = math.sqrt((k - 1) / k * float(((others - others.mean()) ** 2).sum()))
    half = float(t.ppf(0.5 + level / 2, k - 1)) * error
    return Cost(Estimate(hours, max(0.0, hours - half), hours + half, level, "parts", k), price, k)


def _hours(sums: Floats, total: float, documents: float) -> float:
    """Of totals over parts: bytes, seconds of reading, seconds of scoring, documents that were scored."""
    size, reading, scoring, scored = sums
    return float(reading * total / max(size, 1.0) + scoring * documents / max(scored, 1.0)) / 3600
