"""Mark the pictures of files and folders, and look for marks in them. A picture that cannot be used is named, never dropped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from remission.clinic._picture_files import LOSSY, read_picture, write_picture
from remission.corpus._files import expand
from remission.errors import DataError
from remission.numerics.arrays import Array, Booleans
from remission.watermarking import Key, PictureFinding, PictureWatermark

Progress = Callable[[float, float], None]
_BLANK = np.zeros((256, 256, 3), np.uint8)  # payloads that do not fit are refused before any file is read


@dataclasses.dataclass(frozen=True)
class Marked:
    """What became of one picture that was to be marked.

    Attributes:
        path: the picture.
        out: the marked one; None when there is none.
        psnr: 10 log10(255^2 / mean squared change of a value), decibels, before it is compressed; NaN when there is none.
        reason: why it was not marked; empty when it was.
    """

    path: Path
    out: Path | None
    psnr: float
    reason: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Scanned:
    """What was read from one picture with one key.

    Attributes:
        path: the picture.
        key: name of the key; empty when the picture could not be read, which is one row for all keys.
        finding: payload, p-values and place; None when it could not be read.
        reason: why it could not be read; empty when it was.
    """

    path: Path
    key: str
    finding: PictureFinding | None
    reason: str = ""

    @property
    def payload(self) -> str:
        """The bits as read, as hexadecimal digits, the first bit the most significant; empty without."""
        if self.finding is None:
            return ""
        bits = self.finding.payload
        number = int("".join("1" if bit else "0" for bit in bits), 2)
        return f"{number:0{-(-bits.size // 4)}x}"


def mark_pictures(
    paths: Sequence[str | Path],
    out: Path | str,
    mark: PictureWatermark,
    key: Key,
    payload: Booleans | None = None,
    progress: Progress | None = None,
) -> list[Marked]:
    """Mark pictures and write them into a folder.

    Pictures stand upright in what is written, and keep transparency and colour profile; other metadata, content credentials
    among it, is not copied.

    Args:
        paths: files, folders or patterns.
        out: the folder; it may not be one of the pictures' own. ``a.jpg`` becomes a JPEG of quality 95, which is no picture
            with transparency, everything else a PNG. Files that are there already are not written over.
        mark: the watermark.
        key: the secret.
        payload: what to write; by default what follows from the key.
        progress: told (pictures done, all).

    Returns:
        A row for each picture, in order.

    Raises:
        DataError: nothing to read in ``paths``, or a payload that does not fit.
        SpecError: a key that does not fit the watermark.
        MissingExtra: without the package that reads pictures.
    """
    mark.check_key(key)
    if payload is not None:
        mark.embed(key, _BLANK, payload)
    files, _ = expand(paths, "picture")
    rows = []
    for place, path in enumerate(files):
        rows.append(_marked(path, Path(out), mark, key, payload))
        if progress is not None:
            progress(place + 1, len(files))
    return rows


def scan_pictures(
    paths: Sequence[str | Path],
    mark: PictureWatermark,
    keys: Sequence[Key],
    payload: Booleans | None = None,
    progress: Progress | None = None,
) -> list[Scanned]:
    """Look for a watermark in pictures with each of several keys.

    p-values are those of one picture and one key: who looks at many must correct for that. What is not found may
    still be marked, and says nothing about who or what made a picture.

    Args:
        paths: files, folders or patterns.
        mark: the watermark.
        keys: the secrets.
        payload: what to test for; by default what follows from each key.
        progress: told (pictures done, all).

    Returns:
        A row for each picture and key, in order; one row for a picture that cannot be read.

    Raises:
        DataError: nothing to read in ``paths``, no key, or a payload that does not fit.
        SpecError: a key that does not fit the watermark.
        MissingExtra: without the package that reads pictures.
    """
    if not keys:
        raise DataError("There is no key to look for.")
    for key in keys:
        mark.check_key(key)
    if payload is not None:
        mark.find(keys[0], _BLANK, payload)
    files, _ = expand(paths, "picture")
    rows: list[Scanned] = []
    for place, path in enumerate(files):
        try:
            pixels = read_picture(path).pixels
            rows += [Scanned(path, key.name, mark.find(key, pixels, payload)) for key in keys]
        except DataError as error:
            rows.append(Scanned(path, "", None, str(error)))
        if progress is not None:
            progress(place + 1, len(files))
    return rows


def _marked(path: Path, out: Path, mark: PictureWatermark, key: Key, payload: Booleans | None) -> Marked:
    target = out / (path.name if path.suffix.lower() in LOSSY else path.with_suffix(".png").name)
    try:
        if target.exists():
            raise DataError(f"'{target}' is there already")
        picture = read_picture(path)
        pixels = mark.embed(key, picture.pixels, payload)
        if picture.alpha is not None and target.suffix.lower() in LOSSY:
            raise DataError("it is transparent, which JPEG cannot be")
        write_picture(target, dataclasses.replace(picture, pixels=pixels))
    except DataError as error:
        return Marked(path, None, math.nan, str(error))
    return Marked(path, target, psnr(picture.pixels, pixels))


def psnr(before: Array, after: Array) -> float:
    """10 log10(255^2 / mean squared difference) of two pictures of bytes, decibels; infinite for equal ones.

    >>> round(psnr(np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)), 2)
    48.13
    """
    if before.ndim < after.ndim:
        before = before[..., None]
    squares = float(((after.astype(np.float64) - before) ** 2).mean())
    return 10 * math.log10(255.0**2 / squares) if squares else math.inf
