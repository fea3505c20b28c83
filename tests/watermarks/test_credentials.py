"""Content credentials: what was signed reads back, what was changed is told, and nothing follows from their absence."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from remission.clinic import credentials
from remission.detectors.provenance import read_provenance
from remission.errors import DataError, MissingExtra, SpecError

pytest.importorskip("c2pa")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return credentials.new_signer(tmp_path_factory.mktemp("signer") / "own", "A. Lab")


@pytest.fixture(scope="module")
def signer(folder: Path) -> credentials.Signer:
    return credentials.load_signer(folder)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)).save(path)
    return path


def test_a_picture_is_signed_and_read_back(picture: Path, folder: Path, signer: credentials.Signer) -> None:
    out = picture.with_name("signed.png")
    assert credentials.sign(picture, out, signer=signer, made_with="some-model 2") == out
    found = credentials.check(out, trusted=[folder / "root.pem"])
    assert found.verdict == "valid"
    assert (found.signer, found.source_types) == ("A. Lab", ("trainedAlgorithmicMedia",))
    assert "some-model 2" in found.made_with
    with Image.open(out) as after, Image.open(picture) as before:
        assert np.array_equal(np.asarray(after), np.asarray(before))
    assert out.stat().st_size - picture.stat().st_size < 6_000  # no thumbnail
    told = read_provenance(out)
    assert (told.kind, told.validated) == ("synthetic", True)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_other_formats_are_signed_in_place(tmp_path: Path, signer: credentials.Signer, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(path)
    credentials.sign(path, signer=signer, source_type="compositeSynthetic")
    assert credentials.check(path).source_types == ("compositeSynthetic",)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_stranger_is_not_trusted(picture: Path, tmp_path: Path, folder: Path, signer: credentials.Signer) -> None:
    credentials.sign(picture, signer=signer)
    other = credentials.new_signer(tmp_path / "other", "A. Lab")  # the same name is no proof
    assert credentials.check(picture, trusted=[other / "root.pem"]).verdict == "untrusted"
    assert credentials.check(picture, trusted=[other / "root.pem", folder / "root.pem"]).verdict == "valid"
    without = credentials.check(picture)
    assert without.verdict == "untrusted"
    assert any("no list" in reason for reason in without.reasons)


@pytest.mark.parametrize("where", ["pixels", "claim"])
def test_one_flipped_bit_is_told(picture: Path, folder: Path, signer: credentials.Signer, where: str) -> None:
    credentials.sign(picture, signer=signer)
    content = bytearray(picture.read_bytes())
    place = len(content) - 500 if where == "pixels" else content.find(b"trainedAlgorithmicMedia")
    content[place] ^= 1
    picture.write_bytes(content)
    found = credentials.check(picture, trusted=[folder / "root.pem"])
    assert found.verdict == "tampered"
    assert any("changed after it was signed" in reason for reason in found.reasons)


def test_saving_anew_loses_them_and_nothing_follows(picture: Path, signer: credentials.Signer) -> None:
    credentials.sign(picture, signer=signer)
    with Image.open(picture) as file:
        file.copy().save(picture)
    found = credentials.check(picture)
    assert found.verdict == "none"
    assert "says nothing about who or what made" in found.reasons[0]
    assert "human" not in " ".join(found.reasons)


@pytest.mark.parametrize("name", ["rows.jsonl", "part.parquet", "notes.txt", "no-suffix"])
def test_a_sidecar_for_any_file(tmp_path: Path, folder: Path, signer: credentials.Signer, name: str) -> None:
    path, roots = tmp_path / name, [folder / "root.pem"]
    path.write_bytes(b'{"text": "one"}\n' * 400)
    before = path.read_bytes()
    manifest = credentials.sign(path, signer=signer, source_type="trainedAlgorithmicData")
    assert manifest == tmp_path / f"{name}.c2pa"
    assert path.read_bytes() == before
    found = credentials.check(path, trusted=roots)
    assert (found.verdict, found.sidecar, found.source_types) == ("valid", manifest, ("trainedAlgorithmicData",))
    path.write_bytes(before[:-2] + b"X\n")
    assert credentials.check(path, trusted=roots).verdict == "tampered"
    path.write_bytes(before + b"\n")
    assert credentials.check(path, trusted=roots).verdict == "tampered"
    path.write_bytes(before)
    manifest.write_bytes(b"garbage")
    assert credentials.check(path, trusted=roots).verdict == "tampered"
    manifest.unlink()
    assert credentials.check(path, trusted=roots).verdict == "none"


def test_a_sidecar_of_one_file_does_not_fit_another(tmp_path: Path, signer: credentials.Signer) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("one")
    other.write_text("two")
    manifest = credentials.sign(one, signer=signer)
    assert credentials.check(one, manifest).verdict == "untrusted"
    assert credentials.check(other, manifest).verdict == "tampered"


def test_the_key_is_for_its_owner_only(folder: Path, tmp_path: Path) -> None:
    key = folder / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(credentials.load_signer(folder))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("key.pem", "chain.pem"):
        (copy / name).write_bytes((folder / name).read_bytes())
    os.chmod(copy / "key.pem", 0o640)
    with pytest.raises(DataError, match=r"0640.*chmod 600"):
        credentials.load_signer(copy)
    os.chmod(copy / "key.pem", 0o600)
    other = credentials.new_signer(tmp_path / "other", "Else")
    (copy / "chain.pem").write_bytes((other / "chain.pem").read_bytes())
    with pytest.raises(DataError, match="belong together"):
        credentials.load_signer(copy)


def test_bad_input_is_told(picture: Path, tmp_path: Path, folder: Path, signer: credentials.Signer) -> None:
    with pytest.raises(SpecError, match="Did you mean 'trainedAlgorithmicMedia'"):
        credentials.sign(picture, signer=signer, source_type="trainedAlgorithmMedia")
    with pytest.raises(DataError, match="holds a signer already"):
        credentials.new_signer(folder, "Again")
    with pytest.raises(DataError, match="There is no signer"):
        credentials.load_signer(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        credentials.check(tmp_path / "absent.png")
    with pytest.raises(DataError, match="no certificates"):
        credentials.check(picture, trusted=[picture])
    text = tmp_path / "a.txt"
    text.write_text("a")
    with pytest.raises(DataError, match="sidecar"):
        credentials.sign(text, signer=signer, sidecar=False)
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(DataError, match="could not be signed"):
        credentials.sign(broken, tmp_path / "out.png", signer=signer)
    assert not (tmp_path / "out.png").exists()
    assert credentials.check(broken).verdict == "none"
    credentials.sign(picture, signer=signer)
    with pytest.raises(DataError, match="already"):
        credentials.sign(picture, signer=signer)
    with pytest.raises(DataError, match="could not be signed"):
        credentials.sign(text, signer=dataclasses.replace(signer, key=b"none"))


def test_without_the_extra(picture: Path, signer: credentials.Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remission.errors.importlib.util.find_spec", lambda name: None)
    for call in (
        lambda: credentials.sign(picture, signer=signer),
        lambda: credentials.check(picture),
        lambda: credentials.new_signer(picture.parent / "new", "name"),
    ):
        with pytest.raises(MissingExtra, match=r"remission\[c2pa\]"):
            call()
