"""The arithmetic below the text watermarks: generators, tails, lattices, repetitions and tournaments, each beside a slow other way."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from remission.numerics import mersenne, philox, repeats, survival, tournament
from remission.numerics.arrays import Floats, Integers
from remission.numerics.lattice import Lattice

SEEDS = (0, 1, 15485863, 2**32 - 1, 2**32 + 7, 2**63 - 1, 2**63 + 12345, 2**64 - 2)
SIZES = (1, 2, 3, 17, 623, 624, 625, 1249, 50257)


def same_probability(ours: Any, wanted: Any, digits: float = 1e-9) -> None:
    """Logarithms of probabilities that agree to so much of the probability."""
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(wanted, float), rtol=0, atol=digits)


# --- the Mersenne twister ---------------------------------------------------------------------------------------


class Twister:
    """MT19937 as it is published, one word at a time."""

    def __init__(self, seed: int) -> None:
        self.state = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            last = self.state[-1]
            self.state.append((1812433253 * (last ^ (last >> 30)) + i) & 0xFFFFFFFF)
        self.at = 624

    def next(self) -> int:
        if self.at == 624:
            for i in range(624):
                y = (self.state[i] & 0x80000000) | (self.state[(i + 1) % 624] & 0x7FFFFFFF)
                self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
            self.at = 0
        y = self.state[self.at]
        self.at += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)


def shuffled(seed: int, size: int, count: int) -> list[int]:
    """The head of a forward Fisher-Yates shuffle."""
    twister, out = Twister(seed), list(range(size))
    for i in range(count):
        j = i + twister.next() % (size - i)
        out[i], out[j] = out[j], out[i]
    return out[:count]


def test_numbers_of_the_twister() -> None:
    """10,000 numbers from 5489 end with the one that the C++ standard names; and every other generator agrees."""
    assert mersenne.integers(5489, 10_000)[-1] == 4123659995
    for seed in SEEDS:
        twister = Twister(seed)
        assert mersenne.integers(seed, 1300).tolist() == [twister.next() for _ in range(1300)]
    assert mersenne.integers(5, 0).size == 0


@pytest.mark.parametrize("size", [1, 2, 17, 624, 625, 1300])
def test_shuffle(size: int) -> None:
    for seed in SEEDS:
        assert mersenne.head(seed, size, size).tolist() == shuffled(seed, size, size)
    for count in {0, 1, size // 4, size - 1}:
        assert mersenne.head(3, size, count).tolist() == shuffled(3, size, count)


@pytest.mark.parametrize("size", SIZES)
def test_permutations_of_torch(size: int) -> None:
    torch = pytest.importorskip("torch")
    for seed in SEEDS:
        wanted = torch.randperm(size, generator=torch.Generator().manual_seed(seed)).numpy()
        for count in {size, size // 2, min(size, 100)}:
            assert np.array_equal(mersenne.head(seed, size, count), wanted[:count]), (seed, count)
    wanted = torch.randint(0, 2, (5000,), generator=torch.Generator().manual_seed(9)).numpy()
    assert np.array_equal(mersenne.integers(9, 5000) & 1, wanted)


@pytest.mark.parametrize(
    ("size", "count"), [(1, 1), (2, 1), (17, 4), (625, 624), (1300, 325), (1300, 1300), (4099, 1024)]
)
def test_members(size: int, count: int) -> None:
    """Alone, in runs of every length, all at once: what is in the head, and the work space is left clean between runs."""
    rng = np.random.default_rng(size)
    runs = [rng.permutation(size)[:many] for many in (1, 2, 3, size, 1, size // 2, size) if many]
    seeds = [int(seed) for seed in rng.integers(0, 2**64, len(runs), dtype=np.uint64)]
    bounds = np.cumsum([0, *(len(run) for run in runs)])
    of_each = np.repeat(np.array(seeds, np.uint64), np.diff(bounds))
    found = mersenne.members(of_each, bounds, np.concatenate(runs), size, count)
    for seed, run, (low, high) in zip(seeds, runs, itertools.pairwise(bounds), strict=True):
        assert np.array_equal(found[low:high], np.isin(run, mersenne.head(seed, size, count)))
    assert mersenne.members(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty(0, np.int64), size, count).size == 0


# --- Philox -----------------------------------------------------------------------------------------------------

LOW = 0xFFFFFFFF
#: Counter, key and output of the known-answer tests that come with Random123, philox4x32 with 10 rounds.
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([LOW] * 4, [LOW] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]  # fmt: skip


def rounds(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in whole numbers of Python."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & LOW, (p0 >> 32) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return [c0, c1, c2, c3]


def uniform(key: int, context: list[int], token: int) -> float:
    """The dialect as documented: blocks of four tokens, pad words, then the token's word of its block."""
    k0, k1 = key & LOW, key >> 32
    state = [0x574D4358, len(context), 0, 0]
    for offset in range(0, len(context), 4):
        block = [word & LOW for word in context[offset : offset + 4]]
        block += [LOW - index for index in range(len(block), 4)]
        state = rounds([a ^ b for a, b in zip(state, block, strict=True)], [k0 ^ offset, k1])
    word = rounds([(token & LOW) >> 2, *state[:3]], [k0 ^ state[3], k1 ^ 0x574D544B])[token & 3]
    return float(np.float32(((word >> 8) + 1) / (2**24 + 1)))


