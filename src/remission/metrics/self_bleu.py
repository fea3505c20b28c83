"""Self-BLEU: how well each block of text is predicted by the others."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._words import Unit, sizes, units
from remission.numerics import text
from remission.view import View


class SelfBleu(Metric):
    """Mean over blocks of BLEU against all other blocks, in [0, 1]; rises in collapse.

    BLEU with n-gram precisions for n = 1 .. ``orders``, uniform weights, smoothing method 1 and the brevity penalty:
    equal to nltk's (Zhu et al. 2018, arXiv:1802.01886; Papineni et al. 2002; Chen & Cherry 2014), in linear time.
    It rises with the number of blocks as well: the sample is cut to the size of the reference. NaN for one block.

    Attributes:
        orders: the longest n-gram; 4 is the usual BLEU-4.
        unit: ``tokens``, or ``words``, numbers and signs of the text they make (as in ``distinct``).

    >>> SelfBleu(orders=3).label
    'self-bleu[orders=3]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    orders: Annotated[int, Meta(ge=1, le=16)] = 4
    unit: Unit = "tokens"

    def prepare(self, view: View) -> list[int] | None:
        """How many words the reference has."""
        return sizes(view, self.unit)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        rows = units(view, self.unit, view.prepared)
        scores = [text.self_bleu(blocks, self.orders) for blocks in rows]
        return {"": np.array([found.mean() if found.size else np.nan for found in scores])}
