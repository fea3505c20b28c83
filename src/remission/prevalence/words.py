"""The mixture of word occurrences of Liang et al., for comparison with published numbers."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Floats
from remission.documents import Documents
from remission.errors import DataError
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.mixing import mixing_weight
from remission.scored import Scored

_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class Words(Prevalence):
    r"""Liang et al., arXiv 2403.07183 and 2404.01268: how often each word occurs decides how likely a sentence is.

    A sentence x has the log-likelihood  sum over words in x of log p(w)  +  sum over the other words of log(1 - p(w)), with
    p(w) the share of human (synthetic) calibration sentences that hold w; pi maximises the likelihood of the mix, and the
    interval is the bootstrap's over sentences of the corpus, as published. It is here to be compared: p is fitted
    on the items that are then not looked at again, words seen in one class alone are left out, and the interval knows of
    sampling only, so on the authors' own validation corpora it is about 2 points too high with intervals that miss.

    Attributes:
        human_least: a word counts when that many human sentences hold it.
        synthetic_least: and that many synthetic ones.
        resamples: how many.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"synthetic", "words"})

    human_least: Annotated[int, Meta(ge=1)] = 5
    synthetic_least: Annotated[int, Meta(ge=1)] = 3
    resamples: Annotated[int, Meta(ge=100)] = 1000

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Value and interval."""
        samples = (scored.target, scored.human, scored.synthetic)
        if scored.synthetic is None or any(sample is None or sample.documents is None for sample in samples):
            raise DataError("'words' needs the texts of the corpus and of human and synthetic calibration items.")
        split = [
            _sentences(sample.documents) for sample in samples if sample is not None and sample.documents is not None
        ]
        (target, owner), (human, _), (synthetic, _) = split
        weight = scored.target.weight[owner]
        gain = _log_ratio(target, human, synthetic, self.human_least, self.synthetic_least)
        ratio = np.exp(np.clip(gain, -300, 300))
        value = mixing_weight(ratio, weight)
        rng = np.random.default_rng(seed)
        rows = int(weight.sum())
        found = [
            mixing_weight(ratio, rng.multinomial(rows, weight / weight.sum()).astype(float))
            for _ in range(self.resamples)
        ]
        low, high = np.quantile(found, [(1 - level) / 2, 0.5 + level / 2])
        return Estimate(value, float(low), float(high), level, self.name(), len(scored.target))


def _sentences(documents: Documents) -> tuple[list[str], np.ndarray]:
    """All sentences, and the place of the document each is from."""
    parts = [[part for part in _SENTENCE.split(text.strip()) if part] or [""] for text in documents.items]
    return [part for group in parts for part in group], np.repeat(
        np.arange(len(parts)), [len(group) for group in parts]
    )


def _log_ratio(target: list[str], human: list[str], synthetic: list[str], first: int, second: int) -> Floats:
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b", dtype=np.float64)
    counts = vectorizer.fit_transform(human + synthetic)
    one = _occurrences(counts[: len(human)])
    other = _occurrences(counts[len(human) :])
    used = (one >= first) & (other >= second)
    if not used.any():
        raise DataError("No word occurs often enough in both calibration samples. Give more of each.")
    p, q = one[used] / len(human), other[used] / len(synthetic)
    p, q = np.clip(p, None, 1 - 0.5 / len(human)), np.clip(q, None, 1 - 0.5 / len(synthetic))
    present, absent = np.log(q / p), np.log1p(-q) - np.log1p(-p)
    there = vectorizer.transform(target)[:, np.flatnonzero(used)]
    return np.asarray(there @ (present - absent)) + float(absent.sum())


def _occurrences(counts: Any) -> Floats:
    return np.asarray(counts.sum(axis=0), dtype=float).ravel()
