"""Flow matching and, where they share it, diffusion: laws, blocks, resume, captions, clusters, warm starts, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.models.picture_worlds import (
    PLAIN,
    SHADES,
    dataset,
    experiment,
    heaps,
    noises,
    pictures,
    same,
    shades,
    streams,
)

from remission.checks import check_experiment
from remission.data import Dataset, Space
from remission.desk import Desk
from remission.errors import DataError, FitError, MissingExtra, SpecError
from remission.interfaces import Sampling
from remission.models.diffusion import Diffusion
from remission.models.flow import Flow
from remission.networks import device
from remission.notes import collected

TINY = {"width": 8, "hidden": 32, "depth": 1, "batch": 32, "warmup": 3, "precision": "float32", "sampling_steps": 4}
BOTH = [Flow, Diffusion]


@pytest.fixture(autouse=True)
def single_thread():
    with device.one_thread():
        yield


@pytest.mark.parametrize(
    "model",
    [
        Flow(**TINY | {"steps": 400, "sampling_steps": 20}),
        Flow(**TINY | {"steps": 400, "sampling_steps": 10}, solver="heun", times="logit-normal"),
        Diffusion(**TINY | {"steps": 400, "sampling_steps": 40}),
        Diffusion(**TINY | {"steps": 400, "sampling_steps": 40}, prediction="noise", schedule="linear", eta=1.0),
        Flow(**TINY | {"steps": 400, "sampling_steps": 20}, clusters=4),
    ],
    ids=lambda model: model.label,
)
def test_two_heaps_are_learned(model) -> None:
    """Shares, centres and spreads of both heaps; a model that was hardly trained fails the same check."""

    def told(model):
        state = model.fit(heaps(), streams())
        drawn = model.sample(state, 2000, streams(purpose="sample"), PLAIN)
        assert drawn.shape == (2, 2000, 2)
        assert drawn.dtype == np.float64
        right = drawn[..., 0] > 0
        rows = []
        for points, mask in zip(drawn, right, strict=True):
            rows.append([mask.mean(), *points[mask].mean(axis=0), *points[~mask].mean(axis=0), points[mask, 1].std()])
        return np.array(rows)

    expected = [0.75, 2.0, 0.0, -2.0, 1.0, 0.3]
    tolerance = [0.08, 0.15, 0.15, 0.3, 0.2, 0.15]
    found = told(model)
    assert (np.abs(found - expected) < tolerance).all(), found
    hasty = told(dataclasses.replace(model, steps=4, clusters=0))
    assert (np.abs(hasty - expected) > tolerance).any()


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("network", ["unet", "dense"])
def test_a_replicate_is_the_same_alone(cls, network) -> None:
    """Weights and samples, to the last bit, across a border of chunks."""
    model = cls(**TINY, steps=6, network=network, clusters=3)
    data = pictures(3, 150)
    state = model.fit(data, streams(range(3)))
    drawn = model.sample(state, 300, streams(range(3), "sample"), PLAIN)
    assert same(state, model.fit(data, streams(range(3))))
    for i in (0, 2):
        alone = model.fit(data.only(i), streams([i]))
        assert same(alone, {name: tensor[i : i + 1] for name, tensor in state.items()})
        assert np.array_equal(model.sample(alone, 300, streams([i], "sample"), PLAIN)[0], drawn[i])
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("network", ["unet", "dense"])
def test_a_killed_fit_goes_on_to_the_same_bits(cls, network, tmp_path, monkeypatch) -> None:
    model = cls(**TINY | {"batch": 8}, steps=60, network=network)
    data = pictures(2)
    expected = model.fit(data, streams())
    calls = 0
    process = type(model.process())
    loss = process.loss

    def dying(*parts):
        nonlocal calls
        calls += 1
        if calls == 100 // (2 if network == "dense" else 1):
            raise KeyboardInterrupt
        return loss(*parts)

    monkeypatch.setattr(process, "loss", dying)
    desk = Desk(tmp_path, every=0.0)
    with pytest.raises(KeyboardInterrupt):
        model.fit_at(data, streams(), None, desk)
    assert list(tmp_path.rglob("work.safetensors"))
    before = calls
    assert same(model.fit_at(data, streams(), None, desk), expected)
    assert calls - before < 60, "what was done is not done again"


def test_the_network_fits_the_item() -> None:
    def parts(data: Dataset, **given) -> set[str]:
        state = Flow(**TINY | given, steps=4).fit(data, streams())
        return {name.split(".")[1] for name in state if name.startswith("network.")}

    assert "attention" in parts(pictures(2))
    assert "attention" not in parts(pictures(2, side=8))
    assert "attention" not in parts(heaps())
    assert "attention" not in parts(pictures(2), network="dense")
    assert "attention" in parts(pictures(2, side=8), network="unet")
    assert Flow().together(SHADES) > 1 == Flow(network="unet").together(SHADES)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("cls", BOTH)
def test_colours_and_odd_sizes(cls, channels) -> None:
    data = pictures(1, 20, side=13, channels=channels)
    model = cls(**TINY, steps=4)
    drawn = model.sample(model.fit(data, streams([0])), 3, streams([0], "sample"), PLAIN)
    assert drawn.shape == (1, 3, 169 * channels)
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize("cls", BOTH)
def test_captions_say_what_is_drawn(cls) -> None:
    model = cls(**TINY | {"sampling_steps": 8}, steps=150, rate=1e-2)
    state = model.fit(shades(), streams())
    drawn = model.sample(state, 400, streams(purpose="sample"), PLAIN)
    light, told = drawn[..., :16].mean(axis=2), drawn[..., 16]
    assert np.isin(told, [0, 1]).all()
    assert np.abs(told.mean(axis=1) - 0.75).max() < 4 * (0.1875 / 400) ** 0.5, "captions follow the training set"
    for i in range(2):
        assert np.abs(light[i, told[i] == 1].mean() - 0.8) < 0.08
        assert np.abs(light[i, told[i] == 0].mean() - 0.2) < 0.08
    asked = np.broadcast_to(np.arange(2)[None, :, None], (2, 2, 1))
    pictures = model.render(state, asked, streams(purpose="render"), PLAIN)
    assert pictures.shape == (2, 2, 16)
    assert (pictures[:, 1].mean(axis=1) - pictures[:, 0].mean(axis=1) > 0.3).all()
    free = model.render(state, np.repeat(asked, 100, axis=1), streams(purpose="render"), Sampling(guidance=0.0))
    halves = free.reshape(2, 2, 100, 16).mean(axis=(2, 3))
    assert np.abs(halves[:, 0] - halves[:, 1]).max() < 0.2, "guidance 0 does not listen"


@pytest.mark.parametrize("cls", BOTH)
def test_guidance_exaggerates_and_bias_narrows(cls) -> None:
    model = cls(**TINY | {"sampling_steps": 8}, steps=100, rate=1e-2, silent=0.3)
    state = model.fit(shades(), streams())
    dark = np.zeros((2, 200, 1), np.int64)

    def light(**options: float) -> np.ndarray:
        return model.render(state, dark, streams(purpose="render"), Sampling(**options))

    assert (light(guidance=3.0).mean(axis=(1, 2)) < light().mean(axis=(1, 2)) - 0.01).all()
    spreads = [light(bias=bias).var(axis=1).mean(axis=1) for bias in (0.25, 1.0, 2.0)]
    assert (spreads[0] < 0.8 * spreads[1]).all()
    assert (spreads[1] < 0.95 * spreads[2]).all()


def test_bias_multiplies_the_variance_of_a_line() -> None:
    """On normal data the flow is linear in the noise, so the variance drawn is bias times that of the model."""
    data = dataset(Space("vector", (1,)), np.random.default_rng(1).normal(3.0, 2.0, (1, 500, 1)))
    model = Flow(**TINY | {"sampling_steps": 20}, steps=300)
    state = model.fit(data, streams([0]))
    plain, narrow = (
        model.sample(state, 4000, streams([0], "sample"), Sampling(bias=bias)).var() for bias in (1.0, 0.25)
    )
    assert plain == pytest.approx(4.0, rel=0.25)
    assert narrow / plain == pytest.approx(0.25, rel=0.2)


@pytest.mark.parametrize("cls", BOTH)
def test_weights_are_honoured(cls) -> None:
    weight = np.where(np.arange(200) % 4 > 0, 0.0, 1.0)[None].repeat(2, axis=0)  # only dark ones count
    model = cls(**TINY, steps=150, rate=1e-2)
    state = model.fit(shades(weight=weight), streams())
    drawn = model.sample(state, 50, streams(purpose="sample"), PLAIN)
    assert (drawn[..., 16] == 0).all()
    assert drawn[..., :16].mean() < 0.3
    for bad in (np.zeros((2, 200)), -weight, weight * np.nan):
        with pytest.raises(FitError, match="Weights"):
            model.fit(shades(weight=bad), streams())


def test_clusters_take_the_place_of_captions() -> None:
    data = pictures(2, 120)
    model = Flow(**TINY, steps=6)
    state = model.fit(data, streams())
    assert state["clusters"].shape == (2, 2, 144), "at most one per 50 items"
    kinds = state["captions"][:, :, 0].numpy()
    assert all(len(set(row[::2])) == len(set(row[1::2])) == 1 and row[0] != row[1] for row in kinds)
    assert model.sample(state, 4, streams(purpose="sample"), PLAIN).shape == (2, 4, 144), "they are not shown"
    later = model.fit(dataset(data.space, data.items[:, ::2]), streams(purpose="later"), state)
    assert torch.equal(later["clusters"], state["clusters"])
    assert len(later["captions"][0].unique()) == 1
    for plain in (dataclasses.replace(model, clusters=0), dataclasses.replace(model, network="dense")):
        assert "clusters" not in plain.fit(data, streams())
    few = model.fit(pictures(2, 60), streams())
    assert "clusters" not in few
    assert model.sample(few, 3, streams(), PLAIN).shape == (2, 3, 144)
    assert "clusters" not in model.fit(shades(), streams())


@pytest.mark.parametrize("cls", BOTH)
def test_a_warm_start_goes_on(cls) -> None:
    """From a trained state few steps do what they cannot do from scratch."""
    cold = cls(**TINY | {"sampling_steps": 10}, steps=300)
    trained = cold.fit(heaps(), streams())
    short = dataclasses.replace(cold, warm_steps=10, rate=1e-3)

    def far(state) -> float:
        drawn = cold.sample(state, 1000, streams(purpose="sample"), PLAIN)
        return float((np.abs(drawn[..., 0]) < 1.0).mean(axis=1).max())  # between the heaps, where nothing is

    assert far(short.fit(heaps(), streams(purpose="again"), trained)) < 0.1
    assert far(dataclasses.replace(short, steps=10).fit(heaps(), streams(purpose="again"))) > 0.3


def test_what_is_constant_stays_constant() -> None:
    items = np.concatenate([np.full((1, 50, 1), 7.5), noises(1, 50, 1)], axis=2)
    model = Flow(**TINY, steps=5)
    drawn = model.sample(
        model.fit(dataset(Space("vector", (2,)), items), streams([0])), 20, streams([0], "sample"), PLAIN
    )
    assert (drawn[..., 0] == 7.5).all()
    assert drawn[..., 1].std() > 0
    grey = dataset(Space("image", (144,), picture=(12, 12)), np.full((1, 50, 144), 0.25))
    drawn = model.sample(model.fit(grey, streams([0])), 5, streams([0], "sample"), PLAIN)
    assert (drawn == 0.25).all(), "no floor under a collapsed set of pictures"


def test_fewer_items_than_a_batch() -> None:
    model = Flow(**TINY, steps=5)
    state = model.fit(heaps(2, 2), streams())
    assert np.isfinite(model.sample(state, 3, streams(purpose="sample"), PLAIN)).all()
    assert model.minimum(heaps().space) == 2
    with pytest.raises(SpecError, match="at least 2 items"):
        check_experiment(dataclasses.replace(experiment(Flow(**TINY)), samples=1))


def test_bad_items_are_named() -> None:
    model = Flow(**TINY, steps=5)
    broken = heaps()
    broken.items[1, 3, 0] = np.nan
    with pytest.raises(FitError, match=r"NaN or infinite.*1\..*2\..*3\."):
        model.fit(broken, streams())
    odd = shades()
    odd.items[0, 0, 16] = 2
    with pytest.raises(DataError, match=r"outside 0 \.\. 1"):
        model.fit(odd, streams())
    state = model.fit(shades(), streams())
    with pytest.raises(DataError, match=r"captions of 1 tokens\. Got 2"):
        model.render(state, np.zeros((2, 3, 2), np.int64), streams(), PLAIN)
    with pytest.raises(DataError, match="token of a caption"):
        model.render(state, np.full((2, 3, 1), -1), streams(), PLAIN)


def test_a_training_that_diverges_is_one_message() -> None:
    with pytest.raises(FitError, match=r"NaN or infinite at step .*1\. the learning rate"):
        Flow(**TINY | {"warmup": 0}, steps=60, rate=1e20).fit(heaps(), streams())


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({}, {"sampling": "guidance = 2.0"}, "guidance needs items with captions"),
        ({"network": "unet"}, {"source": 'kind = "blobs"'}, "U-Net needs pictures"),
        ({"warm_steps": 30}, {}, "'warm_steps' is for start"),
        (
            {"silent": 0.0},
            {"source": 'kind = "digits"\ncaptions = true', "sampling": "guidance = 2.0"},
            "silent = 0 never shows",
        ),
        ({}, {"sampling": "temperature = 0.5"}, "knows bias, guidance"),
    ],
)
def test_refusals(cls, given, options, words) -> None:
    with pytest.raises(SpecError, match=words):
        check_experiment(experiment(cls(**TINY | given, steps=20), **options))


@pytest.mark.parametrize("cls", BOTH)
def test_what_makes_sense_passes(cls) -> None:
    check_experiment(experiment(cls(**TINY), sampling="bias = 0.5"))
    check_experiment(experiment(cls(**TINY, warm_steps=40), start="previous"))
    captions = 'kind = "digits"\ncaptions = true'
    check_experiment(experiment(cls(**TINY), source=captions, sampling="guidance = 2.0"))
    with pytest.raises(SpecError, match="warmup of 50 leaves nothing of steps = 40"):
        cls(steps=40)
    with pytest.raises(SpecError, match="warm_steps = 2"):
        cls(warm_steps=2)
    state = cls(**TINY, steps=4).fit(heaps(), streams())
    with pytest.raises(SpecError, match="trained on captions"):
        cls(**TINY, steps=4).sample(state, 3, streams(), Sampling(guidance=2.0))


def test_the_choices_are_noted(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))
    with collected() as told:
        state = Flow(**TINY | {"precision": "auto"}, steps=4).fit(heaps(), streams())
    assert any(text.startswith("networks run on the ") for text in told)
    assert any("32 dense of depth 1, 32 x 2: bfloat16 measured" in text for text in told)
    for precision, chosen in (("bfloat16", True), ("float32", False)):
        state = Flow(**TINY | {"precision": precision}, steps=4).fit(heaps(), streams())
        assert state["bf16"].tolist() == [chosen] * 2


def test_without_torch_the_message_names_the_extra(monkeypatch) -> None:
    from remission import errors

    monkeypatch.setattr(errors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"remission\[deep\]"):
        check_experiment(experiment(Flow(**TINY)))
