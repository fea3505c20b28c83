"""Picture watermarks: what they survive, that p-values hold, that the marks of another package are read as it reads them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from remission.clinic.watermark_pictures import psnr
from remission.errors import DataError, SpecError
from remission.numerics import convolutional
from remission.watermarking import Key, PictureWatermark
from remission.watermarks import _picture as pictures
from remission.watermarks import _picture_tile as tile
from remission.watermarks.dwt_dct import DwtDct
from remission.watermarks.dwt_dct_svd import DwtDctSvd
from remission.watermarks.spread_spectrum import SpreadSpectrum

Image = pytest.importorskip("PIL.Image")

MARK = SpreadSpectrum()
KEY = Key("test", (0x0123456789ABCDEF0F1E2D3C4B5A6978,))
OWN = tile.own_payload(KEY, 64)


@pytest.fixture(scope="module")
def photographs() -> dict[str, np.ndarray]:
    from sklearn.datasets import load_sample_image

    return {"china": load_sample_image("china.jpg")[:, 100:], "flower": load_sample_image("flower.jpg")[:, 128:]}


@pytest.fixture(scope="module")
def marked(photographs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: MARK.embed(KEY, picture) for name, picture in photographs.items()}


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as file:
        return np.asarray(file)


def resized(picture: np.ndarray, height: float, width: float | None = None) -> np.ndarray:
    size = (round(picture.shape[1] * (width or height)), round(picture.shape[0] * height))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def noisy(picture: np.ndarray, spread: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, spread, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


ATTACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nothing": lambda x: x,
    "JPEG 50": lambda x: jpeg(x, 50),
    "JPEG 30": lambda x: jpeg(x, 30),
    "crop of the top and left tenth": lambda x: x[len(x) // 10 :, x.shape[1] // 10 :],
    "crop of the bottom and right tenth": lambda x: x[: -(len(x) // 10), : -(x.shape[1] // 10)],
    "middle half": lambda x: x[len(x) // 4 : -(len(x) // 4), x.shape[1] // 4 : -(x.shape[1] // 4)],
    "half the size": lambda x: resized(x, 0.5),
    "0.731 of the size, JPEG 70": lambda x: jpeg(resized(x, 0.731), 70),
    "twice the size": lambda x: resized(x, 2.0),
    "half the size and back": lambda x: np.asarray(Image.fromarray(resized(x, 0.5)).resize(x.shape[1::-1])),
    "noise of 10": lambda x: noisy(x, 10),
    "blur of 1": lambda x: scipy.ndimage.gaussian_filter(x, (1, 1, 0)),
    "brighter": lambda x: (x * 1.2).clip(0, 255).astype(np.uint8),
    "less contrast": lambda x: (x * 0.6 + 50).astype(np.uint8),
    "grey": lambda x: np.asarray(Image.fromarray(x).convert("L")),
    "half a degree": lambda x: np.asarray(Image.fromarray(x).rotate(0.25, Image.Resampling.BICUBIC)),
    "crop, then half the size, then JPEG 80": lambda x: jpeg(resized(x[30:, 50:], 0.5), 80),
}


@pytest.mark.parametrize("name", ["china", "flower"])
def test_marking_hardly_shows(photographs: dict[str, np.ndarray], marked: dict[str, np.ndarray], name: str) -> None:
    before, after = photographs[name], marked[name]
    assert (after.shape, after.dtype) == (before.shape, np.uint8)
    assert psnr(before, after) >= MARK.psnr
    assert np.array_equal(MARK.embed(KEY, before), after)
    strong = SpreadSpectrum(psnr=45.0)
    assert psnr(before, strong.embed(KEY, before)) >= 45.0


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_payload_survives(marked: dict[str, np.ndarray], attack: str) -> None:
    for picture in marked.values():
        found = MARK.find(KEY, ATTACKS[attack](picture))
        assert np.array_equal(found.payload, OWN)
        assert found.log10_p < -10
        assert found.log10_p_any is not None
        assert found.log10_p_any < -5


def test_place_and_sides_are_told(marked: dict[str, np.ndarray]) -> None:
    picture = marked["flower"]
    cropped = MARK.find(KEY, picture[40:, 150:])
    assert (cropped.shift, cropped.turns, cropped.mirrored) == ((40, 150 - 128), 0, False)
    assert cropped.scale == pytest.approx(1, abs=0.004)
    assert MARK.find(KEY, resized(picture, 0.64)).scale == pytest.approx(0.64, abs=0.003)
    for turns in range(4):
        for mirrored in (False, True):
            other = np.rot90(picture[:, ::-1] if mirrored else picture, turns)[17:, 9:]
            found = MARK.find(KEY, np.ascontiguousarray(other))
            assert (found.turns, found.mirrored) == (turns, mirrored)
            assert np.array_equal(found.payload, OWN)


@pytest.mark.parametrize(("degrees", "mirrored"), [(-3.3, False), (1.4, True)])
def test_tilts_are_found_when_they_are_searched(marked: dict[str, np.ndarray], degrees: float, mirrored: bool) -> None:
    picture = marked["china"][:, ::-1] if mirrored else marked["china"]
    tilted = np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))
    assert MARK.find(KEY, tilted).log10_p > -10
    found = SpreadSpectrum(tilt=4.0).find(KEY, resized(tilted, 0.8))
    assert np.array_equal(found.payload, OWN)
    assert found.mirrored == mirrored
    assert found.tilt == pytest.approx(degrees, abs=0.2)
    assert found.scale == pytest.approx(0.8, rel=0.005)
    assert found.log10_p < -50


def test_p_values_hold_when_tilts_are_searched(photographs: dict[str, np.ndarray]) -> None:
    picture, rng, mark = nulls(photographs)["photograph"], np.random.default_rng(13), SpreadSpectrum(tilt=1.5)
    found = [mark.find(mark.random_key(rng), picture) for _ in range(60)]
    assert scipy.stats.kstest([10**one.log10_p for one in found], "uniform").pvalue > 1e-3
    assert sum(10 ** (one.log10_p_any or 0.0) <= 0.1 for one in found) <= 15
    assert any(one.tilt for one in found)


def test_a_large_picture_and_one_that_is_grey(photographs: dict[str, np.ndarray]) -> None:
    large = np.asarray(
        Image.fromarray(photographs["china"]).resize((1700, 1350), Image.Resampling.BICUBIC).convert("L")
    )
    found = MARK.find(KEY, resized(MARK.embed(KEY, large)[100:, 300:], 0.8))
    assert np.array_equal(found.payload, OWN)
    assert found.log10_p < -50
    assert found.scale == pytest.approx(0.8, rel=0.003)


def test_another_payload(photographs: dict[str, np.ndarray]) -> None:
    payload = np.random.default_rng(3).random(64) < 0.5
    picture = MARK.embed(KEY, photographs["china"], payload)
    told, own = MARK.find(KEY, picture, payload), MARK.find(KEY, picture)
    assert np.array_equal(told.payload, payload)
    assert np.array_equal(own.payload, payload)
    assert told.log10_p < -50 < -4 < own.log10_p
    assert own.log10_p_any == told.log10_p_any
    assert own.log10_p_any is not None
    assert own.log10_p_any < -20


@pytest.mark.parametrize("bits", [8, 128])
def test_other_lengths(photographs: dict[str, np.ndarray], bits: int) -> None:
    mark = SpreadSpectrum(bits=bits)
    found = mark.find(KEY, jpeg(mark.embed(KEY, photographs["china"]), 60))
    assert np.array_equal(found.payload, tile.own_payload(KEY, bits))


def nulls(photographs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    photograph = photographs["china"][100:260, 100:260]
    return {
        "noise": rng.integers(0, 256, (72, 90)).astype(np.uint8),
        "photograph": photograph[:96, :96],
        "other key": MARK.embed(MARK.random_key(rng), photograph)[:96, :96],
        "stripes": np.tile((np.arange(96) % 12 * 20).astype(np.uint8), (64, 1)),
    }


@pytest.mark.parametrize("kind", ["noise", "photograph", "other key", "stripes"])
def test_p_values_hold(photographs: dict[str, np.ndarray], kind: str) -> None:
    """Over keys drawn at random, a picture without them gives uniform p-values and coins for bits."""
    picture, rng, keys = nulls(photographs)[kind], np.random.default_rng(12), 250
    found, hits = [], 0
    for _ in range(keys):
        key = MARK.random_key(rng)
        one = MARK.find(key, picture)
        found.append((one.log10_p, one.log10_p_any))
        hits += int((one.payload == tile.own_payload(key, 64)).sum())
    p, p_any = 10.0 ** np.array(found, np.float64).T
    assert scipy.stats.kstest(p, "uniform").pvalue > 1e-3
    for values in (p, p_any):
        for alpha in (0.02, 0.1, 0.3):
            assert scipy.stats.binom.sf((values <= alpha).sum() - 1, keys, alpha) > 1e-3
    assert scipy.stats.binomtest(hits, keys * 64).pvalue > 1e-3


def test_p_values_can_be_small(photographs: dict[str, np.ndarray]) -> None:
    """The same test as above on a marked picture must fail, or it tests nothing."""
    part = MARK.embed(KEY, photographs["china"])[100:260, 100:260]
    found = MARK.find(KEY, part)
    assert found.log10_p < -10
    assert MARK.find(dataclasses.replace(KEY, values=(KEY.values[0] ^ 1,)), part).log10_p > -3


@pytest.mark.parametrize("level", [0, 77, 255])
def test_flat_pictures(level: int) -> None:
    flat = np.full((200, 180, 3), level, np.uint8)
    unmarked = MARK.find(KEY, flat)
    assert (unmarked.log10_p, unmarked.log10_p_any) == (0.0, 0.0)
    picture = MARK.embed(KEY, flat)
    assert psnr(flat, picture) > 46
    for attacked in (picture, picture[20:], resized(picture, 0.5), jpeg(picture, 90)):
        assert np.array_equal(MARK.find(KEY, attacked).payload, OWN)


def test_the_stream_of_a_key_is_fixed() -> None:
    """Marks that were written once must be read for ever: these are the bytes of version 1."""
    assert np.packbits(pictures.bits_of(KEY, "guides", 64)).tobytes().hex() == "e7d6e842a260d30f"
    assert np.packbits(OWN).tobytes().hex() == "136776639f9f7ff2"
    waves = tile.layout()
    assert (waves.rows.size, waves.orbits, waves.free_rows.size) == (370, 99, 656)
    assert 2 * (waves.rows.size + waves.free_rows.size) == 2 * 1026
    said = tile.said(KEY, OWN)
    assert hashlib.sha256(np.packbits(said > 0).tobytes()).hexdigest()[:16] == "89dd57e5d5028302"
    assert abs(int(said.sum())) < 4 * math.sqrt(said.size)
    counts = np.bincount(tile.order(KEY, 64), minlength=convolutional.length(64))
    assert counts.max() - counts.min() <= 1


def test_guides_look_the_same_from_all_sides() -> None:
    guide = tile.guides(KEY)
    waves = np.zeros((53, 27), np.complex64)
    waves[guide.rows + 26, guide.columns] = guide.signs
    waves[:26, 0] = waves[:26:-1, 0]
    for side in tile.SIDES:
        assert np.array_equal(tile.turned(waves, *side), waves)


@pytest.mark.parametrize("mark", [MARK, DwtDct(), DwtDctSvd()], ids=lambda mark: mark.name())
def test_bad_pictures_are_refused(mark: PictureWatermark) -> None:
    key = mark.random_key(np.random.default_rng(0))
    mark.check_key(key)
    good = np.zeros((256, 256, 3), np.uint8)
    for call in (mark.embed, mark.find):
        with pytest.raises(DataError, match="at least"):
            call(key, good[:1, :1])
        with pytest.raises(DataError, match="at least"):
            call(key, good[:40, :200])
        with pytest.raises(DataError, match="float64"):
            call(key, good / 255)
        with pytest.raises(DataError, match=r"\(256, 256, 4\)"):
            call(key, np.zeros((256, 256, 4), np.uint8))
        with pytest.raises(DataError, match="a str"):
            call(key, "picture.png")  # type: ignore[arg-type]
        with pytest.raises(DataError, match="payload"):
            call(key, good, np.ones(5, np.bool_))
        with pytest.raises(SpecError):
            call(Key("two", (1, 2)), good)
        with pytest.raises(SpecError) as raised:
            call(Key("secret", (-123456789,)), good)
        assert "123456789" not in str(raised.value)


# --- the marks of the package invisible-watermark ------------------------------------------------------------------------


def synthetic(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.int64)
    planes = [(x * x * 3 + y * x * 5 + y * 11 + k * x * (17 + y % 13)) // (60 + 20 * k) % 256 for k in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


# What version 0.2.0 reads from the synthetic picture before and after it wrote b1a5ed5eedc0 into it.
VECTORS = [
    (DwtDct(bits=48), (256, 256), "c7adf77c0288", "24379b60942ae43c"),
    (DwtDct(bits=48), (301, 262), "852da7f48288", "e67c622835c62fa6"),
    (DwtDctSvd(bits=48), (256, 256), "7c9a383f1293", ""),
    (DwtDctSvd(bits=48), (301, 262), "6c1ab837329b", ""),
]


def digits(bits: np.ndarray) -> str:
    return np.packbits(bits).tobytes().hex()


@pytest.mark.parametrize(("mark", "size", "before", "digest"), VECTORS, ids=str)
def test_marks_of_invisible_watermark(
    mark: DwtDct | DwtDctSvd, size: tuple[int, int], before: str, digest: str
) -> None:
    key, picture = Key("payload", (0xB1A5ED5EEDC0,)), synthetic(*size)
    assert digits(mark.find(key, picture).payload) == before
    after = mark.embed(key, picture)
    found = mark.find(key, after)
    assert digits(found.payload) == "b1a5ed5eedc0"
    assert found.log10_p == pytest.approx(-48 * math.log10(2))
    if digest:  # pixels, too, are those of the package; singular values may round otherwise elsewhere
        assert hashlib.sha256(np.ascontiguousarray(after).tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("name", ["dwtDct", "dwtDctSvd"])
def test_the_package_itself(photographs: dict[str, np.ndarray], name: str) -> None:
    package = pytest.importorskip("imwatermark")
    mark = {"dwtDct": DwtDct(bits=48), "dwtDctSvd": DwtDctSvd(bits=48)}[name]
    key = Key("payload", (0xB1A5ED5EEDC0,))
    encoder, decoder = package.WatermarkEncoder(), package.WatermarkDecoder("bits", 48)
    encoder.set_watermark("bits", [int(bit) for bit in f"{key.values[0]:048b}"])
    for picture in photographs.values():
        theirs = np.ascontiguousarray(encoder.encode(np.ascontiguousarray(picture[..., ::-1]), name)[..., ::-1])
        assert (mark.embed(key, picture) != theirs).mean() < 0.002
        for attacked in (picture, theirs, jpeg(theirs, 80)):
            read = decoder.decode(np.ascontiguousarray(attacked[..., ::-1]), name)
            assert np.array_equal(mark.find(key, attacked).payload, np.array(read, np.bool_))


def test_dwt_p_values_are_binomial(photographs: dict[str, np.ndarray]) -> None:
    mark, rng = DwtDctSvd(), np.random.default_rng(5)
    bits = mark.find(Key("any", (0,)), photographs["china"]).payload
    for _ in range(5):
        key = mark.random_key(rng)
        wanted = np.array([key.values[0] >> (31 - place) & 1 for place in range(32)], np.bool_)
        expected = scipy.stats.binom.logsf((bits == wanted).sum() - 1, 32, 0.5) / math.log(10)
        assert mark.find(key, photographs["china"]).log10_p == pytest.approx(expected, abs=1e-9)
    grey = mark.find(Key("any", (0,)), photographs["china"][..., 0])
    assert grey.payload.shape == (32,)
