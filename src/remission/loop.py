"""The loop: real data, fit, sample, curate, fit again. Read it top to bottom.

The order of these operations is the science. t counts fits: fit 1 is on real data, and generation t measures the
model of fit t.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission import notes
from remission.component import Component
from remission.data import Array, Dataset, Floats, Integers, Space
from remission.errors import FitError, RemissionError, SpecError
from remission.interfaces import AdditiveModel, LongModel, Metric, Model, State
from remission.pool import Pool
from remission.progress import Finished, Progress
from remission.realdata import RealData
from remission.rng import Streams
from remission.spec import Experiment
from remission.supply import FastSupply, Supply
from remission.view import View
from remission.world import World

SHOWN = 12  # generations whose examples are kept


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """One thread for linear algebra while a run is under way: sums in another order would give other last bits.

    It is also faster on the small matrices of the loop; parallel work is the engine's business.
    """
    with _thread_pools().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@dataclass(frozen=True, eq=False)
class Generation:
    """What was measured of fit t in a block of replicates.

    Attributes:
        t: the generation, 1 .. T.
        replicates: their numbers, shape (r,).
        rows: metric row -> values, shape (r,).
        examples: a few items the model generated in replicate 0, shape (k, *item), or None.
        real_examples: with generation 1, as many real ones.
        notes: things a reader of the numbers must know.
    """

    t: int
    replicates: Integers
    rows: dict[str, Floats]
    examples: Array | None = None
    real_examples: Array | None = None
    notes: tuple[str, ...] = ()


def run(
    experiment: Experiment, replicates: Iterable[int] | None = None, point: str = "", work: Path | None = None
) -> Iterator[Generation]:
    """Run a block of replicates of one experiment, generation by generation, in this process.

    Args:
        experiment: without a sweep (take one of ``experiment.points``).
        replicates: their numbers; all of them when left out. Results do not depend on what else is in the block.
        point: the name of the grid point, part of the name of every random stream.
        work: a folder of this very block in which models that take long keep their progress; the same call with the
            same folder goes on where it was.

    Raises:
        SpecError: the experiment is a sweep.
        FitError, CurationError, DataError: with the generation in which it happened.
    """
    if experiment.sweep:
        raise SpecError(
            "A sweep has many points. Run one: for point in experiment.points: run(point.experiment, point=point.name)."
        )
    numbers = list(range(experiment.replicates) if replicates is None else replicates)
    world = experiment.world()
    if not isinstance(world.model, LongModel):
        work = None
    with _one_blas_thread():
        if not is_ragged(world):
            yield from _run_block(experiment, world, Streams.of(experiment.seed, numbers, point), work)
            return
        # Every replicate keeps a number of items of its own: run them side by side.
        alone = [(Streams.of(experiment.seed, [number], point), work and work / f"{number}") for number in numbers]
        for generations in zip(*(_run_block(experiment, world, *one) for one in alone), strict=True):
            yield _together(generations)


def _run_block(experiment: Experiment, world: World, streams: Streams, work: Path | None) -> Iterator[Generation]:
    reference, evaluation = comparison_sizes(experiment, world)
    real = RealData(world.source, streams, reference)
    pool = Pool(world, wants_items=any(looks_at_training(metric) for metric in world.metrics))
    supply = FastSupply(world, real, streams) if experiment.fast else Supply(world, real, streams)
    progress = Progress(work, keep_all=experiment.keep == "all")
    states: dict[int, State] = {}
    first: State = None
    labelled = [(metric.label, metric) for metric in world.metrics]
    prepared: dict[str, Any] | None = None
    kept = examples_kept(experiment, world) if 0 in streams.replicates else 0
    shown = set(shown_generations(world.generations)) if kept else set()

    for t in range(1, world.generations + 1):
        done = progress.finished(t)
        if done is None:
            with notes.collected() as told:
                rows = _arrive(t, world, supply, states, pool, progress)
                training = pool.dataset(t, world.recipe(t), streams)
                start = _start(world, states.get(t - 1), first)
                states[t] = _fit(world.model, pool, t, training, streams, start, first, progress)
                first = states[1] if t == 1 else first
                view = View(
                    t, world.space, world.law, real.reference, _first_items(pool, real), world.model, states[t],
                    world.sampling, training, evaluation, streams, source=world.source, first=first,
                )  # fmt: skip
                prepared = _prepared(labelled, view) if prepared is None else prepared
                for label, metric in labelled:
                    seen = view_for(metric, view).for_metric(streams.at(t, f"metric/{label}"), prepared[label])
                    rows |= _measured(metric, label, seen)
                examples = view.sample[_row(streams), :kept].copy() if t in shown else None
                if real.wrapped:
                    notes.say("real items are used again: the source has no more")
            done = Finished(rows, examples, tuple(told), real.cursor, real.wrapped)
            progress.finish(t, done, world.regime)
        else:
            states[t] = _restored(t, done, progress, pool, real)
            first = states[1] if t == 1 else first
        states.pop(t - world.regime.oldest_model, None)
        yield Generation(
            t, streams.replicates, done.rows, done.examples,
            real_examples=real.reference[_row(streams), :kept].copy() if t == 1 and shown else None,
            notes=done.notes,
        )  # fmt: skip


def _arrive(
    t: int,
    world: World,
    supply: Supply | FastSupply,
    states: dict[int, State],
    pool: Pool,
    progress: Progress,
) -> dict[str, Floats]:
    """What arrives in generation t enters the pool; rows say what curation cost."""
    recipe = world.recipe(t)
    if not recipe.arrivals:
        return {}  # nothing new: the batches that are there serve again
    if isinstance(supply, FastSupply):
        pool.add_statistics(t, supply.arrivals(t, recipe, states))
        return {}
    with _named(t, world.model):
        arrivals = supply.arrivals(t, recipe, states)
    pool.add(t, arrivals.data)
    progress.keep_batch(t, arrivals.data)
    if arrivals.draws is None:
        return {}
    return {"cost.draws": arrivals.draws, "training.synthetic": arrivals.data.synthetic_share}


def _restored(t: int, done: Finished, progress: Progress, pool: Pool, real: RealData) -> State | None:
    """Bring pool and real data to where they were after generation t; its model, if it is still needed."""
    batch = progress.batch(t, pool.world.space)
    if batch is not None:
        pool.add(t, batch)
    if t == 1:
        pool.first = progress.first()
    real.go_on(done.cursor, done.wrapped)
    return progress.state(t)


def _first_items(pool: Pool, real: RealData) -> Array:
    """The items of fit 1; none on the fast path."""
    return real.reference[:, :0] if pool.first is None else pool.first


def _prepared(labelled: list[tuple[str, Metric]], view: View) -> dict[str, Any]:
    """What metrics compute once per block, as in generation 1."""
    early = dataclasses.replace(view, generation=1, state=view.first, training=view.training, cache={})
    view = view if view.generation == 1 else early
    return {
        label: metric.prepare(view_for(metric, view).for_metric(view.streams.at(0, f"metric/{label}"), None))
        for label, metric in labelled
    }


def _start(world: World, last: State | None, first: State | None) -> State | None:
    """The state a fit starts from; None: the model's own initial weights."""
    if world.start == "previous":
        return last
    return first if world.start == "base" and not getattr(world.model, "pretrained", False) else None


