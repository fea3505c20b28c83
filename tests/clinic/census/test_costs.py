"""What a full scan takes, from the times of a sample's parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from remission.clinic.census import process, timings, units
from remission.clinic.census.costs import full_scan, pass_over
from remission.clinic.census.grouping import group, times_read
from remission.clinic.census.parts import part_path, receipt_of
from remission.clinic.census.running import Census, run_census
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.scoring import FunctionScorer
from remission.clinic.census.timings import Pass, Timings, pace, timings_in
from remission.clinic.census.units import Config
from remission.corpus.spans import spans_of
from remission.corpus.streaming import Limits, read
from remission.estimate import Estimate
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import inline
from tests.corpus.damaged import jsonl, rows

BYTE, DOCUMENT = 2e-6, 3e-3  # seconds


def census_of(tmp_path: Path, sampling: Sampling, documents: int = 1200, files: int = 24) -> Census:
    if not (tmp_path / "in").exists():
        (tmp_path / "in").mkdir()
        each = documents // files
        for number in range(files):
            jsonl(tmp_path / "in" / f"{number:02d}.jsonl", rows(each, each * number))
    config = Config(by=("source",), size=3000, sampling=sampling, copies="exact")
    name = f"{sampling.rate}-{sampling.files}-{sampling.seed}"
    return run_census([tmp_path / "in"], LENGTHS, tmp_path / name, config, inline)


def timed(census: Census, noise: Any = None) -> Census:
    """With times that are known: of bytes and of documents."""
    rng = noise
    found = {}
    for name, (size, _, _) in sorted(census.timed.items()):
        factor = 1.0 if rng is None else float(rng.lognormal(-0.02, 0.2))
        kept = receipt_of(part_path(census.folder, name)).kept
        found[name] = (size, factor * BYTE * size, factor * DOCUMENT * kept)
    return replace(census, timed=found, passed=None, started=0.0)


def total(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in (tmp_path / "in").iterdir())


def test_a_sample_tells_the_hours_of_everything(tmp_path: Path) -> None:
    everything = timed(census_of(tmp_path, Sampling()))
    truth = sum(reading + scoring for _, reading, scoring in everything.timed.values()) / 3600
    assert truth == pytest.approx((BYTE * total(tmp_path) + DOCUMENT * 1200) / 3600)
    sample = timed(census_of(tmp_path, Sampling(0.2, (("source=a", 0.5),), seed=1)))
    cost = full_scan(sample, price=2.5)
    assert cost is not None
    there = sum(stratum.n / (0.5 if name == "source=a" else 0.2) for name, stratum in sample.receipt.strata.items())
    assert cost.hours.value == pytest.approx((BYTE * total(tmp_path) + DOCUMENT * there) / 3600)
    assert cost.hours.low < truth < cost.hours.high
    assert cost.documents.value == pytest.approx(there)
    assert cost.documents.low < 1200 < cost.documents.high
    assert cost.copies is None
    table = cost.table()
    assert table["money"]["value"] == pytest.approx(2.5 * cost.hours.value)
    assert table["parts"] == len(sample.timed)
    none = full_scan(sample)
    assert none is not None
    assert none.table()["money"] is None


def test_a_sample_of_files_tells_them_by_bytes(tmp_path: Path) -> None:
    sample = timed(census_of(tmp_path, Sampling(files=0.25)))
    cost = full_scan(sample)
    assert cost is not None
    read = sum(size for _, size in sample.manifest.inputs.values())
    factor = total(tmp_path) / read
    assert cost.hours.value == pytest.approx(factor * (BYTE * read + DOCUMENT * sample.receipt.kept) / 3600)
    truth = (BYTE * total(tmp_path) + DOCUMENT * 1200) / 3600
    assert cost.hours.value == pytest.approx(truth, rel=0.02)


def test_intervals_cover_when_times_are_noisy(tmp_path: Path) -> None:
    """Also over the draw of documents: each seed is another sample."""
    hits, narrow, repeats = 0, 0, 0
    for seed in range(6):
        census = census_of(tmp_path, Sampling(0.2, seed=seed), 480, 12)
        truth = (BYTE * total(tmp_path) + DOCUMENT * 480) / 3600
        for noise in range(12):
            cost = full_scan(timed(census, np.random.default_rng(noise)))
            assert cost is not None
            hits += cost.hours.low <= truth <= cost.hours.high
            half = (cost.hours.high - cost.hours.low) / 6
            narrow += abs(cost.hours.value - truth) <= half
            repeats += 1
    assert binomtest(hits, repeats, 0.93, "less").pvalue > 0.005, hits
    assert narrow < 0.85 * repeats, "a third of the width should not do"


def test_the_pass_over_copies_goes_by_documents_and_parts(tmp_path: Path) -> None:
    """The sample's pass took 0.3 s for each of its parts and 2 ms for each of its documents."""
    sample = timed(census_of(tmp_path, Sampling(0.2, files=0.5)))
    parts, n = len(sample.manifest.order), sample.receipt.kept
    known = Pass(n, parts, 0.3 * parts + 2e-3 * n, 2e-3, True)
    cost = full_scan(replace(sample, passed=known), price=4.0)
    assert cost is not None
    assert cost.copies is not None
    factor = total(tmp_path) / sum(size for _, size in sample.manifest.inputs.values())
    assert cost.documents.value == pytest.approx(factor * 5 * n)
    assert cost.copies.value == pytest.approx(
        (0.3 * factor * len(sample.manifest.parts) + 2e-3 * 5 * factor * n) / 3600
    )
    for_parts = 0.3 * factor * len(sample.manifest.parts)
    assert cost.copies.low == pytest.approx((for_parts + 2e-3 * cost.documents.low) / 3600)
    assert cost.copies.high == pytest.approx((for_parts + 2 * 2e-3 * cost.documents.high) / 3600)
    table = cost.table()
    assert table["money"]["high"] == pytest.approx(4 * (cost.hours.high + cost.copies.high))
    assert cost.memory is not None
    assert cost.memory.value == pytest.approx(25e6 + 25 * cost.documents.value)
    # of parts, opening takes longer where more columns must be read one after the other
    many = Estimate(1e8, 1e8, 1e8, 0.95, "parts", parts)
    slow = pass_over(known, many, 10.0)
    assert slow.value == pytest.approx((0.3 * 10 + 2e-3 * 1e8) / 3600)
    assert times_read(n, True) == 3
    assert times_read(10**8, True) == 1 + 8 + 14
    assert slow.high == pytest.approx((0.3 * 10 * 23 / 3 + 2 * 2e-3 * 1e8) / 3600)


