"""Second implementations, laws and edges of the numerical cores."""

from __future__ import annotations

import math
import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import pairwise_distances

from remission.errors import DataError
from remission.numerics import discrepancy, frechet, modes, neighbours, relabel, spectrum, tails, transport
from remission.numerics.divergence import mauve

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(90, 11)), 1.3 * RNG.normal(size=(70, 11)) + 0.2
SIZES = st.integers(1, 40)


@given(n=SIZES, m=SIZES, seed=st.integers(0, 99))
def test_w1_equals_scipy_for_any_sizes(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n).round(1), rng.normal(size=m).round(1)  # rounded: ties
    assert transport.wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-12)


@given(n=st.integers(1, 12), m=st.integers(1, 12), p=st.sampled_from([1.0, 2.0, 3.5]), seed=st.integers(0, 99))
def test_wp_equals_optimal_transport(n: int, m: int, p: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=m)
    cost = np.abs(a[:, None] - b) ** p
    repeated = np.repeat(np.repeat(cost, m, axis=0), n, axis=1)
    rows, columns = linear_sum_assignment(repeated)
    expected = repeated[rows, columns].mean()
    assert transport.wasserstein(a, b, p) ** p == pytest.approx(expected, abs=1e-10)
    assert transport.optimal_cost(cost) == pytest.approx(expected, abs=1e-10)
    assert transport.wasserstein(1.1 * a + 0.1, b, p) ** p != pytest.approx(expected, abs=1e-10)


def test_distances_and_radii_equal_sklearn() -> None:
    full = pairwise_distances(X, Y)
    np.testing.assert_allclose(neighbours.distances(X, Y), full, rtol=1e-10)
    own = np.sort(pairwise_distances(X), axis=1)
    np.testing.assert_allclose(neighbours.radii(X, 4), own[:, 4], rtol=1e-7)
    assert neighbours.mean_distance(X, Y) == pytest.approx(full.mean(), rel=1e-12)
    assert (neighbours.nearest(X, X)[0] == 0.0).all()  # equal points are at zero, exactly


