"""Modes: finding cells in real points, and counting which ones a sample still reaches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Floats, Integers
from remission.numerics.neighbours import nearest, points_of


class Modes(NamedTuple):
    """k modes: centre (k, d), W (k, d, d) that whitens around it, real share (k,), squared radius (k,)."""

    centres: Floats
    whitening: Floats
    shares: Floats
    reach: Floats


def kmeans(points: Floats, k: int, uniforms: Floats, iterations: int = 50) -> tuple[Floats, Integers]:
    """Centres (k, d) and the cell of each of (n, d): k-means++ from ``uniforms`` (k,), then Lloyd's steps.

    Source: Arthur & Vassilvitskii, "k-means++" (SODA 2007).
    """
    points = points_of(points)
    if not 1 <= k <= len(points):
        raise DataError(f"{len(points)} points have 1 to {len(points)} cells. Got k = {k}.")
    centres = points[[min(int(uniforms[0] * len(points)), len(points) - 1)]]
    for u in uniforms[1:k]:
        mass = np.cumsum(nearest(points, centres)[0][:, 0] ** 2)
        chosen = int(np.searchsorted(mass, u * mass[-1], "right")) if mass[-1] > 0 else 0
        centres = np.vstack([centres, points[min(chosen, len(points) - 1)]])
    cell = nearest(points, centres)[1][:, 0]
    for _ in range(iterations):
        for c in range(k):
            if (cell == c).any():
                own = points[cell == c]
                centres[c] = own[0] + (own - own[0]).mean(axis=0)
        moved = nearest(points, centres)[1][:, 0]
        if (moved == cell).all():
            break
        cell = moved
    return centres, cell


def known_modes(weights: Floats, centres: Floats, spreads: Floats, inside: float) -> Modes:
    """The components of a Gaussian mixture; ``inside`` is the share of a component's own points it holds."""
    from scipy.special import chdtri

    d = centres.shape[1]
    roots = np.linalg.cholesky(spreads)
    white = np.swapaxes(np.linalg.inv(roots), 1, 2)
    return Modes(centres, white, weights / weights.sum(), np.full(len(centres), float(chdtri(d, 1.0 - inside))))


def found_modes(points: Floats, k: int, uniforms: Floats, inside: float) -> Modes:
    """k-means cells of real points (n, d); a cell reaches as far as the ``inside`` quantile of its own points."""
    centres, cell = kmeans(points, k, uniforms)
    d = points.shape[1]
    alive = [c for c in range(k) if (cell == c).any()]
    reach = np.array([np.quantile(((points[cell == c] - centres[c]) ** 2).sum(axis=1), inside) for c in alive])
    shares = np.array([np.mean(cell == c) for c in alive])
    return Modes(centres[alive], np.broadcast_to(np.eye(d), (len(alive), d, d)), shares, reach)


def counts(points: Floats, modes: Modes) -> tuple[Integers, int]:
    """How many of (n, d) lie in each mode (its nearest, within reach), and how many in none."""
    square = np.empty((len(points), len(modes.shares)))
    for c, centre in enumerate(modes.centres):
        z = (points - centre) @ modes.whitening[c]
        square[:, c] = np.einsum("nd,nd->n", z, z)
    nearest_mode = square.argmin(axis=1)
    held = square[np.arange(len(points)), nearest_mode] <= modes.reach[nearest_mode]
    return np.bincount(nearest_mode[held], minlength=len(modes.shares)), int((~held).sum())
