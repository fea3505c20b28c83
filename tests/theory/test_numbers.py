"""The numbers of the anchor table and of the battery, to the digits that are printed there."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from remission import registry
from remission.errors import SpecError


def f(path):
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"remission.theory.{module}"), name)


ZIPF = 1 / (np.arange(1, 101) + 2.7)
ZIPF = ZIPF / ZIPF.sum()
FLAT = np.full(5, 0.2)
KEPT = f("filtered_mix:kept_share")(0.9, 0.8, 0.05)


def iterated(picks, generations):
    p = FLAT
    for _ in range(generations):
        p = f("curated_types:picked")(p, (0.0, 0.5, 1.0, 1.5, 2.0), picks)
    return p


NUMBERS = {
    "A1 v mle": (lambda: f("gaussian_variance:variance")([50] * 20)[-1], 0.6676),
    "A1 v unbiased": (lambda: f("gaussian_variance:variance")([50] * 20, True)[-1], 1.0),
    "A1 a mle": (lambda: f("gaussian_variance:error")([50] * 20)[-1], 0.3324),
    "A1 a unbiased": (lambda: f("gaussian_variance:error")([50] * 20, True)[-1], 0.4),
    "A1 W2 mle": (lambda: f("wasserstein_risk:risk")([50] * 20, False)[-1], 0.5244),
    "A1 W2 unbiased": (lambda: f("wasserstein_risk:risk")([50] * 20)[-1], 0.5940),
    "G4": (lambda: f("first_order_risk:first_order")([50] * 20)[-1], 0.6000),
    "A2 mean mle": (lambda: f("log_variance:log_mean")([50] * 20)[-1], -0.8150),
    "A2 mean unbiased": (lambda: f("log_variance:log_mean")([50] * 20, True)[-1], -0.4109),
    "A2 variance": (lambda: f("log_variance:log_spread")([50] * 20)[-1], 0.8332),
    "A3 v": (lambda: f("accumulate_variance:variance")(10, 100)[-1], 0.8443),
    "A3 limit": (lambda: f("accumulate_variance:limit")(10), 0.84344),
    "A4 pool": (lambda: f("accumulate_subsample_variance:pool_variance")(10, 30)[-1], 0.82619),
    "A4 fit": (lambda: f("accumulate_subsample_variance:variance")(10, 30)[-1], 0.74606),
    "G8 limit": (lambda: f("accumulate_subsample_variance:limit")(), 2.9348),
    "A6 a": (lambda: f("fresh_mix:fixed_point")(5, 45), 0.09615),
    "A6 a biased": (lambda: f("biased_mix:fixed_point")(5, 45, 0.8)[0], 0.03660),
    "A6 v biased": (lambda: f("biased_mix:fixed_point")(5, 45, 0.8)[1], 0.34407),
    "G10 v 1000": (lambda: f("biased_mix:fixed_point")(100, 1000, 0.9)[1], 0.499),
    "A7 replace": (lambda: f("regression_replace:excess")([60] * 10, 10, [1.0] * 10)[-1], 2.0408),
    "A7 accumulate": (lambda: f("regression_accumulate:excess")(60, 10, 1.0, 10)[-1], 0.31628),
    "A8 clean": (lambda: f("regression_minimum_norm:excess")(40, 60, 0.0, 1.0, 4)[-1], 0.8025),
    "A8 noisy": (lambda: f("regression_minimum_norm:excess")(40, 60, 0.5, 1.0, 4)[-1], 2.0695),
    "L4": (lambda: f("regression_shifted_labels:floor")(0.01, 1.0), 0.0001),
    "A9 weight": (lambda: f("weighted_mix:best_weight")(1.0), 0.6180),
    "A9 error": (lambda: f("weighted_mix:fixed_point")(0.618034, 1.0), 0.6180),
    "A10 alive": (lambda: f("type_survival:alive")(ZIPF, [200] * 10)[-1], 24.997),
    "A10 sum p^2": (lambda: 1 - f("heterozygosity:heterozygosity")(ZIPF, [200] * 10)[-1], 0.07262),
    "D3": (lambda: f("type_survival_bound:alive_bound")(ZIPF, 200, 10)[-1], 24.743),
    "D7 half": (lambda: f("type_survival_fresh:weights")(0.5, 3), (1.0, 0.8935, 0.8753)),
    "D7 is D3": (
        lambda: f("type_survival_fresh:alive")(ZIPF, 200, f("type_survival_fresh:weights")(1.0, 10))[-1],
        24.743,
    ),
    "D7 limit": (lambda: f("type_survival_fresh:limit")(0.5), 0.8703),
    "D6 exact": (lambda: f("fixation_time:fixation_time")(50, 0.5), 67.52),
    "D6 diffusion": (lambda: f("fixation_time:diffusion_time")(50, 0.5), 69.31),
    "A11 replace": (lambda: f("kernel_replace:second_moment")(0.5, 40)[-1], 10.75),
    "A11 accumulate": (lambda: f("kernel_accumulate:second_moment")(0.5, 40)[-1], 1.8196),
    "A13 threshold": (lambda: f("verified_labels:verifier_threshold")(0.8, 0.3), 0.727),
    "A14": (lambda: iterated(2, 3), (0.0246, 0.0644, 0.1459, 0.2846, 0.4805)),
    "A15 uniform": (lambda: f("tipping_point:temperature_threshold")(0.8), 0.200),
    "A15 collapsed": (lambda: f("tipping_point:upper_threshold")(10, 0.8), 0.274),
    "T1 K=3": (lambda: f("tipping_point:upper_threshold")(3, 0.8), 0.2079),
    "T1 K=100": (lambda: f("tipping_point:upper_threshold")(100, 0.8), 0.4544),
    "T1 tau=.5": (lambda: f("tipping_point:upper_threshold")(10, 0.5), 0.625),
    "T1 K=1000": (lambda: f("tipping_point:upper_threshold")(1000, 0.9), 0.3732),
    "A16 share": (lambda: KEPT, 0.6545),
    "A16 filtered": (lambda: f("filtered_mix:fixed_point")(KEPT, 50), 0.03447),
    "A16 unfiltered": (lambda: f("filtered_mix:fixed_point")(0.9, 50), 0.09699),
    "G13": (lambda: f("fixed_real_mix:fixed_point")(10, 40), (0.1383, 0.8617)),
    "G13 fresh": (lambda: f("fresh_mix:fixed_point")(10, 40), 0.0532),
    "M1": (lambda: f("coupled_models:fixed_point")(np.full((2, 2), 0.5), 0.25, np.array([3.0, 1.0])), (2.75, 1.25)),
    "X1 common": (lambda: f("cross_modal:variance")(40, 0.4, 15)[-1], 0.3642),
    "X1 rare": (lambda: f("cross_modal:variance")(40, 0.1, 15)[-1], 0.00314),
    "S1 plateau": (lambda: f("tail_cut:tail_mass")(f("tail_cut:power_law")(10**6, 1.5), 100), 0.0757),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_number(name):
    compute, printed = NUMBERS[name]
    digits = max(len(str(value).partition(".")[2]) for value in np.atleast_1d(printed))
    np.testing.assert_allclose(compute(), printed, atol=0.51 * 10.0**-digits, rtol=0)


def test_limits():
    n, t = 10**7, 4000
    large = f("accumulate_subsample_variance:variance")(n, t)
    assert n * (1 - large[-1]) == pytest.approx(math.pi**2 / 2 - 2, abs=3e-3)
    assert f("fresh_heterozygosity:kept")(20, 180, 2000)[-1] == pytest.approx(
        f("fresh_heterozygosity:fixed_point")(20, 180)
    )
    assert f("fixed_real_mix:excess")(10, 40, 500)[-1] + 0.1 == pytest.approx(
        f("fixed_real_mix:fixed_point")(10, 40)[0]
    )
    assert f("kernel_replace:variance")([20] * 3000, 0.5)[-1] == pytest.approx(19 * 0.25)
    rates = f("type_survival_bound:survival_rate")(100)
    t = np.arange(1, 101)
    assert (rates >= 1 / t).all()
    assert (rates <= 3 / t).all()
    p = f("tail_cut:power_law")(10**5, 1.5)
    error = [f("tail_cut:missed")(p, n) for n in (100, 200, 400)]
    slope = np.polyfit(np.log([100, 200, 400]), np.log(error), 1)[0]
    assert -slope == pytest.approx(f("tail_cut:rate")(1.5), abs=0.02)


def test_tipping_by_iteration():
    """A15: the map itself tips at the two thresholds, from either side."""
    step = f("tipping_point:next_shares")
    flat = np.full(10, 0.1)

    def end(start, fresh):
        p = start
        for _ in range(4000):
            p = step(p, flat, fresh, 0.8)
        return p.max()

    near = flat + 1e-6 * np.append(1.0, np.full(9, -1 / 9))
    assert end(near, 0.195) > 0.5
    assert end(near, 0.205) < 0.11
    gone = np.eye(10)[0]
    assert end(gone, 0.270) > 0.3
    assert end(gone, 0.278) < 0.11
    two = step(np.array([0.6, 0.4]), np.array([0.5, 0.5]), 0.25, 0.8)
    for _ in range(500):
        two = step(two, np.array([0.5, 0.5]), 0.25, 0.8)
    assert two.max() == pytest.approx(0.5, abs=1e-6)


def test_picks_by_enumeration():
    """Three candidates, counted one by one; many candidates follow e^r."""
    p, r = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
    force = np.exp(r)
    found = np.zeros(3)
    for i in range(3):
        for j in range(3):
            for k in range(3):
                drawn = [i, j, k]
                for one in drawn:
                    found[one] += p[i] * p[j] * p[k] * force[one] / force[drawn].sum()
    np.testing.assert_allclose(f("curated_types:picked")(p, r, 3), found, atol=1e-12)
    many = f("curated_types:picked")(p, r, 20000)
    np.testing.assert_allclose(many, f("curated_types:picked_of_many")(p, r), atol=1e-4)


def test_arguments_that_cannot_be():
    with pytest.raises(SpecError, match="spectral radius"):
        f("coupled_models:fixed_point")(np.eye(2), 1.0, np.zeros(2))
    with pytest.raises(ValueError, match="not a whole number"):
        f("fixation_time:fixation_time")(50, 0.505)


def test_every_law_is_documented():
    rows = set()
    for name in registry.names("theory"):
        cls = registry.load("theory", name)
        rows |= set(cls.row.split(", "))
        assert cls.row, name
        assert cls.source, name
        assert cls.statement, name
        assert cls.__doc__, name
        assert ">>>" in cls.__doc__, name
        assert registry.summary("theory", name), name
    wanted = {f"G{i}" for i in range(1, 15)} | {f"D{i}" for i in range(1, 8)} | {f"L{i}" for i in range(1, 5)}
    assert rows == wanted | {"A1", "K1", "K2", "V1", "C1", "M1", "X1", "T1", "S1", "master"}
