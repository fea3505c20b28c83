"""A passage that stands in many texts is evidence once, and nothing else is lost by that."""

from __future__ import annotations

import numpy as np
import pytest

from remission.clinic.power import write
from remission.clinic.profiles import Hypothesis, Profile
from remission.clinic.watermarking import Wish, scan
from remission.documents import Documents
from remission.evidence import weigh
from remission.watermarking import Key, TextWatermark, Tokens
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw

SIZE = 200
MARKS: list[TextWatermark] = [Gumbel(), Kgw(vocabulary=SIZE)]


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.name())
def test_a_copied_passage_is_one_discovery(mark: TextWatermark) -> None:
    rng = np.random.default_rng(3)
    key = mark.random_key(rng)
    passage = write(mark, key, 1, 80, 3.0, rng, SIZE)[0]
    texts = [np.concatenate([row[:60], passage, row[60:]]) for row in write(None, None, 40, 120, 3.0, rng, SIZE)]
    looked_for = [Hypothesis(Profile("p", mark), key)]
    counts = {
        repeats: scan(Documents(texts), looked_for, Wish(repeats=repeats)).marked for repeats in ("text", "passages")
    }
    assert counts["text"].sum() >= 38
    assert counts["passages"][0]
    assert counts["passages"][1:].sum() <= 3


def test_short_contexts_keep_their_power() -> None:
    """Where every pair of tokens was seen before, a corpus in which tuples count once has nothing left to say."""
    mark, rng = Kgw(vocabulary=SIZE), np.random.default_rng(4)
    key = mark.random_key(rng)
    plain, marked = write(None, None, 600, 200, 3.0, rng, SIZE), write(mark, key, 20, 200, 3.0, rng, SIZE)
    tokens = Tokens.of([*plain, *marked])
    found = {repeats: weigh(mark, key, tokens, repeats).log10_p[600:] for repeats in ("passages", "corpus", "text")}
    assert (found["passages"] < -5).mean() >= 0.95
    assert (found["corpus"] < -5).mean() <= 0.2
    np.testing.assert_allclose(found["passages"], found["text"], atol=2.0)


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.name())
def test_false_discoveries_where_texts_share_passages(mark: TextWatermark) -> None:
    """Templates: every text holds three of ten passages. The share of p <= 5 % is not above that, over many keys."""
    rng = np.random.default_rng(5)
    templates = write(None, None, 10, 40, 2.0, rng, SIZE)
    rows = write(None, None, 150, 60, 2.0, rng, SIZE)
    texts = Tokens.of([np.concatenate([row, *templates[rng.choice(10, 3, replace=False)]]) for row in rows])
    shares = np.array(
        [(weigh(mark, mark.random_key(rng), texts, "passages").log10_p <= np.log10(0.05)).mean() for _ in range(300)]
    )
    error = shares.std(ddof=1) / np.sqrt(shares.size)
    assert shares.mean() <= 0.05 + 4 * error
    every = np.array([(_counting_all(mark, mark.random_key(rng), texts) <= np.log10(0.05)).mean() for _ in range(300)])
    assert every.mean() > shares.mean()  # what is counted again has fatter tails
    assert error < 0.003


def _counting_all(mark: TextWatermark, key: Key, texts: Tokens) -> np.ndarray:
    return weigh(mark, key, texts, "all").log10_p