def test_philox_in_python_gives_the_known_answers() -> None:
    for counter, key, wanted in KNOWN:
        assert rounds(counter, key) == wanted


@pytest.mark.parametrize("width", range(1, 10))
def test_philox(width: int) -> None:
    rng = np.random.default_rng(width)
    for key in (0, 42, LOW, 2**32, 2**63 + 99, 2**64 - 1):
        context = rng.integers(-1, 200_000, width)
        found = philox.uniforms(key, context, 11)
        assert found.tolist() == [uniform(key, context.tolist(), token) for token in range(11)]
        assert ((found > 0) & (found < 1)).all()
    ids = rng.integers(0, 2**31, 2 * width + 5)
    first = np.repeat([0, width + 2], [width + 2, width + 3])
    places = np.arange(ids.size)
    found = philox.uniforms_at(77, ids, first, places, width)
    for place in places:
        before = [int(ids[at]) if at >= first[place] else -1 for at in range(place - width, place)]
        assert found[place] == uniform(77, before, int(ids[place]))


# --- tails ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.001, 0.25, 0.4993, 0.999])
def test_binomial_tail(share: float) -> None:
    n = np.repeat([1, 2, 7, 100, 3000, 20_000], 40)
    rng = np.random.default_rng(0)
    k = np.clip(np.rint(n * share + np.sqrt(n * share * (1 - share)) * rng.uniform(-6, 6, n.size)), -1, n + 1)
    found = survival.log_binomial_tail(n, k.astype(np.int64), share)
    wanted = stats.binom.sf(k - 1, n, share)
    np.testing.assert_allclose(np.exp(found), wanted, rtol=2e-9, atol=0)
    assert (found[k <= 0] == 0).all()
    assert (found[k > n] == -np.inf).all()
    off = np.exp(survival.log_binomial_tail(n, k.astype(np.int64), 1.0 - 0.9 * (1 - share)))
    assert not np.allclose(off, wanted, rtol=0.01)


@pytest.mark.parametrize(("n", "k", "share"), [(4000, 3000, (1, 4)), (9000, 6750, (1, 2)), (900, 900, (3, 1000))])
def test_binomial_tail_far_out(n: int, k: int, share: tuple[int, int]) -> None:
    """Where the probability is below exp(-1000), against whole numbers."""
    p, q = share
    terms = sum(math.comb(n, j) * p**j * (q - p) ** (n - j) for j in range(k, min(n, k + 400) + 1))
    wanted = log_of(Fraction(terms, q**n))
    assert wanted < -1000
    same_probability(survival.log_binomial_tail(np.array([n]), np.array([k]), p / q), [wanted])


