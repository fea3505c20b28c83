"""The texts a loop is predicted for, as a source of the lab."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.archive._aside import written_aside
from remission.data import Integers
from remission.errors import DataError, StoreError
from remission.interfaces import FiniteSource

MOST_BYTES = 5_000_000
LENGTH = 32  # words of a block: what a model of the simulation writes at once
_LONG = 15  # characters to a word, above which there are no blanks between words
_LEAST = 200  # words, below which relative frequencies are no law of anything


@dataclass(frozen=True)
class Sample:
    """What of the texts is used.

    Attributes:
        path: a Parquet file with the column ``text``.
        given, used: texts given and used; bytes: of the used ones, in UTF-8.
        tokens: words, numbers, signs and ends of texts; types: different ones.
        level: ``word``, or ``character`` for texts in scripts without blanks, whose characters are then the tokens.
    """

    path: Path
    given: int
    used: int
    bytes: int
    tokens: int = 0
    types: int = 0
    level: str = "word"

    def table(self) -> dict[str, Any]:
        """As plain values, without the path."""
        return {key: getattr(self, key) for key in ("given", "used", "bytes", "tokens", "types", "level")}

    def source(self, length: int) -> dict[str, Any]:
        """The table of a source of blocks of so many tokens."""
        return {"kind": "file", "path": str(self.path), "text": "text", "length": length, "level": self.level}


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
    """The sample as a file in ``folder``, and how often each type occurs, most frequent first. Raises DataError, StoreError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    used, size = chosen(texts, seed)
    used = [text for text in used if text.strip()]
    table = pa.table({"text": [*used, *([" "] if len(used) == 1 else [])]})  # a source of one row is refused
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"'{folder}' cannot be made: {error.strerror}. Choose another folder.") from None
    path = folder / "texts.parquet"
    with written_aside(path) as aside:
        pq.write_table(table, aside)
    sample = Sample(path, len(texts), len(used), size)
    counts = _counts(sample)
    if sum(map(len, used)) > _LONG * counts.sum():
        sample = dataclasses.replace(sample, level="character")
        counts = _counts(sample)
    if counts.sum() < _LEAST:
        raise DataError(f"{counts.sum()} words are too few to predict anything from. Give at least {_LEAST}.")
    sample = dataclasses.replace(sample, tokens=int(counts.sum()), types=int(counts.size))
    return sample, tuple(int(count) for count in counts)


def _counts(sample: Sample) -> Integers:
    """How often each type occurs, shape (V,), most frequent first."""
    from remission.spec import Experiment

    draft = {"source": sample.source(1), "model": {"kind": "ngram", "order": 1}, "regime": {"kind": "replace"}}
    source = Experiment.from_tables(draft).source
    assert isinstance(source, FiniteSource)
    return np.sort(np.unique(source.items(), return_counts=True)[1])[::-1]
