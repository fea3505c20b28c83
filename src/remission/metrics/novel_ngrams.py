"""Novel n-grams: how much of the generated text was never in the real text, and how much of that is still produced."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._words import Unit, first, real_units, sizes, units
from remission.numerics import text
from remission.view import View


class NovelNgrams(Metric):
    """Novelty and recall of n-grams, both in [0, 1].

    ``novel`` = share of the n-gram places of the sample whose n-gram occurs nowhere in the real items (McCoy et al.
    2023, arXiv:2111.09509, section 3): near 0 for a model that copies, near 1 for one that drifts into noise, so it may
    move either way; ``recall`` = share of the different real n-grams that the sample still produces: falls in collapse.
    Recall compares equally many real and generated blocks; novelty looks the sample up in all real blocks.

    Attributes:
        n: tokens per n-gram.
        against: ``real``: the items of fit 1, which a model could have memorised; ``reference``: real items never
            trained on, the level that honest new text would reach.
        unit: ``tokens``, or ``words``, numbers and signs of the text they make (as in ``distinct``).

    >>> NovelNgrams(n=4, against="reference").label
    'novel-ngrams[n=4,against=reference]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"novel": "either", "recall": "falls"}
    sized: ClassVar[bool] = True

    n: Annotated[int, Meta(ge=1, le=64)] = 3
    against: Literal["real", "reference"] = "real"
    unit: Unit = "tokens"

    def prepare(self, view: View) -> tuple[list[int] | None, list[text.Documents]] | None:
        """How many words the reference has, and the words of the real items."""
        return None if self.unit == "tokens" else (sizes(view, self.unit), real_units(view, self.against, self.unit))

    def measure(self, view: View) -> dict[str, Floats]:
        """Two columns (r,)."""
        if self.unit == "words":
            return self._of_words(view)
        real = view.real if self.against == "real" else view.reference
        sample = view.pair()[0]
        equal = min(sample.shape[1], real.shape[1])
        novel = [text.novelty(made, known, self.n)[0] for made, known in zip(sample, real, strict=True)]
        pairs = zip(sample[:, :equal], real[:, :equal], strict=True)
        recall = [text.novelty(made, known, self.n)[1] for made, known in pairs]
        return {"novel": np.array(novel), "recall": np.array(recall)}

    def _of_words(self, view: View) -> dict[str, Floats]:
        most, real = view.prepared
        novel, recall = [], []
        for made, known in zip(units(view, self.unit, most), real, strict=True):
            equal = min(made.flat.size, known.flat.size)
            novel.append(text.novelty(made, known, self.n)[0])
            recall.append(text.novelty(first(made, equal), first(known, equal), self.n)[1])
        return {"novel": np.array(novel), "recall": np.array(recall)}
