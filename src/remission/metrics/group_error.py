"""Error of a labeller by class or by group: who pays for the collapse."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, cast

import numpy as np
from msgspec import Meta

from remission.data import LABELLED, REGRESSION, Array, Floats
from remission.errors import DataError, SpecError
from remission.interfaces import Direction, Labeller, Metric
from remission.numerics.labels import errors_by_group
from remission.view import View
from remission.world import World


class GroupError(Metric):
    """Mean error on the reference within groups: the worst, the best, their gap, and the mean over groups.

    The error of an item is 1 for a wrong class, the squared error for a regression. Groups are those present in the
    reference of the replicate. ``worst``, ``gap`` and ``mean`` rise in collapse; the mean counts every group the same
    (for classes it is 1 - balanced accuracy), so rare groups are not drowned (Wyllie et al. 2024, arXiv:2403.07857).

    Attributes:
        group: ``class``: the true class; or the number, from 0, of the feature column whose values are the groups.
        most: how many groups there may be, so that a continuous column is not taken for a group.

    Raises:
        SpecError: ``class`` for a regression, or a column that is not there.
        DataError: more groups than ``most``.

    >>> GroupError(group=3).label
    'group-error[group=3]'
    """

    accepts: ClassVar[frozenset[str]] = LABELLED | REGRESSION
    columns: ClassVar[dict[str, Direction]] = {"worst": "rises", "best": "either", "gap": "rises", "mean": "rises"}
    needs: ClassVar[tuple[type, ...]] = (Labeller,)
    samples: ClassVar[bool] = False

    group: Literal["class"] | Annotated[int, Meta(ge=0)] = "class"
    most: Annotated[int, Meta(ge=2)] = 100

    def measure(self, view: View) -> dict[str, Floats]:
        """Four columns (r,)."""
        groups = self._groups(view)
        predicted, truth = cast(Labeller, view.model).predict(view.state, view.reference), view.reference[..., -1]
        errors = (predicted - truth) ** 2 if view.space.kind == "regression" else (predicted != truth).astype(float)
        rows = [self._row(error, group) for error, group in zip(errors, groups, strict=True)]
        table = np.array(rows, np.float64).reshape(-1, 4)
        return {name: table[:, k].copy() for k, name in enumerate(self.columns)}

    def refuses(self, world: World) -> str:
        """Classes of a regression, or a column that is not there."""
        if self.group == "class":
            return (
                "a regression has no classes. Set 'group' to the number of a column."
                if world.space.kind == "regression"
                else ""
            )
        if self.group >= world.space.features:
            return f"'group' is column {self.group}, and items have {world.space.features} features, numbered from 0."
        return ""

    def _groups(self, view: View) -> Array:
        if self.group == "class":
            if view.space.kind == "regression":
                raise SpecError("group-error: a regression has no classes. Set 'group' to the number of a column.")
            return view.reference[..., -1]
        if self.group >= view.space.features:
            raise SpecError(
                f"group-error: 'group' must be 'class' or a column 0 .. {view.space.features - 1}. Got {self.group}."
            )
        return view.reference[..., self.group]

    def _row(self, errors: Floats, groups: Array) -> tuple[float, float, float, float]:
        values, means = errors_by_group(errors, groups)
        if values.size > self.most:
            raise DataError(
                f"group-error: column {self.group} has {values.size} different values, more than {self.most} groups. "
                f"Group by a column with few values, or raise 'most'."
            )
        if not values.size:
            return (np.nan,) * 4
        return float(means.max()), float(means.min()), float(means.max() - means.min()), float(means.mean())
