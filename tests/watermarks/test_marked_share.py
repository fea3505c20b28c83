"""The share of marked text: its interval covers the truth, and does not when the law of unmarked text is wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from remission.clinic._marked import METHOD, marked_share, none_found
from remission.evidence import Evidence
from remission.numerics.arrays import Floats
from remission.watermarking import Key
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw

TEXTS, RUNS = 250, 60
Strengths = Literal["one", "many"]


def corpus(share: float, strengths: Strengths, seed: int) -> tuple[Evidence, float]:
    """Gumbel scores of texts of 30 to 300 tokens, and the share of tokens in marked ones.

    ``one``: all next tokens have half of the probability, so scores of marked text are - ln(1 - sqrt(u)).
    ``many``: every text has a probability of its own, from nearly sure (no mark to be seen) to rare.
    """
    rng = np.random.default_rng([seed, round(1000 * share)])
    n = rng.integers(30, 300, TEXTS)
    marked = rng.random(TEXTS) < share
    p = np.full(TEXTS, 0.5) if strengths == "one" else rng.beta(1.5, 1.5, TEXTS)
    total = rng.standard_gamma(n)
    for text in np.flatnonzero(marked):
        total[text] = -np.log1p(-(rng.random(n[text]) ** p[text])).sum()
    nothing = np.empty(0)
    where = np.empty(0, np.int64)
    return Evidence(where, nothing, where, n, total, Gumbel(), Key("g", (1,))), float(n[marked].sum() / n.sum())


@cache
def covered(share: float, strengths: Strengths, stretch: float = 1.0, runs: int = RUNS) -> tuple[int, int, float]:
    """In how many corpora the interval covers the truth, in how many it begins above 0, and the mean error."""
    hits, above, error = 0, 0, 0.0
    for seed in range(runs):
        found, truth = corpus(share, strengths, seed)
        estimate = marked_share(replace(found, total=found.total * stretch), np.ones(TEXTS, np.bool_))
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert (estimate.method, estimate.n) == (METHOD, TEXTS)
        hits += estimate.low <= truth <= estimate.high
        above += estimate.low > 0
        error += (estimate.value - truth) / runs
    return hits, above, error


@pytest.mark.parametrize("strengths", ["one", "many"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_intervals_cover(share: float, strengths: Strengths) -> None:
    """95 % nominal, over 60 corpora: fewer than 51 would come by chance once in 2,000; without marks few are claimed."""
    hits, above, error = covered(share, strengths)
    assert hits >= stats.binom.ppf(5e-4, RUNS, 0.95)
    assert abs(error) < 0.02
    if share == 0.0:
        assert above <= 2
    if share == 0.2:
        assert above == RUNS


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_a_law_that_is_10_percent_off_does_not_cover(share: float) -> None:
    hits, above, error = covered(share, "one", 1.1, 15)
    assert hits <= 3
    assert above >= 12
    assert error > 0.1


def test_parts_and_too_few_texts() -> None:
    """Strata are judged alone; with fewer than 40 texts that count, nothing is said."""
    found, _ = corpus(0.2, "one", 1)
    strong = found.total / found.n > 1.3
    both = marked_share(found, np.ones(TEXTS, np.bool_))
    unmarked = marked_share(found, ~strong)
    assert unmarked.low == 0.0
    assert unmarked.value < 0.05 < both.low
    same = marked_share(found, np.ones(TEXTS, np.bool_))
    assert same == both
    few = marked_share(found, np.arange(TEXTS) < 39)
    assert (few.n, few.method) == (0, METHOD)
    assert all(math.isnan(value) for value in (few.value, few.low, few.high))
    empty = replace(found, n=np.where(np.arange(TEXTS) < 39, found.n, 0), total=found.total)
    assert marked_share(empty, np.ones(TEXTS, np.bool_)).n == 0
    wider = marked_share(found, np.ones(TEXTS, np.bool_), 0.99)
    assert wider.low < both.low < both.high < wider.high


def test_green_lists_where_all_are_green() -> None:
    """The strongest marks that a count of green tokens can show do not break the mixture."""
    mark, rng = Kgw(vocabulary=1000), np.random.default_rng(0)
    n = rng.integers(40, 200, TEXTS)
    total = rng.binomial(n, 0.25).astype(np.float64)
    total[:50] = n[:50]
    where, nothing = np.empty(0, np.int64), np.empty(0)
    found = marked_share(Evidence(where, nothing, where, n, total, mark, Key("k", (1,))), np.ones(TEXTS, np.bool_))
    assert found.low <= n[:50].sum() / n.sum() <= found.high
    assert found.value == pytest.approx(n[:50].sum() / n.sum(), abs=0.01)


def test_none_found_is_exact() -> None:
    """With the upper end as share, no finding among so many texts has just the probability 1 - level."""
    for texts in (1, 7, 100, 10_000):
        for level in (0.9, 0.95):
            found = none_found(texts, level)
            assert (found.value, found.low, found.n) == (0.0, 0.0, texts)
            assert stats.binom.pmf(0, texts, found.high) == pytest.approx(1 - level, rel=1e-9)
            assert abs(stats.binom.pmf(0, texts, 0.9 * found.high) / (1 - level) - 1) > 0.08
    assert none_found(0).high == 1.0
    silent: Floats = np.random.default_rng(0).random((20_000, 50)) < none_found(50).high  # type: ignore[assignment]
    assert (~silent.astype(bool).any(axis=1)).mean() == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 20_000))
