"""The variational autoencoder: laws, blocks, likelihoods, captions, resume, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.models.picture_worlds import (
    PLAIN,
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
from remission.data import Space
from remission.desk import Desk
from remission.errors import DataError, SpecError
from remission.interfaces import Sampling
from remission.models.vae import Vae
from remission.networks import autoencoder
from remission.networks.device import one_thread

TINY = {"latent": 2, "hidden": 32, "width": 4, "batch": 32, "warmup": 3, "precision": "float32"}


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield


def test_a_line_is_learned_with_its_noise() -> None:
    """x = (a, a) + noise: what is drawn has the covariance of the data; means alone lack the noise."""
    rng = np.random.default_rng(0)
    common = rng.normal(0.0, 2.0, (1, 600, 1))
    data = dataset(Space("vector", (2,)), 5.0 + common + 0.7 * rng.standard_normal((1, 600, 2)))
    model = Vae(**TINY | {"latent": 1, "batch": 64}, steps=600, rate=1e-2)
    state = model.fit(data, streams([0]))
    drawn = model.sample(state, 5000, streams([0], "sample"), PLAIN)[0]
    cov, real = np.cov(drawn.T), np.cov(data.items[0].T)
    assert np.abs(drawn.mean(axis=0) - data.items[0].mean(axis=0)).max() < 0.3
    assert np.abs(cov / real - 1).max() < 0.2
    means = dataclasses.replace(model, output="mean").sample(state, 5000, streams([0], "sample"), PLAIN)[0]
    gap = [np.var(points[:, 0] - points[:, 1]) for points in (drawn, means, data.items[0])]
    assert gap[0] == pytest.approx(gap[2], rel=0.3)
    assert gap[1] < 0.1 * gap[2]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_pictures_are_learned(architecture, likelihood) -> None:
    """Both kinds of squares appear; an untrained model draws neither."""
    data = pictures(1, 200, side=8)
    real = data.items[0].reshape(100, 2, 64).mean(axis=0)
    model = Vae(**TINY | {"width": 8}, steps=250, rate=1e-2, architecture=architecture, likelihood=likelihood)

    def near(model: Vae) -> tuple[float, set[int]]:
        drawn = model.sample(model.fit(data, streams([0])), 200, streams([0], "sample"), PLAIN)[0]
        assert drawn.min() >= 0
        assert drawn.max() <= 1
        gaps = np.abs(drawn[:, None] - real).mean(axis=2)
        return float((gaps.min(axis=1) < 0.12).mean()), set(gaps.argmin(axis=1).tolist())

    share, kinds = near(model)
    assert share > 0.7
    assert kinds == {0, 1}
    assert near(dataclasses.replace(model, steps=4))[0] < 0.3


@pytest.mark.parametrize("architecture", ["dense", "conv"])
@pytest.mark.parametrize("output", ["mean", "draw"])
def test_a_replicate_is_the_same_alone(architecture, output) -> None:
    for data in (pictures(3, 50, side=9), shades(3, 50)):
        model = Vae(**TINY | {"batch": 7}, steps=6, architecture=architecture, output=output)
        state = model.fit(data, streams(range(3)))
        drawn = model.sample(state, 300, streams(range(3), "sample"), PLAIN)
        assert same(state, model.fit(data, streams(range(3))))
        for i in (0, 2):
            alone = model.fit(data.only(i), streams([i]))
            assert same(alone, {name: tensor[i : i + 1] for name, tensor in state.items()})
            assert np.array_equal(model.sample(alone, 300, streams([i], "sample"), PLAIN)[0], drawn[i])


def test_a_draw_of_bernoulli_is_black_and_white_and_its_mean_is_the_shade() -> None:
    model = Vae(**TINY, steps=60)
    state = model.fit(pictures(1, 60, side=6), streams([0]))
    mean = model.sample(state, 4000, streams([0], "sample"), PLAIN)
    drawn = dataclasses.replace(model, output="draw").sample(state, 4000, streams([0], "sample"), PLAIN)
    assert np.isin(drawn, [0.0, 1.0]).all()
    assert not np.isin(mean, [0.0, 1.0]).any()
    assert np.abs(drawn.mean(axis=1) - mean.mean(axis=1)).max() < 5 * 0.5 / 4000**0.5


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_captions_say_what_is_drawn(architecture) -> None:
    model = Vae(**TINY, steps=200, rate=1e-2, architecture=architecture)
    state = model.fit(shades(), streams())
    drawn = model.sample(state, 400, streams(purpose="sample"), PLAIN)
    assert np.abs(drawn[..., 16].mean(axis=1) - 0.75).max() < 4 * (0.1875 / 400) ** 0.5
    asked = np.array([[[0], [1]]] * 2)
    light = model.render(state, asked, streams(purpose="render"), PLAIN).mean(axis=2)
    assert (np.abs(light - [0.2, 0.8]) < 0.1).all()
    with pytest.raises(DataError, match="token of a caption"):
        model.render(state, asked + 5, streams(), PLAIN)


def test_bias_multiplies_the_variance_of_latents() -> None:
    model = Vae(**TINY, steps=100)
    state = model.fit(heaps(), streams())
    means = dataclasses.replace(model, output="mean")
    spreads = [
        means.sample(state, 500, streams(purpose="sample"), Sampling(bias=bias)).var(axis=1).sum()
        for bias in (0.01, 1.0, 4.0)
    ]
    assert spreads[0] < 0.1 * spreads[1] < 0.1 * spreads[2]


def test_more_beta_says_less() -> None:
    """With a huge weight of the divergence the latents carry nothing."""
    data = pictures(1, 100, side=6)

    def varied(beta: float) -> float:
        model = Vae(**TINY, steps=200, rate=1e-2, beta=beta)
        drawn = model.sample(model.fit(data, streams([0])), 200, streams([0], "sample"), PLAIN)
        return float(drawn.var(axis=1).mean())

    assert varied(100.0) < 0.1 * varied(1.0)


def test_the_least_spread_is_kept() -> None:
    items = np.zeros((1, 50, 2))
    items[..., 1] = noises(1, 50, 1)[..., 0].round()
    model = Vae(**TINY, steps=300, rate=0.05, least_spread=0.5)
    drawn = model.sample(model.fit(dataset(Space("vector", (2,)), items), streams([0])), 2000, streams([0]), PLAIN)
    assert (drawn[..., 0] == 0).all(), "what is constant stays constant"
    near = np.abs(drawn[..., 1] - drawn[..., 1].round().clip(0, 1)).std()
    assert near > 0.1


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_a_killed_fit_goes_on_to_the_same_bits(architecture, tmp_path, monkeypatch) -> None:
    model = Vae(**TINY | {"batch": 8}, steps=60, architecture=architecture)
    data = pictures(2, 40, side=8)
    expected = model.fit(data, streams())
    calls, bound = 0, autoencoder.bound

    def dying(*parts):
        nonlocal calls
        calls += 1
        if calls == (55 if architecture == "dense" else 100):
            raise KeyboardInterrupt
        return bound(*parts)

    monkeypatch.setattr(autoencoder, "bound", dying)
    desk = Desk(tmp_path, every=0.0)
    with pytest.raises(KeyboardInterrupt):
        model.fit_at(data, streams(), None, desk)
    before = calls
    assert same(model.fit_at(data, streams(), None, desk), expected)
    assert calls - before < 50


def test_a_warm_start_goes_on() -> None:
    data = pictures(2, 100, side=6)
    model = Vae(**TINY, steps=100)
    state = model.fit(data, streams())
    later = dataclasses.replace(model, warm_steps=4, rate=1e-9, ema=0.0).fit(data, streams(purpose="again"), state)
    assert all(torch.allclose(later[name], state[name], atol=1e-6) for name in state)
    assert model.minimum(data.space) == 2
    assert model.together(data.space) > 1
    assert dataclasses.replace(model, architecture="conv").together(data.space) == 1


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({"architecture": "conv"}, {"source": 'kind = "blobs"'}, "convolutions need pictures"),
        ({"likelihood": "bernoulli"}, {"source": 'kind = "blobs"'}, "bernoulli likelihood needs grey levels"),
        ({"warm_steps": 30}, {}, "'warm_steps' is for start"),
        ({}, {"sampling": "guidance = 2.0"}, "knows bias"),
    ],
)
def test_refusals(given, options, words) -> None:
    with pytest.raises(SpecError, match=words):
        check_experiment(experiment(Vae(**TINY | given, steps=20), **options))
    check_experiment(experiment(Vae(**TINY), sampling="bias = 0.5"))


def test_grey_levels_out_of_range_are_named() -> None:
    data = pictures(1, 10)
    with pytest.raises(DataError, match=r"Got .* \.\. 1\.99.*Try likelihood = 'gaussian'"):
        Vae(**TINY, steps=4).fit(dataset(data.space, data.items + (data.items == data.items.max())), streams([0]))
    wide = dataset(data.space, 3 * data.items - 1)
    assert Vae(**TINY, steps=4, likelihood="gaussian").fit(wide, streams([0]))
