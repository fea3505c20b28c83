"""What every part must keep to, found by walking the registry: a new file is tested without being named anywhere."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from remission import Experiment, SpecError, registry, run, toml
from remission.checks import check_experiment
from remission.interfaces import FastModel, LongModel, Metric

# One small world per kind of item; every model and metric that accepts the kind is tried in it.
WORLDS = {
    "vector": 'kind = "blobs"\ncomponents = 3',
    "line": 'kind = "gaussian"',
    "image": 'kind = "digits"',
    "symbols": 'kind = "zipf"\ntypes = 30',
    "tokens": 'kind = "prose"\nlength = 12\nvocabulary = 400',
    "labelled": 'kind = "classes"',
    "regression": 'kind = "linear-world"\ndimensions = 3',
    "captioned": 'kind = "digits"\ncaptions = true',
    "marked": 'kind = "artifact"\nbase = { kind = "digits" }',
}
KIND = {"line": "vector", "marked": "image"}  # of the items, where the world is not called after it
FITTING = {  # what a model needs to be told to run in a small world
    "captioner": {"width": 8, "steps": 12, "batch": 8, "warmup": 2},
    "diffusion": {"hidden": 16, "depth": 1, "steps": 8, "batch": 8, "warmup": 2, "sampling_steps": 3},
    "flow": {"hidden": 16, "depth": 1, "steps": 8, "batch": 8, "warmup": 2, "sampling_steps": 3},
    "gmm": {"components": 2, "covariance": "diagonal", "floor": 1e-2},
    "linear": {"noise": 0.5},
    "logistic": {"ridge": 1.0},
    "ngram": {"order": 2},
    "transformer": {
        "width": 16,
        "layers": 1,
        "heads": 2,
        "steps": 12,
        "batch": 16,
        "warmup": 2,
        "precision": "float32",
    },
    "vae": {"hidden": 16, "latent": 2, "steps": 8, "batch": 8, "warmup": 2},
    "watermarked": {
        "model": {"kind": "ngram", "order": 2},
        "mark": {"kind": "gumbel"},
        "adoption": 0.7,
        "known": 0.5,
        "laundered": 0.2,
    },
}


def experiment(kind: str, model: str, **settings: object) -> Experiment:
    parameters = "".join(f"\n{key} = {toml.value(value)}" for key, value in FITTING.get(model, {}).items())
    text = f"""
[experiment]
generations = 2
replicates = 3
samples = 60
seed = 5
[source]
{WORLDS[kind]}
[model]
kind = "{model}"{parameters}
[regime]
kind = "fresh"
"""
    return dataclasses.replace(Experiment.from_toml(text), **settings)


def kinds_of(cls: type) -> list[str]:
    needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
    if needed - FITTING.get(cls.name(), {}).keys():
        return []  # it needs the folder of a model: its own tests build one
    again = "marked" if issubclass(cls, LongModel) else ""  # the same items as "image": not worth a second training
    return [world for world in WORLDS if KIND.get(world, world) in cls.accepts and world != again]


PAIRS = [
    (kind, name)
    for name in registry.names("models")
    for kind in kinds_of(registry.load("models", name))
    if (kind in ("labelled", "regression")) == hasattr(registry.load("models", name), "relabel")
]


def metrics_for(kind: str, model: str) -> tuple[Metric, ...]:
    found = []
    for name in registry.names("metrics"):
        metric = registry.load("metrics", name)()
        try:
            check_experiment(experiment(kind, model, metric=(metric,)))
        except SpecError:
            continue
        found.append(metric)
    return tuple(found)


@pytest.mark.parametrize(("kind", "model"), PAIRS)
def test_models_and_all_their_metrics(kind: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of any size agree bit for bit, twice the same, inputs unchanged, one finite-or-NaN number per replicate."""
    cls = registry.load("models", model)
    name = "fit_at" if issubclass(cls, LongModel) else "fit"
    monkeypatch.setattr(cls, name, _watched(getattr(cls, name)))
    metrics = metrics_for(kind, model)
    assert metrics
    trial = experiment(kind, model, metric=metrics)
    whole, again = list(run(trial)), list(run(trial))
    alone = [list(run(trial, [number])) for number in range(3)]
    for t, generation in enumerate(whole):
        for name, values in generation.rows.items():
            assert values.shape == (3,)
            assert np.array_equal(values, again[t].rows[name], equal_nan=True), f"{name} is not reproducible"
            single = np.concatenate([part[t].rows[name] for part in alone])
            assert np.array_equal(values, single, equal_nan=True), f"{name} depends on the block"


