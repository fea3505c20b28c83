"""Verified labels: a sharp jump at p* = phi / (phi + psi) between the best and the worst classifier.

Labels wrong with probability p are harmless after a verifier as long as the wrong ones are the minority of what it keeps.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from remission.laws import ClassesLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, Threshold, World, nothing


def verifier_threshold(right: float, wrong: float) -> float:
    """p* = phi / (phi + psi), the rate of wrong labels above which a classifier learns the opposite.

    Args:
        right: phi, probability that a right label is kept.
        wrong: psi, probability that a wrong label is kept.

    Conditions: two classes, labels flipped independently of the features. Source: Feng et al., arXiv 2406.07515; THEORY V1.

    >>> round(verifier_threshold(0.8, 0.3), 3)
    0.727
    """
    return right / (right + wrong)


def kept_wrong(rate: float, right: float, wrong: float) -> float:
    """Share of wrong labels among the kept: p psi / (p psi + (1 - p) phi); 1/2 at p*.

    >>> round(kept_wrong(0.7, 0.8, 0.3), 4)
    0.4667
    """
    return rate * wrong / (rate * wrong + (1.0 - rate) * right)


def accuracy(rate: float, right: float, wrong: float, norm: float) -> float:
    """Accuracy of a linear classifier in the limit of many items: Phi(|mu|) below p*, 1 - Phi(|mu|) above, 1/2 at p*.

    Args:
        rate: p, probability of a wrong label.
        right: phi of the verifier.
        wrong: psi of the verifier.
        norm: |mu| of the classes N(+-mu, I).

    Below p* it is an upper bound for any number of items, above p* a lower one. Source: as :func:`verifier_threshold`.

    >>> round(accuracy(0.7, 0.8, 0.3, 1.0), 4), round(accuracy(0.75, 0.8, 0.3, 1.0), 4)
    (0.8413, 0.1587)
    """
    best = 0.5 * math.erfc(-norm / math.sqrt(2.0))
    gap = kept_wrong(rate, right, wrong) - 0.5
    return 0.5 if gap == 0 else best if gap < 0 else 1.0 - best


def accuracy_of_means(rate: float, right: float, wrong: float, norm: float, n: int, d: int) -> float:
    """Mean accuracy of the classifier sign(x . mean(y x)) trained on what is kept of n items in d dimensions.

    E Phi(|mu| s / sqrt(s^2 + q)) with s ~ N(r |mu|, (1 + (1 - r^2) |mu|^2)/N), q ~ chi2_{d-1}/N, r = 1 - 2 kept_wrong and
    N = n ((1 - p) phi + p psi): exact up to the central limit of the mean and the spread of N.

    Source: derived; for the setting d = 20, n = 20000 of Feng et al. (THEORY V1, A13).

    >>> [round(accuracy_of_means(p, 0.8, 0.3, 1.0, 20000, 20), 2) for p in (0.70, 0.75)]
    [0.79, 0.22]
    """
    from scipy.special import ndtr
    from scipy.stats import chi2
    from scipy.stats import norm as normal

    kept = n * ((1.0 - rate) * right + rate * wrong)
    signal = (1.0 - 2.0 * kept_wrong(rate, right, wrong)) * norm
    grid = (np.arange(400) + 0.5) / 400
    s = signal + normal.ppf(grid) * math.sqrt((1.0 + norm**2 - signal**2) / kept)
    q = chi2.ppf(grid, d - 1) / kept if d > 1 else np.zeros(1)
    return float(ndtr(norm * s[:, None] / np.sqrt(s[:, None] ** 2 + q)).mean())


class VerifiedLabels(Theory):
    """Accuracy after verification of noisy labels, as a bound that is reached by many items; see :func:`accuracy`.

    Range 0 to 1; collapse is a fall below 1/2. Only fit 1 is predicted: no model has made labels yet.

    >>> verifier_threshold(1.0, 1.0)
    0.5
    """

    row: ClassVar[str] = "V1"
    source: ClassVar[str] = "Feng et al., arXiv 2406.07515"
    statement: ClassVar[str] = "p* = phi/(phi + psi); accuracy Phi(|mu|) below, 1 - Phi(|mu|) above"

    def refuses(self, world: World) -> str:
        """Needs noisy labels of two equal classes, one verifier and a linear classifier."""
        return given.first(
            world,
            given.model("logistic"),
            given.classes_law,
            _two_equal_classes,
            _noisy,
            _one_verifier,
            given.real_start,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row test-risk.accuracy of fit 1, as a bound."""
        law = world.law
        assert isinstance(law, ClassesLaw)
        gap = law.means[1] - law.means[0]
        norm = 0.5 * math.sqrt(float(gap @ np.linalg.solve(law.cov, gap)))
        table = world.curators[0].table()
        values = nothing(world.generations)
        values[0] = accuracy(_rate(world), float(table["right"]), float(table["wrong"]), norm)
        return [Prediction(self.name(), "test-risk.accuracy", "bound", values)]

    def thresholds(self, world: World) -> list[Threshold]:
        """The share of wrong labels, and the verifier's rates, at which accuracy jumps. Any linear classifier."""
        linear = given.model("logistic", "nearest-mean")
        if given.first(world, linear, given.classes_law, _two_equal_classes, _noisy, _one_verifier, given.real_start):
            return []
        table, p = world.curators[0].table(), _rate(world)
        right, wrong = float(table["right"]), float(table["wrong"])
        told = "accuracy jumps where as many wrong as right labels pass the verifier"
        found = [("source.rate", verifier_threshold(right, wrong))]
        if 0 < p < 1:
            found += [("curator.0.wrong", right * (1 - p) / p), ("curator.0.right", wrong * p / (1 - p))]
        return [Threshold(self.name(), key, value, "any", told) for key, value in found if 0 <= value <= 1]


def _rate(world: World) -> float:
    return float(world.source.table()["rate"])


def _two_equal_classes(world: World) -> str:
    assert isinstance(world.law, ClassesLaw)
    shares = world.law.shares
    if shares.size != 2:
        return f"there are {shares.size} classes, not 2"
    return "" if np.allclose(shares, 0.5) else "the classes are not equally frequent"


def _noisy(world: World) -> str:
    base: Any = world.source.table().get("base")
    if world.source.name() != "noisy-labels" or not isinstance(base, dict) or base.get("kind") != "classes":
        return "the source is not noisy-labels of classes"
    return ""


def _one_verifier(world: World) -> str:
    names = [curator.name() for curator in world.curators]
    if names != ["verifier"]:
        return f"the curators are {', '.join(names)}, not one verifier" if names else "there is no verifier"
    return "" if world.curators[0].on in ("all", "real") else "the verifier does not judge real items"
