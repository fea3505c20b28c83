"""Calibrated detectors as folders: NumPy arrays and JSON, no pickle, with a hash over everything."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from remission.aside import written
from remission.calibration.fitted import FittedDetector, packed, unpacked
from remission.calibration.novelty import Novelty
from remission.calibration.strata import Strata
from remission.documents import Documents
from remission.errors import StoreError
from remission.fingerprint import fingerprint
from remission.numerics.arrays import Array
from remission.scored import Sample

if TYPE_CHECKING:
    from remission.calibration.calibrated import Calibrated, Known

SCHEMA = "remission/calibrated/1"


def content(calibrated: Calibrated) -> str:
    """SHA-256 over the detector, the calibration items and all settings and facts."""
    digest = hashlib.sha256(calibrated.fitted.content.encode())
    for name, array in sorted(_arrays(calibrated).items()):
        digest.update(f"{name} {fingerprint(array)}".encode())
    digest.update(json.dumps(_settings(calibrated), sort_keys=True).encode())
    return digest.hexdigest()


def _settings(calibrated: Calibrated) -> dict[str, Any]:
    return {
        "max_fpr": calibrated.max_fpr,
        "strata": calibrated.strata.table(),
        "shortest": calibrated.rules.shortest,
        "languages": list(calibrated.rules.languages),
        "facts": calibrated.facts,
    }


def _kinds(calibrated: Calibrated) -> dict[str, Known]:
    found = {"human": calibrated.known_human}
    return found if calibrated.known_synthetic is None else found | {"synthetic": calibrated.known_synthetic}


def _arrays(calibrated: Calibrated) -> dict[str, Array]:
    found = calibrated.novelty.arrays()
    for kind, known in _kinds(calibrated).items():
        found |= {
            f"{kind}_scores": known.sample.scores, f"{kind}_units": known.sample.units,
            f"{kind}_origin": known.sample.origin, f"{kind}_stratum": known.stratum,
            f"{kind}_hashes": packed(known.hashes),
        }  # fmt: skip
    return found


def save(calibrated: Calibrated, folder: Path) -> None:
    """Write the folder; ``calibrated.json`` comes last and completes it."""
    calibrated.fitted.save(folder / "detector")
    try:
        with written(folder / "calibration.npz") as beside, beside.open("wb") as file:
            np.savez_compressed(file, **cast(Any, _arrays(calibrated)))
        for kind, known in _kinds(calibrated).items():
            _save_items(folder / f"{kind}.jsonl.gz", known.sample.documents)
        told = {"schema": SCHEMA, "content": calibrated.content} | _settings(calibrated)
        with written(folder / "calibrated.json") as beside:
            beside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The calibrated detector cannot be written to {folder}: {error.strerror or error}.") from None


def _save_items(path: Path, documents: Documents | None) -> None:
    if documents is None:
        path.unlink(missing_ok=True)
        return
    with written(path) as beside, gzip.open(beside, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": item}) + "\n" for item in documents.items)


def load(folder: Path) -> Calibrated:
    """What ``save`` wrote."""
    from remission.calibration.calibrated import Calibrated, Rules

    path = folder / "calibrated.json"
    if not path.is_file():
        fitted = (folder / "detector.json").is_file()
        more = " It is a detector without calibration: run `remission detect calibrate` first." if fitted else ""
        raise StoreError(f"{folder} holds no calibrated detector: calibrated.json is missing.{more}")
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        with np.load(folder / "calibration.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise StoreError(f"The calibrated detector in {folder} cannot be read: {error}.") from None
    if not isinstance(written, dict) or written.get("schema") != SCHEMA:
        raise StoreError(f"{path} is no calibrated detector of this version ({SCHEMA}).")
    try:
        found = Calibrated(
            FittedDetector.load(folder / "detector"),
            _known(arrays, "human", folder),
            _known(arrays, "synthetic", folder) if "synthetic_scores" in arrays else None,
            Strata.from_table(written["strata"]),
            Rules(written["shortest"], tuple(written["languages"])),
            Novelty.from_arrays(arrays),
            written["max_fpr"],
            written["facts"],
        )
    except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise StoreError(f"The calibrated detector in {folder} is not complete: {error}.") from None
    if found.content != written.get("content"):
        raise StoreError(f"The calibrated detector in {folder} was changed after it was written: its hash differs.")
    return found


def _known(arrays: dict[str, Array], kind: str, folder: Path) -> Known:
    from remission.calibration.calibrated import Known

    hashes, documents = unpacked(arrays[f"{kind}_hashes"]), None
    path = folder / f"{kind}.jsonl.gz"
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            documents = Documents([json.loads(line)["text"] for line in file])
        if documents.hashes() != hashes.tolist():
            raise StoreError(f"{path} was changed after it was written: its items are others.")
    units, origin = arrays[f"{kind}_units"], arrays[f"{kind}_origin"]
    return Known(
        Sample.of(arrays[f"{kind}_scores"], units, origin=origin, documents=documents),
        arrays[f"{kind}_stratum"],
        hashes,
    )
