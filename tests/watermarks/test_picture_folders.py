"""Folders of pictures are marked and scanned; what cannot be used is named with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remission.clinic.watermark_pictures import mark_pictures, scan_pictures
from remission.errors import DataError, SpecError
from remission.watermarking import Key
from remission.watermarks import _picture_tile as tile
from remission.watermarks.dwt_dct_svd import DwtDctSvd
from remission.watermarks.spread_spectrum import SpreadSpectrum

Image = pytest.importorskip("PIL.Image")

MARK, KEY = SpreadSpectrum(), Key("mine", (77 << 64 | 5,))


def smooth(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (shape[0] // 16, shape[1] // 16, *shape[2:])).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(shape[1::-1], Image.Resampling.BICUBIC))


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(smooth((208, 240, 3))).save(source / "a.png")
    Image.fromarray(smooth((208, 240, 3), 1)).save(source / "b.jpg", quality=95)
    Image.fromarray(smooth((208, 240), 2)).save(source / "c.bmp")
    clear = Image.fromarray(smooth((208, 240, 3), 3))
    clear.putalpha(Image.fromarray(smooth((208, 240), 4)))
    clear.save(source / "d.png")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(source / "e-tiny.png")
    whole = (source / "a.png").read_bytes()
    (source / "f-cut.png").write_bytes(whole[: len(whole) // 2])
    (source / "g-text.png").write_text("no picture")
    Image.fromarray(np.zeros((200, 200), np.uint16)).save(source / "h-deep.png")
    frames = [Image.fromarray(smooth((160, 160), seed)) for seed in (5, 6)]
    frames[0].save(source / "i-moving.gif", save_all=True, append_images=frames[1:])
    turned = Image.fromarray(smooth((208, 240, 3), 7))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(source / "j-turned.jpg", quality=95, exif=exif)
    return source


def test_marking_and_scanning_a_folder(folder: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "out", []
    rows = mark_pictures([folder], out, MARK, KEY, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 10) for number in range(1, 11)]
    done = {row.path.name: row for row in rows if row.out is not None}
    assert sorted(done) == ["a.png", "b.jpg", "c.bmp", "d.png", "j-turned.jpg"]
    assert all(row.psnr >= MARK.psnr for row in done.values())
    reasons = {row.path.name: row.reason for row in rows if row.out is None}
    assert {name: reason.split(";")[0][:40] for name, reason in reasons.items()}.keys() == {
        "e-tiny.png", "f-cut.png", "g-text.png", "h-deep.png", "i-moving.gif",
    }  # fmt: skip
    assert "128 x 128" in reasons["e-tiny.png"]
    assert "damaged" in reasons["f-cut.png"]
    assert "no picture" in reasons["g-text.png"]
    assert "8 bits" in reasons["h-deep.png"]
    assert "frames" in reasons["i-moving.gif"]
    assert sorted(file.name for file in out.iterdir()) == ["a.png", "b.jpg", "c.png", "d.png", "j-turned.jpg"]
    assert opened(out / "j-turned.jpg").shape == (240, 208, 3)
    assert opened(out / "c.png").shape == (208, 240)
    assert np.array_equal(opened(out / "d.png")[..., 3], opened(folder / "d.png")[..., 3])

    other = MARK.random_key(np.random.default_rng(1), "other")
    scanned = scan_pictures([out], MARK, [other, KEY])
    assert [(row.path.name, row.key) for row in scanned[:2]] == [("a.png", "other"), ("a.png", "mine")]
    own = np.packbits(tile.own_payload(KEY, 64)).tobytes().hex()
    for row in scanned:
        assert row.finding is not None
        assert (row.finding.log10_p < -20) == (row.key == "mine")
        assert (row.payload == own) == (row.key == "mine")
    unmarked = scan_pictures([folder], MARK, [KEY])
    assert len(unmarked) == 10
    assert all(row.finding is None or row.finding.log10_p > -4 for row in unmarked)
    assert {row.path.name for row in unmarked if row.reason} == reasons.keys()


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    before = (folder / "a.png").read_bytes()
    rows = mark_pictures([folder / "a.png"], folder, MARK, KEY)
    assert "is there already" in rows[0].reason
    assert (folder / "a.png").read_bytes() == before
    twice = mark_pictures([folder / "a.png", folder / "d.png"], tmp_path / "out", MARK, KEY)
    again = mark_pictures([folder / "d.png"], tmp_path / "out", MARK, KEY)
    assert [row.reason for row in twice] == ["", ""]
    assert "is there already" in again[0].reason
    assert not [file for file in (tmp_path / "out").iterdir() if file.name.startswith(".")]


def test_bad_input_stops_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        mark_pictures([folder], tmp_path / "out", MARK, Key("two", (1, 2)))
    with pytest.raises(DataError, match="64 bits"):
        mark_pictures([folder], tmp_path / "out", MARK, KEY, np.ones(3, np.bool_))
    with pytest.raises(DataError, match="32 bits"):
        scan_pictures([folder], DwtDctSvd(), [Key("id", (5,))], np.ones(3, np.bool_))
    with pytest.raises(DataError, match="no key"):
        scan_pictures([folder], MARK, [])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="nothing to read"):
        scan_pictures([empty], MARK, [KEY])
    assert not (tmp_path / "out").exists()
