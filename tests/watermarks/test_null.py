"""Without the key p-values are uniform or larger, on text that repeats itself; and the checks see laws that are 10 % off."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from remission.clinic.profiles import Hypothesis, Profile
from remission.clinic.radioactivity import fresh, of_readings
from remission.clinic.watermarking import Wish, scan
from remission.documents import Documents
from remission.errors import DataError, SpecError
from remission.evidence import Evidence, key_test, weigh
from remission.numerics.arrays import Floats, Integers
from remission.watermarking import Key, Law, TextWatermark, Tokens
from remission.watermarks._laws import Exponentials, Shares, Whole
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.synthid import Synthid
from remission.watermarks.unigram import Unigram

V = 499
LENGTH, TEXTS = 200, 40
SCHEMES: list[tuple[TextWatermark, int]] = [  # and how many random keys
    (Kgw(vocabulary=V), 150),
    (Kgw(vocabulary=V, gamma=0.5, seeding="selfhash", width=3), 60),
    (Kgw(vocabulary=V, dialect="original", width=2), 60),
    (Kgw(vocabulary=V, dialect="original", seeding="selfhash", width=3), 60),
    (Synthid(), 60),
    (Synthid(table_size=1009, start=True), 30),
    (Gumbel(), 200),
    (Gumbel(alpha=0.2, width=2), 200),
    (Unigram(vocabulary=V), 300),
]
NAMES = [mark.label for mark, _ in SCHEMES]


def source(seed: int = 2, size: int = 100_000) -> Integers:
    """Words of a text that repeats itself as code and prose do: rare and frequent words, half of them within copied passages."""
    rng = np.random.default_rng(seed)
    words = rng.zipf(1.3, size)
    place = 200
    while place < size - 200:
        old, length = rng.integers(place - 30), rng.integers(5, 30)
        words[place : place + length] = words[old : old + length].copy()
        place += length + rng.integers(5, 30)
    return np.array([zlib.crc32(str(word).encode()) for word in words], np.int64)


@pytest.fixture(scope="module")
def words() -> Integers:
    return source()


def texts(words: Integers, mark: TextWatermark, many: int = TEXTS, length: int = LENGTH) -> Tokens:
    """Texts from all over the source, in the numbers that a scheme can take."""
    ids = words % getattr(mark, "vocabulary", 2**31)
    begin = np.linspace(0, ids.size - length, many).astype(int)
    return Tokens.of([ids[place : place + length] for place in begin])


def found_under_keys(mark: TextWatermark, keys: int, tokens: Tokens, repeats: Any = "text") -> list[Evidence]:
    rng = np.random.default_rng(0)
    return [weigh(mark, mark.random_key(rng), tokens, repeats) for _ in range(keys)]


def excess(log10_p: list[Floats], alpha: float) -> float:
    """By how many standard errors, from the spread between keys, p <= alpha comes too often."""
    shares = np.array([(p <= math.log10(alpha) + 1e-12).mean() for p in log10_p])
    error = shares.std(ddof=1) / math.sqrt(shares.size)
    return float((shares.mean() - alpha) / max(error, alpha / math.sqrt(shares.size * TEXTS)))


def stretched(found: Evidence) -> Floats:
    """p-values of a law whose scores are taken for 10 % smaller than they are."""
    law = found.law
    if isinstance(law, Shares):
        return Shares(round(0.9 * law.green), law.size, law.distinct).log10_tail(found.n, found.total)
    if isinstance(law, Exponentials):
        return Exponentials((0.9 * law.scales[0], 0.9 * law.scales[1])).log10_tail(found.n, found.total)
    return law.log10_tail(np.rint(0.9 * found.n).astype(np.int64), found.total)


@pytest.mark.parametrize(("mark", "keys"), SCHEMES, ids=NAMES)
def test_p_values_hold_where_text_repeats(words: Integers, mark: TextWatermark, keys: int) -> None:
    found = found_under_keys(mark, keys, texts(words, mark))
    ours, off = [one.log10_p for one in found], [stretched(one) for one in found]
    assert all((one.n > 30).all() for one in found)
    for alpha in (0.05, 0.01):
        assert excess(ours, alpha) <= 4
    assert excess(off, 0.05) > 4


@pytest.mark.parametrize("mark", [mark for mark, _ in SCHEMES], ids=NAMES)
def test_counting_repetitions_is_wrong(words: Integers, mark: TextWatermark) -> None:
    """Passages of code that come four times: the naive count fails the test that the other one passes."""
    tokens = texts(words, mark, 20, 150)
    tokens = Tokens.of([np.tile(row, 4) for row in _rows(tokens)])
    naive = found_under_keys(mark, 60, tokens, "all")
    shares = Shares(mark.law(naive[0].key).green, V) if isinstance(mark, Unigram) else None  # n is no number of tokens
    log10_p = [(shares or one.law).log10_tail(one.n, one.total) for one in naive]
    assert excess(log10_p, 0.01) > 4
    assert np.mean([(p <= -2).mean() for p in log10_p]) > 0.04
    assert excess([one.log10_p for one in found_under_keys(mark, 30, tokens)], 0.01) <= 4


@pytest.mark.parametrize("mark", [Gumbel(), Gumbel(alpha=0.2), Gumbel(width=1)], ids=lambda mark: mark.label)
def test_continuous_laws(words: Integers, mark: Gumbel) -> None:
    """One text under 2,000 keys: uniform."""
    tokens = texts(words, mark, 1, 150)
    found = found_under_keys(mark, 2000, tokens)
    p = np.concatenate([10**one.log10_p for one in found])
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    wrong_scale = np.concatenate([10 ** stretched(one) for one in found])
    n = found[0].n
    wrong_n = np.concatenate([10 ** one.law.log10_tail(np.rint(1.1 * n).astype(np.int64), one.total) for one in found])
    for off in (wrong_scale, wrong_n):
        assert stats.kstest(off, "uniform").pvalue < 1e-9


@pytest.mark.parametrize("mark", [SCHEMES[i][0] for i in (0, 1, 4, 6, 8)], ids=[NAMES[i] for i in (0, 1, 4, 6, 8)])
def test_documents_and_all_together(words: Integers, mark: TextWatermark) -> None:
    """Counted once in the whole corpus: p-values of documents hold, of all of them together as well; added up naively they do not."""
    tokens, many = Tokens.of(_rows(texts(words, mark, 20, 300)) * 4), 40
    found = found_under_keys(mark, many, tokens, "corpus")
    assert excess([one.log10_p[one.n > 0] for one in found], 0.05) <= 4
    pooled = np.array([one.pooled[2] for one in found])
    assert (pooled <= math.log10(0.05)).sum() <= stats.binom.ppf(0.9999, many, 0.05)
    if not isinstance(mark, Unigram):
        naive = np.array([one.pooled[2] for one in found_under_keys(mark, many, tokens)])
        assert np.std(naive) > 1.5 * np.std(pooled)
    places = [tuple(mark.identities(one.key, tokens, one.places).tolist()) for one in found[:2]]
    assert all(len(set(one)) == len(one) for one in places)


@pytest.mark.parametrize(
    "mark", [Kgw(vocabulary=V), Synthid(), Gumbel(alpha=0.1), Unigram(vocabulary=V)], ids=lambda mark: mark.name()
)
def test_ranks_among_random_keys(words: Integers, mark: TextWatermark) -> None:
    """They agree with the exact law within what 199 keys can tell, and are uniform over true keys."""
    tokens, rng = texts(words, mark, 6, 120), np.random.default_rng(5)
    ranks, exact = [], []
    for seed in range(8 if isinstance(mark, Synthid) else 25):
        key = mark.random_key(rng)
        ranks.append(key_test(mark, key, tokens, 199, seed))
        exact.append(10 ** weigh(mark, key, tokens).log10_p)
    rank, p = np.concatenate(ranks), np.concatenate(exact)
    gap = (rank - p) / np.sqrt(np.maximum(p * (1 - p), 0.01) / 200)
    assert np.abs(gap).max() < 5.5
    assert abs(gap.mean()) < 0.8
    assert rank.min() >= 1 / 200
    assert stats.kstest(np.array([one[0] for one in ranks]), "uniform").pvalue > 1e-3
    few = Tokens.of([[], [3]])
    assert key_test(mark, mark.random_key(rng), few, 9)[0] == 1.0


def test_lists_that_contexts_share_count_once(words: Integers) -> None:
    """A key that is a multiple of 2^28 has 16 green lists; one of 2^32 has a single one, which everybody knows."""
    mark = Kgw(vocabulary=V)
    tokens = texts(words, mark, 10, 800)
    keys = [Key("k", (odd * 2**power,)) for power in (27, 28) for odd in range(1, 2 ** (32 - power), 2)]
    found = [weigh(mark, key, tokens) for key in keys]
    assert excess([one.log10_p for one in found], 0.05) <= 4
    for one, key in zip(found[:3], keys, strict=False):
        lists = (tokens.ids[one.places - 1] * key.values[0]) % 2**32
        for text in range(len(tokens)):
            pairs = list(zip(lists[one.text == text], tokens.ids[one.places][one.text == text], strict=True))
            assert len(set(pairs)) == len(pairs)
    for value in (2**32, 2**64 - 1):
        assert (weigh(mark, Key("k", (value,)), tokens).n == 0).all()


def test_self_hash_counts_permutation_and_token() -> None:
    """What repeats is (permutation, token): two windows of one token with the same least seed are one piece of evidence."""
    mark, key = Kgw(vocabulary=50, seeding="selfhash", width=3), Key("k", (15485863,))
    tokens = Tokens.of([np.random.default_rng(0).integers(0, 50, 2000)])
    found = weigh(mark, key, tokens)
    windows = weigh(mark, key, tokens, "dialect")
    assert found.n[0] < 0.9 * windows.n[0]
    seeds = mark._own_seeds(key, tokens, found.places)
    pairs = list(zip(seeds.tolist(), tokens.ids[found.places].tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    every = mark.scorable(tokens)
    same: dict[tuple[int, int], float] = {}
    seeds = mark._own_seeds(key, tokens, every)
    for pair, score in zip(zip(seeds, tokens.ids[every], strict=True), mark.scores(key, tokens, every), strict=True):
        assert same.setdefault(pair, score) == score


# --- laws -------------------------------------------------------------------------------------------------------


def test_two_keys_have_an_exact_law() -> None:
    """n = 20, alpha = 0.1: beside it the engine's Gamma of the same two moments gives too many false positives."""
    mark, n, runs, rng = Gumbel(alpha=0.1), 20, 2_000_000, np.random.default_rng(1)
    law = mark.law(Key("k", (1,)))
    x, y = rng.standard_gamma(n, runs), rng.standard_gamma(n, runs)
    total = 0.9 * x + 0.1 * y
    many = np.array([n])

    def exact(at: float, wanted: float) -> float:
        return float(law.log10_tail(many, np.array([at]))[0]) - wanted

    def moments(at: float, wanted: float) -> float:
        return float(np.log10(mark.published(many, np.array([at]))["p"][0])) - wanted

    for alpha in (1e-3, 1e-4, 1e-5):
        ours, theirs = (optimize.brentq(tail, 20, 60, (math.log10(alpha),)) for tail in (exact, moments))
        error = math.sqrt(alpha / runs)
        assert abs((total >= ours).mean() - alpha) <= 4 * error
        theta = 1 - 20 / ours  # more such totals, each with its weight: the same answer, but sharper
        a, b = 0.9 / (1 - 0.9 * theta), 0.1 / (1 - 0.1 * theta)
        tilted = a * x + b * y
        weight = np.exp(-theta * tilted - n * (math.log1p(-0.9 * theta) + math.log1p(-0.1 * theta)))
        found = []
        for limit in (ours, theirs):
            values = np.where(tilted >= limit, weight, 0.0)
            found.append((values.mean() - alpha) / (values.std() / math.sqrt(runs)))
        assert abs(found[0]) <= 4
        assert found[1] > 20


