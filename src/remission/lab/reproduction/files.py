"""The files of published results: an experiment, where its numbers come from, and how they are checked."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from remission.component import Component
from remission.errors import DataError, SpecError, did_you_mean
from remission.lab.reproduction.judges import point_number
from remission.lab.reproduction.rules import Check
from remission.loop import row_name
from remission.spec import Experiment, build


class About(Component):
    """What a published result is.

    Attributes:
        title: a few words.
        paper: authors and year; ``arxiv`` and ``doi`` where it is, ``figure`` what of it is meant.
        claim: in a sentence.
        seconds: about how long it takes on one core.
        deep: neural networks, which take minutes; only done when asked for.
        derived: a law worked out for this package rather than a result of the paper, which is its setting.
        needs: which data, when it is more than random numbers.
    """

    title: str
    paper: str
    claim: str
    seconds: Annotated[float, Meta(ge=0)]
    arxiv: str = ""
    doi: str = ""
    figure: str = ""
    deep: bool = False
    derived: bool = False
    needs: str = ""

    @classmethod
    def name(cls) -> str:
        """The table it stands in."""
        return "[reproduction]"

    @property
    def cited(self) -> str:
        """The paper and where it is."""
        places = ([f"arXiv:{self.arxiv}"] if self.arxiv else []) + ([f"doi:{self.doi}"] if self.doi else [])
        return ", ".join([self.paper, *places])


@dataclass(frozen=True)
class Reproduction:
    """A published result: what to run and what must come out.

    Attributes:
        id: the name of its file.
        about: what it is.
        experiment: what is run.
        checks: what must come out.
        text: the file.
    """

    id: str
    about: About
    experiment: Experiment
    checks: tuple[Check, ...]
    text: str


def folder() -> Path:
    """Where the files lie that come with the package."""
    return Path(str(resources.files("remission"))) / "reproductions"


def known() -> list[str]:
    """The ids of all results that come with the package, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(id: str) -> Reproduction:
    """A result by its id, or by the path of a file of one's own.

    Raises:
        SpecError: there is none of that name, or the file is not a reproduction.
        DataError: its data is not there.
    """
    own = Path(id)
    if own.suffix == ".toml":
        if not own.is_file():
            raise SpecError(f"There is no file '{id}'.")
        return read(own.read_text(encoding="utf-8"), own.stem, own.parent)
    if id not in known():
        raise SpecError(f"There is no reproduction '{id}'. {did_you_mean(id, known())}")
    return _shipped(id)


@functools.cache
def _shipped(id: str) -> Reproduction:
    return read((folder() / f"{id}.toml").read_text(encoding="utf-8"), id)


def about(id: str) -> About:
    """What a result is, without making its experiment (and so without its data). Raises SpecError."""
    path = Path(id) if id.endswith(".toml") else folder() / f"{id}.toml"
    return build(About, _tables(path.read_text(encoding="utf-8"), id).get("reproduction", {}), "reproduction")


def read(text: str, id: str, beside: Path | None = None) -> Reproduction:
    """Read a file: ``[reproduction]``, the tables of an experiment, and ``[[check]]``.

    Raises:
        SpecError: an unknown key or point, a row that is not measured, a rule without what it needs.
    """
    tables = _tables(text, id)
    extra = {key: tables.pop(key, None) for key in ("reproduction", "check")}
    try:
        if not isinstance(extra["reproduction"], dict):
            raise SpecError("It has no table [reproduction] (title, paper, claim, seconds).")
        if not isinstance(extra["check"], list) or not extra["check"]:
            raise SpecError("It has no [[check]]: nothing would be held against anything.")
        _complete(About, extra["reproduction"], "[reproduction]")
        for row in extra["check"]:
            _complete(Check, row, "[[check]]")
        what = build(About, extra["reproduction"], "reproduction")
        checks = tuple(build(Check, row, "check") for row in extra["check"])
        experiment = Experiment.from_tables(tables) if beside is None else _with_paths(tables, beside)
        for check in checks:
            _fits(check, experiment)
    except (SpecError, DataError) as error:
        raise type(error)(f"Reproduction '{id}': {error}") from None
    return Reproduction(id, what, experiment, checks, text)


def _tables(text: str, id: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"Reproduction '{id}': not valid TOML: {error}.") from None


def _with_paths(tables: dict[str, object], beside: Path) -> Experiment:
    from remission import toml

    return Experiment.from_toml(toml.document(tables), folder=beside)


def _complete(kind: type[Component], row: object, where: str) -> None:
    """Say in one sentence which keys are missing."""
    from remission.component import fields_of

    if not isinstance(row, dict):
        raise SpecError(f"{where} must be a table. Got {row!r}.")
    needed = [field.name for field in fields_of(kind) if str(field.default).startswith("<dataclasses._MISSING")]
    missing = [name for name in needed if name not in row]
    unknown = [key for key in row if key not in {field.name for field in fields_of(kind)}]
    if missing and not unknown:
        said = f" '{row['quantity']}'" if "quantity" in row else ""
        raise SpecError(f"{where}{said} needs {', '.join(missing)}.")


def _fits(check: Check, experiment: Experiment) -> None:
    """Points, rows and generations that a check names are there."""
    points = experiment.points
    names, settings = tuple(point.name for point in points), tuple(point.settings for point in points)
    over = check.over
    named = list(check.points) or ([] if check.rule == "threshold" else [check.point])
    if check.rule == "threshold" and not check.points and len(points) < 2:
        raise SpecError(f"check '{check.quantity}': a threshold is sought along a sweep, and there is none.")
    wanted = [(name, check.row, check.generation) for name in named]
    if over is not None:
        wanted.append((over.point or check.point, over.row or check.row, over.generation or check.generation))
    for name, row, generation in wanted:
        at = points[point_number(name, names, settings)].experiment
        rows = [row_name(metric.label, column) for metric in at.metric for column in metric.columns]
        if at.curator:
            rows += ["cost.draws", "training.synthetic"]
        if row not in rows:
            raise SpecError(f"check '{check.quantity}': no row '{row}' is measured. {did_you_mean(row, rows)}")
        if isinstance(generation, int) and generation > at.generations:
            raise SpecError(f"check '{check.quantity}': generation {generation} of a run of {at.generations}.")


def chosen(ids: Iterable[str], everything: bool) -> list[str]:
    """The ids asked for, each once; all of them when ``everything``. Raises SpecError for one that is not there."""
    found = list(dict.fromkeys(ids))
    for id in found:
        if id.endswith(".toml"):
            if not Path(id).is_file():
                raise SpecError(f"There is no file '{id}'.")
        elif id not in known():
            raise SpecError(f"There is no reproduction '{id}'. {did_you_mean(id, known())}")
    return list(dict.fromkeys([*found, *(known() if everything else [])]))
