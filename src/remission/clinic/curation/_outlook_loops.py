"""The loop, really run, on a small language model of the corpus itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.curation._outlook_sample import LENGTH, Sample
from remission.data import Floats
from remission.errors import DataError
from remission.lab.execute import execute
from remission.spec import Experiment

ORDER, SMOOTHING = 2, 1.0
ROWS = (
    "types.alive", "types.recall", "types.rare-recall", "types.tail", "distinct.1", "distinct.2", "distinct.3",
    "entropy", "perplexity",
)  # fmt: skip
_WORK = 40_000_000  # words that all loops together fit and write: half a minute of one core
_LEAST = 50  # blocks of a training set, so that a share is met within one per cent

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Sizes:
    """What was chosen so that it takes about a minute.

    Attributes:
        blocks: of a training set, and of the held-out text; length: words of a block.
        replicates: runs of each loop.
        order, smoothing: of the n-gram model; temperature: of its sampling, which smoothing cannot be combined with.
    """

    blocks: int
    length: int
    replicates: int
    order: int = ORDER
    smoothing: float = SMOOTHING
    temperature: float = 1.0

    @property
    def rows(self) -> tuple[str, ...]:
        """What is measured; a bare chain finds nearly all held-out text impossible, and its perplexity says nothing."""
        return ROWS if self.smoothing else tuple(row for row in ROWS if row != "perplexity")

    @property
    def tokens(self) -> int:
        """Of a training set."""
        return self.blocks * self.length

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "tokens": self.tokens, "blocks": self.blocks, "length": self.length, "replicates": self.replicates,
            "model": "ngram", "order": self.order, "smoothing": self.smoothing, "temperature": self.temperature,
        }  # fmt: skip


def sizes(sample: Sample, generations: int, loops: int, replicates: int, temperature: float = 1.0) -> Sizes:
    """Training sets so small that no human block is ever used twice, and that all loops take about a minute.

    Raises:
        DataError: the sample is too small for so many generations.
    """
    held = sample.tokens // LENGTH // (generations + 1)  # T training sets and what is held out
    most = _WORK // (LENGTH * loops * replicates * generations)
    if held < _LEAST:
        raise DataError(
            f"{sample.tokens} words are too few to simulate {generations} generations: every one wants human text of its own. "
            f"Give {_LEAST * LENGTH * (generations + 1)} words or more, or fewer generations."
        )
    smoothing = SMOOTHING if temperature == 1.0 else 0.0
    return Sizes(min(held, max(most, _LEAST)), LENGTH, replicates, ORDER, smoothing, temperature)


def loop(sample: Sample, share: float, generations: int, chosen: Sizes, seed: int) -> Experiment:
    """The experiment of one synthetic share; all shares have the same random numbers."""
    return Experiment.from_tables({
        "experiment": {
            "generations": generations, "replicates": chosen.replicates, "samples": chosen.blocks, "reference": chosen.blocks,
            "evaluation": chosen.blocks, "seed": seed, "examples": 0, "keep": "none",
        },
        "source": sample.source(chosen.length),
        "model": {"kind": "ngram", "order": chosen.order, "smoothing": chosen.smoothing},
        "regime": {"kind": "fresh", "share": 1.0 - share}, "sampling": {"temperature": chosen.temperature},
        "metric": [{"kind": name} for name in dict.fromkeys(row.split(".")[0] for row in chosen.rows)],
    })  # fmt: skip


def simulated(
    sample: Sample,
    shares: tuple[float, ...],
    generations: int,
    chosen: Sizes,
    seed: int,
    workers: int,
    folder: Path,
    progress: Progress | None,
) -> dict[float, dict[str, Floats]]:
    """Share -> row -> values (replicates, T), of loops that share their random numbers, so that replicates are pairs."""
    found: dict[float, dict[str, Floats]] = {}
    for number, share in enumerate(shares):

        def tick(done: float, total: float, number: int = number) -> None:
            if progress is not None:
                progress(number * total + done, len(shares) * total)

        experiment = loop(sample, share, generations, chosen, seed)
        values = execute(experiment, folder / experiment.id, workers, tick).values()
        found[share] = {row: np.asarray(values[(0, row)], np.float64) for row in chosen.rows}
    return found
