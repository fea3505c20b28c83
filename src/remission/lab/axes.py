"""The collapse profile of a run: what moved on the axes fidelity, diversity, tails and authenticity.

No single number says *collapse*: precision and density rise while a model collapses, and memorised copies score best on
the Frechet distance. So every axis is read on its own (the profile that Schaeffer et al., arXiv:2503.03150, ask for).
For single sets instead of runs see :mod:`remission.lab.profile`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from remission.data import Floats
from remission.estimate import Estimate, mean_interval, mean_is_estimable, median_interval

AXES: dict[str, tuple[str, ...]] = {
    "fidelity": (
        "prdc.precision", "frechet", "mmd", "sliced-wasserstein", "wasserstein", "moments.w2", "energy", "ks",
        "log-likelihood", "perplexity", "divergence.js", "test-risk.excess", "test-risk.held-out", "test-risk.accuracy", "caption-match.ratio",
        "bits-per-byte", "gibberish.words", "classifier.confident", "power-spectrum.distance",
    ),
    "diversity": (
        "prdc.recall", "prdc.coverage", "vendi.q1-ratio", "moments.ratio", "moments.log-det", "mode-coverage.covered",
        "heterozygosity", "entropy", "distinct.2", "self-bleu", "compression", "lexical.mtld", "class-balance.entropy",
        "pixels.spread", "classifier.entropy", "sentence-structure.effective",
    ),
    "tails": (
        "tail-mass.ratio", "types.rare-recall", "types.recall", "mode-coverage.rare-recall", "unseen.mass", "unseen.hapax",
        "group-error.worst", "first-perplexity.unlikely",
    ),
    "authenticity": ("authenticity.authpct", "authenticity.ct", "authenticity.distance", "novel-ngrams.novel", "nearest-image.copies"),
}  # fmt: skip

Verdict = Literal["worse", "better", "no clear change", "moved", "undecided"]


@dataclass(frozen=True)
class Reading:
    """One row of the profile.

    Attributes:
        axis: fidelity, diversity, tails or authenticity.
        row: the metric row.
        first, last: medians over replicates in the first and the last generation.
        change: mean over replicates of last minus first with its t interval (the median where the mean cannot be
            believed).
        verdict: ``worse`` (moved the way it moves in collapse), ``better``, ``moved`` (a row that may move either way),
            ``no clear change`` (the interval holds 0), or ``undecided`` (too few replicates for an interval).
    """

    axis: str
    row: str
    first: float
    last: float
    change: Estimate
    verdict: Verdict


def axes_of(trajectory: Mapping[str, Floats], directions: Mapping[str, str], level: float = 0.95) -> list[Reading]:
    """The profile of one grid point.

    Args:
        trajectory: row -> values (replicates, generations); NaN where nothing was measured.
        directions: row -> ``falls``, ``rises`` or ``either`` in collapse.
        level: of the whole profile. Each of m rows gets an interval at 1 - (1 - level) / m (Bonferroni), so that a run
            in which nothing moves is called ``worse`` anywhere with probability at most 1 - level.

    >>> import numpy as np
    >>> falling = np.linspace(1, 0.4, 5) + 0.01 * np.random.default_rng(0).normal(size=(40, 5))
    >>> [(found.axis, found.verdict) for found in axes_of({"prdc.recall": falling}, {"prdc.recall": "falls"})]
    [('diversity', 'worse')]
    """
    rows = [(axis, row) for axis, names in AXES.items() for row in _present(names, trajectory)]
    each = 1 - (1 - level) / max(1, len(rows))
    return [_read(axis, row, trajectory[row], directions.get(row, "either"), each) for axis, row in rows]


def _present(names: Iterable[str], trajectory: Mapping[str, Floats]) -> list[str]:
    """The measured rows that belong to these names, parameters in their labels left out of account."""
    return [row for name in names for row in trajectory if _bare(row) == name]


def _bare(row: str) -> str:
    """``types[rare=0.1].recall`` is a ``types.recall``."""
    head, bracket, rest = row.partition("[")
    return head + rest.rpartition("]")[2] if bracket else row


def _read(axis: str, row: str, values: Floats, direction: str, level: float) -> Reading:
    measured = np.flatnonzero(~np.isnan(values).all(axis=0))
    if measured.size == 0:
        nothing = Estimate(np.nan, np.nan, np.nan, level, "order-statistics", 0)
        return Reading(axis, row, np.nan, np.nan, nothing, "undecided")
    first, last = values[:, measured[0]], values[:, measured[-1]]
    with np.errstate(invalid="ignore"):
        gap = last - first
        gap = gap[np.isfinite(gap)]
        change = (mean_interval if mean_is_estimable(gap) else median_interval)(gap, level)
        middle = float(np.nanmedian(first)), float(np.nanmedian(last))
    verdict: Verdict = "no clear change" if change.low <= 0 <= change.high else "undecided"
    if change.low > 0 or change.high < 0:
        rose = change.low > 0
        verdict = "moved" if direction == "either" else "worse" if rose == (direction == "rises") else "better"
    return Reading(axis, row, *middle, change, verdict)
