"""Readers of a user's own files. Nothing is repaired or dropped: what cannot be used is named with its place."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from remission.data import Array, Floats
from remission.errors import DataError, did_you_mean

_LIMIT = 8 * 2**30  # bytes that an .npz may unpack to


def existing(path: Path) -> Path:
    """The path of a file that is there and not empty."""
    if not path.exists():
        raise DataError(f"There is no file {path}. Check the path; it is taken from the current folder {Path.cwd()}.")
    if not path.is_file():
        raise DataError(f"{path} is not a file. Name one file of it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    return path


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, a byte-order mark removed."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start} (line {line}). "
            f"Convert it first, for example: iconv -f LATIN1 -t UTF-8."
        ) from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file."""
    try:
        return existing(path).read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from None


def read_array(path: Path, key: str) -> Array:
    """The array of an .npy file, or the one called ``key`` (or the only one) of an .npz file; never pickles."""
    existing(path)
    try:
        if path.suffix.lower() == ".npy":
            return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LIMIT:
                raise DataError(f"{path} unpacks to more than {_LIMIT >> 30} GiB. Split it, or store it as .npy.")
        with np.load(path, allow_pickle=False) as arrays:
            if not key and len(arrays.files) != 1:
                raise DataError(
                    f"{path} holds {len(arrays.files)} arrays. Name one with 'array': {', '.join(arrays.files)}."
                )
            key = key or arrays.files[0]
            if key not in arrays.files:
                raise DataError(f"{path} has no array '{key}'. {did_you_mean(key, arrays.files)}")
            return arrays[key]
    except (ValueError, OSError, EOFError, MemoryError, SyntaxError, zipfile.BadZipFile) as error:
        reason = "it holds Python objects, which are not read" if "pickle" in str(error).lower() else str(error)
        raise DataError(f"Cannot read {path}: {reason}. Save numbers with numpy.save or numpy.savez.") from None


def read_table(path: Path, text_columns: tuple[str, ...]) -> Any:
    """A pyarrow table from .csv, .tsv or .parquet; ``text_columns`` of a CSV are not parsed as numbers."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if path.suffix.lower() == ".parquet":
            table = parquet.ParquetFile(existing(path)).read()
        else:
            data = read_text(path).encode()
            table = csv.read_csv(
                pa.BufferReader(data),
                parse_options=csv.ParseOptions(
                    delimiter="\t" if path.suffix.lower() == ".tsv" else ",", newlines_in_values=True
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(text_columns, pa.string()), strings_can_be_null=False
                ),
            )
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"Cannot read {path}: {' '.join(str(error).split())}") from None
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has more than one column called {twice[0]!r}. Rename one.")
    if table.num_rows < 2:
        raise DataError(f"{path} has {table.num_rows} row(s) under its header. At least 2 are needed.")
    return table


def column(table: Any, name: str, path: Path) -> Any:
    """A column by name."""
    if name not in table.column_names:
        raise DataError(f"{path} has no column '{name}'. {did_you_mean(name, table.column_names)}")
    return table.column(name)


def numbers(table: Any, name: str, path: Path) -> Floats:
    """A column as floats; a cell that is no number is named by its row (data rows count from 1)."""
    import pyarrow as pa
    from pyarrow import types

    values = column(table, name, path)
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if types.is_string(values.type) or types.is_large_string(values.type) or types.is_null(values.type):
        for row, cell in enumerate(values.to_pylist(), start=1):
            if not _is_number(cell):
                raise DataError(
                    f"{path}, row {row}, column '{name}': {cell!r} is no number. "
                    f"Name the numeric columns with 'columns', or the classes with 'classes'."
                )
    try:
        cast = values.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"{path}: column '{name}' of type {values.type} is not numeric. Leave it out of 'columns'."
        ) from None
    return np.asarray(cast.to_numpy(zero_copy_only=False), np.float64)  # a missing cell becomes NaN


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return cell is None
    return True


def strings(table: Any, name: str, path: Path) -> list[str]:
    """A column as text; a missing cell is named by its row."""
    cells = column(table, name, path).to_pylist()
    for row, cell in enumerate(cells, start=1):
        if cell is None:
            raise DataError(f"{path}, row {row}, column '{name}' is missing. Fill or remove the row.")
    return [cell if isinstance(cell, str) else str(cell) for cell in cells]


def categories(cells: list[str], what: str) -> tuple[tuple[str, ...], Array]:
    """Names of the classes, in numeric order where all are numbers, and the class of each cell.

    >>> categories(["10", "2", "10"], "an example")
    (('2', '10'), array([1, 0, 1]))
    """
    found = set(cells)
    if "" in found:
        raise DataError(f"{what}, row {cells.index('') + 1} is missing. Fill or remove the row.")
    numeric = all(_is_number(cell) for cell in found)
    names = sorted(found, key=(lambda cell: (float(cell), cell)) if numeric else None)
    if len(names) < 2:
        raise DataError(f"{what} holds only {names[0]!r}. At least 2 different values are needed.")
    number = {name: i for i, name in enumerate(names)}
    return tuple(names), np.array([number[cell] for cell in cells], np.int64)


def check_numbers(rows: Floats, names: tuple[str, ...], what: str, constant: bool) -> None:
    """Raise DataError at the first NaN or infinity, and at columns (n, d) that never change unless ``constant``."""
    broken = np.argwhere(~np.isfinite(rows))
    if broken.size:
        row, place = (int(i) for i in broken[0])
        shown = "missing or NaN" if np.isnan(rows[row, place]) else "infinite"
        raise DataError(
            f"{what}, row {row + 1}, column {_called(names, place)} is {shown} ({len(broken)} such cell(s) in all). "
            f"Fill or remove them."
        )
    still = np.flatnonzero(rows.max(axis=0) == rows.min(axis=0))
    if still.size and not constant:
        raise DataError(
            f"{what}: column {_called(names, int(still[0]))} never changes ({still.size} such column(s) in all). "
            f"Leave it out, or set constant = 'keep'."
        )


def _called(names: tuple[str, ...], place: int) -> str:
    return f"'{names[place]}'" if names else str(place + 1)
