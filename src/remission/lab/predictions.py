"""Every closed form that applies to an experiment, evaluated, and why the others do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from remission import registry
from remission.world import Prediction, Theory, World


@dataclass(frozen=True)
class Refusal:
    """Why a law does not apply.

    Attributes:
        law: its registered name.
        row: its row of the table of laws, such as "G1".
        reason: one clause, such as "there is a curator (top)".
    """

    law: str
    row: str
    reason: str


def predictions(world: World) -> tuple[list[Prediction], list[Refusal]]:
    """What the registered laws say of one grid point, and the refusals of the others, both by name of the law.

    Values are for t = 1 .. T, NaN where a law says nothing; ``scale`` says how replicates must be summarised to compare.
    Rows are named as the metrics of the world name them; a variant that nobody measures, such as
    ``moments[of=training]``, is left out.
    """
    made: list[Prediction] = []
    refused: list[Refusal] = []
    for name in registry.names("theory"):
        theory: Theory = registry.load("theory", name)()
        reason = theory.refuses(world)
        if reason:
            refused.append(Refusal(name, theory.row, reason))
        else:
            made.extend(row for found in theory.predict(world) for row in _as_measured(world, found))
    return made, refused


def _as_measured(world: World, prediction: Prediction) -> Iterator[Prediction]:
    """The prediction under its own label, if that is plain or measured, and under those of metrics that mean the same."""
    label, dot, column = prediction.metric.partition(".")
    if "[" in label:  # an option may hold a dot of its own
        label, dot, column = prediction.metric.rpartition(".")
    measured = {metric.label for metric in world.metrics}
    if "[" not in label or label in measured:
        yield prediction
    for metric in world.metrics:
        table = metric.table()
        same = table.get("of", "") in ("", "model") and table.get("estimator", "plug-in") == "plug-in"
        if metric.name() == label and metric.label != label and same:
            yield dataclasses.replace(prediction, metric=f"{metric.label}{dot}{column}")
