"""What the full scan would take, from the sample: hours of work, memory, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.clinic.census.grouping import BYTES, BYTES_LEAST, times_read
from remission.clinic.census.parts import part_path, receipt_of
from remission.clinic.census.running import Census
from remission.clinic.census.timings import Pass
from remission.estimate import Estimate
from remission.numerics.arrays import Floats

FEW = 300  # documents
SLOWER = 2.0  # at most so many times as long for a document of many: 1.4 times from 65 thousand to 8 million (docs/census.md)


@dataclass(frozen=True)
class Cost:
    """Of looking at every document, in hours of one worker like those of this run.

    Attributes:
        hours: to read, score and write, shared by all workers, and for one to begin; with an interval from the differences between
            parts.
        copies: hours of the pass over copies, which comes after and is one process, so that they pass on the clock as well; None:
            there is none, or it was not timed.
        documents: of the corpus, copies included.
        memory: bytes that the pass over copies holds besides Python itself; None: there is none.
        price: of an hour, None: not known.
        parts: that were timed; scored: documents in them. Of fewer than ``FEW`` only the upper ends mean something, for what is done
            once for a batch or a part is counted as time of its documents.
    """

    hours: Estimate
    copies: Estimate | None
    documents: Estimate
    memory: Estimate | None
    price: float | None
    parts: int
    scored: int

    @property
    def is_known(self) -> bool:
        """Whether more than the upper ends mean something."""
        return self.scored >= FEW

    @property
    def money(self) -> dict[str, float] | None:
        """Of both, the process of the pass at the price of a worker; ends are added, for the parts of it may err together."""
        if self.price is None:
            return None
        each = [self.hours, *([] if self.copies is None else [self.copies])]
        return {name: self.price * sum(getattr(one, name) for one in each) for name in ("value", "low", "high")}

    def table(self) -> dict[str, Any]:
        """As plain values."""
        found: dict[str, Any] = {
            "hours": self.hours.table(),
            "price": self.price,
            "parts": self.parts,
            "scored": self.scored,
            "is_known": self.is_known,
            "money": self.money,
        }
        for name in ("copies", "documents", "memory"):
            one = getattr(self, name)
            found[name] = None if one is None else one.table()
        return found


def full_scan(census: Census, price: float | None = None, level: float = 0.95) -> Cost | None:
    """What a census of everything takes, from timed parts; None where there are fewer than two.

    Some work goes by bytes (reading, drawing), some by documents (scoring, hashing, writing). Both rates and the number of
    documents in a byte are ratios of totals, with Student's interval by a jackknife over parts (Cochran, Sampling Techniques,
    1977, 6.17). Where strata are drawn at different rates, documents of all of them count as equally long to score.

    The pass over copies takes a time for each part and one for each document: see :func:`pass_over`.

    Args:
        census: of a sample.
        price: of an hour of one worker.
        level: of the intervals.
    """
    manifest, sampling = census.manifest, census.manifest.sampling
    rows = []
    for name, times in sorted(census.timed.items()):
        receipt = receipt_of(part_path(census.folder, name))
        there = sum(stratum.n / sampling.probability(key) for key, stratum in receipt.strata.items())
        rows.append((*times, receipt.kept, there))
    if len(rows) < 2:
        return None
    read = float(sum(size for _, size in manifest.inputs.values()))
    total = read + float(sum(size for _, size in manifest.unread))
    hours, documents = _of_everything(np.array(rows), total, level)
    hours = _scaled(hours, 1.0, census.started / 3600, hours.method)
    copies = memory = None
    if manifest.groups is not None:
        memory = _scaled(documents, BYTES, BYTES_LEAST, "measured")
        if census.passed is not None:
            copies = pass_over(census.passed, documents, len(manifest.parts) * total / max(read, 1.0))
    return Cost(hours, copies, documents, memory, price, len(rows), sum(int(row[3]) for row in rows))


def pass_over(sample: Pass, documents: Estimate, parts: float) -> Estimate:
    """Hours of the pass over copies of so many documents in so many parts.

    Its time for a document is that of made-up ones, measured on the same machine; what the sample's pass took beyond that
    is taken for time for its parts, and goes by their number. The interval is that of the number of documents. Besides, its upper
    end takes documents of a large corpus as twice as slow (measured: 1.4 times), because less of it fits the
    caches of the processor, and the time for a part as growing with how often it is read anew (of more documents, fewer columns
    fit in memory together).
    """
    for_part = max(0.0, sample.seconds - sample.pace * sample.documents) / max(1, sample.parts)
    again = times_read(int(documents.high), sample.near) / times_read(sample.documents, sample.near)
    value, low = (for_part * parts + sample.pace * n for n in (documents.value, documents.low))
    high = for_part * parts * max(1.0, again) + SLOWER * sample.pace * documents.high
    return Estimate(value / 3600, low / 3600, high / 3600, documents.level, "pass", sample.documents)


def _of_everything(parts: Floats, total: float, level: float) -> tuple[Estimate, Estimate]:
    """Hours and documents of so many bytes, from those of parts (k, 5)."""
    from scipy.special import stdtrit

    k = len(parts)
    values = _whole(parts.sum(axis=0), total)
    others = np.array([_whole(parts.sum(axis=0) - row, total) for row in parts])
    errors = np.sqrt((k - 1) / k * ((others - others.mean(axis=0)) ** 2).sum(axis=0))
    halves = stdtrit(k - 1, 0.5 + level / 2) * errors
    hours, documents = (
        Estimate(float(value), max(0.0, float(value - half)), float(value + half), level, "parts", k)
        for value, half in zip(values, halves, strict=True)
    )
    return hours, documents


def _whole(sums: Floats, total: float) -> Floats:
    """Hours and documents, of totals over parts: bytes, seconds for them, seconds for documents, documents scored, documents there were."""
    size, reading, scoring, scored, there = sums
    more = total / max(size, 1.0)
    return np.array([(reading + scoring * there / max(scored, 1.0)) * more / 3600, there * more])


def _scaled(one: Estimate, factor: float, least: float, method: str) -> Estimate:
    value, low, high = (factor * number + least for number in (one.value, one.low, one.high))
    return Estimate(value, low, high, one.level, method, one.n)
