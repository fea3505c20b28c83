"""Which files a path, a folder or a pattern stands for, and their bytes with a limit on what unpacks."""

from __future__ import annotations

import glob
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from remission.corpus._results import Results, no_corpus
from remission.errors import DataError, did_you_mean

TABLES = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".warc", ".wet"}
TEXTS = {".txt", ".md"}
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}
PACKED = {".gz", ".zst"}
RATIO, FREE = 200, 64 << 20  # a file may unpack to 200 times its size, or to 64 MiB whatever its size
PIECE = 1 << 20


class OverflowingError(ValueError):
    """A packed file unpacks to more than it may."""


def suffix(path: Path) -> str:
    """The kind of a file: its suffix in lower case without a packing suffix."""
    name = path.name.lower()
    for packing in PACKED:
        name = name.removesuffix(packing)
    return Path(name).suffix


def expand(
    paths: Sequence[str | Path], takes: Literal["text", "picture", "file"], results: Results | None = None
) -> tuple[list[Path], list[str]]:
    """The files to read, in the order of the paths and by name within a folder; and those of folders left out.

    In a folder that holds tables, .txt and .md files are notes about them (README.md), not documents. Of a Hugging Face data
    set saved to disk, the files that its ``state.json`` names are read; other .arrow files of a folder are not. With ``results``,
    the folders that it knows are left out, each one entry.
    """
    known = TABLES | TEXTS if takes == "text" else PICTURES
    found: list[Path] = []
    ignored: list[str] = []
    no_corpora: list[Path] = []
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file, path)]
            left = [] if results is None else results.under(path, inside)
            if results is not None and path in left:
                no_corpora.append(path)
                ignored += [] if results.is_output(path) else [str(path)]
                continue
            ignored += [str(folder) for folder in left]
            inside = [file for file in inside if set(left).isdisjoint(file.parents)]
            chosen = [file for file in _saved(inside) if suffix(file) in known]
            if any(suffix(file) in TABLES for file in chosen):
                chosen = [file for file in chosen if suffix(file) in TABLES]
            ignored += [str(file) for file in inside if file not in set(chosen)]
            found += chosen
            if not chosen:
                raise DataError(f"There is nothing to read in '{given}'. Looked for {', '.join(sorted(known))}.")
        elif path.is_file():
            found.append(_known(path, known, takes))
        else:
            matching = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
            if not matching:
                beside = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
                hint = f" {did_you_mean(path.name, beside)}" if 0 < len(beside) <= 20 else ""
                raise DataError(f"'{given}' does not exist, and no file matches it as a pattern.{hint}")
            left = [] if results is None else results.among(path, matching)
            ignored += [str(folder) for folder in left if results is not None and not results.is_output(folder)]
            matching = [file for file in matching if set(left).isdisjoint(file.parents)]
            found += [_known(file, known, takes) for file in matching if file.is_file()]
    if no_corpora and not found:
        raise no_corpus(no_corpora[0])
    return list(dict.fromkeys(found)), ignored


def _saved(inside: list[Path]) -> list[Path]:
    """Files without those of saved data sets that hold no documents: their descriptions, and what caches left."""
    told = {file for file in inside if file.name in ("state.json", "dataset_info.json", "dataset_dict.json")}
    arrows = {file.parent for file in inside if suffix(file) == ".arrow"}
    named: set[Path] = set()
    for state in (file for file in told if file.name == "state.json" and file.parent in arrows):
        try:
            content = json.loads(state.read_bytes()[:PIECE])
            named |= {state.parent / Path(str(row["filename"])).name for row in content["_data_files"]}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
    above = {folder.parent for folder in arrows} | arrows
    return [
        file
        for file in inside
        if (file in named if suffix(file) == ".arrow" else not (file in told and file.parent in above))
    ]


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _known(path: Path, known: set[str], takes: str) -> Path:
    if suffix(path) in known:
        return path
    what = "documents" if takes == "text" else "pictures"
    raise DataError(
        f"'{path}' is no kind of file that {what} are read from. Those are {', '.join(sorted(known))}"
        f"{', also packed as .gz or .zst' if takes == 'text' else ''}."
    )


class _Limited(io.RawIOBase):
    """What a packed file unpacks to, until it is more than it may be."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._left = stream, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read1(min(len(buffer), PIECE))  # what there is, before the trouble
        self._left -= len(piece)
        if self._left < 0:
            raise OverflowingError(f"unpacks to more than {RATIO} times its size")
        buffer[: len(piece)] = piece
        return len(piece)


def opened(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked. Reading raises OSError, EOFError or ValueError when they cannot be had."""
    packing = path.suffix.lower()
    if packing not in PACKED:
        return path.open("rb")
    most = max(FREE, RATIO * path.stat().st_size)
    if packing == ".gz":
        return io.BufferedReader(_Limited(gzip.open(path, "rb"), most), PIECE)
    import pyarrow as pa

    return io.BufferedReader(_Limited(pa.input_stream(str(path), compression="zstd"), most), PIECE)


def lines(path: Path, longest: int) -> Iterator[bytes | None]:
    """The lines of a file as bytes; None for one longer than ``longest`` bytes, which is not held in memory."""
    with opened(path) as file:
        while line := file.readline(longest + 1):
            if len(line) <= longest or line.endswith(b"\n"):
                yield line
                continue
            while line and not line.endswith(b"\n"):
                line = file.readline(longest)
            yield None


TROUBLE = (OSError, EOFError, ValueError, zlib.error)  # what reading a broken file raises


def said(error: BaseException) -> str:
    """An error as the end of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".").splitlines()[0][:200] if str(error) else type(error).__name__
