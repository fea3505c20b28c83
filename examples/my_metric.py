"""A metric of one's own: name it in an experiment as ``kind = "my_metric:Spread"``."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission import SimpleMetric


class Spread(SimpleMetric):
    """Distance between two quantiles of the sample, divided by that of the reference: 1 in health, 0 when collapsed."""

    accepts: ClassVar = frozenset({"vector"})
    columns: ClassVar = {"": "falls"}

    low: float = 0.05
    high: float = 0.95

    def value(self, sample: np.ndarray, reference: np.ndarray) -> float:
        """Both of shape (m, d); the mean over the coordinates."""

        def width(items: np.ndarray) -> np.ndarray:
            first, last = np.quantile(items, [self.low, self.high], axis=0)
            return last - first

        return float(np.mean(width(sample) / width(reference)))
