"""Words scattered by array are those scattered within kernels."""

from __future__ import annotations

import numpy as np

from remission.numerics.random import mix
from remission.numerics.scatter import scattered, uniforms


def test_arrays_and_kernels_scatter_alike() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, (20, 3), dtype=np.uint64)
    assert scattered(words).tolist() == [[int(mix(word)) for word in row] for row in words]
    assert ((uniforms(words) >= 0) & (uniforms(words) < 1)).all()
