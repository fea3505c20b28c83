"""Which files a path, a folder or a pattern stands for, and their bytes with a limit on what unpacks."""

from __future__ import annotations

import glob
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
NOT_UTF8, LEADS_OUT, BROKEN_LINK = (
    "a name that is not UTF-8",
    "a link that leads out of the folder",
    "a link to nothing",
)


class OverflowingError(ValueError):
    """A packed file unpacks to more than it may."""


def suffix(path: Path) -> str:
    """The kind of a file: its suffix in lower case without a packing suffix."""
    name = path.name.lower()
    for packing in PACKED:
        name = name.removesuffix(packing)
    return Path(name).suffix


@dataclass
class Searched:
    """What paths, folders and patterns stand for.

    Attributes:
        files: those to read, in the order of the paths and by name within a folder.
        ignored: what lies in folders and is no document.
        refused: what cannot be read, with the reason.
    """

    files: list[Path] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def add(self, files: Iterable[Path]) -> None:
        """Take files to read. Names that no JSON and no Parquet file could hold are refused."""
        for file in files:
            if is_utf8(file):
                self.files.append(file)
            else:
                self.refused.append((shown(file), NOT_UTF8))

    def left_out(self) -> str:
        """The first of what cannot be read, for a message; empty where there is none."""
        return "" if not self.refused else f" Not read: '{self.refused[0][0]}' ({self.refused[0][1]})."


def expand(
    paths: Sequence[str | Path], takes: Literal["text", "picture", "file"], results: Results | None = None
) -> tuple[list[Path], list[str]]:
    """The files to read, and what is left out, for readers that take what :func:`search` refuses for no document.

    Raises DataError for what does not exist, for kinds that are not read, and for names that are not UTF-8.
    """
    found = search(paths, takes, results)
    for name, reason in found.refused:
        if reason == NOT_UTF8:
            raise DataError(f"'{name}' has {NOT_UTF8}. Rename it.")
    return found.files, [*found.ignored, *(name for name, _ in found.refused)]


def search(
    paths: Sequence[str | Path], takes: Literal["text", "picture", "file"], results: Results | None = None
) -> Searched:
    """The files to read, in the order of the paths and by name within a folder; and those of folders left out.

    In a folder that holds tables, .txt and .md files are notes about them (README.md), not documents. Of a Hugging Face data
    set saved to disk, the files that its ``state.json`` names are read; other .arrow files of a folder are not. With ``results``,
    the folders that it knows are left out, each one entry. Folders that are links are not entered: those that lead out of the
    folder are refused, for others their files are found where they lie.
    """
    known = TABLES | TEXTS if takes == "text" else PICTURES
    found = Searched()
    no_corpora: list[Path] = []
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            if not _search_folder(path, known, results, found):
                no_corpora.append(path)
        elif path.is_file():
            found.add([_known(path, known, takes)])
        else:
            matching = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
            if not matching:
                beside = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
                hint = f" {did_you_mean(path.name, beside)}" if 0 < len(beside) <= 20 else ""
                raise DataError(f"'{shown(path)}' does not exist, and no file matches it as a pattern.{hint}")
            left = [] if results is None else results.among(path, matching)
            found.ignored += [shown(folder) for folder in left if results is not None and not results.is_output(folder)]
            matching = [file for file in matching if set(left).isdisjoint(file.parents)]
            found.refused += [(shown(file), BROKEN_LINK) for file in matching if not file.exists()]
            found.ignored += [shown(file) for file in matching if file.exists() and not file.is_file() | file.is_dir()]
            found.add(_known(file, known, takes) for file in matching if file.is_file())
    if no_corpora and not found.files:
        raise no_corpus(no_corpora[0])
    found.files = list(dict.fromkeys(found.files))
    return found


def _search_folder(folder: Path, known: set[str], results: Results | None, found: Searched) -> bool:
    """Add what lies in a folder; False where all of it was made of a corpus."""
    inside, others, refused = _inside(folder)
    left = [] if results is None else results.under(folder, inside)
    if results is not None and folder in left:
        found.ignored += [] if results.is_output(folder) else [shown(folder)]
        return False
    found.ignored += [shown(one) for one in left]
    inside, others = ([one for one in some if set(left).isdisjoint(one.parents)] for some in (inside, others))
    chosen = [file for file in _saved(inside) if suffix(file) in known]
    if any(suffix(file) in TABLES for file in chosen):
        chosen = [file for file in chosen if suffix(file) in TABLES]
    taken = set(chosen)
    found.ignored += [shown(file) for file in inside if file not in taken] + [shown(one) for one in others]
    found.refused += [(shown(one), reason) for one, reason in refused if set(left).isdisjoint(one.parents)]
    found.add(chosen)
    if not chosen:
        raise DataError(
            f"There is nothing to read in '{shown(folder)}'. Looked for {', '.join(sorted(known))}.{found.left_out()}"
        )
    return True


def _inside(folder: Path) -> tuple[list[Path], list[Path], list[tuple[Path, str]]]:
    """What lies in a folder and is not hidden, sorted: files, what is neither file nor folder, and what is refused.

    Links to folders within are of the second kind; those that lead out or to nothing are refused. Raises DataError for a
    folder that cannot be read.
    """
    files: list[Path] = []
    others: list[Path] = []
    refused: list[tuple[Path, str]] = []
    real = folder.resolve()
    for above, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for one in (Path(above, name) for name in folders):
            if one.is_symlink():
                inner = one.resolve().is_relative_to(real)
                others += [one] if inner else []
                refused += [] if inner else [(one, LEADS_OUT)]
        for one in (Path(above, name) for name in names if not name.startswith(".")):
            if one.is_file():
                files.append(one)
            elif one.is_symlink() and not one.exists():
                refused.append((one, BROKEN_LINK))
            else:
                others.append(one)
    return sorted(files), sorted(others), sorted(refused)


def _unreadable(error: OSError) -> None:
    raise DataError(
        f"The folder '{shown(Path(os.fsdecode(error.filename)))}' cannot be read: {said(error)}. It is not left out on its own."
    ) from None


def is_utf8(path: str | Path) -> bool:
    """Whether a name can be written as text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str | Path) -> str:
    r"""A name as text, bytes that are not UTF-8 as ``\xff``."""
    return os.fsencode(path).decode(errors="backslashreplace")


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


def _known(path: Path, known: set[str], takes: str) -> Path:
    if suffix(path) in known:
        return path
    what = "documents" if takes == "text" else "pictures"
    raise DataError(
        f"'{shown(path)}' is no kind of file that {what} are read from. Those are {', '.join(sorted(known))}"
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
