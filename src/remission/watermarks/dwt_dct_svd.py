"""The mark ``dwtDctSvd`` of the package invisible-watermark, written and read. It survives mild JPEG and noise."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.numerics.arrays import Array, Booleans
from remission.watermarking import Key, PictureFinding, PictureWatermark
from remission.watermarks import _picture_blue as blue


class DwtDctSvd(PictureWatermark):
    """``dwtDctSvd`` of invisible-watermark 0.2.0, the default of SDXL programs and of diffusers (with 48 bits).

    The largest singular value of each block of the mean Haar band of the colour difference U is moved to the first or third
    quarter of a step of 36. The package takes a cosine transform before, which does not change singular values: it is left
    out here. Bits therefore equal those of the package but for blocks whose value lies on the boundary to the last
    digit, as happens in areas of one colour; pictures but for pixels that round the other way.

    There is no key: whoever knows the payload can write it. The key here *is* the payload that is expected, as a whole number
    of ``bits`` bits, the first the most significant. The p-value, Binomial(bits, 1/2), is exact only for payloads that were
    drawn at random; how often a public payload, such as the 48 bits of SDXL, is read from pictures without it must be
    measured on clean ones. Grey pictures carry no colour, and nothing is found in them.

    Attributes:
        bits: length of the payload; it must be known to read it.

    Raises:
        DataError: a picture of less than 65,536 pixels, or no array of bytes (h, w) or (h, w, 3).
        SpecError: a key that is no whole number of so many bits.

    Source: invisible-watermark 0.2.0, method ``dwtDctSvd``.

    >>> picture = np.random.default_rng(0).integers(60, 190, (256, 256, 3)).astype(np.uint8)
    >>> mark, key = DwtDctSvd(), Key("id", (0xDEADBEEF,))
    >>> "".join(map(str, mark.find(key, mark.embed(key, picture)).payload.astype(int)))
    '11011110101011011011111011101111'
    """

    bits: Annotated[int, Meta(ge=8, le=1024)] = 32

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """Random bits."""
        return Key(name, (int.from_bytes(rng.bytes(128), "big") >> (1024 - self.bits),))

    def check_key(self, key: Key) -> None:
        """One whole number of ``bits`` bits."""
        blue.check_key(key, self.bits, self.name())

    def embed(self, key: Key, picture: Array, payload: Booleans | None = None) -> Array:
        """The marked picture (h, w, 3)."""
        self.check_key(key)
        wanted = blue.payload_of(key, payload, self.bits, self.name())
        planes, bands = blue.bands(blue.check(picture, f"Marking with {self.name()}"))
        u, s, v = np.linalg.svd(blue.blocks(bands.mean))
        s[:, 0] = (s[:, 0] // blue.STEP + 0.25 + 0.5 * blue.bit_of_block(len(s), wanted)) * blue.STEP
        return blue.assembled(planes, bands, blue.put(bands.mean, (u * s[:, None, :]) @ v))

    def find(self, key: Key, picture: Array, payload: Booleans | None = None) -> PictureFinding:
        """What the picture says, at the scale and place where it was marked."""
        self.check_key(key)
        wanted = blue.payload_of(key, payload, self.bits, self.name())
        _, bands = blue.bands(blue.check(picture, f"Reading {self.name()}"))
        largest = np.linalg.svd(blue.blocks(bands.mean), compute_uv=False)[:, 0]
        return blue.finding(largest % blue.STEP > 0.5 * blue.STEP, wanted)
