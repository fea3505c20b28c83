"""Vector metrics as the loop calls them: through views, at any block size."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from remission.data import Dataset, Space
from remission.errors import SpecError
from remission.interfaces import Metric, Sampling
from remission.laws import MixtureLaw, NormalLaw
from remission.metrics.authenticity import Authenticity
from remission.metrics.energy import Energy
from remission.metrics.frechet import Frechet
from remission.metrics.hill import Hill
from remission.metrics.kl import Kl
from remission.metrics.ks import Ks
from remission.metrics.log_likelihood import LogLikelihood
from remission.metrics.mmd import Mmd
from remission.metrics.mode_coverage import ModeCoverage
from remission.metrics.moments import Moments
from remission.metrics.prdc import Prdc
from remission.metrics.sliced_wasserstein import SlicedWasserstein
from remission.metrics.tail_mass import TailMass
from remission.metrics.vendi import Vendi
from remission.metrics.wasserstein import Wasserstein
from remission.models.gaussian import Gaussian, Normal
from remission.rng import Streams
from remission.view import View

ANY_WIDTH: tuple[Metric, ...] = (
    Moments(), Moments(of="sample"), Moments(of="training"), TailMass(q=0.05), Hill(), SlicedWasserstein(), Mmd(),
    Mmd(kernel="cubic"), Mmd(bandwidth=2.0), Frechet(), Prdc(), Prdc(k=3, inequality="<="), Vendi(), Vendi(kernel="rbf"),
    ModeCoverage(), LogLikelihood(), Authenticity(), Authenticity(cells=3), Energy(), Ks(), Kl(), Kl(of="sample"),
)  # fmt: skip


def view_of(
    replicates: Any = range(3), d: int = 2, law: bool = True, evaluation: int = 60, shrink: float = 1.0, m: int = 80
) -> View:
    """A Gaussian model of spread ``shrink`` in a standard normal world, block by block."""
    streams = Streams.of(5, replicates)
    real, reference = (streams.at(0, name).normals(n * d).reshape(-1, n, d) for name, n in (("real", 70), ("ref", m)))
    r, space = len(streams), Space("vector", (d,))
    state = Normal(np.full((r, d), 0.1), np.broadcast_to(np.eye(d) * shrink**2, (r, d, d)))
    return View(
        generation=3,
        space=space,
        law=NormalLaw(np.zeros(d), np.eye(d)) if law else None,
        reference=reference,
        real=real,
        model=Gaussian(),
        state=state,
        sampling=Sampling(),
        training=Dataset(space, real, np.zeros(real.shape[:2], np.int32)),
        evaluation=evaluation,
        streams=streams.at(3, "metric"),
    )


def measured(metric: Metric, view: View) -> dict[str, Any]:
    return metric.measure(view.for_metric(view.streams, metric.prepare(view)))


@pytest.mark.parametrize("law", [True, False])
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("metric", [*ANY_WIDTH, Wasserstein(), Wasserstein(p=2)], ids=lambda metric: metric.label)
def test_bit_identical_in_any_block(metric: Metric, d: int, law: bool) -> None:
    if isinstance(metric, Wasserstein) and d > 1:
        pytest.skip("one-dimensional")
    block = measured(metric, view_of(range(5), d, law))
    assert list(block) == list(metric.columns)
    for i in (0, 4):
        alone = measured(metric, view_of([i], d, law))
        for column, values in block.items():
            assert values.shape == (5,)
            assert values[i].tobytes() == alone[column][0].tobytes(), column


@pytest.mark.parametrize("metric", [*ANY_WIDTH, Wasserstein()], ids=lambda metric: metric.label)
def test_equal_n_for_sized_metrics(metric: Metric) -> None:
    """What moves with n sees equally many items: more reference items than sampled ones change nothing."""
    if not metric.sized:
        pytest.skip("not sized")
    longer, cut = view_of(d=1, m=200), view_of(d=1, m=200)
    object.__setattr__(cut, "reference", cut.reference[:, :60])
    for column, values in measured(metric, longer).items():
        if metric.label in ("mmd", "authenticity[cells=3]"):
            continue  # the bandwidth is of the whole reference
        np.testing.assert_array_equal(values, measured(metric, cut)[column])


def test_moments_of_the_model_are_the_definition() -> None:
    values = measured(Moments(), view_of(d=1, shrink=0.5))
    for column, expected in {
        "error": 0.01, "variance": 0.25, "total": 0.26, "log-det": math.log(0.25),
        "ratio": 0.25, "w2": 0.01 + 0.25,
    }.items():  # fmt: skip
        np.testing.assert_allclose(values[column], expected, rtol=1e-12)
        assert not np.allclose(values[column] * 1.1, expected, rtol=1e-3)
    wide = measured(Moments(), view_of(d=3, shrink=0.5))
    np.testing.assert_allclose(wide["w2"], 0.03 + 3 * 0.25, rtol=1e-10)
    np.testing.assert_allclose(wide["log-det"], 3 * math.log(0.25), rtol=1e-12)


def test_moments_stay_right_far_away_and_without_spread() -> None:
    view = view_of(d=1, law=False)
    far = view_of(d=1, law=False)
    object.__setattr__(far, "reference", far.reference + 1e8)
    object.__setattr__(far, "state", Normal(view.state.mean + 1e8, view.state.cov))
    for column, values in measured(Moments(), view).items():
        np.testing.assert_allclose(measured(Moments(), far)[column], values, rtol=1e-5, atol=1e-7)
    still = view_of(d=2, shrink=0.0)
    values = measured(Moments(), still)
    assert (values["variance"] == 0).all()
    assert (values["log-det"] == -np.inf).all()
    assert (measured(Kl(), still)["forward"] == np.inf).all()


def test_samples_is_decided_by_the_instance() -> None:
    assert not Moments().samples
    assert not Moments(of="model").samples
    assert Moments(of="sample").samples
    assert Moments(of="training").samples
    assert not LogLikelihood().samples
    assert Prdc().samples


def test_kl_equals_the_gain_in_log_likelihood() -> None:
    view = view_of(d=3, shrink=0.7, m=40_000)
    truth = view_of(d=3, m=40_000)
    object.__setattr__(truth, "state", Normal(np.zeros((3, 3)), np.broadcast_to(np.eye(3), (3, 3, 3))))
    gain = measured(LogLikelihood(), truth)[""] - measured(LogLikelihood(), view)[""]
    kl = measured(Kl(), view)["forward"]
    np.testing.assert_allclose(gain, kl, atol=0.05)
    assert (np.abs(gain - 1.2 * kl) > 0.05).all()


def test_tail_mass_is_one_in_health_and_zero_when_cut() -> None:
    healthy = measured(TailMass(q=0.05), view_of(d=2, evaluation=20_000))
    np.testing.assert_allclose(healthy["ratio"], 1.0, atol=0.1)
    np.testing.assert_allclose(healthy["lower"] + healthy["upper"], 0.1, atol=0.01)
    assert (measured(TailMass(q=0.05), view_of(d=2, evaluation=20_000, shrink=0.3))["ratio"] < 0.05).all()
    assert np.isnan(measured(TailMass(q=0.001), view_of(law=False))["mass"]).all()  # 80 items have no such quantile


@pytest.mark.parametrize("d", [1, 4])
def test_collapse_moves_each_column_as_declared(d: int) -> None:
    healthy, narrow = (view_of(range(8), d, law=False, evaluation=300, shrink=s, m=300) for s in (1.0, 0.3))
    for metric in (*ANY_WIDTH, *([Wasserstein()] if d == 1 else [])):
        if metric.label in ("moments[of=training]", "hill", "ks", "mode-coverage") or isinstance(metric, Vendi):
            continue  # blind to a change of scale alone, or not about the model
        before, after = measured(metric, healthy), measured(metric, narrow)
        for column, direction in metric.columns.items():
            gap = np.mean(after[column] - before[column])
            if column == "error" or (metric.name() == "authenticity" and d == 1):
                continue  # a narrow sample has a better mean; on the line training items are dense everywhere
            assert direction == "either" or (gap < 0) == (direction == "falls"), (metric.label, column, gap)


def test_modes_of_a_known_mixture() -> None:
    centres = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    view = view_of(d=2, evaluation=500)
    law = MixtureLaw.of(np.array([0.5, 0.4, 0.1]), centres, np.stack([np.eye(2)] * 3))
    object.__setattr__(view, "law", law)
    values = measured(ModeCoverage(), view)  # the model sits on the first mode
    np.testing.assert_allclose(values["hit"], 1 / 3)
    np.testing.assert_allclose(values["rare-recall"], 0.0)
    np.testing.assert_allclose(values["kl"], math.log(2))
    assert (values["outside"] < 0.01).all()


def test_wasserstein_refuses_several_dimensions() -> None:
    plane, line = (SimpleNamespace(space=Space("vector", (d,))) for d in (2, 1))
    assert "sliced-wasserstein" in Wasserstein().refuses(plane)  # type: ignore[arg-type]
    assert Wasserstein().refuses(line) == ""  # type: ignore[arg-type]


def test_bad_fields_are_refused() -> None:
    for build in (
        lambda: TailMass(q=0.5), lambda: Prdc(k=0), lambda: Vendi(orders=()), lambda: Mmd(kernel="cubic", bandwidth=1.0),
        lambda: Wasserstein(p=0.5), lambda: Moments(of="reference"),  # type: ignore[arg-type]
    ):  # fmt: skip
        with pytest.raises(SpecError):
            build()
    with pytest.raises(SpecError, match="Lower k"):
        Prdc(k=60).prepare(view_of())


def test_a_profile_of_orders_round_trips_through_plain_values() -> None:
    metric = Vendi(orders=(0.5, math.inf))
    table = metric.table()
    assert Vendi(orders=tuple(table["orders"])) == metric
    assert list(metric.columns) == ["q0.5", "q0.5-ratio", "qinf", "qinf-ratio"]
