"""A folder of image files as a source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remission import DataError, Experiment, SpecError, run
from remission.report.images import png
from remission.sources.pictures import Pictures


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(pixels.astype(np.uint8)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures of 6 x 5 in two folders, each of one colour."""
    for number in range(10):
        level = np.array([20 * number, 255 - 20 * number, 7], np.uint8)
        name = "cats" if number % 2 else "dogs"
        write(tmp_path / "set" / name / f"{number}.png", np.broadcast_to(level, (6, 5, 3)))
    write(tmp_path / "set" / ".thumbs" / "0.png", np.zeros((2, 2, 3)))
    (tmp_path / "set" / "cats" / "readme.txt").write_text("no picture")
    return tmp_path / "set"


def test_pictures_are_read_in_the_order_of_their_paths(folder: Path) -> None:
    source = Pictures(path=str(folder))
    assert source.space.kind == "image"
    assert source.space.picture == (6, 5)
    assert source.space.channels == 3
    assert source.items().shape == (10, 90)
    expected = [20 * number / 255 for number in (1, 3, 5, 7, 9, 0, 2, 4, 6, 8)]
    assert np.allclose(source.items()[:, 0], expected)
    assert source.item_classes().tolist() == [0] * 5 + [1] * 5


def test_grey_levels_and_limit(folder: Path) -> None:
    source = Pictures(path=str(folder), colours="grey", limit=2)
    assert source.items().shape == (2, 30)
    assert np.allclose(source.items()[0], (0.299 * 20 + 0.587 * 235 + 0.114 * 7) / 255)
    assert source.item_classes() is None


def test_folders_are_captions(folder: Path) -> None:
    source = Pictures(path=str(folder), captions=True)
    assert source.space.kind == "captioned"
    assert source.space.names == ("cats", "dogs")
    assert source.items()[:, -1].tolist() == [0.0] * 5 + [1.0] * 5


def test_other_formats_are_read_by_pillow(folder: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((6, 5, 3), 128, np.uint8)).save(folder / "cats" / "a.bmp")
    items = Pictures(path=str(folder)).items()
    assert np.allclose(items[5], 128 / 255)


def test_the_loop_runs_on_them(folder: Path) -> None:
    text = f"""
[experiment]
generations = 2
replicates = 2
samples = 5
reference = 3
[source]
kind = "pictures"
path = "{folder}"
[model]
kind = "kde"
[regime]
kind = "replace"
[[metric]]
kind = "moments"
"""
    assert len(list(run(Experiment.from_toml(text)))) == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: write(path / "cats" / "big.png", np.zeros((7, 5, 3))), "big.png' has 5 x 7 pixels and .*5 x 6"),
        (lambda path: (path / "cats" / "1.png").write_bytes(b"no picture"), "1.png is no PNG"),
        (lambda path: (path / "cats" / "b.jpg").write_bytes(b"no picture"), "b.jpg' cannot be read"),
    ],
)
def test_bad_files_are_named(damage, message: str, folder: Path) -> None:
    if "jpg" in message:
        pytest.importorskip("PIL.Image")
    damage(folder)
    with pytest.raises(DataError, match=message):
        Pictures(path=str(folder)).items()


def test_bad_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        Pictures(path=str(tmp_path / "nowhere")).items()
    with pytest.raises(DataError, match="is a file"):
        Pictures(path=str(folder / "cats" / "1.png")).items()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image file"):
        Pictures(path=str(tmp_path / "empty")).items()
    with pytest.raises(DataError, match="lie in one folder"):
        Pictures(path=str(folder / "cats"), captions=True).items()
    for number in range(3):
        write(tmp_path / "lonely" / str(number) / "a.png", np.zeros((4, 4, 3)))
    with pytest.raises(SpecError, match="folder of its own"):
        Pictures(path=str(tmp_path / "lonely"), captions=True).items()
