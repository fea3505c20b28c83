"""Your own data: .npy, .npz, .csv, .tsv, .parquet, .txt or .md."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import DataError, SpecError, did_you_mean
from remission.interfaces import FiniteSource
from remission.sources import _files
from remission.sources import _tokenizer as subword
from remission.sources._text import Level, Loaded, blocks, tokens

_ARRAYS, _TABLES, _TEXTS = (".npy", ".npz"), (".csv", ".tsv", ".parquet"), (".txt", ".md")


class File(FiniteSource):
    r"""Real items from one file; what an item is follows from the file and the fields.

    ================== ================================================================================================
    file               items
    ================== ================================================================================================
    .npy, .npz         (N, d) numbers: vectors; (N,) integers: symbols; (N,) other numbers: vectors (1,); (N, h, w):
                       pictures, bytes scaled to 0 .. 1. Never pickles.
    .csv .tsv .parquet rows of the numeric columns: vectors; with ``classes`` labelled rows; with ``response`` a
                       regression; with ``symbol`` one column of names: symbols; with ``text`` one column of
                       documents: blocks of tokens
    .txt .md           UTF-8 text: blocks of tokens; paragraphs are documents and end with the token ``\n``
    ================== ================================================================================================

    Nothing is repaired, scaled or dropped in silence.

    Attributes:
        path: of the file; a relative one starts at the current folder.
        array: which array of an .npz.
        tokens: integers (N, length) of an array are token numbers, not vectors.
        columns: the columns of a table to use, in this order; empty: all others than ``classes`` and ``response``.
        classes: the column (or array of an .npz) that holds the class of each row; names and numbers both do.
        response: the column (or array) of a regression's response.
        symbol, text: see above.
        length, vocabulary, level, tokenizer, lower: how text is cut (as for ``prose``); a BPE and a tokenizer take a .txt
            or .md as it is, to the byte, and end documents of a table with ``\n``.
        constant: whether a column that never changes is refused or kept. Pictures keep theirs.

    Raises:
        SpecError: an unknown suffix, fields that contradict each other.
        DataError: no such file, empty, not UTF-8 (with the byte), NaN, infinite or missing cells (with row and column).

    >>> File(path="table.csv", classes="species").label
    'file[path=table.csv,classes=species]'
    """

    path: str
    array: str = ""
    tokens: bool = False
    columns: tuple[str, ...] = ()
    classes: str = ""
    response: str = ""
    symbol: str = ""
    text: str = ""
    length: Annotated[int, Meta(ge=1)] = 64
    vocabulary: Annotated[int, Meta(ge=2)] | None = None
    level: Level = "word"
    tokenizer: str | None = None
    lower: bool = False
    constant: Literal["refuse", "keep"] = "refuse"

    def check(self) -> None:
        """A known suffix, and one meaning."""
        suffix = Path(self.path).suffix.lower()
        if suffix not in _ARRAYS + _TABLES + _TEXTS:
            raise SpecError(
                f"file: unknown suffix '{suffix}' of {self.path}. {did_you_mean(suffix, _ARRAYS + _TABLES + _TEXTS)}"
            )
        given = [key for key in ("classes", "response", "symbol", "text") if getattr(self, key)]
        if len(given) > 1:
            raise SpecError(f"file: {' and '.join(given)} exclude each other. Keep one.")
        meant = {
            ".npz": {"array", "tokens", "classes", "response"},
            ".npy": {"tokens"},
            **{key: {"columns", "classes", "response", "symbol", "text", "tokenizer"} for key in _TABLES},
            **{key: {"tokenizer"} for key in _TEXTS},
        }[suffix]
        subword.check("file", self.level, "word", self.tokenizer, self.vocabulary)
        keys = ("array", "tokens", "columns", "classes", "response", "symbol", "text", "tokenizer")
        wrong = [key for key in keys if getattr(self, key) and key not in meant]
        if wrong:
            raise SpecError(f"file: '{wrong[0]}' means nothing for {suffix}. Remove it.")

    @property
    def space(self) -> Space:
        """What the table of the class says. Loads the file."""
        return self._loaded().space

    def items(self) -> Array:
        """All items, (N, *item)."""
        return self._loaded().items

    def _loaded(self) -> Loaded:
        path = _files.existing(Path(self.path).expanduser())
        stat = path.stat()
        return _load(self, path.resolve(), stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=4)
def _load(source: File, path: Path, changed: int, size: int) -> Loaded:
    suffix = path.suffix.lower()
    if suffix in _TEXTS:
        text = _files.read_text(path)
        if subword.subwords(source.level, source.tokenizer):
            return _blocks(source, [text], False)
        return _blocks(source, re.split(r"\n\s*\n", text) if source.level == "word" else [text], source.level == "word")
    loaded = _table(source, path) if suffix in _TABLES else _array(source, path)
    loaded.items.flags.writeable = False
    return loaded


def _blocks(source: File, documents: list[str], end: bool) -> Loaded:
    if subword.subwords(source.level, source.tokenizer):
        how = (source.tokenizer, source.vocabulary, source.lower)
        return subword.subword_blocks(documents, source.length, *how, source.path, end=end)
    parts = [tokens(part, source.level, source.lower) for part in documents]
    return blocks(parts, source.length, source.vocabulary, source.level, source.path, end=end)


def _table(source: File, path: Path) -> Loaded:
    named = source.symbol or source.text or source.classes
    table = _files.read_table(path, (named,) if named else ())
    if source.text:
        return _blocks(source, _files.strings(table, source.text, path), True)
    if source.symbol:
        names, codes = _classes(source, table, source.symbol, path)
        return Loaded(Space("symbols", (), size=len(names), names=names), codes)
    last = source.classes or source.response
    for name in (*source.columns, *([last] if last else [])):
        _files.column(table, name, path)
    columns = source.columns or tuple(name for name in table.column_names if name != last)
    if not columns or last in columns:
        raise SpecError(f"file: 'columns' must name at least one column besides '{last}'. Got {columns!r}.")
    rows = np.column_stack([_files.numbers(table, name, path) for name in columns])
    _files.check_numbers(rows, columns, source.path, source.constant == "keep")
    if source.classes:
        names, codes = _classes(source, table, source.classes, path)
        return _labelled(rows, names, codes)
    if source.response:
        return _regression(source, rows, _files.numbers(table, source.response, path), (*columns, source.response))
    return Loaded(Space("vector", (rows.shape[1],), names=columns), rows)


def _classes(source: File, table: Any, name: str, path: Path) -> tuple[tuple[str, ...], Array]:
    return _files.categories(_files.strings(table, name, path), f"{source.path}, column '{name}'")


def _array(source: File, path: Path) -> Loaded:
    array = _files.read_array(path, source.array)
    if array.dtype.kind not in "iufb":
        raise DataError(f"{source.path} holds values of type {array.dtype}, not real numbers.")
    if array.ndim not in (1, 2, 3) or array.shape[0] < 2 or array.size == 0:
        raise DataError(
            f"{source.path} has shape {array.shape}. Allowed: (N,), (N, d) or (N, h, w) with N of 2 or more."
        )
    if source.tokens or (array.ndim == 1 and array.dtype.kind in "iu" and not source.classes and not source.response):
        return _symbols(source, array)
    rows = array.reshape(len(array), -1).astype(np.float64)
    if array.ndim == 3 and array.dtype == np.uint8:
        rows /= 255.0
    _files.check_numbers(rows, (), source.path, source.constant == "keep" or array.ndim == 3)
    last = source.classes or source.response
    if last:
        extra = _files.read_array(path, last)
        if extra.shape != (len(rows),):
            raise DataError(f"{source.path}: array '{last}' has shape {extra.shape}; {(len(rows),)} is needed.")
        if source.response:
            return _regression(source, rows, extra.astype(np.float64), ())
        return _labelled(rows, *_files.categories([str(cell) for cell in extra], f"{source.path}, array '{last}'"))
    picture = (int(array.shape[1]), int(array.shape[2])) if array.ndim == 3 else None
    return Loaded(Space("image" if picture else "vector", (rows.shape[1],), picture=picture), rows)


def _symbols(source: File, array: Array) -> Loaded:
    wanted = 2 if source.tokens else 1
    if array.dtype.kind not in "iu" or array.ndim != wanted or array.min() < 0 or int(array.max()) >= 2**31:
        raise DataError(
            f"{source.path}: tokens and symbols are whole numbers from 0, tokens (N, length). "
            f"Got {array.dtype} {array.shape}."
        )
    items = array.astype(np.int64)
    size = int(items.max()) + 1
    return Loaded(Space("tokens" if source.tokens else "symbols", items.shape[1:], size=size), items)


def _labelled(rows: Floats, names: tuple[str, ...], codes: Array) -> Loaded:
    return Loaded(Space("labelled", (rows.shape[1] + 1,), size=len(names), names=names), np.column_stack([rows, codes]))


def _regression(source: File, rows: Floats, response: Floats, names: tuple[str, ...]) -> Loaded:
    _files.check_numbers(response[:, None], (source.response,), source.path, source.constant == "keep")
    return Loaded(Space("regression", (rows.shape[1] + 1,), names=names), np.column_stack([rows, response]))
