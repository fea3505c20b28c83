"""Does the loop amplify a planted artifact, hold it, or wash it out? A verdict over replicates, for every grid point.

The rate at the end is held against two numbers: the rate in the first training set, and the neutral line, where a model
that keeps frequencies would be on the same data (:func:`remission.theory.artifact_rate.neutral`). Clean data that keep
coming lower the neutral line by themselves; only what lies off it is the model's doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.estimate import Estimate, mean_interval
from remission.marks import Marked
from remission.spec import Experiment
from remission.theory._conditions import recipes
from remission.theory.artifact_rate import neutral, real_rate

ROW = "artifact-rate"
WIDE = 2.0  # an interval that reaches beyond this factor from the first rate, on either side of it, decides nothing

Fate = Literal["amplified", "held", "washed out", "undecided"]
Side = Literal["above", "on", "below", "undecided"]


@dataclass(frozen=True)
class ArtifactVerdict:
    """What became of an artifact.

    Attributes:
        verdict: ``amplified`` or ``washed out``: the interval of the last rate lies above or below the first rate;
            ``held``: it holds the first rate and stays within a factor of two; else ``undecided``.
        side: where the interval lies from the neutral line.
        rate: mean rate of the last generation over replicates, with its interval.
        first: the rate in the first training set.
        expected: the neutral line at the last generation.
        gone, everywhere: shares of the replicates in which no item, or every item, carries it.
        sentence: all of this in words.
    """

    verdict: Fate
    side: Side
    rate: Estimate
    first: float
    expected: float
    gone: float
    everywhere: float
    sentence: str

    @property
    def ratio(self) -> Estimate:
        """The last rate over the first one."""
        rate, first = self.rate, self.first
        return Estimate(rate.value / first, rate.low / first, rate.high / first, rate.level, rate.method, rate.n)

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "definition": ROW, "verdict": self.verdict, "side": self.side, "row": ROW, "rate": self.rate.table(),
            "first": self.first, "neutral": self.expected, "gone": self.gone, "everywhere": self.everywhere,
            "sentence": self.sentence,
        }  # fmt: skip


def verdict_on(rates: Floats, line: Floats, level: float = 0.95) -> ArtifactVerdict:
    """The verdict on the artifact rates (R, T) of one grid point.

    Args:
        rates: replicates by generations.
        line: the neutral line, (T,), whose first value is the rate in the first training set; above 0.
        level: of the interval.

    >>> rates = np.array([[0.10, 0.3], [0.12, 0.4], [0.08, 0.35]])
    >>> verdict_on(rates, np.array([0.1, 0.1])).verdict
    'amplified'
    """
    last, first, expected = rates[:, -1], float(line[0]), float(line[-1])
    rate = mean_interval(last, level)
    known = bool(np.isfinite([rate.low, rate.high]).all())
    verdict: Fate = "undecided"
    if known and rate.low > first:
        verdict = "amplified"
    elif known and rate.high < first:
        verdict = "washed out"
    elif known and first / WIDE <= rate.low and rate.high <= WIDE * first:
        verdict = "held"
    side: Side = "undecided"
    if known:
        side = "above" if rate.low > expected else "below" if rate.high < expected else "on"
    gone, everywhere = float((last == 0).mean()), float((last == 1).mean())
    sentence = _sentence(verdict, side, rate, (first, expected), (gone, everywhere), rates.shape[1])
    return ArtifactVerdict(verdict, side, rate, first, expected, gone, everywhere, sentence)


def _sentence(
    verdict: Fate, side: Side, rate: Estimate, lines: tuple[float, float], ends: tuple[float, float], t: int
) -> str:
    first, expected = lines
    interval = f" [{rate.low:.3g}, {rate.high:.3g}]" if np.isfinite(rate.low) else ""
    opening = "What becomes of the artifact is undecided" if verdict == "undecided" else f"The artifact is {verdict}"
    text = (
        f"{opening}: {rate.value:.3g}{interval} of the items of generation {t} carry it, "
        f"{rate.value / first:.3g} times the {first:.3g} of the first training set. "
        f"A model that keeps frequencies would be at {expected:.3g}"
    )
    text += {"above": "; this one is above it", "below": "; this one is below it", "on": ", and so is this one"}.get(
        side, ""
    )
    if any(ends):
        text += f". It is in no item in {ends[0]:.0%} of the runs, and in every item in {ends[1]:.0%}"
    return f"{text}.".replace("%", " %")


def neutral_rows(experiment: Experiment) -> list[dict[str, Any]]:
    """The neutral line of every point whose source plants an artifact: point, generation, metric, value."""
    rows: list[dict[str, Any]] = []
    for index, point in enumerate(experiment.points):
        if isinstance(point.experiment.source, Marked):
            world = point.experiment.world()
            line = neutral(recipes(world), real_rate(world))
            rows += [
                {"point": index, "generation": t, "metric": ROW, "value": float(value)}
                for t, value in enumerate(line, 1)
            ]
    return rows


def verdicts_on_artifacts(
    trajectory: dict[str, Floats], point: int, facts: dict[str, Any], level: float
) -> list[dict[str, Any]]:
    """The verdict on a point of a stored run as a flat row; nothing where no artifact was measured."""
    line = np.array([row["value"] for row in facts.get("neutral", ()) if row["point"] == point])
    if ROW not in trajectory or not line.size or line[0] <= 0:
        return []
    rates = trajectory[ROW][:, : line.size]
    rates = rates[~np.isnan(rates[:, -1])]
    return [verdict_on(rates, line, level).table()] if len(rates) else []
