"""Hashes of contents are those of the bytes; sketches meet as often as the shares of common runs say."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission import SpecError
from remission.clinic.census import fingerprints
from remission.clinic.census.fingerprints import BANDS, ROWS, bands, contents, first_words
from remission.clinic.census.manifest import part_files
from remission.clinic.census.parts import read_rows
from remission.clinic.census.running import run_census
from remission.clinic.census.units import Config
from remission.corpus._batches import Batch
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import inline

TEXTS = ["one two three", "grüße 你好 \U0001f600", "x", "line\nbreak\ttab \u0000 zero", "the end of it all, said she"]


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def batch(items: Any) -> Batch:
    return Batch(items, np.arange(len(items)), {}, (), len(items))


def keys(texts: list[str]) -> Any:
    """(n, BANDS), 0 where there is none."""
    found = bands(batch(pa.array(texts, pa.large_string())))
    return np.stack([column.fill_null(0).to_numpy() for column in found], axis=1)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_contents_are_hashes_of_the_bytes_wherever_they_lie(kind: Any) -> None:
    whole = pa.array(["before", *TEXTS, "after"], kind)
    for items, expected in (
        (whole.slice(1, len(TEXTS)), TEXTS),
        (whole.slice(3), [*TEXTS[2:], "after"]),
        (whole.take(pa.array([5, 1, 1])), [TEXTS[4], TEXTS[0], TEXTS[0]]),
        (whole.filter(pa.array([False, True, False, True, False, False, False])), [TEXTS[0], TEXTS[2]]),
        (whole.slice(0, 0), []),
    ):
        found = contents(batch(items))
        assert found.to_pylist() == [sha(text) for text in expected]
        first = [int.from_bytes(sha(text)[:8], "big") for text in expected]
        assert first_words(found).tolist() == first


def test_contents_of_every_kind_of_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    texts = [text.replace("\u0000", "0") for text in TEXTS]
    pq.write_table(pa.table({"text": texts}), folder / "a.parquet", row_group_size=2)
    pq.write_table(pa.table({"text": pa.array(texts).dictionary_encode()}), folder / "b.parquet")
    (folder / "c.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    with gzip.open(folder / "d.jsonl.gz", "wt") as file:
        file.write("\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts))
    with open(folder / "e.csv", "w", newline="") as file:
        csv.writer(file).writerows([["text"], *[[text] for text in texts]])
    (tmp_path / "f.txt").write_text(texts[1])
    census = run_census([folder, tmp_path / "f.txt"], LENGTHS, tmp_path / "out", Config(), inline)
    found: dict[str, list[bytes]] = {}
    for path in part_files(census.folder, census.manifest):
        for row in read_rows(path, ["file", "content"]).to_pylist():
            found.setdefault(Path(row["file"]).name, []).append(row["content"])
    every = [sha(text) for text in texts]
    assert found == dict.fromkeys(("a.parquet", "b.parquet", "c.jsonl", "d.jsonl.gz", "e.csv"), every) | {
        "f.txt": [sha(texts[1])]
    }
    assert census.manifest.groups is not None
    assert census.manifest.groups.copies == census.receipt.kept - len(texts)


def test_contents_of_pictures(tmp_path: Path) -> None:
    flat, other = np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)
    found = contents(batch([flat, other, flat.copy(), np.zeros((2, 3, 3), np.uint16), np.swapaxes(other, 0, 1)]))
    assert found[0] == found[2] == found[4]
    assert len(set(found.to_pylist())) == 3
    (tmp_path / "a.png").write_bytes(b"bytes of a file")
    assert contents(batch([str(tmp_path / "a.png")])).to_pylist() == [sha("bytes of a file")]
    assert all(column.null_count == 2 for column in bands(batch([flat, other])))


def pairs(shared: Path, n: int) -> tuple[list[str], list[str], Any]:
    """Texts, edited versions of them, and the share of runs of five words that each pair has in common."""
    rng = np.random.default_rng(3)
    content = (shared / "data" / "tinyshakespeare").glob("*.txt")
    words = [word for word in next(content).read_text().lower().split() if word.isascii() and word.isalpha()]
    first, second, share = [], [], []
    for number in range(n):
        at = 97 * number % (len(words) - 500)
        some = words[at : at + int(rng.integers(60, 400))]
        edited = [
            word if u > 0.08 * (number % 10) / 10 else "changed"
            for word, u in zip(some, rng.random(len(some)), strict=True)
        ]
        runs = [{tuple(one[k : k + 5]) for k in range(len(one) - 4)} for one in (some, edited)]
        first.append(" ".join(some))
        second.append(" ".join(edited))
        share.append(len(runs[0] & runs[1]) / len(runs[0] | runs[1]))
    return first, second, np.array(share)


def test_sketches_meet_as_often_as_they_should(shared: Path) -> None:
    """Hits among pairs of each range of shares are binomial sums; a curve of bands of one row more or less is rejected."""
    first, second, share = pairs(shared, 3000)
    met = (keys(first) == keys(second)).any(axis=1)

    def worst(rows: int) -> float:
        p = 1 - (1 - share**rows) ** BANDS
        found = []
        for low, high in ((0.3, 0.5), (0.5, 0.65), (0.65, 0.8), (0.8, 0.99)):
            here = (share > low) & (share <= high)
            assert here.sum() > 100
            found.append(abs(met[here].sum() - p[here].sum()) / np.sqrt((p * (1 - p))[here].sum()))
        return float(max(found))

    assert worst(ROWS) < 4
    assert worst(ROWS + 1) > 4
    assert worst(ROWS - 1) > 4
    assert met[share == 1].all()
    assert (share == 1).sum() > 100


def test_what_is_layout_alone_does_not_matter(shared: Path) -> None:
    texts = pairs(shared, 20)[0]
    for change in (
        str.upper,
        str.title,
        lambda text: text.replace(" ", "\n  "),
        lambda text: f"  {text.replace(' ', ', ', 9)}!",
        lambda text: f"**{text}**",
    ):
        assert (keys(texts) == keys([change(text) for text in texts])).all()
    assert not (keys(texts) == keys([f"another {text[40:]}" for text in texts])).all(axis=1).any()


def test_texts_of_few_or_no_words() -> None:
    found = bands(batch(pa.array(["!!! ... ?", "one", "two words", "One!", "words two", "-- * --"], pa.large_string())))
    assert len(found) == BANDS
    assert found[0].is_null().to_pylist() == [True, False, False, False, False, True]
    table = keys(["one", "two words", "One!", "words two"])
    assert (table[0] == table[2]).all()
    assert (table[1] != table[3]).all()


def test_long_runs_of_letters_are_told_apart() -> None:
    """Such as sequences of proteins, which are one word too long to be one."""
    rng = np.random.default_rng(1)
    long = ["".join(rng.choice([*"ACDEFGHIKLMNPQRSTVWY"], 300)) for _ in range(6)]
    table = keys([*long, long[0].lower()])
    assert (table[0] == table[6]).all()
    assert len({tuple(row) for row in table.tolist()}) == 6
    assert not (table[0] == table[1]).any()


def test_long_texts_are_read_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    words = np.array([f"w{chr(97 + a)}{chr(97 + b)}" for a in range(26) for b in range(26)])
    text = " ".join(words[rng.integers(0, words.size, 70_000)])
    assert len(text) > fingerprints.READ
    one, other, third = keys([text, text[: fingerprints.READ] + " another end", "and " * 2000 + text[9000:]])
    assert (one == other).all()
    assert not (one == third).all()
    before = keys(TEXTS)
    monkeypatch.setattr(fingerprints, "READ", 3)
    assert (keys(TEXTS) != before).any()  # the limit is in use


def test_keys_do_not_depend_on_neighbours(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*pairs(shared, 30)[0], "!!!", *TEXTS]
    together = keys(texts)
    assert (together == np.concatenate([keys([text]) for text in texts])).all()
    whole = pa.array(["before", *texts], pa.large_string()).slice(1)
    assert (together[:, 0] == bands(batch(whole))[0].fill_null(0).to_numpy()).all()
    monkeypatch.setattr(fingerprints, "_AT_ONCE", 100)
    assert (together == keys(texts)).all()


def test_words_for_copies() -> None:
    with pytest.raises(SpecError, match=r"'near', 'exact' or 'none'\. Got 'all'"):
        Config(copies="all")  # type: ignore[arg-type]
    assert len({json.dumps(fingerprints.identity(word), sort_keys=True) for word in ("near", "exact", "none")}) == 3
