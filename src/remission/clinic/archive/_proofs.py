"""The proofs of an export, read and checked: what rows must follow from."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remission.clinic.archive._described import About
from remission.clinic.archive.changing import note_later
from remission.clinic.archive.proving import check_proof
from remission.errors import DataError, RemissionError, VerificationError
from remission.gold.signing import Checkpoint
from remission.gold.votes import person

SHOWN = ("ingest", "amend", "evidence", "review")
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
)  # RecursionError is one of the last
_SHARED = {"schema", "origin", "opening", "rotations", "checkpoint"}
_OWN = {"entry", "index", "path"}


class Proofs:
    """What the entries say that an export proves.

    Attributes:
        opening: the first entry of the archive.
        ingests: item -> number of the entry that brought it, and that entry.
        later: item -> what later events say of it.
        votes: item -> reviewer -> verdict.
        collections: hash of the record -> fields of each collection.
    """

    def __init__(self, path: Path, origin: str) -> None:
        """Read a file of proofs.

        Raises:
            DataError: no such file. SpecError: an origin that is none. VerificationError: a proof that does not hold, or of nothing
                that a row follows from.
        """
        shared, *proofs = [json.loads(line) for line in path.read_bytes().splitlines()]
        proofs.sort(key=lambda one: int(one["index"]))
        if set(shared) != _SHARED or len({one["index"] for one in proofs}) != len(proofs):
            raise DataError(f"'{path.name}' is not as exports have it: something is in it twice, or something else.")
        self.opening: dict[str, Any] = json.loads(shared["opening"])
        self.ingests: dict[str, tuple[int, dict[str, Any]]] = {}
        self.later: dict[str, dict[str, Any]] = {}
        self.votes: dict[str, dict[str, str]] = {}
        self.collections: dict[str, dict[str, Any]] = {}
        self._origin, self._head = shared["origin"], Checkpoint(**shared["checkpoint"])
        for one in proofs:
            self._take(one, check_proof(shared | {name: one[name] for name in _OWN}, None, origin).entry)

    def _take(self, one: dict[str, Any], entry: dict[str, Any]) -> None:
        event = entry.get("event")
        if set(one) - _OWN != ({"record"} if event == "collection" else set()):
            raise VerificationError(f"The proof of entry {one['index']} holds what no proof of it has.")
        if event == "collection":
            if hashlib.sha256(one["record"].encode()).hexdigest() != entry["record"]:
                raise VerificationError("What is said of a collection is not what was signed.")
            self.collections[entry["record"]] = json.loads(one["record"])
        elif event == "ingest":
            self.ingests[entry["item"]] = (one["index"], entry)
        elif event == "review":
            self.votes.setdefault(entry["item"], {})[person(entry["reviewer"])] = entry["verdict"]
        elif event in SHOWN:
            note_later(self.later, entry)
        else:
            raise VerificationError(f"Entry {one['index']} has a proof, and no row follows from it.")

    def about(self) -> About:
        """The archive, as far as it is proven."""
        return About(self.opening["name"], self._origin, self._head, tuple(self.collections.values()))


@contextlib.contextmanager
def understood(kind: type[RemissionError], what: str) -> Iterator[None]:
    """Whatever reading something strange raises, as one error that says what could not be read."""
    try:
        yield
    except RemissionError:
        raise
    except _UNREADABLE as error:
        raise kind(f"{what}: {' '.join(str(error).split())[:200] or type(error).__name__}.") from None
