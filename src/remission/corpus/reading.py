"""Read documents from files and folders, with an account of every row."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission.corpus import _rows
from remission.corpus._files import search
from remission.corpus.accounting import Accounting
from remission.documents import Documents
from remission.errors import DataError, did_you_mean
from remission.numerics.arrays import Floats

KEPT = ("domain", "generator", "attack", "language", "date", "source", "split", "pair")
LONGEST_VALUE = 500  # characters of a column; more is no name of anything, and would make every row as wide
LONGEST_TEXT = 32_000_000  # characters of a document
PIXELS = 100_000_000  # of a picture
SURROGATE = re.compile("[\ud800-\udfff]")

Takes = Literal["text", "picture", "file", "tokens"]


@dataclass(frozen=True)
class Fields:
    """Which fields of a row hold what.

    Attributes:
        text: the document.
        id: its name; the file and line where there is none.
        label: ``human`` or ``ai`` (also 0 and 1, real, synthetic, machine, generated...); empty where unknown.
        unit: the sampling unit, such as a site, or the pair of an original and its paraphrases; None: every row is one.
        domain: what is called the domain.
        domain_is: the domain of every row, whatever it says itself.
        columns: more fields to keep, besides generator, attack, language, date, source, split and pair.
        where: keep only rows whose field has one of these values.
    """

    text: str = "text"
    id: str = "id"
    label: str = "label"
    unit: str | None = None
    domain: str = "domain"
    domain_is: str = ""
    columns: tuple[str, ...] = ()
    where: Mapping[str, Collection[str]] = field(default_factory=dict)


def read_documents(
    paths: Sequence[str | Path],
    fields: Fields | None = None,
    takes: Takes = "text",
    paragraphs: bool = False,
    limit: int | None = None,
) -> tuple[Documents, Accounting]:
    """Documents of files, folders and patterns: JSONL, JSON, CSV, TSV, WARC (plain, .gz, .zst), Parquet, Arrow, .txt, .md, pictures.

    Bad rows (broken JSON, a missing or empty text, undecodable bytes, half characters, unknown labels...) are counted
    and set aside with reason and line, never dropped and never a crash.

    Args:
        paths: files, folders (all below) or patterns such as ``data/*.jsonl.gz``.
        fields: which fields hold what.
        takes: ``text``; ``tokens`` reads lists of token numbers as arrays (n,); ``picture`` reads pictures as arrays of bytes
            (h, w, 3), ``file`` gives their paths.
        paragraphs: a .txt or .md file is one document for each paragraph instead of one.
        limit: only the first so many documents; rows after them are not looked at.

    Returns:
        The documents (``columns['label']`` is ``human``, ``synthetic`` or empty; ``synthetic`` is set when all labels
        are known) and the account.

    Raises:
        DataError: a path that does not exist, a field that no row has, or no usable document.
    """
    fields = fields or Fields()
    found = search(paths, "text" if takes == "tokens" else takes)
    account = Accounting(files=len(found.files), ignored=found.ignored)
    for name, reason in found.refused:
        account.set_aside(name, None, reason)
    reader = _Reader(fields, takes, account)
    for file in found.files:
        for line, row in _found(file, fields, takes, paragraphs):
            if limit is not None and account.kept >= limit:
                break
            reader.add(str(file), line, row)
    return reader.documents(), account


def labels_of(documents: Documents) -> Floats:
    """1 synthetic, 0 human, NaN unknown: (n,)."""
    if documents.synthetic is not None:
        return documents.synthetic.astype(float)
    label = documents.column("label")
    return np.where(label == "synthetic", 1.0, np.where(label == "human", 0.0, np.nan))


def _found(file: Path, fields: Fields, takes: Takes, paragraphs: bool) -> Iterator[_rows.Found]:
    if takes in ("text", "tokens"):
        yield from _rows.rows(file, fields.text, paragraphs)
    else:
        yield None, {fields.text: file} | _rows.by_folder(file)


class _Reader:
    """Checks rows one by one and gathers what is kept."""

    def __init__(self, fields: Fields, takes: Takes, account: Accounting) -> None:
        self.fields, self.takes, self.account = fields, takes, account
        self.names = dict.fromkeys([*KEPT, *fields.columns])
        self.seen: set[str] = set()  # fields of all rows
        self.items: list[Any] = []
        self.kept: dict[str, list[str]] = {}
        for name in ("id", "label", "unit", "domain", *self.names):
            self.kept[name] = []

    def add(self, file: str, line: int | None, row: dict[str, Any] | str) -> None:
        """Take a row, or count why not."""
        if isinstance(row, str):
            self.account.set_aside(file, line, row)
            return
        self.seen.update(row)
        if any(word_of(row.get(name)) not in values for name, values in self.fields.where.items()):
            self.account.dropped += 1
            return
        item, reason = self._item(row)
        values, trouble = self._values(row)
        if reason or trouble:
            self.account.set_aside(file, line, reason or trouble)
            return
        self.account.kept += 1
        self.items.append(item)
        values["id"] = values["id"] or f"{file}:{line or 1}"
        for name, listed in self.kept.items():
            listed.append(values[name])

    def _item(self, row: dict[str, Any]) -> tuple[Any, str]:
        name = self.fields.text
        item = row.get(name)
        if self.takes == "file":
            return str(item), ""
        if self.takes == "picture":
            return read_picture(item)
        if item is None:
            return None, f"no '{name}'"
        if self.takes == "tokens":
            return _tokens(item, name)
        if not isinstance(item, str):
            return None, f"'{name}' is no text"
        if not item.strip():
            return None, f"'{name}' is empty"
        if len(item) > LONGEST_TEXT:
            return None, f"'{name}' has more than {LONGEST_TEXT:,} characters"
        if not item.isascii() and SURROGATE.search(item):
            return None, f"'{name}' has half characters (lone surrogates)"
        return item, ""

    def _values(self, row: dict[str, Any]) -> tuple[dict[str, str], str]:
        fields = self.fields
        given = {name: row.get(name) for name in self.names}
        given |= {
            "id": row.get(fields.id),
            "label": row.get(fields.label),
            "domain": fields.domain_is or row.get(fields.domain),
        }
        given["unit"] = None if fields.unit is None else row.get(fields.unit)
        values = {name: word_of(value) for name, value in given.items()}
        long = next((name for name, value in values.items() if len(value) > LONGEST_VALUE), None)
        if long is not None:
            return values, f"'{long}' has more than {LONGEST_VALUE} characters"
        label = values["label"].lower()
        if label and label not in _rows.HUMAN | _rows.SYNTHETIC:
            return values, f"the label is neither human nor ai: '{label[:40]}'"
        values["label"] = "" if not label else "human" if label in _rows.HUMAN else "synthetic"
        if any(SURROGATE.search(value) for value in values.values() if not value.isascii()):
            return values, "a column has half characters (lone surrogates)"
        return values, ""

    def documents(self) -> Documents:
        """All that was kept. Raises DataError when nothing was, or when a field was never seen."""
        self._check()
        columns = {name: np.asarray(listed, dtype=np.str_) for name, listed in self.kept.items()}
        unit, label = columns.pop("unit"), columns["label"]
        columns = {name: column for name, column in columns.items() if name == "id" or (column != "").any()}
        units = None
        if self.fields.unit is not None:  # a row without a unit is one of its own
            alone = np.array([f"\0{place}" for place in range(len(unit))])
            units = np.unique(np.where(unit == "", alone, unit), return_inverse=True)[1].astype(np.int64)
        synthetic = label == "synthetic" if (label != "").all() else None
        return Documents(self.items, columns, synthetic, units)

    def _check(self) -> None:
        fields = self.fields
        wanted = {"unit": fields.unit, "text": fields.text if self.takes in ("text", "tokens") else None}
        wanted |= {name: name for name in (*fields.where, *fields.columns)}
        wanted |= {name: getattr(fields, name) for name in ("label", "domain") if getattr(fields, name) != name}
        for role, name in wanted.items():
            if name is not None and name not in self.seen and self.seen:
                option = f" Name it with --{role}." if role in ("text", "label", "unit", "domain") else ""
                raise DataError(f"No row has a field '{name}'. {did_you_mean(name, self.seen)}{option}")
        if not self.items:
            dropped = self.account.dropped
            filtered = f" {dropped} rows do not match {dict(fields.where)}." if dropped else ""
            raise DataError(f"No usable document was read. {self.account.first()}{filtered}".strip())


def _tokens(item: Any, name: str) -> tuple[Any, str]:
    """A list of token numbers; also as words of digits, which is how CSV and text files have them."""
    if isinstance(item, str):
        words = item.split()
        if not all(word.isdigit() for word in words):
            return None, f"'{name}' is no row of token numbers"
        item = [int(word) for word in words]
    if not isinstance(item, list) or not all(type(one) is int and 0 <= one < 2**31 for one in item):
        return None, f"'{name}' is no list of token numbers"
    return (np.array(item, np.int64), "") if item else (None, f"'{name}' is empty")


def word_of(value: Any) -> str:
    """A value of a column as a word; empty where there is none."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return value.strip() if isinstance(value, str) else str(value)


def read_picture(path: Any, pixels: int = PIXELS) -> tuple[Any, str]:
    """A picture as bytes (h, w, 3), transparent parts on white, and an empty reason; or None and why not."""
    from remission.errors import need

    need("hf", "Reading pictures", "PIL")
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image: Any = file
            if image.size[0] * image.size[1] > pixels:  # before anything is unpacked
                return None, f"more than {pixels / 1e6:g} million pixels"
            image.load()
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, (255, 255, 255, 255))
                image = Image.alpha_composite(white, image)
            return np.asarray(image.convert("RGB")), ""
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        return None, f"no picture that can be read: {type(error).__name__}"
