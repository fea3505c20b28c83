"""Reference values computed by prdc, torch-fidelity, clean-fid, vendi-score, dgm-eval, POT, mauve and scipy."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission.numerics import discrepancy, divergence, frechet, neighbours, spectrum, transport

SETS = ("good", "collapsed", "copied")
KID = "torch_fidelity.kid(subsets=20,size=100,seed=2020)"
MAUVE = "mauve(num_buckets=15,seed=25)"


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, Any]:
    folder = shared / "data" / "metrics"
    found = json.loads((folder / "expected.json").read_text())
    arrays = {name: dict(np.load(folder / f"{name}.npz")) for name in ("features", "logits", "lm")}
    return {"expected": found, **arrays}


def _vendi(order: float, kernel: Any = "linear") -> Callable[..., float]:
    return lambda f, x: float(spectrum.vendi(x, (order,), kernel, 0.5)[0])


CASES: dict[str, tuple[float, Callable[[dict[str, Any], Any], float]]] = {
    "cleanfid.frechet_distance": (1e-6, lambda f, x: frechet.frechet_distance(x, f["real"])),
    "torch_fidelity.fid": (1e-6, lambda f, x: frechet.frechet_distance(x, f["real"])),
    "kid.unbiased_all": (1e-9, lambda f, x: discrepancy.kid(x, f["real"])),
    f"{KID}/mean": (1e-6, lambda f, x: discrepancy.kid_of_subsets(x, f["real"], 20, 100)[0]),
    f"{KID}/std": (1e-6, lambda f, x: discrepancy.kid_of_subsets(x, f["real"], 20, 100)[1]),
    "vendi.q1": (1e-6, _vendi(1.0)),
    "vendi.dual_q0.1": (1e-2, _vendi(0.1)),
    "vendi.dual_q0.5": (1e-4, _vendi(0.5)),
    "vendi.dual_q2": (1e-6, _vendi(2.0)),
    "vendi.dual_qinf": (1e-6, _vendi(math.inf)),
    "dgm_eval.vendi_poly3_q1": (1e-6, _vendi(1.0, "cubic")),
    "vendi.rbf_sigma0.5_on_unit_q1": (1e-6, _vendi(1.0, "rbf")),
    "dgm_eval.authpct": (1e-6, lambda f, x: neighbours.authpct(f["real"], x)),
    "dgm_eval.asw": (1e-9, lambda f, x: transport.approximate_sliced_wasserstein(x, f["real"])),
    "ct.Zu_global(test,gen,train)": (1e-6, lambda f, x: neighbours.copying(f["test"], x, f["real"])),
    "pot.emd2_sqeuclidean": (1e-6, lambda f, x: transport.wasserstein2_squared(x, f["real"])),
    "pot.sinkhorn2_reg=0.05*max": (1e-5, lambda f, x: transport.sinkhorn_cost(x, f["real"])),
    "pot.sliced_w2_given_projections": (
        1e-6,
        lambda f, x: transport.sliced_wasserstein(x, f["real"], f["projections"]),
    ),
    "pot.wasserstein_1d_p1_coord0": (1e-9, lambda f, x: transport.wasserstein(x[:, 0], f["real"][:, 0])),
    "scipy.wasserstein_distance_coord0": (1e-12, lambda f, x: transport.wasserstein(x[:, 0], f["real"][:, 0])),
    "scipy.energy_distance_coord0": (1e-12, lambda f, x: discrepancy.energy_distance(x[:, :1], f["real"][:, :1])),
    "scipy.ks_2samp_coord0/statistic": (
        1e-12,
        lambda f, x: discrepancy.kolmogorov_smirnov(x[:, 0], f["real"][:, 0]),
    ),
}


def _at(table: dict[str, Any], key: str) -> float:
    for part in key.split("/"):
        table = table[part]
    return float(table)  # type: ignore[arg-type]


def _close(value: float, expected: float, rtol: float) -> bool:
    return math.isclose(value, expected, rel_tol=rtol, abs_tol=1e-12)


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("key", CASES)
def test_feature_metrics_match(vectors: dict[str, Any], which: str, key: str) -> None:
    rtol, function = CASES[key]
    expected = _at(vectors["expected"]["features"][which], key)
    value = function(vectors["features"], vectors["features"][which])
    assert _close(value, expected, rtol), (value, expected)
    assert not _close(value * 1.1 + 1e-3, expected, rtol)  # the same test sees a 10 % error


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("k", [3, 5])
def test_prdc_matches_to_the_count(vectors: dict[str, Any], which: str, k: int) -> None:
    features, expected = vectors["features"], vectors["expected"]["features"][which]
    ours = neighbours.prdc(features["real"], features[which], k)._asdict()
    for name, value in expected[f"prdc.k{k}"].items():
        assert _close(ours[name], value, 1e-12), name
    closed = neighbours.prdc(features["real"], features[which], k, "<=")
    theirs = expected[f"torch_fidelity.prc.k{k}"]
    assert closed.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert closed.recall == pytest.approx(theirs["recall"], abs=1e-6)


@pytest.mark.parametrize("which", SETS)
def test_mauve_from_given_histograms(vectors: dict[str, Any], which: str) -> None:
    given = vectors["expected"]["features"][which][MAUVE]
    p, q = np.array(given["p_hist"]), np.array(given["q_hist"])
    n, m = len(vectors["features"]["real"]), len(vectors["features"][which])
    assert divergence.mauve(p, q) == pytest.approx(given["mauve"], abs=1e-9)
    assert divergence.mauve_star(p, q, n, m) == pytest.approx(given["mauve_star"], abs=1e-9)
    assert divergence.frontier_integral(p, q) == pytest.approx(given["frontier_integral"], abs=1e-9)
    assert divergence.frontier_integral_star(p, q, n, m) == pytest.approx(given["frontier_integral_star"], abs=1e-9)


def test_histograms_inception_score_and_perplexity(vectors: dict[str, Any]) -> None:
    for given in vectors["expected"]["histograms"]:
        p, q = np.array(given["p"]), np.array(given["q"])
        kl = divergence.kullback_leibler(p, q)
        assert kl == pytest.approx(math.inf if given["kl_pq"] is None else given["kl_pq"], rel=1e-9, abs=1e-12)
        assert divergence.mauve(p, q) == pytest.approx(given["mauve"], abs=1e-9)
        assert divergence.frontier_integral(p, q) == pytest.approx(given["frontier_integral"], abs=1e-9)
        assert divergence.jensen_shannon(p, q) == pytest.approx(given["js_nats"], abs=1e-12)
        assert divergence.total_variation(p, q) == pytest.approx(given["tv"], abs=1e-12)
        assert divergence.entropy(p) == pytest.approx(given["entropy_p"], abs=1e-12)
    mean, std = divergence.inception_score(vectors["logits"]["logits"])
    given = vectors["expected"]["inception_score_splits10_seed2020"]
    assert (mean, std) == pytest.approx((given["mean"], given["std"]), rel=1e-9)
    value = divergence.perplexity(vectors["lm"]["logits"], vectors["lm"]["targets"])
    assert value == pytest.approx(vectors["expected"]["perplexity_ignore_minus100"], rel=1e-5)
