"""The human share of what reviewers certified: intervals that hold about as often as they say, and no more."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from remission.clinic.archive import _profile
from remission.clinic.archive._profile import Seen, among, deviance, of_all
from remission.clinic.archive.certified import WIDER, Counts, human_shares
from remission.numerics.proportions import clopper_pearson

MOST = WIDER * 3.841459  # of the deviance, at 95 %
RATES = ((0.95, 0.05), (0.8, 0.2), (0.9, 0.01), (1.0, 0.0), (0.6, 0.3), (0.97, 0.1))
SHARES = (0.05, 0.5, 0.9, 0.98, 1.0)


def drawn(n: int, m: int, a: float, b: float, human: float, turns: int, seed: int) -> tuple[Seen, float, float]:
    """Experiments with n items and m planted ones of each kind, and the true shares: of the certified, of all."""
    rng = np.random.default_rng(seed)
    c = human * a + (1 - human) * b
    hits = rng.binomial(n, c, turns), rng.binomial(m, b, turns), rng.binomial(m, a, turns)
    x, j, k = (one.astype(float) for one in hits)
    sizes = np.full(turns, float(n)), np.full(turns, float(m))
    return Seen(x, sizes[0], j, sizes[1], k, sizes[1]), human * a / c, human


def covered(
    n: int, m: int, a: float, b: float, human: float, turns: int, seed: int = 0, most: float = MOST
) -> tuple[float, float]:
    """How often the intervals of the certified, and of all, hold the true share."""
    seen, certified, everything = drawn(n, m, a, b, human, turns, seed)
    found = (deviance(seen, np.full(turns, certified), among), deviance(seen, np.full(turns, everything), of_all))
    return float((found[0] <= most).mean()), float((found[1] <= most).mean())


def test_intervals_hold_about_as_often_as_they_say() -> None:
    """20 settings of 150 experiments: each within what chance allows of 94 %, and on average not above 98.5 %."""
    settings = [
        (n, m, *rates, human)
        for (n, m), rates, human in itertools.product(((200, 60), (1000, 200)), RATES[:5], (0.5, 0.9))
    ]
    found = np.array([covered(*one, turns=150, seed=place) for place, one in enumerate(settings)])
    assert found.min() > 0.94 - 3.5 * math.sqrt(0.94 * 0.06 / 150)
    assert (found.mean(axis=0) > 0.95).all()
    assert (found.mean(axis=0) < 0.985).all()


def test_narrower_ones_would_not_hold() -> None:
    """Half the allowance, an interval of 86 %, is told from one of 95 %."""
    found = [covered(200, 60, *rates, 0.9, turns=150, most=MOST / 2)[1] for rates in RATES[:3]]
    assert np.mean(found) < 0.91


@pytest.mark.slow
def test_intervals_hold_everywhere() -> None:
    """Shares from 0.05 to 1, reviewers from perfect to poor, 50 to 1000 items, 20 to 200 planted ones of each kind."""
    settings = list(itertools.product((50, 200, 1000), (20, 60, 200), RATES, SHARES))
    found = np.array([covered(n, m, *rates, human, 800, place) for place, (n, m, rates, human) in enumerate(settings)])
    print("mean", found.mean(axis=0), "least", found.min(axis=0), "below 0.94", (found < 0.94).mean(axis=0))
    assert (found.mean(axis=0) > 0.965).all()
    assert (found.mean(axis=0) < 0.982).all()
    assert ((found < 0.94).mean(axis=0) < 0.05).all()
    assert found.min() > 0.88  # where hardly anything is certified: as for any interval of a few counts


def test_an_interval_without_the_errors_of_reviewers_does_not_cover() -> None:
    """What is left out matters: the plain rate of certified items is no share of human ones."""
    rng = np.random.default_rng(0)
    c, hits = 0.9 * 0.8 + 0.1 * 0.3, 0
    for _ in range(200):
        low, high = clopper_pearson(rng.binomial(300, c), 300)
        hits += low <= 0.9 <= high
    assert hits / 200 < 0.5


@pytest.mark.parametrize("profile", [of_all, among])
def test_profiles_are_what_an_optimiser_finds(profile: _profile.Profile) -> None:
    """Against a general optimiser, started from many places, over both rates."""
    from scipy.optimize import minimize

    seen = Seen(*(np.array([one]) for one in (260.0, 300.0, 3.0, 60.0, 55.0, 60.0)))

    def minus(rates: np.ndarray, share: float) -> float:
        a, b = 1 / (1 + np.exp(-rates))
        c = share * a + (1 - share) * b if profile is of_all else a * b / (a * (1 - share) + share * b)
        return -float(seen.likelihood(np.array([c]), np.array([a]), np.array([b]))[0])

    for share in (0.6, 0.9, 0.95, 0.99):
        starts = itertools.product((-1.0, 1.0, 3.0), (-4.0, -2.0, 0.0))
        best = min(
            minimize(minus, start, (share,), "Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-9}).fun
            for start in starts
        )
        assert float(profile(seen, np.array([share]))[0]) == pytest.approx(-best, abs=2e-4)


def test_ends_are_where_the_deviance_says() -> None:
    counts = Counts(260, 300, 3, 60, 55, 60)
    seen = Seen(*(np.array([float(one)]) for one in (260, 300, 3, 60, 55, 60)))
    for found, profile in zip(human_shares(counts), (among, of_all), strict=True):
        for end in (found.low, found.high):
            if 0 < end < 1:
                assert float(deviance(seen, np.array([end]), profile)[0]) == pytest.approx(MOST, rel=0.02)
        assert found.low < found.value < found.high


def test_intervals_are_narrower_than_the_exact_box() -> None:
    """Three exact intervals at once, combined at their worst, are valid too, and nearly half as wide again."""
    a, b, c = 55 / 60, 3 / 60, 260 / 300
    each = 1 - 0.05 / 3
    (c_low, c_high), (a_low, a_high), (b_low, b_high) = (
        clopper_pearson(round(rate * n), n, each) for rate, n in ((c, 300), (a, 60), (b, 60))
    )
    box = min(1, (c_high - b_low) / (a_low - b_low)) - (c_low - b_high) / (a_high - b_high)
    _, found = human_shares(Counts(260, 300, 3, 60, 55, 60))
    assert found.high - found.low < box / 1.4


def test_shares_at_their_edges() -> None:
    certified, everything = human_shares(Counts(880, 1000, 0, 0, 0, 0))
    assert (certified.low, certified.high, everything.low, everything.high) == (0, 1, 0, 1)
    assert np.isnan(certified.value)
    certified, _ = human_shares(Counts(0, 0, 0, 50, 50, 50))
    assert (certified.low, certified.high) == (0, 1)
    certified, _ = human_shares(Counts(1000, 1000, 0, 1000, 1000, 1000))
    assert certified.value == 1
    assert 0.99 < certified.low <= certified.high == 1
    for half in (30, 29):  # reviewers who guess
        blind = human_shares(Counts(500, 1000, half, 60, 60 - half, 60))
        assert all((one.low, one.high) == (0, 1) for one in blind)
    nothing, everything = human_shares(Counts(0, 200, 1, 60, 50, 60))
    assert (nothing.low, nothing.high) == (0, 1)
    assert (everything.value, everything.low) == (0, 0)
    assert everything.high < 0.03
    wide, narrow = (
        human_shares(Counts(260, 300, 3, 60, 55, 60), 0.99)[1],
        human_shares(Counts(260, 300, 3, 60, 55, 60), 0.8)[1],
    )
    assert wide.low < narrow.low < narrow.high <= wide.high