LAWS: list[Law] = [
    Shares(124, V),
    Shares(1, 2),
    Exponentials(),
    Exponentials((0.8, 0.2)),
    Exponentials((0.5, 0.5)),
    Synthid().law(Key("s", (5, 9, 77, 1234))),
    Synthid(table_size=1009).law(Key("s", (5, 9, 2**62))),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_tilted_laws(law: Law) -> None:
    """The derivative of the logarithm is the mean that was asked for; the rate is convex, and 0 at the mean and below."""
    sd = math.sqrt(law.variance)
    top = 0.95 if isinstance(law, Shares) else law.mean + 3 * sd
    means = np.linspace(law.mean, top, 200)
    theta, logarithm = law.tilt(means)
    assert theta[0] == pytest.approx(0, abs=1e-12)
    assert logarithm[0] == pytest.approx(0, abs=1e-12)
    slope = np.diff(logarithm) / np.diff(theta)
    np.testing.assert_allclose(slope, (means[1:] + means[:-1]) / 2, rtol=0.02)
    assert abs(slope[0] / (1.1 * means[0]) - 1) > 0.05
    assert np.diff(theta)[0] / np.diff(means)[0] == pytest.approx(1 / law.variance, rel=0.03)
    rate = law.rate(means)
    assert (np.diff(rate, 2) >= -1e-12).all()
    assert law.rate(np.array([law.mean, 0.5 * law.mean, 0.0])).tolist() == [0, 0, 0]
    if type(law) is Shares or law == Exponentials():  # Chernoff's bound, and Cramer's theorem
        n = np.full(means.size, 5000)
        totals = np.ceil(n * means) if isinstance(law, Shares) else n * means
        log_p = law.log10_tail(n, totals) * math.log(10)
        bound = -n * law.rate(totals / n)
        assert (log_p <= bound + 1e-6).all()
        np.testing.assert_allclose(log_p[60:], bound[60:], rtol=0.05)


@pytest.mark.parametrize("size", [65536, 1009])
def test_moments_are_those_of_scores(size: int) -> None:
    """Scores of random n-grams, and the key's own law: mean, variance, and every value's share."""
    mark, key = Synthid(table_size=size, table_seed=2), Key("s", (3, 2**62 + 11, 500, 2**40))
    ids = np.random.default_rng(0).integers(0, 2**31, 400_000)
    tokens = Tokens.of([ids])
    scores, law = mark.scores(key, tokens, mark.scorable(tokens)), mark.law(key)
    assert isinstance(law, Whole)
    assert abs(scores.mean() - law.mean) < 4 * math.sqrt(law.variance / scores.size)
    assert scores.var() == pytest.approx(law.variance, rel=0.01)
    counts = np.bincount(scores.astype(int), minlength=law.lattice.mass.size)
    wanted = scores.size * law.lattice.mass
    held = wanted > 5
    assert counts[~held].sum() == 0
    statistic = float(((counts[held] - wanted[held]) ** 2 / wanted[held]).sum())
    assert stats.chi2.sf(statistic, held.sum() - 1) > 1e-4
    fair = np.ones(1)
    for weight in (10, 7, 4, 1):
        fair = np.convolve(fair, np.bincount([0, weight], minlength=weight + 1) / 2)
    if size == 1009:  # a small table is far from fair coins
        off = scores.size * fair[held]
        assert stats.chi2.sf(float(((counts[held] - off) ** 2 / off).sum()), held.sum() - 1) < 1e-9


# --- pooled tests of the clinic -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [Kgw(vocabulary=V), Synthid(), Gumbel()], ids=lambda mark: mark.name())
def test_models_that_read(words: Integers, mark: TextWatermark) -> None:
    """What a model says after marked text is no evidence as long as it knows nothing of the key; and is, if it does."""
    from remission.clinic.power import write

    rng = np.random.default_rng(0)
    size = V
    p: list[float] = []
    knowing: list[tuple[Evidence, int]] = []
    for _ in range(60):
        key = mark.random_key(rng)
        tokens = Tokens.of(list(write(mark, key, 2, 60, 3.0, rng, size)))
        said = [np.where(rng.random(60) < 0.3, np.roll(row, -1), rng.integers(0, size, 60)) for row in _rows(tokens)]
        found, left_out = of_readings(mark, key, tokens, said)
        p.append(found.pooled[2])
        assert found.pooled[0] + left_out > 60
        assert found.pooled[0] > 40
        if len(knowing) < 5:
            knowing.append(of_readings(mark, key, tokens, [_best(mark, key, row, rng, size) for row in _rows(tokens)]))
    assert (np.array(p) <= math.log10(0.05)).sum() <= stats.binom.ppf(0.9999, 60, 0.05)
    assert all(found.pooled[2] < -4 for found, _ in knowing)
    with pytest.raises(DataError, match="No text has more than"):
        of_readings(Gumbel(), Key("g", (1,)), Tokens.of([[1, 2]]), [np.array([1, 2])])


def _rows(tokens: Tokens) -> list[Integers]:
    return np.split(tokens.ids, tokens.starts[1:-1])


def _best(mark: TextWatermark, key: Key, row: Integers, rng: np.random.Generator, size: int) -> Integers:
    """Of eight guesses the one with the largest score at every place but the first."""
    out = rng.integers(0, size, row.size)
    for place in range(mark.context, row.size):
        guesses = rng.integers(0, size, 8)
        tried = Tokens.of([np.append(row[place - mark.context + 1 : place + 1], guess) for guess in guesses])
        out[place] = guesses[mark.scores(key, tried, tried.starts[1:] - 1).argmax()]
    return out


def test_prompts_are_left_out() -> None:
    mark, key = Kgw(vocabulary=V), Key("k", (77,))
    rng = np.random.default_rng(0)
    prompts = Tokens.of([rng.integers(1, V, 100)])
    outputs = Tokens.of([np.concatenate([prompts.ids[20:60], rng.integers(1, V, 30)]), prompts.ids[50:70]])
    found, excluded = fresh(mark, key, outputs, prompts)
    assert excluded >= 45
    held = set(zip(prompts.ids[:-1].tolist(), prompts.ids[1:].tolist(), strict=True))
    kept = list(zip(outputs.ids[found.places - 1].tolist(), outputs.ids[found.places].tolist(), strict=True))
    assert not held & set(kept)
    assert len(set(kept)) == len(kept) == found.n.sum()


def hypotheses(*marks: TextWatermark, keys: int = 1) -> list[Hypothesis]:
    rng = np.random.default_rng(9)
    return [
        Hypothesis(Profile(f"{mark.name()} {i}", mark), mark.random_key(rng, f"k{j}"))
        for i, mark in enumerate(marks)
        for j in range(keys)
    ]


def test_scan_of_a_corpus_that_shares_passages(words: Integers) -> None:
    """Each passage ten times: whatever is counted once, no key is said to be there, and few documents are called."""
    ids = words[:6000].reshape(30, 200)
    rows = [np.append(row, [1000 + copy]) for row in ids for copy in range(10)]
    looked_for = hypotheses(Gumbel(), Synthid(), keys=4)
    for repeats in ("corpus", "text"):
        found = scan(Documents(rows), looked_for, Wish(repeats=repeats))
        assert not any(row["present"] for row in found.by_profile)
        assert found.marked.mean() <= 0.05
        assert found.shares[0]["method"] == "none found"
        assert found.shares[0]["high"] == pytest.approx(1 - 0.05 ** (1 / found.shares[0]["n_tested"]))
    naive = weigh(looked_for[0].profile.mark, looked_for[0].key, Tokens.of(rows))
    assert naive.pooled[0] > 5 * weigh(looked_for[0].profile.mark, looked_for[0].key, Tokens.of(rows), "corpus").n.sum()


def test_scan_corrects_for_hypotheses_and_says_what_it_cannot(words: Integers) -> None:
    from remission.clinic.power import write

    rng = np.random.default_rng(0)
    looked_for = hypotheses(Gumbel(), keys=10)
    key = looked_for[3].key
    plain = rng.integers(0, 400, (200, 60))
    marked = write(Gumbel(), key, 10, 60, 3.0, rng, 400)
    documents = Documents([*plain, *marked], {"part": np.array(["large"] * 195 + ["small"] * 15)})
    found = scan(documents, looked_for, Wish(by=("part",), repeats="corpus"))
    assert found.marked[200:].all()
    assert found.marked[:200].mean() <= 0.05
    assert (found.best[200:] == 3).all()
    tokens = Tokens.of(documents.items)
    least = np.min([weigh(one.profile.mark, one.key, tokens, "corpus").log10_p for one in looked_for], axis=0)
    np.testing.assert_allclose(found.log10_p, np.minimum(0, least + 1), atol=1e-9)
    uncorrected = (least[:200] <= math.log10(0.05)).mean()
    assert uncorrected > 0.2 > 0.08 > (found.log10_p[:200] <= math.log10(0.05)).mean()
    rows = {row["stratum"]: row for row in found.shares}
    assert rows["small"]["n_marked"] >= 10
    assert rows["small"]["method"] == "called marked"  # 15 texts are too few for a mixture; "none found" would be false
    assert rows["small"]["low"] <= 10 / 15 <= rows["small"]["value"] < rows["small"]["high"]
    assert rows["large"]["high"] < 0.1
    assert 0 < rows["all"]["low"] < 10 / 210 < rows["all"]["high"] < 0.2


# --- bad input --------------------------------------------------------------------------------------------------

ALL: list[TextWatermark] = [
    Kgw(vocabulary=V),
    Kgw(vocabulary=V, seeding="selfhash", width=4),
    Kgw(vocabulary=V, dialect="original", width=3),
    Synthid(),
    Synthid(table_size=1009),
    Synthid(start=True, eos=3),
    Gumbel(),
    Gumbel(alpha=0.1),
    Unigram(vocabulary=V),
]


@pytest.mark.parametrize("mark", ALL, ids=lambda mark: mark.label)
def test_keys_that_cannot_be_used_are_not_shown(mark: TextWatermark) -> None:
    tokens = Tokens.of([[1, 2, 3, 4, 5, 6]])
    secret = 987654321987654321987654321
    bad = [(), (secret,), (-secret,)]
    bad += [(5, 6)] if not isinstance(mark, Synthid) else [(5,) * 65, (5, 2**63)]
    for values in bad:
        key = Key("mine", values)
        for act in (lambda: weigh(mark, key, tokens), lambda: mark.steering(key), lambda: mark.check_key(key)):  # noqa: B023
            with pytest.raises(SpecError, match="'mine'") as caught:
                act()
            assert "98765" not in str(caught.value)
    good = mark.random_key(np.random.default_rng(0), "mine")
    assert repr(good) == str(good) == "Key(name='mine')"
    assert all(str(value) not in repr(weigh(mark, good, tokens)) for value in good.values)


@pytest.mark.parametrize("mark", ALL, ids=lambda mark: mark.label)
@pytest.mark.parametrize("repeats", ["text", "corpus", "dialect", "all"])
def test_texts_with_nothing_to_score(mark: TextWatermark, repeats: Any) -> None:
    key = mark.random_key(np.random.default_rng(0))
    none = weigh(mark, key, Tokens.of([]), repeats)
    assert (none.log10_p.size, none.pooled) == (0, (0, 0.0, 0.0))
    assert key_test(mark, key, Tokens.of([]), 9).size == 0
    short = weigh(mark, key, Tokens.of([[], [5], []]), repeats)
    assert short.log10_p[[0, 2]].tolist() == [0, 0]
    assert np.isfinite(short.log10_p).all()
    assert (short.n[1] == 1) == (mark.padded or mark.context == 0)
    assert (short.log10_p[1] == 0) or short.n[1] == 1
    same = weigh(mark, key, Tokens.of([[7] * 50]), repeats)
    assert np.isfinite(same.log10_p).all()
    if repeats in ("text", "corpus"):
        assert same.n[0] <= mark.context + 1


def test_what_is_no_text_of_tokens() -> None:
    for text in (
        [-1],
        [4, -7, 2],
        [1.5],
        [True],
        ["a"],
        "words",
        7,
        [2**63 + 5],
        [2**70],
        [[1, 2], [3, 4]],
        [1, [2, 3]],
    ):
        with pytest.raises(DataError, match=r"Text 1 (is no row of token numbers|holds -)"):
            Tokens.of([[1, 2], text])  # type: ignore[list-item]
    for mark in ALL:
        if not hasattr(mark, "vocabulary"):
            continue
        key, tokens = mark.random_key(np.random.default_rng(0)), Tokens.of([[1, 2, 3, 4, 5, V + 200_000_000]])
        for act in (
            lambda: weigh(mark, key, tokens),  # noqa: B023
            lambda: mark.scores(key, tokens, np.array([5])),  # noqa: B023
        ):
            with pytest.raises(DataError, match=f"the vocabulary has {V}"):
                act()
    with pytest.raises(DataError, match="last 3 tokens"):
        Kgw(vocabulary=V, dialect="original", width=3).greens(Key("k", (3,)), [1, 2])


def test_more_draws_than_there_are_is_no_evidence() -> None:
    """Added up over texts Unigram's tokens may be more than its vocabulary: then nothing is claimed."""
    mark = Unigram(vocabulary=50)
    rng = np.random.default_rng(0)
    found = weigh(mark, mark.random_key(rng), Tokens.of([rng.permutation(50)[:45] for _ in range(3)]))
    assert found.pooled[2] == 0.0