def _prdc_of_the_matrix(real: np.ndarray, made: np.ndarray, k: int, inequality: str) -> tuple[float, ...]:
    """The definition, on exact distances of all pairs."""

    def exact(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.array([[neighbours._exact(a, b) for b in other] for a in one])

    across = exact(real, made)
    mine, theirs = (np.sort(exact(points, points), axis=1)[:, k] for points in (real, made))
    inside = across < mine[:, None] if inequality == "<" else across <= mine[:, None]
    covered = across < theirs if inequality == "<" else across <= theirs
    density = inside.sum() / k / len(made)
    return (
        float(inside.any(axis=0).mean()),
        float(covered.any(axis=1).mean()),
        density,
        float(inside.any(axis=1).mean()),
    )


@pytest.mark.parametrize("inequality", ["<", "<="])
def test_prdc_on_a_grid_with_ties(inequality: str) -> None:
    real, made = RNG.integers(0, 4, (80, 2)).astype(float), RNG.integers(0, 4, (60, 2)).astype(float)
    expected = _prdc_of_the_matrix(real, made, 3, inequality)
    assert tuple(neighbours.prdc(real, made, 3, inequality)) == pytest.approx(expected, rel=1e-12)  # type: ignore[arg-type]


def _awkward(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Sets of more rows than a tile has, on which a screen in single precision cannot decide."""
    rng = np.random.default_rng(4)
    real, made = rng.normal(size=(300, 5)), 0.9 * rng.normal(size=(270, 5))
    if name == "near ties":  # gaps differ by less than single precision
        real, made = (rng.integers(0, 3, rows.shape) + 1e-9 * rows for rows in (real, made))
    elif name == "far away":
        real, made = real + 1e8, made + 1e8
    elif name == "outlier":
        real[7] = 1e12
    elif name == "tiny":
        real, made = 1e-30 * real, 1e-30 * made
    elif name == "huge":
        real, made = 1e100 * real, 1e100 * made
    elif name == "copies":
        made[:200] = real[:200]
    elif name == "one set":
        made = real
    return real, made


@pytest.mark.parametrize("name", ["near ties", "far away", "outlier", "tiny", "huge", "copies", "one set"])
def test_prdc_counts_are_exact(name: str) -> None:
    real, made = _awkward(name)
    assert tuple(neighbours.prdc(real, made, 3)) == pytest.approx(_prdc_of_the_matrix(real, made, 3, "<"), rel=1e-12)
    wrong = _prdc_of_the_matrix(real, 1.1 * made, 3, "<")  # a 10 % error is seen
    assert tuple(neighbours.prdc(real, made, 3)) != pytest.approx(wrong, rel=1e-12)


def test_distances_that_overflow_are_refused() -> None:
    with pytest.raises(DataError, match="Rescale"):
        neighbours.prdc(1e160 * X, Y, 3)


def test_nearest_in_several_tiles_equals_sorting() -> None:
    rng = np.random.default_rng(6)
    points, among = rng.normal(size=(300, 3)), rng.integers(-2, 3, (2100, 3)).astype(float)
    full = neighbours.distances(points, among)
    gap, who = neighbours.nearest(points, among, 4)
    np.testing.assert_allclose(gap, np.sort(full, axis=1)[:, :4], rtol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(full, who, axis=1), gap, rtol=1e-12)
    assert (neighbours.nearest(among, among)[0] == 0.0).all()
    own = np.sort(neighbours.distances(among[::2] + 0.0, among[::2]), axis=1)[:, 3]
    np.testing.assert_allclose(neighbours.radii(among[::2], 3), own, rtol=1e-12)


def test_relabelled_prdc_equals_prdc() -> None:
    pool = np.vstack([X, Y])
    labels = RNG.integers(-1, 2, (5, len(pool))).astype(np.int8)
    values = relabel.Neighbourhood(pool).prdc(labels, 5)
    for row, value in zip(labels, values, strict=True):
        np.testing.assert_allclose(value, neighbours.prdc(pool[row == 0], pool[row == 1], 5), rtol=1e-12)


def test_prdc_needs_no_square_memory() -> None:
    rng = np.random.default_rng(0)
    neighbours.prdc(X, Y, 5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    neighbours.prdc(rng.normal(size=(9000, 4)), rng.normal(size=(9000, 4)), 5)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 60, f"{grown} MB; one 9000 x 9000 matrix is 618 MB"


def test_a_large_offset_changes_nothing() -> None:
    far = 1e8
    a, b = (X + far).copy(), (Y + far).copy()
    x, y = a - far, b - far  # what is left of the items after rounding
    for function in (
        lambda s, t: neighbours.prdc(s, t, 5).recall,
        frechet.frechet_distance,
        discrepancy.energy_distance,
        discrepancy.mmd_squared,
        transport.approximate_sliced_wasserstein,
        lambda s, t: transport.wasserstein(s[:, 0], t[:, 0], 2.0),
        lambda s, t: transport.sliced_wasserstein(s, t, np.eye(11)),
        lambda s, t: neighbours.authpct(s, t),
        lambda s, t: float(tails.mahalanobis(t, tails.whitening_of(s)).mean()),
    ):
        assert function(a, b) == pytest.approx(function(x, y), rel=1e-6)


def test_mmd_equals_the_full_matrices() -> None:
    width = discrepancy.median_bandwidth(Y)
    kxx, kyy, kxy = (np.exp(-(pairwise_distances(s, t) ** 2) / (2 * width**2)) for s, t in ((X, X), (Y, Y), (X, Y)))
    n, m = len(X), len(Y)
    full = (kxx.sum() - n) / (n * (n - 1)) + (kyy.sum() - m) / (m * (m - 1)) - 2 * kxy.mean()
    assert discrepancy.mmd_squared(X, Y) == pytest.approx(full, rel=1e-10)
    big = RNG.normal(size=(1300, 2))  # more rows than a block
    assert discrepancy.mmd_squared(big, big[::-1]) == pytest.approx(-2 * _own_gap(big), rel=1e-8)


def _own_gap(x: np.ndarray) -> float:
    width = discrepancy.median_bandwidth(x[::-1])
    n, total = len(x), np.exp(-(pairwise_distances(x) ** 2) / (2 * width**2)).sum()
    return float(total / n**2 - (total - n) / (n * (n - 1)))


def test_energy_and_ks_equal_scipy() -> None:
    a, b = X[:, 0], Y[:, 0].round(1)
    assert discrepancy.energy_distance(a, b) == pytest.approx(stats.energy_distance(a, b), rel=1e-10)
    assert discrepancy.kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, rel=1e-12)
    flat = discrepancy.energy_distance(np.column_stack([a, 0 * a]), np.column_stack([b, 0 * b]))
    assert flat == pytest.approx(stats.energy_distance(a, b), rel=1e-10)


def test_frechet_in_and_beyond_full_rank() -> None:
    assert frechet.frechet_distance(X, X) == pytest.approx(0.0, abs=1e-10)
    wide, other = RNG.normal(size=(8, 20)), RNG.normal(size=(9, 20))
    by_moments = frechet.frechet_of_moments(wide.mean(0), np.cov(wide.T), other.mean(0), np.cov(other.T))
    assert frechet.frechet_distance(wide, other) == pytest.approx(by_moments, rel=1e-8)


def test_vendi_dual_primal_weights_and_rank() -> None:
    rows = spectrum.unit_rows(X)
    primal = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    primal = primal[primal > 1e-12]
    for order in (0.1, 0.5, 1.0, 2.0, 7.0, math.inf):
        expected = spectrum.effective_number(primal, order)
        assert spectrum.vendi(X, (order,))[0] == pytest.approx(expected, rel=1e-8)
    doubled = spectrum.vendi(np.vstack([X, X[:30]]), kernel="rbf")
    weighted = spectrum.vendi(X, kernel="rbf", weights=np.where(np.arange(90) < 30, 2.0, 1.0))
    np.testing.assert_allclose(doubled, weighted, rtol=1e-6)
    np.testing.assert_allclose(spectrum.vendi(np.repeat(X[:1], 50, axis=0)), 1.0, rtol=1e-9)
    with pytest.raises(DataError, match="zeros"):
        spectrum.vendi(np.zeros((3, 2)))


def test_mauve_of_equal_histograms_is_one() -> None:
    assert mauve(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == pytest.approx(1.0, abs=1e-4)
    assert mauve(np.array([1.0, 0.0]), np.array([0.0, 1.0])) < 0.01


def test_hill_finds_the_index_of_a_power_law() -> None:
    for alpha in (1.5, 3.0):
        value = tails.hill(np.random.default_rng(5).pareto(alpha, 200_000) + 1, 0.05)
        assert abs(value - 1 / alpha) < 4 / alpha / math.sqrt(10_000)
        assert abs(1.1 * value - 1 / alpha) > 4 / alpha / math.sqrt(10_000)  # a 10 % error is seen


def test_kmeans_finds_separate_modes() -> None:
    centres = np.array([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0], [50.0, 50.0]])
    points = np.vstack([centre + RNG.normal(size=(40, 2)) for centre in centres])
    found, cell = modes.kmeans(points, 4, np.array([0.1, 0.5, 0.9, 0.3]))
    assert {tuple(centre) for centre in found.round(-1)} == {tuple(centre) for centre in centres}
    assert (np.bincount(cell) == 40).all()


def test_copying_within_cells_sees_local_copies() -> None:
    rng = np.random.default_rng(3)
    train, test, made = (rng.normal(size=(200, 2)) for _ in range(3))
    shift = np.array([100.0, 0.0])
    train, test = np.vstack([train, train + shift]), np.vstack([test, rng.normal(size=(200, 2)) + shift])
    copies = np.vstack([made, train[200:] + 1e-6])
    centres = np.array([[0.0, 0.0], shift])
    assert neighbours.copying_in_cells(test, copies, train, centres) < -5
    assert abs(neighbours.copying_in_cells(test, np.vstack([made, test[200:]]), train, centres)) < 4


@pytest.mark.parametrize("bad", [np.full((4, 2), np.nan), np.empty((0, 2)), np.zeros((2, 2, 2))])
def test_bad_points_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(DataError):
        neighbours.prdc(bad, bad, 1)


def test_too_few_neighbours_are_refused() -> None:
    with pytest.raises(DataError, match="Lower k"):
        neighbours.prdc(X[:5], Y, 5)
