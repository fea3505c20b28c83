"""What only diffusion has; the rest is in test_flow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.models.picture_worlds import PLAIN, heaps, pictures, streams

from remission.errors import SpecError
from remission.models.diffusion import Diffusion
from remission.networks.device import one_thread

TINY = {"hidden": 32, "depth": 1, "batch": 32, "warmup": 3, "precision": "float32"}


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield


def test_no_more_steps_than_levels() -> None:
    with pytest.raises(SpecError, match="25 sampling steps cannot visit 10 levels"):
        Diffusion(levels=10)
    model = Diffusion(**TINY, levels=25, steps=5)
    assert np.isfinite(model.sample(model.fit(heaps(), streams()), 5, streams(), PLAIN)).all()


def test_eta_takes_fresh_noise() -> None:
    still = Diffusion(**TINY, steps=30)
    noisy = dataclasses.replace(still, eta=1.0)
    state = still.fit(pictures(2, 60, side=6), streams())
    one, two = (model.sample(state, 300, streams(purpose="sample"), PLAIN) for model in (still, noisy))
    assert not np.array_equal(one, two)
    assert np.array_equal(two, noisy.sample(state, 300, streams(purpose="sample"), PLAIN))
    alone = {name: tensor[1:] for name, tensor in state.items()}
    assert np.array_equal(two[1:], noisy.sample(alone, 300, streams([1], "sample"), PLAIN))


@pytest.mark.parametrize("prediction", ["v", "noise"])
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_pictures_stay_pictures(prediction, schedule) -> None:
    """Even from the highest level, where all that is left of the data is a millionth."""
    model = Diffusion(**TINY, steps=300, prediction=prediction, schedule=schedule)
    data = pictures(1, 100, side=6)
    real = data.items.mean(axis=1).ravel()

    def likeness(model: Diffusion) -> float:
        drawn = model.sample(model.fit(data, streams([0])), 200, streams([0], "sample"), PLAIN)
        assert drawn.min() >= 0
        assert drawn.max() <= 1
        return float(np.corrcoef(drawn.mean(axis=1).ravel(), real)[0, 1])

    trained, hasty = likeness(model), likeness(dataclasses.replace(model, steps=4))
    # From the noise alone, data at the highest levels is a difference of nearly equal numbers: a small network guesses.
    assert trained > (0.9 if prediction == "v" else 0.5), (trained, hasty)
    assert trained > hasty + 0.2, (trained, hasty)
