"""What lies beside the data of an export, or in place of it: nothing that anybody would read says what was not signed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from remission.clinic.archive.adding import add
from remission.clinic.archive.exporting import FORMATS, To, check_export, export
from remission.clinic.archive.record import about
from remission.clinic.archive.writing import create
from remission.errors import DataError, SpecError, VerificationError
from remission.gold.archive import Archive
from remission.gold.canonical import canonical
from remission.gold.signing import new_signer

SHARD = "data/train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small archive of two collections, exported in every layout, and another one."""
    place = tmp_path_factory.mktemp("exports")
    signer = new_signer(place / "key")
    for name, words in (("archive", "Dear reader"), ("other", "Forged")):
        create(place / name, "letters \u20ac", signer)
        for part in range(2):
            rows = [{"id": f"{part}-{n}", "text": f"{words} {part} {n}", "language": "en"} for n in range(3)]
            (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            told = {"title": f"Letters {part}", "issuer": "The library", "method": "scanned", "licence": "CC0-1.0"}
            add(place / name, signer, [place / "rows.jsonl"], about({"collection": told, "item": {"language": "en"}}))
        for to in get_args(To):
            export(Archive(place / name), place / f"{name}-{to}", to)
    return place


@pytest.fixture
def copy(exports: Path, tmp_path: Path) -> Callable[[str], Path]:
    def make(to: str) -> Path:
        return Path(shutil.copytree(exports / f"archive-{to}", tmp_path / "copy"))

    return make


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(out: Path) -> None:
        text = (out / name).read_text(encoding="utf-8")
        assert old in text
        (out / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


def written(name: str, content: bytes = b"forged") -> Callable[[Path], None]:
    def apply(out: Path) -> None:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)

    return apply


def gone(name: str) -> Callable[[Path], None]:
    return lambda out: (out / name).unlink()


def linked(name: str) -> Callable[[Path], None]:
    def apply(out: Path) -> None:
        (out / name).rename(out.parent / "elsewhere")
        (out / name).symlink_to(out.parent / "elsewhere")

    return apply


def piped(name: str) -> Callable[[Path], None]:
    def apply(out: Path) -> None:
        (out / name).unlink(missing_ok=True)
        os.mkfifo(out / name)

    return apply


def proofs(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def apply(out: Path) -> None:
        path = out / "proofs.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change(lines)
        path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))

    return apply


def rehashed(out: Path) -> None:
    """Somebody changes a tag file of a bag, and the sum of it as well."""
    edited("bag-info.txt", "The library", "The mill")(out)
    lines = (out / "tagmanifest-sha256.txt").read_text().splitlines()
    named = {line.split("  ")[1]: line for line in lines}
    named["bag-info.txt"] = f"{hashlib.sha256((out / 'bag-info.txt').read_bytes()).hexdigest()}  bag-info.txt"
    (out / "tagmanifest-sha256.txt").write_text("".join(f"{line}\n" for line in named.values()))


