"""Kullback-Leibler divergence of the fitted Gaussian from the real one, in closed form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, HasMoments, Metric
from remission.laws import Law
from remission.numerics.moments import mean_and_scatter
from remission.view import View


class Kl(Metric):
    """KL between N(mu0, S0), the real moments, and N(mu, S), the model's (or its sample's), in nats.

    ``forward``: KL(real || model) = (tr(S^-1 S0) + (mu - mu0)' S^-1 (mu - mu0) - d + ln det S - ln det S0) / 2, the
    excess risk of the likelihood: it explodes when variance is lost. ``reverse``: KL(model || real). Infinite when a
    covariance is singular. Exact for Gaussian models and worlds, a comparison of two moments otherwise. Both rise in
    collapse.

    Attributes:
        of: ``model``, ``sample``, or empty: the model if it knows its moments, else the sample.

    >>> Kl().label
    'kl'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"forward": "rises", "reverse": "rises"}

    of: Literal["", "model", "sample"] = ""

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample is asked for by name."""
        return self.of == "sample"

    def prepare(self, view: View) -> tuple[Floats, Floats]:
        """The real moments."""
        if isinstance(view.law, Law):
            return view.law.mean[None], view.law.cov[None]
        total, mean, scatter = mean_and_scatter(np.asarray(view.reference, np.float64))
        return mean, scatter / total[:, None, None]

    def measure(self, view: View) -> dict[str, Floats]:
        """Both columns, shape (r,)."""
        of = self.of or ("model" if isinstance(view.model, HasMoments) else "sample")
        mean, cov = view.moments(of)
        real_mean, real_cov = (np.broadcast_to(array, (view.replicates, *array.shape[1:])) for array in view.prepared)
        real = real_mean, real_cov
        return {"forward": _gaussian_kl(real, (mean, cov)), "reverse": _gaussian_kl((mean, cov), real)}


def _gaussian_kl(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
    """KL(one || other) of Gaussians given as means (r, d) and covariances (r, d, d), shape (r,)."""
    (mean, cov), (other_mean, other_cov) = one, other
    d = mean.shape[1]
    sign, log_det = np.linalg.slogdet(cov)
    other_sign, other_log_det = np.linalg.slogdet(other_cov)
    good = (sign > 0) & (other_sign > 0)
    safe: Any = np.where(good[:, None, None], other_cov, np.eye(d))
    gap = mean - other_mean
    trace = np.trace(np.linalg.solve(safe, cov), axis1=1, axis2=2)
    shift = np.einsum("rd,rd->r", gap, np.linalg.solve(safe, gap[:, :, None])[:, :, 0])
    with np.errstate(invalid="ignore"):
        value = 0.5 * (trace + shift - d + other_log_det - log_det)
    return np.where(good, value, np.inf)
