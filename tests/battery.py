"""How a measured row is held against a prediction: four standard errors, and 10 % off must be rejected."""

from __future__ import annotations

import numpy as np

from remission import Experiment, run
from remission.data import Floats


def measure(toml: str, replicates: int, block: int = 4000) -> dict[str, Floats]:
    """Run an experiment and return row -> values of shape (replicates, generations)."""
    experiment = Experiment.from_toml(toml)
    blocks = []
    for first in range(0, replicates, block):
        rows: dict[str, list[Floats]] = {}
        for generation in run(experiment, range(first, min(first + block, replicates))):
            for name, values in generation.rows.items():
                rows.setdefault(name, []).append(values)
        blocks.append({name: np.stack(columns, axis=1) for name, columns in rows.items()})
    return {name: np.concatenate([one[name] for one in blocks]) for name in blocks[0]}


def distance(values: Floats, expected: float) -> float:
    """Standard errors between the mean of the values and a prediction."""
    return abs(float(values.mean()) - expected) / (float(values.std(ddof=1)) / np.sqrt(values.size))


def assert_agrees(values: Floats, expected: float, name: str = "") -> None:
    """The mean lies within 4 standard errors of the prediction, and a prediction 10 % off would be rejected."""
    assert distance(values, expected) <= 4, f"{name}: mean {values.mean():.5g}, predicted {expected:.5g}"
    for wrong in (0.9 * expected, 1.1 * expected):
        assert distance(values, wrong) > 4, (
            f"{name}: {values.size} replicates cannot tell {wrong:.5g} from {values.mean():.5g}"
        )
