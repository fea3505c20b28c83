"""What the lab predicts for a training set that was just made, from some of its texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.curation.outlook import Outlook, outlook
from remission.clinic.curation.sorting import KEY
from remission.errors import DataError, SpecError, StoreError
from remission.estimate import Estimate

Progress = Callable[[float, float], None]

SAMPLED = 5 << 20  # bytes of kept texts the lab predicts from
_FILES = 80  # they are of at most so many files


def ahead(
    folder: Path, before: Estimate, after: Estimate, worth: float, generations: int, temperature: float, simulate: bool,
    seed: int, progress: Progress | None, whole: tuple[Estimate, Estimate] | None = None,
) -> tuple[Outlook | None, str]:  # fmt: skip
    """The outlook of a curated folder, or None and why there is none.

    Args:
        folder: with ``kept/``.
        before: synthetic share of the judged documents of the corpus.
        after: the same of what is kept.
        worth: the mean weight of kept documents, of judged ones where others are kept too.
        generations: see :func:`~.outlook.outlook`.
        temperature: likewise.
        simulate: likewise.
        seed: of the choice of texts, and of the loops.
        progress: told how far the loops are.
        whole: where others than judged documents are kept too, both shares of all; texts and words are then of judged ones.
    """
    import pyarrow as pa

    seen = None if whole is None else Counter[bool]()
    try:
        texts = list(_texts(folder, seed, seen))
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"A file of '{folder / 'kept'}' is damaged ({error}). Delete the folder and run the same command again."
        ) from None
    if not texts:
        return None, "The lab predicts nothing: no text is kept."
    part = 1.0 if seen is None else seen[True] / seen.total()
    words = max(2, round(worth * part * _words(folder, texts)))
    try:
        found = outlook(
            texts, before, after, generations, tokens=words, temperature=temperature, simulate=simulate, seed=seed,
            progress=progress, whole=whole,
        )  # fmt: skip
    except (DataError, SpecError, StoreError) as error:  # the training set is made, and is worth telling of without it
        return None, f"The lab predicts nothing: {error}"
    return found, ""


def _texts(folder: Path, seed: int, seen: Counter[bool] | None = None) -> Iterator[str]:
    """Kept texts from files and rows drawn at random, each with its weight as the chance to be taken; about 5 MB.

    With ``seen`` those that have a score alone; the bytes of these and of others are counted in it, by whether they have one.
    """
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    files = sorted((folder / "kept").glob("*.parquet"))
    chosen = rng.permutation(len(files))[:_FILES]
    each = SAMPLED // max(1, chosen.size)
    for number in chosen:
        with pq.ParquetFile(files[number]) as file:
            if "text" not in file.schema_arrow.names:
                return
            held = 0
            for group in rng.permutation(file.num_row_groups):
                if held >= each:
                    break
                columns = ["text", "weight"] if seen is None else ["text", "weight", "score"]
                table = file.read_row_group(int(group), columns=columns)
                if seen is not None:
                    whole, table = _size(table), table.filter(table.column("score").is_valid())
                    seen.update({True: _size(table), False: whole - _size(table)})
                texts, taken = table.column("text"), rng.random(len(table)) < table.column("weight").to_numpy()
                for row in rng.permutation(np.flatnonzero(taken)):
                    text = texts[int(row)].as_py()
                    yield text
                    held += len(text)
                    if held >= each:
                        break


def _size(table: Any) -> int:
    """Bytes of the texts of an Arrow table."""
    import pyarrow.compute as pc

    return pc.sum(pc.binary_length(table.column("text"))).as_py() or 0


def _words(folder: Path, texts: Sequence[str]) -> int:
    """Words of all kept texts, by those of the sample and the bytes of all."""
    bytes_ = sum(_bytes(path) for path in (folder / "kept").glob("*.parquet"))
    size = sum(len(text.encode()) for text in texts)
    words = sum(len(text.split()) for text in texts)
    return max(1, round(words * max(1.0, bytes_ / max(1, size))))


def _bytes(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(json.loads(pq.read_metadata(path).metadata[KEY])["bytes"])
