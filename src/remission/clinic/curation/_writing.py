"""Files of documents with all that is known of each: there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from remission.aside import sync_folder
from remission.clinic.census.parts import explained
from remission.numerics.arrays import Array

FLUSH = 32 << 20  # bytes of documents, and of what is carried along with them, of a row group


class Writer:
    """Writes a file aside; :meth:`finish` makes it one. Leaving without that leaves nothing.

    Args:
        path: of the file.
        beside: columns that may be as large as the documents.

    Attributes:
        count: documents so far; bytes: of their texts.
    """

    def __init__(self, path: Path, beside: Collection[str] = ()) -> None:
        self.path, self.count, self.bytes = path, 0, 0
        self._beside = beside
        self._aside = path.with_name(f".{path.stem}-{os.getpid()}-{uuid.uuid4().hex[:8]}.aside")
        self._writer: Any = None
        self._schema: Any = None
        self._held: list[Any] = []
        self._size = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
        with contextlib.suppress(OSError):
            self._aside.unlink(missing_ok=True)

    def add(self, table: Any, chosen: Array, reasons: Array | None) -> None:
        """Add the chosen rows, with reasons where there are some."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = table if reasons is None else table.append_column("reason", pa.array(reasons.tolist(), pa.string()))
        self._schema = found.schema
        if not chosen.any():
            return
        found = found if chosen.all() else found.filter(pa.array(chosen))
        size = pc.sum(pc.binary_length(found.column(0))).as_py() or 0
        self._held.append(found)
        self.count, self.bytes = self.count + found.num_rows, self.bytes + size
        self._size += size + sum(found.column(name).nbytes for name in self._beside)
        if self._size >= FLUSH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with explained(self.path):
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pq.ParquetWriter(self._aside, self._schema, compression="zstd", write_page_checksum=True)
            if self._held:  # a row group without a row is more than some readers can take
                self._writer.write_table(pa.concat_tables(self._held))
        self._held, self._size = [], 0

    def finish(self, facts: Mapping[bytes, bytes]) -> None:
        """Flush, tell the facts in the footer, rename."""
        if self._held or self._writer is None:
            self._flush()
        with explained(self.path):
            if facts:
                self._writer.add_key_value_metadata(facts)
            self._writer.close()
            with open(self._aside, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(self._aside, self.path)
            sync_folder(self.path.parent)
