"""Statistics of pictures and random features: second implementations, laws and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.errors import DataError
from remission.numerics import pictures as numbers
from remission.numerics.random_features import FEATURES, normals_needed, random_features, random_layers

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))


def some(shape: tuple[int, int, int], n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, math.prod(shape)))


@given(SHAPES, st.integers(1, 5))
def test_pixel_statistics_are_their_definitions(shape, n):
    points = some(shape, n)
    found, square = numbers.pixel_statistics(points, shape, 0.1), points.reshape(n, *shape)
    assert found.mean == pytest.approx(points.mean())
    assert found.spread == pytest.approx(np.mean([column.std() for column in points.T]))
    assert found.contrast == pytest.approx(np.mean([row.std() for row in points]))
    assert found.empty == np.mean(points <= 0.1)
    assert found.full == np.mean(points >= 0.9)
    assert found.outside == 0
    gaps = [
        (square[i, y, x, c] - square[i, y + down, x + right, c]) ** 2
        for i in range(n)
        for y in range(shape[0])
        for x in range(shape[1])
        for c in range(shape[2])
        for down, right in ((1, 0), (0, 1))
        if y + down < shape[0] and x + right < shape[1]
    ]
    assert found.sharpness == pytest.approx(np.mean(gaps)) if gaps else math.isnan(found.sharpness)
    np.testing.assert_allclose(found.levels, np.histogram(points, 16, (0, 1))[0] / points.size)


def test_values_beyond_grey_are_told():
    found = numbers.pixel_statistics(np.array([[-0.5, 0.0, 1.0, 2.0]]), (2, 2, 1))
    assert (found.outside, found.empty, found.full) == (0.5, 0.25, 0.25)
    assert found.levels[0] == found.levels[-1] == 0.5
    with pytest.raises(DataError, match="at least one"):
        numbers.pixel_statistics(np.empty((0, 4)), (2, 2, 1))


@given(SHAPES, st.integers(1, 4))
def test_power_is_a_plain_sum_over_waves(shape, n):
    """A direct transform, and Parseval: the mean power is the mean variance within a picture."""
    points = some(shape, n, 1)
    height, width, _ = shape
    square = points.reshape(n, *shape) - points.reshape(n, *shape).mean(axis=(1, 2), keepdims=True)
    y, x = np.arange(height), np.arange(width)
    waves = np.exp(
        -2j * np.pi * (np.multiply.outer(y, y)[:, None, :, None] / height + np.multiply.outer(x, x)[:, None] / width)
    )
    direct = np.abs(np.einsum("uvyx,nyxc->nuvc", waves, square)) ** 2 / (height * width)
    found = numbers.power(points, shape)
    np.testing.assert_allclose(found, direct.mean(axis=(0, 3)), atol=1e-10)
    assert found.mean() == pytest.approx(square.var(axis=(1, 2)).mean(), abs=1e-12)
    assert found[0, 0] == 0


def test_many_pictures_are_worked_off_in_parts(monkeypatch):
    points = some((5, 4, 1), 11)
    whole = numbers.power(points, (5, 4, 1)), numbers.pixel_statistics(points, (5, 4, 1)).sharpness
    monkeypatch.setattr(numbers, "_CHUNK", 3)
    np.testing.assert_allclose(numbers.power(points, (5, 4, 1)), whole[0], rtol=1e-12)
    assert numbers.pixel_statistics(points, (5, 4, 1)).sharpness == pytest.approx(whole[1], rel=1e-12)


def test_rings_of_a_wave():
    """Three waves along the longer side lie in the third ring, whatever the direction."""
    shape = (16, 16, 1)
    circles = numbers.rings(shape)
    assert circles.number == 8
    grid = np.arange(16) / 16
    for wave in (
        np.cos(2 * np.pi * 3 * grid)[None] * np.ones((16, 1)),
        np.cos(2 * np.pi * 3 * grid)[:, None] * np.ones(16),
    ):
        profile = numbers.profile(numbers.power(wave.reshape(1, -1), shape), circles)
        assert profile.argmax() == 2
        assert profile[2] > 0.9 * profile.sum()
    assert numbers.high_share(numbers.power(wave.reshape(1, -1), shape), circles, 0.25) == pytest.approx(0, abs=1e-12)
    assert numbers.high_share(numbers.power(wave.reshape(1, -1), shape), circles, 0.15) == pytest.approx(1)


def test_white_noise_is_flat():
    shape = (16, 16, 1)
    noise = np.random.default_rng(0).normal(size=(4000, 256))
    profile = numbers.profile(numbers.power(noise, shape), numbers.rings(shape))
    np.testing.assert_allclose(profile, 1.0, rtol=0.03)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8), st.floats(1e-2, 1e2))
def test_spectral_distance_in_decibels(powers, factor):
    one = np.array(powers)
    assert numbers.spectral_distance(one, one) == 0
    assert numbers.spectral_distance(factor * one, one) == pytest.approx(abs(10 * math.log10(factor)), abs=1e-9)


def test_spectral_distance_at_the_edge():
    assert numbers.spectral_distance(np.array([0.0, 1.0]), np.array([1.0, 1.0])) == math.inf
    assert numbers.spectral_distance(np.array([0.0, 1.0, np.nan]), np.array([0.0, 1.0, np.nan])) == 0
    assert math.isnan(numbers.spectral_distance(np.zeros(2), np.zeros(2)))
    assert math.isnan(numbers.high_share(np.zeros((2, 2)), numbers.rings((2, 2, 1))))


def layers_of(shape, seed=0):
    return random_layers(*shape, np.random.default_rng(seed).normal(size=normals_needed(*shape)))


@given(SHAPES)
def test_random_features_are_convolutions(shape):
    """Against torch, in double precision."""
    torch = pytest.importorskip("torch")
    layers, points = layers_of(shape), some(shape, 3)
    x = torch.from_numpy(points.reshape(3, *shape)).permute(0, 3, 1, 2)
    for filters in (layers.first, layers.second):
        kernel = torch.from_numpy(filters.T.reshape(filters.shape[1], -1, 3, 3).copy())
        x = torch.relu(torch.nn.functional.conv2d(x, kernel, stride=2, padding=1))
    expected = x.permute(0, 2, 3, 1).reshape(3, -1).numpy() @ layers.last
    found = random_features(points, layers)
    assert found.shape == (3, FEATURES)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)])
def test_random_features_keep_unit_and_distances(shape):
    """The unit of grey levels at every size, and near pictures stay nearer than far ones."""
    layers, points = layers_of(shape), some(shape, 40)
    found = random_features(points, layers)
    ratio = np.sqrt((found**2).sum(axis=1).mean() / (points**2).mean())
    assert 0.4 < ratio < 2.5
    near, far = (random_features(np.clip(points + d * some(shape, 40, 5), 0, 2), layers) - found for d in (0.1, 0.4))
    assert ((near**2).sum(axis=1) < (far**2).sum(axis=1)).all()


def test_random_features_do_not_see_their_neighbours():
    layers, points = layers_of((8, 8, 1)), some((8, 8, 1), 300)
    whole = random_features(points, layers)
    for i in (0, 255, 256, 299):
        np.testing.assert_allclose(random_features(points[i : i + 1], layers)[0], whole[i], rtol=1e-12)
