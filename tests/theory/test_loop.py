"""The real loop against the general recursion: configurations that no table lists."""

from __future__ import annotations

import numpy as np
import pytest
from theory_tools import agrees_with_power

from remission import Experiment, run
from remission.lab.predictions import predictions

HEAD = """
[experiment]
generations = 5
replicates = 8000
samples = {samples}
seed = 3
reference = 10
evaluation = 10
"""

LOOPS = {
    "window and fresh data with bias": (
        """samples = [8, 10, 12, 14, 16]""",
        """
[source]
kind = "gaussian"
dimensions = 2
mean = [3.0, -1.0]
[model]
kind = "gaussian"
[regime]
kind = "fresh"
share = 0.25
base = { kind = "accumulate", window = 2 }
[sampling]
bias = 0.8
[[metric]]
kind = "moments"
""",
    ),
    "filtered web, subsampled": (
        "samples = 10",
        """
[source]
kind = "gaussian"
[model]
kind = "gaussian"
estimator = "unbiased"
[regime]
kind = "web"
synthetic = 0.8
base = { kind = "accumulate-subsample" }
[[curator]]
kind = "oracle"
tpr = 0.6
fpr = 0.1
[[metric]]
kind = "moments"
""",
    ),
    "collapsed start of symbols": (
        "samples = 10",
        """
[source]
kind = "zipf"
types = 6
[model]
kind = "unigram"
smoothing = 0.5
[regime]
kind = "fixed-real"
share = 0.3
[initial]
state = "collapsed"
distinct = 2
[[metric]]
kind = "heterozygosity"
""",
    ),
    "kernels, weighted": (
        "samples = 12",
        """
[source]
kind = "gaussian"
[model]
kind = "kde"
bandwidth = "scott"
[regime]
kind = "weighted"
real = 0.7
[sampling]
bias = 0.9
[[metric]]
kind = "moments"
""",
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loop_agrees_with_recursion(name):
    samples, rest = LOOPS[name]
    experiment = Experiment.from_toml(HEAD.replace("samples = {samples}", samples) + rest)
    found = [item for item in predictions(experiment.world())[0] if item.law == "moment-recursion"]
    rows: dict[str, list[np.ndarray]] = {}
    for generation in run(experiment):
        for key, values in generation.rows.items():
            rows.setdefault(key, []).append(values)
    measured = [item for item in found if item.metric in rows]
    assert measured
    for item in measured:
        assert agrees_with_power(item, np.stack(rows[item.metric], axis=1)), item.metric
