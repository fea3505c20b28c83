"""Compression ratio: bytes of the generated text per compressed byte."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from remission.data import TOKENS, Array, Floats, Space
from remission.interfaces import Direction, Metric
from remission.numerics.text import compression_ratio
from remission.view import View


class Compression(Metric):
    """Length of the text / its compressed length, above 0; rises in collapse: repetition at any distance compresses.

    The text is all blocks of the sample spelt with the names of the space and put together with its joiner, in UTF-8
    (bytes that are no character stay as they are); a space without names gives every token as a little-endian integer
    of the fewest bytes that hold all of them (Shaib et al. 2024, arXiv:2403.00553, section 3). Moves with the length of
    the text: the sample is cut to the size of the reference. zlib looks 32 kB back, lzma at everything. NaN without
    tokens.

    Attributes:
        method: ``zlib`` at level 9 (the third digit may depend on its build), or ``lzma`` (xz preset 6, slower).

    >>> Compression(method="lzma").label
    'compression[method=lzma]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    method: Literal["zlib", "lzma"] = "zlib"

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        rows = (blocks.reshape(-1) for blocks in view.pair()[0])
        return {"": np.array([compression_ratio(_spell(row, view.space), self.method) for row in rows])}


def _spell(tokens: Array, space: Space) -> bytes:
    if space.names:
        return space.joiner.join([space.names[token] for token in tokens.tolist()]).encode("utf-8", "surrogateescape")
    width = np.min_scalar_type(max(space.size - 1, 0)).newbyteorder("<")
    return tokens.astype(width).tobytes()
