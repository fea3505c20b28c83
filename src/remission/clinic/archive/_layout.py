"""What is in an export: items, and the files it may hold, so that nothing unproven lies where a reader would take it for data."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.errors import DataError, VerificationError

TABLE = "data.parquet"
SHARD = "data/train-00000-of-00001.parquet"
BESIDE = ("proofs.jsonl", "verify.py", "croissant.json")
BAG = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")
#: Of the card: what `datasets.load_dataset` reads.
CONFIGS = (
    "configs:", "- config_name: default", "  data_files:", "  - split: train", "    path: data/train-*.parquet",
)  # fmt: skip
SIDECAR = ".c2pa"
_ITEM = re.compile(r"items/[0-9a-f]{64}\.(txt|bin)")
#: `.git` is a file in a second working tree; the rest is what `hf download --local-dir` keeps.
_BYSTANDER = re.compile(
    r"\.git|\.gitattributes|\.cache/huggingface/(\.gitignore|CACHEDIR\.TAG|download/.+\.(metadata|lock))"
)


@dataclass(frozen=True)
class Item:
    """An item on its way out.

    Attributes:
        id: of it; number: of its entry.
        content: its bytes; sha256: their hash.
        record: what is known of it now; line: what was known when it came in, as canonical JSON.
        certified: whether two reviewers called it human.
    """

    id: str
    number: int
    content: bytes
    sha256: str
    record: dict[str, Any]
    line: bytes
    certified: bool

    @property
    def text(self) -> str | None:
        """The content, when it is text."""
        try:
            return self.content.decode("utf-8") if self.record.get("modality", "text") == "text" else None
        except UnicodeDecodeError:
            return None


def data_of(folder: Path) -> Path:
    """The one file with the rows of an export: a table, or the list of a bag.

    Raises:
        DataError: no export. VerificationError: files that its layout does not have, or lacks, and whatever is no plain file.
    """
    held = _held(folder)
    if "bagit.txt" in held:
        data, whole = "data/items.jsonl", {*BAG, *(f"data/{name}" for name in ("items.jsonl", *BESIDE[:2]))}
    elif SHARD in held:
        data, whole = SHARD, {SHARD, "README.md", *BESIDE}
    else:
        data, whole = TABLE, {TABLE, *BESIDE}
    if data not in held:
        raise DataError(f"'{folder}' is no export: it holds no data of one.")
    more = held - whole
    if data.endswith(".jsonl"):
        more = {name for name in more if not is_item(name.removeprefix("data/").removesuffix(SIDECAR))}
    else:
        more -= {data + SIDECAR}
    if more:
        raise VerificationError(
            f"'{folder}' holds what no proof speaks of: '{min(more)}'{f' and {len(more) - 1} more' if len(more) > 1 else ''}. Take it "
            "out, or export again."
        )
    if whole - held:
        raise VerificationError(
            f"'{folder}' lacks '{min(whole - held)}', which every export of this kind has. Export again."
        )
    return folder / data


def is_item(name: str) -> bool:
    """Whether a file of a bag has the name of an item."""
    return _ITEM.fullmatch(name) is not None


def unlisted(folder: Path, listed: set[str]) -> None:
    """Raise VerificationError when a bag holds a file under data/items that its list does not name."""
    for path in sorted((folder / "items").iterdir()):
        name = f"items/{path.name}"
        if name.removesuffix(SIDECAR) not in listed and name not in listed:
            raise VerificationError(f"The file '{name}' of the bag is no item of its list.")


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _held(folder: Path) -> set[str]:
    """All files, but for what git and downloads from a hub leave at the top and no reader of data looks at.

    Raises:
        VerificationError: a link, a pipe, anything else that is no plain file.
    """
    found = set()
    for place, folders, files in os.walk(folder):
        inner = Path(place).relative_to(folder)
        for name in (*files, *folders):
            mode = (Path(place) / name).lstat().st_mode
            if stat.S_ISLNK(mode):
                raise VerificationError(
                    f"'{inner / name}' of '{folder}' is a link, and may lead to other data tomorrow. Copy the folder with what its links "
                    "lead to (cp -rL), then check the copy."
                )
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise VerificationError(f"'{inner / name}' of '{folder}' is no file. Take it out.")
        if inner == Path() and ".git" in folders:
            folders.remove(".git")
        found |= {(inner / name).as_posix() for name in files}
    return {name for name in found if _BYSTANDER.fullmatch(name) is None}
