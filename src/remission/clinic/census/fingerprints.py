"""What tells copies of documents: a hash of the content, and sketches that near-duplicates share in part."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from remission.corpus._batches import Batch
from remission.errors import SpecError
from remission.numerics.arrays import Integers, Words
from remission.numerics.scatter import scattered

Copies = Literal["near", "exact", "none"]

BANDS, ROWS, RUN = 14, 8, 5
READ = 1 << 18  # characters of a text that its sketch is made of
_AT_ONCE = 1 << 16  # characters that are read at once: what is held for them fits the cache
SEED = 2022


def check_copies(copies: str) -> None:
    """Raise SpecError for a word that is none of them."""
    if copies not in ("near", "exact", "none"):
        raise SpecError(f"Copies are looked for as 'near', 'exact' or 'none'. Got '{copies}'.")


def identity(copies: str) -> dict[str, Any]:
    """What sketches depend on, the library's algorithm included."""
    if copies != "near":
        return {"copies": copies}
    import rensa

    return {
        "copies": copies,
        "bands": BANDS,
        "rows": ROWS,
        "run": RUN,
        "read": READ,
        "seed": SEED,
        "minhash": rensa.RMinHash.ALGORITHM_VERSION,
    }


def contents(batch: Batch) -> Any:
    """SHA-256 of each document's bytes, the first 16 of them: an Arrow array (n,); of a text, its UTF-8."""
    import pyarrow as pa

    return pa.array([hashed.digest()[:16] for hashed in _hashed(batch)], pa.binary(16))


def first_words(hashes: Any) -> Words:
    """The first 64 bits of each hash, (n,)."""
    return np.frombuffer(b"".join(hashes.to_pylist()), ">u8")[::2].astype(np.uint64)


def _hashed(batch: Batch) -> Iterator[Any]:
    import pyarrow as pa

    if isinstance(batch.items, list):
        for item in batch.items:
            if isinstance(item, np.ndarray):
                yield hashlib.sha256(f"{item.dtype.str}{item.shape}".encode() + np.ascontiguousarray(item).tobytes())
            else:
                with open(item, "rb") as file:
                    yield hashlib.file_digest(file, "sha256")
        return
    texts = batch.items.cast(pa.large_binary())
    ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1].tolist()
    data = memoryview(texts.buffers()[2] or b"")
    for first, last in pairwise(ends):
        yield hashlib.sha256(data[first:last])


def bands(batch: Batch) -> list[Any]:
    """Keys that near-duplicates share: BANDS arrays (n,) of uint64; null for pictures and for texts without words.

    MinHash (Broder, "On the resemblance and containment of documents", 1997) over runs of 5 words, 14 bands of 8 rows: two texts
    with a share J of their runs in common agree in at least one band with probability 1 - (1 - J^8)^14, which is 5 % at
    J = 0.5, 56 % at 0.7, 92 % at 0.8 and 99.9 % at 0.9.
    """
    import pyarrow as pa

    if isinstance(batch.items, list):
        return [pa.nulls(len(batch), pa.uint64())] * BANDS
    keys, known = _keys(batch.items.to_pylist())
    return [pa.array(keys[:, band], pa.uint64(), mask=~known) for band in range(BANDS)]


def _keys(texts: Sequence[str]) -> tuple[Words, Any]:
    import rensa

    from remission.numerics.shingles import shingles

    keys = np.zeros((len(texts), BANDS), np.uint64)
    known = np.zeros(len(texts), bool)
    at = 0
    for codes, starts in _read(texts):
        found, places = shingles(codes, starts, RUN)
        here = np.flatnonzero(np.diff(places))
        if here.size:
            rows = np.concatenate([places[:1], places[1:][here]])
            made = rensa.RMinHash.digest_matrix_from_flat_token_hashes(found, rows, BANDS * ROWS, SEED)
            keys[at + here] = _banded(np.array(made.to_rows(), np.uint64))
            known[at + here] = True
        at += starts.size - 1
    return keys, known


def _read(texts: Sequence[str]) -> Iterator[tuple[Words, Integers]]:
    """Characters of some texts at a time, as many as fit the cache."""
    waiting: list[bytes] = []
    size = 0
    for text in texts:
        waiting.append(text[:READ].encode("utf-32-le", "surrogatepass"))
        size += len(waiting[-1]) // 4
        if size >= _AT_ONCE:
            yield _codes(waiting)
            waiting, size = [], 0
    if waiting:
        yield _codes(waiting)


def _codes(texts: Sequence[bytes]) -> tuple[Any, Integers]:
    starts = np.concatenate([[0], np.cumsum([len(text) // 4 for text in texts])]).astype(np.int64)
    return np.frombuffer(b"".join(texts), np.uint32), starts


@functools.lru_cache(maxsize=1)
def _factors() -> Words:
    """Odd numbers, one for each row and band: keys are sums of products, scattered."""
    return np.random.default_rng(SEED).integers(0, 2**63, (BANDS, ROWS), dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _banded(digests: Words) -> Words:
    """One key for the ROWS minima of each band (n, BANDS)."""
    return scattered((digests.reshape(len(digests), BANDS, ROWS) * _factors()).sum(axis=2, dtype=np.uint64))
