"""How cost grows: time with generations, memory with replicates, speed with workers.

*Accumulate* must cost O(T): seconds per generation at twice and four times the generations stay those at 100 (base), for
additive statistics, for a model that keeps all items, and for a subsample of all items. Memory is bounded by one block:
the peak of a child process with four times the replicates is that of the first. Two workers on independent blocks
take wall time; the remark says what this machine gave two plain processes at that moment, which is the most there is.
What the workers cost beyond that is the processor time of all processes together, which other load hardly touches.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import _peer
from remission import Experiment, run
from remission.lab.execute import block_size, execute
from remission.metrics.moments import Moments
from remission.metrics.sliced_wasserstein import SlicedWasserstein
from remission.metrics.types import Types
from remission.models.gaussian import Gaussian
from remission.models.kde import Kde
from remission.models.ngram import Ngram
from remission.regimes.accumulate import Accumulate
from remission.regimes.accumulate_subsample import AccumulateSubsample
from remission.sources.gaussian import Gaussian as Normal
from remission.sources.prose import Prose


def gaussian(generations: int) -> Experiment:
    """Additive statistics, merged."""
    return Experiment(
        source=Normal(), model=Gaussian(), regime=Accumulate(), metric=(Moments(),), generations=generations,
        replicates=500, samples=200, reference=10, examples=0, seed=1,
    )  # fmt: skip


def kde(generations: int) -> Experiment:
    """All items are kept and fitted again."""
    return Experiment(
        source=Normal(), model=Kde(bandwidth=0.3), regime=Accumulate(), metric=(Moments(of="sample"),),
        generations=generations, replicates=2, samples=1000, reference=1000, examples=0, seed=1,
    )  # fmt: skip


def ngram(generations: int) -> Experiment:
    """A subsample of constant size of all items."""
    return Experiment(
        source=Prose(), model=Ngram(order=3), regime=AccumulateSubsample(), metric=(Types(),), generations=generations,
        replicates=4, samples=50, reference=10, examples=0, seed=1,
    )  # fmt: skip


def whole(experiment: Experiment) -> None:
    """Run everything in this process, block by block."""
    size = block_size(experiment, 1)
    for first in range(0, experiment.replicates, size):
        for _ in run(experiment, range(first, min(first + size, experiment.replicates))):
            pass


def linear_in_time(quick: bool) -> None:
    """Seconds per generation at 2 T and 4 T against those at T."""
    base = 50 if quick else 100
    cases: list[tuple[str, Callable[[int], Experiment]]] = [
        ("gaussian", gaussian), ("kde", kde), ("ngram subsampled", ngram),
    ]  # fmt: skip
    for name, make in cases:
        whole(make(3))
        for factor in (2, 4):
            long, short = make(base * factor), make(base)
            timed = _peer.best_of(partial(whole, long), partial(whole, short), 1 if quick else 3)
            _peer.ceiling(
                f"accumulate {name}, per generation, T = {base * factor} : {base}",
                timed.ours / (base * factor), timed.peer / base, 1.3,
            )  # fmt: skip


def many(replicates: int) -> Experiment:
    """Blocks of a few megabytes."""
    return Experiment(
        source=Normal(), model=Gaussian(), regime=Accumulate(), metric=(Moments(of="training"),),
        generations=10, replicates=replicates, samples=1000, seed=1,
    )  # fmt: skip


def peak(replicates: int, traced: bool) -> float:
    """Mebibytes: of the process, or of what Python and NumPy asked for during the run."""
    with tempfile.TemporaryDirectory() as folder:
        execute(many(1), Path(folder) / "warm")
        if traced:
            tracemalloc.start()
        execute(many(replicates), Path(folder) / "run")
        if traced:
            return tracemalloc.get_traced_memory()[1] / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def bounded_memory(quick: bool) -> None:
    """Peak memory of four times the replicates."""
    base = (1 if quick else 2) * block_size(many(100_000), 1)
    for traced, name in ((False, "peak resident memory"), (True, "peak of arrays")):
        small, large = alone(peak, base, traced), alone(peak, 4 * base, traced)
        _peer.ceiling(f"{name}, {4 * base} : {base} replicates", large, small, 1.1, "MiB")


def heavy(replicates: int) -> Experiment:
    """About thirty milliseconds per replicate, in blocks of ten."""
    return Experiment(
        source=Normal(dimensions=8), model=Gaussian(), regime=Accumulate(), metric=(SlicedWasserstein(),),
        generations=10, replicates=replicates, samples=3000, examples=0, seed=1,
    )  # fmt: skip


def spin(turns: int) -> float:
    """Wall seconds of a plain loop."""
    start = time.perf_counter()
    total = 0
    for number in range(turns):
        total += number
    return time.perf_counter() - start


def two_cores(turns: int = 40_000_000) -> float:
    """How much more two plain processes get done than one, at this moment."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(spin, (1, 1)))
        single = pool.submit(spin, turns).result()
        both = max(pool.map(spin, (turns, turns)))
    return 2 * single / both


def two_workers(quick: bool) -> None:
    """Wall time of execute() with one and with two workers."""
    wanted = heavy(40 if quick else 600)

    processor = {1: float("inf"), 2: float("inf")}

    def work(workers: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            before = os.times()
            execute(wanted, Path(folder) / "run", workers)
            spent = sum(after - old for after, old in zip(os.times()[:4], before[:4], strict=True))
            processor[workers] = min(processor[workers], spent)

    with tempfile.TemporaryDirectory() as folder:
        execute(heavy(1), Path(folder) / "run")
    most = two_cores()
    timed = _peer.best_of(lambda: work(2), lambda: work(1), 1 if quick else 2, clock=time.perf_counter)
    most = max(most, two_cores())
    _peer.line("two workers : one", timed.ours, timed.peer, 1.7, f"two plain processes get {most:.2f}x of one")
    _peer.ceiling("two workers : one, processor time of all processes", processor[2], processor[1], 1.15)


def main(arguments: list[str] | None = None) -> None:
    """Time, memory, workers."""
    quick = _peer.quick(__doc__, arguments)
    linear_in_time(quick)
    bounded_memory(quick)
    two_workers(quick)


if __name__ == "__main__":
    main()
