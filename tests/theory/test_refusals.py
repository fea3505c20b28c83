"""Laws say why they do not apply, and the lab collects what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from theory_tools import law, part, world

from remission import registry
from remission.interfaces import Part, Recipe, Regime, Sampling
from remission.lab.predictions import predictions
from remission.world import Initial


def g(**fields):
    return part("models", "gaussian", **fields)


def r(kind, **fields):
    return part("regimes", kind, **fields)


KEEP = part("curators", "random", keep=0.5)
TOP = part("curators", "top", fraction=0.5, score=(1.0,))
UNIGRAM = part("models", "unigram")
ZIPF = part("sources", "zipf", types=5)
LINEAR = part("sources", "linear-world", dimensions=5)
FLAT = part("sources", "zipf", types=5, exponent=0.0)


class Older(Regime):
    """Every model is used for ever, in turn, with unequal weights drawn at random."""

    def recipe(self, t: int, n: int) -> Recipe:
        if t == 1:
            return Recipe((Part(0, n),), ((1, 1),))
        return Recipe((Part(0, n // 2, 2.0), Part(t - 1, n // 2)), ((t, t),), mixed=True)


REFUSED = [
    ("gaussian-variance", world(part("models", "gmm"), r("replace")), "the model is gmm, not gaussian"),
    ("gaussian-variance", world(g(), r("replace"), curators=(KEEP,)), "there is a curator (random)"),
    ("gaussian-variance", world(g(), r("replace"), sampling=Sampling(bias=0.9)), "sampling is biased (bias)"),
    ("gaussian-variance", world(g(), r("fresh")), "real data keeps arriving"),
    ("gaussian-variance", world(g(), r("replace", lag=2)), "a model older than the last is sampled"),
    ("gaussian-variance", world(g(), r("accumulate")), "older batches are trained on again"),
    (
        "gaussian-variance",
        world(g(estimator="mean-only"), r("replace")),
        "the estimator is mean-only, not mle or unbiased",
    ),
    (
        "gaussian-variance",
        world(g(), r("replace"), initial=Initial(state="collapsed")),
        "the start is collapsed, not real",
    ),
    ("gaussian-variance", world(g(), r("replace"), source=part("sources", "digits")), "mean and covariance"),
    ("log-variance", world(g(), r("replace"), source=part("sources", "ring")), "not known to be normal"),
    ("wasserstein-risk", world(g(), r("replace"), source=part("sources", "gaussian", dimensions=2)), "2 dimensions"),
    ("gaussian-dimensions", world(g(), r("replace"), source=part("sources", "gaussian", dimensions=10)), "singular"),
    ("accumulate-variance", world(g(), r("accumulate"), n=(5, 6, 7)), "the number of items per generation changes"),
    ("accumulate-variance", world(g(), r("accumulate", window=2)), "not all batches are kept"),
    ("accumulate-variance", world(g(), r("accumulate-subsample")), "the training set is a subsample"),
    ("accumulate-subsample-variance", world(g(), r("accumulate-subsample", with_replacement=True)), "with replacement"),
    ("accumulate-subsample-variance", world(g(), r("accumulate")), "not a subset of as many items"),
    ("fresh-mix", world(g(), r("web")), "the origin of every item is drawn at random"),
    ("fresh-mix", world(g(), r("fresh", share=(0.1, 0.3, 0.5))), "the share of real data changes"),
    ("weighted-mix", world(g(), r("weighted")), "the estimator is mle, not mean-only"),
    (
        "contaminated-accumulate",
        world(g(estimator="mean-only", known=2.0), r("fresh", base=r("accumulate"))),
        "the known variance is 2 in all, the real one 1",
    ),
    ("fixed-real-mix", world(g(), r("replace")), "not batch 1 and the newest"),
    ("filtered-mix", world(g(), r("web"), curators=(KEEP,)), "a curator other than one oracle"),
    ("filtered-mix", world(g(), r("web"), curators=(part("curators", "oracle"),), refill=False), "without refill"),
    ("filtered-mix", world(g(), r("fresh")), "is fixed, not drawn"),
    ("sum-law", world(g(estimator="unbiased"), r("replace")), "the estimator is unbiased, not mle"),
    ("sum-law", world(part("models", "gmm", floor=1e-6), r("replace")), "the covariance floor adds variance"),
    ("moment-recursion", world(g(), r("web"), curators=(TOP,)), "the curator top selects by content"),
    ("moment-recursion", world(g(), r("web"), curators=(KEEP,), refill=False), "random number of items"),
    ("moment-recursion", world(g(), r("fresh"), curators=(KEEP,)), "exact shares"),
    (
        "moment-recursion",
        world(g(), r("replace"), curators=(part("curators", "oracle", tpr=1.0),)),
        "the curators keep nothing in generation 2",
    ),
    ("moment-recursion", world(g(), Older()), "the total weight is random"),
    ("moment-recursion", world(part("models", "gmm", covariance="low-rank", rank=1), r("replace")), "low-rank"),
    ("moment-recursion", world(part("models", "gmm"), r("replace"), sampling=Sampling(bias=0.9)), "biased"),
    ("moment-recursion", world(UNIGRAM, r("replace"), source=ZIPF, sampling=Sampling(top_k=2)), "biased (top_k)"),
    ("moment-recursion", world(g(estimator="unbiased"), r("replace"), n=1), "two items per fit"),
    (
        "moment-recursion",
        world(UNIGRAM, r("replace"), source=ZIPF, initial=Initial(state="shifted")),
        "symbols cannot be shifted",
    ),
    ("heterozygosity", world(part("models", "unigram", smoothing=1.0), r("replace"), source=ZIPF), "smoothing is 1.0"),
    ("type-survival", world(UNIGRAM, r("replace"), source=ZIPF, n=5000), "a chain of 5000 items over"),
    ("type-survival-fresh", world(UNIGRAM, r("replace"), source=ZIPF), "no real data arrives after the start"),
    (
        "type-survival-fresh",
        world(UNIGRAM, r("fresh", share=(0.1, 0.3, 0.5)), source=ZIPF),
        "the share of real data changes",
    ),
    (
        "type-survival-fresh",
        world(UNIGRAM, r("fresh"), source=ZIPF, n=(5, 6, 7)),
        "the number of items per generation changes",
    ),
    ("fixation-time", world(UNIGRAM, r("replace"), source=ZIPF), "there are 5 types, not 2"),
    ("kernel-replace", world(part("models", "kde"), r("replace")), "the bandwidth follows the data (scott)"),
    ("regression-replace", world(part("models", "linear", ridge=1.0), r("replace"), source=LINEAR), "ridge is 1.0"),
    ("regression-replace", world(part("models", "linear"), r("replace"), source=LINEAR, n=6), "too few (at least 7)"),
    (
        "regression-accumulate",
        world(part("models", "linear", noise=1.0), r("accumulate"), source=LINEAR, n=20),
        "covariates is new, not same",
    ),
    (
        "regression-accumulate",
        world(part("models", "linear", covariates="same"), r("accumulate"), source=LINEAR, n=20),
        "label noise is fit",
    ),
    (
        "regression-minimum-norm",
        world(part("models", "linear", noise=0.0), r("replace"), source=LINEAR, n=4),
        "less than 4",
    ),
    ("curated-types", world(UNIGRAM, r("replace"), source=ZIPF), "not exactly one preference"),
    (
        "tipping-point",
        world(UNIGRAM, r("fresh"), source=FLAT, sampling=Sampling(temperature=0.8)),
        "10 items are too few",
    ),
    ("tipping-point", world(UNIGRAM, r("fresh"), source=FLAT, n=10000), "the temperature is 1"),
    ("verified-labels", world(g(), r("replace")), "the model is gaussian, not logistic"),
    ("tail-cut", world(UNIGRAM, r("replace"), source=ZIPF), "not cut to the top k alone"),
    ("coupled-models", world(g(), r("replace")), "it needs several models"),
    ("cross-modal", world(g(), r("replace")), "it needs a text and an image model"),
    ("regression-shifted-labels", world(g(), r("replace")), "second source"),
]


@pytest.mark.parametrize(("name", "of", "phrase"), REFUSED, ids=[f"{case[0]}-{i}" for i, case in enumerate(REFUSED)])
def test_refusal_says_why(name, of, phrase):
    reason = law(name).refuses(of)
    assert phrase in reason
    assert not reason.endswith(".")


def test_every_law_answers_every_world():
    """No law crashes on a world that is not its own, and each is refused somewhere and accepted nowhere by accident."""
    for _, of, _ in REFUSED:
        made, refused = predictions(of)
        assert {item.law for item in made} | {item.law for item in refused} == set(registry.names("theory"))
        assert all(item.values.shape == (of.generations,) for item in made)


def test_laws_that_apply_together_agree():
    """Where several laws speak of the same row on the same scale they say the same."""
    for of in (
        world(g(), r("replace"), n=50),
        world(g(), r("accumulate")),
        world(g(), r("fresh"), n=50),
        world(g(), r("web"), n=50),
        world(UNIGRAM, r("replace"), source=part("sources", "zipf", p=(0.5, 0.5)), n=20),
    ):
        made, _ = predictions(of)
        rows: dict[tuple[str, str], list[np.ndarray]] = {}
        for item in made:
            rows.setdefault((item.metric, item.scale), []).append(item.values)
        assert any(len(values) > 1 for values in rows.values())
        for values in rows.values():
            for other in values[1:]:
                np.testing.assert_allclose(other, values[0], rtol=1e-9)


def test_rows_are_named_as_measured():
    plain = world(g(), r("replace"), n=50)
    assert not any("of=" in item.metric for item in predictions(plain)[0])
    metrics = (part("metrics", "moments", of="training"), part("metrics", "moments", of="model"))
    names = {item.metric for item in predictions(dataclasses.replace(plain, metrics=metrics))[0]}
    assert {"moments[of=training].error", "moments[of=model].variance", "moments.variance"} <= names
    assert "moments[of=sample].total" not in names
    symbols = world(UNIGRAM, r("replace"), source=ZIPF)
    metrics = (part("metrics", "types", rare=0.25), part("metrics", "heterozygosity", of="sample"))
    names = {item.metric for item in predictions(dataclasses.replace(symbols, metrics=metrics))[0]}
    assert "types[rare=0.25].alive" in names
    assert "heterozygosity[of=sample]" not in names


@pytest.mark.parametrize("generations", [1, 2])
def test_short_worlds(generations):
    """One or two generations, nothing that arrives, nothing but real data."""
    for regime in (
        r("replace"),
        r("accumulate"),
        r("fresh", share=1.0),
        r("fixed-real", share=1.0),
        r("web"),
        r("weighted"),
    ):
        for model, source in ((g(), None), (g(estimator="mean-only"), None), (UNIGRAM, ZIPF)):
            made, _ = predictions(world(model, regime, source=source, generations=generations, n=20))
            assert any(item.law == "moment-recursion" for item in made)
            assert all(np.isfinite(item.values).all() for item in made if item.scale == "mean")
