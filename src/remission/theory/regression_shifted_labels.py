"""Strong collapse: a fixed share of wrongly labelled data leaves a floor that no amount of data removes.

One per cent of synthetic data whose true coefficients are off by 1 leaves an excess error of 1e-4.
"""

from __future__ import annotations

from typing import ClassVar

from remission.world import Prediction, Theory, World


def floor(share: float, gap: float) -> float:
    """Excess error -> p2^2 |delta|^2 as the number of rows grows.

    Args:
        share: p2, the share of synthetic rows.
        gap: |delta|, the distance of the coefficients that made their labels from the true ones (in the norm of C).

    Conditions: ordinary least squares, more rows than columns, the limit T -> infinity. Scale: mean.
    Source: derived (THEORY L4); Dohmatob et al., arXiv 2410.04840.

    >>> round(floor(0.01, 1.0), 6)
    0.0001
    """
    return (share * gap) ** 2


class RegressionShiftedLabels(Theory):
    """The floor p2^2 |delta|^2 of a regression on mixed labels; see :func:`floor`. It never falls with more data.

    No experiment has a second, wrong labelling with known coefficients, so this is a function only.

    >>> floor(0.5, 2.0)
    1.0
    """

    row: ClassVar[str] = "L4"
    source: ClassVar[str] = "derived; Dohmatob et al., arXiv 2410.04840"
    statement: ClassVar[str] = "excess -> p2^2 |delta|^2"

    def refuses(self, world: World) -> str:
        """Always: a loop has no second labelling."""
        return "it needs a second source whose labels have other known coefficients"

    def predict(self, world: World) -> list[Prediction]:
        """Nothing."""
        return []
