"""The reproduction battery: published and derived closed forms, met by the plain loop.

Every row is checked at 4 standard errors, and the same check rejects a prediction 10 % off.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.battery import assert_agrees, distance, measure

GAUSSIAN = """
[experiment]
generations = {T}
samples = {n}
seed = 11
fast = {fast}
[source]
kind = "gaussian"
[model]
kind = "gaussian"
estimator = "{estimator}"
[regime]
{regime}
[sampling]
bias = {bias}
[[metric]]
kind = "moments"
"""


def gaussian(
    regime: str, T: int, n: int, replicates: int, estimator: str = "mle", fast: bool = False, bias: float = 1.0
):
    text = GAUSSIAN.format(T=T, n=n, regime=regime, estimator=estimator, fast=str(fast).lower(), bias=bias)
    return measure(text, replicates)


@pytest.mark.parametrize("fast", [False, True])
def test_a1_a2_shumailov_gaussian(fast: bool) -> None:
    rows = gaussian('kind = "replace"', 20, 50, 40_000, fast=fast)
    assert_agrees(rows["moments.variance"][:, -1], 0.6676, "A1 v mle")
    assert_agrees(rows["moments.error"][:, -1], 0.3324, "A1 a mle")
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")
    assert_agrees(rows["moments.w2"][:, -1], 0.5244, "A1 W2 mle")
    assert_agrees(rows["moments.log-det"][:, -1], -0.8150, "A2 mean log mle")
    rows = gaussian('kind = "replace"', 20, 50, 40_000, estimator="unbiased", fast=fast)
    assert_agrees(rows["moments.variance"][:, -1], 1.0, "A1 v unbiased")
    assert_agrees(rows["moments.error"][:, -1], 0.4, "A1 a unbiased")
    assert_agrees(rows["moments.w2"][:, -1], 0.5940, "A1 W2 unbiased")
    assert_agrees(rows["moments.log-det"][:, -1], -0.4109, "A2 mean log unbiased")
    logs = rows["moments.log-det"][:, -1]
    assert_agrees((logs - logs.mean()) ** 2, 0.8332, "A2 variance of log")


@pytest.mark.parametrize("fast", [False, True])
def test_a3_kazdan_accumulate(fast: bool) -> None:
    rows = gaussian('kind = "accumulate"', 100, 10, 40_000, fast=fast)
    assert_agrees(rows["moments.variance"][:, -1], 0.8443, "A3 v")
    assert_agrees(rows["moments.error"][:, -1], 0.1557, "A3 a")
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")


def test_a4_kazdan_accumulate_subsample() -> None:
    rows = gaussian('kind = "accumulate-subsample"', 30, 10, 60_000)
    assert_agrees(rows["moments.variance"][:, -1], 0.74606, "A4 v fit")
    assert_agrees(rows["moments.error"][:, -1], 0.25394, "A4 a fit")
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")


@pytest.mark.parametrize(("bias", "error", "variance"), [(1.0, 0.09615, 0.90385), (0.8, 0.03660, 0.34407)])
@pytest.mark.parametrize("fast", [False, True])
def test_a6_alemohammad_fresh(bias: float, error: float, variance: float, fast: bool) -> None:
    rows = gaussian('kind = "fresh"\nshare = 0.1', 60, 50, 40_000, bias=bias, fast=fast)
    assert_agrees(rows["moments.error"][:, -1], error, "A6 a*")
    assert_agrees(rows["moments.variance"][:, -1], variance, "A6 v*")


def test_g13_fixed_real() -> None:
    rows = gaussian('kind = "fixed-real"\nshare = 0.2', 60, 50, 40_000)
    assert_agrees(rows["moments.error"][:, -1], 0.1383, "G13 a*")
    assert_agrees(rows["moments.variance"][:, -1], 0.8617, "G13 v*")
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")


OLS = """
[experiment]
generations = {T}
samples = {n}
seed = 5
[source]
kind = "linear-world"
dimensions = {d}
noise = {noise}
[model]
kind = "linear"
noise = {noise}
covariates = "{covariates}"
[regime]
kind = "{regime}"
[[metric]]
kind = "test-risk"
"""


@pytest.mark.parametrize(("regime", "expected"), [("replace", 2.0408), ("accumulate", 0.31628)])
def test_a7_gerstgrasser_least_squares(regime: str, expected: float) -> None:
    rows = measure(OLS.format(T=10, n=60, d=10, noise=1.0, covariates="same", regime=regime), 20_000)
    assert_agrees(rows["test-risk.excess"][:, -1], expected, f"A7 {regime}")


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 0.8025), (0.5, 2.0695)])
def test_a8_demystified_minimum_norm(noise: float, expected: float) -> None:
    rows = measure(OLS.format(T=4, n=40, d=60, noise=noise, covariates="new", regime="replace"), 4_000, block=500)
    assert_agrees(rows["test-risk.excess"][:, -1], expected, f"A8 noise {noise}")


def test_a9_golden_ratio() -> None:
    """n a* is smallest at w = 0.618 and 0.618 there (k = 1: as many synthetic as fresh real items)."""
    weights = np.arange(0.42, 0.83, 0.04)
    found = []
    for w in weights:
        regime = f'kind = "weighted"\nreal = {w}\nbase = {{ kind = "fresh", share = 0.5 }}'
        rows = gaussian(regime, 12, 40, 60_000, estimator="mean-only", fast=True)
        found.append(20 * rows["moments.error"][:, -1])
    means = np.array([values.mean() for values in found])
    best = -np.polyfit(weights, means, 3)
    roots = np.roots(np.polyder(np.poly1d(-best)))
    argmin = min((float(root.real) for root in roots if abs(root.imag) < 1e-9), key=lambda root: abs(root - 0.6))
    assert abs(argmin - 0.6180) <= 0.02
    assert_agrees(found[5], (0.62**2 + 0.38**2) / (2 * 0.62 - 0.62**2), "A9 n a*")


ZIPF = """
[experiment]
generations = 10
samples = 200
seed = 3
fast = {fast}
[source]
kind = "zipf"
types = 100
exponent = 1.0
shift = 2.7
[model]
kind = "unigram"
[regime]
kind = "{regime}"
[[metric]]
kind = "types"
[[metric]]
kind = "heterozygosity"
"""


@pytest.mark.parametrize("fast", [False, True])
def test_a10_suresh_types(fast: bool) -> None:
    rows = measure(ZIPF.format(regime="replace", fast=str(fast).lower()), 20_000)
    assert_agrees(rows["types.alive"][:, -1], 24.997, "A10 alive")
    assert_agrees(1 - rows["heterozygosity"][:, -1], 0.07262, "A10 sum p^2")


KDE = """
[experiment]
generations = 40
samples = 20
seed = 4
[source]
kind = "gaussian"
[model]
kind = "kde"
bandwidth = 0.5
[regime]
kind = "{regime}"
[[metric]]
kind = "moments"
of = "training"
"""


@pytest.mark.parametrize(("regime", "expected"), [("replace", 10.75), ("accumulate", 1.8196)])
def test_a11_kernel_density(regime: str, expected: float) -> None:
    rows = measure(KDE.format(regime=regime), 20_000, block=2000)
    assert_agrees(rows["moments[of=training].total"][:, -1], expected, f"A11 {regime}")


def _verified_accuracy(wrong_share: float, replicates: int = 100) -> np.ndarray:
    text = f"""
