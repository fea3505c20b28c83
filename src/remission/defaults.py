"""Which metrics an experiment gets when it names none."""

from __future__ import annotations

from remission import registry
from remission.interfaces import Metric
from remission.loop import field_for
from remission.spec import Experiment

_BY_KIND: dict[str, tuple[str, ...]] = {
    "vector": ("moments", "tail-mass", "sliced-wasserstein"),
    "image": ("moments", "prdc", "frechet", "vendi", "authenticity"),
    "symbols": ("types", "heterozygosity", "entropy"),
    "captioned": ("caption-match", "moments", "prdc", "frechet", "vendi", "authenticity"),  # but the first, of pictures
    "tokens": ("types", "distinct", "unseen", "compression", "novel-ngrams"),
    "labelled": ("test-risk",),
    "regression": ("test-risk",),
}
_ONE_DIMENSION = ("moments", "tail-mass", "wasserstein")
_FAST = {"moments", "types", "heterozygosity", "entropy", "test-risk"}


def default_metrics(experiment: Experiment) -> tuple[Metric, ...]:
    """The metrics of the item's kind that this model supports (and the fast path, if it is chosen)."""
    space = experiment.source.space
    names = _ONE_DIMENSION if space.kind == "vector" and space.features == 1 else _BY_KIND[space.kind]
    found = [registry.load("metrics", name)() for name in names]
    return tuple(
        metric
        for metric in found
        if (space.kind in metric.accepts or field_for(metric, space))
        and all(isinstance(experiment.model, need) for need in metric.needs)
        and not (experiment.fast and (metric.samples or metric.name() not in _FAST))
    )
