"""The proof that one entry is in the log that was signed, for somebody who has nothing else of the archive."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from remission.clinic.archive._looked import told_origin
from remission.errors import DataError, VerificationError
from remission.gold.archive import Archive
from remission.gold.canonical import canonical, parse
from remission.gold.merkle import consistency_proof, is_consistent, leaf_hash, root_from_inclusion
from remission.gold.signing import Checkpoint, is_introduced, read_checkpoint

SCHEMA = "remission/archive-proof/1"
CONSISTENCY = "remission/archive-consistency/1"


@dataclass(frozen=True)
class Proven:
    """What a proof shows.

    Attributes:
        entry: the event.
        checkpoint: that vouches for it.
        origin: of the archive.
    """

    entry: dict[str, Any]
    checkpoint: Checkpoint
    origin: str


class Prover:
    """Makes proofs; the leaf hashes are read once for all of them.

    Attributes:
        shared: what all proofs have in common.
    """

    def __init__(self, archive: Archive) -> None:
        """Of entries of this archive."""
        log = self._log = archive.log
        self._tree = Paths(log.leaves())
        self.shared: dict[str, Any] = {
            "schema": SCHEMA, "origin": log.origin, "opening": log.line(0).decode(), "rotations": [],
            "checkpoint": json.loads(log.head.line()),
        }  # fmt: skip
        if len(log.keys) > 1:
            self.shared["rotations"] = [self.own(n) for n, entry in log.entries() if entry["event"] == "key"]

    def own(self, number: int) -> dict[str, Any]:
        """What the proof of an entry has for itself."""
        return {"entry": self._log.line(number).decode(), "index": number, "path": self._tree.path(number)}


def prove(archive: Archive, item: str) -> dict[str, Any]:
    """The proof of the ingest of an item, as plain values. Raises DataError."""
    number = archive.number(item)
    prover = Prover(archive)
    return prover.shared | prover.own(number)


def check_proof(proof: Mapping[str, Any], content: bytes | None = None, origin: str = "") -> Proven:
    """Check a proof, without the archive.

    Args:
        proof: as :func:`prove` made it.
        content: what the item is said to be.
        origin: of the archive, as told by somebody else; without it the proof may be of anybody's archive.

    Raises:
        DataError: no proof. SpecError: an origin that is none. VerificationError: a proof of something else.
    """
    with _understood():
        if proof["schema"] != SCHEMA:
            raise ValueError("the schema")
        shared = _Shared(proof)
        step = _step(proof)
        entry = parse(step[0])
        if entry is None:
            raise ValueError("the entry")
    shared.check(origin)
    shared.climb(step)
    if content is not None and entry.get("event") != "ingest":  # a tombstone names a content as well
        raise VerificationError("The proof is of an event that brought no content.")
    if content is not None and hashlib.sha256(content).hexdigest() != entry.get("content"):
        raise VerificationError("This is not the content that the entry speaks of.")
    return Proven(entry, shared.checkpoint, shared.start)


def prove_consistency(archive: Archive, kept: Checkpoint) -> dict[str, Any]:
    """The proof that the log of now begins with the log that a checkpoint kept elsewhere vouches for.

    Raises:
        VerificationError: it does not: the archive was put back to an older state, or its history is another one.
    """
    from remission.clinic.archive.witness import against_witness

    faults, _ = against_witness(archive.log, [kept])
    if faults:
        raise VerificationError(f"The archive does not go on from that checkpoint: {faults[0].what}.")
    steps = consistency_proof(archive.log.leaves(), kept.size)
    shared = Prover(archive).shared | {"schema": CONSISTENCY}
    return shared | {"first": json.loads(kept.line()), "path": [step.hex() for step in steps]}


def check_consistency(proof: Mapping[str, Any], kept: Checkpoint, origin: str = "") -> Checkpoint:
    """Check, without the archive, that its newest checkpoint goes on from one that was kept; the newest one.

    Raises:
        DataError: no such proof. SpecError: an origin that is none. VerificationError: it is of something else, or of another history.
    """
    with _understood():
        if proof.get("schema") != CONSISTENCY:
            raise ValueError("the schema")
        shared = _Shared(proof)
        first = read_checkpoint(canonical(dict(proof["first"])))
        path = [bytes.fromhex(step) for step in proof["path"]]
    shared.check(origin)
    new = shared.checkpoint
    if first != kept or kept.origin != shared.start or kept.key != shared.signer(kept.size) or not kept.is_signed:
        raise VerificationError("The proof does not begin with the checkpoint that was kept.")
    if not is_consistent(kept.size, bytes.fromhex(kept.root), new.size, bytes.fromhex(new.root), path):
        raise VerificationError("The newest checkpoint does not go on from the one that was kept.")
    return new


_Step = tuple[bytes, int, list[bytes]]  # an entry, its number, its path


class _Shared:
    """What all proofs have in common: the opening, keys that were handed over, and the checkpoint."""

    def __init__(self, proof: Mapping[str, Any]) -> None:
        """Raises what :func:`_understood` expects."""
        opening = proof["opening"].encode()
        self._named = proof["origin"]
        checkpoint = read_checkpoint(canonical(dict(proof["checkpoint"])))
        first = parse(opening)
        if checkpoint is None or first is None:
            raise ValueError("the checkpoint")
        self.checkpoint, self.start = checkpoint, leaf_hash(opening).hex()
        self._rotations = sorted((_step(one) for one in proof["rotations"]), key=lambda step: step[1])
        self._keys = [(-1, first["key"])]  # number of the entry that names a key, and the key; in order

    def check(self, origin: str) -> None:
        """Raise VerificationError unless the key that was the archive's then signed the checkpoint."""
        origin = told_origin(origin)
        if self._named != self.start:
            raise VerificationError("The origin that the proof names is not that of the archive it is of.")
        if origin and self.start != origin:
            raise VerificationError(f"The proof is of the archive {self.start[:16]}..., not of {origin[:16]}...")
        for step in self._rotations:
            self.climb(step)
            event = parse(step[0]) or {}
            if event.get("event") != "key" or not is_introduced(self.start, event.get("key"), event.get("proof")):
                raise VerificationError("A key in the proof was not introduced by its holder.")
            self._keys.append((step[1], event["key"]))
        head = self.checkpoint
        if head.origin != self.start or head.key != self.signer(head.size) or not head.is_signed:
            raise VerificationError("The checkpoint is not signed by the key that was this archive's then.")

    def signer(self, size: int) -> str:
        """The key that signs a checkpoint of this size: the batch that ends with a new key is signed by the one before."""
        found: str = [key for number, key in self._keys if number + 1 < size][-1]
        return found

    def climb(self, step: _Step) -> None:
        """Raise VerificationError unless the path leads from the entry to the root."""
        line, place, path = step
        root = root_from_inclusion(leaf_hash(line), place, self.checkpoint.size, path)
        if root is None or root.hex() != self.checkpoint.root:
            raise VerificationError("The path does not lead from the entry to the root that was signed.")


def _step(one: Mapping[str, Any]) -> _Step:
    if type(one["index"]) is not int:
        raise ValueError("the index")
    return one["entry"].encode(), one["index"], [bytes.fromhex(step) for step in one["path"]]


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, DataError):
        raise DataError(
            f"This is no proof. A proof has the schema '{SCHEMA}' and is made by `remission archive prove`."
        ) from None


class Paths:
    """All levels of a tree, so that many paths cost one pass over the leaves."""

    def __init__(self, leaves: list[bytes]) -> None:
        """Of these leaf hashes; a node without a neighbour goes up as it is, which gives the tree of RFC 9162."""
        self._levels = [leaves]
        while len(self._levels[-1]) > 1:
            below, sha256 = self._levels[-1], hashlib.sha256
            above = [sha256(b"\x01" + below[i] + below[i + 1]).digest() for i in range(0, len(below) - 1, 2)]
            self._levels.append(above + below[len(above) * 2 :])

    def path(self, index: int) -> list[str]:
        """The path of a leaf, lowest first, in hexadecimal digits."""
        steps = []
        for level in self._levels[:-1]:
            if (neighbour := index ^ 1) < len(level):
                steps.append(level[neighbour].hex())
            index >>= 1
        return steps
