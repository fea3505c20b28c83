"""What reviewers get to see: texts in the lines of a queue, pictures as files beside it under names that say nothing."""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from remission.corpus._files import PICTURES, expand
from remission.corpus.reading import Fields, read_documents
from remission.errors import DataError
from remission.gold import disk
from remission.gold.archive import LARGEST

_TRUTH = {"human": "human", "synthetic": "machine"}
_SUFFIX = {"PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "WebP": ".webp", "JPEG": ".jpg"}


def planted(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Documents and pictures of known truth, as tasks. Raises DataError for those without a label, or planted twice.

    ``document`` tells them apart, whichever queue they are in: the hash of a picture, or of a text whatever its blanks.
    """
    pictures = [path for path in paths if _is_of_pictures(Path(path).expanduser())]
    found: list[dict[str, Any]] = []
    for some, takes in ((pictures, "file"), ([path for path in paths if path not in pictures], "text")):
        if not some:
            continue
        documents, account = read_documents(some, Fields(), "file" if takes == "file" else "text")
        if account.quarantined:
            raise DataError(f"Of the planted documents {account.first()}")
        labels = documents.column("label")
        if not all(label in _TRUTH for label in labels):
            raise DataError(
                "Everything planted needs a label, human or ai: it is there because its truth is known. Pictures have the name of "
                "the folder they lie in: human or ai."
            )
        truths = [_TRUTH[str(label)] for label in labels]
        found += [
            {"truth": truth, takes: item, "document": _document(item, takes)}
            for truth, item in zip(truths, documents.items, strict=True)
        ]
    often = Counter(one["document"] for one in found)
    twice = next((one for one in found if often[one["document"]] > 1), None)
    if twice is not None:
        what = f"'{str(twice.get('file', twice.get('text')))[:60]}'"
        raise DataError(
            f"{what} is planted {often[twice['document']]} times. Reviewers would know it; plant every document once."
        )
    return found


def _document(item: Any, takes: str) -> str:
    if takes == "file":
        return hashlib.sha256(_file(item)).hexdigest()
    return hashlib.sha256(
        " ".join(unicodedata.normalize("NFC", str(item)).split()).encode("utf-8", "replace")
    ).hexdigest()


def _is_of_pictures(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() in PICTURES
    try:
        return bool(expand([path], "file")[0]) and not _holds_texts(path)
    except DataError:
        return False


def _holds_texts(path: Path) -> bool:
    try:
        return bool(expand([path], "text")[0])
    except DataError:
        return False


def show(
    listed: Sequence[dict[str, Any]], folder: Path, named: str, content_of: Callable[[str], bytes], modality_of: Callable[[str], str]
) -> list[dict[str, Any]]:  # fmt: skip
    """The lines of a queue; pictures are written into ``folder``, which is made when there are any.

    Args:
        listed: tasks in the order they are shown: ``task``, and ``item``, ``text`` or ``file``.
        folder: where pictures go to.
        named: what lines call that folder.
        content_of: what gives the bytes of an item.
        modality_of: what gives its modality.

    Raises:
        DataError: an item that is neither text nor picture; planted ones of a kind that no item is of, or the other way round.
    """
    lines: list[dict[str, Any]] = []
    for one in listed:
        picture = "file" in one or ("item" in one and modality_of(one["item"]) == "image")
        if picture:
            content = content_of(one["item"]) if "item" in one else _file(one["file"])
            facts, suffix = _measured(content, Path(one.get("item", one.get("file", ""))).suffix.lower())
            folder.mkdir(exist_ok=True)
            (folder / (one["task"] + suffix)).write_bytes(content)
            lines.append({"task": one["task"], "file": f"{named}/{one['task']}{suffix}"} | facts)
        else:
            lines.append({"task": one["task"], "text": _text(one, content_of)})
    _alike(listed, lines)
    return lines


def _alike(listed: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> None:
    """A planted item that no other is like would be known at once."""
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for one, line in zip(listed, lines, strict=True):
        kinds["truth" in one].add("pictures" if "file" in line else "texts")
    if kinds[True] and kinds[True] != kinds[False]:
        raise DataError(
            f"The queue holds {' and '.join(sorted(kinds[False]))}, and planted are {' and '.join(sorted(kinds[True]))}: reviewers "
            "would know them. Plant the same kind, or choose items of one kind (--modality)."
        )


def _text(one: dict[str, Any], content_of: Callable[[str], bytes]) -> str:
    if "item" not in one:
        return str(one["text"])
    try:
        return content_of(one["item"]).decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"'{one['item']}' is neither a text nor called a picture. Choose by --modality, or amend its modality."
        ) from None


def _file(path: str) -> bytes:
    try:
        return disk.read(Path(path), most=LARGEST)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None


def _measured(content: bytes, suffix: str) -> tuple[dict[str, Any], str]:
    """Format and size of a picture as its header says, and a suffix; only the size in bytes where the header is of another kind."""
    facts: dict[str, Any] = {"bytes": len(content)}
    try:
        found = _header(content)
    except (struct.error, IndexError):
        found = None
    if found is None:
        return facts, suffix if suffix in PICTURES else ".bin"
    kind, width, height = found
    return facts | {"format": kind, "width": width, "height": height}, _SUFFIX[kind]


def _header(content: bytes) -> tuple[str, int, int] | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", *struct.unpack_from(">II", content, 16)
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF", *struct.unpack_from("<HH", content, 6)
    if content.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", content, 18)
        return "BMP", width, abs(height)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    return _jpeg(content) if content.startswith(b"\xff\xd8") else None


def _webp(content: bytes) -> tuple[str, int, int] | None:
    """RFC 9649, sections 2.5 to 2.7: lossy, lossless, extended."""
    if content[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return "WebP", width & 0x3FFF, height & 0x3FFF
    if content[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return "WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if content[12:16] == b"VP8X":
        return "WebP", 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    return None


def _jpeg(content: bytes) -> tuple[str, int, int] | None:
    """ITU-T T.81, annex B: segments up to the first start of a frame."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return "JPEG", width, height
        at += 2 + length
    return None
