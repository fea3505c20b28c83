"""Perplexity of what the newest model writes under the model of fit 1, the model of real text: its tails."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Floats
from remission.interfaces import Direction, HasDensity, Metric
from remission.metrics._chances import block_perplexities
from remission.numerics.discrepancy import chance_above, kolmogorov_smirnov
from remission.view import View


class FirstPerplexity(Metric):
    """The distribution of the perplexity of generated blocks under the model of fit 1, which saw real text only.

    With x the perplexities exp(- l / k) of the blocks of the sample (l the log-probability under the model of fit 1 of
    the k tokens that are predicted) and y those of equally many reference blocks:

    ============ ===================================================================================================
    ``mean``     of x: pulled up by few improbable blocks; infinite as soon as one is impossible
    ``median``   of x: falls when a model narrows onto what is probable, rises when it drifts into noise
    ``q05``      the 5 % quantile of x
    ``q95``      the 95 % quantile of x
    ``likely``   share of x below the 5 % quantile of y: 0.05 in health, rises when text gets too probable
    ``unlikely`` share of x above the 95 % quantile of y: 0.05 in health, rises when errors pile up in the right tail
    ``above``    chance that an x is larger than a y, ties half: 0.5 in health
    ``ks``       largest gap between the distribution functions of x and y, in [0, 1]; rises
    ============ ===================================================================================================

    Over generations the published pictures show both at once: more and more probable text, and a tail of text that real
    data would never hold. Quantiles are values of the sample (no interpolation), so infinity is one of them.
    y is real text that fit 1 was not trained on, so a small first model, which is surprised by real text, finds its own
    samples too probable from generation 1 on: read changes.

    Attributes:
        given: tokens at the start of a block that are not predicted (as in ``perplexity``).

    Source: Shumailov et al., "AI models collapse when trained on recursively generated data", Nature 631:755 (2024).

    >>> list(FirstPerplexity.columns)[4:]
    ['likely', 'unlikely', 'above', 'ks']
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {
        "mean": "either", "median": "either", "q05": "either", "q95": "either", "likely": "rises", "unlikely": "rises",
        "above": "either", "ks": "rises",
    }  # fmt: skip
    needs: ClassVar[tuple[type, ...]] = (HasDensity,)
    sized: ClassVar[bool] = True

    given: Annotated[int, Meta(ge=-1)] = -1

    def prepare(self, view: View) -> Floats:
        """Perplexities (r, m) of the reference, at equal n, under the first model."""
        reference = view.reference[:, : min(view.evaluation, view.reference.shape[1])]
        return block_perplexities(view, view.first, reference, self.given)

    def measure(self, view: View) -> dict[str, Floats]:
        """Eight columns (r,)."""
        found = block_perplexities(view, view.first, view.pair()[0], self.given)
        rows = [_compared(x, y) for x, y in zip(found, view.prepared, strict=True)]
        return dict(zip(self.columns, np.array(rows, np.float64).T, strict=True))


def _compared(x: Floats, y: Floats) -> tuple[Any, ...]:
    if np.isnan(x).any():
        return (np.nan,) * 8
    low, middle, high = np.quantile(x, [0.05, 0.5, 0.95], method="inverted_cdf")
    least, most = np.quantile(y, [0.05, 0.95], method="inverted_cdf")
    spread = (x < least).mean(), (x > most).mean()
    return (x.mean(), middle, low, high, *spread, chance_above(x, y), kolmogorov_smirnov(x, y))
