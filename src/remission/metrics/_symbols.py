"""What the metrics of symbols and tokens share: counts and probabilities of the model, the sample and reality."""

from __future__ import annotations

from typing import Literal

import numpy as np

from remission.data import Array, Floats
from remission.errors import DataError, SpecError
from remission.interfaces import HasProbabilities
from remission.laws import CategoricalLaw
from remission.numerics.counts import shares, tally
from remission.view import View
from remission.world import World

Of = Literal["", "model", "sample", "training"]


def chosen(view: View, of: Of) -> Of:
    """What an empty ``of`` means here: the model if it knows its probabilities, else the sample."""
    if of:
        return of
    return "model" if isinstance(view.model, HasProbabilities) else "sample"


def counts_of(view: View, of: Of, *, whole: bool = False) -> Array:
    """Counts (r, V) of the evaluation sample, cut to the size of the reference, or of the training set (weighted).

    ``whole`` refuses weights with a SpecError: corrections for counting hold for whole counts only.
    """
    if whole and of == "training" and view.training is not None and view.training.weight is not None:
        raise SpecError("The training set is weighted, and this estimator needs whole counts. Set of = 'sample'.")
    key = f"symbol counts/{of}"
    if key not in view.cache:
        view.cache[key] = _count(view, of)
    return view.cache[key]


def _count(view: View, of: Of) -> Array:
    if of == "sample":
        return tally(view.pair()[0], view.space.size)
    if view.training is None:
        raise SpecError("The fast path has no training sample. Set fast = false, or of = 'model'.")
    plain = tally(view.training.items, view.space.size)
    weight = view.training.weight
    if weight is None:
        return plain
    per_item = view.training.items.reshape(*weight.shape, -1)
    rows = zip(per_item, weight, strict=True)
    return np.stack(
        [np.bincount(row.ravel(), np.repeat(w, row.shape[1]), minlength=view.space.size) for row, w in rows]
    )


def shares_of(view: View, of: Of) -> Floats:
    """Probabilities (r, V): those of the fitted model before any sampling option, or shares of a counted set."""
    if of == "model":
        if not isinstance(view.model, HasProbabilities):
            raise SpecError(f"{view.model.name()} does not know its probabilities. Try of = 'sample'.")
        return np.ascontiguousarray(view.model.probabilities(view.state), dtype=np.float64)
    return shares(counts_of(view, of))


def real_shares(view: View, of: Of) -> Floats:
    """Real probabilities (r, V): the exact law, else shares in the reference (as many items as the sample for that)."""
    if isinstance(view.law, CategoricalLaw):
        if view.law.p.size != view.space.size:
            raise DataError(f"The law has {view.law.p.size} symbols, the space {view.space.size}. They must agree.")
        return np.broadcast_to(np.asarray(view.law.p, np.float64), (view.replicates, view.space.size))
    items = view.pair()[1] if of == "sample" else view.reference
    return shares(tally(items, view.space.size))


def without_probabilities(of: Of, world: World) -> str:
    """Why ``of`` cannot be read in this world; empty when it can."""
    if of == "model" and not isinstance(world.model, HasProbabilities):
        return f"{world.model.name()} does not know its probabilities. Try of = 'sample'."
    return ""
