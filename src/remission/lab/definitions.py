"""Is it collapse? A verdict for each of eight definitions in use, from one table of trajectories.

Eight senses in which the word is used, in the spirit of Schaeffer, Kazdan, Arulandu & Koyejo ("Position: Model collapse
does not mean what you think", arXiv 2503.03150), who find eight definitions that contradict each other and ask for a
profile instead of one verdict. The names here, the tests on a finite run and their thresholds are ours, not the
paper's wording; every sentence says how it was read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.errors import DataError
from remission.estimate import Estimate, mean_interval, mean_is_estimable, median_interval

Answer = Literal["yes", "no", "undecided", "not measured"]
Table = Mapping[str, Floats]

CATASTROPHE = 10.0  # a risk this many times that of generation 1 is catastrophic
LOST = 0.5  # less than this share left counts as collapsed variance or vanished tails
SLOPE = 0.2  # a late log-log slope of the risk above this is divergence, a bounded risk bends below it
MARGIN = 0.05  # a share that moved by less is not counted as moved
EXPONENT = 0.1  # a scaling exponent that moved by less has not changed
LATE = 8  # generations without which the late slope is not asked for

# Distances and losses whose ratio makes sense, best first; then risks in nats, compared on the scale of perplexity.
_RATIOS = (
    "test-risk.excess", "kl.forward", "moments.w2", "wasserstein", "sliced-wasserstein", "frechet", "energy",
    "moments.error", "test-risk.held-out",
)  # fmt: skip
_NATS = {"log-likelihood": -1.0, "perplexity.nll": 1.0}
_SPREADS = ("moments.ratio", "moments.variance", "heterozygosity", "vendi.q1-ratio", "vendi.q1")
_TAILS = ("tail-mass.ratio", "mode-coverage.rare-recall", "types.rare-recall", "types.recall", "hill.ratio")
_AGAINST_REAL = {"moments.ratio", "tail-mass.ratio", "vendi.q1-ratio", "hill.ratio"}  # already relative to real data


@dataclass(frozen=True)
class Finding:
    """What one definition says of a run.

    Attributes:
        definition: its name.
        verdict: ``yes`` (collapse in this sense), ``no``, ``undecided`` (too few replicates or generations to tell), or
            ``not measured`` (no row it could be read from).
        evidence: the estimate behind it, the median over replicates; None when not measured.
        row: the row it was read from.
        sentence: how it was read, threshold included.
    """

    definition: str
    verdict: Answer
    evidence: Estimate | None
    row: str
    sentence: str

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        evidence = None if self.evidence is None else self.evidence.table()
        return {
            "definition": self.definition, "verdict": self.verdict, "evidence": evidence,
            "row": self.row, "sentence": self.sentence,
        }  # fmt: skip


def definitions(
    table: Table, *, level: float = 0.95, sizes: Mapping[int, Table] | None = None, seed: int = 0
) -> list[Finding]:
    """The eight verdicts.

    Args:
        table: rows of a run (see ``remission list metrics``), each of shape (replicates, generations), t = 1 .. T.
        level: of the intervals; a verdict needs the whole interval on one side.
        sizes: the tables of the same experiment at several sample sizes n, for the scaling law.
        seed: of the bootstrap behind the scaling exponents.

    Raises:
        DataError: rows of different shapes.

    >>> import numpy as np
    >>> t = np.arange(1, 21)
    >>> spread = np.exp(-0.1 * t) * np.linspace(0.9, 1.1, 9)[:, None]
    >>> [finding.verdict for finding in definitions({"moments.ratio": spread})][3:5]
    ['yes', 'not measured']
    """
    shapes = {np.shape(values) for values in table.values()}
    if len(shapes) > 1 or any(len(shape) != 2 or shape[1] < 2 for shape in shapes):
        raise DataError(f"Every row must have the same shape (replicates, generations >= 2). Got {sorted(shapes)}.")
    return [
        _catastrophic(table, level),
        _any_increase(table, level),
        _diverging(table, level),
        _variance(table, level),
        _scaling(sizes, level, seed),
        _tails(table, level),
        _hallucinated(table, level),
        _entangled(table, level),
    ]


def _find(table: Table, names: tuple[str, ...]) -> str | None:
    """The first row of these names, whatever the parameters in its label."""
    bare = {re.sub(r"\[.*\]", "", row): row for row in reversed(list(table))}
    return next((bare[name] for name in names if name in bare), None)


def _log_risk(table: Table) -> tuple[str, Floats] | None:
    """The population risk on a logarithmic scale (nats as they are), shape (replicates, generations)."""
    row = _find(table, (*_RATIOS[:2], *_NATS, *_RATIOS[2:]))
    if row is None:
        return None
    values = np.asarray(table[row], np.float64)
    sign = _NATS.get(re.sub(r"\[.*\]", "", row))
    with np.errstate(divide="ignore", invalid="ignore"):
        return row, sign * values if sign else np.log(values)


def _growth(values: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return values[:, -1] - values[:, 0]


def _judge(evidence: Estimate, threshold: float, above: bool = True) -> Answer:
    """Yes when the whole interval is beyond the threshold, no when it is wholly on this side."""
    if math.isnan(evidence.low) or math.isnan(evidence.high):
        return "undecided"
    low, high = (evidence.low, evidence.high) if above else (-evidence.high, -evidence.low)
    threshold = threshold if above else -threshold
    return "yes" if low > threshold else "no" if high <= threshold else "undecided"


def _typical(values: Floats, level: float) -> Estimate:
    """The mean where it can be believed, else the median.

    Tails are counts of rare items: with few items per generation most replicates have none at all, and their median
    would say that the tail is gone while it is as heavy as ever on average.
    """
    finite = values[np.isfinite(values)]
    return (mean_interval if mean_is_estimable(finite) else median_interval)(finite, level)


def _missing(definition: str, hint: str) -> Finding:
    return Finding(definition, "not measured", None, "", f"Not measured: {hint}")


_NO_RISK = "add a metric of risk, such as log-likelihood, kl, test-risk or wasserstein."


def _catastrophic(table: Table, level: float) -> Finding:
    name, risk = "catastrophic increase of population risk", _log_risk(table)
    if risk is None:
        return _missing(name, _NO_RISK)
    evidence = _exp(median_interval(_growth(risk[1]), level))
    told = (
        f"The last generation has {evidence.value:.3g} times the risk of the first; catastrophic from {CATASTROPHE:g}."
    )
    return Finding(name, _judge(evidence, CATASTROPHE), evidence, risk[0], told)


def _any_increase(table: Table, level: float) -> Finding:
    name, risk = "any increase of population risk", _log_risk(table)
    if risk is None:
        return _missing(name, _NO_RISK)
    evidence = _exp(median_interval(_growth(risk[1]), level))
    told = f"The last generation has {evidence.value:.3g} times the risk of the first; any factor above 1 counts."
    return Finding(name, _judge(evidence, 1.0), evidence, risk[0], told)


def _diverging(table: Table, level: float) -> Finding:
    name, risk = "asymptotically diverging population risk", _log_risk(table)
    if risk is None:
        return _missing(name, _NO_RISK)
    generations = risk[1].shape[1]
    if generations < LATE:
        hint = f"{generations} generations do not show an asymptote; at least {LATE} are needed."
        return Finding(name, "undecided", None, risk[0], hint)
    half = generations // 2
    log_t = np.log(np.arange(half + 1, generations + 1))
    log_t -= log_t.mean()
    with np.errstate(invalid="ignore"):
        slopes = risk[1][:, half:] @ log_t / (log_t @ log_t)
    evidence = median_interval(slopes, level)
    told = (
        f"Over the second half the risk grows like t^{evidence.value:.2f}; above t^{SLOPE:g} counts as diverging. "
        "A finite run cannot prove an asymptote."
    )
    return Finding(name, _judge(evidence, SLOPE), evidence, risk[0], told)


def _left(table: Table, row: str) -> Floats:
    """The last value relative to real data, or to generation 1 when the row does not know real data."""
    values = np.asarray(table[row], np.float64)
    if re.sub(r"\[.*\]", "", row) in _AGAINST_REAL:
        return values[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return values[:, -1] / values[:, 0]


def _variance(table: Table, level: float) -> Finding:
    name, row = "collapsing variance", _find(table, _SPREADS)
    if row is None:
        return _missing(name, "add the metric moments, heterozygosity or vendi.")
    evidence = median_interval(_left(table, row), level)
    told = f"{evidence.value:.3g} of the spread is left in the last generation; collapsed below {LOST:g}."
    return Finding(name, _judge(evidence, LOST, above=False), evidence, row, told)


def _tails(table: Table, level: float) -> Finding:
    name, row = "disappearance of real tail data", _find(table, _TAILS)
    if row is None:
        return _missing(name, "add the metric tail-mass, mode-coverage or types.")
    evidence = _typical(_left(table, row), level)
    told = f"{evidence.value:.3g} of the tail is left in the last generation; gone below {LOST:g}."
    return Finding(name, _judge(evidence, LOST, above=False), evidence, row, told)


def _hallucinated(table: Table, level: float) -> Finding:
    name, row = "appearance of hallucinated data", _find(table, ("prdc.precision", "mode-coverage.outside"))
    if row is None:
        return _missing(name, "add the metric prdc or mode-coverage.")
    sign = -1.0 if row.endswith("precision") else 1.0
    evidence = median_interval(sign * _growth(np.asarray(table[row], np.float64)), level)
    told = (
        f"The share of items off the real support grew by {evidence.value:.3g} since generation 1; {MARGIN:g} counts."
    )
    return Finding(name, _judge(evidence, MARGIN), evidence, row, told)


def _entangled(table: Table, level: float) -> Finding:
    name, row = "entanglement of modes", _find(table, ("mode-coverage.outside",))
    if row is None:
        return _missing(name, "add the metric mode-coverage.")
    evidence = median_interval(_growth(np.asarray(table[row], np.float64)), level)
    told = (
        f"The share of items between the real modes grew by {evidence.value:.3g} since generation 1; {MARGIN:g} counts."
    )
    return Finding(name, _judge(evidence, MARGIN), evidence, row, told)


def _scaling(sizes: Mapping[int, Table] | None, level: float, seed: int) -> Finding:
    name = "change in scaling law"
    if not sizes or len(sizes) < 3:
        return _missing(name, "give the tables of at least 3 sample sizes (sweep samples).")
    risks = {n: _log_risk(table) for n, table in sorted(sizes.items())}
    if any(risk is None for risk in risks.values()):
        return _missing(name, _NO_RISK)
    log_n = np.log(np.array(list(risks)))
    log_n -= log_n.mean()
    ends = [risk[1][:, [0, -1]] for risk in risks.values() if risk is not None]

    def change(picks: list[Any]) -> float:
        middle = np.array([np.median(end[pick], axis=0) for end, pick in zip(ends, picks, strict=True)])
        with np.errstate(invalid="ignore"):
            return float(log_n @ (middle[:, 1] - middle[:, 0]) / (log_n @ log_n))

    rng = np.random.default_rng(seed)
    again = [change([rng.integers(len(end), size=len(end)) for end in ends]) for _ in range(400)]
    value = change([slice(None)] * len(ends))
    low, high = np.quantile(again, [0.5 - level / 2, 0.5 + level / 2]) if np.isfinite(again).all() else (math.nan,) * 2
    evidence = Estimate(value, float(low), float(high), level, "bootstrap", min(len(end) for end in ends))
    verdict: Answer = "undecided"
    if low > EXPONENT or high < -EXPONENT:
        verdict = "yes"
    elif low >= -EXPONENT and high <= EXPONENT:
        verdict = "no"
    told = f"The exponent of risk against n moved by {value:.3g} from the first to the last generation; {EXPONENT:g} counts."
    return Finding(name, verdict, evidence, next(risk[0] for risk in risks.values() if risk is not None), told)


def _exp(estimate: Estimate) -> Estimate:
    def power(value: float) -> float:
        return math.inf if value > 709.0 else math.exp(value)

    return Estimate(
        power(estimate.value), power(estimate.low), power(estimate.high), estimate.level, estimate.method, estimate.n
    )
