"""Which share of what reviewers certified is human, given how often they are wrong about items whose truth is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from remission.estimate import Estimate
from remission.numerics.proportions import clopper_pearson

METHOD = "exact box (Clopper-Pearson, Bonferroni over three rates)"


@dataclass(frozen=True)
class Counts:
    """What the shares are computed from.

    Attributes:
        certified: of the reviewed items of random queues (may be a weighted, not whole number); reviewed: how many.
        machine_certified: planted machine-written items that were certified all the same; machine: how many were planted.
        human_certified: planted human items that were certified; human: how many were planted.
    """

    certified: float
    reviewed: float
    machine_certified: int
    machine: int
    human_certified: int
    human: int


def human_shares(counts: Counts, level: float = 0.95) -> tuple[Estimate, Estimate]:
    """The human share of the certified items, and of all items the queues were drawn from.

    With c the rate of certified items, a that of planted human and b that of planted machine-written ones, the human share of all
    is (c - b) / (a - b) (Rogan and Gladen, Am. J. Epidemiol. 107, 71, 1978), and the machine share of the certified is
    b (a - c) / ((a - b) c), by Bayes' rule. Both are monotone in each rate, so the ends over a box that holds all three with
    probability ``level`` are an interval, and a wide one. It assumes that reviewers do with planted items what they do with
    others. Without planted items nothing is known and the interval is [0, 1].

    >>> among, of_all = human_shares(Counts(880, 1000, 3, 100, 95, 100))
    >>> [round(x, 3) for x in (among.value, among.low, among.high)]
    [0.997, 0.982, 1.0]
    """
    each = 1 - (1 - level) / 3
    c = _rate(counts.certified, counts.reviewed)
    a, b = _rate(counts.human_certified, counts.human), _rate(counts.machine_certified, counts.machine)
    c_low, c_high = clopper_pearson(counts.certified, counts.reviewed, each)
    a_low, a_high = clopper_pearson(counts.human_certified, counts.human, each)
    b_low, b_high = clopper_pearson(counts.machine_certified, counts.machine, each)
    n = round(counts.reviewed)
    n, lowest, highest = round(counts.reviewed), (c_low, a_high, b_high), (c_high, a_low, b_low)
    among = Estimate(_among(c, a, b, math.nan), _among(*lowest, 0.0), _among(*highest, 1.0), level, METHOD, n)
    of_all = Estimate(_human(c, a, b, math.nan), _human(*lowest, 0.0), _human(*highest, 1.0), level, METHOD, n)
    return among, of_all


def _rate(hits: float, n: float) -> float:
    return hits / n if n else math.nan


def _human(c: float, a: float, b: float, unknown: float) -> float:
    """The human share of all; ``unknown`` where reviewers with these rates cannot tell."""
    if math.isnan(c + a + b) or a <= b:
        return unknown
    return min(1.0, max(0.0, (c - b) / (a - b)))


def _among(c: float, a: float, b: float, unknown: float) -> float:
    """The human share of the certified."""
    human = _human(c, a, b, unknown)
    if math.isnan(human) or c <= 0 or a <= b:
        return unknown
    return 1 - min(1.0, max(0.0, (1 - human) * b / c))
