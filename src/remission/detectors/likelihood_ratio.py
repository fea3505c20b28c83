"""Log-likelihood ratio of two n-gram language models, one of human and one of synthetic text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from remission.detectors import _ratio
from remission.detectors._scoring import judged, left
from remission.detectors._training import Training
from remission.documents import Documents
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats


class LikelihoodRatio(Detector):
    """How much better a language model of synthetic text foresees each word than one of human text.

    The score is the mean over the known pieces (words, numbers, signs) of ln p(w | h, synthetic) - ln p(w | h, human),
    in nats per piece, under two interpolated Witten-Bell models of ``order`` pieces whose smoothing is shared
    (:mod:`remission.numerics.likelihood`), times k / (k + 10) for k known pieces, so that a short text scores near 0.
    Pieces seen in fewer than two units of the examples are passed over: how many there are tells the domain.

    Texts are read without layout, and weighed, as by ``ngrams``. Only the first 32,000 characters and 2,000 words of an
    item are read. NaN for an item without a word or number.

    Attributes:
        order: n of the longest n-grams.
        strength: weight of the shorter context, in different successors of the longer one.

    Raises:
        FitError: fewer than 2 texts with words in either class.
        DataError: an item that is no text.

    Source: Chen & Goodman, "An empirical study of smoothing techniques for language modeling", Computer Speech and
    Language 13 (1999), section 2.5.

    >>> LikelihoodRatio(order=2).label
    'likelihood-ratio[order=2]'
    """

    order: Annotated[int, Meta(ge=1, le=4)] = 3
    strength: Annotated[float, Meta(gt=0)] = 2.0

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """The n-grams of both classes in one table."""
        training, vocabulary = Training.of(examples)
        return {"vocabulary": vocabulary, **_ratio.fit(training, self.order, self.strength)}

    def seen(self, items: Sequence[Any]) -> list[str]:
        """The items without layout, before joined words are taken apart."""
        return left(items)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,) in nats per piece, higher is more likely synthetic."""
        return judged(items, state["vocabulary"], lambda reading: _ratio.scores(state, reading))
