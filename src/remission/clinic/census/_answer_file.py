"""The answer of a census as a file: sealed, and bound to the manifest it was given for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remission.clinic.census.manifest import ANSWER, NAME, SIGNATURE, Manifest
from remission.clinic.census.parts import write_whole
from remission.clinic.census.scoring import hash_of
from remission.clinic.census.signing import fault_of
from remission.errors import StoreError

SCHEMA = "remission/census-answer/2"
_PLACES = ("census", "detector")  # as they were named; moved or named otherwise, it is the same answer
_OF_A_RUN = ("found_done", "mended")  # and not of the census
_CLOSE = 1e-9  # of numbers computed anew, on another machine perhaps


def write_answer(folder: Path, fields: Mapping[str, Any], manifest: Manifest) -> None:
    """Write the answer beside its manifest. A signature of another answer goes. Raises StoreError."""
    content = {"schema": SCHEMA, **plain(fields), **dict.fromkeys(_OF_A_RUN, 0), "manifest": hash_of(manifest.table())}
    content["seal"] = _seal(content)
    if _told(folder).get("seal") != content["seal"]:
        (folder / SIGNATURE).unlink(missing_ok=True)
    write_whole(folder / ANSWER, json.dumps(content, indent=1, sort_keys=True, allow_nan=False))


def read_answer(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """The answer of a finished census as plain values.

    Raises StoreError: there is none, it was changed, it is that of another manifest, or a signature does not fit.
    """
    found = read_sealed(folder, manifest)
    fault = fault_of(folder / NAME, folder / SIGNATURE)
    if fault:
        raise StoreError(
            f"'{folder}' is not as it was signed ({fault}). See `remission census --verify`; run the census again to answer anew."
        )
    return found


def read_sealed(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """The same, whoever signed it. Raises StoreError."""
    path = folder / ANSWER
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(
            f"'{folder}' holds no answer of a census. Run `remission census` again to finish it."
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"'{path}' is damaged ({type(error).__name__}). Run the census again.") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise StoreError(f"'{path}' is no answer of a census, or that of another version. Run the census again.")
    if found.get("seal") != _seal(found):
        raise StoreError(f"'{path}' was changed: its seal does not fit. Run the census again to write it anew.")
    if found.get("manifest") != hash_of(manifest.table()):
        raise StoreError(
            f"The answer in '{folder}' is not that of its manifest: the census was run again and not to its end. Run the same "
            "`remission census` again to finish it."
        )
    return found


def plain(value: Any) -> Any:
    """As JSON gives it back; it has no word for NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def follows(told: Mapping[str, Any], again: Mapping[str, Any]) -> bool:
    """Whether an answer is what was computed anew, but for places and what depends on the clock."""
    computed = plain(again)
    left_out = {*_PLACES, "schema", "seal", "manifest", *_OF_A_RUN}
    names = (set(told) | set(computed)) - left_out
    return all(_same(_untimed(told.get(name)), _untimed(computed.get(name))) for name in names)


def _untimed(value: Any) -> Any:
    return {name: one for name, one in value.items() if name != "cost"} if isinstance(value, dict) else value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return type(a) is type(b) and bool(a == b)


def _seal(content: Mapping[str, Any]) -> str:
    return hash_of({name: value for name, value in content.items() if name not in (*_PLACES, "seal")})


def _told(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
