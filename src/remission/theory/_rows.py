"""Predictions for the rows that the moments metric measures."""

from __future__ import annotations

from remission.data import Floats
from remission.interfaces import HasMoments
from remission.laws import Law
from remission.world import Prediction, World


def moment_rows(
    world: World, law: str, error: Floats, variance: Floats, training: Floats | None = None
) -> list[Prediction]:
    """Error of the mean, variance within and what follows from them.

    Args:
        world: says which rows the model can have.
        law: the registered name of the law.
        error: E|mu_t - mu0|^2, shape (T,).
        variance: E tr Sigma_t of the model, shape (T,).
        training: E of the training set's variance (divided by its weight), shape (T,); that of the model if None.
    """
    within = variance if training is None else training
    drawn = error + world.sampling.bias * world.sampling.temperature * variance
    rows = {
        "moments[of=training].error": error,
        "moments[of=training].variance": within,
        "moments[of=training].total": error + within,
        "moments[of=sample].total": drawn,
    }
    if isinstance(world.model, HasMoments):
        rows |= {"moments.error": error, "moments.variance": variance, "moments.total": error + variance}
        if isinstance(world.law, Law) and (scale := float(world.law.cov.trace())) > 0:
            rows["moments.ratio"] = variance / scale
    else:
        rows["moments.total"] = drawn
    return [Prediction(law, row, "mean", values) for row, values in rows.items()]
