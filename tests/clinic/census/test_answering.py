"""Shares of a census: intervals cover with clusters and in samples, contents count once, known documents join by weight."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from remission import DataError, SpecError
from remission.clinic.census import answering
from remission.clinic.census.answering import CensusRow, answer, genuine, stray
from remission.clinic.census.kept import Kept, Marking, Tallies, _shares
from remission.clinic.census.sampling import Sampling
from remission.clinic.prevalence import Answer, Wish
from remission.estimate import Estimate
from remission.scored import Sample
from tests.clinic.census.made import kept_of_parts, unsynced  # noqa: F401

pytestmark = pytest.mark.usefixtures("unsynced")
GAP = 2.5


def calibrated(rng: Any, kinds: tuple[str, ...] = ("k",), n: int = 1500) -> Any:
    """What an answer needs of a calibrated detector: human scores from N(0, 1), synthetic ones from N(GAP, 1)."""
    names = np.repeat(np.array(kinds), n)
    return SimpleNamespace(
        strata=SimpleNamespace(names=kinds), fitted=SimpleNamespace(facts={}), facts={},
        human=Sample.of(rng.normal(0, 1, names.size)), human_strata=names,
        synthetic=Sample.of(rng.normal(GAP, 1, names.size)), synthetic_strata=names,
        threshold=lambda _: SimpleNamespace(score=2.0, fpr=Estimate(0.02, 0.01, 0.03, 0.95, "made", n)),
    )  # fmt: skip


def asked(kept: Kept, rng: Any, sampling: Sampling | None = None, kinds: tuple[str, ...] = ("k",)) -> Answer:
    return answer(kept, calibrated(rng, kinds), Wish(), sampling)


def covered(hits: int, n: int) -> bool:
    """Whether so many of n are compatible with 93 to 98 %."""
    return binomtest(hits, n, 0.93, "less").pvalue > 0.005 and binomtest(hits, n, 0.98, "greater").pvalue > 0.005


def versions(rng: Any, texts: int = 150, share: float = 0.3) -> tuple[Any, Any, Any]:
    """Each text in 1 to 50 edited versions, whose scores are nearly alike: cluster, score, origin of each document."""
    sizes = np.minimum(rng.zipf(1.7, texts), 50)
    cluster = np.repeat(np.arange(texts), sizes)
    synthetic = rng.random(texts) < share
    score = rng.normal(0, 1, texts) + GAP * synthetic
    return cluster, score[cluster] + rng.normal(0, 0.05, cluster.size), synthetic[cluster]


def part(cluster: Any, score: Any, **more: Any) -> dict[str, Any]:
    keys = np.zeros((cluster.size, 14), np.uint64)
    keys[:, 3] = cluster + 1
    return {"contents": np.arange(1, cluster.size + 1), "bands": keys, "score": score, "cell": "k", **more}


def coverage(tmp_path: Path, repeats: int, copies: str, texts: int = 150, most: int | None = None) -> tuple[int, float]:
    hits, widths = 0, []
    for seed in range(repeats):
        rng = np.random.default_rng(100 + seed)
        cluster, score, _ = versions(rng, texts)
        order = rng.permutation(cluster.size)
        more = {} if most is None else {"most": most}
        kept = kept_of_parts(tmp_path / f"{copies}{seed}", [part(cluster[order], score[order])], None, copies, **more)
        share = asked(kept, rng).whole.share
        hits += share.low <= 0.3 <= share.high
        widths.append(share.high - share.low)
    return hits, float(np.mean(widths))


def test_intervals_cover_with_near_duplicates_and_not_without_them(tmp_path: Path) -> None:
    hits, _ = coverage(tmp_path, 50, "near")
    assert covered(hits, 50), hits
    wrong, _ = coverage(tmp_path, 20, "none")
    assert wrong < 16, "documents taken as drawn one by one should cover far too seldom"


@pytest.mark.slow
def test_intervals_cover_with_near_duplicates_over_many_corpora(tmp_path: Path) -> None:
    hits, _ = coverage(tmp_path, 1000, "near", 400)
    assert 930 <= hits <= 980, hits
    wrong, _ = coverage(tmp_path, 200, "none")
    assert wrong < 150, wrong


def test_a_choice_of_clusters_is_as_right_and_less_sharp(tmp_path: Path) -> None:
    hits, width = coverage(tmp_path, 40, "near", 500, most=900)
    assert covered(hits, 40), hits
    _, all_of_them = coverage(tmp_path / "all", 8, "near", 500)
    assert width > 1.1 * all_of_them


def test_what_is_held_of_strata() -> None:
    assert _shares({"a": 10, "b": 20}, 30) == {"a": 1.0, "b": 1.0}
    shares = _shares({"a": 1000, "b": 50_000, "c": 100_000}, 21_000)
    assert shares == {"a": 1.0, "b": 0.2, "c": 0.1}
    assert _shares({"a": 10**6}, 1000) == {"a": 0.001}
    many = _shares({str(k): 10**6 for k in range(100)}, 10_000)
    assert set(many.values()) == {0.001}  # 1,000 of each, so that each can be estimated
    assert _shares({}, 10) == {}


def test_whole_clusters_are_chosen_with_their_probability(tmp_path: Path) -> None:
    cluster = np.repeat(np.arange(4000), 3)
    kept = kept_of_parts(tmp_path, [part(cluster, np.zeros(12_000))], most=3000)
    sizes = np.unique(kept.unit, return_counts=True)[1]
    assert set(sizes.tolist()) == {3}
    assert binomtest(sizes.size, 4000, 0.25).pvalue > 1e-4
    assert np.unique(kept.weight).tolist() == [4.0]
    assert kept.tallies["all"].n == 12_000


def test_every_content_counts_once_in_the_whole_and_in_each_stratum(tmp_path: Path) -> None:
    """A text that stands 30 times in a, and once in b, would turn the share of the whole, and of a."""
    rng = np.random.default_rng(1)
    human, synthetic = rng.normal(0, 1, 400), rng.normal(GAP, 1, 100)
    contents = np.concatenate([np.arange(1, 501), np.repeat(np.arange(401, 441), 30), np.arange(401, 441)])
    score = np.concatenate([human, synthetic])[contents - 1]
    strata = np.array(["source=a"] * 500 + ["source=a"] * 1200 + ["source=b"] * 40)
    order = rng.permutation(contents.size)
    columns = {"contents": contents[order], "strata": strata[order], "score": score[order], "cell": "k"}
    found = asked(kept_of_parts(tmp_path, [columns]), rng)
    whole, a, b = found.rows
    assert isinstance(a, CensusRow)
    assert isinstance(b, CensusRow)
    assert (whole.n, a.n, b.n) == (500, 500, 40)
    assert (a.n_copies, b.n_copies) == (1200, 0)
    assert whole.share.value == pytest.approx(0.2, abs=0.05)
    assert a.share.value == pytest.approx(0.2, abs=0.05)
    assert b.share.value > 0.8
    counted = asked(kept_of_parts(tmp_path / "none", [columns], None, "none"), rng)
    assert counted.whole.share.value > 0.6


def test_each_stratum_looks_at_its_own_documents_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every stratum looking at all documents, thousands of strata of millions of documents would take hours."""
    rng, looked, row = np.random.default_rng(7), [0], answering._row
    strata = rng.permutation(np.repeat([f"source=s{k}" for k in range(20)], 15))
    columns = {"contents": np.arange(1, 301), "strata": strata, "score": rng.normal(0, 1, 300), "cell": "k"}
    kept = kept_of_parts(tmp_path, [columns])

    def counted(view: Any, wish: Wish, part: Kept, *rest: Any) -> CensusRow:
        looked[0] += part.score.size + view.usable.size
        return row(view, wish, part, *rest)

    monkeypatch.setattr(answering, "_row", counted)
    rows = asked(kept, rng).rows
    assert {one.n for one in rows[1:]} == {15}
    assert looked[0] == 4 * 300  # once for the whole, once for the strata
    assert [one.stratum for one in rows] == ["all", *sorted(set(strata.tolist()))]


