"""The numerics below picture watermarks, each against a second, slower way to the same number."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage

from remission.numerics import convolutional, gratings
from remission.numerics.haar import Haar, haar, unhaar
from remission.numerics.local import add_tiled, local_contrast


def test_decoding_is_most_likely() -> None:
    rng = np.random.default_rng(1)
    messages = [np.array(bits) for bits in itertools.product([False, True], repeat=6)]
    for _ in range(40):
        received = rng.normal(size=convolutional.length(6))
        best = max(messages, key=lambda message: float(convolutional.encode(message) @ received))
        assert np.array_equal(convolutional.decode(received), best)


def test_the_free_distance_is_15() -> None:
    """No two codewords differ in fewer signs, and some differ in 15: the best that its memory allows."""
    words = [convolutional.encode(np.array(bits)) for bits in itertools.product([False, True], repeat=8)]
    assert min(int((word != words[0]).sum()) for word in words[1:]) == 15


def test_coding_gains_on_repetition() -> None:
    rng = np.random.default_rng(2)
    wrong = np.zeros(2)
    for _ in range(40):
        message, noise = rng.random(64) < 0.5, rng.normal(size=1050)
        place = np.arange(1050) % convolutional.length(64)
        coded = 0.45 * convolutional.encode(message)[place] + noise
        repeated = 0.45 * np.where(message, 1, -1)[np.arange(1050) % 64] + noise
        wrong[0] += (convolutional.decode(np.bincount(place, coded)) != message).sum()
        wrong[1] += ((np.bincount(np.arange(1050) % 64, repeated) > 0) != message).sum()
    assert wrong[0] < 0.25 * wrong[1]


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (7, 7), (40, 61)])
def test_local_contrast(shape: tuple[int, int]) -> None:
    field = np.random.default_rng(3).normal(100, 20, shape).astype(np.float32)

    def mean(of: np.ndarray) -> np.ndarray:
        inside = scipy.ndimage.uniform_filter(np.ones(shape), 7, mode="constant")
        return scipy.ndimage.uniform_filter(of.astype(np.float64), 7, mode="constant") / inside

    rest, deviation = local_contrast(field, 3)
    np.testing.assert_allclose(rest, field - mean(field), atol=1e-4)
    np.testing.assert_allclose(deviation, np.sqrt(mean(rest.astype(np.float64) ** 2)), atol=1e-4)


def test_adding_a_pattern_rounds_and_cuts_off() -> None:
    planes = np.array([[[0], [100], [255]]], np.uint8)
    out = np.empty_like(planes)
    period = np.array([[-3.0, 2.4]], np.float32)
    change = add_tiled(planes, np.ones((1, 3), np.float32), period, 1.0, out)
    assert out.ravel().tolist() == [0, 102, 252]
    assert change == pytest.approx((0 + 4 + 9) / 3)


def test_haar_is_orthogonal_and_inverts() -> None:
    plane = np.random.default_rng(4).integers(0, 256, (12, 20))
    bands = haar(plane)
    np.testing.assert_allclose(bands.mean, plane.reshape(6, 2, 10, 2).sum(axis=(1, 3)) / 2)
    assert sum(float((band**2).sum()) for band in bands) == pytest.approx(float((plane**2).sum()))
    np.testing.assert_allclose(unhaar(bands), plane, atol=1e-9)
    turned = Haar(bands.mean.T, bands.columns.T, bands.rows.T, bands.both.T)
    np.testing.assert_allclose(unhaar(turned), plane.T, atol=1e-9)


def test_harmonics_are_fourier_sums() -> None:
    field = np.random.default_rng(5).normal(size=(30, 41)).astype(np.float32)
    found = gratings.harmonics(field, 0.031, 4)
    y, x = np.mgrid[:30, :41]
    for k, l in [(-4, 0), (0, 0), (3, 2), (-2, 4)]:  # noqa: E741
        wave = np.exp(-2j * np.pi * 0.031 * (k * (y - 15) + l * (x - 20.5)))
        assert found[k + 4, l] == pytest.approx((field * wave).sum(), rel=1e-3, abs=1e-2)
    beyond = gratings.harmonics(field, 0.2, 4)
    assert not beyond[:, 3:].any()
    assert not beyond[:2].any()
    assert beyond[2:7, :3].all()


def pattern(seed: int = 6) -> gratings.Pattern:
    rng = np.random.default_rng(seed)
    k, l = np.mgrid[-9:10, 0:10]  # noqa: E741
    kept = (k * k + l * l > 8) & (k * k + l * l <= 81) & ((l > 0) | (k > 0))
    return gratings.Pattern(9, k[kept], l[kept], np.where(rng.random(kept.sum()) < 0.5, -1, 1).astype(np.float32))


def drawn(waves: gratings.Pattern, pitch: float, shift: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    """The field of a pattern, straight from its definition."""
    y, x = np.arange(shape[0]) - shape[0] / 2, np.arange(shape[1]) - shape[1] / 2
    total = np.zeros(shape)
    for k, l, sign in zip(waves.rows, waves.columns, waves.signs, strict=True):  # noqa: E741
        down, along = k * (pitch * y + shift[0]), l * (pitch * x + shift[1])
        total += sign * np.cos(2 * np.pi * (down[:, None] + along[None, :]))
    return total


@pytest.mark.parametrize("scale", [0.47, 1.0, 1.83])
def test_scale_and_shift_are_found_in_noise(scale: float) -> None:
    waves, pitch, shift = pattern(), 1 / (40 * scale), (0.3125, 0.75)
    field = drawn(waves, pitch, shift, (260, 190))
    noisy = (field + np.random.default_rng(7).normal(0, 5 * field.std(), field.shape)).astype(np.float32)
    best, angle = gratings.search(noisy, waves, 1 / 100, 1 / 16, 3)[0]
    assert angle == 0
    place, _ = gratings.refined(noisy, waves, best, 1 / (2 * 9 * 260))
    assert place.pitch == pytest.approx(pitch, rel=0.004)
    assert place.shift == pytest.approx(shift, abs=0.02)
    assert place.fit > 0.5
    missed, _ = gratings.refined(noisy, pattern(99), best, 1 / (2 * 9 * 260))
    assert missed.fit < 0.4


@pytest.mark.parametrize("angle", [-0.4, 0.1, 1.2])
def test_an_angle_is_found(angle: float) -> None:
    """Of a pattern that is drawn turned: its waves point elsewhere, and are as long as before."""
    waves, pitch = pattern(), 1 / 40
    y, x = np.mgrid[:180, :180] - 90.0
    field = np.zeros((180, 180), np.float32)
    for k, l, sign in zip(waves.rows, waves.columns, waves.signs, strict=True):  # noqa: E741
        down, along = k * np.cos(angle) - l * np.sin(angle), k * np.sin(angle) + l * np.cos(angle)
        field += sign * np.cos(2 * np.pi * pitch * (down * y + along * x))
    found = gratings.search(field, waves, 1 / 60, 1 / 30, 1, [-0.4, 0.0, 0.1, 1.2])
    assert found[0] == (pytest.approx(pitch, rel=0.01), angle)


def test_waves_at_the_place_found_have_the_signs_of_the_pattern() -> None:
    waves = pattern()
    field = drawn(waves, 1 / 40, (0.4, 0.1), (200, 200)).astype(np.float32)
    found = gratings.whitened(gratings.shifted(gratings.harmonics(field, 1 / 40, 9), (0.4, 0.1)))
    taken = found[waves.rows + 9, waves.columns]
    np.testing.assert_allclose(taken / abs(taken), waves.signs, atol=0.01)
    assert abs(taken[:50]) == pytest.approx(1.0, abs=0.01)  # rings without other waves
