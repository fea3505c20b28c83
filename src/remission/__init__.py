"""remission: measure, predict and treat model collapse.

Start with ``remission demo`` on the command line, or::

    from remission import Experiment, run
    experiment = Experiment.from_file("experiment.toml")
    for generation in run(experiment):
        print(generation.t, generation.rows["moments.variance"].mean())
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Experiment": "spec", "run": "loop", "Generation": "loop",
    "Source": "interfaces", "GenerativeSource": "interfaces", "FiniteSource": "interfaces", "Model": "interfaces",
    "AdditiveModel": "interfaces", "FastModel": "interfaces", "HasMoments": "interfaces", "HasDensity": "interfaces",
    "HasProbabilities": "interfaces", "Labeller": "interfaces", "Regime": "interfaces", "Recipe": "interfaces",
    "Part": "interfaces", "Curator": "interfaces", "Judgement": "interfaces", "Metric": "interfaces",
    "Sampling": "interfaces", "Theory": "world", "World": "world", "Prediction": "world", "Initial": "world",
    "SimpleModel": "simple", "SimpleSource": "simple", "SimpleMetric": "simple", "SimpleCurator": "simple",
    "Space": "data", "Dataset": "data", "Blind": "data", "Estimate": "estimate", "Streams": "rng", "View": "view",
    "Run": "store", "RemissionError": "errors", "SpecError": "errors", "DataError": "errors",
    "FitError": "errors", "CurationError": "errors", "StoreError": "errors", "MissingExtra": "errors",
}  # fmt: skip

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"remission.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'remission' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