def _watched(fit):
    def watched(self, data, streams, *rest):
        before = data.items.copy()
        state = fit(self, data, streams, *rest)
        assert np.array_equal(before, data.items), "fit changed its input"
        return state

    return watched


def test_every_metric_is_tried_somewhere() -> None:
    tried = {metric.name() for kind, model in PAIRS for metric in metrics_for(kind, model)}
    assert tried == set(registry.names("metrics"))


@pytest.mark.parametrize("folder", ["models", "metrics", "regimes", "curators", "sources"])
def test_parts_pickle_and_are_frozen(folder: str) -> None:
    for name in registry.names(folder):
        try:
            part = registry.load(folder, name)()
        except (SpecError, TypeError):
            continue
        assert pickle.loads(pickle.dumps(part)) == part
        hash(part)
        with pytest.raises(dataclasses.FrozenInstanceError):
            part.kind = "other"


@pytest.mark.parametrize("name", registry.names("regimes"))
def test_regimes_are_pure_and_lose_nothing(name: str) -> None:
    regime = registry.load("regimes", name)()
    for t in range(1, 40):
        recipe = regime.recipe(t, 60)
        assert recipe == regime.recipe(t, 60)
        assert all(part.count > 0 for part in recipe.arrivals)
        assert all(part.origin < t for part in recipe.arrivals)
        assert t > 1 or all(part.origin == 0 for part in recipe.arrivals), "fit 1 is on real data"
        assert all(1 <= first <= last <= t for first, last in recipe.batches)
        oldest = min(first for first, _ in recipe.batches)
        assert oldest >= regime.first_batch(t) or (regime.pins_first and oldest == 1)
        assert regime.first_batch(t) <= regime.first_batch(t + 1)
        origins = [int(part.origin) for part in recipe.arrivals if part.origin > 0]
        assert all(t - origin <= regime.oldest_model for origin in origins)
        if not recipe.mixed:
            assert all(part.count == round(part.count) for part in recipe.arrivals)


FAST = [name for name in registry.names("models") if issubclass(registry.load("models", name), FastModel)]
LAWFUL = {"gaussian": "gaussian", "unigram": "zipf", "linear": "linear-world"}


@pytest.mark.parametrize("name", FAST)
def test_fast_path_has_the_law_of_the_plain_path(name: str) -> None:
    """Mean and spread of every row agree within 4 standard errors, and 10 % off would be seen."""
    assert name in LAWFUL, f"say in which world {name} can be compared"
    text = f"""
[experiment]
generations = 4
samples = 30
seed = 8
[source]
kind = "{LAWFUL[name]}"
[model]
kind = "{name}"
{"noise = 1.0" if name == "linear" else ""}
[regime]
kind = "fresh"
share = 0.2
base = {{ kind = "accumulate", window = 2 }}
"""
    from remission.defaults import default_metrics

    plain = Experiment.from_toml(text)
    fast = dataclasses.replace(plain, fast=True)
    metrics = default_metrics(fast)
    replicates = range(12_000)
    slow_rows = list(run(dataclasses.replace(plain, metric=metrics, seed=9), replicates))[-1].rows
    fast_rows = list(run(dataclasses.replace(fast, metric=metrics), replicates))[-1].rows
    compared = 0
    for row, values in slow_rows.items():
        other = fast_rows[row]
        if np.isnan(values).all() or values.std() == 0 or "held-out" in row:
            continue
        for power in (1, 2):
            one, two = values**power, other**power
            error = np.hypot(one.std() / np.sqrt(one.size), two.std() / np.sqrt(two.size))
            assert abs(one.mean() - two.mean()) <= 4 * error, (row, power, one.mean(), two.mean())
        compared += 1
    assert compared


def test_views_do_not_draw_what_nobody_reads() -> None:
    """A metric that reads only the state must not cost an evaluation sample."""
    drawn = []

    class Counted(registry.load("models", "gaussian")):
        def sample(self, state, n, streams, sampling):
            drawn.append(streams.purpose)
            return super().sample(state, n, streams, sampling)

    base = experiment("vector", "gaussian", examples=0)
    list(run(dataclasses.replace(base, model=Counted(), metric=(registry.load("metrics", "moments")(),))))
    assert "evaluation" not in drawn
