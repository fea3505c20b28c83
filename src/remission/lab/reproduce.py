"""Published results reproduced: each is an experiment file with the numbers that must come out of it.

>>> from remission.lab.reproduce import known, load
>>> "shumailov-gaussian" in known()
True
>>> load("shumailov-gaussian").checks[0].rule
'agrees'
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from remission.engines.local import map_units
from remission.errors import DataError, MissingExtra, RemissionError
from remission.lab.execute import execute
from remission.lab.reading import Reading
from remission.lab.reproduction.files import About, Reproduction, load
from remission.lab.reproduction.files import about as about
from remission.lab.reproduction.files import chosen as chosen
from remission.lab.reproduction.files import known as known
from remission.lab.reproduction.files import read as read
from remission.lab.reproduction.judges import Measured, Outcome, judge
from remission.lab.reproduction.rules import Check, Verdict
from remission.lab.summary import one_row
from remission.store import Run

Progress = Callable[[float, float], None]  # (seconds' worth of work done, of how many)


@dataclass(frozen=True)
class Held:
    """One number of a published result beside ours.

    Attributes:
        check: what is compared, and how.
        outcome: our number, its interval, the verdict.
        replicates: how many runs it is from.
    """

    check: Check
    outcome: Outcome
    replicates: int


@dataclass(frozen=True)
class Reproduced:
    """What became of one published result.

    Attributes:
        id: its name.
        about: what it is.
        held: one entry per check.
        seconds: how long the run and the checks took.
        why: why it was not run, and what to do; empty when it was.
        folder: its run folder; None when it was not run.
        text: the file.
    """

    id: str
    about: About
    held: tuple[Held, ...]
    seconds: float
    why: str = ""
    folder: Path | None = None
    text: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst one of its checks."""
        found = {one.outcome.verdict for one in self.held}
        order: tuple[Verdict, ...] = ("not run", "differs", "no power")
        return next((verdict for verdict in order if verdict in found), "not run" if self.why else "reproduced")

    def table(self) -> list[dict[str, Any]]:
        """One plain row per check."""
        return [
            {
                "id": self.id, "paper": self.about.cited, "title": self.about.title, "quantity": one.check.quantity,
                "expected": one.check.expected, "expects": one.check.expects, "measured": one.outcome.measured,
                "low": one.outcome.low, "high": one.outcome.high, "verdict": one.outcome.verdict,
                "rule": one.check.rule, "source": one.check.source, "row": one.check.row, "point": one.check.point,
                "generation": one.check.generation, "plain": one.check.plain, "replicates": one.replicates, "seconds": round(self.seconds, 2),
                "why": self.why,
            }
            for one in self.held
        ]  # fmt: skip


@dataclass(frozen=True)
class _Unit:
    """One result to be run into a folder, by any process."""

    id: str
    folder: str
    command: tuple[str, ...]


def reproduce(
    ids: Iterable[str],
    folder: Path,
    workers: int = 1,
    everything: bool = False,
    deep: bool = False,
    progress: Progress | None = None,
    command: Sequence[str] = (),
) -> list[Reproduced]:
    """Run published results and hold each number against ours.

    Args:
        ids: their names, or files of one's own.
        folder: each gets a run folder of its name in it; what is finished there is not run again.
        workers: processes; numbers do not depend on it.
        everything: all results that come with the package, besides.
        deep: also those with neural networks that ``everything`` would leave out; one that is named is run anyway.
        progress: called with the work done and the whole of it, in seconds' worth.
        command: what the user typed, for provenance.

    Returns:
        One entry per result, in the order asked for. What cannot be run (data or a package is not there) is not an error:
        its verdict is ``not run``, and ``why`` says what to do.

    Raises:
        SpecError: an unknown id, a file that is not a reproduction.
        StoreError: the folder holds other runs.
        FitError, CurationError: a run that fails.
    """
    ids = list(ids)
    wanted = chosen(ids, everything)
    left = [id for id in wanted if id not in ids and not deep and about(id).deep]
    units = [_Unit(id, str(folder / Path(id).stem), tuple(command)) for id in wanted if id not in left]
    units.sort(key=lambda unit: -about(unit.id).seconds)  # the long ones first, so that workers end together
    total, done = float(sum(about(unit.id).seconds for unit in units)), 0.0
    found = {id: _not_run(id, "It trains neural networks. Add --deep, or name it.") for id in left}
    if progress is not None:
        progress(0.0, total)
    # A single result shares its own blocks among the workers; several are shared out whole.
    alone = len(units) == 1
    work = functools.partial(_run, workers=workers if alone else 1)
    for unit, result in map_units(work, units, 1 if alone else workers):
        found[unit.id] = result
        done += result.about.seconds
        if progress is not None:
            progress(done, total)
    return [found[id] for id in wanted]


def _run(unit: _Unit, workers: int) -> Reproduced:
    began = time.perf_counter()
    try:
        one = load(unit.id)
        for point in one.experiment.points:
            _ = point.experiment.source.space  # opens the data
    except (DataError, MissingExtra) as error:
        return _not_run(unit.id, str(error))
    try:
        run = execute(one.experiment, Path(unit.folder), workers, command=unit.command)
    except MissingExtra as error:
        return _not_run(unit.id, str(error))
    except RemissionError as error:
        raise type(error)(f"Reproduction '{unit.id}': {error}") from None
    held = held_against(one, run)
    return Reproduced(one.id, one.about, held, time.perf_counter() - began, "", run.folder, one.text)


def held_against(one: Reproduction, run: Run) -> tuple[Held, ...]:
    """Every check of a result on a finished run of its experiment."""
    data = measured(one, run.folder)
    return tuple(Held(check, judge(check, data), one.experiment.replicates) for check in one.checks)


def measured(one: Reproduction, folder: Path) -> Measured:
    """What the run of a result in ``folder`` measured."""
    run = Run(folder)
    sizes = tuple((int(replicates), int(generations)) for replicates, generations in run.facts["sizes"])
    settings = tuple(point.settings for point in one.experiment.points)
    return Measured(run.values(), sizes, tuple(run.facts["point_names"]), settings)


class Figures(Reading):
    """A run as a report reads it: the rows that are checked, at so few generations that a page is made in no time."""

    SHOWN: ClassVar[int] = 50

    def __init__(self, run: Run, checks: Iterable[Check]) -> None:
        """Of ``run``, what ``checks`` are about."""
        super().__init__(run)
        self._checks = tuple(checks)

    @cached_property
    def summary(self) -> list[dict[str, Any]]:
        """As of a whole run, for the rows and generations that are drawn."""
        rows = {check.row for check in self._checks}
        named = {int(check.generation) for check in self._checks if isinstance(check.generation, int)}
        found = []
        for (point, metric), values in sorted(self.run.values().items()):
            end = int(self.run.facts["sizes"][point][1])
            steps = min(end, self.SHOWN)
            shown = {round(1 + k * (end - 1) / max(1, steps - 1)) for k in range(steps)} | named | {end}
            found += [
                {"point": point, "generation": t, "metric": metric} | one_row(values[:, t - 1], self.run.level)
                for t in sorted(shown if metric in rows else ())
            ]
        return found


def _not_run(id: str, why: str) -> Reproduced:
    nothing = Outcome(math.nan, math.nan, math.nan, "not run")
    try:
        checks, text = load(id).checks, load(id).text
    except DataError:
        checks, text = (), ""
    return Reproduced(
        Path(id).stem, about(id), tuple(Held(check, nothing, 0) for check in checks), 0.0, why, None, text
    )