def _fit(
    model: Model,
    pool: Pool,
    t: int,
    training: Dataset | None,
    streams: Streams,
    previous: State | None,
    first: State | None,
    progress: Progress,
) -> State:
    recipe = pool.world.recipe(t)
    with _named(t, model):
        if isinstance(model, LongModel):
            state = progress.state(t)
            if state is None:
                assert training is not None
                state = model.fit_at(training, streams.at(t, "fit"), previous, progress.desk(t))
                state = state if first is None else model.inherit(state, first)
                progress.keep_state(t, state)
            return state
        if isinstance(model, AdditiveModel) and recipe.take is None:
            return model.solve(pool.statistics(t, recipe), previous)
        assert training is not None
        return model.fit(training, streams.at(t, "fit"), previous)


@contextlib.contextmanager
def _named(t: int, model: Model) -> Iterator[None]:
    """Errors say in which generation they happened; a failing model of the user's is one message, too."""
    try:
        yield
    except RemissionError as error:
        raise type(error)(f"Generation {t}: {error}") from error
    except Exception as error:
        if type(model).__module__.startswith("remission."):
            raise
        raise FitError(f"Generation {t}: {model.name()} failed: {type(error).__name__}: {error}") from error


def _measured(metric: Metric, label: str, view: View) -> dict[str, Floats]:
    values = metric.measure(view)
    if values.keys() != metric.columns.keys():
        raise SpecError(f"{metric.name()} declares the columns {sorted(metric.columns)} but measured {sorted(values)}.")
    rows = {row_name(label, column): np.asarray(array, np.float64) for column, array in values.items()}
    for name, array in rows.items():
        if array.shape != (view.replicates,):
            raise SpecError(f"{name} must give one number per replicate, {view.replicates}. Got shape {array.shape}.")
    return rows


