"""What an estimator of prevalence works on: scores of a corpus, and of items whose origin is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remission.documents import Documents, Words
from remission.errors import DataError
from remission.numerics.arrays import Floats, Integers


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of one kind of item with their sampling units.

    Attributes:
        scores: (n,), higher is more likely synthetic, no NaN.
        units: (n,) 0 .. u - 1; items of one unit are drawn together.
        weight: (n,) how often each item occurs.
        origin: (n,) names of generators or attacks, empty where it does not matter.
        documents: the items themselves, for estimators that look at words.
    """

    scores: Floats
    units: Integers
    weight: Floats
    origin: Words
    documents: Documents | None = None

    @classmethod
    def of(
        cls,
        scores: npt.ArrayLike,
        units: npt.ArrayLike | None = None,
        weight: npt.ArrayLike | None = None,
        origin: npt.ArrayLike | None = None,
        documents: Documents | None = None,
    ) -> Sample:
        """A sample with units of their own, weight 1 and no origin where nothing is said."""
        values = np.asarray(scores, dtype=float)
        number = np.arange(values.size) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
        return cls(
            values,
            number.astype(np.int64),
            np.ones(values.size) if weight is None else np.asarray(weight, dtype=float),
            np.full(values.size, "") if origin is None else np.asarray(origin, dtype=np.str_),
            documents,
        )

    def __len__(self) -> int:
        return self.scores.size

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Sample:
        """The items at these places; units are numbered anew."""
        return Sample.of(
            self.scores[index], self.units[index], self.weight[index], self.origin[index],
            None if self.documents is None else self.documents.take(index),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scored:
    """A corpus beside calibration samples that the detector was not fitted on.

    Attributes:
        target: the corpus.
        human: items of known human origin, of the kind of the target.
        synthetic: items of known synthetic origin, likewise, or None when there are none; ``origin`` names the panel.
        labels: (len(target),) 1 synthetic, 0 human, NaN unknown: hand-labelled items drawn at random from the target.
    """

    target: Sample
    human: Sample
    synthetic: Sample | None = None
    labels: Floats | None = None

    def three(self, name: str) -> tuple[Sample, Sample, Sample]:
        """Target, human and synthetic sample for the estimator ``name``. Raises DataError without synthetic items."""
        if self.synthetic is None or not len(self.synthetic):
            raise DataError(f"'{name}' needs synthetic items of the corpus's kind. Without them only 'bounds' can say.")
        return self.target, self.human, self.synthetic
