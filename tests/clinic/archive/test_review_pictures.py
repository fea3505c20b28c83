"""Review of pictures: what reviewers see, what would give planted ones away, and headers of files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from remission.clinic.archive.adding import add
from remission.clinic.archive.changing import add_evidence
from remission.clinic.archive.queues import By, make_queue
from remission.clinic.archive.record import about
from remission.clinic.archive.review import record_answers, review_status
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create
from remission.errors import DataError
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer


def pictures(folder: Path, count: int, start: int = 0) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(start, start + count):
        Image.new("RGB", (20 + number, 10), (number, 0, 0)).save(
            folder / f"secret-{number}.{('png', 'jpg', 'webp', 'gif', 'bmp')[number % 5]}"
        )


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """An archive with 10 pictures, and pictures to plant."""
    pytest.importorskip("PIL")
    create(tmp_path / "archive", "gallery", new_signer(tmp_path / "key"))
    pictures(tmp_path / "photos", 10)
    pictures(tmp_path / "plant" / "human", 5, 50)
    pictures(tmp_path / "plant" / "ai", 5, 70)
    told = about(
        {"collection": {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}, "item": {"language": "en"}}
    )
    add(tmp_path / "archive", load_signer(tmp_path / "key"), [tmp_path / "photos"], told, pictures=True)
    return tmp_path


@pytest.mark.parametrize("how", ["random", "stratum", "disagreement"])
def test_pictures_are_reviewed(gallery: Path, how: By) -> None:
    from PIL import Image

    folder, signer = gallery / "archive", load_signer(gallery / "key")
    if how == "disagreement":
        items = sorted(Archive(folder).log.items)
        said = [{"kind": "detector", "name": name, "version": "1"} for name in ("one", "two")]
        scores = [(item, said[0] | {"score": 0.0}) for item in items]
        add_evidence(
            folder, signer, scores + [(item, said[1] | {"score": 0.1 + n / 20}) for n, item in enumerate(items)], "us"
        )
    made = make_queue(folder, signer, gallery / "q", by=how, count=6, planted=[gallery / "plant"])
    assert (made.tasks, made.planted, made.pictures) == (16, 10, gallery / "q.pictures")
    shown = [json.loads(line) for line in (gallery / "q").read_text().splitlines()]
    tasks = {one["task"]: one for one in json.loads((gallery / "q.key").read_text())["tasks"]}
    assert {len(set(one)) for one in shown} == {6}
    for one in shown:
        assert set(one) == {"task", "file", "format", "width", "height", "bytes"}  # nothing tells planted ones, or ids
        assert "secret" not in one["file"]
        path = gallery / one["file"]
        with Image.open(path) as image:
            assert image.size == (one["width"], one["height"])
            assert image.format.lower() == one["format"].lower()
        content = path.read_bytes()
        assert len(content) == one["bytes"]
        if "item" in tasks[one["task"]]:
            assert content == Archive(folder).content(tasks[one["task"]]["item"])
        else:
            assert tasks[one["task"]]["truth"] == ("human" if one["width"] < 90 else "machine")
    assert len(list((gallery / "q.pictures").iterdir())) == 16
    for who in ("ann", "bob"):
        record_answers(
            folder, signer, gallery / "q.key",
            [{"task": one["task"], "reviewer": who, "verdict": tasks[one["task"]].get("truth", "human")} for one in shown], partial=True)  # fmt: skip
    status = review_status(Archive(folder))
    assert status.items["certified"] == 6
    assert status.planted["machine_certified"]["n"] == 5
    assert verify(folder).ok


def test_what_would_give_planted_ones_away_is_refused(gallery: Path) -> None:
    folder, signer = gallery / "archive", load_signer(gallery / "key")
    (gallery / "planted.jsonl").write_text('{"text": "a text", "label": "human"}\n')
    head = Archive(folder).head
    for planted, message in (
        ([gallery / "planted.jsonl"], "reviewers would know them"),
        ([gallery / "photos"], "needs a label"),
    ):
        with pytest.raises(DataError, match=message):
            make_queue(folder, signer, gallery / "q", planted=planted)
    assert sorted(gallery.glob("q*")) == []
    assert Archive(folder).head == head


def test_a_mixed_archive_is_reviewed_by_modality(gallery: Path) -> None:
    folder, signer = gallery / "archive", load_signer(gallery / "key")
    (gallery / "a.jsonl").write_text(
        "".join(json.dumps({"id": f"text-{n}", "text": f"text {n}"}) + "\n" for n in range(4))
    )
    told = about({"collection": {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}})
    add(folder, signer, [gallery / "a.jsonl"], told)
    assert make_queue(folder, signer, gallery / "all").tasks == 14
    assert make_queue(folder, signer, gallery / "texts", modality="text").pictures is None
    assert make_queue(folder, signer, gallery / "images", modality="image", planted=[gallery / "plant"]).tasks == 20
    kinds = {"file" in json.loads(line) for line in (gallery / "all").read_text().splitlines()}
    assert kinds == {True, False}
    with pytest.raises(DataError, match="no items of modality 'audio'"):
        make_queue(folder, signer, gallery / "none", modality="audio")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_headers_that_are_cut_off_are_none(kind: str) -> None:
    """Any beginning of a picture is measured rightly or not at all, and never a crash."""
    image = pytest.importorskip("PIL.Image")
    from remission.clinic.archive._shown import _measured

    file = io.BytesIO()
    image.new("RGB", (123, 45)).save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    content, whole = file.getvalue(), 0
    for end in range(min(len(content), 700)):
        facts, _ = _measured(content[:end], ".png")
        assert (facts.get("width"), facts.get("height")) in ((123, 45), (None, None))
        whole += "width" in facts
    assert whole
    assert _measured(b"RIFF....WEBPVP8X" + bytes(8) + b"\x7a\0\0\x2c\0\0", "")[0]["width"] == 123
