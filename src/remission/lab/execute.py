"""Run an experiment or a sweep into a run folder; the same command goes on where it stopped."""

from __future__ import annotations

import dataclasses
import functools
import math
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from remission.checks import check_experiment
from remission.data import Space
from remission.defaults import default_metrics
from remission.engines.local import map_units
from remission.errors import DataError, StoreError
from remission.identity import vouched_by
from remission.interfaces import LongModel
from remission.lab.facts import facts_of, provenance_of
from remission.loop import comparison_sizes, is_ragged, looks_at_training, run
from remission.pool import Pool
from remission.spec import Experiment
from remission.store import Run
from remission.world import World

BLOCK_BYTES = 8 << 20  # of items and states that a block holds at once: what the caches hold runs fastest
ROW_BYTES = 128 << 20  # of results that a block holds until it is stored
MOST_REPLICATES = 16384

Progress = Callable[[float, float], None]  # (replicate-generations done, of how many)


@dataclass(frozen=True)
class Block:
    """A unit of work: replicates first .. last of one grid point of the run in a folder."""

    folder: str
    run: str  # the id of the run, so that a folder made anew is opened anew
    point: int
    first: int
    last: int


@dataclass(frozen=True)
class Done:
    """What a worker says of a finished block."""

    seconds: float
    notes: tuple[str, ...]


class Engine(Protocol):
    """Where blocks run, if not on this machine: :class:`remission.engines.ray.Cluster`."""

    def processors(self) -> int:
        """How many blocks can run at a time."""

    def map_units(
        self, function: Callable[[Block], Done], units: Sequence[Block], workers: int
    ) -> Iterator[tuple[Block, Done]]:
        """(block, result) as they finish, at most ``workers`` of them under way; as :func:`remission.engines.local.map_units`."""


def resolved(experiment: Experiment) -> Experiment:
    """The experiment with default metrics filled in, after all checks that need no fit."""
    first = experiment.points[0].experiment
    if not experiment.metric and not first.metric:
        experiment = dataclasses.replace(experiment, metric=default_metrics(first))
    return experiment


def execute(
    experiment: Experiment,
    folder: Path,
    workers: int | None = 1,
    progress: Progress | None = None,
    command: Iterable[str] = (),
    on_warning: Callable[[str], None] | None = None,
    engine: Engine | None = None,
) -> Run:
    """Run all missing blocks of an experiment into ``folder``.

    Args:
        experiment: may be a sweep; default metrics are filled in.
        folder: a new folder, or one that holds this very experiment.
        workers: so many blocks at a time, and the replicates of a point are cut into at least as many; results do not depend on
            it. None: 1 on this machine, all processors of an engine.
        progress: called with replicate-generations done and wanted.
        command: what the user typed, for provenance.
        on_warning: called with every warning once.
        engine: where blocks run; None: on this machine. Elsewhere the folder must have the same path, own modules and data
            included, and the package the same version.

    Raises:
        SpecError, StoreError: before anything is fitted. FitError, CurationError: with the generation.
        KeyboardInterrupt: finished blocks are kept; the same call goes on.
    """
    experiment = resolved(experiment)
    warnings = check_experiment(experiment)
    store = Run.create(folder, experiment, facts_of(experiment, warnings), provenance_of(experiment, command))
    for warning in warnings:
        _warn(on_warning, warning)
    with store.writing():
        if workers is None:
            workers = 1 if engine is None or store.is_complete else engine.processors()
        _run_missing(store, experiment, workers, progress, engine)
    return store


def _run_missing(
    store: Run, experiment: Experiment, workers: int, progress: Progress | None, engine: Engine | None
) -> None:
    blocks = missing_blocks(store, experiment, workers)
    sizes = [point.experiment.generations for point in experiment.points]
    total = float(sum(point.experiment.replicates * point.experiment.generations for point in experiment.points))
    done = total - sum((block.last - block.first + 1) * sizes[block.point] for block in blocks)
    store.log("start", blocks=len(blocks), workers=workers)
    told: set[str] = set()

    def tick(more: float) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, total)

    tick(0)
    alone = engine is None and (workers <= 1 or len(blocks) <= 1)
    try:
        for block, result in _mapped(blocks, workers, engine, tick if alone else None):
            store.log("block", point=block.point, first=block.first, last=block.last, seconds=result.seconds)
            if not alone:
                tick((block.last - block.first + 1) * sizes[block.point])
            for note in set(result.notes) - told:
                told.add(note)
                store.log("note", text=note)
        _check_all_there(store)
    except BaseException as error:
        store.log("stopped", why=type(error).__name__)
        raise
    store.forget_work()
    store.log("done")


def _mapped(
    blocks: Sequence[Block], workers: int, engine: Engine | None, tick: Callable[[float], None] | None
) -> Iterator[tuple[Block, Done]]:
    if engine is None:
        return map_units(functools.partial(run_block, tick=tick), blocks, workers)
    return engine.map_units(run_elsewhere, blocks, workers) if blocks else iter(())


def _check_all_there(store: Run) -> None:
    """Raise StoreError when finished blocks went to another folder of the same name."""
    if not store.is_complete:
        raise StoreError(
            f"All blocks were done, but not all of them are in '{store.folder.resolve()}'. The folder must be the same one on "
            f"all machines: give -o a folder on a file system they share."
        )