HIDDEN = b"configs: [{config_name: default, data_files: [{split: train, path: .evil/e.parquet}]}]\n"
ANY = [
    ("hidden instructions for readers", written(".huggingface.yaml", HIDDEN)),
    ("a hidden file", written(".hidden")),
    ("a hidden folder", written(".evil/e.parquet")),
    ("data in a cache", written(".cache/e.parquet")),
    ("data deep in a cache", written(".cache/huggingface/download/e.parquet")),
    ("a link at the top", lambda out: (out / "x").symlink_to(out)),
    ("a link that is hidden", lambda out: (out / ".git").symlink_to(out.parent)),
    ("a pipe", piped("x")),
]
TABLES = [
    ("another verifier", written("verify.py", b"print('as it was signed')\n")),
    ("no verifier", gone("verify.py")),
    ("no description", gone("croissant.json")),
    ("data elsewhere", edited("croissant.json", '"contentUrl": "', '"contentUrl": "https://example.org/')),
    ("another licence", edited("croissant.json", "CC0-1.0", "MIT")),
    ("another creator", edited("croissant.json", '"name": "The library"', '"name": "The mill"')),
    ("a description that says more", edited("croissant.json", '"@type"', '"isLiveDataset": true, "@type"')),
    ("a second file", edited("croissant.json", '"distribution": [', '"distribution": [{"@type": "cr:FileObject"}, ')),
    ("a verifier elsewhere", linked("verify.py")),
    ("proofs elsewhere", linked("proofs.jsonl")),
    ("another origin", proofs(lambda lines: lines[0].update(origin="0" * 64))),
    ("a proof twice", proofs(lambda lines: lines.append(lines[-1]))),
    ("a proof that brings its own checkpoint", proofs(lambda lines: lines[-1].update(checkpoint=lines[0]["checkpoint"]))),
    ("shared fields that say more", proofs(lambda lines: lines[0].update(note="x"))),
    ("another collection", proofs(lambda lines: lines[1].update(record=lines[1]["record"].replace("library", "mill")))),
    ("a collection left out", proofs(lambda lines: lines.pop(1))),
    ("a record where none belongs", proofs(lambda lines: lines[-1].update(record="{}"))),
]  # fmt: skip
ATTACKS: dict[str, list[tuple[str, Callable[[Path], None]]]] = {
    "parquet": [
        *ANY, *TABLES,
        ("data elsewhere by a link", linked("data.parquet")),
        ("data from a pipe", piped("data.parquet")),
        ("credentials that are none", written("data.parquet.c2pa", b"junk")),
        ("a card", written("README.md", b"---\nconfigs: []\n---\n")),
    ],
    "huggingface": [
        *ANY, *TABLES,
        ("no card", gone("README.md")),
        ("a card with another licence", edited("README.md", 'license: "cc0-1.0"', 'license: "mit"')),
        ("a card with another table", edited("README.md", "| CC0-1.0 | 6 |", "| CC0-1.0 | 7 |")),
        ("a card with another name", edited("README.md", "pretty_name: ", "pretty_name: not ")),
        ("a card with other languages", edited("README.md", '- "en"', '- "fr"')),
        ("a card that says more", edited("README.md", "---\n", "---\nviewer: false\n")),
        ("data elsewhere by a link", linked(SHARD)),
        ("a folder elsewhere by a link", linked("data")),
        ("a hidden file beside the data", written("data/.hidden")),
        ("credentials that are none", written(f"{SHARD}.c2pa", b"junk")),
    ],
    "bagit": [
        *ANY,
        ("another verifier", written("data/verify.py", b"print('as it was signed')\n")),
        ("a manifest with another sum", edited("manifest-sha256.txt", "  data/items.jsonl", "0  data/items.jsonl")),
        ("a manifest that is none", written("manifest-sha256.txt", b"")),
        ("a tag manifest that is none", written("tagmanifest-sha256.txt", b"")),
        ("no tag manifest", gone("tagmanifest-sha256.txt")),
        ("another version", edited("bagit.txt", "1.0", "0.97")),
        ("another organisation", edited("bag-info.txt", "The library", "The mill")),
        ("another organisation, with its sum", rehashed),
        ("another identifier", edited("bag-info.txt", "External-Identifier: ", "External-Identifier: 0")),
        ("a day that is none", edited("bag-info.txt", "Bagging-Date: ", "Bagging-Date: about ")),
        ("an item elsewhere by a link", lambda out: linked(f"data/items/{sorted(os.listdir(out / 'data/items'))[0]}")(out)),
        ("a file to be fetched", written("fetch.txt", b"https://example.org/x 1 data/x\n")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_beside_the_data_says_what_was_not_signed(to: str, exports: Path, copy: Callable[[str], Path]) -> None:
    origin = Archive(exports / "archive").origin
    for name, attack in ATTACKS[to]:
        out = copy(to)
        assert check_export(out, origin) == 6, name
        attack(out)
        with pytest.raises((VerificationError, DataError)):
            assert check_export(out, origin) < 0, name  # told which, when it passes
        shutil.rmtree(out)
        for left in out.parent.glob("elsewhere*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


@pytest.mark.parametrize("to", FORMATS)
def test_what_git_and_downloads_leave_is_no_data(to: str, copy: Callable[[str], Path]) -> None:
    out = copy(to)
    for name in (
        ".git/objects/ab/cd", ".gitattributes", ".cache/huggingface/.gitignore", ".cache/huggingface/CACHEDIR.TAG",
        ".cache/huggingface/download/data/x.parquet.metadata", ".cache/huggingface/download/README.md.lock",
    ):  # fmt: skip
        written(name)(out)
    assert check_export(out) == 6
    shutil.rmtree(out / ".git")
    written(".git", b"gitdir: ../main")(out)
    assert check_export(out) == 6


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_of_another_archive_is_another_one(to: str, exports: Path) -> None:
    """Everything of it is signed and fits; only the origin tells, however it is spelled."""
    origin = Archive(exports / "archive").origin
    assert check_export(exports / f"other-{to}") == 6
    assert check_export(exports / f"archive-{to}", origin.upper()) == 6
    with pytest.raises(VerificationError, match="is of the archive"):
        check_export(exports / f"other-{to}", origin)
    with pytest.raises(SpecError, match="64 hexadecimal digits"):
        check_export(exports / f"archive-{to}", origin[:16])


def test_an_export_carries_the_verifier_that_the_archive_names(exports: Path, tmp_path: Path) -> None:
    """Also when ours has changed since the archive began; one that was changed is not handed on."""
    signer, older = new_signer(tmp_path / "key"), b"# an older verifier\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("remission.clinic.archive.writing.verifier", lambda: older)
        create(tmp_path / "archive", "older", signer)
    told = {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "text": "b"}\n')
    add(tmp_path / "archive", signer, [tmp_path / "rows.jsonl"], about({"collection": told}))
    export(Archive(tmp_path / "archive"), tmp_path / "out")
    assert (tmp_path / "out" / "verify.py").read_bytes() == older
    assert check_export(tmp_path / "out") == 1
    (tmp_path / "archive" / "verify.py").write_bytes(b"print('as it was signed')\n")
    with pytest.raises(VerificationError, match="not the one that came with it"):
        export(Archive(tmp_path / "archive"), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_only_collections_of_what_is_exported_are_shown(exports: Path, tmp_path: Path) -> None:
    export(Archive(exports / "archive"), tmp_path / "out", items=["1-2"])
    assert check_export(tmp_path / "out") == 1
    text = (tmp_path / "out" / "croissant.json").read_text() + (tmp_path / "out" / "proofs.jsonl").read_text()
    assert "Letters 1" in text
    assert "Letters 0" not in text


def test_what_hugging_face_reads_is_what_was_checked(
    exports: Path, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    """The reader does follow hidden instructions: they are not refused for nothing."""
    datasets = pytest.importorskip("datasets")
    out = copy("huggingface")
    shutil.copytree(exports / "other-huggingface" / "data", out / ".evil")
    (out / ".huggingface.yaml").write_bytes(HIDDEN.replace(b"e.parquet", b"train-00000-of-00001.parquet"))
    found = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"), split="train")
    assert all(text.startswith("Forged") for text in found["text"])
    with pytest.raises(VerificationError, match="no proof speaks of"):
        check_export(out)
