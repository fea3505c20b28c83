"""The texts a loop is predicted for, as a source of the lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.errors import DataError

MOST_BYTES = 5_000_000
LENGTH = 32  # words of a block: what a model of the simulation writes at once
_LEAST = 200  # words, below which relative frequencies are no law of anything


@dataclass(frozen=True)
class Sample:
    """What of the texts is used.

    Attributes:
        path: a Parquet file with the column ``text``.
        given, used: texts given and used; bytes: of the used ones, in UTF-8.
        tokens: words, numbers, signs and ends of texts; types: different ones.
    """

    path: Path
    given: int
    used: int
    bytes: int
    tokens: int = 0
    types: int = 0

    def table(self) -> dict[str, int]:
        """As plain values, without the path."""
        return {key: getattr(self, key) for key in ("given", "used", "bytes", "tokens", "types")}

    def source(self, length: int) -> dict[str, Any]:
        """The table of a source of blocks of so many tokens."""
        return {"kind": "file", "path": str(self.path), "text": "text", "length": length}


def chosen(texts: Sequence[str], seed: int) -> tuple[list[str], int]:
    """At most MOST_BYTES of the texts, whole ones picked at random and left in their order; and their bytes.

    Raises:
        DataError: no texts, something that is no text, a text that is no Unicode, a first text that is too long alone.
    """
    if isinstance(texts, (str, bytes)):
        raise DataError("One text was given; a list of texts is needed.")
    sizes = np.array([_size(number, text) for number, text in enumerate(texts)], np.int64)
    if not sizes.sum():
        raise DataError(f"There is no text in the sample ({len(texts)} texts). Give some of the kept documents.")
    if sizes.sum() <= MOST_BYTES:
        return list(texts), int(sizes.sum())
    order = np.random.default_rng(seed).permutation(len(texts))
    fits = order[np.cumsum(sizes[order]) <= MOST_BYTES]
    if not fits.size:
        raise DataError(f"A text of {sizes[order[0]]} bytes is more than the {MOST_BYTES} that are used. Cut it up.")
    return [texts[i] for i in np.sort(fits)], int(sizes[fits].sum())


def _size(number: int, text: Any) -> int:
    if not isinstance(text, str):
        raise DataError(
            f"Text {number} of the sample is {type(text).__name__}, not str. Leave documents without text out."
        )
    try:
        return len(text.encode("utf-8")) if text.strip() else 0
    except UnicodeEncodeError:
        raise DataError(
            f"Text {number} of the sample is not Unicode: it holds half a character (a lone surrogate)."
        ) from None


def stored(texts: Sequence[str], folder: Path, seed: int) -> tuple[Sample, tuple[int, ...]]:
    """The sample as a file in ``folder``, and how often each type occurs, most frequent first. Raises DataError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from remission.spec import Experiment

    used, size = chosen(texts, seed)
    used = [text for text in used if text.strip()]
    path = folder / "texts.parquet"
    aside = path.with_suffix(".partial")
    pq.write_table(pa.table({"text": [*used, *([" "] if len(used) == 1 else [])]}), aside)  # a table has two rows
    aside.replace(path)
    sample = Sample(path, len(texts), len(used), size)
    draft = {"source": sample.source(1), "model": {"kind": "ngram", "order": 1}, "regime": {"kind": "replace"}}
    items = Experiment.from_tables(draft).source.items()  # type: ignore[attr-defined]
    counts = np.sort(np.unique(items, return_counts=True)[1])[::-1]
    if counts.sum() < _LEAST:
        raise DataError(f"{counts.sum()} words are too few to predict anything from. Give at least {_LEAST}.")
    sample = Sample(path, sample.given, sample.used, size, int(counts.sum()), int(counts.size))
    return sample, tuple(int(count) for count in counts)