@pytest.mark.parametrize("weighted", [True, False])
def test_strata_drawn_at_different_rates(weighted: bool, tmp_path: Path) -> None:
    """Source a is 5 % synthetic and drawn at 10 %, b is 60 % and drawn whole; the corpus is 80 % of a. By weight that is 16 %."""
    drawing = Sampling(0.1, (("source=b", 1.0),))
    hits, values, repeats = 0, [], 40 if weighted else 10
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        n = 4000
        b = rng.random(n) < 0.2
        synthetic = rng.random(n) < np.where(b, 0.6, 0.05)
        here = rng.random(n) < np.where(b, 1.0, 0.1)
        columns = {
            "contents": np.flatnonzero(here) + 1, "strata": np.where(b, "source=b", "source=a")[here], "cell": "k",
            "score": (rng.normal(0, 1, n) + GAP * synthetic)[here],
        }  # fmt: skip
        kept = kept_of_parts(tmp_path / str(seed), [columns], drawing if weighted else None, "exact")
        found = asked(kept, rng, drawing if weighted else None)
        values.append(found.whole.share.value)
        hits += found.whole.share.low <= synthetic.mean() <= found.whole.share.high
    if weighted:
        assert binomtest(hits, repeats, 0.93, "less").pvalue > 0.005, hits
        assert np.mean(values) == pytest.approx(0.16, abs=0.02)
    else:
        assert hits == 0
        assert np.mean(values) > 0.35


