"""The proof that one entry is in the log that was signed, for somebody who has nothing else of the archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remission.clinic.archive.archive import Archive
from remission.clinic.archive.canonical import canonical, parse
from remission.clinic.archive.merkle import leaf_hash, root_from_inclusion
from remission.clinic.archive.signing import Checkpoint, is_introduced, read_checkpoint
from remission.errors import DataError, VerificationError

SCHEMA = "remission/archive-proof/1"


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
        DataError: no proof. VerificationError: a proof of something else.
    """
    try:
        opening = proof["opening"].encode()
        entry_line = proof["entry"].encode()
        checkpoint = read_checkpoint(canonical(dict(proof["checkpoint"])))
        first, entry = parse(opening), parse(entry_line)
        rotations = [
            (one["entry"].encode(), one["index"], [bytes.fromhex(step) for step in one["path"]])
            for one in proof["rotations"]
        ]
        path, index = [bytes.fromhex(step) for step in proof["path"]], proof["index"]
        sound = type(index) is int and all(type(one[1]) is int for one in rotations)
    except (KeyError, TypeError, ValueError, AttributeError):
        sound, checkpoint, first, entry = False, None, None, None
    if not sound or checkpoint is None or first is None or entry is None:
        raise DataError(
            f"This is no proof. A proof has the schema '{SCHEMA}' and is made by `remission archive prove`."
        )
    start = leaf_hash(opening).hex()
    if origin and start != origin:
        raise VerificationError(f"The proof is of the archive {start[:16]}..., not of {origin[:16]}...")
    keys = {first.get("key")}
    for line, place, steps in [*rotations, (entry_line, index, path)]:
        root = root_from_inclusion(leaf_hash(line), place, checkpoint.size, steps)
        if root is None or root.hex() != checkpoint.root:
            raise VerificationError("The path does not lead from the entry to the root that was signed.")
    for line, _, _ in rotations:
        event = parse(line) or {}
        if event.get("event") != "key" or not is_introduced(start, event.get("key"), event.get("proof")):
            raise VerificationError("A key in the proof was not introduced by its holder.")
        keys.add(event["key"])
    if checkpoint.origin != start or checkpoint.key not in keys or not checkpoint.is_signed:
        raise VerificationError("The checkpoint is not signed by a key of this archive.")
    if content is not None and hashlib.sha256(content).hexdigest() != entry.get("content"):
        raise VerificationError("This is not the content that the entry speaks of.")
    return Proven(entry, checkpoint, start)


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