[experiment]
generations = 1
samples = 20000
seed = 9
reference = 4000
refill = false
[source]
kind = "noisy-labels"
rate = {wrong_share}
base = {{ kind = "classes", dimensions = 20, norm = 1.0 }}
[model]
kind = "nearest-mean"
[regime]
kind = "replace"
[[curator]]
kind = "verifier"
right = 0.8
wrong = 0.3
[[metric]]
kind = "test-risk"
"""
    return measure(text, replicates)["test-risk.accuracy"][:, -1]


def test_a13_feng_verifier_threshold() -> None:
    """Labels wrong with probability p: accuracy jumps from .792 to .227 around p* = phi / (phi + psi) = .727."""
    assert_agrees(_verified_accuracy(0.70), 0.792, "A13 below")
    assert_agrees(_verified_accuracy(0.75), 0.227, "A13 above")
    assert _verified_accuracy(0.717, 16).mean() > 0.55
    assert _verified_accuracy(0.737, 16).mean() < 0.45


def test_a14_ferbach_preference() -> None:
    text = """
[experiment]
generations = 4
samples = 200000
seed = 2
[source]
kind = "zipf"
types = 5
exponent = 0.0
[model]
kind = "unigram"
[regime]
kind = "replace"
[[curator]]
kind = "preference"
k = 2
reward = [0.0, 0.5, 1.0, 1.5, 2.0]
on = "synthetic"
[[metric]]
kind = "tests.own_parts:Frequencies"
"""
    rows = measure(text, 4)
    found = [rows[f"tests.own_parts:Frequencies.p{i}"][:, -1].mean() for i in range(5)]
    assert found == pytest.approx([0.0246, 0.0644, 0.1459, 0.2846, 0.4805], abs=3e-3)
    assert found != pytest.approx([0.9 * value for value in (0.0246, 0.0644, 0.1459, 0.2846, 0.4805)], abs=3e-3)


def _largest(alpha: float, initial: str) -> float:
    text = f"""
