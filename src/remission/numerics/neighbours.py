"""Nearest neighbours without a matrix of distances: precision, recall, density, coverage, AuthPct, C_T.

Every distance that decides is a direct sum of squared differences in float64: two equal points are at distance exactly
zero and a common offset cancels before squaring. Memory grows with n, never with n^2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Array, Floats, Integers
from remission.numerics.jit import jit

Inequality = Literal["<", "<="]
_TILE = 64  # points whose distances are computed together; a tile is padded, so one code path serves all
_SHAPE = 256, 1024  # of a tile of the screen: a megabyte in single precision


@jit(fast=True)
def _squares(point, tile, out):  # type: ignore[no-untyped-def]
    """Squared distances of one point (d,) to a tile (d, 64), eight coordinates a step to stay in registers."""
    d = point.size
    for j in range(_TILE):
        out[j] = 0.0
    a = 0
    while a + 8 <= d:
        p0, p1, p2, p3 = point[a], point[a + 1], point[a + 2], point[a + 3]
        p4, p5, p6, p7 = point[a + 4], point[a + 5], point[a + 6], point[a + 7]
        for j in range(_TILE):
            g0, g1 = p0 - tile[a, j], p1 - tile[a + 1, j]
            g2, g3 = p2 - tile[a + 2, j], p3 - tile[a + 3, j]
            g4, g5 = p4 - tile[a + 4, j], p5 - tile[a + 5, j]
            g6, g7 = p6 - tile[a + 6, j], p7 - tile[a + 7, j]
            out[j] += (g0 * g0 + g1 * g1 + g2 * g2 + g3 * g3) + (g4 * g4 + g5 * g5 + g6 * g6 + g7 * g7)
        a += 8
    while a < d:
        p = point[a]
        for j in range(_TILE):
            gap = p - tile[a, j]
            out[j] += gap * gap
        a += 1


@jit()
def _tiles(points):  # type: ignore[no-untyped-def]
    n, d = points.shape
    out = np.zeros(((n + _TILE - 1) // _TILE, d, _TILE))
    for i in range(n):
        for a in range(d):
            out[i // _TILE, a, i % _TILE] = points[i, a]
    return out


@jit()
def _exact(one, other):  # type: ignore[no-untyped-def]
    """One squared distance, summed in a fixed order, so that every kernel finds the same bits."""
    d = one.size
    s0 = s1 = s2 = s3 = 0.0
    a = 0
    while a + 4 <= d:
        g0, g1, g2, g3 = (
            one[a] - other[a],
            one[a + 1] - other[a + 1],
            one[a + 2] - other[a + 2],
            one[a + 3] - other[a + 3],
        )
        s0 += g0 * g0
        s1 += g1 * g1
        s2 += g2 * g2
        s3 += g3 * g3
        a += 4
    while a < d:
        gap = one[a] - other[a]
        s0 += gap * gap
        a += 1
    return (s0 + s1) + (s2 + s3)


@jit()
def _insert(square, j, best, index):  # type: ignore[no-untyped-def]
    """Put one candidate into the ascending ``best`` (k,); the first of equals stays."""
    place = best.size - 1
    while place > 0 and best[place - 1] > square:
        best[place], index[place] = best[place - 1], index[place - 1]
        place -= 1
    best[place], index[place] = square, j


@jit(fast=True)
def _flag(rough, low, limit, shift, out):  # type: ignore[no-untyped-def]
    """Mark the values that are at most ``low``, or at most their own ``limit`` after ``shift``: no branch, so SIMD."""
    for c in range(rough.size):
        out[c] = (rough[c] <= low) | (rough[c] + shift <= limit[c])


@jit()
def _nearest(points, among, rough, at, lengths, scale, mirrored, best, index, limit):  # type: ignore[no-untyped-def]
    """Update the k smallest squared distances ``best`` (n, k), and their ``index``, from a tile of rough squares.

    Mirrored: ``among`` are the points themselves, and a pair j > i serves both of its points. ``limit`` (m,) holds the
    largest of ``best`` of each point of ``among``, minus infinity where they collect nothing.
    """
    start, first = at
    last, width, number = best.shape[1] - 1, rough.shape[1], rough.dtype.type
    mine, reach = lengths[0], lengths[1][first : first + width].max()
    flags = np.zeros((width + 7) // 8 * 8, np.uint8)
    eights = flags.view(np.uint64)
    for row in range(rough.shape[0]):
        i = start + row
        shift = mine[i] ** 2 - scale * (mine[i] + reach) ** 2
        _flag(rough[row], number(best[i, last] - shift), limit[first:], number(shift), flags)
        for eight in range(max(0, i + 1 - first) // 8 if mirrored else 0, eights.size):
            if not eights[eight]:
                continue
            for c in range(8 * eight, 8 * eight + 8):
                j = first + c
                if not flags[c] or (mirrored and j <= i) or rough[row, c] + shift > max(best[i, last], limit[j]):
                    continue
                square = _exact(points[i], among[j])
                if square < best[i, last]:
                    _insert(square, j, best[i], index[i])
                if mirrored and square < best[j, last]:
                    _insert(square, i, best[j], index[j])
                    limit[j] = best[j, last]


@jit(inline=True)
def _within(square, radius, closed):  # type: ignore[no-untyped-def]
    return square < radius or (closed and square == radius)


@jit()
def _balls(real, made, rough, at, lengths, scale, radii, limit, closed, inside, covered, held):  # type: ignore[no-untyped-def]
    """Count, for each generated point, the real balls it lies in; mark real points that hold or are held by one."""
    (start, first), (mine, theirs), number = at, radii, rough.dtype.type
    size, reach = lengths[0], lengths[1][first : first + rough.shape[1]].max()
    flags = np.zeros((rough.shape[1] + 7) // 8 * 8, np.uint8)
    eights = flags.view(np.uint64)
    for row in range(rough.shape[0]):
        i = start + row
        slack = scale * (size[i] + reach) ** 2
        shift, sure = size[i] ** 2 - slack, mine[i] - slack - size[i] ** 2
        low = number(mine[i] - shift)
        _flag(rough[row], low, limit[first:], number(np.inf if covered[i] else shift), flags)
        for eight in range(eights.size):
            if not eights[eight]:
                continue
            for c in range(8 * eight, 8 * eight + 8):
                if not flags[c] or (covered[i] and rough[row, c] > low):
                    continue
                j, value = first + c, rough[row, c]
                if value >= sure or not covered[i]:
                    square = _exact(real[i], made[j])
                    covered[i] |= _within(square, theirs[j], closed)
                    if not _within(square, mine[i], closed):
                        continue
                inside[j] += 1
                held[i] = True


class _Screen:
    """|y|^2 - 2 x.y of rows x (n, d) and y (m, d) in tiles, by matrix products, in single precision where it holds.

    A tile decides most comparisons of distances; those that its rounding cannot decide are made on exact ones: the
    speed of a product, and exact counts. Rounding is at most ``scale`` (|x| + |y|)^2, eight times what is needed.
    """

    def __init__(self, x: Floats, among: Floats) -> None:
        self.mirrored = x is among
        with np.errstate(over="ignore", invalid="ignore"):
            origin = among[0] + (among - among[0]).mean(axis=0)
            y = among - origin
            x = y if self.mirrored else x - origin
            size, other = (np.einsum("nd,nd->n", rows, rows) for rows in (x, y))
        top = max(float(size.max()), float(other.max()))
        if not top < 1e300:
            raise DataError("Items lie so far apart that squared distances overflow. Rescale them.")
        self.kind: Any = np.float32 if 1e-20 < top < 1e30 else np.float64
        self.scale = 4.0 * (x.shape[1] + 8) * float(np.finfo(self.kind).eps)
        self.lengths = np.sqrt(size), np.sqrt(other)
        self._left, self._right = (np.empty((len(rows), x.shape[1] + 1), self.kind) for rows in (x, y))
        np.multiply(x, -2.0, out=self._left[:, :-1], casting="same_kind")
        self._right[:, :-1], self._left[:, -1], self._right[:, -1] = y, 1.0, other

    def tiles(self) -> Iterator[tuple[tuple[int, int], Array]]:
        """The first row and column of a tile, and the tile; of mirrored ones only those on and above the diagonal."""
        tall, wide = _SHAPE
        space = np.empty(tall * wide, self.kind)
        for start in range(0, len(self._left), tall):
            rows = self._left[start : start + tall]
            for first in range(start if self.mirrored else 0, len(self._right), wide):
                right = self._right[first : first + wide].T
                out = space[: len(rows) * right.shape[1]].reshape(len(rows), -1)
                yield (start, first), np.matmul(rows, right, out=out)


def _k_nearest(points: Floats, among: Floats, k: int) -> tuple[Floats, Integers]:
    """The k smallest squared distances (n, k) and their indices; a point is no neighbour of itself in its own set."""
    best, index = np.full((len(points), k), np.inf), np.full((len(points), k), -1, np.int64)
    screen = _Screen(points, among)
    limit = np.full(len(among), np.inf if screen.mirrored else -np.inf, screen.kind)
    for at, rough in screen.tiles():
        _nearest(points, among, rough, at, screen.lengths, screen.scale, screen.mirrored, best, index, limit)
    return best, index


@jit()
def _matrix(points, tiles, out):  # type: ignore[no-untyped-def]
    row = np.empty(_TILE)
    for i in range(points.shape[0]):
        for t in range(tiles.shape[0]):
            _squares(points[i], tiles[t], row)
            first = t * _TILE
            for j in range(min(_TILE, out.shape[1] - first)):
                out[i, first + j] = row[j]


@jit()
def _mean_distance(points, tiles, count, total):  # type: ignore[no-untyped-def]
    row = np.empty(_TILE)
    for i in range(points.shape[0]):
        part = 0.0
        for t in range(tiles.shape[0]):
            _squares(points[i], tiles[t], row)
            for j in range(min(_TILE, count - t * _TILE)):
                part += math.sqrt(row[j])
        total[i] = part


class Prdc(NamedTuple):
    """Precision, recall, density, coverage."""

    precision: float
    recall: float
    density: float
    coverage: float


def points_of(x: Floats, name: str = "points") -> Floats:
    """A float64 (n, d) array without NaN, or DataError."""
    array = np.ascontiguousarray(x, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not len(array):
        raise DataError(f"{name} must have shape (n, d) with n >= 1. Got {array.shape}.")
    if not np.isfinite(array).all():
        raise DataError(f"{name} contain NaN or infinity. Drop those rows first.")
    return array


def nearest(points: Floats, among: Floats, k: int = 1) -> tuple[Floats, Integers]:
    """The k nearest of ``among`` (m, d) to each of ``points`` (n, d): distances (n, k) ascending, indices (n, k).

    >>> import numpy as np
    >>> nearest(np.array([[0.0], [5.0]]), np.array([[1.0], [7.0]]))[0].ravel()
    array([1., 2.])
    """
    points, among = points_of(points), points_of(among)
    if not 1 <= k <= len(among):
        raise DataError(f"There are {len(among)} points to be near to; k must be 1 to {len(among)}. Got {k}.")
    best, index = _k_nearest(points, among.copy() if among is points else among, k)
    return np.sqrt(best), index


def squared_radii(points: Floats, k: int) -> Floats:
    """Squared distance of each of ``points`` (n, d) to its k-th nearest *other* point of the set, shape (n,)."""
    points = points_of(points)
    if not 1 <= k < len(points):
        raise DataError(f"k = {k} neighbours need at least {k + 1} points. Got {len(points)}. Lower k.")
    return np.ascontiguousarray(_k_nearest(points, points, k)[0][:, -1])


def radii(points: Floats, k: int) -> Floats:
    """Distance of each of ``points`` (n, d) to its k-th nearest *other* point of the set, shape (n,)."""
    return np.sqrt(squared_radii(points, k))


def distances(points: Floats, among: Floats) -> Floats:
    """All Euclidean distances, shape (n, m). The only function here whose memory grows with n m."""
    points, among = points_of(points), points_of(among)
    out = np.empty((len(points), len(among)))
    _matrix(points, _tiles(among), out)
    return np.sqrt(out, out=out)


def mean_distance(points: Floats, among: Floats) -> float:
    """Mean Euclidean distance over all pairs of (n, d) and (m, d), a point and itself included."""
    points, among = points_of(points), points_of(among)
    rows = np.empty(len(points))
    _mean_distance(points, _tiles(among), len(among), rows)
    return float(rows.sum() / (len(points) * len(among)))


def prdc(
    real: Floats, generated: Floats, k: int = 5, inequality: Inequality = "<", known: Floats | None = None
) -> Prdc:
    """Precision, recall, density and coverage of ``generated`` (m, d) against ``real`` (n, d).

    With B(x) the ball around x that reaches its k-th nearest other point of its own set: precision is the share of
    generated points in some real ball; recall the share of real points in some generated ball; density the mean
    number of real balls around a generated point, over k; coverage the share of real balls that hold a generated
    point. All in [0, 1] but density. In collapse precision and density go UP, recall and coverage fall.

    Args:
        real: shape (n, d).
        generated: shape (m, d).
        k: which neighbour sets the radius.
        inequality: whether the border belongs to a ball; ``<`` as in Naeem et al., ``<=`` as in torch-fidelity.
        known: the squared radii of ``real``, if they were worked out before, shape (n,).

    Source: Naeem et al., "Reliable fidelity and diversity metrics" (ICML 2020), eqs. 2, 4, 5.

    >>> import numpy as np
    >>> prdc(np.array([[0.0], [1.0], [2.0]]), np.array([[0.5], [0.6], [9.0]]), k=1).precision.__round__(3)
    0.667
    """
    real, generated = points_of(real, "real points"), points_of(generated, "generated points")
    mine = squared_radii(real, k) if known is None else known
    theirs = squared_radii(generated, k)
    inside = np.zeros(len(generated), np.int64)
    covered, held = np.zeros(len(real), np.bool_), np.zeros(len(real), np.bool_)
    screen = _Screen(real, generated.copy() if generated is real else generated)
    limit, closed = theirs.astype(screen.kind), inequality == "<="
    for at, rough in screen.tiles():
        _balls(
            real, generated, rough, at, screen.lengths, screen.scale, (mine, theirs), limit, closed,
            inside, covered, held,
        )  # fmt: skip
    density = inside.sum() / k / len(generated)
    return Prdc(float(np.mean(inside > 0)), float(np.mean(covered)), float(density), float(np.mean(held)))


def authentic(train: Floats, generated: Floats) -> tuple[Floats, Floats]:
    """For each generated point its distance to the nearest training point, and whether it is authentic (1.0 or 0.0).

    Authentic: farther from that training point than the training point is from its own nearest training neighbour.
    """
    train, generated = points_of(train, "training points"), points_of(generated, "generated points")
    own = np.sqrt(squared_radii(train, 1))
    gap, who = nearest(generated, train)
    return gap[:, 0], (own[who[:, 0]] < gap[:, 0]).astype(np.float64)


def authpct(train: Floats, generated: Floats) -> float:
    """AuthPct: 100 x the share of authentic generated points; 0 for copies, and lower when a model narrows.

    Source: Alaa et al., "How faithful is your synthetic data?" (ICML 2022), section 3.3, as in dgm-eval.

    >>> import numpy as np
    >>> authpct(np.array([[0.0], [1.0]]), np.array([[0.01], [3.0]]))
    50.0
    """
    return float(100.0 * authentic(train, generated)[1].mean())


def mann_whitney_z(generated: Floats, test: Floats) -> float:
    """Z-scored Mann-Whitney U of values (m,) against (n,): below 0 when ``generated`` are the smaller ones.

    The mean under the null is n m / 2 - 1/2 (continuity), the variance n m (n + m + 1) / 12.
    """
    order = np.sort(test)
    below = np.searchsorted(order, generated, "left")
    u = float((below + 0.5 * (np.searchsorted(order, generated, "right") - below)).sum())
    n, m = len(test), len(generated)
    return (u - (n * m / 2 - 0.5)) / math.sqrt(n * m * (n + m + 1) / 12)


def copying(test: Floats, generated: Floats, train: Floats) -> float:
    """Z_U of the data-copying test, one cell: well below 0 when generated points hug the training points.

    A collapse onto the modes also pulls it below 0: read it with recall.

    Source: Meehan, Chaudhuri & Dasgupta, "A non-parametric test to detect data-copying" (AISTATS 2020), section 4.
    """
    return mann_whitney_z(nearest(generated, train)[0][:, 0], nearest(test, train)[0][:, 0])


def copying_in_cells(test: Floats, generated: Floats, train: Floats, centres: Floats, fewest: int = 10) -> float:
    """C_T: the mean of Z_U over the cells of ``centres`` (c, d), weighted by the share of test points in each.

    Cells with fewer than ``fewest`` test or generated points are left out; NaN when none is left.

    Source: Meehan et al. (2020), equation 4.
    """
    near_test, near_made = nearest(test, train)[0][:, 0], nearest(generated, train)[0][:, 0]
    cell_test, cell_made = nearest(test, centres)[1][:, 0], nearest(generated, centres)[1][:, 0]
    total = weight = 0.0
    for cell in range(len(centres)):
        here, there = near_test[cell_test == cell], near_made[cell_made == cell]
        if min(len(here), len(there)) >= fewest:
            total += len(here) * mann_whitney_z(there, here)
            weight += len(here)
    return total / weight if weight else math.nan
