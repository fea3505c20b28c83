"""Mean, variance and log-determinant against the real law: the quantities theory predicts."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import numpy as np

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, HasMoments, Metric
from remission.laws import Law
from remission.numerics.moments import mean_and_scatter
from remission.view import View
from remission.world import World


class _Real(NamedTuple):
    """Real moments with a leading axis 1 (a law) or r (reference samples)."""

    mean: Floats  # (r, d)
    trace: Floats  # (r,)
    root: Floats  # (r, d, d), symmetric, root root = covariance


class Moments(Metric):
    """First and second moments, of the model where it knows them, else of a sample.

    With model mean mu and covariance S (a sample's divided by n), real mean mu0 and covariance S0:
    ``error`` = |mu - mu0|^2; ``variance`` = tr S; ``total`` = E|x - mu0|^2 = error + variance;
    ``log-det`` = ln det S (minus infinity when singular); ``ratio`` = tr S / tr S0;
    ``w2`` = squared 2-Wasserstein distance of the two Gaussians, (mu - mu0)^2 + (s - s0)^2 in one dimension.
    In squared units of the data. In collapse variance, log-det and ratio fall, error and w2 rise; where the fit keeps
    the second moment, total stays: collapse only moves variance into error.

    The real moments are those of the exact law when there is one, else of the reference (divided by its size).

    Attributes:
        of: ``model``, ``sample``, ``training`` (what the model was fitted on), or empty: the model if it knows its
            moments, else the sample.

    Raises SpecError for ``model`` when the model does not know its moments, for ``training`` on the fast path.

    Source: Dowson & Landau (JMVA 1982), eq. 4, for w2; THEORY rows G1-G3.

    >>> Moments(of="training").label
    'moments[of=training]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {
        "error": "rises",
        "variance": "falls",
        "total": "either",
        "log-det": "falls",
        "ratio": "falls",
        "w2": "rises",
    }

    of: Literal["", "model", "sample", "training"] = ""

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without moments."""
        if self.of == "model" and not isinstance(world.model, HasMoments):
            return f"{world.model.name()} does not know its moments. Try of = 'sample'."
        return ""

    def prepare(self, view: View) -> _Real:
        """The real moments and the root of the real covariance."""
        if isinstance(view.law, Law):
            mean, cov = view.law.mean[None], view.law.cov[None]
        else:
            total, mean, scatter = mean_and_scatter(np.asarray(view.reference, np.float64))
            cov = scatter / total[:, None, None]
        trace = np.trace(cov, axis1=1, axis2=2)
        if cov.shape[1] == 1:
            return _Real(mean, trace, np.sqrt(cov))
        values, vectors = np.linalg.eigh(cov)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]) @ np.swapaxes(vectors, 1, 2)
        return _Real(mean, trace, root)

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        of = self.of or ("model" if isinstance(view.model, HasMoments) else "sample")
        mean, cov = view.moments(of)
        real: _Real = view.prepared
        if mean.shape[1] == 1:
            gap = mean[:, 0] - real.mean[:, 0]
            error, variance = gap * gap, cov[:, 0, 0]
            with np.errstate(divide="ignore"):
                log_det = np.log(variance)
            spread = np.sqrt(variance) - real.root[:, 0, 0]
            distance = error + spread * spread
        else:
            gaps = mean - real.mean
            error, variance = np.einsum("rd,rd->r", gaps, gaps), np.trace(cov, axis1=1, axis2=2)
            sign, log_det = np.linalg.slogdet(cov)
            log_det = np.where(sign > 0, log_det, -np.inf)
            overlap = np.linalg.eigvalsh(real.root @ cov @ real.root)
            distance = error + variance + real.trace - 2 * np.sqrt(np.maximum(overlap, 0.0)).sum(axis=1)
        total = error + variance
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = variance / real.trace
        return {
            "error": error, "variance": variance, "total": total, "log-det": log_det,
            "ratio": ratio, "w2": distance,
        }  # fmt: skip
