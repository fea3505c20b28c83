"""A keyed watermark of pictures that survives JPEG, cropping and scaling: waves that repeat, found by their own guides."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.numerics import convolutional, gratings, survival
from remission.numerics.arrays import Array, Booleans, Floats
from remission.watermarking import Key, PictureFinding, PictureWatermark
from remission.watermarks import _picture as pictures
from remission.watermarks import _picture_tile as tile
from remission.watermarks._picture_mark import add
from remission.watermarks._picture_place import located

LEAST_MARKED, LEAST_READ = 128, 64  # pixels a side
_SURE = 1.5  # no sign counts for more
_UPRIGHT = 0.5  # the share of the error that a picture which was neither turned nor mirrored may use
_LN10 = math.log(10)


class SpreadSpectrum(PictureWatermark):
    """A pattern of 1,026 waves that repeats every 128 pixels, added to the brightness where it shows least.

    Signs that follow from the key carry the payload, which is coded (convolutional code of rate 1/3, most likely decoding)
    and repeated; see :mod:`remission.watermarks._picture_tile`. Readers need the key, not the original: they divide by the
    local variance, find scale (0.4 to 2.5), shift and tilt from the waves that are guides, quarter turns and mirroring
    from pilots, and then count how many signs of the spectrum agree with those expected.

    The p-value is exact for every picture that was made without the key, marked with another key or not: the signs
    expected are fair coins that are independent of the picture and of the guides, so the number that agree is
    Binomial(n, 1/2), and the search needs no correction. ``log10_p`` tests the payload, ``log10_p_any`` the pilots alone,
    corrected for the eight sides. Keys must be drawn at random; a payload that was chosen after a look at the picture
    has no p-value. What is not found may still be marked, and says nothing about who made a picture.

    The strength follows the local contrast and is scaled down until PSNR is at least ``psnr``. A flat picture is marked with
    a standard deviation of 1 grey level (PSNR 48 dB), which outlasts cropping, scaling and JPEG of quality 70, and mostly 50;
    where a picture is black or white, half of that is cut off, and JPEG below 80 removes it. Photographs hold all bits from
    256 x 256 pixels on, dense texture such as grass from 512 x 512 on; in smaller ones some bits are lost first, then all.
    Not survived: tilts beyond ``tilt``, scaling by different factors along the axes (beyond about 1 %), perspective, and
    whoever averages many pictures marked with one key, or has the key: this is no lock.

    Attributes:
        bits: length of the payload.
        psnr: least ratio of peak to noise of the marking, 10 log10(255^2 / mean squared change), in decibels.
        tilt: how far pictures may have been turned beside quarter turns, either way, in degrees. Searching 5 takes about
            0.6 s a picture longer; without it 0.3 to 0.5 is borne, in pictures of 512 pixels a side.

    Raises:
        DataError: a picture of less than 128 x 128 pixels to mark or 64 x 64 to read, or no array of bytes (h, w) or (h, w, 3).
        SpecError: a key that is no whole number from 0 to 2^128 - 1.

    Source: Cox, Kilian, Leighton and Shamoon, "Secure spread spectrum watermarking for multimedia" (IEEE Transactions on
    Image Processing 6, 1997), for spreading; Kutter, "Watermarking resistant to translation, rotation, and scaling" (SPIE
    3528, 1998), for a pattern that repeats. Layout, guides and test are our own.

    >>> mark, key = SpreadSpectrum(), Key("mine", (0x9F86D081884C7D659A2FEAA0C55AD015,))
    >>> picture = np.random.default_rng(0).normal(128, 20, (256, 256)).clip(0, 255).astype(np.uint8)
    >>> found = mark.find(key, mark.embed(key, picture)[10:, 20:])
    >>> found.shift, round(found.scale, 2), bool(found.log10_p < -20)
    ((10, 20), 1.0, True)
    """

    bits: Annotated[int, Meta(ge=8, le=128)] = 64
    psnr: Annotated[float, Meta(ge=30, le=55)] = 38.5
    tilt: Annotated[float, Meta(ge=0, le=45)] = 0.0

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """128 random bits."""
        return pictures.random_number(rng, name)

    def check_key(self, key: Key) -> None:
        """One whole number from 0 to 2^128 - 1."""
        pictures.check_number(key, self.name())

    def _payload(self, key: Key, payload: Booleans | None) -> Booleans:
        if payload is None:
            return tile.own_payload(key, self.bits)
        return pictures.check_payload(payload, self.bits, self.name())

    def embed(self, key: Key, picture: Array, payload: Booleans | None = None) -> Array:
        """The marked picture."""
        self.check_key(key)
        pictures.check_picture(picture, LEAST_MARKED, f"Marking with {self.name()}")
        return add(picture, tile.period(key, self._payload(key, payload)), self.psnr)

    def find(self, key: Key, picture: Array, payload: Booleans | None = None) -> PictureFinding:
        """What the picture says, and how sure it is."""
        self.check_key(key)
        pictures.check_picture(picture, LEAST_READ, f"Reading {self.name()}")
        payload = self._payload(key, payload)
        guides = tile.guides(key)
        place, waves, tilt = located(pictures.luminance(picture), guides, self.tilt)
        waves = gratings.whitened(gratings.shifted(waves, place.shift))
        pilots = tile.layout().pilots
        keyed = tile.key_signs(key)
        sides = [tile.signs_in(tile.turned(waves, *side)) for side in tile.SIDES]
        chances = np.array([_log10_chance(signs[pilots], keyed[pilots]) for signs in sides])
        chances -= np.log10([_UPRIGHT, *[(1 - _UPRIGHT) / (len(sides) - 1)] * (len(sides) - 1)])
        side = int(chances.argmin())
        signs = sides[side]
        received = (np.clip(signs, -_SURE, _SURE) * keyed * tile.reliability(waves, guides))[~pilots]
        votes = np.zeros(convolutional.length(self.bits))
        np.add.at(votes, tile.order(key, self.bits), received)
        read = convolutional.decode(votes)
        turns, mirrored = tile.SIDES[side]
        scale = 1 / (tile.PERIOD * place.pitch)
        return PictureFinding(
            payload=read, log10_p=_log10_chance(signs[~pilots], tile.said(key, payload)[~pilots]),
            log10_p_any=min(0.0, float(chances[side])), scale=scale, shift=_corner(picture, place, scale), turns=turns,
            mirrored=mirrored, tilt=tilt,
        )  # fmt: skip


def _corner(picture: Array, place: gratings.Place, scale: float) -> tuple[int, int]:
    """Which point of the pattern the first pixel is, in pixels of the picture that was marked."""
    row, column = (
        round(shift * tile.PERIOD - length / 2 / scale) % tile.PERIOD
        for shift, length in zip(place.shift, picture.shape[:2], strict=True)
    )
    return row, column


def _log10_chance(found: Floats, expected: Array) -> float:
    """log10 of the probability that at least so many fair coins agree with the signs found that are not 0."""
    told = found != 0
    agree = int(((found > 0) == (expected > 0))[told].sum())
    return float(survival.log_binomial_tail(np.array([told.sum()]), np.array([agree]), 0.5)[0]) / _LN10
