"""Drawing: exact probabilities, all copies of a text or none, the same whatever the order; what a sample says of the whole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from remission import SpecError
from remission.clinic.census.answering import documents_in
from remission.clinic.census.fingerprints import contents, first_words
from remission.clinic.census.kept import WHOLE
from remission.clinic.census.manifest import part_files, read_manifest, verify
from remission.clinic.census.parts import read_rows
from remission.clinic.census.running import kept_of, local_engine, run_census
from remission.clinic.census.sampling import NOT_DRAWN, Sampling, _uniform
from remission.clinic.census.units import Config
from tests.clinic.census.made import kept_of_parts, unsynced  # noqa: F401
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import corpus, inline
from tests.clinic.census.test_fingerprints import batch
from tests.corpus.damaged import jsonl


def words(n: int, salt: str = "") -> Any:
    import pyarrow as pa

    return first_words(contents(batch(pa.array([f"{salt}{k}" for k in range(n)], pa.large_string()))))


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_each_document_has_its_probability(rate: float) -> None:
    found = words(40_000)
    strata = np.array(["source=a", "source=b"])[np.arange(found.size) % 2]
    drawn = Sampling(rate, (("source=b", 0.7),)).drawn(found, strata)
    for name, p in (("source=a", rate), ("source=b", 0.7)):
        assert binomtest(int(drawn[strata == name].sum()), 20_000, p).pvalue > 1e-4
        assert binomtest(int(drawn[strata == name].sum()), 20_000, min(1, 1.3 * p + 0.002)).pvalue < 1e-4
    assert kstest(_uniform(found, 3), "uniform").pvalue > 1e-4
    both = np.corrcoef(_uniform(found, 0), _uniform(found, 1))[0, 1]
    assert abs(both) < 4 / math.sqrt(found.size)  # seeds do not go together


def test_the_larger_sample_holds_the_smaller() -> None:
    found, strata = words(5000), np.full(5000, "all")
    small, large = Sampling(0.1).drawn(found, strata), Sampling(0.3).drawn(found, strata)
    assert not (small & ~large).any()
    assert Sampling(1.0, (("source=a", 0.5),)).drawn(found, strata).all()


def test_strata_are_named_by_their_parts() -> None:
    drawing = Sampling(0.1, (("source=a", 0.5), ("year=2023", 0.2)))
    assert drawing.probability("source=a | year=2023") == 0.5
    assert drawing.probability("source=b | year=2023") == 0.2
    assert drawing.probability("source=ab | year=2022") == 0.1


@pytest.mark.parametrize(("files", "share"), [(1, 0.5), (7, 0.01), (10, 0.1), (25, 0.1), (97, 0.33), (10, 0.999)])
def test_each_file_has_its_probability_and_one_is_read(files: int, share: float) -> None:
    seeds = 3000
    found = np.array([Sampling(files=share, seed=seed).read(files) for seed in range(seeds)])
    p = Sampling(files=share).of(files).files
    assert p == max(share, 1 / files)
    counts = found.sum(axis=1)
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= 1
    for number in range(files):
        assert binomtest(int(found[:, number].sum()), seeds, p).pvalue > 1e-5 or p == 1
    assert abs(counts.mean() - files * p) < 0.03


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"rate": 0.0}, r"above 0 and at most at 1.*Got 0"),
        ({"rate": 1.5}, "Got 1.5"),
        ({"files": -0.1}, "of 'files'"),
        ({"strata": (("source=a", 2.0),)}, "of 'source=a'"),
    ],
)
def test_rates_that_cannot_be(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(SpecError, match=what):
        Sampling(**wrong)
    with pytest.raises(SpecError, match="strata are made of source"):
        Config(by=("source",), sampling=Sampling(strata=(("month=2023-01", 0.5),)))
    with pytest.raises(SpecError, match="strata are made of nothing"):
        Config(sampling=Sampling(strata=(("source", 0.5),)))


def ids(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in part_files(folder, read_manifest(folder)):
        rows = read_rows(path, ["status", "id"]).to_pylist()
        found |= {row["id"] for row in rows if row["status"] == "kept"}
    return found


def test_the_same_documents_whatever_the_cut_and_the_order(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    draw = Sampling(0.2, (("source=a", 0.6),))
    drawn = []
    for name, size, engine in (("a", 1000, inline), ("b", None, inline), ("c", 4000, local_engine(2))):
        config = Config(by=("source",), size=size, sampling=draw, copies="exact")
        census = run_census([folder], LENGTHS, tmp_path / name, config, engine)
        account = census.receipt.accounting()
        assert account["in"] == 300 == account["kept"] + account["dropped"]
        assert account["dropped_for"] == {NOT_DRAWN: account["dropped"]}
        assert verify(tmp_path / name, inputs=True) == []
        drawn.append(ids(tmp_path / name))
    assert drawn[0] == drawn[1] == drawn[2]
    assert 20 < len(drawn[0]) < 200
    other = Config(by=("source",), sampling=Sampling(0.2, (("source=a", 0.6),), seed=1), copies="exact")
    run_census([folder], LENGTHS, tmp_path / "d", other, inline)
    assert ids(tmp_path / "d") != drawn[0]


def test_all_copies_of_a_text_are_drawn_or_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        content = [{"id": f"d{number}-{k}", "text": f"text number {k}", "source": "abc"[number]} for k in range(200)]
        jsonl(tmp_path / "in" / f"{number}.jsonl", content)
    config = Config(by=("source",), sampling=Sampling(0.25), copies="exact")
    run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", config, inline)
    found: dict[str, set[str]] = {}
    for name in ids(tmp_path / "out"):
        number, text = name.split("-")
        found.setdefault(text, set()).add(number)
    assert 25 < len(found) < 80
    assert all(len(numbers) == 3 for numbers in found.values())


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(10):
        content = [{"id": f"d{number}-{k}", "text": f"text {number} {k}"} for k in range(number + 1)]
        jsonl(tmp_path / "in" / f"{number}.jsonl", content)
    census = run_census(
        [tmp_path / "in"], LENGTHS, tmp_path / "out", Config(sampling=Sampling(files=0.3), copies="exact"), inline
    )
    manifest = read_manifest(tmp_path / "out")
    assert len(manifest.inputs) == 3
    assert {*manifest.inputs, *(path for path, _ in manifest.unread)} == {
        str(path) for path in (tmp_path / "in").iterdir()
    }
    assert all(size == Path(path).stat().st_size for path, size in manifest.unread)
    assert census.receipt.seen == census.receipt.kept < 55
    assert (census.table()["files"], census.table()["unread"]) == (3, 7)
    assert manifest.sampling.files == 0.3
    one = run_census(
        [tmp_path / "in"], LENGTHS, tmp_path / "one", Config(sampling=Sampling(files=0.001), copies="exact"), inline
    ).manifest
    assert (len(one.inputs), one.sampling.files) == (1, 0.1)


def draw_documents(sampling: Sampling, contents_: Any, strata: Any, files: Any) -> Any:
    """Which documents a census would keep."""
    read = sampling.read(int(files.max()) + 1)[files]
    return read & sampling.drawn(contents_, strata)


def sample_of(folder: Path, sampling: Sampling, contents_: Any, strata: Any, files: Any) -> Any:
    drawing = sampling.of(int(files.max()) + 1)
    here = draw_documents(sampling, contents_, strata, files)
    columns = {"contents": contents_[here], "strata": strata[here], "file": [f"f{k}" for k in files[here]]}
    count = int(sampling.read(int(files.max()) + 1).sum())
    return kept_of_parts(folder, [columns], drawing, "exact", files=count)


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize(
    ("rate", "strata", "files"),
    [(0.2, (), 1.0), (0.1, (("source=a", 0.5),), 1.0), (1.0, (), 0.3), (0.5, (), 0.3)],
)
def test_how_many_documents_there_are(rate: float, strata: Any, files: float, tmp_path: Path) -> None:
    """Horvitz and Thompson: unbiased, and 95 % intervals cover; every content once, in the whole and in each stratum."""
    rng = np.random.default_rng(8)
    clustered = files < 1
    sizes = rng.integers(5, 60, 60)
    where = np.repeat(np.arange(60), sizes)
    n = where.size
    kind = np.array(["source=a", "source=b"])[(rng.random(n) < 0.3).astype(int)]
    value, hits, errors = [], {WHOLE: 0, "source=a": 0}, []
    repeats = 80
    for seed in range(repeats):
        # unless files are drawn, contents come 1 to 3 times, in both strata
        number = np.arange(n) if clustered else np.arange(n) // 2
        found = words(n, f"{seed}-")[number]
        truth = {WHOLE: np.unique(found).size, "source=a": np.unique(found[kind == "source=a"]).size}
        drawing = Sampling(rate, strata, files, seed)
        kept = sample_of(tmp_path / str(seed), drawing, found, kind, where)
        for name, tally in kept.tallies.items():
            if name in truth:
                one = documents_in(tally, drawing.of(60), kept.files, 0.95)
                assert one is not None
                hits[name] += one.low <= truth[name] <= one.high
                if name == WHOLE:
                    value.append(one.value / truth[name])
                    errors.append((one.high - one.low) / 2 / 1.96 / truth[name])
    assert abs(np.mean(value) - 1) < 4 * np.std(value) / math.sqrt(repeats)
    for count in hits.values():
        assert binomtest(count, repeats, 0.95).pvalue > 0.001, hits
    if not clustered:
        assert np.mean(errors) == pytest.approx(np.std(value), rel=0.3)


def test_the_number_of_documents_of_all_and_of_one_file() -> None:
    kept_all = documents_in(_tally(100, 100.0), Sampling(), 3, 0.95)
    assert kept_all is None
    one = documents_in(_tally(100, 1000.0), Sampling(files=0.1), 1, 0.95)
    assert one is not None
    assert (one.value, one.low, one.high) == (1000.0, 100.0, math.inf)


def _tally(n: int, weight: float) -> Any:
    from remission.clinic.census.kept import Tallies

    return Tallies(n=n, weight=weight)


def test_configs_with_sampling_come_back(tmp_path: Path) -> None:
    config = Config(by=("source",), sampling=Sampling(0.1, (("source=a", 0.5),), 0.5, 7), declared="generator")
    again = Config.of(json.loads(json.dumps(config.table())))
    assert (again.sampling, again.content()) == (config.sampling, config.content())
    assert Config(by=("source",)).content() != config.content()
    folder = corpus(tmp_path / "in", 30)
    manifest = run_census([folder], LENGTHS, tmp_path / "out", Config(copies="exact"), inline).manifest
    assert kept_of(tmp_path / "out", manifest).tallies[WHOLE].weight == 30


def test_names_of_strata_do_not_collide(tmp_path: Path) -> None:
    sources = ["a", "a\0", "a | kind=x", "a\n\u2028b", "a", "Zürich ☃"]
    jsonl(
        tmp_path / "a.jsonl",
        [
            {"id": str(k), "text": f"text {k}", "source": source, "kind": "xy"[k == 4]}
            for k, source in enumerate(sources)
        ],
    )
    census = run_census([tmp_path], LENGTHS, tmp_path / "out", Config(by=("source", "kind"), copies="none"), inline)
    assert {name: stratum.n for name, stratum in census.receipt.strata.items()} == {
        "source=a | kind=x": 1, "source=a� | kind=x": 1, "source=a ¦ kind=x | kind=x": 1, "source=a��b | kind=x": 1,
        "source=a | kind=y": 1, "source=Zürich ☃ | kind=x": 1,
    }  # fmt: skip
    rates = Sampling(0.5, (("source=a", 0.1), ("source=a | kind=x", 0.2), ("source=a\0", 0.3)))
    given = ["source=a | kind=y", "source=a ¦ kind=x | kind=x", "source=a� | kind=x", "source=b | kind=x"]
    assert [rates.probability(name) for name in given] == [0.1, 0.2, 0.3, 0.5]
