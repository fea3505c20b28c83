"""Emoji: 3,530 small colour pictures with their English names (6 MB, the pictures packed by yourself)."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import DataError
from remission.interfaces import FiniteSource
from remission.sources._download import fetch, store
from remission.sources._png import read_png
from remission.sources._text import END, Loaded, blocks, words

_SIDE = 32
_MOST = 65_536  # bytes of one picture; the largest has 2,975
_PUNCTUATION = set(":,()!.\u201c\u201d\u2019")
_ZIP = "noto_png32.zip"


class Emoji(FiniteSource):
    r"""Noto's emoji on white with the short names of Unicode's CLDR: a small world of pictures and words.

    Items are captioned: a picture in red, green and blue, 0 .. 1, then a caption of ``length`` words out of the names
    ("grinning face", "woman health worker"), in lower case, without punctuation, cut to that length or filled up with the
    token ``\n``. Most words are rare: of 1,440 types 1,000 occur once. Flags of countries are not among the pictures.
    Licences: pictures Apache-2.0 (Google), names Unicode-3.0.

    Attributes:
        pixels: side of a picture; below 32 it is averaged over squares of 2 x 2 or 4 x 4.
        length: words per caption.
        vocabulary: keep that many words, ``\n`` and ``<unk>`` included, the most frequent; none: all.
        tones: with the 1,880 variants by skin tone; else 1,650 pictures are left.

    Raises:
        DataError: the files are not here and cannot be fetched, or a copy is not the published one. No address serves
            the pictures as one file; the message says how to pack them.

    >>> Emoji(pixels=8, vocabulary=300).label
    'emoji[pixels=8,vocabulary=300]'
    """

    pixels: Literal[32, 16, 8] = 32
    length: Annotated[int, Meta(ge=1, le=32)] = 6
    vocabulary: Annotated[int, Meta(ge=2)] | None = None
    tones: bool = False

    @property
    def space(self) -> Space:
        """A colour picture and a caption. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All pictures with their captions, (N, 3 pixels^2 + length)."""
        return _load(self).items


@functools.lru_cache(maxsize=2)  # large
def _load(source: Emoji) -> Loaded:
    captions = _captions()
    kept = {key: name for key, name in captions.items() if source.tones or "skin tone" not in name}
    spelled = [_cut(name, source.length) for name in kept.values()]
    text = blocks(spelled, source.length, source.vocabulary, "word", "emoji", end=False)
    pictures = _pictures()
    step = _SIDE // source.pixels
    shape = (len(kept), source.pixels, step, source.pixels, step, 3)
    shrunk = np.stack([pictures[key] for key in kept]).reshape(shape).mean(axis=(2, 4))
    items = np.concatenate([shrunk.reshape(len(kept), -1), text.items], axis=1)
    items.flags.writeable = False
    picture = (source.pixels, source.pixels)
    space = Space("captioned", items.shape[1:], text.space.size, text.space.names, picture=picture, channels=3)
    return Loaded(space, items)


def _cut(name: str, length: int) -> list[str]:
    """The words of a name, as many as there is room for."""
    kept = [word for word in words(name.lower()) if word not in _PUNCTUATION]
    return (kept + [END] * length)[:length]


@functools.lru_cache(maxsize=1)
def _captions() -> dict[str, str]:
    """Name of every picture that has one, by its characters, in the order of the pictures."""
    names: dict[str, str] = {}
    for file, table in (("annotations.json", "annotations"), ("annotationsDerived.json", "annotationsDerived")):
        entries = json.loads(fetch("emoji", file))[table]["annotations"]
        names |= {_plain(key): entry["tts"][0] for key, entry in entries.items() if entry.get("tts")}
    return {key: names[key] for key in _pictures() if key in names}


@functools.lru_cache(maxsize=1)
def _pictures() -> dict[str, Floats]:
    """Every picture (32, 32, 3) on white, by the characters that its file is named after."""
    found: dict[str, Floats] = {}
    with zipfile.ZipFile(io.BytesIO(fetch("emoji", _ZIP))) as archive:
        for entry in archive.infolist():
            if entry.file_size > _MOST:
                raise DataError(f"{entry.filename} in {_ZIP} has {entry.file_size} bytes; at most {_MOST} are read.")
            pixels = read_png(archive.read(entry), entry.filename, _SIDE).astype(np.float64) / 255.0
            if pixels.shape[:2] != (_SIDE, _SIDE):
                raise DataError(f"{entry.filename} in {_ZIP} has {pixels.shape[:2]} pixels, not {_SIDE} x {_SIDE}.")
            colour, alpha = pixels[..., :3], pixels[..., 3:]
            found[_characters(entry.filename)] = colour * alpha + (1.0 - alpha)
    return found


def _characters(file: str) -> str:
    """The characters of ``emoji_u1f468_200d_2695.png``."""
    codes = Path(file).stem.removeprefix("emoji_u").split("_")
    return _plain("".join(chr(int(code, 16)) for code in codes))


def _plain(text: str) -> str:
    """Without the selector that asks for the colourful form: names and files use it differently."""
    return text.replace("\ufe0f", "")


def pack(folder: str | Path) -> Path:
    """Pack the folder ``png/32`` of a checkout of noto-emoji into the cache, byte for byte as it is pinned.

    Raises:
        DataError: the folder is not that of the pinned commit, or the cache cannot be written.
    """
    files = sorted(Path(folder).glob("emoji_u*.png"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"png/32/{file.name}")
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return store("emoji", _ZIP, packed.getvalue(), f"{folder} ({len(files)} pictures)")
