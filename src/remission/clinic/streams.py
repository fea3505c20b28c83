"""Judge documents as they stream by: Arrow batches in, the same batches with what is said of each row out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.corpus._batches import Batch
from remission.corpus.held import of_arrow, of_rows
from remission.corpus.reading import Fields
from remission.corpus.streaming import Limits
from remission.documents import Documents, Flags
from remission.errors import DataError, RemissionError, SpecError
from remission.numerics.arrays import Floats

if TYPE_CHECKING:
    from remission.calibration.calibrated import Calibrated, Judgements

NAMES = ("score", "p", "called", "reason", "stratum")
PREFIX = "synthetic_"


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What is said of n rows, in their order.

    Attributes:
        score: (n,) higher is more likely synthetic; NaN where there is none.
        p: (n,) conformal p-value against the humans of the stratum; NaN where there is none.
        called: (n,) called synthetic; False where nothing is decided.
        decided: (n,) whether something is decided.
        reason: n texts, why nothing is decided; None where it is.
        stratum: n texts; None where there is none.
    """

    score: Floats
    p: Floats
    called: Flags
    decided: Flags
    reason: list[str | None]
    stratum: list[str | None]

    def __len__(self) -> int:
        return self.score.size

    def lists(self) -> dict[str, list[Any]]:
        """The columns ``score, p, called, reason, stratum`` as plain values, None where nothing is said."""
        return {
            "score": [None if value != value else value for value in self.score.tolist()],
            "p": [None if value != value else value for value in self.p.tolist()],
            "called": [yes if known else None for yes, known in zip(self.called.tolist(), self.decided.tolist(), strict=True)],
            "reason": self.reason,
            "stratum": self.stratum,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class RowJudge:
    """A calibrated detector of texts, for rows instead of files.

    Attributes:
        detector: it.
        fields: ``text``, ``domain``, ``domain_is`` and ``where``; rows that ``where`` leaves out are not judged.
        fpr: nominal false-positive rate of the calls, by default that of the calibration.
        limits: how many rows are judged at once, and what is too long.
    """

    detector: Calibrated
    fields: Fields = field(default_factory=Fields)
    fpr: float | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        takes = self.detector.fitted.detector.takes
        if takes != "text":
            raise SpecError(
                f"Rows are judged by detectors of texts. This one takes a {takes}: use `remission detect score`."
            )
        self.detector.judge(Documents([]), self.fpr)  # an fpr that cannot be is said before anything is read

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that strata depend on; where one is missing, its rows are not decided."""
        return tuple(name for name in self.detector.strata.by if name != "length")

    def of_batch(self, batch: Any) -> Verdicts:
        """Judge the rows of a ``pyarrow.RecordBatch``. Raises DataError when it has no column of texts."""
        return self._of(batch.num_rows, of_arrow(batch, self.fields, self.limits, self.columns))

    def of_rows(self, texts: Sequence[Any], columns: Mapping[str, Sequence[Any]] | None = None) -> Verdicts:
        """Judge n values with columns of n values each."""
        return self._of(len(texts), of_rows(texts, columns, self.fields, self.limits, self.columns))

    def _of(self, n: int, batches: Iterable[Batch]) -> Verdicts:
        said = Verdicts(
            np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, bool), [None] * n, [None] * n
        )
        words: dict[str, str] = {"": ""}  # one text for all rows that share it
        for batch in batches:
            for one in batch.aside:
                said.reason[one.place or 0] = words.setdefault(one.reason, one.reason)
            if not len(batch):
                continue
            columns = {name: np.asarray(column.to_pylist(), dtype=np.str_) for name, column in batch.columns.items()}
            documents = Documents(batch.items.to_pylist(), columns)
            for index, judged in _judged(self.detector, documents, self.fpr):
                places = batch.places[index]
                if isinstance(judged, str):
                    said.reason[int(places[0])] = judged
                    continue
                said.score[places], said.p[places] = judged.score, judged.p
                said.called[places], said.decided[places] = judged.flagged, judged.decided
                rows = zip(places.tolist(), judged.reason.tolist(), judged.stratum.tolist(), strict=True)
                for place, reason, stratum in rows:
                    said.reason[place] = words.setdefault(reason, reason) or None
                    said.stratum[place] = words.setdefault(stratum, stratum) or None
        return said


def judge_batches(
    batches: Any,
    detector: Calibrated | str | Path,
    fields: Fields | None = None,
    fpr: float | None = None,
    prefix: str = PREFIX,
    limits: Limits | None = None,
) -> Iterator[Any]:
    """Arrow batches with columns of what is said of each row added at the end; one batch is in memory at a time.

    Rows, their order, all other columns and the metadata of the schema stay as they are. The added columns are ``score`` and
    ``p`` (doubles), ``called`` (bool), ``reason`` and ``stratum`` (strings), see
    :class:`remission.calibration.calibrated.Judgements`. Where nothing is decided, ``called`` is null and ``reason`` says why, also of
    rows without a text, with an empty or too long one, or one that is no text; where it is decided, ``reason`` is null.

    Args:
        batches: record batches; or a table, reader, data set or whatever gives an Arrow stream.
        detector: a calibrated one, or its folder.
        fields: ``text``, ``domain``, ``domain_is`` and ``where``.
        fpr: nominal false-positive rate of the calls, by default that of the calibration.
        prefix: of the names of added columns.
        limits: how many rows are judged at once, and what is too long.

    Returns:
        Record batches; of a table or reader that has none, one without rows. :func:`judged_schema` gives their schema, for a
        ``RecordBatchReader``.

    Raises:
        StoreError: no calibrated detector is in the folder. SpecError: it does not take texts, or ``fpr`` cannot be.
        DataError: no column of texts, an added column that is there already, or what is no record batch.
    """
    judge = RowJudge(loaded(detector), fields or Fields(), fpr, limits or Limits())
    return _with_columns(_record_batches(batches), judge.of_batch, prefix)


def judged_schema(schema: Any, prefix: str = PREFIX) -> Any:
    """The schema of what :func:`judge_batches` makes of batches with this one. Raises DataError when a name is taken."""
    import pyarrow as pa

    kinds = {
        "score": pa.float64(),
        "p": pa.float64(),
        "called": pa.bool_(),
        "reason": pa.string(),
        "stratum": pa.string(),
    }
    taken = [prefix + name for name in NAMES if prefix + name in schema.names]
    if taken:
        raise DataError(
            f"There is a column '{taken[0]}' already. Give another prefix than '{prefix}', or leave it out."
        )
    added = [pa.field(prefix + name, kinds[name]) for name in NAMES]
    return pa.schema([*schema, *added], metadata=schema.metadata)


def loaded(detector: Calibrated | str | Path) -> Calibrated:
    """A calibrated detector from its folder; one that is loaded stays as it is. Raises StoreError."""
    if not isinstance(detector, (str, Path)):
        return detector
    from remission.clinic import detecting

    return detecting.load_calibrated(Path(detector))


def _with_columns(batches: Iterable[Any], say: Callable[[Any], Verdicts], prefix: str) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise DataError(f"Judging a stream takes Arrow record batches. Got a {type(batch).__name__}.")
        schema = judged_schema(batch.schema, prefix)
        said = say(batch).lists()
        added = [pa.array(said[name], schema.field(prefix + name).type) for name in NAMES]
        yield pa.RecordBatch.from_arrays([*batch.columns, *added], schema=schema)


def _record_batches(batches: Any) -> Iterable[Any]:
    import pyarrow as pa

    if isinstance(batches, pa.RecordBatch):
        return [batches]
    if hasattr(batches, "to_batches"):  # a table, a data set, a scanner
        schema = batches.projected_schema if hasattr(batches, "projected_schema") else batches.schema
        return _at_least_one(batches.to_batches(), schema)
    if hasattr(batches, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(batches)
        return _at_least_one(reader, reader.schema)
    if isinstance(batches, Iterable):
        return batches
    raise DataError(
        f"Judging a stream takes Arrow record batches, a table or a reader. Got a {type(batches).__name__}."
    )


def _at_least_one(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """The batches; one without rows where there are none, which still says what columns there are."""
    import pyarrow as pa

    some = False
    for batch in batches:
        some = True
        yield batch
    if not some:
        yield pa.RecordBatch.from_arrays([pa.nulls(0, one.type) for one in schema], schema=schema)


def _judged(detector: Calibrated, documents: Documents, fpr: float | None) -> Iterator[tuple[Any, Judgements | str]]:
    """(places, what is said of them). A document the detector fails on is alone with the reason; the others are judged.

    Raises what the detector raises on all of several documents: then it is at fault.
    """
    every = np.arange(len(documents))
    try:
        yield every, detector.judge(documents, fpr)
        return
    except (MemoryError, RemissionError):
        raise
    except Exception as error:
        fault = error
    found: list[tuple[Any, Judgements | str]] = []
    for place in every:
        try:
            found.append((every[place : place + 1], detector.judge(documents.take(every[place : place + 1]), fpr)))
        except (MemoryError, RemissionError):
            raise
        except Exception as error:
            said = f"the detector failed ({type(error).__name__}: {str(error)[:100]})"
            found.append((every[place : place + 1], said))
    if len(documents) > 1 and all(isinstance(said, str) for _, said in found):
        raise fault
    yield from found
