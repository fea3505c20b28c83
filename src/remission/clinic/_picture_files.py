"""Pictures as files: read for marking with what must not be lost, and written whole."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from remission.aside import written
from remission.errors import DataError, need
from remission.numerics.arrays import Array

MOST = 100_000_000  # pixels
LOSSY = {".jpg": ("JPEG", {"quality": 95, "subsampling": 0}), ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0})}
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, eq=False)
class PictureFile:
    """What a picture file holds, upright.

    Attributes:
        pixels: (h, w) or (h, w, 3) bytes.
        alpha: (h, w) bytes, where the picture is transparent.
        profile: of its colours (ICC).
    """

    pixels: Array
    alpha: Array | None = None
    profile: bytes = field(default=b"", repr=False)


def read_picture(path: Path) -> PictureFile:
    """A picture as its viewers show it. Raises DataError, saying why, for a file that is none or cannot be marked."""
    need("hf", "Reading pictures", "PIL")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            if file.size[0] * file.size[1] > MOST:  # before anything is unpacked
                raise DataError(f"it has more than {MOST:,} pixels")
            if getattr(file, "n_frames", 1) > 1:
                raise DataError("it has several frames")
            if file.mode in _DEEP:
                raise DataError(f"it has more than 8 bits a channel (mode {file.mode})")
            profile = file.info.get("icc_profile") or b""
            image: Any = ImageOps.exif_transpose(file)
            alpha = None
            if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
                image = image.convert("RGBA")
                alpha = np.asarray(image.getchannel("A"))
            if file.mode == "CMYK":
                profile = b""  # of inks; it does not fit what is written
            return PictureFile(np.asarray(image.convert("L" if image.mode in ("L", "1") else "RGB")), alpha, profile)
    except OSError as error:
        if isinstance(error, UnidentifiedImageError) or not error.strerror:
            raise DataError("it is damaged, or no picture that can be read") from None
        raise DataError(f"it cannot be read: {error.strerror.lower()}") from None
    except (ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        raise DataError("it is damaged, or no picture that can be read") from None


def write_picture(path: Path, picture: PictureFile) -> None:
    """Write a picture aside and rename it: JPEG of quality 95 for .jpg and .jpeg, else PNG. Raises DataError."""
    from PIL import Image

    kind, options = LOSSY.get(path.suffix.lower(), ("PNG", {}))
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None and kind == "PNG":
        image = image.convert("RGB")
        image.putalpha(Image.fromarray(picture.alpha))
    buffer = io.BytesIO()
    image.save(buffer, kind, icc_profile=picture.profile or None, **options)
    try:
        with written(path, sync=False) as beside:  # thousands of pictures are written at once
            beside.write_bytes(buffer.getvalue())
    except OSError as error:
        raise DataError(f"'{path}' cannot be written: {error.strerror or error}.") from None
