"""Score a corpus with detectors that are fitted to labelled examples of its kind, none on what it then scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from remission.calibration.fitted import FittedDetector
from remission.documents import Documents, Flags
from remission.errors import DataError
from remission.interfaces import Detector
from remission.numerics.arrays import Floats, Integers
from remission.scored import Sample, Scored


@dataclass(frozen=True, eq=False)
class Crossfitted:
    """Scores of a corpus and of examples, exchangeable with each other.

    Attributes:
        scores: (folds, n) of the corpus by each detector; NaN where it cannot be scored.
        units: (n,) sampling units of the corpus.
        weight: (n,) how often each item occurs.
        human: human examples, each scored by the detector that has not seen it.
        synthetic: synthetic ones, likewise.
    """

    scores: Floats
    units: Integers
    weight: Floats
    human: Sample
    synthetic: Sample

    @property
    def usable(self) -> Flags:
        """Which items of the corpus could be scored, (n,)."""
        return np.isfinite(self.scores).all(axis=0) & (self.weight > 0)

    def scored(self, chosen: Flags | None = None, weight: Floats | None = None) -> Scored:
        """What an estimator works on: each item of the corpus once for each fold, with 1 / folds of its weight.

        So an item of the corpus is scored by the same mix of detectors as a calibration item.
        """
        folds = len(self.scores)
        times = self.weight if weight is None else weight
        kept = self.usable & (times > 0) & (True if chosen is None else chosen)
        if not kept.any():
            raise DataError("No document of the corpus could be scored.")
        corpus = Sample.of(
            self.scores[:, kept].ravel(), np.tile(self.units[kept], folds), np.tile(times[kept], folds) / folds
        )
        return Scored(corpus, self.human, self.synthetic)


def crossfit(
    detector: Detector,
    examples: Documents,
    target: Documents,
    folds: int = 5,
    seed: int = 0,
    weight: Floats | None = None,
    progress: Callable[[float, float], None] | None = None,
    drop_overlap: bool = False,
) -> Crossfitted:
    """Fit detectors to all but a part of the examples, each part in turn; score that part and the corpus with each.

    The units of the examples are dealt into folds, so no example is lost to fitting and none is scored by a detector that
    has seen it.

    Args:
        detector: what to fit.
        examples: with ``synthetic``; ``units`` keep together what belongs together.
        target: the corpus.
        folds: how many.
        seed: of the folds and the fits.
        weight: (len(target),) how often each item of the corpus occurs.
        progress: told (folds done, folds).
        drop_overlap: learn nothing from examples that are in the corpus. (Leaving them out of the corpus instead would
            change its share.)

    Raises:
        DataError: one class only, too few units, or an item of the corpus among the examples.
    """
    corpus = set(target.hashes())
    shared = np.array([name in corpus for name in examples.hashes()], dtype=bool)
    if shared.any() and not drop_overlap:
        raise DataError(
            f"{int(shared.sum())} examples are in the corpus; scores of what a detector was fitted to say nothing. Take them "
            "out of the examples, or let them be dropped (--drop-overlap)."
        )
    if shared.any():
        examples = examples.take(~shared)
    labels = examples.synthetic
    if labels is None or labels.all() or not labels.any():
        raise DataError("Cross-fitting needs labelled examples of both kinds, human and synthetic.")
    fold = _folds(examples.sampling_units, folds, seed)
    judged = np.zeros(len(examples))
    scores = np.empty((folds, len(target)))
    for number in range(folds):
        fitted = FittedDetector.fit(detector, examples.take(fold != number), seed + number)
        judged[fold == number] = fitted.score(examples.take(fold == number).items)
        scores[number] = fitted.score(target.items)
        if progress is not None:
            progress(number + 1, folds)
    found = np.isfinite(judged)
    human, synthetic = (
        Sample.of(judged[chosen], examples.sampling_units[chosen], origin=examples.column("generator")[chosen])
        for chosen in (found & ~labels, found & labels)
    )
    if not len(human) or not len(synthetic):
        raise DataError("No example of one of the kinds could be scored.")
    times = np.ones(len(target)) if weight is None else np.asarray(weight, dtype=float)
    return Crossfitted(scores, units_of(target), times, human, synthetic)


def units_of(documents: Documents) -> Integers:
    """Sampling units of a corpus; where none are given, equal texts are one, for they were not drawn independently."""
    if documents.units is not None:
        return documents.sampling_units
    return np.unique(np.asarray(documents.hashes(), dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def _folds(units: Integers, folds: int, seed: int) -> Integers:
    count = int(units.max()) + 1
    if count < 2 * folds:
        raise DataError(f"{count} units of examples are too few for {folds} folds; give at least {2 * folds}.")
    order = np.random.default_rng(seed).permutation(count)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count) % folds
    return place[units]