def log_of(value: Fraction) -> float:
    """The natural logarithm of a fraction that no float can hold."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        return float(mpmath.log(mpmath.mpf(value.numerator)) - mpmath.log(mpmath.mpf(value.denominator)))


@pytest.mark.parametrize(("size", "green"), [(50, 12), (1000, 500), (1001, 1), (30_000, 7500)])
def test_hypergeometric_tail(size: int, green: int) -> None:
    rng = np.random.default_rng(1)
    n = np.unique(np.concatenate([[1, 2, size - 1, size], rng.integers(1, size, 30)])).repeat(8)
    spread = np.sqrt(n * green / size * (1 - green / size))
    k = np.clip(np.rint(n * green / size + spread * rng.uniform(-4, 4, n.size)), 0, green + 1).astype(np.int64)
    found = survival.log_hypergeometric_tail(n, k, size, green)
    np.testing.assert_allclose(np.exp(found), stats.hypergeom.sf(k - 1, size, green, n), rtol=5e-9, atol=1e-300)
    assert (survival.log_hypergeometric_tail(np.array([size + 3] * 2), np.array([1, green]), size, green) == 0).all()


def test_hypergeometric_tail_far_out() -> None:
    size, green, n, k = 30_000, 7500, 3000, 2400
    terms = sum(math.comb(green, j) * math.comb(size - green, n - j) for j in range(k, n + 1))
    wanted = log_of(Fraction(terms, math.comb(size, n)))
    assert wanted < -1000
    same_probability(survival.log_hypergeometric_tail(np.array([n]), np.array([k]), size, green), [wanted])


def test_gamma_tail() -> None:
    n = np.repeat([1, 2, 20, 500, 100_000], 40)
    rng = np.random.default_rng(2)
    total = np.maximum(n + np.sqrt(n) * rng.uniform(-5, 6, n.size), 0.0)
    wanted = stats.gamma.sf(total, n)
    np.testing.assert_allclose(np.exp(survival.log_gamma_tail(n, total)), wanted, rtol=2e-9)
    np.testing.assert_allclose(np.exp(survival.log_gamma_tail(n, 0.3 * total, (0.3, 0.0))), wanted, rtol=2e-9)
    assert survival.log_gamma_tail(np.array([0, 5]), np.array([3.0, 0.0])).tolist() == [0.0, 0.0]
    mpmath = pytest.importorskip("mpmath")
    for count, far in ((1, 2000.0), (50, 2000.0), (4000, 9000.0)):
        with mpmath.workdps(60):
            log_p = float(mpmath.log(mpmath.gammainc(count, far, mpmath.inf, regularized=True)))
        assert log_p < -1000
        same_probability(survival.log_gamma_tail(np.array([count]), np.array([far])), [log_p])


def test_gamma_tail_of_two_equal_scales() -> None:
    """Half of both is one Gamma of twice the shape: the quadrature beside the closed form, near and far."""
    for n in (1, 2, 20, 700):
        total = n + np.sqrt(n) * np.array([-2.0, -0.5, 0.5, 2.0, 5.0, 12.0, 40.0])
        total = total[total > 0]
        many = np.full(total.size, n)
        closed = survival.log_gamma_tail(2 * many, 2 * total)
        same_probability(survival.log_gamma_tail(many, total, (0.5, 0.5)), closed, 1e-9)


@pytest.mark.parametrize(("alpha", "n", "total"), [(0.1, 1, 1.5), (0.1, 20, 31.0), (0.3, 7, 4.0), (0.2, 60, 2000.0)])
def test_gamma_tail_of_two_scales(alpha: float, n: int, total: float) -> None:
    """An exponential of the larger scale is a geometric number of the smaller ones: a mixture of Gammas, all terms positive."""
    k = np.arange(40_000 if total > 1000 else 3000)
    parts = survival.log_gamma_tail(2 * n + k, np.full(k.size, total / alpha))
    wanted = float(special.logsumexp(stats.nbinom.logpmf(k, n, alpha / (1 - alpha)) + parts))
    same_probability(survival.log_gamma_tail(np.array([n]), np.array([total]), (1 - alpha, alpha)), [wanted])
    off = survival.log_gamma_tail(np.array([n]), np.array([total]), (1 - 1.1 * alpha, 1.1 * alpha))
    assert abs(off[0] - wanted) > 1e-4


# --- lattices ---------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(3)
MASSES: dict[str, Floats] = {
    "dice": np.array([0.0, 1, 1, 1, 1, 1, 1]),
    "coin": np.array([0.6, 0.4]),
    "gaps": np.array([0.5, 0, 0.2, 0, 0, 0, 0.3]),
    "ends": np.array([0.999] + 30 * [0.0] + [0.001]),
    "wide": RNG.random(166) ** 4,
}


@pytest.mark.parametrize("name", MASSES)
@pytest.mark.parametrize("n", [1, 2, 3, 10, 40])
def test_lattice_beside_convolution(name: str, n: int) -> None:
    """Every total from below 0 to above the largest; terms of a direct convolution are positive, so its small ones are right."""
    mass = MASSES[name] / MASSES[name].sum()
    whole = np.ones(1)
    for _ in range(n):
        whole = np.convolve(whole, mass)
    tail = np.cumsum(whole[::-1])[::-1]
    total = np.arange(-1, whole.size + 1)
    found = Lattice(MASSES[name]).log_tail(np.full(total.size, n), total)
    assert (found[:2] == 0).all()
    assert found[-1] == -np.inf
    sure = tail > 1e-290
    np.testing.assert_allclose(np.exp(found[1:-1][sure]), np.minimum(tail, 1)[sure], rtol=1e-9)
    assert not np.isnan(found).any()
    assert (np.diff(found) <= 1e-9).all()


def test_lattice_far_out() -> None:
    """Coins: the sum is binomial, however far from the mean."""
    for share, n in ((0.25, 4000), (0.5, 20_000), (0.01, 3000)):
        k = np.unique(np.linspace(1, n, 41).astype(np.int64))
        many = np.full(k.size, n)
        found = Lattice(np.array([1 - share, share])).log_tail(many, k)
        wanted = survival.log_binomial_tail(many, k, share)
        assert wanted[-1] < -1000
        same_probability(found, wanted, 1e-8)
        with_gaps = Lattice(np.array([1 - share, 0, 0, share])).log_tail(many, 3 * k - 1)  # only multiples of 3 come
        same_probability(with_gaps, wanted, 1e-8)


def test_lattice_of_very_many() -> None:
    law = Lattice(MASSES["wide"])
    n = 1_000_000
    z = np.array([-3.0, 0.0, 2.0, 5.0, 30.0])
    total = np.rint(n * law.mean + z * math.sqrt(n * law.variance)).astype(np.int64)
    found = law.log_tail(np.full(z.size, n), total)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:4], stats.norm.logsf(z[:4]), atol=0.05)
    assert found[4] == pytest.approx(stats.norm.logsf(30.0), rel=0.02)
    assert np.isfinite(law.log_tail(np.array([n, n]), np.array([n * 165, n * 165 - 1]))).all()


# --- repetitions ------------------------------------------------------------------------------------------------

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=25), max_size=6)


def joined(texts: list[list[int]]) -> tuple[Integers, Integers]:
    ids = np.array([token for text in texts for token in text], np.int64)
    return ids, np.cumsum([0, *(len(text) for text in texts)])


def seen(text: list[int], place: int, before: int, itself: bool) -> tuple[int, ...]:
    """A window; what is missing is -1."""
    return tuple(text[at] if at >= 0 else -1 for at in range(place - before, place + itself))


@given(TEXTS, st.integers(0, 4), st.booleans(), st.booleans(), st.sampled_from([1, 2, 5, repeats.FOREVER]))
def test_fresh_beside_a_dictionary(
    texts: list[list[int]], before: int, itself: bool, padded: bool, window: int
) -> None:
    ids, starts = joined(texts)
    wanted = []
    for start, text in zip(starts, texts, strict=False):
        last: dict[tuple[int, ...], int] = {}
        for place in range(0 if padded else before, len(text)):
            name = seen(text, place, before, itself)
            if name not in last or place - last[name] > window:
                wanted.append(start + place)
            last[name] = place
    assert repeats.fresh(ids, starts, before, itself, padded, window).tolist() == wanted


@given(TEXTS, st.integers(0, 4), st.booleans())
def test_hashes_and_firsts_beside_a_set(texts: list[list[int]], before: int, itself: bool) -> None:
    ids, starts = joined(texts)
    of_text = np.repeat(np.arange(len(texts)), np.diff(starts))
    places = np.arange(ids.size)
    words = repeats.hashes(ids, starts[of_text], places, before, itself)
    names = [seen(text, place, before, itself) for text in texts for place in range(len(text))]
    assert (words != 0).all()
    assert len(set(zip(words.tolist(), names, strict=True))) == len(set(names)) == len(set(words.tolist()))
    everywhere: set[Any] = set()
    in_text: set[Any] = set()
    alone, together = [], []
    for text, name in zip(of_text.tolist(), names, strict=True):
        alone.append((text, name) not in in_text)
        together.append(name not in everywhere)
        in_text.add((text, name))
        everywhere.add(name)
    assert repeats.firsts(words, of_text).tolist() == alone
    assert repeats.firsts(words).tolist() == together
    assert not repeats.firsts(np.zeros_like(words)).any()


def test_windows_roll_over_long_texts() -> None:
    """What leaves a window leaves no trace, also after thousands of tokens and with large numbers."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2**31, 60)[rng.integers(0, 60, 6000)]
    starts = np.array([0, 0, 1, 3000, 6000, 6000])
    for before, itself, padded in ((1, False, True), (2, True, False), (4, False, True), (7, True, False)):
        found = repeats.fresh(ids, starts, before, itself, padded)
        first = np.repeat(starts[:-1], np.diff(starts))
        places = np.arange(ids.size)
        places = places if padded else places[places - first >= before]
        words = repeats.hashes(ids, first[places], places, before, itself)
        group = np.searchsorted(starts, places, side="right")
        assert np.array_equal(found, places[repeats.firsts(words, group)])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=60))
