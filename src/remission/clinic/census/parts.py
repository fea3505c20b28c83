"""Parts: the rows of a unit in a Parquet file that is there whole or not at all, with the receipt in its footer."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remission.aside import sync_folder, written
from remission.clinic.census.fingerprints import BANDS
from remission.clinic.census.receipts import Receipt
from remission.corpus.spans import Span
from remission.errors import StoreError

KEY, SPANS = b"remission.receipt", b"remission.spans"
ROW_GROUP = 65536
NAMES = ("file", "place", "rows", "status", "reason", "id", "stratum", "cell", "score", "flagged", "early", "content",
         "declared", "mark", "log10_p")  # fmt: skip
BAND_NAMES = tuple(f"band{number:02d}" for number in range(BANDS))
STATUS = ("kept", "dropped", "quarantined")
_MEND = "Run the same `remission census` again, which scores damaged parts anew, and then this."


def part_path(folder: Path, name: str) -> Path:
    """Parts lie in 256 folders, so that none grows too large."""
    return folder / "parts" / name[:2] / f"{name}.parquet"


def schema() -> Any:
    """Columns of a part: one row for each document or row that is none.

    ``rows`` is 1 but for what cannot be read, such as the rest of a broken row group, and for what is not drawn into a sample;
    ``score`` is null where nothing is said. ``content`` begins a SHA-256, the ``band`` columns are what near-duplicates share,
    ``mark`` and ``log10_p`` the likeliest watermark; all of them null where they were not asked for.
    """
    import pyarrow as pa

    others = {"place": pa.int64(), "rows": pa.int64(), "score": pa.float64(), "log10_p": pa.float64()}
    others |= dict.fromkeys(("flagged", "early", "declared"), pa.bool_()) | {"content": pa.binary(16)}
    others |= dict.fromkeys(BAND_NAMES, pa.uint64())
    return pa.schema([(name, others.get(name, pa.string())) for name in (*NAMES, *BAND_NAMES)])


class PartWriter:
    """Writes a part aside; :meth:`finish` makes it one. Leaving without that leaves nothing."""

    def __init__(self, path: Path) -> None:
        """Begin the part that will be at ``path``. Raises StoreError."""
        import pyarrow.parquet as pq

        self.path = path
        host = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
        self._aside = path.with_name(f".{path.stem}-{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}.aside")
        self._digest = hashlib.sha256()
        self._held: list[Any] = []
        self._count = 0
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._aside, schema(), compression="zstd", write_page_checksum=True, use_dictionary=True
            )

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk: closing writes
            self._writer.close()
        with contextlib.suppress(OSError):
            self._aside.unlink(missing_ok=True)

    def add(self, rows: Any) -> None:
        """Add rows, an Arrow table of :func:`schema`."""
        self._held.append(rows)
        self._count += rows.num_rows
        if self._count >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a row group."""
        import pyarrow as pa

        if self._count:
            rows = pa.concat_tables(self._held)
            content_hash(rows, self._digest)
            with explained(self.path):
                self._writer.write_table(rows)
        self._held, self._count = [], 0

    @property
    def sha256(self) -> str:
        """Of the rows written so far, whatever the version of the file format."""
        return self._digest.hexdigest()

    def finish(self, receipt: Receipt, spans: Sequence[Span] = ()) -> str:
        """Write the receipt and where the rows are from, flush to disk, rename, flush the folder; the SHA-256 of the file."""
        told = {KEY: receipt.table(), SPANS: [span.table() for span in spans]}
        footer = {key: json.dumps(value, sort_keys=True, separators=(",", ":")).encode() for key, value in told.items()}
        with explained(self.path):
            self._writer.add_key_value_metadata(footer)
            self._writer.close()
            with open(self._aside, "rb+") as file:
                os.fsync(file.fileno())
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.replace(self._aside, self.path)
            sync_folder(self.path.parent)
        return digest


def content_hash(rows: Any, digest: Any) -> None:
    """Feed the values of an Arrow table of plain columns to a hash."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in rows.schema.names:
        column = rows.column(name).combine_chunks()
        kind = column.type
        digest.update(f"{name} {kind} {len(column)}\n".encode())
        digest.update(column.is_null().to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_fixed_size_binary(kind):
            digest.update(b"".join(column.drop_null().to_pylist()))
        elif pa.types.is_string(kind):
            filled = pc.fill_null(column, "")
            digest.update(pc.binary_length(filled).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
            digest.update("".join(filled.to_pylist()).encode())
        else:
            values = pc.fill_null(column, False if pa.types.is_boolean(kind) else 0).to_numpy(zero_copy_only=False)
            digest.update(np.ascontiguousarray(values).tobytes())


def write_whole(path: Path, content: str) -> None:
    """Write a text file whole or not at all. Raises StoreError."""
    with explained(path), written(path) as beside:
        beside.write_text(content, encoding="utf-8")


def receipt_of(path: Path) -> Receipt:
    """The receipt in the footer of a part. Raises StoreError when it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = pq.read_metadata(path).metadata or {}
        return Receipt.of(json.loads(told[KEY]))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise StoreError(f"The part '{path}' is damaged ({type(error).__name__}). {_MEND}") from None


def spans_in(path: Path) -> tuple[Span, ...]:
    """The spans whose rows a part holds, in order. Raises StoreError when it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(Span.of(row) for row in json.loads((pq.read_metadata(path).metadata or {})[SPANS]))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise StoreError(f"The part '{path}' is damaged ({type(error).__name__}). {_MEND}") from None


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Any:
    """The rows of a part, an Arrow table; checksums of pages are verified. Raises StoreError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"The part '{path}' is damaged ({error}). {_MEND}") from None


def check_pages(path: Path) -> None:
    """Read all of a part, piece by piece, and verify the checksums of its pages. Raises StoreError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for number in range(file.num_row_groups):
                file.read_row_group(number)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"The part '{path}' is damaged ({error}). {_MEND}") from None


@contextlib.contextmanager
def explained(path: Path) -> Any:
    """Turn troubles of writing into one clear message."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"No space left to write '{path}'. Finished parts are safe: free space and run the same command again."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise StoreError(f"'{path}' cannot be written ({error.strerror}). Choose another folder with -o.") from None
        raise StoreError(
            f"'{path}' cannot be written ({error.strerror or error}). Finished parts are safe: look at disk and limits, and run "
            "the same command again."
        ) from None