[experiment]
generations = 400
samples = 1000000
seed = 6
fast = {"true" if initial == "real" else "false"}
[source]
kind = "zipf"
types = 10
exponent = 0.0
[model]
kind = "unigram"
[regime]
kind = "fresh"
share = {alpha}
[sampling]
temperature = 0.8
[initial]
state = "{initial}"
{"" if initial == "real" else "distinct = 1"}
[[metric]]
kind = "max-share"
"""
    if initial != "real":
        text = text.replace("samples = 1000000", "samples = 50000").replace("generations = 400", "generations = 150")
    return float(measure(text, 2)["max-share"][:, -1].max())


@pytest.mark.parametrize(
    ("alpha", "initial", "collapsed"),
    [(0.19, "real", True), (0.21, "real", False), (0.26, "collapsed", True), (0.29, "collapsed", False)],
)
def test_a15_temperature_threshold_and_hysteresis(alpha: float, initial: str, collapsed: bool) -> None:
    """Uniform is unstable below alpha = 1 - tau = .2; the collapsed branch survives up to .274."""
    assert (_largest(alpha, initial) > 0.3) is collapsed


@pytest.mark.parametrize(("curated", "expected"), [(True, 0.03447), (False, 0.09699)])
def test_a16_filter_in_the_loop(curated: bool, expected: float) -> None:
    regime = 'kind = "web"\nsynthetic = 0.9'
    if curated:
        regime += '\n[[curator]]\nkind = "oracle"\ntpr = 0.8\nfpr = 0.05'
    rows = gaussian(regime, 60, 50, 14_000 if curated else 40_000)
    assert_agrees(rows["moments.error"][:, -1], expected, "A16 a*")
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")


REGIMES = {
    "lagged": 'kind = "replace"\nlag = 3',
    "window": 'kind = "accumulate"\nwindow = 4',
    "subsample with replacement": 'kind = "accumulate-subsample"\nwith_replacement = true',
    "subsample of a window": 'kind = "accumulate-subsample"\nwindow = 3\nlag = 2',
    "fresh on accumulate": 'kind = "fresh"\nshare = 0.3\nbase = { kind = "accumulate" }',
    "fresh on a schedule": 'kind = "fresh"\nshare = [0.0, 0.1, 0.2, 0.5]',
    "periodic": 'kind = "periodic"\nevery = 4\nshare = 0.5',
    "web": 'kind = "web"\nsynthetic = { start = 0.1, step = 0.1, high = 0.95 }\nbase = { kind = "accumulate" }',
    "stages": 'kind = "stages"\ndurations = [4]\nregimes = [{ kind = "replace" }, { kind = "accumulate" }]',
}


@pytest.mark.parametrize("regime", REGIMES.values(), ids=list(REGIMES))
def test_sum_law_and_recursion_in_every_regime(regime: str) -> None:
    """E (mu - mu0)^2 + E s^2 = s0^2 whatever the regime, and the general recursion meets both parts of it."""
    from remission import Experiment
    from remission.lab.predictions import predictions

    text = GAUSSIAN.format(T=10, n=20, regime=regime, estimator="mle", fast="false", bias=1.0)
    text = text.replace("samples = 20", "samples = { start = 20, step = 3 }")
    rows = measure(text, 30_000)
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")
    found, _ = predictions(Experiment.from_toml(text).world())
    theory = {one.metric: one.values[-1] for one in found if one.law == "moment-recursion"}
    assert_agrees(rows["moments.error"][:, -1], theory["moments.error"], "error of the mean")
    assert_agrees(rows["moments.variance"][:, -1], theory["moments.variance"], "variance within")


def test_the_check_rejects_a_wrong_law() -> None:
    """The power line of the battery: the check itself must be able to fail."""
    rows = gaussian('kind = "replace"', 5, 50, 20_000)
    right = (1 - 1 / 50) ** 5
    assert distance(rows["moments.variance"][:, -1], right) <= 4
    with pytest.raises(AssertionError):
        assert_agrees(rows["moments.variance"][:, -1], 0.9 * right)
    with pytest.raises(AssertionError):
        assert_agrees(rows["moments.variance"][:50, -1], right)  # too few replicates to tell 10 %
    assert math.isclose(right, 0.9039, rel_tol=1e-3)
