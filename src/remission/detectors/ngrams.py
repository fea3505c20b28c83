"""N-grams of words and letters, hashed: a bag of words that is fast and does not lean on layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from remission.detectors import _grams
from remission.detectors._scoring import judged, left
from remission.detectors._stacking import mixed, mixture
from remission.detectors._training import Training, crossed
from remission.documents import Documents
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats

COLUMNS = 3


class Ngrams(Detector):
    """Linear scores of hashed n-grams, straight from the characters in one compiled pass.

    A text is read as pieces: words, numbers, signs. Layout is gone then: blanks and line ends, kinds of quotes and
    dashes, case, accents, look-alike letters of other scripts, invisible characters, HTML entities; words that a lost
    blank joined are taken apart where both parts are known from both classes. Two kinds of n-grams are counted:

    ========== ========================================================================================
    words      1 to 2 pieces in a row
    letters    3 to 5 letters of each distinct word, its ends included
    ========== ========================================================================================

    Those that fewer than two units hold are left out. Three linear scores are taken: a logistic regression on both kinds
    (1 + ln tf, inverse document frequency, rows of length 1) and, for each kind, the mean log-ratio of document
    frequencies between classes (naive Bayes), averaged over domains. The regression is the better one where it was
    fitted, the log-ratios last longer elsewhere. The score mixes them with weights that are not negative, fitted to
    scores of held-out units and, where there are two domains or more, of held-out domains.

    Both classes weigh the same, domains as the root of their size, thirds of lengths alike within a domain.

    The score is in logits of an equal mix of both classes, without a promise: error rates come from calibration.
    Only the first 32,000 characters and 2,000 words of an item are read. NaN for an item without a word or number.

    Attributes:
        bits: logarithm of the number of buckets of each kind; n-grams that share one are told apart no more.
        penalty: C of the regression, the inverse of its ridge.

    Raises:
        FitError: fewer than 2 texts with words in either class.
        DataError: an item that is no text.

    Source: Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009; Wang & Manning,
    "Baselines and bigrams", ACL 2012, for regression beside naive Bayes.

    >>> Ngrams(bits=18).label
    'ngrams[bits=18]'
    """

    bits: Annotated[int, Meta(ge=12, le=24)] = 20
    penalty: Annotated[float, Meta(gt=0)] = 15.0

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """Weights of all buckets and of the mixture."""
        training, vocabulary = Training.of(examples)
        scores, places, folds = crossed(training, self._grams, _grams.scores, seed)
        weights = mixture(scores, training.synthetic[places], training.weight[places], folds, COLUMNS)
        return {"vocabulary": vocabulary, "mixture": weights, **self._grams(training)}

    def _grams(self, training: Training) -> dict[str, Array]:
        return _grams.fit(training, self.bits, self.penalty)

    def seen(self, items: Sequence[Any]) -> list[str]:
        """The items without layout, before joined words are taken apart."""
        return left(items)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,) in logits, higher is more likely synthetic."""
        return judged(
            items, state["vocabulary"], lambda reading: mixed(_grams.scores(state, reading), state["mixture"])
        )
