"""A filter block for datatrove pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from remission.adapters._detector import DetectorFolder
from remission.clinic.streams import NAMES, PREFIX
from remission.errors import SpecError, need

try:
    from datatrove.pipeline.filters.base_filter import BaseFilter
except ModuleNotFoundError as _missing:
    if _missing.name is None or _missing.name.partition(".")[0] != "datatrove":
        raise
    BaseFilter = object  # making a block says what is missing

SYNTHETIC, HUMAN, UNDECIDED = "synthetic", "not flagged", "undecided"


class SyntheticFilter(BaseFilter):  # type: ignore[misc]  # datatrove ships no types (no py.typed): its class is Any
    """Drops documents that a calibrated detector calls synthetic, and writes down what it says of all.

    ``metadata`` gets, with ``prefix`` before each name: ``score`` and ``p`` (NaN where there is none), ``verdict`` (``synthetic``,
    ``not flagged``, ``undecided``), ``reason`` (why undecided, empty where decided) and ``stratum`` (empty where there is none): always of one
    type, because datatrove's writers take the types of a file from its first document. Documents without usable text
    are undecided; none raises.

    Stats of the block: ``synthetic``, ``not flagged``, ``undecided`` and ``undecided: REASON`` in documents, beside datatrove's own ``total``,
    ``forwarded``, ``dropped`` and ``dropped_synthetic`` / ``dropped_undecided``. The block can be pickled; each worker loads the
    detector once.
    """

    name = "🧬 Synthetic"

    def __init__(
        self,
        detector: str | Path,
        policy: Literal["exclude", "annotate"] = "exclude",
        undecided: Literal["keep", "drop"] = "keep",
        exclusion_writer: Any = None,
        batch_size: int = 256,
        *,
        domain: str = "domain",
        domain_is: str = "",
        fpr: float | None = None,
        prefix: str = PREFIX,
    ) -> None:
        """Look into the detector's folder, which workers must find at the same path.

        Args:
            detector: folder of a calibrated detector.
            policy: ``exclude`` drops documents called synthetic; ``annotate`` drops none.
            undecided: what ``exclude`` does with documents of which nothing is decided.
            exclusion_writer: a writer of datatrove's that gets what is dropped, with ``filter_reason``.
            batch_size: documents judged at once.
            domain: key of ``metadata`` with the domain; what other strata are made of is looked for there too.
            domain_is: the domain of all documents.
            fpr: nominal false-positive rate of the calls, by default that of the calibration.
            prefix: of the keys that are added to ``metadata``.

        Raises:
            MissingExtra: datatrove is not installed. StoreError: no calibrated detector is there.
            SpecError: it does not take texts, or a setting that cannot be.
        """
        need("datatrove", "The filter for datatrove", "datatrove")
        if policy not in ("exclude", "annotate"):
            raise SpecError(f"policy must be 'exclude' or 'annotate'. Got '{policy}'.")
        if undecided not in ("keep", "drop"):
            raise SpecError(f"undecided must be 'keep' or 'drop'. Got '{undecided}'.")
        if batch_size < 1:
            raise SpecError(f"batch_size must be at least 1. Got {batch_size}.")
        super().__init__(exclusion_writer, batch_size)
        self.detector = DetectorFolder.of(detector, "text", domain, domain_is, fpr, prefix)
        self.dropped = set() if policy == "annotate" else {SYNTHETIC} | ({UNDECIDED} if undecided == "drop" else set())

    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        """Whether a document stays."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: Sequence[Any]) -> list[bool | tuple[bool, str]]:
        """Whether each document stays; what is dropped has a reason. Raises DataError when our keys are taken."""
        judge, prefix = self.detector.judge, self.detector.prefix
        for doc in batch:
            self.detector.free(doc.metadata, (*NAMES, "verdict"))
        keys = {self.detector.domain if name == "domain" else name for name in judge.columns}
        said = judge.of_rows(
            [doc.text for doc in batch], {key: [doc.metadata.get(key) for doc in batch] for key in keys}
        )
        answers: list[bool | tuple[bool, str]] = []
        rows = zip(
            batch,
            said.score.tolist(),
            said.p.tolist(),
            said.called,
            said.decided,
            said.reason,
            said.stratum,
            strict=True,
        )
        for doc, score, p, called, decided, reason, stratum in rows:
            verdict = SYNTHETIC if called else HUMAN if decided else UNDECIDED
            found = {"score": score, "p": p, "verdict": verdict, "reason": reason or "", "stratum": stratum or ""}
            doc.metadata.update({prefix + name: value for name, value in found.items()})
            self.stat_update(verdict, *([f"{verdict}: {reason.partition(':')[0]}"] if reason else []))
            answers.append((False, verdict) if verdict in self.dropped else True)
        return answers

    def update_doc_stats(self, document: Any) -> None:
        """Datatrove's lengths, of documents that have a text."""
        if isinstance(document.text, str):
            super().update_doc_stats(document)
