"""Detectors of pictures without weights: features by hand, leaks refused, real pictures against those of small models."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from remission.calibration.fitted import FittedDetector
from remission.data import Dataset
from remission.detectors import _images
from remission.detectors.noise_residual import NoiseResidual, co_occurrences
from remission.detectors.power_spectrum import PowerSpectrum, log_spectrum
from remission.documents import Documents
from remission.errors import DataError, FitError
from remission.interfaces import Sampling
from remission.models.vae import Vae
from remission.rng import Streams
from remission.sources.digits import Digits

BOTH = pytest.mark.parametrize("detector", [PowerSpectrum(), NoiseResidual()], ids=["spectrum", "residual"])


def grain(n, side=24, channels=1, seed=0, smooth=2.0):
    """Pictures of smooth things with noise on top, away from black and white."""
    import scipy.ndimage

    dice = np.random.default_rng(seed)
    base = scipy.ndimage.gaussian_filter(dice.normal(size=(n, side, side, channels)), (0, smooth, smooth, 0))
    noise = scipy.ndimage.gaussian_filter(dice.normal(size=base.shape), (0, 0.3, 0.3, 0))
    found = np.clip(np.rint(128 + 150 * base + 8 * noise), 1, 254).astype(np.uint8)
    return found[..., 0] if channels == 1 else found


def upsampled(pictures):
    """As a decoder makes them: half the pixels, and each of them twice."""
    return np.repeat(np.repeat(pictures[:, ::2, ::2], 2, axis=1), 2, axis=2)


def examples(human, synthetic):
    flags = np.r_[np.zeros(len(human), bool), np.ones(len(synthetic), bool)]
    return Documents([*human, *synthetic], synthetic=flags)


def auroc(human, synthetic):
    return roc_auc_score(np.r_[np.zeros(len(human)), np.ones(len(synthetic))], np.r_[human, synthetic])


@pytest.fixture(scope="module")
def digits():
    """Held-out real digits, and what a small autoencoder draws after learning others, at the same grey levels."""
    source = Digits()
    items = source.items()
    items = items[np.random.default_rng(0).permutation(len(items))]
    model = Vae(hidden=64, latent=8, steps=400, batch=64, precision="float32")
    streams = Streams.of(1, [0])
    data = Dataset(source.space, items[None, :900], np.zeros((1, 900), np.int32))
    state = model.fit(data, streams.at(1, "fit"))
    drawn = model.sample(state, 800, streams.at(1, "sample"), Sampling())[0]
    side = source.space.picture
    return tuple(
        np.rint(np.rint(part * 16) * 255 / 16).astype(np.uint8).reshape(-1, *side) for part in (items[900:], drawn)
    )


@BOTH
def test_real_digits_against_an_autoencoder(detector, digits):
    real, drawn = digits
    state = detector.fit(examples(real[:400], drawn[:400]))
    assert auroc(detector.score(state, real[400:]), detector.score(state, drawn[400:])) > 0.9


@BOTH
def test_upsampling_is_seen_and_nothing_is_not(detector):
    """Held-out pictures of the same law are told apart no better than by chance: the detector cannot only say yes."""
    human, other = grain(160, seed=1), grain(160, seed=2)
    made = upsampled(other)
    state = detector.fit(examples(human[:80], made[:80]))
    assert auroc(detector.score(state, human[80:]), detector.score(state, made[80:])) > 0.99
    state = detector.fit(examples(human[:80], other[:80]))
    assert abs(auroc(detector.score(state, human[80:]), detector.score(state, other[80:])) - 0.5) < 0.18


@BOTH
def test_colours_sizes_and_neighbours(detector):
    """Another size, type or number of channels scores NaN; neighbours, order and pieces of work do not matter."""
    human, made = grain(40, channels=3, seed=3), upsampled(grain(40, channels=3, seed=4))
    fitted = FittedDetector.fit(detector, examples(human, made))
    mixed = [human[0], grain(1, side=16, channels=3)[0], human[1][..., 0], human[2].astype(np.float64), made[0]]
    found = fitted.score(mixed)
    assert np.isnan(found).tolist() == [False, True, True, True, False]
    assert found[0] == fitted.score([human[0]])[0]
    whole = fitted.score(human)
    assert np.array_equal(fitted.score(human[::-1]), whole[::-1])
    assert np.array_equal(np.concatenate([fitted.score([one]) for one in human]), whole)
    assert fitted.score([]).shape == (0,)
    with pytest.raises(DataError, match="item 1 is a str"):
        fitted.score([human[0], "a path"])
    with pytest.raises(DataError, match="was not fitted"):
        detector.score({}, [human[0]])


@BOTH
def test_fits_are_stored_and_the_same_again(detector, tmp_path):
    human, made = grain(30, seed=5), upsampled(grain(30, seed=6))
    one, other = (FittedDetector.fit(detector, examples(human, made), seed) for seed in (0, 1))
    assert one.content == other.content
    one.save(tmp_path / "kept")
    assert np.array_equal(FittedDetector.load(tmp_path / "kept").score(human), one.score(human))


def jpeg(pictures, quality):
    image = pytest.importorskip("PIL.Image")

    def packed(picture):
        file = io.BytesIO()
        image.fromarray(picture).save(file, "JPEG", quality=quality)
        return np.asarray(image.open(file))

    return np.stack([packed(one) for one in pictures])


@BOTH
def test_leaks_of_size_and_format_are_refused(detector):
    """The newline leak of pictures: what tells the kinds apart is how they were stored."""
    human, made = grain(60, side=40, seed=7), grain(60, side=40, seed=8)
    with pytest.raises(
        DataError, match=r"sizes differ: human pictures 40 x 40 \(60\); synthetic pictures 32 x 32 \(60\)"
    ):
        detector.fit(examples(human, made[:, :32, :32]))
    with pytest.raises(DataError, match=r"sizes differ: .* 40 x 40 x 3"):
        detector.fit(examples(human, np.repeat(made[..., None], 3, axis=3)))
    with pytest.raises(DataError, match=r"types of numbers differ: .*uint8.*float64"):
        detector.fit(examples(human, made.astype(np.float64)))
    with pytest.raises(DataError, match="these are float64"):
        detector.fit(examples(human / 255, made / 255))
    with pytest.raises(DataError, match=r"grey levels differ: human pictures use \d+, synthetic ones 16"):
        detector.fit(examples(human, made // 16 * 16))
    with pytest.raises(DataError, match=r"traces of JPEG differ: 0\.00 for human"):
        detector.fit(examples(human, jpeg(made, 85)))
    assert "weight" in detector.fit(examples(jpeg(human, 85), jpeg(made, 85)))


@BOTH
def test_too_little_is_refused(detector):
    with pytest.raises(FitError, match="20 human and 20 synthetic pictures; it was given 30 and 5"):
        detector.fit(examples(grain(30), grain(5)))
    with pytest.raises(FitError, match="0 and 0"):
        detector.fit(Documents(list(grain(30))))
    with pytest.raises(FitError, match="at least 8 pixels"):
        detector.fit(examples(grain(30, side=6), grain(30, side=6)))
    with pytest.raises(DataError, match="item 0 is a list"):
        detector.fit(examples([[1, 2]] * 30, grain(30)))


def test_jpeg_leaves_a_trace_and_nothing_else_does():
    """Colour and grey, the grid moved by a cut, and pictures that never were compressed."""
    for channels in (1, 3):
        raw = grain(60, side=48, channels=channels, seed=9)
        shaped = raw if channels == 3 else raw[..., None]
        assert _images.jpeg_trace(shaped) < 0.05
        packed = jpeg(raw, 80)
        packed = packed if channels == 3 else packed[..., None]
        assert _images.jpeg_trace(packed) > 0.4
        assert _images.jpeg_trace(packed[:, 3:, 5:]) > 0.4
    noise = np.random.default_rng(0).integers(1, 255, (60, 32, 32, 1)).astype(np.uint8)
    assert _images.jpeg_trace(noise) < 0.05
    assert _images.jpeg_trace(np.full((60, 32, 32, 1), 7, np.uint8)) == 0


def test_the_spectrum_is_the_formula():
    """Ring by ring from the definition, for a picture that is no square."""
    dice = np.random.default_rng(0)
    picture = dice.integers(0, 256, (10, 14, 3)).astype(np.uint8)
    rings: dict[int, list[float]] = {}
    for u, v in itertools.product(range(10), range(14)):
        power = 0.0
        for channel in range(3):
            values = picture[..., channel] - picture[..., channel].mean()
            rows, columns = np.mgrid[:10, :14]
            wave = np.exp(-2j * np.pi * (u * rows / 10 + v * columns / 14))
            power += abs((values * wave).sum()) ** 2 / 140 / 3
        radius = np.hypot(min(u, 10 - u) / 10, min(v, 14 - v) / 14)
        if (u, v) != (0, 0):
            rings.setdefault(round(radius * 14), []).append(power)
    wanted = [np.log10(np.mean(rings[key]) + 1e-6) for key in sorted(rings)]
    assert log_spectrum(picture[None])[0] == pytest.approx(wanted, abs=1e-9)


def test_co_occurrences_are_the_count():
    """The table of first differences, pair by pair from the definition; 39 classes out of 125."""
    dice = np.random.default_rng(1)
    picture = dice.integers(0, 4, (9, 11)).astype(np.int64)
    counts: dict[tuple[int, ...], int] = {}

    def count(residual):
        for row in residual:
            for k in range(len(row) - 2):
                triple = tuple(int(v) for v in np.clip(row[k : k + 3], -2, 2))
                negative = tuple(-v for v in triple)
                name = min(triple, triple[::-1], negative, negative[::-1])
                counts[name] = counts.get(name, 0) + 1

    count(np.diff(picture, axis=1))
    count(np.diff(picture, axis=0).T)
    found = co_occurrences(picture[None, :, :, None].astype(np.uint8), 1.0)[0]
    assert found.shape == (8 * 39,)
    wanted = np.sqrt(np.array(sorted(counts.values())) / sum(counts.values()))
    assert np.sort(found[:39][found[:39] > 0]) == pytest.approx(wanted)
    triples = {min(t, t[::-1], n := tuple(-v for v in t), n[::-1]) for t in itertools.product(range(-2, 3), repeat=3)}
    assert len(triples) == 39
    turned = co_occurrences(picture.T[None, :, :, None].astype(np.uint8), 1.0)[0]
    assert found[: 6 * 39] == pytest.approx(turned[: 6 * 39]), "rows and columns are treated alike"
    assert found[6 * 39 : 7 * 39] == pytest.approx(turned[7 * 39 :])
