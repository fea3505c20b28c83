"""How the power of a picture falls with frequency: what networks draw has too much or too little fine detail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.data import Array, Floats
from remission.detectors._images import fitted, matched, scored
from remission.documents import Documents
from remission.interfaces import Detector

_FLOOR = 1e-6  # of a grey level squared: five orders below the power that rounding to bytes leaves


class PowerSpectrum(Detector):
    """A logistic regression on the logarithm of the azimuthally averaged power spectrum.

    The power |FFT(x - mean of x)|^2 / pixels of a picture, averaged over channels, is averaged over rings of frequencies, one
    cycle per longer side wide, out to the corners, where upsampling leaves its peaks; the features are log10 of each ring. The
    score is the logit, higher is more likely synthetic.

    It knows the generators and the processing it was trained on: resizing or blur afterwards change the spectrum more than
    most generators do (``benchmarks/detect_lab.py``: after resizing, all real pictures were called synthetic, or none of the
    synthetic ones was found). So both kinds must have one size, one type, the same grey levels and the same
    traces of JPEG, or ``fit`` refuses and names the leak; and a picture of another size than those of the fit scores NaN.

    Attributes:
        strength: inverse of the ridge penalty (C of scikit-learn).

    Raises:
        DataError: items that are no pictures of bytes; sizes, types, grey levels or traces of JPEG that differ.
        FitError: fewer than 20 pictures of a kind, or below 8 pixels a side.

    Source: Durall, Keuper & Keuper, "Watch your up-convolution" (CVPR 2020), section 3; Dzanic, Shah & Witherden, "Fourier
    spectrum discrepancies in deep network generated images" (NeurIPS 2020).

    >>> PowerSpectrum(strength=0.1).label
    'power-spectrum[strength=0.1]'
    """

    takes: ClassVar[Literal["text", "picture", "file"]] = "picture"
    batch: ClassVar[int] = 1024

    strength: Annotated[float, Meta(gt=0)] = 1.0

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """The regression; nothing is random."""
        pictures = matched(examples, "power-spectrum")
        assert examples.synthetic is not None
        return fitted(pictures, examples.synthetic, log_spectrum, self.strength)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Logits (n,); NaN for a picture of another size or type than those of the fit."""
        return scored(state, items, log_spectrum, "power-spectrum")


def log_spectrum(pictures: Array) -> Floats:
    """log10 of the mean power of every ring, (n, rings), of pictures (n, h, w, c).

    >>> stripes = np.zeros((1, 8, 8, 1), np.uint8)
    >>> stripes[:, :, ::2] = 255
    >>> log_spectrum(stripes).round(1).tolist()[0]
    [-6.0, -6.0, -6.0, 4.7, -6.0, -6.0]
    """
    height, width = pictures.shape[1:3]
    ring, number = _rings(height, width)
    values = pictures.astype(np.float64)
    values -= values.mean(axis=(1, 2), keepdims=True)
    found = np.fft.fft2(values, axes=(1, 2))
    power = (found.real**2 + found.imag**2).mean(axis=3).reshape(len(pictures), -1) / (height * width)
    inside = ring >= 0
    counts = np.bincount(ring[inside], minlength=number)
    sums = np.stack([np.bincount(ring[inside], one[inside], number) for one in power])
    out: Floats = np.log10(sums / counts + _FLOOR)
    return out


@lru_cache(maxsize=16)
def _rings(height: int, width: int) -> tuple[npt.NDArray[np.int64], int]:
    """The ring of every frequency, flattened, and how many rings there are; -1 at frequency zero."""
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    ring = np.rint(radius * max(height, width)).astype(np.int64).ravel() - 1
    # rings without a frequency, as in pictures that are much wider than high, are left out
    names, numbers = np.unique(ring[ring >= 0], return_inverse=True)
    ring[ring >= 0] = numbers
    return ring, len(names)
