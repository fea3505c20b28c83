"""Functions for ``map`` and ``filter`` of Hugging Face data sets, streamed ones included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from remission.adapters._detector import DetectorFolder
from remission.clinic.streams import NAMES, PREFIX, Verdicts, judge_batches, judged_schema
from remission.errors import DataError, SpecError, did_you_mean


@dataclass(frozen=True)
class Judge:
    """Adds columns to batches of rows; see :func:`judge`."""

    detector: DetectorFolder

    def __call__(self, rows: Any) -> Any:
        """Batches as ``map(batched=True)`` gives them: a dict of columns, a table (format ``arrow``) or a frame (``pandas``)."""
        import pyarrow as pa

        of, found = self.detector, self.detector.judge
        if hasattr(rows, "to_batches"):
            made = judge_batches(rows, found.detector, found.fields, of.fpr, of.prefix)
            return pa.Table.from_batches(list(made), judged_schema(rows.schema, of.prefix))
        of.free(rows)
        said = _verdicts(of, rows).lists()
        kinds = {"score": "double", "p": "double", "called": "bool"}
        added = {of.prefix + name: _Column(said[name], kinds.get(name, "string")) for name in NAMES}
        if isinstance(rows, Mapping):
            return added
        if not hasattr(rows, "assign"):  # a frame would go on without its own columns, and nobody would be told
            raise DataError(f"Batches cannot be of the type {type(rows).__name__}. Use the format 'arrow' or none.")
        import pandas as pd

        return rows.assign(**{name: pd.arrays.ArrowExtensionArray(pa.array(values)) for name, values in added.items()})


@dataclass(frozen=True)
class Keep:
    """Says which rows stay; see :func:`keep`."""

    detector: DetectorFolder
    undecided: bool

    def __call__(self, rows: Any) -> list[bool]:
        """Batches as ``filter(batched=True)`` gives them."""
        said = _verdicts(self.detector, rows)
        return (~said.called & (said.decided | self.undecided)).tolist()


def judge(
    detector: str | Path,
    text: str = "text",
    *,
    domain: str = "domain",
    domain_is: str = "",
    fpr: float | None = None,
    prefix: str = PREFIX,
) -> Judge:
    """A function for ``dataset.map(..., batched=True)``: five columns of what a calibrated detector says of each row.

    ``score`` and ``p``, ``called`` (None where nothing is decided), ``reason`` (why not; None where it is) and ``stratum``, with
    ``prefix`` before each name; see :func:`remission.clinic.streams.judge_batches`. No row raises and none is lost. It can be pickled
    (``num_proc``), loads the detector once a process, and its fingerprint is that of the detector's content and the
    settings, so that cached results are found again, and not after another calibration.

    Args:
        detector: folder of a calibrated detector.
        text: column of the documents.
        domain: column of domains, where the calibration has any.
        domain_is: the domain of all rows, whatever they say.
        fpr: nominal false-positive rate of the calls, by default that of the calibration.
        prefix: of the names of added columns.

    Raises:
        StoreError: no calibrated detector is there. SpecError: it does not take texts, or ``fpr`` cannot be.
        DataError: (when called) there is no such column, or an added one is there already.
    """
    return Judge(DetectorFolder.of(detector, text, domain, domain_is, fpr, prefix))


def keep(
    detector: str | Path,
    text: str = "text",
    *,
    undecided: Literal["keep", "drop"] = "keep",
    domain: str = "domain",
    domain_is: str = "",
    fpr: float | None = None,
) -> Keep:
    """A function for ``dataset.filter(..., batched=True)``: rows called synthetic go.

    Args:
        detector: folder of a calibrated detector.
        text: column of the documents.
        undecided: what becomes of rows of which nothing is decided: too short, another language, empty...
        domain: column of domains.
        domain_is: the domain of all rows.
        fpr: nominal false-positive rate.

    Raises:
        StoreError, SpecError, DataError: as :func:`judge`.
    """
    if undecided not in ("keep", "drop"):
        raise SpecError(f"undecided must be 'keep' or 'drop'. Got '{undecided}'.")
    return Keep(DetectorFolder.of(detector, text, domain, domain_is, fpr, PREFIX), undecided == "keep")


class _Column(list[Any]):
    """Values with their Arrow type: a first batch that has None alone would make a column of nothing but None."""

    def __init__(self, values: list[Any], kind: str) -> None:
        super().__init__(values)
        self.kind = kind

    def __arrow_array__(self, type: Any = None) -> Any:
        import pyarrow as pa

        return pa.array(list(self), type or pa.type_for_alias(self.kind))


def _verdicts(detector: DetectorFolder, rows: Any) -> Verdicts:
    names = getattr(rows, "column_names", rows)  # a table, or a dict of columns
    if detector.text not in names:
        raise DataError(f"No column '{detector.text}' for the text. {did_you_mean(detector.text, names)}")
    found = detector.judge
    wanted = {detector.domain if name == "domain" else name for name in found.columns}
    texts = _values(rows[detector.text])
    if isinstance(texts, str):
        raise DataError("One row was given instead of a batch. Call map and filter with batched=True.")
    return found.of_rows(texts, {name: _values(rows[name]) for name in wanted if name in names})


def _values(column: Any) -> Any:
    return column.to_pylist() if hasattr(column, "to_pylist") else column
