"""The mark ``dwtDct`` of the package invisible-watermark, written and read bit for bit. It hardly survives anything."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Booleans, Floats, Integers
from remission.watermarks._picture_blue import STEP, Blue


class DwtDct(Blue):
    """``dwtDct`` of invisible-watermark 0.2.0: the default of early Stable Diffusion programs.

    The largest value of each block of the mean Haar band of the colour difference U, the first left out, is moved to the
    first or third quarter of a step of 36. There is no cosine transform, whatever the name says. Pictures, bits and all
    rounding equal those of the package, which works at exactly the scale and place where a picture was marked.

    There is no key: whoever knows the payload can write it. The key here *is* the payload that is expected, as a whole number
    (for Stable Diffusion's "StableDiffusionV1" its bytes, the first the most significant, and ``bits`` of 136). The
    p-value, Binomial(bits, 1/2), is exact only for payloads that were drawn at random; how often a public payload is read
    from pictures without it must be measured on clean ones. Grey pictures carry no colour, and nothing is found in them.

    Attributes:
        bits: length of the payload; it must be known to read it.

    Raises:
        DataError: a picture of less than 65,536 pixels, or no array of bytes (h, w) or (h, w, 3).
        SpecError: a key that is no whole number of so many bits.

    Source: invisible-watermark 0.2.0, method ``dwtDct``.

    >>> from remission.watermarking import Key
    >>> picture = np.random.default_rng(0).integers(60, 190, (512, 512, 3)).astype(np.uint8)
    >>> mark, key = DwtDct(), Key("id", (0xDEADBEEF,))
    >>> "".join(map(str, mark.find(key, mark.embed(key, picture)).payload.astype(int)))
    '11011110101011011011111011101111'
    """

    def written(self, blocks: Floats, bit: Booleans) -> Floats:
        """The largest value of each block moved to the middle of a half step."""
        place, value = _largest(blocks)
        changed = blocks.reshape(len(blocks), -1).copy()
        size = (np.abs(value) // STEP + 0.25 + 0.5 * bit) * STEP
        changed[np.arange(len(blocks)), place] = np.where(value >= 0, size, -1.0 * size)
        return changed.reshape(blocks.shape)

    def read(self, blocks: Floats) -> Booleans:
        """In which half of a step the largest value lies."""
        return np.asarray(np.abs(_largest(blocks)[1]) % STEP > 0.5 * STEP)


def _largest(blocks: Floats) -> tuple[Integers, Floats]:
    """Place and value of the largest entry of each block, its first left out."""
    flat = blocks.reshape(len(blocks), -1)
    place = np.abs(flat[:, 1:]).argmax(axis=1) + 1
    return place, flat[np.arange(len(flat)), place]
