"""Signed manifests: whose they are, and that nothing changed since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remission import DataError, SpecError, StoreError
from remission.clinic.census.manifest import NAME, SIGNATURE, verify
from remission.clinic.census.running import run_census
from remission.clinic.census.signing import public_key, sign, signer_of
from remission.gold.signing import new_signer, signed_by
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import BY, corpus, inline

pytest.importorskip("cryptography")


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, str]:
    """A census, and the public key that signed it."""
    run_census([corpus(tmp_path / "in", 30)], LENGTHS, tmp_path / "out", BY, inline)
    new_signer(tmp_path / "key.pem")
    return tmp_path / "out", sign(tmp_path / "out" / NAME, tmp_path / "out" / SIGNATURE, tmp_path / "key.pem")


def kinds(folder: Path, key: str | None = None) -> list[str]:
    return [fault["kind"] for fault in verify(folder, key=key)]


def test_a_signature_fits_its_manifest_and_its_key_alone(signed: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = signed
    assert kinds(folder) == kinds(folder, key) == []
    assert signer_of(folder / SIGNATURE) == key
    assert kinds(folder, "0" * 64) == ["signed by another key"]
    content = (folder / NAME).read_text()
    (folder / NAME).write_text(content + " ")  # the seal does not see it
    assert kinds(folder, key) == kinds(folder) == ["signature does not fit"]
    (folder / NAME).write_text(content)
    told = json.loads((folder / SIGNATURE).read_text())
    for change in ({"signature": "0" * 128}, {"signature": "zz"}, {"key": "0" * 64}):
        (folder / SIGNATURE).write_text(json.dumps(told | change))
        assert kinds(folder) == ["signature does not fit"], change
    for damage in ("", "{", "[]", json.dumps(told | {"schema": "other"}), json.dumps({"schema": told["schema"]})):
        (folder / SIGNATURE).write_text(damage)
        assert kinds(folder) == kinds(folder, key) == ["signature damaged"], damage
        assert signer_of(folder / SIGNATURE) is None
    (folder / SIGNATURE).unlink()
    assert kinds(folder) == []
    assert kinds(folder, key) == ["not signed"]


def test_a_signature_is_for_a_census_and_nothing_else(signed: tuple[Path, str]) -> None:
    """The same bytes without the purpose, or of a checkpoint, are not signed."""
    folder, key = signed
    told = json.loads((folder / SIGNATURE).read_text())
    content = (folder / NAME).read_bytes()
    assert signed_by(key, b"remission/census-manifest/2\n\n" + content, told["signature"])
    assert not signed_by(key, b"remission/census-manifest/1\n" + content, told["signature"])
    assert not signed_by(key, content, told["signature"])
    assert not signed_by(key, b"remission/archive-checkpoint/1\n" + content, told["signature"])


def test_what_was_signed_goes_when_the_census_changes(signed: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = signed
    run_census([tmp_path / "in"], LENGTHS, folder, BY, inline)
    assert kinds(folder, key) == []
    (tmp_path / "in" / "c0.jsonl").write_text('{"id": "new", "text": "another", "source": "a", "date": "2023-01-01"}\n')
    run_census([tmp_path / "in"], LENGTHS, folder, BY, inline)
    assert kinds(folder, key) == ["not signed"]


def test_keys_that_cannot_be_used(signed: tuple[Path, str], tmp_path: Path) -> None:
    folder, key = signed
    (tmp_path / "public").write_text(key.upper() + "\n")
    assert public_key(str(tmp_path / "public")) == public_key(key.upper()) == key
    for wrong in ("abc", key[:-1] + "x", str(tmp_path / "missing"), "", "a\0b"):
        with pytest.raises(SpecError, match="64 hexadecimal digits"):
            public_key(wrong)
    with pytest.raises(StoreError, match="cannot be read"):
        sign(folder / NAME, folder / SIGNATURE, tmp_path / "missing.pem")
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(StoreError, match="Others may read"):
        sign(folder / NAME, folder / SIGNATURE, tmp_path / "key.pem")
    (tmp_path / "other.pem").write_text("no key")
    (tmp_path / "other.pem").chmod(0o600)
    with pytest.raises(DataError, match="no private key"):
        sign(folder / NAME, folder / SIGNATURE, tmp_path / "other.pem")
    assert kinds(folder, key) == []
