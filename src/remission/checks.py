"""Combinations that cannot work, refused when the experiment is loaded and not in generation 40."""

from __future__ import annotations

import math
from collections.abc import Iterator

from remission.data import REAL, VECTORS, Space
from remission.errors import SpecError
from remission.interfaces import Curator, FastModel, FiniteSource, Labeller, Metric, Model
from remission.loop import comparison_sizes, field_for, is_ragged
from remission.spec import Experiment
from remission.world import World


def check_experiment(experiment: Experiment) -> list[str]:
    """Raise SpecError for the first point that cannot run; return warnings about those that can."""
    warnings: list[str] = []
    for point in experiment.points:
        world = point.experiment.world()
        prefix = f"At sweep point {point.name}: " if point.name else ""
        for problem in _problems(point.experiment, world):
            raise SpecError(prefix + problem)
        warnings += [prefix + warning for warning in _warnings(point.experiment, world)]
    return list(dict.fromkeys(warnings))


def _problems(experiment: Experiment, world: World) -> Iterator[str]:
    yield from _kinds(world)
    yield from _sampling(world)
    world.regime.check_generations(world.generations)
    yield from _sizes(experiment, world)
    yield from _weights(world)
    if experiment.fast:
        yield from _fast(world)
    if world.start != "scratch" and not world.model.warm:
        yield (
            f"start = '{experiment.start}', but {world.model.name()} is fitted in closed form and has no warm start. "
            f"Leave it out."
        )
    if world.initial.state == "shifted" and world.space.kind not in VECTORS:
        yield f"A shifted start needs vectors; {world.source.name()} gives {world.space.kind}. Try state = 'collapsed'."
    if world.initial.state == "collapsed" and world.initial.distinct > world.recipe(1).count:
        yield (
            f"[initial]: {world.initial.distinct} distinct items do not fit into the {world.recipe(1).count} of generation 1. "
            f"Lower distinct or raise samples."
        )
    labels = [metric.label for metric in world.metrics]
    for label in labels:
        if labels.count(label) > 1:
            yield f"Metric '{label}' is listed twice with the same parameters. Remove one."


def _kinds(world: World) -> Iterator[str]:
    kind = world.space.kind
    parts: tuple[Model | Curator | Metric, ...] = (world.model, *world.curators, *world.metrics)
    for part in parts:
        if kind not in part.accepts and not (isinstance(part, Metric) and field_for(part, world.space)):
            takes = ", ".join(sorted(part.accepts))
            yield f"{part.name()} takes {takes}; {world.source.name()} gives {kind}."
        elif reason := part.refuses(world):
            yield f"{part.name()}: {reason}"
    for metric in world.metrics:
        for capability in metric.needs:
            if not isinstance(world.model, capability):
                yield f"Metric {metric.name()} needs a model with {capability.__name__}; {world.model.name()} has none."
    if world.space.kind in ("labelled", "regression") and not isinstance(world.model, Labeller):
        yield f"{world.source.name()} gives {kind} items; {world.model.name()} does not label. Try model 'linear' or 'logistic'."


def _sampling(world: World) -> Iterator[str]:
    unknown = world.sampling.used - set(world.model.knows)
    if unknown:
        allowed = ", ".join(sorted(world.model.knows)) or "no sampling option"
        yield f"[sampling] {', '.join(sorted(unknown))}: {world.model.name()} knows {allowed}."


def training_size(world: World, t: int) -> int:
    """How many items fit t sees, before any curation."""
    recipe = world.recipe(t)
    if recipe.take is not None:
        return recipe.take
    return sum(world.recipe(number).count for first, last in recipe.batches for number in range(first, last + 1))


