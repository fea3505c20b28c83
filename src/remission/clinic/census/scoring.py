"""What a census asks of each document: a score, and whether a calibrated detector calls it synthetic."""

from __future__ import annotations

import functools
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.corpus._batches import Batch
from remission.corpus.reading import Takes
from remission.documents import Documents
from remission.errors import StoreError
from remission.numerics.arrays import Floats

if TYPE_CHECKING:  # loads much, and workers that only score start faster without it
    from remission.calibration.calibrated import Calibrated


@dataclass(frozen=True, eq=False)
class Scores:
    """What is said of n documents.

    Attributes:
        score: (n,) higher is more likely synthetic; NaN where the document cannot be judged.
        cell: (n,) the kind of document whose calibration the score belongs to, empty where there is none.
        flagged: (n,) called synthetic.
        why: (n,) in a few words why nothing is decided; empty where it is.
        mark: (n,) the likeliest watermark, empty where none was looked for.
        log10_p: (n,) of that mark, corrected for the number of marks that were looked for; 0 where there is none.
    """

    score: Floats
    cell: Any
    flagged: Any
    why: Any
    mark: Any = None
    log10_p: Any = None

    def __post_init__(self) -> None:
        if self.mark is None:
            object.__setattr__(self, "mark", np.full(self.score.size, ""))
        if self.log10_p is None:
            object.__setattr__(self, "log10_p", np.zeros(self.score.size))

    @classmethod
    def of(cls, score: Floats, flagged: Any = None) -> Scores:
        """Scores alone, of one kind of document; NaN is not judged."""
        n = score.size
        calls = np.zeros(n, bool) if flagged is None else flagged
        return cls(score, np.full(n, ""), calls, np.where(np.isnan(score), "not scorable", ""))


class Scorer(ABC):
    """Scores batches. Pickled to workers, so it is small and loads what it needs there, once.

    Attributes:
        takes: what an item of a batch is.
        columns: the columns a batch must have.
        marks: whether watermarks are looked for as well.
    """

    takes: Takes = "text"
    columns: tuple[str, ...] = ()
    marks: bool = False

    @property
    @abstractmethod
    def content(self) -> str:
        """A hash of everything the scores depend on."""

    @abstractmethod
    def score(self, batch: Batch) -> Scores:
        """Score the documents of a batch. A document's score must not depend on its neighbours."""


@dataclass(frozen=True)
class FunctionScorer(Scorer):
    """A function of your own: items of a batch (an Arrow array of texts) to scores (n,).

    Attributes:
        function: importable by workers, so not a lambda or a function of a function.
        name: names it and its version; part of the identity of the results.
    """

    function: Any
    name: str

    @property
    def content(self) -> str:
        """Hash of the name and the place of the function."""
        function = self.function
        where = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', repr(type(function)))}"
        return hash_of({"function": where, "name": self.name})

    def score(self, batch: Batch) -> Scores:
        """Call the function."""
        return Scores.of(np.asarray(self.function(batch.items), dtype=np.float64))


@dataclass(frozen=True)
class Judge(Scorer):
    """A calibrated detector from its folder.

    Attributes:
        folder: what ``remission detect calibrate`` wrote.
        known: hash of its content, so that a detector that was changed is not taken for the same.
        takes: what it judges.
        columns: what its strata are made of.
    """

    folder: str
    known: str
    takes: Takes = "text"
    columns: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: str | Path) -> Judge:
        """The detector in a folder. Raises StoreError."""
        calibrated = _loaded(str(folder))
        columns = tuple(name for name in calibrated.strata.by if name not in ("length", "domain"))
        return cls(str(Path(folder).resolve()), calibrated.content, calibrated.fitted.detector.takes, columns)

    @property
    def content(self) -> str:
        """Hash of detector, calibration and settings."""
        return self.known

    @property
    def calibrated(self) -> Calibrated:
        """The detector, loaded once a process. Raises StoreError when it is another one by now."""
        found = _loaded(self.folder)
        if found.content != self.known:
            raise StoreError(f"The detector in '{self.folder}' was changed during the census. Run it again.")
        return found

    def score(self, batch: Batch) -> Scores:
        """Judge the documents."""
        judged = _checked(self.folder, self.known, self).judge(documents_of(batch))
        usable = (judged.status != "abstained") & (judged.stratum != "") & np.isfinite(judged.score)
        short = np.array([text.split(":")[0] or "not calibrated" for text in judged.reason.tolist()], dtype=np.str_)
        return Scores(judged.score, judged.stratum, judged.flagged, np.where(usable, "", short))


@functools.lru_cache(maxsize=2)
def _loaded(folder: str) -> Calibrated:
    from remission.clinic import detecting

    return detecting.load_calibrated(Path(folder))


@functools.lru_cache(maxsize=2)
def _checked(folder: str, known: str, judge: Judge) -> Calibrated:
    return judge.calibrated


def documents_of(batch: Batch) -> Documents:
    """A batch as documents with their columns."""
    items = batch.items if isinstance(batch.items, list) else batch.items.to_pylist()
    columns = {name: np.asarray(column.to_pylist(), dtype=np.str_) for name, column in batch.columns.items()}
    return Documents(items, columns)


def hash_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever their order."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()
