"""What the full scan would take, from the sample: hours of work, and what they cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.clinic.census.parts import part_path, receipt_of
from remission.clinic.census.running import Census
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
    """What a census of everything takes, from timed parts; None where there are fewer than two.

    Some work goes by bytes (reading, drawing), some by documents (scoring, hashing, writing). Both rates and the number of
    documents in a byte are ratios of totals, with Student's interval by a jackknife over parts (Cochran, Sampling Techniques,
    1977, 6.17). Not in it: the pass that looks for copies in the end. Where strata are drawn at different rates, documents of
    all of them count as equally long to score.

    Args:
        census: of a sample.
        price: of an hour of one worker.
        level: of the interval.
    """
    from scipy.stats import t

    manifest, sampling = census.manifest, census.manifest.sampling
    rows = []
    for name, times in sorted(census.timed.items()):
        receipt = receipt_of(part_path(census.folder, name))
        there = sum(stratum.n / sampling.probability(key) for key, stratum in receipt.strata.items())
        rows.append((*times, receipt.kept, there))
    if len(rows) < 2:
        return None
    parts, k = np.array(rows), len(rows)
    total = float(sum(size for _, size in manifest.inputs.values()) + sum(size for _, size in manifest.unread))
    hours = _hours(parts.sum(axis=0), total)
    others = np.array([_hours(parts.sum(axis=0) - row, total) for row in parts])
    error = math.sqrt((k - 1) / k * float(((others - others.mean()) ** 2).sum()))
    half = float(t.ppf(0.5 + level / 2, k - 1)) * error
    return Cost(Estimate(hours, max(0.0, hours - half), hours + half, level, "parts", k), price, k)


def _hours(sums: Floats, total: float) -> float:
    """Of totals over parts: bytes, seconds for them, seconds for documents, documents scored, documents there were."""
    size, reading, scoring, scored, there = sums
    return float((reading + scoring * there / max(scored, 1.0)) * total / max(size, 1.0)) / 3600
