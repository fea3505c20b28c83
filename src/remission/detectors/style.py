"""Style: function words, signs, sentence rhythm and word forms, in a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from remission.detectors import _style
from remission.detectors._scoring import judged, left
from remission.detectors._stacking import separation
from remission.detectors._training import Training, crossed
from remission.documents import Documents
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats

STRENGTHS = (3.0, 30.0, 300.0)


class Style(Detector):
    """About 260 measures of how a text is written, none of what it is about.

    Rates of function words (English), of signs and of word endings, lengths of words, rhythm of sentences (mean, spread
    and change of log length), share of different words in windows of 40, digits of numbers. All come from one compiled
    pass over the text as ``ngrams`` reads it, so layout does not count; none grows with the length of the text.

    The score, in logits, is a logistic regression on the standardised measures, cut at 3 standard deviations, after
    domains were brought to one centre (halfway between their classes).

    Only the first 32,000 characters and 2,000 words of an item are read. NaN for an item without a word or number.

    Attributes:
        strength: the inverse of the ridge, summed over all examples; 0: of 3, 30 and 300 the one with the best mean
            AUROC over held-out domains, or held-out units where there is one domain.

    Raises:
        FitError: fewer than 2 texts with words in either class.
        DataError: an item that is no text.

    Source: Mosteller & Wallace, "Inference in an authorship problem", JASA 58 (1963), for function words.

    >>> Style(strength=30).label
    'style[strength=30]'
    """

    strength: Annotated[float, Meta(ge=0)] = 0.0

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """Weights of all measures."""
        training, vocabulary = Training.of(examples)
        strength = self.strength or _chosen(training, seed)
        return {"vocabulary": vocabulary, **_style.fit(training, strength)}

    def seen(self, items: Sequence[Any]) -> list[str]:
        """The items without layout, before joined words are taken apart."""
        return left(items)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,) in logits, higher is more likely synthetic."""
        return judged(items, state["vocabulary"], lambda reading: _style.scores(state, _style.measured(reading)))


def _chosen(training: Training, seed: int) -> float:
    """The strength that lasts: best outside the domains it was fitted on, where that can be seen."""
    scores, places, folds = crossed(
        training,
        lambda part: [_style.fit(part, strength) for strength in STRENGTHS],
        lambda states, reading: np.column_stack([_style.scores(state, _style.measured(reading)) for state in states]),
        seed,
    )
    if not folds:
        return STRENGTHS[0]
    wanted = [fold for fold in folds if fold[2] == "domain"] or folds
    mean = [
        np.mean([separation(scores[low:high, i], training.synthetic[places[low:high]]) for low, high, _ in wanted])
        for i in range(len(STRENGTHS))
    ]
    return STRENGTHS[int(np.argmax(mean))]
