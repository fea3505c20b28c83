"""Small files in every format, and the ways in which they break."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = ["the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not"]


def text(number: int, words: int = 40) -> str:
    """A text of its own for every number."""
    return f"No {number}: " + " ".join(WORDS[(number * 7 + place * place) % len(WORDS)] for place in range(words))


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"d{n}", "text": text(n), "source": "abc"[n % 3], "date": f"2023-0{1 + n % 4}-11"}
        for n in range(first, first + count)
    ]


def parquet(path: Path, content: Sequence[dict[str, Any]], group: int = 50, **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(list(content)), path, row_group_size=group, **{"compression": "zstd"} | options)
    return path


def jsonl(path: Path, content: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def flip(path: Path, place: int, bits: int = 0x10) -> Path:
    """Flip bits of a byte."""
    content = bytearray(path.read_bytes())
    content[place] ^= bits
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def page_of(path: Path, column: str = "text", group: int = 1) -> int:
    """A byte in the middle of a column of a row group."""
    told = pq.ParquetFile(path).metadata.row_group(group)
    chunk = next(told.column(n) for n in range(told.num_columns) if told.column(n).path_in_schema == column)
    return int((chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size // 2)


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def every_case(folder: Path, big: int) -> dict[str, tuple[int, int, str]]:
    """The damage matrix: for each file how many rows are good, how many are set aside, and a word of the reason.

    ``big`` is the number of bytes of the one giant document and of what bombs unpack to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[int, int, str]] = {}

    def case(name: str, good: int, aside: int, reason: str) -> Path:
        found[name] = good, aside, reason
        return folder / name

    parquet(case("good.parquet", 200, 0, ""), rows(200))
    cut(parquet(case("truncated.parquet", 0, 1, "cannot be read"), rows(200)), 0.6)
    path = parquet(case("flipped-packed.parquet", 150, 50, "cannot be read"), rows(200), write_page_checksum=True)
    flip(path, page_of(path))
    options = {"compression": "none", "use_dictionary": False}
    path = case("flipped-plain.parquet", 150, 50, "cannot be read")
    flip(parquet(path, rows(200), write_page_checksum=True, **options), page_of(path))
    path = case("flipped-unsigned.parquet", 199, 1, "not UTF-8")  # no checksums: only what breaks the text is seen
    flip(parquet(path, rows(200), **options), page_of(path), 0x80)
    parquet(case("no-column.parquet", 0, 100, "no column 'text'"), [{"body": text(n)} for n in range(100)])
    parquet(case("wrong-type.parquet", 0, 100, "is no text: int64"), [{"text": n} for n in range(100)])
    case("empty.jsonl", 0, 1, "the file is empty").write_bytes(b"")
    case("empty.parquet", 0, 1, "the file is empty").write_bytes(b"")
    pq.write_table(
        pa.table({"text": pa.array([], pa.string())}), case("no-rows.parquet", 0, 1, "the file holds no row")
    )
    lines = "".join(json.dumps(row) + "\n" for row in rows(5)).encode()
    case("bomb.jsonl.zst", 5, 1, "200 times").write_bytes(zstd(lines + b'{"text": "' + b"a" * big))
    case("bomb.jsonl.gz", 5, 1, "200 times").write_bytes(gzip.compress(lines + b'{"text": "' + b"a" * big))
    cut_gz = gzip.compress(b"".join(json.dumps({"text": text(n, 400)}).encode() + b"\n" for n in range(40)))
    case("cut.jsonl.gz", -1, 1, "cannot be read").write_bytes(cut_gz[: len(cut_gz) * 3 // 4])
    case("deep.jsonl", 5, 1, "broken JSON").write_bytes(lines + b"[" * 200_000 + b"\n")
    case("surrogates.jsonl", 5, 2, "half characters").write_bytes(
        lines + b'{"text": "half \\ud800"}\n{"text": "fine", "source": "\\udc00"}\n'
    )
    half = pa.array([b"fine", b"half \xed\xa0\x80", b"\xff\xfe", None], pa.binary())
    table = pa.table({"text": pa.StringArray.from_buffers(4, half.buffers()[1], half.buffers()[2], half.buffers()[0])})
    pq.write_table(table, case("surrogates.parquet", 1, 3, "half characters"))
    giant = case("giant.jsonl", 6, 1, "a line of more than")
    with giant.open("wb") as file:
        file.write(lines + b'{"text": "')
        for _ in range(big // 65536):
            file.write(b"word " * 13107 + b"x")
        file.write(b'"}\n' + lines.splitlines()[0] + b"\n")
    return found


def dictionary_bomb(path: Path, value: int, count: int, good: int) -> Path:
    """A few hundred bytes that unpack to ``value * count`` bytes."""
    texts = [text(n) for n in range(good)] + ["x" * value]
    pointed = pa.DictionaryArray.from_arrays(pa.array([*range(good), *[good] * count], pa.int32()), pa.array(texts))
    pq.write_table(pa.table({"text": pointed}), path, compression="zstd", store_schema=False)
    return path
