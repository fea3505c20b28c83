"""A detector with what it has learned: score, save, load."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from remission import registry
from remission.aside import written
from remission.documents import Documents, Flags, Words
from remission.errors import DataError, StoreError
from remission.fingerprint import fingerprint
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats

SCHEMA = "remission/detector/1"
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ].*)?)?)?")


@dataclass(frozen=True, eq=False)
class FittedDetector:
    """A detector and its fitted state.

    Attributes:
        detector: the kind and its parameters.
        state: named arrays.
        facts: what it was fitted on and what the audit found, as plain values.
        hashes: content of every item it was fitted on (:meth:`Documents.hashes`), so that nobody calibrates on them.
    """

    detector: Detector
    state: dict[str, Array]
    facts: dict[str, Any] = field(default_factory=dict)
    hashes: Words = field(default_factory=lambda: np.empty(0, "<U32"))

    @classmethod
    def fit(cls, detector: Detector, examples: Documents, seed: int = 0) -> FittedDetector:
        """Fit to human and synthetic examples; :func:`.calibrating.fit_detector` audits them first.

        Raises:
            FitError, DataError: the examples cannot be learned from.
        """
        if detector.learns and (examples.synthetic is None or len(set(examples.synthetic.tolist())) < 2):
            raise DataError(
                f"'{detector.name()}' learns from human and synthetic examples; it was given one kind only. "
                "Give both, with the label 'human' or 'ai'."
            )
        hashes = np.asarray(examples.hashes(), dtype="<U32")
        facts = {"training": facts_of(examples, hashes), "seed": seed}
        return cls(detector, detector.fit(examples, seed), facts, np.unique(hashes))

    def score(self, items: Sequence[Any]) -> Floats:
        """Scores (n,), higher is more likely synthetic; NaN for an item it cannot judge."""
        size = self.detector.batch
        parts = [self._scored(items[start : start + size]) for start in range(0, len(items), size)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _scored(self, items: Sequence[Any]) -> Floats:
        scores = np.asarray(self.detector.score(self.state, items), dtype=float)
        if scores.shape != (len(items),):
            raise DataError(f"'{self.detector.name()}' gave scores of shape {scores.shape} for {len(items)} items.")
        return scores

    @property
    def content(self) -> str:
        """SHA-256 over kind, parameters, given files and state: two detectors with the same one give the same scores."""
        digest = hashlib.sha256(json.dumps(self.detector.table(), sort_keys=True).encode())
        digest.update(self.detector.content().encode())
        for name in sorted(self.state):
            digest.update(f"{name} {fingerprint(self.state[name])}".encode())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``state.npz``, ``training.npz``, then ``detector.json``, which completes the folder."""
        try:
            with written(folder / "state.npz") as beside, beside.open("wb") as file:
                np.savez_compressed(file, **cast(Any, self.state))
            with written(folder / "training.npz") as beside, beside.open("wb") as file:
                np.savez(file, hashes=packed(self.hashes))
            content = {
                "schema": SCHEMA,
                "detector": self.detector.table(),
                "content": self.content,
                "facts": self.facts,
            }
            with written(folder / "detector.json") as beside:
                beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise StoreError(f"The detector cannot be written to {folder}: {error.strerror or error}.") from None

    @classmethod
    def load(cls, folder: Path) -> FittedDetector:
        """What ``save`` wrote. Raises StoreError when it is not complete or was changed."""
        path = folder / "detector.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            with np.load(folder / "state.npz", allow_pickle=False) as stored:
                state = {name: stored[name] for name in stored.files}
            with np.load(folder / "training.npz", allow_pickle=False) as stored:
                hashes = unpacked(stored["hashes"])
        except FileNotFoundError as error:
            raise StoreError(f"{folder} holds no fitted detector: {Path(error.filename).name} is missing.") from None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StoreError(f"The detector in {folder} cannot be read: {error}.") from None
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise StoreError(f"{path} is not a detector of this version ({SCHEMA}).")
        table = dict(content["detector"])
        detector = registry.load("detectors", table.pop("kind"))(**table)
        fitted = cls(detector, state, content["facts"], hashes)
        if fitted.content != content["content"]:
            raise StoreError(f"The detector in {folder} was changed after it was written: its content hash differs.")
        return fitted


def packed(hashes: Words) -> Array:
    """Hexadecimal hashes (n,) as bytes (n, 16), for storage."""
    return np.frombuffer(bytes.fromhex("".join(hashes.tolist())), np.uint8).reshape(-1, 16)


def unpacked(stored: Array) -> Words:
    """What ``packed`` took."""
    if stored.dtype != np.uint8 or stored.ndim != 2 or stored.shape[1] != 16:
        raise ValueError("hashes are 16 bytes each")
    return np.array([row.tobytes().hex() for row in stored], dtype="<U32")


def dated_of(documents: Documents) -> Flags:
    """Which documents have a date as ISO 8601 writes it, a year at least, (n,)."""
    return np.array([_DATE.fullmatch(date) is not None for date in documents.column("date").tolist()], dtype=bool)


def facts_of(documents: Documents, hashes: Words) -> dict[str, Any]:
    """Counts of a set by what is known of it, its range of dates and one hash of all its items; plain values."""
    found: dict[str, Any] = {"n": len(documents), "units": int(np.unique(documents.sampling_units).size)}
    found["duplicates"] = len(documents) - int(np.unique(hashes).size)
    if documents.synthetic is not None:
        found |= {"human": int((~documents.synthetic).sum()), "synthetic": int(documents.synthetic.sum())}
    for name in ("domain", "generator", "attack", "language", "source"):
        values, counts = np.unique(documents.column(name), return_counts=True)
        if name in documents.columns:
            order = np.argsort(-counts, kind="stable")[:50]
            found[name] = {str(values[place]): int(counts[place]) for place in order}
    dated = np.sort(documents.column("date")[dated_of(documents)])
    found["dates"] = [str(dated[0]), str(dated[-1])] if dated.size else None
    found["dated"] = int(dated.size)
    digest = hashlib.sha256("".join(sorted(hashes.tolist())).encode())
    return found | {"hash": digest.hexdigest()}