def test_without_a_pass_there_is_none(tmp_path: Path) -> None:
    census_of(tmp_path, Sampling(0.5), 60, 6)
    config = Config(by=("source",), size=1000, sampling=Sampling(0.5), copies="none")
    census = run_census([tmp_path / "in"], LENGTHS, tmp_path / "none", config, inline)
    cost = full_scan(census, 2.0)
    assert cost is not None
    assert (cost.copies, cost.memory) == (None, None)
    assert cost.table()["money"]["value"] == pytest.approx(2 * cost.hours.value)


def test_the_pass_is_timed_on_what_is_like_a_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up documents are all kept, and half of the pairs of keys link."""
    seen = []

    def watched(*args: Any) -> Any:
        found = group(*args)
        seen.append(found)
        return found

    monkeypatch.setattr(timings, "MADE_UP", 1 << 9)
    monkeypatch.setattr(timings, "group", watched)
    pace.cache_clear()
    assert pace(True) > 0
    assert pace(False) > 0
    near, again, exact, _ = seen
    assert near == again
    assert (near.documents, near.copies, near.clusters, near.largest) == (512, 0, 256, 2)
    assert (exact.documents, exact.clusters) == (512, 0)
    pace.cache_clear()


def test_fewer_than_two_parts_tell_nothing(tmp_path: Path) -> None:
    census = census_of(tmp_path, Sampling(0.5), 60, 3)
    assert full_scan(replace(census, timed={})) is None
    name = next(iter(census.timed))
    assert full_scan(replace(census, timed={name: census.timed[name]})) is None


def test_times_are_kept_for_the_next_run(tmp_path: Path) -> None:
    first = census_of(tmp_path, Sampling(0.5), 240, 6)
    assert set(first.timed) == set(first.manifest.parts)
    again = census_of(tmp_path, Sampling(0.5), 240, 6)
    assert again.found_done == len(first.manifest.parts)
    assert again.timed == first.timed
    assert first.passed is not None
    assert (first.passed.documents, first.passed.parts) == (first.receipt.kept, len(first.manifest.order))
    assert first.passed.seconds > 0
    assert again.passed == first.passed
    everything = census_of(tmp_path, Sampling(), 240, 6)
    assert everything.passed is None
    (first.folder / "timings.json").write_text("[broken")
    assert timings_in(first.folder) == Timings()
    assert census_of(tmp_path, Sampling(0.5), 240, 6).timed == {}


class Clock:
    """Time that passes by what is scored alone: 100 s for the first call, 5 s for each, 1 s for each document."""

    def __init__(self) -> None:
        self.now, self.sizes = 0.0, list[int]()

    def perf_counter(self) -> float:
        return self.now

    def score(self, items: Any) -> Any:
        self.now += (0 if self.sizes else 100) + 5 + len(items)
        self.sizes.append(len(items))
        return np.ones(len(items))


def clocked(folder: Path, output: Path, sampling: Sampling, monkeypatch: pytest.MonkeyPatch) -> tuple[Census, Clock]:
    clock = Clock()
    monkeypatch.setattr(process, "time", clock)
    monkeypatch.setattr(process, "_WARM", set())
    config = Config(size=1 << 20, limits=Limits(batch_rows=100), sampling=sampling, copies="exact")
    return run_census([folder], FunctionScorer(clock.score, "clocked"), output, config, inline), clock


def test_what_is_done_once_is_not_multiplied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    for number in range(8):
        jsonl(tmp_path / "in" / f"{number}.jsonl", rows(500, 500 * number))
    monkeypatch.setattr(units, "SMALL", 1 << 20)  # a unit for each file
    _, clock = clocked(tmp_path / "in", tmp_path / "all", Sampling(), monkeypatch)
    truth = clock.now
    assert truth == 100 + 5 * 40 + 4000
    sample, clock = clocked(tmp_path / "in", tmp_path / "sample", Sampling(0.3, seed=1), monkeypatch)
    assert clock.sizes[0] == 1  # to begin with
    assert len(clock.sizes) - 1 <= 20  # and not 40: of a batch of 100 30 are drawn, which are put together
    cost = full_scan(sample)
    assert cost is not None
    assert sample.started == 106
    pace_ = (3600 * cost.hours.value - sample.started) / cost.documents.value
    assert pace_ == pytest.approx((truth - 100) / 4000, rel=0.03)
    assert cost.hours.low * 3600 <= truth <= cost.hours.high * 3600
    assert (cost.scored, cost.is_known) == (sample.receipt.kept, True)
    few, _ = clocked(tmp_path / "in", tmp_path / "few", Sampling(0.01), monkeypatch)
    cost = full_scan(few)
    assert cost is not None
    assert not cost.is_known
    assert cost.table()["scored"] == few.receipt.kept < 300
    assert cost.hours.high * 3600 > truth


def test_batches_put_together_lose_nothing(tmp_path: Path) -> None:
    content = [{"id": f"d{n}", "text": "" if n % 7 == 0 else f"text {n}"} for n in range(900)]
    path = jsonl(tmp_path / "a.jsonl", content)
    (span,) = spans_of(str(path))
    for sampling in (Sampling(), Sampling(0.3), Sampling(0.001)):
        config = Config(limits=Limits(batch_rows=50), sampling=sampling)
        batches = [*process.filled(read(span, config.reading, config.limits), config)]
        assert sum(batch.seen for batch in batches) == 900
        assert sum(len(batch) + sum(one.rows for one in batch.aside) for batch in batches) == 900
        apart = [process.drawn(batch, config)[0] for batch in read(span, config.reading, config.limits)]
        for name in ("items", "id"):
            each = [
                [v for batch in some for v in (batch.items if name == "items" else batch.columns[name]).to_pylist()]
                for some in (batches, apart)
            ]
            assert each[0] == each[1]
        assert [p for b in batches for p in b.places.tolist()] == [p for b in apart for p in b.places.tolist()]
        assert all(len(batch) >= 50 for batch in batches[:-1]) or sampling.everything
