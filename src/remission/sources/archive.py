"""A gold archive: data that people vouch for, checked down to the signature before anything is learned from it."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import DataError, VerificationError, need
from remission.gold import disk
from remission.gold.archive import Archive as Opened
from remission.gold.votes import population
from remission.interfaces import FiniteSource
from remission.sources import _tokenizer as subword
from remission.sources._png import MOST, read_png
from remission.sources._text import Level, Loaded, blocks, tokens

_PNG = b"\x89PNG\r\n\x1a\n"


class Archive(FiniteSource):
    r"""Texts or pictures of an archive that ``remission archive`` keeps, in the order they came in.

    The whole log is checked first (hashes, root, signatures), then every content that is used against the hash that was signed.
    Nothing is written. Erased items are left out. A run's provenance names the checkpoint: origin, size, root, time and key.
    Needs the extra ``archive``.

    Attributes:
        path: the folder of the archive; a relative one starts at the current folder.
        takes: ``text``: documents as blocks of tokens, each document ended by ``\n``; ``picture``: pictures of one size, in
            grey levels or colours 0 .. 1. What has another modality is left out.
        certified: only items that two reviewers called human (as of ``at``); false: all that are not erased.
        at: only what was in the log when it had this many entries, so that items stay what they are while the archive grows;
            none: now.
        origin: what the archive must be: the hash of its first entry (64 hexadecimal digits), as ``archive init`` printed it.
        again: use items again, in another order, when a run has used all; otherwise it stops and says so.
        length, vocabulary, level, tokenizer, lower: how text is cut (as for ``file``).
        colours: of pictures, ``rgb`` or ``grey`` (0.299 red + 0.587 green + 0.114 blue, as in ITU-R BT.601).

    Raises:
        DataError: no archive, nothing in it that may be used, text that is no UTF-8, pictures of different sizes.
        SpecError: a size that the log never had, fields that contradict each other.
        VerificationError: the archive, or an item, is not what was signed, or the origin is another.

    >>> Archive(path="gold", certified=False, at=61204).label
    'archive[path=gold,certified=False,at=61204]'
    """

    path: Annotated[str, Meta(min_length=1)]
    takes: Literal["text", "picture"] = "text"
    certified: bool = True
    at: Annotated[int, Meta(ge=1)] | None = None
    origin: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    again: bool = False
    length: Annotated[int, Meta(ge=1)] = 64
    vocabulary: Annotated[int, Meta(ge=2)] | None = None
    level: Level = "word"
    tokenizer: str | None = None
    lower: bool = False
    colours: Literal["rgb", "grey"] = "rgb"

    def check(self) -> None:
        """One way to cut the text."""
        subword.check("archive", self.level, "word", self.tokenizer, self.vocabulary)

    @property
    def space(self) -> Space:
        """Blocks of tokens (length,), or pictures (height x width x channels,). Reads the archive."""
        return self._taken().loaded.space

    def items(self) -> Array:
        """All blocks (N, length), or all pictures (N, height x width x channels)."""
        return self._taken().loaded.items

    def vouched(self) -> dict[str, Any]:
        """What was used and who signed it, for provenance: origin, at, items, certified, and the first checkpoint that covers it."""
        return self._taken().vouched

    def _taken(self) -> _Taken:
        folder = Path(self.path).expanduser()
        if not (folder / "log").is_dir():
            raise DataError(
                f"archive: '{self.path}' is no archive: it has no folder 'log'. Give one that `remission archive init` made; "
                f"the path is taken from {Path.cwd()}."
            )
        return _take(self, folder.resolve(), _stamp(folder))


@dataclass(frozen=True, eq=False)
class _Taken:
    loaded: Loaded
    vouched: dict[str, Any]


def _stamp(folder: Path) -> tuple[int, int]:
    """Changes with every batch: files of the log are only ever added."""
    about = (folder / "log").stat()
    return about.st_mtime_ns, len(list((folder / "log").iterdir()))


@functools.lru_cache(maxsize=2)  # large
def _take(source: Archive, folder: Path, stamp: tuple[int, int]) -> _Taken:
    need("archive", "Reading a gold archive", "cryptography", "zstandard", "rfc8785")
    with disk.explained(folder), disk.locked(folder / ".lock", alone=False):
        archive = Opened(folder)
        if source.origin and archive.origin != source.origin:
            raise VerificationError(
                f"archive: '{source.path}' is the archive {archive.origin[:16]}..., not {source.origin[:16]}... as [source] says."
            )
        at = archive.log.size if source.at is None else source.at
        chosen = _chosen(archive, at, source.certified, "text" if source.takes == "text" else "image")
        if not chosen:
            raise DataError(
                f"archive: none of the items of '{source.path}' that may be used is a {source.takes}. Try takes = "
                f"'{'picture' if source.takes == 'text' else 'text'}'."
            )
        loaded = _texts(source, archive, chosen) if source.takes == "text" else _pictures(source, archive, chosen)
    signed = archive.log.since(archive.log.batch_of(at - 1))
    assert signed is not None  # the log was checked
    facts = {"archive": archive.log.name, "origin": archive.origin, "at": at, "items": len(chosen)}
    facts |= {"certified": source.certified, "size": signed.size, "root": signed.root, "time": signed.time}
    return _Taken(loaded, facts | {"key": signed.key})


def _chosen(archive: Opened, at: int, certified: bool, modality: str) -> list[dict[str, Any]]:
    """The entries that brought the items of one modality that may be used, in order; later events may have changed it."""
    allowed = {item for item in population(archive, at, certified) if item not in archive.log.erased}
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for number, entry in archive.log.entries():
        if number >= at:
            break
        if entry["event"] == "ingest" and entry["item"] in allowed:
            found[entry["item"]] = archive.record_at(number, entry).get("modality", "text"), entry
        elif entry["event"] == "amend" and entry["item"] in found and "modality" in entry["changes"]:
            found[entry["item"]] = entry["changes"]["modality"], found[entry["item"]][1]
    return [entry for what, entry in found.values() if what == modality]


def _texts(source: Archive, archive: Opened, chosen: list[dict[str, Any]]) -> Loaded:
    documents = list(_documents(archive, chosen))
    what = f"archive '{source.path}'"
    if subword.subwords(source.level, source.tokenizer):
        how = (source.tokenizer, source.vocabulary, source.lower)
        return subword.subword_blocks(documents, source.length, *how, what)
    parts = [tokens(text, source.level, source.lower) for text in documents]
    return blocks(parts, source.length, source.vocabulary, source.level, what)


def _documents(archive: Opened, chosen: list[dict[str, Any]]) -> Iterator[str]:
    for entry in chosen:
        try:
            yield archive.content_at(entry).decode("utf-8")
        except UnicodeDecodeError:
            raise DataError(
                f"archive: '{entry['item']}' is said to be a text and is no UTF-8. Amend its modality (`remission archive amend`)."
            ) from None


def _pictures(source: Archive, archive: Opened, chosen: list[dict[str, Any]]) -> Loaded:
    pictures: list[Floats] = []
    for entry in chosen:
        item = entry["item"]
        picture = _picture(archive.content_at(entry), item, source.colours)
        if pictures and picture.shape != pictures[0].shape:
            raise DataError(
                f"archive: '{item}' has {picture.shape[1]} x {picture.shape[0]} pixels and '{chosen[0]['item']}' "
                f"{pictures[0].shape[1]} x {pictures[0].shape[0]}. All must be of one size; keep one size per archive."
            )
        pictures.append(picture)
    height, width, channels = pictures[0].shape
    items = np.stack(pictures).reshape(len(pictures), -1)
    items.flags.writeable = False
    return Loaded(Space("image", items.shape[1:], picture=(height, width), channels=channels), items)


def _picture(content: bytes, item: str, colours: str) -> Floats:
    """A picture (h, w, channels), 0 .. 1, what is transparent on white."""
    raw = read_png(content, f"'{item}'") if content.startswith(_PNG) else _by_pillow(content, item)
    pixels = raw.astype(np.float64) / 255.0
    alpha = pixels[..., 3:]
    colour = pixels[..., :3] * alpha + (1.0 - alpha)
    return colour if colours == "rgb" else colour @ np.array([[0.299], [0.587], [0.114]])


def _by_pillow(content: bytes, item: str) -> Array:
    need("hf", f"Reading '{item}'", "PIL")
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            if max(image.size) > MOST:  # before anything is unpacked
                raise DataError(f"'{item}' has {image.size[0]} x {image.size[1]} pixels; 1 to {MOST} a side are read.")
            return np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"archive: '{item}' is no picture that can be read ({type(error).__name__}).") from None