def run_block(block: Block, tick: Callable[[float], None] | None = None) -> Done:
    """Run one block and store it."""
    began = time.perf_counter()
    store, points = _opened(block.folder, block.run)
    point = points[block.point]
    generations = []
    work = store.work(block.point, block.first, block.last)
    for generation in run(point.experiment, range(block.first, block.last + 1), point.name, work):
        generations.append(generation)
        if tick is not None:
            tick(generation.replicates.size)
    _check_vouched(store, point.experiment)
    store.write_block(block.point, generations)
    store.keep_models(block.point, block.first, block.last, point.experiment.keep)
    notes = tuple(sorted({note for generation in generations for note in generation.notes}))
    return Done(round(time.perf_counter() - began, 3), notes)


def _check_vouched(store: Run, experiment: Experiment) -> None:
    """Raise DataError when data that somebody vouches for has changed since the run began, so that nothing of it is stored."""
    now = vouched_by(experiment.source)
    if not now:
        return
    then = store.provenance.get("vouched", {}).get(experiment.source.label)
    if now != then:
        raise DataError(
            f"The data of '{experiment.source.label}' changed while it was used (from {(then or {}).get('at')} to {now.get('at')} "
            f"entries). What is stored is of before. Say at = {(then or {}).get('at')} in [source] and run into a new folder."
        )


def run_elsewhere(block: Block) -> Done:
    """Run one block on a machine that may be another one, if it has the very same experiment there."""
    _check_here(block.folder, block.run)
    return run_block(block)


@functools.lru_cache(maxsize=1)
def _check_here(folder: str, run: str) -> None:
    """Raise StoreError when results would go nowhere, into another run, or would be those of other code or data."""
    here, path = f"On the machine '{socket.gethostname()}'", Path(folder)
    if not (path / "experiment.toml").is_file() or Run(path).id != run:
        raise StoreError(
            f"{here}, '{folder}' is not the folder of the run {run}. It must be the same one on all machines: give -o "
            f"a folder on a file system they share, or use the local engine."
        )
    found = Run(path).experiment.id
    if found != run:
        raise StoreError(
            f"{here}, the experiment is another one ({found}, not {run}): the package, modules of yours or data files differ. "
            f"Make them the same on all machines."
        )


@functools.lru_cache(maxsize=1)
def _opened(folder: str, run: str):  # type: ignore[no-untyped-def]
    store = Run(Path(folder))
    return store, store.experiment.points


def missing_blocks(store: Run, experiment: Experiment, workers: int) -> list[Block]:
    """The blocks still to be run, of a size that fits memory and keeps all workers busy."""
    blocks = []
    for index, point in enumerate(experiment.points):
        todo = store.missing(index)
        size = block_size(point.experiment, min(workers, max(1, len(todo))))
        for run_of in _consecutive(todo):
            blocks += [
                Block(str(store.folder.resolve()), store.id, index, chunk[0], chunk[-1])
                for chunk in (run_of[i : i + size] for i in range(0, len(run_of), size))
            ]
    return blocks


def block_size(experiment: Experiment, workers: int) -> int:
    """Replicates per block: as many as fit the memory of a block, spread evenly over the workers."""
    world = experiment.world()
    if isinstance(
        world.model, LongModel
    ):  # the same blocks for any number of workers, so that half-done ones are found
        return min(experiment.replicates, world.model.together(world.space))
    if is_ragged(world):
        most = 64
    else:
        rows = world.generations * sum(len(metric.columns) for metric in world.metrics)
        fit = min(BLOCK_BYTES // (8 * _held(experiment, world)), ROW_BYTES // (8 * max(1, rows)))
        most = int(np.clip(fit, 1, MOST_REPLICATES))
    share = math.ceil(experiment.replicates / max(1, workers))
    rounds = math.ceil(share / most)
    return math.ceil(share / rounds)


def _held(experiment: Experiment, world: World) -> int:
    """About how many numbers one replicate holds at once: items that are compared, drawn and trained on, and states."""
    compared = sum(comparison_sizes(experiment, world))
    if experiment.fast:
        items = compared
    else:
        times = {1, min(2, world.generations), world.generations, max(1, world.generations // 2)}
        kept = Pool(world, wants_items=any(looks_at_training(metric) for metric in world.metrics)).holds_items
        items = compared + 2 * max(_pooled(world, t) if kept else world.budget(t) for t in times)
    return max(1, items * max(1, math.prod(world.space.shape)) + 4 * _state_size(world.space))


def _pooled(world: World, t: int) -> int:
    """Items of all batches that fit t may use, whether or not it takes a subsample."""
    return sum(
        world.recipe(number).count for first, last in world.recipe(t).batches for number in range(first, last + 1)
    )


def _state_size(space: Space) -> int:
    """Numbers in a state of the largest usual kind: a probability for every symbol, or a covariance matrix."""
    width = math.prod(space.shape)
    return space.size if space.kind == "symbols" else width**2 if space.kind in ("vector", "regression") else 0


def _consecutive(numbers: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _warn(on_warning: Callable[[str], None] | None, warning: str) -> None:
    if on_warning is not None:
        on_warning(warning)
