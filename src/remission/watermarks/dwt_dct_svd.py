"""The mark ``dwtDctSvd`` of the package invisible-watermark, written and read. It survives mild JPEG and noise."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Booleans, Floats
from remission.watermarks._picture_blue import STEP, Blue


class DwtDctSvd(Blue):
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

    >>> from remission.watermarking import Key
    >>> picture = np.random.default_rng(0).integers(60, 190, (256, 256, 3)).astype(np.uint8)
    >>> mark, key = DwtDctSvd(), Key("id", (0xDEADBEEF,))
    >>> "".join(map(str, mark.find(key, mark.embed(key, picture)).payload.astype(int)))
    '11011110101011011011111011101111'
    """

    def written(self, blocks: Floats, bit: Booleans) -> Floats:
        """The largest singular value of each block moved to the middle of a half step."""
        u, s, v = np.linalg.svd(blocks)
        s[:, 0] = (s[:, 0] // STEP + 0.25 + 0.5 * bit) * STEP
        return np.asarray((u * s[:, None, :]) @ v)

    def read(self, blocks: Floats) -> Booleans:
        """In which half of a step the largest singular value lies."""
        return np.asarray(np.linalg.svd(blocks, compute_uv=False)[:, 0] % STEP > 0.5 * STEP)
