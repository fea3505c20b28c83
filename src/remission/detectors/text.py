"""The full stack for text: n-grams, language models and style in one score. The default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from remission.detectors import _grams, _ratio, _style
from remission.detectors._scoring import judged, left, named, part
from remission.detectors._stacking import mixed, mixture
from remission.detectors._training import Training, crossed
from remission.documents import Documents
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats
from remission.numerics.reading import Reading

ORDER, SHORTER = 3, 0.2  # of the likelihood ratio: longest n-gram, and weight of shorter contexts
STYLE = 1.0  # a cautious fit of the measures of style
COLUMNS = 6


class Text(Detector):
    """The scorers of ``ngrams``, ``likelihood-ratio`` and ``style``, mixed by what they are worth on held-out text.

    Each text is read once (see ``ngrams``: layout is gone then) and gets six scores: the regression and the log-ratios
    of hashed n-grams of words, of letters, and of 1 to 3 words masked (all but the 300 most frequent are replaced by
    their last two letters, so that grammar is left and subject matter is not); the log-likelihood ratio of word
    trigrams; and a regression on measures of style. They are mixed by a logistic regression without negative weights
    on cross-fitted scores: of held-out units, of held-out domains where there are two or more, and of held-out
    generators likewise. A scorer that is good only where it was fitted therefore counts for less. Mixing cross-fits on
    at most 6,000 texts.

    The score is in logits of an equal mix of both classes, without a promise: error rates come from calibration.
    Only the first 32,000 characters and 2,000 words of an item are read. NaN for an item without a word or number.

    Attributes:
        bits: logarithm of the number of buckets of each kind of n-gram.
        penalty: C of the regression on n-grams, the inverse of its ridge.

    Raises:
        FitError: fewer than 2 texts with words in either class.
        DataError: an item that is no text.

    Source: Stamatatos, "Authorship attribution using text distortion", EACL 2017, for masking; Wolpert, "Stacked
    generalization", Neural Networks 5 (1992); Breiman, "Stacked regressions", Machine Learning 24 (1996), for weights
    that are not negative.

    >>> Text().label
    'text'
    """

    bits: Annotated[int, Meta(ge=12, le=24)] = 20
    penalty: Annotated[float, Meta(gt=0)] = 15.0

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """All scorers, and the weights of the mixture."""
        training, vocabulary = Training.of(examples)
        scores, places, folds = crossed(training, self._parts, _scores, seed)
        weights = mixture(scores, training.synthetic[places], training.weight[places], folds, COLUMNS)
        return {"vocabulary": vocabulary, "mixture": weights, **self._parts(training)}

    def _parts(self, training: Training) -> dict[str, Array]:
        return (
            named("grams", _grams.fit(training, self.bits, self.penalty, mask=True))
            | named("ratio", _ratio.fit(training, ORDER, SHORTER))
            | named("style", _style.fit(training, STYLE))
        )

    def seen(self, items: Sequence[Any]) -> list[str]:
        """The items without layout, before joined words are taken apart."""
        return left(items)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,) in logits, higher is more likely synthetic."""
        return judged(items, state["vocabulary"], lambda reading: mixed(_scores(state, reading), state["mixture"]))


def _scores(state: dict[str, Array], reading: Reading) -> Floats:
    """What every scorer says of each text (m, COLUMNS)."""
    grams, ratio = _grams.scores(part(state, "grams"), reading), _ratio.scores(part(state, "ratio"), reading)
    return np.column_stack([grams, ratio, _style.scores(part(state, "style"), _style.measured(reading))])