def test_samples_of_files_cover(tmp_path: Path) -> None:
    """Files differ in their shares: documents alone would promise far too much."""
    hits, wrong, repeats, drawing = 0, 0, 40, Sampling(files=0.1)
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        shares = rng.beta(1, 3, 40)
        file = np.repeat(np.arange(40), rng.integers(20, 60, 40))
        synthetic = rng.random(file.size) < shares[file]
        columns = {
            "contents": np.arange(1, file.size + 1), "file": [f"f{k}" for k in file], "cell": "k",
            "score": rng.normal(0, 1, file.size) + GAP * synthetic,
        }  # fmt: skip
        kept = kept_of_parts(tmp_path / str(seed), [columns], drawing, "exact", files=40)
        share = asked(kept, rng, drawing).whole.share
        hits += share.low <= 0.25 <= share.high
        other = asked(kept_of_parts(tmp_path / f"d{seed}", [columns], None, "exact"), rng).whole.share
        wrong += other.low <= 0.25 <= other.high
    assert covered(hits, repeats), hits
    assert wrong < 0.8 * repeats


def test_in_a_sample_the_number_of_known_documents_is_not_known_either(tmp_path: Path) -> None:
    hits, narrow, repeats, drawing = 0, 0, 80, Sampling(0.05)
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        n = 300
        says = rng.random(n) < 0.5
        synthetic = says | (rng.random(n) < 0.02)
        columns = {
            "contents": np.arange(1, n + 1), "declared": says.tolist(), "cell": "k",
            "score": rng.normal(0, 1, n) + 2 * GAP * synthetic,
        }  # fmt: skip
        kept = kept_of_parts(tmp_path / str(seed), [columns], drawing, "exact")
        share = asked(kept, rng, drawing).whole.share
        hits += share.low <= 0.51 <= share.high
        without = asked(kept, rng).whole.share
        narrow += without.low <= 0.51 <= without.high
    assert binomtest(hits, repeats, 0.93, "less").pvalue > 0.005, hits
    assert narrow < 0.6 * repeats


def files_declared_whole(folder: Path, rng: Any, shares: Any, drawn: int, drawing: Sampling) -> Any:
    """The row of a sample of files, of whose documents such shares are declared; the others are human."""
    here = np.sort(rng.choice(shares.size, drawn, replace=False))
    file = np.repeat(here, 12)
    says = rng.random(file.size) < shares[file]
    columns = {
        "contents": np.arange(1, file.size + 1), "file": [f"f{k}" for k in file], "cell": "k", "declared": says.tolist(),
        "score": rng.normal(0, 1, file.size) + 2 * GAP * says,
    }  # fmt: skip
    return asked(kept_of_parts(folder, [columns], drawing, "exact"), rng, drawing).whole


@pytest.mark.parametrize(("drawn", "of"), [(2, 0.5), (5, 0.3), (10, 0.1), (20, 0.5)])
def test_samples_of_few_files_cover_where_files_are_declared_whole(drawn: int, of: float, tmp_path: Path) -> None:
    """Files that were drawn may all be alike, and still others are not: no variance is no certainty."""
    hits, repeats, drawing = 0, 30, Sampling(files=0.25)
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        shares = (np.arange(4 * drawn) < 4 * drawn * of).astype(float)
        share = files_declared_whole(tmp_path / str(seed), rng, shares, drawn, drawing).share
        assert share.low <= share.value <= share.high
        hits += share.low <= shares.mean() <= share.high
    assert hits >= 0.93 * repeats, hits


