"""K-means: as good as scikit-learn's, and unimpressed by points that are all the same."""

from __future__ import annotations

import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from remission.networks.clusters import centres, nearest
from remission.networks.dice import Dice


def spread(points: torch.Tensor, middle: torch.Tensor) -> float:
    return float((points - middle[nearest(points, middle)]).square().sum())


def test_clusters_are_as_tight_as_those_of_another_implementation() -> None:
    points = torch.from_numpy(load_digits().data).float() / 16
    ours = [spread(points, centres(points, 20, Dice([seed]))) for seed in range(5)]
    theirs = [KMeans(20, n_init=1, random_state=seed).fit(points.numpy()).inertia_ for seed in range(5)]
    assert min(ours) < 1.03 * min(theirs)
    assert max(ours) < 1.06 * max(theirs)
    assert spread(points, points[:20]) > 1.2 * max(ours), "any centres will not do"


def test_separate_heaps_are_found() -> None:
    heaps = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    points = (heaps[:, None] + 0.1 * torch.randn(3, 40, 2, generator=torch.Generator().manual_seed(0))).flatten(0, 1)
    mine = nearest(points, centres(points, 3, Dice([1]))).view(3, 40)
    assert (mine == mine[:, :1]).all()
    assert len(mine[:, 0].unique()) == 3


def test_fewer_different_points_than_clusters() -> None:
    points = torch.ones(30, 4)
    middle = centres(points, 5, Dice([2]))
    assert torch.allclose(middle, torch.ones(5, 4))
    assert nearest(points, middle).shape == (30,)
