"""Your own pictures: a folder of image files of one size."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Integers, Space
from remission.errors import DataError, SpecError, need
from remission.interfaces import FiniteSource
from remission.sources._classes import frozen
from remission.sources._png import MOST, read_png
from remission.sources._text import Loaded

_PNG = {".png"}
_OTHERS = {".jpg", ".jpeg", ".webp", ".bmp"}  # read by Pillow


class Pictures(FiniteSource):
    """The image files below a folder, in the order of their paths, in grey levels or colours 0 .. 1.

    PNG files are read as they are; JPEG, WebP and BMP need Pillow, which the extra ``hf`` brings. What is transparent is put on
    white. Files whose name begins with a point, and other kinds of files, are not looked at. The class of a picture is the
    folder it lies in, when there are at least two folders with pictures.

    Attributes:
        path: the folder.
        colours: ``rgb``, or ``grey`` (0.299 red + 0.587 green + 0.114 blue, as in ITU-R BT.601).
        captions: items are captioned: the picture, then the name of its folder as a caption of one token.
        limit: only the first so many.

    Raises:
        DataError: no such folder, no picture in it, a file that cannot be read, pictures of different sizes; captions
            without folders.
        SpecError: more captions than pictures can tell apart (every picture has a folder of its own).

    >>> Pictures(path="scans", colours="grey").label
    'pictures[path=scans,colours=grey]'
    """

    path: Annotated[str, Meta(min_length=1)]
    colours: Literal["rgb", "grey"] = "rgb"
    captions: bool = False
    limit: Annotated[int, Meta(ge=1)] | None = None

    @property
    def space(self) -> Space:
        """A picture, or a picture and the name of its folder. Reads the files."""
        return _load(self)[0].space

    def items(self) -> Array:
        """All pictures, (N, height x width x channels), with captions one more."""
        return _load(self)[0].items

    def item_classes(self) -> Integers | None:
        """The number of the folder of every picture, or None when all lie in one."""
        return _load(self)[1]


@functools.lru_cache(maxsize=2)  # large
def _load(source: Pictures) -> tuple[Loaded, Integers | None]:
    files = _files(source)
    pictures = [_read(file, source.colours) for file in files]
    shape = pictures[0].shape
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape != shape:
            raise DataError(
                f"pictures: '{file}' has {picture.shape[1]} x {picture.shape[0]} pixels and '{files[0]}' "
                f"{shape[1]} x {shape[0]}. All must be of one size: resize them, or keep one size per folder."
            )
    items = np.stack(pictures).reshape(len(pictures), -1)
    folders = sorted({file.parent for file in files})
    classes = frozen(np.array([folders.index(file.parent) for file in files])) if len(folders) > 1 else None
    names = tuple(folder.name for folder in folders)
    space = Space("image", items.shape[1:], picture=(shape[0], shape[1]), channels=shape[2])
    if source.captions:
        if classes is None:
            raise DataError(
                f"pictures: all pictures of '{source.path}' lie in one folder, so there is nothing to write as captions. "
                f"Put each class into a folder of its own, or leave captions out."
            )
        if len(folders) == len(files):
            raise SpecError("pictures: every picture lies in a folder of its own. Put those of one class together.")
        items = np.column_stack([items, classes])
        space = Space(
            "captioned", items.shape[1:], len(names), names, picture=(shape[0], shape[1]), channels=shape[2]
        )  # fmt: skip
    items.flags.writeable = False
    return Loaded(space, items), classes


def _files(source: Pictures) -> list[Path]:
    folder = Path(source.path).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"pictures: '{source.path}' {what}. Give a folder with image files.")
    known = _PNG | _OTHERS
    found = sorted(
        file for file in folder.rglob("*")
        if file.suffix.lower() in known and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )  # fmt: skip
    if not found:
        raise DataError(f"pictures: there is no image file in '{source.path}'. Looked for {', '.join(sorted(known))}.")
    return found[: source.limit]


def _read(file: Path, colours: str) -> Floats:
    """One picture (h, w, channels), 0 .. 1."""
    try:
        raw = read_png(file.read_bytes(), str(file)) if file.suffix.lower() in _PNG else _by_pillow(file)
    except OSError as error:
        raise DataError(f"pictures: '{file}' cannot be read ({error}). Replace or remove it.") from None
    pixels = raw.astype(np.float64) / 255.0
    alpha = pixels[..., 3:]
    colour = pixels[..., :3] * alpha + (1.0 - alpha)
    return colour if colours == "rgb" else colour @ np.array([[0.299], [0.587], [0.114]])


def _by_pillow(file: Path) -> Array:
    """Red, green, blue and alpha (h, w, 4), uint8."""
    need("hf", f"Reading '{file.name}'", "PIL")
    from PIL import Image

    with Image.open(file) as image:
        if max(image.size) > MOST:  # before anything is unpacked
            raise DataError(f"'{file}' has {image.size[0]} x {image.size[1]} pixels; 1 to {MOST} a side are read.")
        return np.asarray(image.convert("RGBA"))
