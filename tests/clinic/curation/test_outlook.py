"""What curation does to the next generations: laws against loops that are really run, and edges."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from remission.clinic.curation import _outlook_loops as loops
from remission.clinic.curation import _outlook_sample as samples
from remission.clinic.curation import _outlook_sharp as sharp
from remission.clinic.curation.outlook import outlook
from remission.errors import DataError, SpecError, StoreError
from remission.estimate import Estimate
from remission.report.outlook import build, section, write_page
from remission.theory.type_survival_fresh import alive, limit, weights
from tests.battery import assert_agrees, measure


def share(value, low=None, high=None):
    return Estimate(value, value if low is None else low, value if high is None else high, 0.95, "given", 100)


BEFORE, AFTER = share(0.8, 0.75, 0.85), share(0.2, 0.15, 0.25)


def texts(count=160, words=60, types=400, seed=1):
    rng = np.random.default_rng(seed)
    p = 1 / (np.arange(1, types + 1) + 2.7)
    drawn = rng.choice(types, size=(count, words), p=p / p.sum())
    return [" ".join(f"w{word}" for word in row) for row in drawn]


# --- laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("synthetic", [0.0, 0.5, 0.9, 1.0])
def test_types_alive_are_what_a_loop_shows(synthetic):
    """Within 4 standard errors in every generation; 10 % off is rejected."""
    rows = measure(
        """
        [experiment]
        generations = 5
        samples = 400
        fast = true
        seed = 11
        [source]
        kind = "zipf"
        types = 300
        shift = 2.7
        [model]
        kind = "unigram"
        [[metric]]
        kind = "types"
        """
        + f'[regime]\nkind = "fresh"\nshare = {1 - synthetic}\n',
        400,
    )
    p = 1 / (np.arange(1, 301) + 2.7)
    p /= p.sum()
    rare = p <= np.quantile(p, 0.5, method="lower")
    for t, (every, few) in enumerate(
        zip(alive(p, 400, weights(synthetic, 5)), alive(p[rare], 400, weights(synthetic, 5)), strict=True)
    ):
        assert_agrees(rows["types.alive"][:, t], every)
        assert_agrees(rows["types.rare-recall"][:, t], few / rare.sum())


def test_weight_is_a_bound_of_the_exact_chain():
    """The chain of one type, worked out: the law lies below it, and comes closer as n grows."""
    from scipy.stats import binom

    def exact(p, n, human, generations):
        law = binom.pmf(np.arange(n + 1), n, p)
        for _ in range(generations - 1):
            made = binom.pmf(np.arange(n + 1)[None], n - human, np.arange(n + 1)[:, None] / n)
            law = np.convolve(law @ made, binom.pmf(np.arange(human + 1), human, p))[: n + 1]
        return 1 - law[0]

    gaps = []
    for n in (10, 40, 160):
        said, true = float(-np.expm1(-weights(0.6, 6)[-1])), exact(1 / n, n, round(0.4 * n), 6)
        assert said <= true
        gaps.append(true - said)
    assert gaps[2] < gaps[1] < gaps[0] < 0.1
    assert gaps[2] < 0.5 * gaps[1]


def test_limits():
    assert limit(0.0) == 1.0
    assert limit(1.0) == 0.0
    for synthetic in (0.1, 0.5, 0.95):
        assert limit(synthetic) == pytest.approx(weights(synthetic, 3000)[-1], rel=1e-9)
    assert 0 < limit(0.999) < limit(0.99) < limit(0.9) < 1
    assert weights(1.0, 200)[-1] == pytest.approx(2 / 200, rel=0.1)


def test_the_outlook_is_what_the_loop_of_its_own_corpus_shows(tmp_path):
    """The unigram of the very sample, run: all laws of the outlook hold at the estimated share, and not 10 % off."""
    found = outlook(texts(), BEFORE, AFTER, 5, tokens=500, folder=tmp_path)
    for name, synthetic in (("before", 0.8), ("after", 0.2), ("human", 0.0)):
        rows = measure(
            f"""
            [experiment]
            generations = 5
            samples = 500
            fast = true
            seed = 5
            [source]
            kind = "surrogate"
            base = {{ kind = "file", path = "{tmp_path}/texts.parquet", text = "text", length = 1 }}
            [model]
            kind = "unigram"
            [regime]
            kind = "fresh"
            share = {1 - synthetic}
            [[metric]]
            kind = "types"
            [[metric]]
            kind = "heterozygosity"
            """,
            400,
        )
        for row in ("types.alive", "types.recall", "types.rare-recall", "types.lost", "heterozygosity"):
            assert_agrees(rows[row][:, -1], found.curve(name, row).values[-1], f"{name} {row}")


def test_ranges_hold_all_shares_of_the_interval():
    found = outlook(texts(), BEFORE, AFTER, 6)
    for synthetic in (0.75, 0.8, 0.85):
        alone = outlook(texts(), share(synthetic), AFTER, 6).curve("before", "types.once")
        wide = found.curve("before", "types.once")
        assert all(low <= value <= high for low, value, high in zip(wide.low, alone.values, wide.high, strict=True))
    effect = next(one for one in found.effects if one.row == "types.once")
    assert 0 < effect.change.low < effect.change.value < effect.change.high
    assert effect.change.level == pytest.approx(0.9)
    assert effect.before < effect.after < effect.human


def test_no_change_is_no_effect():
    found = outlook(texts(), BEFORE, BEFORE, 4, simulate=True, replicates=3)
    assert {one.method for one in found.effects} == {"law", "simulated"}
    assert all(one.change.value == one.change.low == one.change.high == 0 for one in found.effects)
    other = outlook(texts(), BEFORE, AFTER, 4)
    assert any(one.change.value != 0 for one in other.effects)


def test_thresholds_in_words():
    found = outlook(texts(), BEFORE, AFTER, 4)
    for name, value, low, high in (("before", 0.8, 0.75, 0.85), ("after", 0.2, 0.15, 0.25)):
        tips = found.tips[name]
        assert (tips.value, tips.low, tips.high) == pytest.approx((value, low, high), abs=1e-3)
    assert any(
        "below 0.8 [0.75, 0.85] before curation, below 0.2 [0.15, 0.25] after" in line for line in found.sentences()
    )
    assert found.tips["human"] is None
    for row in ("types.alive", "types.lost", "types.rare-recall"):
        late = outlook(texts(), BEFORE, AFTER, 400).curve("before", row)
        assert found.long_run["before"][row] == pytest.approx(late.values[-1], rel=1e-6)
    assert any("no tipping point short of 100 %" in line for line in found.sentences())
    whole = outlook(texts(), share(1.0), AFTER, 4)
    assert whole.long_run["before"]["types.once"] == whole.long_run["before"]["heterozygosity.kept"] == 0.0
    assert any("total collapse" in line for line in whole.sentences())


@pytest.mark.parametrize(("synthetic", "temperature"), [(0.9, 0.8), (0.3, 0.9), (0.6, 1.3)])
def test_sharper_sampling_is_what_a_loop_of_many_items_shows(synthetic, temperature):
    rows = measure(
        f"""
        [experiment]
        generations = 5
        samples = 1000000
        fast = true
        seed = 2
        [source]
        kind = "zipf"
        types = 40
        [model]
        kind = "unigram"
        [sampling]
        temperature = {temperature}
        [regime]
        kind = "fresh"
        share = {1 - synthetic}
        [[metric]]
        kind = "types"
        [[metric]]
        kind = "heterozygosity"
        [[metric]]
        kind = "entropy"
        [[metric]]
        kind = "max-share"
        """,
        50,
    )
    p = 1 / np.arange(1, 41)
    p /= p.sum()
    rare = p <= np.quantile(p, 0.5, method="lower")
    said = sharp.rows(p, rare, synthetic, 5, temperature)
    for row, values in said.items():
        for t in range(5):
            assert_agrees(rows[row][:, t], values[t], f"{row} {t}")
    late = sharp.rows(p, rare, synthetic, 1500, temperature)
    for row, value in sharp.settled(p, rare, synthetic, temperature).items():
        assert late[row][-1] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (share(0.0, 0.0, 0.0072), ""), (share(0.0), ""), (share(0.02, 0.0, 0.049), ""),
        (share(0.0, 0.0, 0.3), "below 0 to 0.3 before"), (share(0.06, 0.01, 0.1), "below 0.06 [0.01, 0.1] before"),
    ],
)  # fmt: skip
def test_nothing_is_said_of_tipping_at_temperatures_that_nobody_samples_at(one, told):
    lines = [line for line in outlook(texts(), one, one, 2).sentences() if "runs away" in line]
    assert len(lines) == bool(told)
    assert told in " ".join(lines)


@pytest.mark.parametrize("whole", [None, (share(math.nan, 0.1, 0.9), share(math.nan, 0.0, 0.8))])
def test_shares_of_judged_documents_are_said_to_be_that(whole):
    found = outlook(texts(), BEFORE, AFTER, 2, whole=whole)
    lead = found.sentences()[0]
    assert ("of the training corpus is synthetic" in lead) == (whole is None)
    assert ("it is 10 to 90 % before and 0 to 80 % after" in lead) == (whole is not None)
    assert (found.document()["whole"] is None) == (whole is None)
    json.dumps(found.document(), allow_nan=False)


def test_temperature_tips():
    """Law T1: beyond, not, or perhaps, by the interval of the share."""
    cold = outlook(texts(), BEFORE, AFTER, 6, temperature=0.5)
    assert any("before curation it is beyond that, after curation it is not" in line for line in cold.sentences())
    close = outlook(texts(), BEFORE, AFTER, 6, temperature=0.8)
    assert any(
        "more than 80 %" in line and "before curation it may be beyond that" in line for line in close.sentences()
    )
    tails = [one.curve("before", "types.tail").values[-1] for one in (cold, close)]
    assert tails[0] < tails[1] < 1
    curve = cold.curve("before", "types.tail")
    assert curve.low[-1] < curve.values[-1] < curve.high[-1]
    assert cold.curve("human", "types.tail").values[-1] == 1.0
    assert outlook(texts(), BEFORE, AFTER, 3, temperature=1.2).sentences()[-1].startswith("Above a temperature of 1")
    json.dumps(cold.document(), allow_nan=False)


def test_simulated_at_a_temperature():
    found = outlook(texts(200, 80), BEFORE, AFTER, 4, temperature=0.8, simulate=True, replicates=6)
    effects = {one.row: one for one in found.effects if one.method == "simulated"}
    assert "perplexity" not in effects
    assert effects["types.alive"].change.low > 0
    warm = outlook(texts(200, 80), BEFORE, AFTER, 4, simulate=True, replicates=6)
    alive_at = [one.curve("before", "types.alive", "simulated") for one in (found, warm)]
    assert alive_at[0].high[-1] < alive_at[1].low[-1]
    assert [chart.name for chart in section(found.document()).charts] == [
        "types.tail-law", "entropy-law", "types.alive-simulated", "distinct.2-simulated",
    ]  # fmt: skip


def test_a_large_training_set_says_what_the_sample_cannot_know():
    found = outlook(texts(), BEFORE, AFTER, 4, tokens=10**12)
    assert any("has never seen" in note for note in found.notes)
    assert "come once in a training set" in found.sentences()[1]
    assert found.curve("before", "types.rare-recall").values[-1] == pytest.approx(1.0)
    assert found.curve("before", "types.once").values[-1] < 0.5


def test_only_bounds_of_a_share():
    bounds = Estimate(math.nan, 0.1, 0.6, 0.95, "bounds", 100)
    found = outlook(texts(), bounds, AFTER, 4, simulate=True, replicates=3)
    for method in ("law", "simulated"):
        curve = found.curve("before", "types.alive", method)
        assert all(math.isnan(value) for value in curve.values)
        assert all(low <= high for low, high in zip(curve.low, curve.high, strict=True))
    law = found.curve("before", "types.alive")
    ends = [outlook(texts(), share(end), AFTER, 4).curve("before", "types.alive").values for end in (0.1, 0.6)]
    assert law.low == pytest.approx(ends[1])
    assert law.high == pytest.approx(ends[0])
    assert "10 to 60 %" in found.sentences()[0]
    assert "before" not in found.long_run
    assert any("below 0.1 to 0.6 before curation" in line for line in found.sentences())
    json.dumps(found.document(), allow_nan=False)
    assert build(found.document()).charts


# --- simulation ---------------------------------------------------------------------------------------------------


def test_simulated_loops_lose_more_before_curation(tmp_path):
    found = outlook(texts(200, 80), BEFORE, AFTER, 5, simulate=True, replicates=8, folder=tmp_path)
    effects = {one.row: one for one in found.effects if one.method == "simulated"}
    assert effects["types.alive"].change.low > 0
    assert effects["distinct.2"].change.low > 0
    assert effects["types.alive"].before < effects["types.alive"].human
    json.dumps(found.document(), allow_nan=False)
    assert len(found.sentences()) == 8
    again = []
    same = outlook(
        texts(200, 80),
        BEFORE,
        AFTER,
        5,
        simulate=True,
        replicates=8,
        folder=tmp_path,
        progress=lambda *one: again.append(one),
    )
    assert same.document() == found.document()
    assert again[0] == (40.0, 120.0)  # finished loops are not run again: the first one is told as done at once


def test_common_random_numbers_narrow_the_interval():
    """The first generation of all loops is the same fit; pairs differ less than runs of their own would."""
    found = outlook(texts(200, 80), share(0.3), share(0.25), 3, simulate=True, replicates=10)
    first = [found.curve(name, "types.alive", "simulated").values[0] for name in ("before", "after", "human")]
    assert first[0] == first[1] == first[2]
    change = next(one for one in found.effects if one.row == "types.alive" and one.method == "simulated").change
    ends = [found.curve(name, "types.alive", "simulated") for name in ("before", "after")]
    apart = math.hypot(*(one.high[-1] - one.low[-1] for one in ends))
    assert change.high - change.low < apart


def test_human_text_is_never_used_twice(tmp_path):
    sample, _ = samples.stored(texts(200, 80), tmp_path, 0)
    chosen = loops.sizes(sample, 6, 3, 20)
    assert chosen.blocks * (6 + 1) <= sample.tokens // chosen.length
    large = loops.sizes(samples.Sample(tmp_path, 1, 1, 1, 10**7, 10), 10, 3, 20)
    assert large.tokens * 10 * 3 * 20 <= 40_000_000


# --- what is given ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [share(1.2), share(-0.1), share(0.5, 0.6, 0.7), share(0.5, 0.2, 1.5), Estimate(math.nan, 0.7, 0.6, 0.95, "", 1),
     Estimate(0.2, math.nan, math.nan, 0.95, "", 1)],
)  # fmt: skip
def test_shares_out_of_range(wrong):
    with pytest.raises(SpecError, match="'before' is a synthetic share"):
        outlook(texts(), wrong, AFTER)
    with pytest.raises(SpecError, match="'after' is a synthetic share"):
        outlook(texts(), BEFORE, wrong)


def test_bad_numbers():
    with pytest.raises(SpecError, match="At least 1 generation"):
        outlook(texts(), BEFORE, AFTER, 0)
    with pytest.raises(SpecError, match="At least 2 replicates"):
        outlook(texts(), BEFORE, AFTER, simulate=True, replicates=1)
    with pytest.raises(SpecError, match="at least 2 tokens"):
        outlook(texts(), BEFORE, AFTER, tokens=1)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_bad_temperature(temperature):
    with pytest.raises(SpecError, match="A temperature is a number above 0"):
        outlook(texts(), BEFORE, AFTER, temperature=temperature)


def test_bad_texts(tmp_path):
    for nothing in ([], ["", "  \n"]):
        with pytest.raises(DataError, match="no text in the sample"):
            outlook(nothing, BEFORE, AFTER)
    with pytest.raises(DataError, match="a list of texts"):
        outlook("one text", BEFORE, AFTER)
    with pytest.raises(DataError, match="Text 1 of the sample is NoneType"):
        outlook(["a", None], BEFORE, AFTER)
    with pytest.raises(DataError, match="lone surrogate"):
        outlook(["a", "b \ud800"], BEFORE, AFTER)
    with pytest.raises(DataError, match="too few to predict"):
        outlook(["a few words"], BEFORE, AFTER)
    with pytest.raises(DataError, match="too few to simulate 10 generations"):
        outlook(texts(20, 60), BEFORE, AFTER, simulate=True)
    with pytest.raises(DataError, match="no text"):
        outlook([], BEFORE, AFTER, folder=tmp_path / "new")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        outlook(texts(), BEFORE, AFTER, folder=tmp_path / "file")


def test_one_long_text_and_one_generation():
    found = outlook([" ".join(texts())], BEFORE, AFTER, 1)
    assert found.sample.used == 1
    assert all(one.change.value == 0 for one in found.effects)  # fit 1 is on human text
    assert "after 1 generation as" in found.sentences()[1]


def test_scripts_without_blanks_are_counted_by_character():
    rng = np.random.default_rng(3)
    given = ["".join(chr(0x4E00 + int(i)) for i in rng.zipf(1.5, 80) % 500) + "。" for _ in range(100)]
    found = outlook(given, BEFORE, AFTER, 3, simulate=True, replicates=2)
    assert found.sample.level == "character"
    assert found.sample.tokens == 100 * 82  # with the sign at the end and the end itself
    assert found.sample.types <= 502
    assert any("single character" in note for note in found.notes)
    assert outlook(texts(), BEFORE, AFTER, 3).sample.level == "word"


def test_more_than_is_used(monkeypatch):
    monkeypatch.setattr(samples, "MOST_BYTES", 10_000)
    given = texts()
    used, size = samples.chosen(given, 0)
    assert 9_000 < size <= 10_000
    assert used == [text for text in given if text in set(used)]
    assert samples.chosen(given, 0)[0] == used
    assert samples.chosen(given, 1)[0] != used
    found = outlook(given, BEFORE, AFTER, 2)
    assert found.sample.used == len(used) < found.sample.given == 160
    assert any("picked at random" in note for note in found.notes)
    with pytest.raises(DataError, match="Cut it up"):
        samples.chosen(["a" * 20_000], 0)


# --- report -------------------------------------------------------------------------------------------------------


def test_page(tmp_path):
    found = outlook(texts(), BEFORE, AFTER, 4, simulate=True, replicates=3).document()
    page = write_page(tmp_path / "page.html", found).read_text(encoding="utf-8")
    assert "The next generations" in page
    assert "no synthetic text" in page
    part = section(found)
    assert [chart.name for chart in part.charts] == [
        "types.once-law", "types.rare-recall-law", "types.alive-simulated", "distinct.2-simulated", "perplexity-simulated",
    ]  # fmt: skip
    assert part.findings[0].sentence == found["sentences"][0]
    laws = section(outlook(texts(), BEFORE, AFTER, 4).document())
    assert all(chart.name.endswith("-law") for chart in laws.charts)
