"""What a comparison reads of run folders: one side is one grid point of one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from remission.data import Floats
from remission.errors import SpecError, StoreError, did_you_mean
from remission.lab.reading import display_names
from remission.store import Run


@dataclass(frozen=True, eq=False)
class Side:
    """One grid point of a run.

    Attributes:
        label: for people. ``key``: folder and point, the identity.
        seed, point: with the generation, the purpose and the replicate they name every random stream.
        source: the resolved table of the source, all swept values in it.
        version: of the package that ran it. ``id``: of the experiment.
        rows: metric row -> values (replicates, generations); NaN where nothing was measured.
        directions: row -> what it does in collapse.
        missing: what is not finished, in words; empty when nothing is.
    """

    label: str
    key: str
    seed: int
    point: str
    source: Mapping[str, Any]
    version: str
    id: str
    rows: Mapping[str, Floats]
    directions: Mapping[str, str]
    missing: str = ""
    _stacks: dict[tuple[str, ...], Floats] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _first(self) -> Floats:
        return next(iter(self.rows.values()), np.empty((0, 0)))

    @property
    def replicates(self) -> int:
        """How many, finished or not."""
        return int(self._first.shape[0])

    @property
    def generations(self) -> int:
        """How many, finished or not."""
        return int(self._first.shape[1])

    def stacked(self, rows: tuple[str, ...]) -> Floats:
        """(rows, generations, replicates), kept."""
        if rows not in self._stacks:
            if len(self._stacks) > 3:
                self._stacks.clear()
            self._stacks[rows] = np.ascontiguousarray(np.stack([self.rows[row].T for row in rows]))
        return self._stacks[rows]

    def positive(self, rows: tuple[str, ...]) -> np.typing.NDArray[np.bool_]:
        """Whether a row has positive finite values only, (rows,)."""
        values = self.stacked(rows)
        with np.errstate(invalid="ignore"):
            bad = (values <= 0) | np.isinf(values)
        return np.asarray(~bad.any(axis=(1, 2)) & ~np.isnan(values).all(axis=(1, 2)), np.bool_)


@dataclass(frozen=True)
class Pairing:
    """Whether replicates are paired by number, why, and what to bear in mind."""

    paired: bool
    reason: str
    note: str = ""

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return dataclasses.asdict(self)


def pairing(base: Side, run: Side) -> Pairing:
    """How two sides are compared.

    Equal seed and equal point name mean equal random numbers: paired, whatever else differs. If the sources differ the
    numbers are used for different things, and pairing narrows little; but such runs are not independent either.
    """
    if base.seed != run.seed:
        return Pairing(False, f"not paired: the seeds differ ({base.seed} and {run.seed}). Run both with one seed.")
    if base.point != run.point:
        names = f"'{base.point}' and '{run.point}'"
        return Pairing(
            False,
            f"not paired: every sweep point has random numbers of its own ({names}). To pair, run each point as an "
            "experiment of its own with the same seed.",
        )
    notes = []
    if base.id == run.id:
        notes.append("this is the same experiment in another folder; no difference is to be expected.")
    if base.replicates != run.replicates:
        most, least = max(base.replicates, run.replicates), min(base.replicates, run.replicates)
        notes.append(f"only the {least} replicates that both have are paired; {most - least} more are not used.")
    if base.version != run.version:
        notes.append(f"the versions of remission differ ({base.version}, {run.version}); draws may differ too.")
    if base.source != run.source:
        notes.append("the sources differ, so common random numbers may narrow the intervals little.")
    return Pairing(True, "paired: same seed, so replicate i had the same random numbers in both.", " ".join(notes))


def read_sides(arguments: Sequence[str]) -> list[tuple[Side, Side]]:
    """The pairs (base, run) that RUN[:POINT] arguments mean.

    One RUN with several points: each point against its first. Several arguments: each against the first; if they are
    whole sweeps, point by point of the same name.

    Raises:
        StoreError: not a run folder, or damaged. SpecError: an unknown point, or nothing to compare.
    """
    if not arguments:
        raise SpecError("Give at least two runs, or one run with several sweep points.")
    groups = [_read(text) for text in arguments]
    first = groups[0]
    if len(groups) == 1:
        if len(first) < 2:
            raise SpecError(f"'{arguments[0]}' is a single point. Give a second run to compare it with.")
        return [(first[0], other) for other in first[1:]]
    folders = [side.key for group in groups for side in group]
    for text, group in zip(arguments, groups, strict=True):
        if any(folders.count(side.key) > 1 for side in group):
            raise StoreError(f"'{text}' is given twice. Give different runs, or different points as RUN:POINT.")
    if all(len(group) == 1 for group in groups):
        return [(first[0], group[0]) for group in groups[1:]]
    pairs = [(base, run) for group in groups[1:] for base in first for run in group if base.point == run.point]
    for text, group in zip(arguments[1:], groups[1:], strict=True):
        if not any(run in group for _, run in pairs):
            raise SpecError(
                f"'{arguments[0]}' and '{text}' are sweeps with no point of the same name. Say which points to compare, "
                f"as {arguments[0]}:0. Points: {_names(first)} against {_names(group)}."
            )
    return pairs


def _names(group: Sequence[Side]) -> str:
    return ", ".join(f"{number} = {side.point or 'the only one'}" for number, side in enumerate(group))


def _read(text: str) -> list[Side]:
    """All points of RUN, or the one of RUN:POINT; a colon may be part of the folder's name."""
    folder, _, point = text, "", ""
    if not Path(text).is_dir():
        cuts = [at for at, letter in enumerate(text) if letter == ":"]
        at = next((at for at in cuts if Path(text[:at]).is_dir()), None)
        if at is not None:
            folder, point = text[:at], text[at + 1 :]
    if not Path(folder).is_dir():
        raise StoreError(
            f"'{text}' is not a run folder. Give the folder of a run, or RUN:POINT for a point of a sweep."
        )
    sides = sides_of(Run(Path(folder)), folder.rstrip("/"))
    if folder == text:
        return sides
    shown = [side.label.removeprefix(folder.rstrip("/")).removeprefix(":") for side in sides]
    for number, side in enumerate(sides):
        if point in (str(number), side.point, shown[number]):
            return [side]
    raise SpecError(
        f"'{folder}' has no point '{point}'. {did_you_mean(point, [name or '0' for name in shown])} Numbers 0 to "
        f"{len(sides) - 1} name them too."
    )