def test_grouped_beside_a_dictionary(pairs: list[tuple[int, int]]) -> None:
    groups, targets = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    kept, bounds, inverse = repeats.grouped(groups, targets, 5, 7)
    first = {pair: k for k, pair in reversed(list(enumerate(pairs)))}
    assert sorted(kept.tolist()) == sorted(first.values())
    assert [(groups[kept[i]], targets[kept[i]]) for i in inverse] == pairs
    for group in range(5):
        assert (groups[kept[bounds[group] : bounds[group + 1]]] == group).all()
    assert bounds[-1] == kept.size


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9)), max_size=40))
def test_sums_beside_bincount(pairs: list[tuple[int, int]]) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[0])
    groups = np.array([pair[0] for pair in pairs], np.int64)
    values = np.array([pair[1] for pair in pairs], np.float64)
    n, total = repeats.sums(groups, values, 7)
    assert n.tolist() == np.bincount(groups, minlength=7).tolist()
    assert total.tolist() == np.bincount(groups, values, 7).tolist()


# --- the tournament ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 64, 4096, 65536])
@pytest.mark.parametrize("depth", [1, 9, 64])
def test_one_look_up_equals_all_layers(size: int, depth: int) -> None:
    """The whole score from one entry, beside each layer's own hash; with texts that are filled up with zeros and without."""
    rng = np.random.default_rng(depth)
    table = rng.random(size) < 0.5
    keys = rng.integers(0, 2**63, depth).astype(np.uint64)
    ids = rng.integers(0, 2**18, 300)
    first = np.repeat([0, 100], [100, 200])
    for before in (1, 4):
        for padded in (True, False):
            places = np.arange(300)
            places = places if padded else places[places - first >= before]
            words = tournament.hashes(ids, first[places], places, before, True)
            wanted = tournament.layers(words, keys, table)
            packed = tournament.shifted(keys, table, np.uint64(1) << np.arange(depth, dtype=np.uint64))
            found = np.empty(places.size, np.uint64)
            tournament.looked_up(ids, first[places] if padded else None, places, before, packed, found)
            assert np.array_equal(found, wanted)
            weights = rng.integers(1, 11, depth)
            scores = np.empty(places.size)
            entries = tournament.shifted(keys, table, weights)
            tournament.looked_up(ids, first[places] if padded else None, places, before, entries, scores)
            assert np.array_equal(scores, tournament.bits_of(wanted, depth) @ weights)


