"""Where every row of a run ends in the long run; an experiment is run until it settles.

The verdict on one row is :func:`classify`; here whole runs are read, with the laws beside them.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.data import Floats
from remission.errors import RemissionError, SpecError, StoreError, did_you_mean
from remission.lab.execute import execute, resolved
from remission.lab.facts import directions_of
from remission.lab.long_run.fate import MARGIN, SHORTEST, Fate, classify
from remission.lab.long_run.theory import Beside, End, beside, ends
from remission.lab.reading import display_names
from remission.lab.summary import one_row
from remission.laws import CategoricalLaw, Law
from remission.spec import Experiment, Point
from remission.store import Run

__all__ = ["Dynamics", "Fate", "classify", "of_run", "real_levels", "to_the_end"]

BUDGET = 8  # generations of a file may be doubled so many times over, by default: to 8 times as many
EXACT = {"moments.ratio": 1.0, "tail-mass.ratio": 1.0, "hill.ratio": 1.0}  # real levels known without any data
ASIDE = ("cost.", "training.")  # rows that describe the treatment, not the loop

Progress = Callable[[float, float], None]


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Where every row of every grid point ends.

    Attributes:
        points: names of the grid points. ``generations``: how many each was followed for.
        fates: (point, fate). ``laws``: (point, end of a law). ``besides``: (point, row, ours beside the law's).
        values: (point, row) -> trajectories (replicates, generations).
        level: of intervals. ``warnings``: what a reader must know.
    """

    points: tuple[str, ...]
    generations: tuple[int, ...]
    fates: tuple[tuple[int, Fate], ...]
    laws: tuple[tuple[int, End], ...]
    besides: tuple[tuple[int, str, Beside], ...]
    values: dict[tuple[int, str], Floats]
    level: float
    warnings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As plain values for JSON."""
        fates = []
        for point, fate in self.fates:
            theory = [one.table() for at, one in self.laws if at == point and one.row == fate.row]
            found = [one.table() for at, row, one in self.besides if at == point and row == fate.row]
            fates.append({"point": point} | fate.table() | {"theory": theory, "beside": found})
        return {
            "points": [
                {"name": name, "generations": count} for name, count in zip(self.points, self.generations, strict=True)
            ],
            "fates": fates,
            "level": self.level,
            "warnings": list(self.warnings),
        }

    def curves(self) -> list[dict[str, Any]]:
        """For the figure: point, row, of, generation, value, low, high; median where a mean cannot be believed.

        ``theory`` is the law of the mean with the most values, as [name, values], where means are shown; else None.
        """
        out = []
        for point, fate in self.fates:
            rows = [one_row(column, self.level) for column in self.values[point, fate.row].T]
            median = any(row["of"] == "median" for row in rows)
            keys = ("median", "median_low", "median_high") if median else ("mean", "low", "high")
            columns = {
                name: [row[key] for row in rows] for name, key in zip(("value", "low", "high"), keys, strict=True)
            }
            times = list(range(1, len(rows) + 1))
            law = None if median else self._law(point, fate.row)
            out.append(
                {"point": point, "row": fate.row, "of": keys[0], "generation": times} | columns | {"theory": law}
            )
        return out

    def _law(self, point: int, row: str) -> list[Any] | None:
        known = [one for at, one in self.laws if at == point and one.row == row and one.scale == "mean"]
        best = max(known, key=lambda one: int(np.isfinite(one.curve).sum()), default=None)
        return None if best is None or not np.isfinite(best.curve).any() else [best.law, list(best.curve)]


def of_run(
    run: Run, rows: Iterable[str] = (), margin: float = MARGIN, level: float | None = None, real: float | None = None
) -> Dynamics:
    """The fates of a stored run, finished or not.

    Raises:
        SpecError: a row that was not measured. StoreError: nothing is finished.
    """
    facts, everything = run.facts, run.values()
    level = run.level if level is None else level
    values: dict[tuple[int, str], Floats] = {}
    for (point, row), array in everything.items():
        replicates, generations = facts["sizes"][point]
        values[point, row] = array[:replicates, :generations]
    if not values:
        raise StoreError(f"'{run.folder}' holds no finished replicate. Run it again.")
    warnings = [] if run.is_complete else ["The run is not finished: only complete replicates are used."]
    try:
        experiments = [point.experiment for point in run.experiment.points]
    except RemissionError as error:
        experiments = []
        warnings.append(f"No theory beside it: the experiment cannot be opened here ({error})")
    names = display_names(facts["point_names"], facts["points"])
    counts = tuple(generations for _, generations in facts["sizes"])
    chosen = _chosen(list(dict.fromkeys(row for _, row in sorted(values))), list(rows))
    return _answer(names, counts, values, chosen, facts["directions"], experiments, (margin, level, real), warnings)


def to_the_end(
    experiment: Experiment,
    rows: Iterable[str] = (),
    generations: int | None = None,
    workers: int = 1,
    margin: float = MARGIN,
    level: float | None = None,
    real: float | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Dynamics:
    """Run every grid point with twice as many generations, again and again, until all rows settle.

    Growth without bound, and rest in which deviations are not seen to fade, must be found by two runs in a row.

    Args:
        experiment: or a sweep; default metrics are filled in.
        rows: which must settle; all measured ones when empty.
        generations: the most; 8 times those of the experiment when None.
        workers: processes.
        margin: see :func:`classify`.
        level: of intervals; that of the experiment when None.
        real: the level of real data; known or generation 1 when None.
        progress: called with replicate-generations done and wanted of the run under way.
        tell: called with a sentence before every run.

    Raises:
        SpecError: before anything is run. FitError, CurationError: with the generation.
    """
    experiment = resolved(experiment)
    level = experiment.level if level is None else level
    points = experiment.points
    values: dict[tuple[int, str], Floats] = {}
    counts, warnings, reached = [], [], []
    chosen: list[str] = []
    for index, point in enumerate(points):
        most = generations if generations is not None else BUDGET * max(point.experiment.generations, SHORTEST)
        if most < SHORTEST:
            raise SpecError(f"'--generations {most}' is too few to say where it ends. Give at least {SHORTEST}.")
        before: dict[str, Fate] = {}
        for here, found in _doubled(point, most, workers, progress, tell):
            chosen = chosen or _chosen(list(found), list(rows))
            fates = _fates(here, found, chosen, (margin, level, real))
            left = [row for row, fate in fates.items() if not _final(fate, before.get(row), here.generations >= most)]
            before = fates
            if not left:
                break
        if left:
            name, count = point.name or "The experiment", here.generations
            warnings.append(f"{name}: after {count} generations, the most allowed, not settled: {', '.join(left)}.")
        values |= {(index, row): array for row, array in found.items()}
        counts.append(here.generations)
        reached.append(here)
    names = display_names([point.name for point in points], [point.settings for point in points])
    directions = directions_of(experiment)
    return _answer(names, tuple(counts), values, chosen, directions, reached, (margin, level, real), warnings)


def _doubled(
    point: Point, most: int, workers: int, progress: Progress | None, tell: Callable[[str], None] | None
) -> Iterator[tuple[Experiment, dict[str, Floats]]]:
    """The point run for twice as many generations each time, up to ``most``."""
    count = min(most, max(point.experiment.generations, 2 * SHORTEST))
    while True:
        if tell is not None:
            tell(f"{point.name or 'the experiment'}: {count} generations")
        here = dataclasses.replace(point.experiment, generations=count)
        yield here, _run(here, workers, progress)
        if count >= most:
            return
        count = min(2 * count, most)


def _fates(
    here: Experiment, found: dict[str, Floats], rows: list[str], how: tuple[float, float, float | None]
) -> dict[str, Fate]:
    margin, level, real = how
    directions, known = directions_of(here), real_levels(here)
    return {
        row: classify(found[row], directions.get(row, "either"), _real(row, real, known), row, margin, level)
        for row in rows
        if row in found
    }


def _final(fate: Fate, before: Fate | None, last: bool) -> bool:
    """Whether more generations are needed.

    A run that is short against its relaxation looks like growth without bound, or like rest in which deviations do not
    fade: those must be seen twice.
    """
    doubtful = fate.verdict == "incoherent" or (fate.verdict == "stable-degraded" and fate.stability != "decays")
    if doubtful and not last:
        return before is not None and before.verdict == fate.verdict
    return fate.settled


def _run(experiment: Experiment, workers: int, progress: Progress | None) -> dict[str, Floats]:
    """Row -> (replicates, generations) of a single grid point."""
    with tempfile.TemporaryDirectory(prefix="remission-dynamics-") as folder:
        run = execute(experiment, Path(folder) / "run", workers, progress)
        return {row: array for (_, row), array in sorted(run.values().items())}


def _chosen(measured: list[str], wanted: list[str]) -> list[str]:
    for row in wanted:
        if row not in measured:
            raise SpecError(f"No row '{row}' is measured. {did_you_mean(row, measured)}")
    return list(dict.fromkeys(wanted)) or [row for row in measured if not row.startswith(ASIDE)] or measured


def real_levels(experiment: Experiment) -> dict[str, float]:
    """Row -> its level for real data, where the law of the source is known."""
    law = experiment.source.law()
    if isinstance(law, Law):
        spread = float(np.trace(law.cov))
        sign, volume = np.linalg.slogdet(law.cov)
        known = {"moments.variance": spread, "moments.total": spread}
        return EXACT | known | ({"moments.log-det": float(volume)} if sign > 0 else {})
    if isinstance(law, CategoricalLaw):
        p = law.p[law.p > 0]
        largest, entropy = float(p.max()), float(-(p * np.log(p)).sum())
        return EXACT | {"heterozygosity": 1 - float(p @ p), "entropy": entropy, "max-share": largest}
    return EXACT


def _real(row: str, given: float | None, known: Mapping[str, float]) -> float | None:
    plain = row.partition("[")[0] + row.rpartition("]")[2] if "[" in row else row
    return given if given is not None else known.get(plain)


def _answer(
    names: list[str], counts: tuple[int, ...], values: dict[tuple[int, str], Floats], rows: list[str],
    directions: dict[str, str], experiments: list[Experiment], how: tuple[float, float, float | None], warnings: list[str],
) -> Dynamics:  # fmt: skip
    margin, level, real = how
    fates: list[tuple[int, Fate]] = []
    laws: list[tuple[int, End]] = []
    besides: list[tuple[int, str, Beside]] = []
    for point in range(len(names)):
        here = [row for row in rows if (point, row) in values]
        known = real_levels(experiments[point]) if experiments else EXACT
        if experiments:
            laws += [(point, one) for one in ends(experiments[point], set(here))]
        for row in here:
            fate = classify(
                values[point, row], directions.get(row, "either"), _real(row, real, known), row, margin, level
            )
            fates.append((point, fate))
            for at, law in laws:
                if at == point and law.row == row:
                    besides += [(point, row, one) for one in beside(fate, law)]
    return Dynamics(tuple(names), counts, tuple(fates), tuple(laws), tuple(besides), values, level, tuple(warnings))