@pytest.mark.parametrize("alike", [1.0, 0.0])
def test_files_that_are_all_alike_say_less_the_fewer_they_are(alike: float, tmp_path: Path) -> None:
    widths = []
    for drawn in (1, 2, 5, 40):
        rng, shares = np.random.default_rng(drawn), np.full(drawn, alike)
        row = files_declared_whole(tmp_path / str(drawn), rng, shares, drawn, Sampling(files=0.1))
        assert row.share.value == pytest.approx(alike, abs=0.05)
        assert ("one unit" in row.reason) == (drawn == 1)
        widths.append(row.share.high - row.share.low)
    assert widths[0] == 1.0
    assert widths == sorted(widths, reverse=True)
    assert widths[2] > 0.4  # of 5 that are alike, the share may be as low as 48 % by Clopper and Pearson
    assert widths[3] < 0.15


def test_one_document_that_was_drawn_says_nothing_of_the_others(tmp_path: Path) -> None:
    drawing = Sampling(0.004, (("source=b", 1.0),))
    columns = {"contents": [1, 2], "declared": [True, True], "cell": "k", "strata": ["source=a", "source=b"]}
    _, a, b = asked(kept_of_parts(tmp_path, [columns], drawing, "exact"), np.random.default_rng(0), drawing).rows
    assert (a.share.value, a.share.low, a.share.high) == (1.0, 0.0, 1.0)
    assert (b.share.value, b.share.low, b.share.high) == (1.0, 1.0, 1.0)  # all of b was looked at


def test_how_far_a_stray_unit_reaches() -> None:
    """Ten units of one: (10 + 1) / 12 +- t(9) sqrt(.0764 / 11), by hand; it grows where one unit weighs more than others."""
    down, up = stray(np.ones(10), np.arange(10), np.ones(10), 0.95)
    assert down == pytest.approx(1 / 12 + 2.2622 * math.sqrt(11 / 12 / 12 / 11), abs=1e-4)
    assert up == pytest.approx(down - 2 / 12)
    heavy, _ = stray(np.ones(10), np.arange(10), np.r_[np.ones(9), 20.0], 0.95)
    assert heavy > 1.5 * down
    rng = np.random.default_rng(0)
    values, units = rng.random(3000), rng.permutation(3000)
    wald = 1.96 * values.std() / math.sqrt(3000)
    assert stray(values, units, np.ones(3000), 0.95) == pytest.approx((wald, wald), rel=0.01)


