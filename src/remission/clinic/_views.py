"""A corpus as cells, each with calibration items of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from remission.calibration.calibrated import ABSTAINED, Calibrated
from remission.calibration.rates import rate_of_units
from remission.clinic.crossfit import Crossfitted, units_of
from remission.documents import Documents, Flags, Words
from remission.estimate import Estimate
from remission.numerics.arrays import Floats
from remission.scored import Sample, Scored

Progress = Callable[[float, float], None]


class View(ABC):
    """A corpus whose parts can be estimated; ``cells`` are the parts that have calibration items of their own."""

    usable: Flags
    abstained: Flags

    @abstractmethod
    def cells(self, chosen: Flags) -> Iterator[tuple[float, Scored, Estimate | None, Estimate | None]]:
        """(documents by weight, scores, FPR, TPR) of each cell among the chosen documents."""

    @property
    @abstractmethod
    def panel(self) -> Sample | None:
        """Synthetic items of any kind."""


class CalibratedView(View):
    weight: Floats | None = None  # (n,) how many documents each stands for; None: itself

    def __init__(
        self,
        documents: Documents,
        calibrated: Calibrated,
        words: bool,
        labels: Floats | None,
        progress: Progress | None,
    ) -> None:
        self.calibrated, self.labels = calibrated, labels
        judged = _judged(documents, calibrated, progress)
        self.score, self.stratum, status = judged
        self.abstained = status == ABSTAINED
        self.usable = ~self.abstained & (self.stratum != "") & np.isfinite(self.score)
        self.units = units_of(documents)
        self.documents = documents if words else None

    def cells(self, chosen: Flags) -> Iterator[tuple[float, Scored, Estimate | None, Estimate | None]]:
        every = self.calibrated
        for name in every.strata.names:
            here = chosen & self.usable & (self.stratum == name)
            if not here.any():
                continue
            human = every.human.take(every.human_strata == name)
            synthetic, tpr = None, None
            found = every.threshold(name)
            if every.synthetic is not None:
                own = every.synthetic_strata == name
                synthetic = every.synthetic.take(own) if own.any() else None
                if synthetic is not None:
                    tpr = rate_of_units((synthetic.scores > found.score).astype(float), synthetic.units)
            weight = None if self.weight is None else self.weight[here]
            documents = None if self.documents is None else self.documents.take(here)
            target = Sample.of(self.score[here], self.units[here], weight, documents=documents)
            yield float(target.weight.sum()), Scored(target, human, synthetic, _part(self.labels, here)), found.fpr, tpr

    @property
    def panel(self) -> Sample | None:
        """Synthetic items of every stratum."""
        return self.calibrated.synthetic


class CrossfittedView(View):
    def __init__(self, crossfitted: Crossfitted, labels: Floats | None) -> None:
        self.crossfitted, self.labels = crossfitted, labels
        self.usable = crossfitted.usable
        self.abstained = ~self.usable

    def cells(self, chosen: Flags) -> Iterator[tuple[float, Scored, Estimate | None, Estimate | None]]:
        here = chosen & self.usable
        if here.any():
            scored = self.crossfitted.scored(here)
            labels = None
            if self.labels is not None:
                labels = np.tile(self.labels[here], len(self.crossfitted.scores))
            yield int(here.sum()), replace(scored, labels=labels), None, None

    @property
    def panel(self) -> Sample | None:
        """The synthetic examples."""
        return self.crossfitted.synthetic


def _judged(
    documents: Documents, calibrated: Calibrated, progress: Progress | None, block: int = 4096
) -> tuple[Floats, Words, Words]:
    parts = []
    for start in range(0, len(documents), block):
        judged = calibrated.judge(documents.take(np.arange(start, min(start + block, len(documents)))))
        parts.append((judged.score, judged.stratum, judged.status))
        if progress is not None:
            progress(min(start + block, len(documents)), len(documents))
    score, stratum, status = (np.concatenate(list(column)) for column in zip(*parts, strict=True))
    return score, stratum, status


def _part(labels: Floats | None, here: Flags) -> Floats | None:
    return None if labels is None else labels[here]
