"""Judgements as rows, one for each document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remission.calibration.calibrated import Judgements
from remission.clinic import _row_files
from remission.clinic._row_files import check_kind as check_kind
from remission.documents import Documents

COLUMNS = {"id": str, "score": float, "p": float, "flagged": bool, "status": str, "reason": str, "stratum": str}


def rows(documents: Documents, judged: Judgements) -> Iterator[dict[str, Any]]:
    """One row for each document; None where there is no number or no decision."""
    decided = judged.decided.tolist()
    columns = zip(
        documents.column("id").tolist(), judged.score.tolist(), judged.p.tolist(), judged.flagged.tolist(), decided,
        judged.status.tolist(), judged.reason.tolist(), judged.stratum.tolist(), strict=True,
    )  # fmt: skip
    for name, score, p, flagged, sure, status, reason, stratum in columns:
        number = None if score != score else score
        level = None if p != p else p
        yield dict(zip(COLUMNS, (name, number, level, flagged if sure else None, status, reason, stratum), strict=True))


def write(path: Path, documents: Documents, judged: Judgements) -> None:
    """Write aside, then rename: a file is there whole or not at all. Raises StoreError, SpecError."""
    _row_files.write(path, COLUMNS, rows(documents, judged))
