"""Every statistic of the collapse profile, for one pool of points under many labellings."""

from __future__ import annotations

import math

import numpy as np

from remission.data import Floats
from remission.numerics.discrepancy import median_bandwidth
from remission.numerics.neighbours import authentic, distances, mann_whitney_z
from remission.numerics.relabel import Labels, Neighbourhood
from remission.numerics.spectrum import effective_number

ORDERS = (0.1, 1.0, 2.0, math.inf)
NEIGHBOURS = 5
TAIL = 0.1  # the share of training items that counts as the tail, by their length in standardised coordinates
AXES = 64  # spectra are taken on at most so many leading axes of the training items


def _spectrum(points: Floats) -> Floats:
    """Shares of the directions that points take from their own mean: a mere shift of all changes nothing."""
    gaps = points - points.mean(axis=0)
    length = np.sqrt((gaps * gaps).sum(axis=1, keepdims=True))
    rows = gaps / np.where(length > 0, length, 1.0)
    values = np.linalg.eigvalsh(rows.T @ rows)
    values = np.where(values > len(values) * np.finfo(float).eps * values[-1], values, 0.0)
    return values / values.sum() if values.any() else np.ones(1)  # all alike: one kind


def _root(points: Floats) -> tuple[Floats, Floats, float]:
    """Mean (d,), R with R'R the covariance, and ln det (minus infinity when singular)."""
    mean = points.mean(axis=0)
    rest = points - mean
    values, vectors = np.linalg.eigh(rest.T @ rest / (len(points) - 1))
    singular = values[0] <= len(values) * np.finfo(float).eps * values[-1]
    log_det = -math.inf if singular else float(np.log(values).sum())
    return mean, np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T, log_det


class Pool:
    """Reference (label 0) and generated items (label 1) in one pool, and the training items ``real`` beside it.

    Under the hypothesis that generated items are fresh draws of the real law the labels are exchangeable, given the
    training items; every threshold and scale here depends only on those, so that a permutation test is exact.
    """

    def __init__(self, real: Floats, reference: Floats, sample: Floats) -> None:
        origin = real[0] + (real - real[0]).mean(axis=0)
        real = real - origin
        points = np.vstack([reference, sample]) - origin
        self.points, self.squares = points, (points * points).sum(axis=1)
        self.neighbours = Neighbourhood(points)
        self.far, self.authentic = authentic(real, points)
        scale = real.std(axis=0)
        scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        reach = np.quantile(((real * scale) ** 2).sum(axis=1), 1 - TAIL)
        self.beyond = (((points * scale) ** 2).sum(axis=1) > reach).astype(np.float64)
        self.bandwidth = median_bandwidth(real)
        square = distances(points, points) ** 2
        self.kernel = np.exp(square * (-0.5 / self.bandwidth**2)) if self.bandwidth else np.ones_like(square)
        np.fill_diagonal(self.kernel, 0.0)
        kept = min(points.shape[1], AXES, max(1, len(sample) // 4))
        if kept < points.shape[1]:
            _, _, axes = np.linalg.svd(real, full_matrices=False)
            points = points @ axes[:kept].T
        self.axes = points

    def statistics(self, labels: Labels) -> dict[str, Floats]:
        """Every statistic under each of ``labels`` (b, n), shape (b,) each."""
        made, kept = (labels == 1).astype(np.float64), (labels == 0).astype(np.float64)
        m, n = made.sum(axis=1), kept.sum(axis=1)
        precision, recall, _, coverage = self.neighbours.prdc(labels, NEIGHBOURS).T
        out = {"precision": precision, "recall": recall, "coverage": coverage}
        to_made, to_kept = made @ self.kernel, kept @ self.kernel
        out["mmd"] = (
            np.einsum("bn,bn->b", to_made, made) / (m * (m - 1))
            + np.einsum("bn,bn->b", to_kept, kept) / (n * (n - 1))
            - 2 * np.einsum("bn,bn->b", to_made, kept) / (m * n)
        )
        spread = [
            (w @ self.squares - ((w @ self.points) ** 2).sum(axis=1) / size) / (size - 1)
            for w, size in ((made, m), (kept, n))
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            out["variance-ratio"] = spread[0] / spread[1]
        out["authpct"] = 100 * (made @ self.authentic) / m
        out["tail-mass"] = made @ self.beyond / m
        loops = [self._one(row == 1, row == 0) for row in labels]
        return out | {name: np.array([one[name] for one in loops]) for name in loops[0]}

    def _one(self, made: np.typing.NDArray[np.bool_], kept: np.typing.NDArray[np.bool_]) -> dict[str, float]:
        """The statistics that need a spectrum or a rank, under one labelling."""
        mean, root, log_det = _root(self.axes[made])
        real_mean, real_root, real_log_det = _root(self.axes[kept])
        overlap = float(np.linalg.svd(root @ real_root.T, compute_uv=False).sum())
        gap = mean - real_mean
        frechet = float(gap @ gap) + float((root * root).sum()) + float((real_root * real_root).sum()) - 2 * overlap
        volume = math.exp((log_det - real_log_det) / len(mean)) if real_log_det > -math.inf else math.nan
        spectrum = _spectrum(self.axes[made])
        far, real_far = self.far[made], self.far[kept]
        middle = float(np.median(real_far))
        return {
            "frechet": frechet,
            "volume-ratio": volume,
            "ct": mann_whitney_z(far, real_far),
            "distance-ratio": float(np.median(far)) / middle if middle else math.nan,
        } | {f"vendi-q{order:g}": effective_number(spectrum, order) for order in ORDERS}
