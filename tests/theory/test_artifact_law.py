"""The neutral line of an artifact against the loop itself, where the model repeats its training items."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.battery import assert_agrees, distance, measure
from theory_tools import agrees_with_power, law, part, world

from remission import Experiment
from remission.interfaces import Sampling
from remission.lab.predictions import predictions
from remission.theory.artifact_rate import undecided
from remission.world import Initial, Prediction

LOOP = """
[experiment]
generations = 4
samples = {n}
seed = 3
[source]
kind = "artifact"
base = {{ kind = "digits" }}
rate = 0.3
what = "ring"
when = "{when}"
[model]
kind = "kde"
bandwidth = 1e-6
[regime]
{regime}
[[metric]]
kind = "artifact-rate"
"""
REGIMES = {
    "replace": 'kind = "replace"',
    "fresh": 'kind = "fresh"\nshare = 0.3',
    "accumulate": 'kind = "accumulate"',
    "subsample": 'kind = "accumulate-subsample"',
    "accumulate with fresh data": 'kind = "fresh"\nshare = 0.4\nbase = { kind = "accumulate" }',
    "the same real data again": 'kind = "fixed-real"',
    "weighted": 'kind = "weighted"\nreal = 0.3',
    "web": 'kind = "web"\nsynthetic = 0.75',
}


def lines(toml: str) -> dict[str, Prediction]:
    found, _ = predictions(Experiment.from_toml(toml).world())
    return {prediction.metric: prediction for prediction in found if prediction.law == "artifact-rate"}


CASES = [(name, "first") for name in REGIMES] + [(name, "always") for name in ("replace", "fresh", "weighted")]


@pytest.mark.parametrize(("name", "when"), CASES)
def test_the_mean_rate_is_the_neutral_line(name: str, when: str) -> None:
    toml = LOOP.format(n=40, when=when, regime=REGIMES[name])
    found, rows = lines(toml), measure(toml, 2000, 500)
    assert set(found) == {"artifact-rate", "artifact-rate.training", "artifact-rate.ratio"}
    for metric, prediction in found.items():
        assert prediction.scale == "mean"
        for t, value in enumerate(prediction.values):
            assert_agrees(rows[metric][:, t], float(value), f"{name}, {when}: {metric} at t = {t + 1}")
    assert not rows["artifact-rate.reference"].any()
    moved = abs(found["artifact-rate"].values[-1] - 0.3) > 0.01
    assert moved == (when == "first" and name in ("fresh", "accumulate with fresh data", "weighted", "web"))


def test_single_runs_drift_to_all_or_nothing() -> None:
    toml = LOOP.format(n=10, when="always", regime=REGIMES["replace"]).replace("generations = 4", "generations = 30")
    rate = measure(toml, 2000, 1000)["artifact-rate.training"]
    law_of_spread = Prediction("", "", "mean", undecided(0.3, [10] * 30))
    short = dataclasses.replace(law_of_spread, values=law_of_spread.values[:12])
    assert agrees_with_power(short, (rate * (1 - rate))[:, :12])
    everywhere = rate[:, -1] == 1
    assert (everywhere | (rate[:, -1] == 0)).mean() > 0.9
    assert distance(rate[:, -1], 0.3) <= 4


def test_chains_as_long_as_a_block_repeat_it_and_shorter_ones_do_not() -> None:
    """With a phrase that the text holds by itself now and then: those count as well."""
    toml = """
[experiment]
generations = 3
samples = 60
seed = 5
[source]
kind = "artifact"
what = "phrase"
phrase = "of the"
rate = 0.25
when = "first"
base = { kind = "prose", length = 4, vocabulary = 400 }
[model]
kind = "ngram"
order = 4
[regime]
kind = "fresh"
share = 0.5
[[metric]]
kind = "artifact-rate"
"""
    found, rows = lines(toml), measure(toml, 2500, 500)
    clean = float(rows["artifact-rate.reference"].mean())
    assert clean > 0.01
    for t, value in enumerate(found["artifact-rate"].values):
        assert_agrees(rows["artifact-rate"][:, t], float(value), f"t = {t + 1}")
        assert_agrees(rows["artifact-rate.training"][:, t], float(value), f"t = {t + 1}")
    shorter = toml.replace("order = 4", "order = 2").replace('"first"', '"always"')
    assert lines(shorter) == {}
    assert distance(measure(shorter, 500, 500)["artifact-rate"][:, -1], float(found["artifact-rate"].values[0])) > 4


MARKED = part("sources", "artifact", base=part("sources", "digits"))
KDE = part("models", "kde", bandwidth=1e-3)
REPLACE = part("regimes", "replace")


def of(**changes):
    fields = {"model": KDE, "regime": REPLACE, "source": MARKED} | changes
    return world(fields.pop("model"), fields.pop("regime"), **fields)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (of(source=part("sources", "digits")), "the source plants no artifact"),
        (of(model=part("models", "gmm")), "the model (gmm) need not keep frequencies"),
        (of(model=part("models", "kde")), "the bandwidth follows the data (scott)"),
        (of(model=part("models", "kde", bandwidth=0.05)), "the kernel (0.05) blurs the artifact within 6 generations"),
        (of(sampling=Sampling(bias=0.9)), "sampling is biased (bias)"),
        (of(curators=(part("curators", "random", keep=0.5),)), "there is a curator (random)"),
        (of(initial=Initial(state="shifted", shift=1.0)), "a shifted start changes the artifact"),
        (of(model=part("models", "ngram"), source=part("sources", "artifact", base=part("sources", "prose", length=8),
            what="phrase", phrase="the")), "the chain forgets the beginning of a block"),
    ],
)  # fmt: skip
def test_refusals(where, reason):
    assert law("artifact-rate").refuses(where).startswith(reason)


def test_a_collapsed_start_keeps_the_mean():
    start = Initial(state="collapsed", distinct=2)
    toml = LOOP.format(n=40, when="first", regime=REGIMES["fresh"]) + '[initial]\nstate = "collapsed"\ndistinct = 5\n'
    assert law("artifact-rate").refuses(of(initial=start)) == ""
    rows = measure(toml, 4000, 1000)["artifact-rate"]
    assert distance(rows[:, 0], 0.3) <= 4
    assert distance(rows[:, 2], 0.147) <= 4
    assert np.std(rows[:, 0]) > 0.15