def view_for(metric: Metric, view: View) -> View:
    """What a metric looks at: of captioned items the field it takes, unless it takes both."""
    name = field_for(metric, view.space)
    return view if name is None else view.field(name)


def field_for(part: Metric, space: Space) -> Literal["picture", "caption"] | None:
    """The field of captioned items that a metric is about; None: whole items."""
    if space.kind != "captioned" or "captioned" in part.accepts:
        return None
    if "image" in part.accepts:
        return "picture"
    return "caption" if "tokens" in part.accepts else None


def _row(streams: Streams) -> int:
    return int(np.flatnonzero(streams.replicates == 0)[0])


def _together(generations: tuple[Generation, ...]) -> Generation:
    """The same generation of several single replicates as one block."""
    one = generations[0]
    rows = {name: np.concatenate([generation.rows[name] for generation in generations]) for name in one.rows}
    shown = next((generation for generation in generations if generation.examples is not None), one)
    numbers = np.concatenate([generation.replicates for generation in generations])
    notes = tuple(sorted({note for generation in generations for note in generation.notes}))
    return Generation(one.t, numbers, rows, shown.examples, shown.real_examples, notes)


def looks_at_training(metric: Component) -> bool:
    """Whether items of the training set must be kept for a metric; one of the user's may ask for anything."""
    own = not type(metric).__module__.startswith("remission.")
    return own or getattr(metric, "of", "") == "training"


def row_name(label: str, column: str) -> str:
    """The name of a row: the metric's label, and the column if it has several."""
    return f"{label}.{column}" if column else label


def is_ragged(world: World) -> bool:
    """Whether replicates keep different numbers of items, so that they cannot share an array."""
    return not world.refill and any(curator.drops for curator in world.curators)


def comparison_sizes(experiment: Experiment, world: World) -> tuple[int, int]:
    """How many real and generated items metrics compare: equal unless the experiment says otherwise.

    On the fast path metrics look at no samples; where they can read the law, only the examples are drawn.
    """
    default = min(world.budget(1), 1_000 if experiment.fast else 10_000)
    if experiment.fast and world.law is not None:
        default = max(1, min(default, examples_kept(experiment, world)))
    reference = experiment.reference or experiment.evaluation or default
    evaluation = experiment.evaluation or reference
    return reference, evaluation


def examples_kept(experiment: Experiment, world: World) -> int:
    """How many items of replicate 0 are kept per generation."""
    if experiment.examples is not None:
        return experiment.examples
    if experiment.fast:
        return 16
    return {"image": 25, "captioned": 12, "tokens": 4}.get(world.space.kind, 200)


def shown_generations(generations: int) -> list[int]:
    """The generations whose examples are kept: the first, the last and some between, about evenly on a log scale."""
    if generations <= SHOWN:
        return list(range(1, generations + 1))
    spaced = np.unique(np.round(np.geomspace(1, generations, SHOWN)).astype(int))
    return [int(t) for t in spaced]
