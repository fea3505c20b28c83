"""Texts as compiled kernels read them: decoded, cut to a length, with entities and compatibility characters resolved."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from remission.errors import DataError
from remission.numerics.reading import MARK, Reading, read

WORDS = 2000  # of each text that are read
CHARACTERS = 16 * WORDS
_AT_ONCE = 1_000_000  # characters


def prepared(item: Any) -> str:
    """A text without entities and compatibility characters, cut to the first CHARACTERS.

    Raises:
        DataError: it is no text.
    """
    if not isinstance(item, str):
        raise DataError(f"A text detector takes str, got {type(item).__name__}. Decode bytes; give texts, not paths.")
    text = item if len(item) <= CHARACTERS else item[: 2 * CHARACTERS].lstrip()[:CHARACTERS]
    if "&" in text and ";" in text:
        text = html.unescape(text)
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def readings(items: Sequence[Any]) -> Iterator[Reading]:
    """The items in order, as many at once as fit the cache."""
    waiting: list[bytes] = []
    size = 0
    for item in items:
        waiting.append(prepared(item).encode("utf-32-le", "surrogatepass"))
        size += len(waiting[-1]) // 4
        if size >= _AT_ONCE:
            yield _read(waiting)
            waiting, size = [], 0
    if waiting:
        yield _read(waiting)


def read_all(items: Sequence[Any]) -> Reading:
    """All items as one reading."""
    return joined(list(readings(items)))


def joined(parts: Sequence[Reading]) -> Reading:
    """Readings one after the other."""
    if len(parts) == 1:
        return parts[0]
    characters = np.cumsum([0, *(part.chars.size for part in parts)])
    pieces = np.cumsum([0, *(part.hashes.size for part in parts)])
    zero = np.zeros(1, np.int64)
    return Reading(
        np.concatenate([part.chars for part in parts]) if parts else np.empty(0, np.uint32),
        np.concatenate([zero, *(part.ends[1:] + at for part, at in zip(parts, characters, strict=False))]),
        np.concatenate([part.hashes for part in parts]) if parts else np.empty(0, np.uint64),
        np.concatenate([part.kind for part in parts]) if parts else np.empty(0, np.uint8),
        np.concatenate([zero, *(part.starts[1:] + at for part, at in zip(parts, pieces, strict=False))]),
    )


def lengths(reading: Reading) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Words and numbers of each text (m,)."""
    upto = np.concatenate([[0], np.cumsum(reading.kind != MARK)])
    return np.diff(upto[reading.starts])


def _read(texts: list[bytes]) -> Reading:
    starts = np.concatenate([[0], np.cumsum([len(text) // 4 for text in texts])]).astype(np.int64)
    return read(np.frombuffer(b"".join(texts), np.uint32), starts, WORDS)