def sides_of(run: Run, label: str = "") -> list[Side]:
    """Every grid point of a run."""
    label = label or str(run.folder)
    facts, values = run.facts, run.values()
    shown = display_names(facts["point_names"], facts["points"])
    sides = []
    for index, name in enumerate(facts["point_names"]):
        replicates, generations = facts["sizes"][index]
        rows = {row: array[:replicates, :generations] for (at, row), array in sorted(values.items()) if at == index}
        if not rows:
            raise StoreError(f"'{label}' holds no finished replicate{f' of {name}' if name else ''}. Run it again.")
        missing = len(run.missing(index))
        sides.append(
            Side(
                label=f"{label}:{shown[index]}" if shown[index] else label,
                key=f"{run.folder.resolve()}:{index}",
                seed=_seed(run, index),
                point=name,
                source=_source(run, index),
                version=str(run.provenance.get("remission", "")),
                id=run.id,
                rows=rows,
                directions=facts["directions"],
                missing=f"{missing} of {replicates} replicates are missing or under way" if missing else "",
            )
        )
    return sides


def _seed(run: Run, point: int) -> int:
    settings = run.facts["points"][point]
    return int(settings.get("seed", settings.get("experiment.seed", run.tables["experiment"]["seed"])))


def _source(run: Run, point: int) -> dict[str, Any]:
    """The table of the source, and what the sweep sets of it under its dotted key."""
    swept = {key: value for key, value in run.facts["points"][point].items() if key.split(".")[0] == "source"}
    return dict(run.tables["source"]) | swept