def test_layers_beside_python() -> None:
    rng = np.random.default_rng(0)
    for size in (3, 1009, 4096):
        table = rng.random(size) < 0.5
        keys, tokens = [0, 5, 2**63 - 1], rng.integers(0, 2**40, 5).tolist()
        word = 1
        for token in tokens:
            word = (word + token) * tournament.FACTOR + 1
        words = tournament.hashes(np.array(tokens), np.array([0]), np.array([4]), 4, True)
        assert int(words[0]) == word % 2**64
        signed = [(((word + key) * tournament.FACTOR + 1 + 2**63) % 2**64) - 2**63 for key in keys]
        packed = tournament.layers(words, np.array(keys, np.uint64), table)
        assert tournament.bits_of(packed, 3)[0].tolist() == [int(table[one % size]) for one in signed]


def test_play_beside_the_formula() -> None:
    """Layer by layer p (1 + g - sum of p over g = 1): for two draws the probability to win. The sum stays 1."""
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.full(50, 0.3))
    bits = rng.integers(0, 2**30, 50).astype(np.uint64)
    wanted = p.copy()
    for g in tournament.bits_of(bits, 30).T:
        wanted = wanted * (1 + g - wanted @ g)
    found = p.copy()
    tournament.play(found, bits, 30)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    one = p.copy()
    tournament.play(one, bits, 1)
    g = tournament.bits_of(bits, 1)[:, 0].astype(bool)
    pairs = p[:, None] * p
    fair = np.where(g[:, None] == g, pairs / 2, np.where(g[:, None], pairs, 0.0))  # the first of the two is kept
    np.testing.assert_allclose(one, fair.sum(axis=1) + fair_second(pairs, g), rtol=1e-12)
    assert not np.allclose(one, p, rtol=0.01)


def fair_second(pairs: Floats, g: Any) -> Floats:
    """The second of two draws is kept: it has the bit and the other has not, or half of the ties."""
    return np.asarray(np.where(g[:, None] == g, pairs / 2, np.where(g, pairs, 0.0)).sum(axis=0))
