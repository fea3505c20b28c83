"""Experiments: strict, spelled back equal, every mistake answered with what was given, allowed and to try."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import DataError, Experiment, SpecError, registry
from remission.checks import check_experiment
from remission.interfaces import Sampling
from remission.schedule import Ramp, value_at

PLAIN = """
[experiment]
generations = 5
replicates = 3
samples = 50
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[regime]
kind = "replace"
"""

RICH = """
[experiment]
title = 'a "quoted" title'
generations = 12
replicates = 3
samples = { start = 100, factor = 1.5, high = 400 }
seed = 4
refill = false
start = "scratch"
[source]
kind = "gaussian"
dimensions = 2
correlation = 0.3
[model]
kind = "gaussian"
estimator = "unbiased"
[regime]
kind = "stages"
durations = [4]
regimes = [
  { kind = "replace", lag = 2 },
  { kind = "fresh", share = [0.0, 0.1, 0.2], base = { kind = "accumulate", window = 3 } },
]
[sampling]
bias = 0.9
[[curator]]
kind = "oracle"
tpr = { start = 0.9, step = -0.05, low = 0.2 }
[[curator]]
kind = "random"
keep = 0.5
on = "synthetic"
[[metric]]
kind = "moments"
[sweep]
"model.estimator" = ["mle", "unbiased"]
"curator.0.fpr" = [0.0, 0.1]
"""


@pytest.mark.parametrize("text", [PLAIN, RICH])
def test_toml_round_trip(text: str) -> None:
    experiment = Experiment.from_toml(text)
    again = Experiment.from_toml(experiment.to_toml())
    assert again == experiment
    assert again.id == experiment.id


def test_sweep_points_carry_names_and_settings() -> None:
    points = Experiment.from_toml(RICH).points
    assert [point.name for point in points][:2] == [
        "model.estimator=mle, curator.0.fpr=0",
        "model.estimator=mle, curator.0.fpr=0.1",
    ]
    assert points[3].experiment.curator[0].fpr == 0.1
    assert points[3].experiment.model.estimator == "unbiased"


def test_adding_a_sweep_value_keeps_the_names_of_the_others() -> None:
    few = Experiment.from_toml(PLAIN + '[sweep]\n"regime.lag" = [1, 2]')
    more = Experiment.from_toml(PLAIN + '[sweep]\n"regime.lag" = [3, 1, 2]')
    assert {point.name for point in few.points} < {point.name for point in more.points}


@given(
    st.floats(0, 1),
    st.integers(1, 10**6),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_any_value_survives_the_file(share: float, samples: int, title: str, shares: list[float]) -> None:
    from remission.regimes.fresh import Fresh
    from remission.regimes.web import Web

    base = Experiment.from_toml(PLAIN)
    regime = Fresh(share=share, base=Web(synthetic=tuple(shares)))
    experiment = dataclasses.replace(base, regime=regime, samples=samples, title=title)
    assert Experiment.from_toml(experiment.to_toml()) == experiment


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('regime.kind="replce"', "Did you mean 'replace'?"),
        ("regime.shar=0.1", "regime 'replace' has no key 'shar'"),
        ("experiment.generation=3", "Did you mean 'generations'?"),
        ("generations=0", "Expected int >= 1"),
        ('generations="many"', "Expected int, got str"),
        ("replicates=-1", "Expected int >= 1"),
        ("samples=0", "must be 1 to 2^31"),
        ('model.estimator="best"', "'estimator'"),
        ("sampling.temprature=2", "Did you mean 'temperature'?"),
        ("sampling.bias=0", "Expected float > 0"),
        ("modle.kind=3", "Unknown table [modle]. Did you mean 'model'?"),
        ('model.kind="nowhere:Thing"', "Cannot import 'nowhere'"),
        ('model.kind="math:sqrt"', "is not a Model"),
        ('model.kind="math:sqr"', "Module 'math' has no 'sqr'"),
        ("metric=3", "[metric] is a list"),
        ("source=3", "[source] must be a table"),
    ],
)
def test_mistakes_are_named(change: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        Experiment.from_toml(PLAIN, [change])
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[experiment", "Not valid TOML"),
        ("", "has no [source]"),
        (PLAIN.replace('kind = "gaussian"', 'kin = "gaussian"', 1), "[source] needs a kind"),
        (PLAIN + "[sweep]\nsamples = []", "has no values"),
        (PLAIN + '[sweep]\n"regime.lag" = [1, 0]', "At sweep point regime.lag=0"),
        (PLAIN + '[sweep]\n"regime.log" = [1]', "Did you mean 'lag'?"),
        (PLAIN + '[sweep]\n"metric.3.q" = [1]', "must be a number below"),
    ],
)
def test_broken_files_are_named(text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        Experiment.from_toml(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (['source.kind="zipf"'], "gaussian takes image, vector; zipf gives symbols"),
        (["sampling.top_k=3"], "gaussian knows bias, temperature"),
        (["samples=1"], "needs at least 2 items per fit"),
        (["start='warm'"], "has no warm start"),
        (["metric=[{kind='types'}]"], "types takes"),
        (["fast=true", "metric=[{kind='tail-mass'}]"], "looks at samples"),
        (["fast=true", "regime={kind='accumulate-subsample'}"], "cannot subsample"),
        (["fast=true", "curator=[{kind='random'}]"], "nothing to curate"),
        (
            ["regime={kind='stages', regimes=[{kind='replace'}, {kind='fresh'}], durations=[9]}"],
            "would begin in generation 10",
        ),
        (["metric=[{kind='moments'}, {kind='moments'}]"], "listed twice"),
        (["curator=[{kind='verifier'}]"], "verifier takes labelled"),
        (['source.kind="digits"', "model.kind='gaussian'", "samples=1700", "reference=200"], "digits has 1797 items"),
        (['model.kind="kde"', "curator=[{kind='top', fraction=2}]"], "fraction"),
        (["regime={kind='weighted', base={kind='replace'}}"], "has no fresh real items"),
    ],
)
def test_impossible_combinations_are_refused_before_the_first_fit(changes: list[str], told: str) -> None:
    with pytest.raises((SpecError, DataError)) as caught:
        check_experiment(Experiment.from_toml(PLAIN, changes))
    assert told in str(caught.value)


def test_a_foreign_file_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no experiment file"):
        Experiment.from_file(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="is a folder"):
        Experiment.from_file(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"title = 'caf\xe9'")
    with pytest.raises(SpecError, match="not UTF-8"):
        Experiment.from_file(tmp_path / "latin.toml")


def test_sampling_options_in_use() -> None:
    assert Sampling().used == set()
    assert Sampling(bias=0.5, top_k=3).used == {"bias", "top_k"}


def test_schedules() -> None:
    assert [value_at(Ramp(start=10, step=5, high=18), t) for t in (1, 2, 3)] == [10, 15, 18]
    assert [value_at(Ramp(start=100, factor=0.5), t) for t in (1, 2, 3)] == [100, 50, 25]
    assert value_at((1.0, 2.0), 99) == 2.0


@pytest.mark.parametrize("folder", list(registry.FOLDERS))
def test_every_part_is_listed_documented_and_spelled_back(folder: str) -> None:
    from remission.spec import build

    for name in registry.names(folder):
        cls = registry.load(folder, name)
        assert cls.name() == name
        assert registry.summary(folder, name).endswith((".", "!", "?")), name
        assert cls.__doc__, name
        try:
            part = cls()
        except (SpecError, TypeError):
            continue  # has parameters that must be given
        assert build(registry.FOLDERS[folder], part.table(), folder) == part


def test_files_of_the_user_are_found_beside_the_experiment_and_are_part_of_its_id(tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(200, 2)))
    file = tmp_path / "own.toml"
    file.write_text(PLAIN.replace('kind = "gaussian"', 'kind = "file"\npath = "points.npy"', 1))
    first = Experiment.from_file(file)
    assert first.source.space.features == 2
    before = first.id
    assert before == Experiment.from_file(file).id
    np.save(tmp_path / "points.npy", np.random.default_rng(1).normal(size=(201, 2)))
    assert Experiment.from_file(file).id != before
