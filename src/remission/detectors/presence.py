"""Which words and pairs of words occur at all, and a logistic regression: plain, quick to fit, made for cross-fitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from remission.documents import Documents
from remission.errors import DataError, FitError
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats

_WORD = r"(?u)\w+"


class Presence(Detector):
    """Logistic regression on the presence of words and word pairs, both classes weighing the same.

    Unlike ``text`` and ``ngrams`` it looks for nothing that lasts in other domains. Where examples of the very kind of the
    corpus exist it is hard to beat for estimating a share from single sentences (``remission prevalence --examples``), and
    a fit to 100,000 sentences takes seconds.

    Case, blanks and signs are not seen. NaN for an item without a word.

    Attributes:
        longest: most words in a row.
        least: n-grams in fewer examples are left out.
        penalty: C of the regression, the inverse of its ridge.
    """

    longest: Annotated[int, Meta(ge=1, le=5)] = 2
    least: Annotated[int, Meta(ge=1)] = 5
    penalty: Annotated[float, Meta(gt=0)] = 0.1

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """Words and their weights."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression

        assert examples.synthetic is not None
        least = max(1, min(self.least, len(examples) // 20))
        vectorizer = CountVectorizer(
            binary=True, token_pattern=_WORD, ngram_range=(1, self.longest), min_df=least, dtype=np.float64
        )
        try:
            counts = vectorizer.fit_transform(_texts(examples.items))
        except ValueError:
            raise FitError(
                f"No word occurs in {least} of the {len(examples)} examples. Give more, or lower least."
            ) from None
        model = LogisticRegression(
            C=self.penalty, solver="liblinear", class_weight="balanced", random_state=seed, max_iter=1000
        )
        model.fit(counts, examples.synthetic)
        return {
            "grams": np.asarray(vectorizer.get_feature_names_out(), dtype=np.str_),
            "weights": model.coef_[0],
            "offset": model.intercept_,
        }

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,) in logits, higher is more likely synthetic."""
        from sklearn.feature_extraction.text import CountVectorizer

        texts = _texts(items)
        vectorizer = CountVectorizer(
            binary=True,
            token_pattern=_WORD,
            ngram_range=(1, self.longest),
            vocabulary=state["grams"].tolist(),
            dtype=np.float64,
        )
        scores = np.asarray(vectorizer.transform(texts) @ state["weights"]) + state["offset"][0]
        silent = np.array([not any(letter.isalnum() for letter in text) for text in texts], dtype=bool)
        return np.where(silent, np.nan, scores)


def _texts(items: Sequence[Any]) -> list[str]:
    wrong = next((item for item in items if not isinstance(item, str)), None)
    if wrong is not None:
        raise DataError(f"'presence' takes texts. Got a {type(wrong).__name__}.")
    return [item.encode("utf-8", "replace").decode("utf-8") for item in items]
