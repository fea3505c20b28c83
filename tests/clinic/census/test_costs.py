"""What a full scan takes, from the times of a sample's parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from remission.clinic.census.costs import full_scan
from remission.clinic.census.parts import part_path, receipt_of
from remission.clinic.census.running import Census, run_census, timings_in
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.units import Config
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
    return replace(census, timed=found)


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
    (first.folder / "timings.json").write_text("[broken")
    assert timings_in(first.folder) == {}
    assert census_of(tmp_path, Sampling(0.5), 240, 6).timed == {}
