"""What is in an export: items, and the files it may hold, so that nothing unproven lies where a reader would take it for data."""

from __future__ import annotations

import os
import re
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
_OTHER_KEY = re.compile(r"(?!configs\b|data_files\b|data_dir\b)[a-z_]+:( .*)?|\s*- .*")


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
        DataError: no export. VerificationError: files that its layout does not have, or a card that points elsewhere.
    """
    held = _held(folder)
    if "bagit.txt" in held:
        data, allowed = "data/items.jsonl", {*BAG, *(f"data/{name}" for name in ("items.jsonl", *BESIDE[:2]))}
    elif SHARD in held:
        data, allowed = SHARD, {SHARD, "README.md", *BESIDE}
    else:
        data, allowed = TABLE, {TABLE, *BESIDE}
    if data not in held:
        raise DataError(f"'{folder}' is no export: it holds no data of one.")
    more = {name for name in held if name not in allowed}
    if data.endswith(".jsonl"):
        more = {name for name in more if not is_item(name.removeprefix("data/").removesuffix(SIDECAR))}
    else:
        more -= {data + SIDECAR}
    if more:
        raise VerificationError(
            f"'{folder}' holds what no proof speaks of: '{min(more)}'{f' and {len(more) - 1} more' if len(more) > 1 else ''}. Take it "
            "out, or export again."
        )
    if data == SHARD and "README.md" in held:
        _card(folder / "README.md")
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


def _held(folder: Path) -> set[str]:
    """All files, and links to folders, but for those that are hidden at the top, as of git, which readers of data pass over."""
    found = set()
    for place, folders, files in os.walk(folder):
        inner = Path(place).relative_to(folder)
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        if inner == Path():
            folders[:] = [name for name in folders if not name.startswith(".")]
            files = [name for name in files if not name.startswith(".")]
        found |= {(inner / name).as_posix() for name in (*files, *links)}
    return found


def _card(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    end = lines.index("---", 1) if lines[0] == "---" and "---" in lines[1:] else 0
    start = lines.index(CONFIGS[0]) if CONFIGS[0] in lines[:end] else end
    others = [*lines[1:start], *lines[start + len(CONFIGS) : end]]
    sound = tuple(lines[start : start + len(CONFIGS)]) == CONFIGS and all(map(_OTHER_KEY.fullmatch, others))
    if not sound:
        raise VerificationError(f"The card '{path.name}' does not name the data that the proofs are of.")
