"""The gold archive: records a second, the time of verifying, and of checking a proof among a million.

The peer for speed of ingest is the plainest way to keep the same promise of content addressing without any proof: one compressed
file per record, named by its hash, in 256 folders. Both sides store the same bytes, which is checked.

Adding files is also run in processes of their own, whose peak of memory must not grow with the number of records.

    python -m benchmarks.archive [--records 20000] [--million | --memory]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from remission.clinic.archive.proving import Paths, check_proof, prove
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.gold.archive import Archive
from remission.gold.merkle import leaf_hash, root_from_inclusion
from remission.gold.signing import new_signer

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "his",
    "but",
    "at",
    "are",
    "this",
    "have",
    "from",
]


def texts(count: int, seed: int = 0) -> list[bytes]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=60)).encode() + str(n).encode() for n in range(count)]


def record(number: int) -> dict[str, Any]:
    return {
        "id": f"item-{number}", "collector": "us", "collected": "2019-04-01", "dated_by": "dated-snapshot", "licence": "CC0-1.0",
        "language": "en", "modality": "text", "collection": "a" * 64, "evidence": [{"kind": "dated-snapshot", "date": "2020-01-01"}],
        "prov": {"wasDerivedFrom": ["a" * 64]},
    }  # fmt: skip


def ours(place: Path, contents: list[bytes]) -> tuple[float, float]:
    """Wall and processor seconds of adding everything, each batch of 10,000 signed and on the disk."""
    signer = new_signer(place / "key")
    create(place / "archive", "benchmark", signer)
    with writing(place / "archive", signer) as writer:
        wall, cpu = time.perf_counter(), time.process_time()
        for number, content in enumerate(contents):
            writer.ingest(f"item-{number}", content, record(number))
        writer.commit()
        return time.perf_counter() - wall, time.process_time() - cpu


def plain_files(place: Path, contents: list[bytes]) -> tuple[float, float]:
    """One file per record, with its description in another; nothing is forced onto the disk."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=3)
    for shard in range(256):
        (place / f"{shard:02x}").mkdir()
    wall, cpu = time.perf_counter(), time.process_time()
    for number, content in enumerate(contents):
        name = hashlib.sha256(content).hexdigest()
        for ending, data in (("", compressor.compress(content)), (".json", json.dumps(record(number)).encode())):
            handle = os.open(place / name[:2] / (name + ending), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            os.write(handle, data)
            os.close(handle)
    return time.perf_counter() - wall, time.process_time() - cpu


def ingest(place: Path, count: int) -> None:
    contents = texts(count)
    times: dict[str, list[tuple[float, float]]] = {"archive": [], "plain files": []}
    for turn in range(3):
        for name, run in (("archive", ours), ("plain files", plain_files)):
            inner = place / f"{name}-{turn}"
            inner.mkdir()
            times[name].append(run(inner, contents))
    archive = Archive(place / "archive-0" / "archive")
    for number in (0, count // 2, count - 1):
        assert archive.content(f"item-{number}") == contents[number]
    best = {name: min(found) for name, found in times.items()}
    for name, (wall, cpu) in best.items():
        print(f"ingest, {name:12s} {count / wall:9,.0f} records/s  {1e6 * cpu / count:6.0f} us of processor each")
    print(f"ratio archive / plain files: {best['plain files'][0] / best['archive'][0]:.2f} in records/s")
    begin = time.perf_counter()
    assert verify(place / "archive-0" / "archive").ok
    print(f"verify everything: {count / (time.perf_counter() - begin):,.0f} records/s")


ADDING = """
import json, resource, sys, time
from pathlib import Path
from remission.clinic.archive.adding import add
from remission.clinic.archive.record import about
from remission.clinic.archive.writing import create
from remission.gold.signing import new_signer
place = Path(sys.argv[1])
signer = new_signer(place / "key")
create(place / "archive", "memory", signer)
told = about({"collection": {"title": "t", "issuer": "i", "method": "m", "licence": "CC0-1.0"}, "item": {"language": "en"}})
wall, cpu = time.perf_counter(), time.process_time()
new = add(place / "archive", signer, [place / "records.jsonl"], told).new
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([new, wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def memory(place: Path) -> None:
    """Adding files of 20,000 and of 80,000 records, checked first and then written: peak of memory, records a second."""
    peaks = {}
    for count in (20_000, 80_000):
        inner = place / f"memory-{count}"
        inner.mkdir()
        with open(inner / "records.jsonl", "w", encoding="utf-8") as file:
            for number, text in enumerate(texts(count)):
                file.write(json.dumps({"id": f"item-{number}", "text": text.decode()}) + "\n")
        done = subprocess.run([sys.executable, "-c", ADDING, str(inner)], capture_output=True, text=True, check=True)
        new, wall, cpu, peaks[count] = json.loads(done.stdout)
        assert new == count
        print(
            f"add a file of {count:,}: {count / wall:7,.0f} records/s, {1e6 * cpu / count:4.0f} us of processor each, peak "
            f"{peaks[count] / 1024:.1f} MiB"
        )
    growth = peaks[80_000] / peaks[20_000] - 1
    print(f"peak of memory with four times the records: {100 * growth:+.1f} %")
    assert growth <= 0.10


def proofs(place: Path, leaves: int) -> None:
    """One proof in a tree of so many leaves; the log around it is small, so the path is checked against the tree alone."""
    hashes = [leaf_hash(str(number).encode()) for number in range(leaves)]
    begin = time.perf_counter()
    tree = Paths(hashes)
    built = time.perf_counter() - begin
    root, taken = None, []
    for number in random.Random(1).sample(range(leaves), 1000):
        path = [bytes.fromhex(step) for step in tree.path(number)]
        begin = time.perf_counter()
        found = root_from_inclusion(hashes[number], number, leaves, path)
        taken.append(time.perf_counter() - begin)
        assert root in (None, found)
        root = found
    print(
        f"tree of {leaves:,} leaves: {built:.1f} s to build; path of {len(path)} steps: {1e6 * statistics.median(taken):.0f} us"
    )
    archive = Archive(place / "archive-0" / "archive")
    proof = prove(archive, "item-7")
    begin = time.perf_counter()
    for _ in range(200):
        check_proof(proof)
    print(
        f"whole proof of {archive.log.size:,} entries with its signature: {1e3 * (time.perf_counter() - begin) / 200:.2f} ms"
    )


def million(place: Path) -> None:
    """A real archive of a million records: opening, proving, verifying one proof, verifying everything."""
    wall, _ = ours(place, texts(1_000_000))
    print(f"1,000,000 records added in {wall:.0f} s: {1e6 / wall:,.0f} records/s")
    begin = time.perf_counter()
    archive = Archive(place / "archive")
    print(f"opened, the whole log checked: {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    proof = prove(archive, "item-654321")
    print(f"one proof made: {time.perf_counter() - begin:.1f} s")
    content = archive.content("item-654321")
    taken = []
    for _ in range(50):
        begin = time.perf_counter()
        check_proof(proof, content, archive.origin)
        taken.append(time.perf_counter() - begin)
    print(f"one proof among {archive.log.size:,} checked: {1e3 * statistics.median(taken):.2f} ms")
    begin = time.perf_counter()
    assert verify(place / "archive").ok
    print(f"verified down to the last bit: {time.perf_counter() - begin:.0f} s")
    size = sum(path.stat().st_size for path in (place / "archive").rglob("*") if path.is_file())
    print(f"size: {size / 1e6:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="remission-archive-"))
    try:
        if given.million:
            million(place)
        elif given.memory:
            memory(place)
        else:
            ingest(place, given.records)
            memory(place)
            proofs(place, 1_000_000)
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
