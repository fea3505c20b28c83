"""The tree against published vectors and against the definitions of RFC 9162, written down word by word."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.clinic.archive.proving import Paths
from remission.errors import DataError
from remission.gold.canonical import canonical, parse
from remission.gold.merkle import (
    Tree,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    leaf_hash,
    root_from_inclusion,
    root_of,
)

# The test vectors of Certificate Transparency's reference implementation.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mth(entries: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1."""
    if not entries:
        return sha(b"")
    if len(entries) == 1:
        return sha(b"\x00" + entries[0])
    k = max(1 << i for i in range(len(entries)) if 1 << i < len(entries))
    return sha(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = max(1 << i for i in range(len(entries)) if 1 << i < len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: list[bytes], whole: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = max(1 << i for i in range(len(entries)) if 1 << i < len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


def test_published_roots() -> None:
    leaves = [leaf_hash(bytes.fromhex(one)) for one in INPUTS]
    assert [root_of(leaves[: n + 1]).hex() for n in range(8)] == ROOTS
    assert Tree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("n", [*range(1, 34), 100])
def test_everything_equals_the_slow_twin(n: int) -> None:
    entries = [bytes([i]) * (i % 5) for i in range(n)]
    leaves = [leaf_hash(one) for one in entries]
    root = mth(entries)
    assert root_of(leaves) == root
    every = Paths(leaves)
    for m in range(n):
        proof = inclusion_proof(leaves, m)
        assert proof == path(m, entries)
        assert [step.hex() for step in proof] == every.path(m)
        assert root_from_inclusion(leaves[m], m, n, proof) == root
    for m in range(1, n + 1):
        proof = consistency_proof(leaves, m)
        assert proof == subproof(m, entries, True)
        assert is_consistent(m, mth(entries[:m]), n, root, proof)


def test_wrong_proofs_are_no_proofs() -> None:
    rng = random.Random(1)
    for _ in range(300):
        n = rng.randint(2, 40)
        leaves = [leaf_hash(bytes([i])) for i in range(n)]
        m, root = rng.randrange(n), root_of(leaves)
        proof = inclusion_proof(leaves, m)
        changed = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
        assert root_from_inclusion(leaves[m], m, n, changed) != root
        assert root_from_inclusion(leaves[m], m, n, proof[:-1]) != root
        assert root_from_inclusion(leaves[m], m, n, [*proof, root]) != root
        assert root_from_inclusion(leaves[m], (m + 1) % n, n, proof) != root
        assert root_from_inclusion(leaves[m - 1], m, n, proof) != root
        first = rng.randint(1, n - 1)
        proof = consistency_proof(leaves, first)
        forged = root_of([leaf_hash(b"other"), *leaves[1:first]])
        assert not is_consistent(first, forged, n, root, proof)
        assert not is_consistent(first, root_of(leaves[:first]), n, forged, proof)
        assert not is_consistent(first, root_of(leaves[:first]), n, root, [*proof, root])


def test_an_entry_is_never_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != root_of([left, right])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_canonical_is_rfc_8785(value: object) -> None:
    rfc8785 = pytest.importorskip("rfc8785")
    assert canonical(value) == rfc8785.dumps(value)
    assert parse(canonical({"a": value})) is not None


def test_canonical_refuses_what_json_cannot_say() -> None:
    for value in (float("nan"), float("inf"), 2**53, "\ud800", {1: 2}, object()):
        with pytest.raises(DataError, match="canonical JSON"):
            canonical(value)
    for line in (
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b"[]",
        b'{"a":1.0}',
        b'{"a":1,"a":1}',
        b"\xff",
        b'{"a":1}\n',
        b'{"\\u0061":1}',
    ):
        assert parse(line) is None
    assert parse(b'{"a":1}') == {"a": 1}