def test_known_documents_join_by_their_number(tmp_path: Path) -> None:
    """600 of unknown origin, 30 % synthetic; 200 declared, 100 archived, 100 marked, whose scores would say otherwise."""
    rng = np.random.default_rng(5)
    unknown = rng.normal(0, 1, 600) + GAP * (np.arange(600) < 180)
    columns = {
        "contents": np.arange(1, 1001), "cell": "k", "score": np.concatenate([unknown, np.full(400, 0.0)]),
        "declared": [600 <= k < 800 for k in range(1000)],
        "mark": ["m"] * 1000, "log10_p": np.where(np.arange(1000) >= 900, -9.0, -0.1),
    }  # fmt: skip
    archive = np.sort((np.arange(801, 901, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15))
    kept = kept_of_parts(tmp_path, [columns], archive=archive, marks=True)
    row = asked(kept, rng).whole
    assert isinstance(row, CensusRow)
    assert row.detected is not None
    assert (row.n, row.n_declared, row.n_archived, row.n_marked) == (1000, 200, 100, 100)
    assert row.detected.value == pytest.approx(0.3, abs=0.05)
    assert row.share.value == pytest.approx(0.6 * row.detected.value + 0.2 + 0.1, abs=1e-3)
    assert row.share.high - row.share.low < row.detected.high - row.detected.low
    assert row.share.method == "matched+known"
    table = row.table()
    assert (table["n_marked"], table["detected"]["value"], table["documents"]) == (100, row.detected.value, None)


def test_where_all_is_known_no_score_is_needed(tmp_path: Path) -> None:
    columns = {
        "contents": np.arange(1, 101), "cell": "", "score": [None] * 100, "reason": "too short",
        "declared": [k < 25 for k in range(100)],
    }  # fmt: skip
    archive = np.sort(np.arange(26, 101, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    row = asked(kept_of_parts(tmp_path, [columns], archive=archive), np.random.default_rng(0)).whole
    assert (row.share.value, row.share.low, row.share.high, row.verdict) == (0.25, 0.25, 0.25, "estimate")
    assert (row.n, row.n_abstained, row.share.method) == (100, 0, "known")


def test_known_documents_that_cannot_be_judged_are_left_out_like_the_others(tmp_path: Path) -> None:
    """Long documents are 5 % synthetic, short ones too, of which the detector says nothing; half of all synthetic say so."""
    rng = np.random.default_rng(6)
    n = 8000
    synthetic = rng.random(n) < 0.05
    says, short = synthetic & (rng.random(n) < 0.5), rng.random(n) < 0.6
    score = np.where(short, np.nan, rng.normal(0, 1, n) + GAP * synthetic)
    columns = {
        "contents": np.arange(1, n + 1), "cell": np.where(short, "", "k"), "declared": says.tolist(),
        "score": [None if value != value else value for value in score.tolist()],
        "reason": np.where(short, "too short", ""),
    }  # fmt: skip
    found = asked(kept_of_parts(tmp_path, [columns]), rng)
    row = found.whole
    assert row.share.low <= 0.05 <= row.share.high
    assert row.share.high < 0.07  # it would be (.4 x .05 + .6 x .025) / (.4 + .6 x .025) = 8.4 % with them
    assert row.n == int((~short).sum())
    assert row.n_abstained == int(short.sum())
    assert any("known origin that cannot be judged" in line for line in found.warnings)


def test_conflicts_are_told_and_count_as_human(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    columns = {
        "contents": np.arange(1, 301), "cell": "k", "score": rng.normal(0, 1, 300), "declared": [k < 40 for k in range(300)],
    }  # fmt: skip
    archive = np.sort(np.arange(31, 61, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    kept = kept_of_parts(tmp_path, [columns], archive=archive)
    found = asked(kept, rng)
    assert isinstance(found.whole, CensusRow)
    assert (found.whole.n_declared, found.whole.n_archived) == (30, 30)
    assert any(line.startswith("10 documents lie in the archive") for line in found.warnings)


def test_false_discoveries_go_by_what_was_tested() -> None:
    """A stratum of 10,000 tested documents at a cut of 0.001 has 10 false ones, however many were found elsewhere."""
    marking = Marking(0.05, -3.0, 20_000, 400, {"m": 400})
    few = genuine(marking, Tallies(tested=10_000, marked=12), 0.95)
    assert few.value == pytest.approx(1 - 10 / 12)
    assert few.low == 0.0
    many = genuine(marking, Tallies(tested=10_000, marked=388), 0.95)
    assert many.value == pytest.approx(1 - 10 / 388)
    assert many.low == pytest.approx(1 - 17 / 388)
    assert genuine(marking, Tallies(tested=10_000, marked=5), 0.95).value == 0.0


def test_the_interval_of_genuine_marks_covers() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        false = int((rng.random(5000) < 1e-3).sum())
        if not 20 + false:
            continue
        found = genuine(Marking(0.05, -3.0, 5000, 20 + false, {}), Tallies(tested=5000, marked=20 + false), 0.95)
        hits += found.low <= 20 / (20 + false) <= found.high
    assert hits >= 0.95 * 400


def test_a_placebo_that_fails_refuses_everything(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    columns = {
        "contents": np.arange(1, 501), "cell": "k", "score": rng.normal(GAP, 1, 500), "early": [k < 200 for k in range(500)],
        "declared": [k > 450 for k in range(500)],
    }  # fmt: skip
    found = asked(kept_of_parts(tmp_path, [columns]), rng)
    assert found.whole.verdict == "refused"
    assert math.isnan(found.whole.share.value)
    assert "placebo failed" in found.whole.reason


def test_nothing_to_answer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No usable document"):
        asked(kept_of_parts(tmp_path, []), np.random.default_rng(0))
    with pytest.raises(SpecError, match="needs the documents themselves"):
        answer(kept_of_parts(tmp_path, []), calibrated(np.random.default_rng(0)), Wish(estimator="words"))
