"""Text statistics against the values of the upstream packages."""

import json
import re

import numpy as np
import pytest

from remission.numerics import counts, lexical, rouge, text

LEXICAL = ["ttr", "root_ttr", "log_ttr", "maas_ttr", "msttr", "mattr", "hdd", "mtld"]
KINDS = ["real", "collapsed"]


@pytest.fixture(scope="module")
def vectors(shared):
    folder = shared / "data" / "metrics"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    docs = json.loads((folder / "docs.json").read_text(encoding="utf-8"))
    return expected, docs


def agree(ours, theirs, tolerance):
    return bool(np.allclose(ours, theirs, rtol=tolerance, atol=tolerance))


def check(ours, theirs, tolerance):
    assert agree(ours, theirs, tolerance)
    assert not agree(1.1 * ours, theirs, tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LEXICAL)
def test_lexical_diversity(vectors, kind, name):
    expected = vectors[0]["text"][kind]
    check(getattr(lexical, name)(expected["tokens"]), expected[f"lexical_diversity.{name}"], 1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["mtld_ma_wrap", "mtld_ma_bid"])
def test_moving_mtld(vectors, kind, name):
    expected = vectors[0]["text"][kind]
    check(getattr(lexical, name)(expected["tokens"][:600]), expected[f"lexical_diversity.{name}"], 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_formulas(vectors, kind):
    expected = vectors[0]["text"][kind]
    check(text.distinct(expected["tokens"]), [expected[f"distinct_{n}"] for n in range(1, 5)], 1e-12)
    found = np.bincount(text.encode(expected["tokens"]))
    p = counts.shares(found)
    check(counts.entropy(p) / np.log(2), expected["unigram_entropy_bits"], 1e-12)
    check(counts.hapax_share(found), expected["hapax_fraction_of_types"], 1e-12)
    check(counts.heterozygosity(p), expected["simpson_1_minus_sum_p2"], 1e-12)
    check(counts.yules_k(found), expected["yules_k"], 1e-12)
    check(counts.chao1(found), expected["chao1"], 1e-12)
    check(counts.unseen_mass(found), expected["good_turing_unseen_mass"], 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_self_bleu(vectors, kind):
    docs = [re.findall("[a-z']+", doc.lower()) for doc in vectors[1][kind][:40]]
    ours = text.self_bleu([doc for doc in docs if len(doc) >= 4]).mean()
    check(ours, vectors[0]["text"][kind]["self_bleu4_method1_first40"], 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_corpus_diversity(vectors, kind):
    docs, expected = vectors[1][kind], vectors[0]["text"][kind]
    joined = " ".join(docs)
    check(text.ngram_diversity(joined.split(" ")), expected["diversity.ngram_diversity_score_n4"], 5e-4)
    check(text.self_repetition([doc.split() for doc in docs]), expected["diversity.self_repetition_n4"], 1e-9)
    check(text.compression_ratio(joined), expected["plain.compression_ratio_zlib9"], 1e-3)
    check(text.compression_ratio(joined, "lzma"), expected["plain.compression_ratio_lzma6"], 1e-3)
    check(text.compression_ratio(joined, "lzma"), expected["diversity.compression_ratio_xz"], 5e-4)
    plain = [re.sub("[^a-z0-9]+", " ", doc.lower()).split() for doc in docs[:40]]
    check(rouge.homogenization(plain), expected["diversity.homogenization_rougel"], 5e-4)


def test_histograms(vectors):
    for case in vectors[0]["histograms"]:
        p, q = np.array(case["p"]), np.array(case["q"])
        kl = counts.kullback_leibler(p, q)
        assert agree(kl, case["kl_pq"], 1e-12) if case["kl_pq"] is not None else kl == np.inf
        assert agree(counts.jensen_shannon(p, q), case["js_nats"], 1e-12)
        assert agree(counts.total_variation(p, q), case["tv"], 1e-12)
        check(counts.entropy(p), case["entropy_p"], 1e-12)
