"""A census under way: which tasks there are, and what has come of them so far."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from remission.clinic.census.parts import explained
from remission.clinic.census.process import Done, Halve, Outcome, Plan, Task, found_part, set_aside, stand_in
from remission.clinic.census.receipts import Receipt, Sum, first_examples
from remission.clinic.census.scoring import Scorer
from remission.clinic.census.tally import MOST_STRATA
from remission.clinic.census.units import Config, Grouper, Unit
from remission.corpus.spans import SIZE, Found, Span, lost_span, stamp_of
from remission.engines.limits import LATER, Later, Lost
from remission.errors import DataError

Progress = Callable[[float, float], None]  # (bytes of the files done, of how many)


@dataclass
class Run:
    """Which tasks there are, in an order that depends on the files alone, and what has come of them.

    Attributes:
        found, config, scorer, folder: of the census; progress: told how far it is.
        known: SHA-256 of parts by name of their unit, where a manifest says what they must be.
        done: those that are done now.
        found_done: how many were there already; mended: were there and damaged, and are done anew.
        timed: bytes and seconds of those that were done now; started: seconds it took the slowest worker to begin.
    """

    found: Found
    config: Config
    scorer: Scorer
    folder: Path
    progress: Progress | None
    known: Mapping[str, str] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    found_done: int = 0
    mended: int = 0
    timed: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    started: float = 0.0

    def __post_init__(self) -> None:
        self._ready: deque[Task] = deque()
        self._spans: dict[str, tuple[Span, ...]] = {}  # of files that were looked at
        self._grouped = 0  # so many files have gone into units
        self._size = self.config.size or SIZE
        self._grouper = Grouper(self._size)
        self._under_way = 0
        self._sum = Sum()
        self._sum.add(_refused(self.found))
        self._why: dict[str, str] = {}  # units ended their workers
        self._total = float(sum(stamp_of(path)[0] for path in self.found.files))
        self._bytes = 0.0

    def tasks(self) -> Iterator[Task | Later]:
        """Units before files that are still to be looked at, so that scoring begins at once."""
        plans = (Plan(path, self.scorer.takes, self._size) for path in self.found.files)
        while True:
            task = self._ready.popleft() if self._ready else next(plans, None)
            if task is not None:
                self._under_way += 1
                yield task
            elif self._under_way:
                yield LATER
            else:
                return

    def take(self, task: Task, outcome: Outcome | Lost[Task]) -> None:
        """What came of a task."""
        self._under_way -= 1
        if isinstance(task, Plan):
            spans = (lost_span(task.path),) if isinstance(outcome, Lost) else outcome
            self._spans[task.path] = cast(tuple[Span, ...], spans)  # what a Plan comes to, see process.step
            self._group()
        elif isinstance(task, Halve):
            halves: Any = () if isinstance(outcome, Lost) else outcome
            self._in_place_of(task.unit, halves)
        elif isinstance(outcome, Lost):
            self._ready.appendleft(Halve(task))
            self._why[task.name] = outcome.said
        else:
            self._finish(task, cast(Done, outcome))

    def _group(self) -> None:
        """Make units of the spans of files, as far as all files before them have been looked at."""
        files = self.found.files
        while self._grouped < len(files) and files[self._grouped] in self._spans:
            for spans in self._grouper.add(self._spans[files[self._grouped]]):
                self._offer(self._unit(spans))
            self._grouped += 1
        if self._grouped == len(files):
            for spans in self._grouper.rest():
                self._offer(self._unit(spans))

    def _unit(self, spans: tuple[Span, ...]) -> Unit:
        return Unit(spans, self.config, self.scorer, str(self.folder.resolve()))

    def _offer(self, unit: Unit) -> None:
        """A unit is ready to be done, or is done already."""
        there = found_part(unit, self.known.get(unit.name))
        if there is None:
            with explained(unit.part):
                if unit.part.exists():
                    unit.part.unlink()
                    self.mended += 1
            self._ready.append(unit)
            return
        if there.receipt.split:
            self._ready.append(Halve(unit))  # its halves may be there in part
            return
        self.found_done += 1
        self._finish(unit, there)

    def _in_place_of(self, unit: Unit, halves: tuple[Unit, ...]) -> None:
        """A unit ended its workers: two halves are done instead, or it is set aside when it cannot be cut."""
        if halves:
            self._add(found_part(unit) or stand_in(unit, halves))
            for half in halves:
                self._offer(half)
            return
        why = self._why.get(unit.name, "its workers died")
        self._finish(unit, set_aside(unit, f"it cannot be processed: {why}"))

    def _finish(self, unit: Unit, outcome: Done) -> None:
        self._add(outcome)
        if len(self._sum.strata) > MOST_STRATA:
            raise DataError(f"by: there are more than {MOST_STRATA:,} strata. Name columns with fewer values.")
        self._bytes += unit.size
        if outcome.seconds is not None:
            self.timed[unit.name] = (float(unit.size), *outcome.seconds)
            self.started = max(self.started, outcome.started)
        if self.progress is not None:
            self.progress(min(self._bytes, self._total), self._total)

    def _add(self, outcome: Done) -> None:
        if outcome.name not in self.done:
            self.done[outcome.name] = outcome.sha256
            self._sum.add(outcome.receipt)

    def receipt(self) -> Receipt:
        """What became of all rows, and of the files that were not even looked at."""
        return self._sum.receipt()

    def inputs(self) -> dict[str, tuple[str, int]]:
        """Hash and size of every file."""
        found = {}
        for path in self.found.files:
            if path not in self._spans:
                raise DataError(f"'{path}' was not looked at. Run the command again.")
            found[path] = (self._spans[path][0].sha256, self._spans[path][0].stamp[0])
        return found


def _refused(found: Found) -> Receipt:
    """Files that were not even looked at."""
    shown = [{"file": f, "place": None, "rows": 1, "reason": reason} for f, reason in found.refused]
    counts = Counter(reason for _, reason in found.refused)
    return Receipt(seen=len(shown), quarantined=counts, examples=first_examples(shown))
