"""Fast text statistics against slow, readable twins and nltk, on random texts."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.errors import DataError
from remission.numerics import lexical, rouge, text

words = st.lists(st.integers(0, 5), max_size=60)
rich = st.lists(st.integers(0, 40), max_size=120)
corpora = st.lists(st.lists(st.sampled_from("abcd"), max_size=12), min_size=2, max_size=7)


def ttr(tokens):
    return len(set(tokens)) / len(tokens) if tokens else 0.0


def slow_pass(tokens, threshold, least):
    factors, start = 0.0, 0
    for x in range(len(tokens)):
        part = tokens[start : x + 1]
        if x + 1 == len(tokens):
            factors += (1 - ttr(part)) / (1 - threshold)
        elif ttr(part) < threshold and len(part) >= least:
            factors += 1
            start = x + 1
    return len(tokens) / factors if factors else 0.0


def slow_mtld(tokens, threshold=0.72, least=10):
    return (slow_pass(tokens, threshold, least) + slow_pass(tokens[::-1], threshold, least)) / 2


def slow_moving(tokens, starts, threshold=0.72, least=10):
    lengths = []
    for x in range(starts):
        for y in range(x, len(tokens)):
            part = tokens[x : y + 1]
            if ttr(part) < threshold and len(part) >= least:
                lengths.append(len(part))
                break
    return sum(lengths) / len(lengths) if lengths else 0.0


def slow_mattr(tokens, window):
    if len(tokens) <= window:
        return ttr(tokens)
    return float(np.mean([ttr(tokens[x : x + window]) for x in range(len(tokens) - window + 1)]))


def slow_msttr(tokens, window):
    if len(tokens) <= window:
        return ttr(tokens)
    return float(np.mean([ttr(tokens[x : x + window]) for x in range(0, len(tokens) - window + 1, window)]))


@given(st.one_of(words, rich))
def test_mtld_is_that_of_the_quadratic_twin(tokens):
    assert lexical.mtld(tokens) == pytest.approx(slow_mtld(tokens), rel=1e-12)
    assert lexical.mtld(tokens, 0.5, 3) == pytest.approx(slow_mtld(tokens, 0.5, 3), rel=1e-12)


@given(st.one_of(words, rich))
def test_moving_mtld_is_that_of_the_cubic_twin(tokens):
    assert lexical.mtld_ma_wrap(tokens) == pytest.approx(slow_moving(tokens + tokens, len(tokens)), rel=1e-12)
    both = (slow_moving(tokens, len(tokens)) + slow_moving(tokens[::-1], len(tokens))) / 2
    assert lexical.mtld_ma_bid(tokens) == pytest.approx(both, rel=1e-12)


def test_the_twin_would_notice():
    tokens = [i % 7 for i in range(50)]
    assert lexical.mtld(tokens, 0.72) != pytest.approx(slow_mtld(tokens, 0.65), rel=1e-3)
    assert lexical.mtld_ma_wrap(tokens, 0.72, 12) != pytest.approx(slow_moving(tokens + tokens, 50, 0.72, 10))


@given(st.one_of(words, rich), st.integers(1, 12))
def test_windows(tokens, window):
    assert lexical.mattr(tokens, window) == pytest.approx(slow_mattr(tokens, window), abs=1e-12)
    assert lexical.msttr(tokens, window) == pytest.approx(slow_msttr(tokens, window), abs=1e-12)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=90))
def test_hdd_is_hypergeometric(tokens):
    n = len(tokens)
    missing = [math.comb(n - f, 42) / math.comb(n, 42) if n >= 42 else 1.0 for f in Counter(tokens).values()]
    assert lexical.hdd(tokens) == pytest.approx(sum(1 - p for p in missing) / 42, abs=1e-12)


def test_edge_cases_of_one_text():
    assert [lexical.ttr([]), lexical.root_ttr([]), lexical.mattr([]), lexical.msttr([]), lexical.hdd([])] == [0.0] * 5
    assert [lexical.mtld([]), lexical.mtld_ma_wrap([]), lexical.mtld_ma_bid([])] == [0.0] * 3
    assert math.isnan(lexical.log_ttr([]))
    assert math.isnan(lexical.maas_ttr([]))
    assert [lexical.log_ttr(["a"]), lexical.maas_ttr(["a"]), lexical.mtld(["a"])] == [0.0] * 3
    assert lexical.ttr(["a"]) == lexical.mattr(["a"]) == 1.0
    assert lexical.mtld(list(range(100))) == 0.0
    with pytest.raises(DataError, match="string"):
        lexical.ttr("to be")


@given(words, st.integers(1, 5))
def test_distinct_counts_sets(tokens, orders):
    ours = text.distinct(tokens, orders)
    for n in range(1, orders + 1):
        grams = list(zip(*(tokens[k:] for k in range(n)), strict=False))
        assert math.isnan(ours[n - 1]) if not grams else ours[n - 1] == len(set(grams)) / len(grams)


@given(corpora)
def test_distinct_does_not_cross_documents(docs):
    grams = [tuple(doc[i : i + 2]) for doc in docs for i in range(len(doc) - 1)]
    ours = text.distinct(text.documents(docs), 2)[1]
    assert math.isnan(ours) if not grams else ours == len(set(grams)) / len(grams)


def test_huge_token_numbers_are_told_apart():
    tokens = np.array([2**62, -(2**62), 2**62, 0, -1, 2**62 - 1])
    assert text.distinct(tokens, 2).tolist() == [5 / 6, 1.0]


@given(corpora)
def test_self_bleu_is_that_of_nltk(docs):
    bleu = pytest.importorskip("nltk.translate.bleu_score")
    smooth = bleu.SmoothingFunction().method1
    for orders in (4, 2):
        weights = (1 / orders,) * orders
        theirs = [
            bleu.sentence_bleu(docs[:i] + docs[i + 1 :], doc, weights, smoothing_function=smooth)
            for i, doc in enumerate(docs)
        ]
        np.testing.assert_allclose(text.self_bleu(docs, orders), theirs, rtol=1e-9, atol=1e-12)


def test_self_bleu_needs_the_brevity_penalty():
    docs = [list("abc"), list("abcdef"), list("abcdefgh")]
    bleu = pytest.importorskip("nltk.translate.bleu_score")
    smooth = bleu.SmoothingFunction().method1
    theirs = bleu.sentence_bleu(docs[1:], docs[0], smoothing_function=smooth)
    assert text.self_bleu(docs)[0] == pytest.approx(theirs, rel=1e-12)
    assert text.self_bleu(docs)[0] * math.e == pytest.approx(math.exp(math.log(0.1) / 4), rel=1e-12)


def test_self_bleu_edges():
    assert np.isnan(text.self_bleu([["a"]])).all()
    assert text.self_bleu([]).shape == (0,)
    assert text.self_bleu([["a"], []]).tolist() == [0.0, 0.0]
    assert text.self_bleu([list("abcd"), list("wxyz")]).tolist() == [0.0, 0.0]


@given(corpora, st.integers(1, 3))
def test_self_repetition_counts_documents(docs, n):
    grams = [{tuple(doc[i : i + n]) for i in range(len(doc) - n + 1)} for doc in docs]
    holders = Counter(gram for own in grams for gram in own)
    slow = np.mean([math.log(1 + sum(holders[gram] - 1 for gram in own)) for own in grams])
    assert text.self_repetition(docs, n) == pytest.approx(slow, abs=1e-12)


@given(corpora)
def test_longest_repeat_is_brute_force(docs):
    def repeats(length):
        grams = [tuple(doc[i : i + length]) for doc in docs for i in range(len(doc) - length + 1)]
        return len(set(grams)) < len(grams)

    slow = max([length for length in range(1, 13) if repeats(length)], default=0)
    assert text.longest_repeat(text.documents(docs)) == slow


@given(words, st.integers(1, 4))
def test_repeated_share(tokens, n):
    grams = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    ours = text.repeated_share(tokens, n)
    if not grams:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(sum(c for c in grams.values() if c > 1) / sum(grams.values()))


@given(corpora, corpora, st.integers(1, 3))
def test_novelty_is_set_membership(sample, real, n):
    def grams(docs):
        return [tuple(doc[i : i + n]) for doc in docs for i in range(len(doc) - n + 1)]

    made, known = grams(sample), set(grams(real))
    novel, recall = text.novelty(sample, real, n)
    assert math.isnan(novel) if not made else novel == pytest.approx(sum(g not in known for g in made) / len(made))
    assert math.isnan(recall) if not known else recall == pytest.approx(len(known & set(made)) / len(known))


def test_novelty_refuses_two_numberings():
    with pytest.raises(DataError, match="both"):
        text.novelty([["a"]], np.zeros((1, 2), int))


def slow_common(a, b):
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, j in np.ndindex(len(a), len(b)):
        table[i + 1, j + 1] = table[i, j] + 1 if a[i] == b[j] else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


@given(corpora)
def test_homogenization_is_mean_rouge_l(docs):
    scores = [
        2 * slow_common(a, b) / (len(a) + len(b)) if a or b else 0.0 for i, a in enumerate(docs) for b in docs[:i]
    ]
    assert rouge.homogenization(docs) == pytest.approx(np.mean(scores), abs=1e-12)
    assert math.isnan(rouge.homogenization(docs[:1]))


def test_compression_of_nothing_and_of_repetition():
    assert math.isnan(text.compression_ratio(""))
    random = np.random.default_rng(1).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    assert text.compression_ratio(random) < 1.01 < 20 < text.compression_ratio("to be " * 500)
