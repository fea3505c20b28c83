"""Clusters of points: k-means, started far apart."""

from __future__ import annotations

import torch
from torch import Tensor

from remission.networks.dice import Dice

ROUNDS = 12  # of Lloyd's algorithm


def centres(points: Tensor, count: int, dice: Dice) -> Tensor:
    """The centres (count, d) of clusters of points (n, d), by k-means++ (Arthur and Vassilvitskii, 2007) and Lloyd.

    With fewer different points than clusters some centres are the same. ``dice`` is of one replicate.
    """
    chances = dice.uniforms(count)[0].to(points.device, torch.float64)
    squares = points.square().sum(dim=1)
    found = [points[int(chances[0] * len(points))]]
    gaps = _gaps(points, squares, found[0][None])[:, 0]
    for chance in chances[1:]:
        reach = gaps.double().cumsum(dim=0)
        place = torch.searchsorted(reach, chance * reach[-1], right=True).clamp(max=len(points) - 1)
        found.append(points[place])
        gaps = torch.minimum(gaps, _gaps(points, squares, found[-1][None])[:, 0])
    middle = torch.stack(found)
    for _ in range(ROUNDS):
        mine = _gaps(points, squares, middle).argmin(dim=1)
        sums = torch.zeros_like(middle).index_add_(0, mine, points)
        sizes = torch.bincount(mine, minlength=count)[:, None]
        middle = torch.where(sizes > 0, sums / sizes.clamp(min=1), middle)  # one that lost its points stays
    return middle


def nearest(points: Tensor, middle: Tensor) -> Tensor:
    """The number (n,) of the nearest centre of every point (n, d)."""
    return _gaps(points, points.square().sum(dim=1), middle).argmin(dim=1)


def _gaps(points: Tensor, squares: Tensor, middle: Tensor) -> Tensor:
    """Squared distances (n, k)."""
    return (squares[:, None] - 2 * points @ middle.T + middle.square().sum(dim=1)).clamp(min=0.0)