def _sizes(experiment: Experiment, world: World) -> Iterator[str]:
    least = world.model.minimum(world.space)
    smallest = min(training_size(world, t) for t in (1, world.generations, _smallest_budget(world)))
    if smallest < least:
        yield f"{world.model.label} needs at least {least} items per fit; a generation would have {smallest}. Raise samples."
    if isinstance(world.source, FiniteSource):
        reference, _ = comparison_sizes(experiment, world)
        have, need = world.source.items().shape[0], reference + world.recipe(1).count
        if need > have:
            yield (
                f"{world.source.name()} has {have} items; {world.recipe(1).count} to train on and {reference} set aside as "
                f"reference make {need}. Lower samples or reference."
            )
    if isinstance(world.model, Labeller) and world.model.covariates == "same" and len(set(world.budgets)) > 1:
        yield "covariates = 'same' needs the same number of samples in every generation. Give one number for samples."


def _smallest_budget(world: World) -> int:
    return 1 + min(range(world.generations), key=lambda index: world.budgets[index])


def _weights(world: World) -> Iterator[str]:
    if world.model.weighted:
        return
    for curator in world.curators:
        if curator.weighs:
            yield f"Curator {curator.name()} weighs items, and {world.model.name()} ignores weights. Try a curator that drops."
    for t in range(1, min(world.generations, 50) + 1):
        if any(part.weight != 1.0 for part in world.recipe(t).arrivals):
            yield f"Regime {world.regime.name()} weighs items, and {world.model.name()} ignores weights."
            return


def _fast(world: World) -> Iterator[str]:
    if not isinstance(world.model, FastModel):
        yield f"fast = true needs a model with sufficient statistics; {world.model.name()} has none. Set fast = false."
        return
    if world.curators:
        yield "fast = true draws statistics, not items, so there is nothing to curate. Set fast = false."
    if world.initial.state == "shifted":
        yield "fast = true cannot start from shifted data. Set fast = false."
    for t in range(1, world.generations + 1):
        recipe = world.recipe(t)
        if recipe.take is not None or recipe.mixed:
            yield f"fast = true cannot subsample or mix item by item ({world.regime.label}). Set fast = false."
            return
    if isinstance(world.model, Labeller) and (world.model.covariates == "same" or world.law is None):
        yield "fast = true draws new covariates from a known law. Use covariates = 'new' and the source 'linear-world'."
    for metric in world.metrics:
        if metric.samples:
            yield f"Metric {metric.label} looks at samples, which fast = true does not draw. Remove it or set fast = false."


def _warnings(experiment: Experiment, world: World) -> Iterator[str]:
    if isinstance(world.source, FiniteSource):
        reference, _ = comparison_sizes(experiment, world)
        supply = world.source.items().shape[0] - reference
        parts = [part for t in range(1, world.generations + 1) for part in world.recipe(t).arrivals]
        labels = isinstance(world.model, Labeller) and world.model.covariates == "new"
        wanted = sum(part.count for part in parts if part.origin == REAL or labels)
        if wanted > supply:
            yield (
                f"{world.source.name()} has {supply} items to train on and the run asks for {math.ceil(wanted)} real ones: "
                f"real items will be used again."
            )
    if is_ragged(world):
        yield "refill = false: training sets shrink, which by itself hastens collapse. Compare with refill = true."
    if experiment.replicates == 1:
        yield "1 replicate: no interval can be given."


def describe(space: Space) -> str:
    """An item of this space in words."""
    what = {
        "vector": f"points in {space.features} dimension{'s' if space.features > 1 else ''}",
        "image": f"pictures of {space.picture[0]}x{space.picture[1]} pixels" if space.picture else "pictures",
        "symbols": f"symbols out of {space.size}",
        "captioned": f"pictures of {space.picture[0]}x{space.picture[1]} pixels with captions"
        if space.picture
        else "pictures with captions",
        "tokens": f"text blocks of {space.shape[0] if space.shape else 1} tokens out of {space.size} types",
        "labelled": f"points with {space.features} features and one of {space.size} labels",
        "regression": f"points with {space.features} covariates and a response",
    }
    return what[space.kind]
