"""What a report says, as plain data: no drawing, no HTML, no models.

::

    Report ── Section ── Finding, Chart (of Series), Gallery (of Column), Table, Block, Section ...
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

Numbers = tuple[float, ...]
SeriesKind = Literal["measured", "theory", "reference"]
GalleryKind = Literal["image", "captioned", "text", "scatter", "bars"]
Tone = Literal["bad", "good", "neutral"]


class RunStore(Protocol):
    """What a report reads of a run folder.

    Attributes:
        experiment: the resolved experiment as a dict; ``toml`` the same as text.
        provenance: versions, machine, command, content hashes.
        points: parameter settings of the sweep, ``[{}]`` for a single run; ``point_names`` their short names.
        summary: rows ``point, generation, metric, n, mean, median, mean_log, low, high, level, of, estimable``;
            ``of`` says whether the interval is about the mean or the median.
        theory: rows ``point, generation, metric, law, value, scale, source``.
        refused: laws that do not apply, rows ``law, row, reason``.
        neutral: where a model that keeps frequencies would be, rows ``point, generation, metric, value``.
        directions: what each metric does in collapse: falls, rises or either.
        samples: point -> generation -> items ``(n, *item)``; generation 0 is real.
        space: ``kind, shape, size, names, picture, joiner``.
        profile: rows ``axis, row, first, last, change, low, high, verdict, point``.
        verdicts: rows ``definition, verdict, sentence, point``.
    """

    @property
    def experiment(self) -> dict[str, Any]: ...

    @property
    def toml(self) -> str: ...

    @property
    def provenance(self) -> dict[str, Any]: ...

    @property
    def points(self) -> list[dict[str, Any]]: ...

    @property
    def point_names(self) -> list[str]: ...

    @property
    def summary(self) -> list[dict[str, Any]]: ...

    @property
    def theory(self) -> list[dict[str, Any]]: ...

    @property
    def refused(self) -> list[dict[str, Any]]: ...

    @property
    def neutral(self) -> list[dict[str, Any]]: ...

    @property
    def directions(self) -> Mapping[str, str]: ...

    @property
    def samples(self) -> Mapping[int, Mapping[int, Any]]: ...

    @property
    def space(self) -> dict[str, Any]: ...

    @property
    def warnings(self) -> list[str]: ...

    @property
    def citations(self) -> list[str]: ...

    @property
    def profile(self) -> list[dict[str, Any]]: ...

    @property
    def verdicts(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        x, y: equally long; NaN or infinite y is a gap.
        low, high: the interval at each x, or None.
        kind: ``measured`` (solid, with a band), ``theory`` (dashed, over the line) or ``reference`` (thin grey).
        dash: SVG dash pattern; empty for the usual one of the kind.
        group: which colour; a theory line takes the one of the measured line it belongs to.
    """

    name: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    kind: SeriesKind = "measured"
    dash: str = ""
    group: int = 0

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.x, self.y, self.low, self.high) if values is not None}
        if len(lengths) != 1:
            raise ValueError(f"Series '{self.name}': x, y, low and high must be equally long, got {sorted(lengths)}.")


@dataclass(frozen=True)
class Chart:
    """Lines over a common horizontal axis.

    Attributes:
        title: plain words; ``name`` is what the tables and files call it.
        log_y: start with a logarithmic axis (readers can switch).
        y_zero: the linear axis starts at zero.
        note: which direction is collapse, in words.
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log_y: bool = False
    y_zero: bool = False
    note: str = ""
    name: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a gallery: a label and what is shown under it.

    Attributes:
        items: images: one array ``(n, h, w)`` or ``(n, h, w, 3)``; captioned: pairs of one picture and its text; texts:
            strings; scatter: one array ``(n, 2)`` or
            ``(n, 3)`` with a class in the last column; bars: heights.
    """

    label: str
    items: Any


@dataclass(frozen=True)
class Gallery:
    """Samples side by side, one column per generation.

    Attributes:
        bounds: images, captioned: the values drawn black and white; scatter and bars: (left, right, bottom, top).
        labels: for bars, what each bar is.
    """

    title: str
    caption: str
    kind: GalleryKind
    columns: tuple[Column, ...]
    bounds: Numbers = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows of plain values under named columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    collapsed: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Finding:
    """One answer in words: about what, the sentence, and whether it is good news."""

    subject: str
    sentence: str
    tone: Tone = "neutral"
    group: int | None = None


@dataclass(frozen=True)
class Block:
    """A piece of source text, such as the experiment file."""

    title: str
    text: str
    collapsed: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, a plain sentence on what it shows, and its content; ``sections`` are one level below.

    Attributes:
        facts: (name, value) pairs.
        warnings, references: sentences; references are numbered citations.
    """

    title: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    charts: tuple[Chart, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    tables: tuple[Table, ...] = ()
    blocks: tuple[Block, ...] = ()
    references: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    def walk(self) -> Iterable[Section]:
        """This section and all below it, in reading order."""
        yield self
        for section in self.sections:
            yield from section.walk()


@dataclass(frozen=True)
class Report:
    """A whole page: a title, a paragraph of plain words and sections."""

    title: str
    lead: str
    sections: tuple[Section, ...]

    def walk(self) -> Iterable[Section]:
        """All sections in reading order."""
        for section in self.sections:
            yield from section.walk()

    @property
    def charts(self) -> list[Chart]:
        """All charts in reading order."""
        return [chart for section in self.walk() for chart in section.charts]

    @property
    def tables(self) -> list[Table]:
        """All tables in reading order, those behind the charts not included."""
        return [table for section in self.walk() for table in section.tables]


def combine(title: str, lead: str, parts: Sequence[tuple[str, str, Report]]) -> Report:
    """One page out of several reports: each becomes a section with its own ones below it.

    >>> one = Report("a", "first.", (Section("Findings"),))
    >>> both = combine("demo", "two runs.", [("Replace", "No real data.", one), ("Fresh", "Ten per cent.", one)])
    >>> [section.title for section in both.walk()]
    ['Replace', 'Findings', 'Fresh', 'Findings']
    """
    sections = tuple(
        Section(part, " ".join(piece for piece in (text, report.lead) if piece), sections=report.sections)
        for part, text, report in parts
    )
    return Report(title, lead, _references_last(sections))


def _references_last(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """The citations of all parts, each once, in one last section."""
    seen: dict[str, None] = {}
    for section in sections:
        for below in section.walk():
            seen.update(dict.fromkeys(below.references))
    if not seen:
        return sections
    text = "The methods and laws used in the runs above."
    return (
        *(_without_references(section) for section in sections),
        Section("References", text, references=tuple(seen)),
    )


def _without_references(section: Section) -> Section:
    kept = tuple(
        _without_references(below) for below in section.sections if not (below.references and _only_references(below))
    )
    return replace(section, references=(), sections=kept)


def _only_references(section: Section) -> bool:
    return not (section.charts or section.tables or section.findings or section.blocks or section.sections)


def is_number(value: float | None) -> bool:
    """Whether a value can be drawn: there, not NaN, not infinite."""
    return value is not None and math.isfinite(value)


def chart_table(chart: Chart) -> Table:
    """The numbers of a chart: one row per x, and for each series its value and, if it has one, its interval.

    >>> chart = Chart("Variance", "", "generation", "", (Series("replace", (1, 2), (0.9, 0.8), (0.8, 0.7), (1, 0.9)),))
    >>> chart_table(chart).columns
    ('generation', 'replace', 'replace low', 'replace high')
    >>> chart_table(chart).rows[0]
    (1, 0.9, 0.8, 1)
    """
    xs = sorted({x for series in chart.series for x in series.x})
    columns, values = [chart.x_label or "x"], []
    for series in chart.series:
        for suffix, numbers in (("", series.y), (" low", series.low), (" high", series.high)):
            if numbers is not None:
                columns.append(series.name + suffix)
                values.append(dict(zip(series.x, numbers, strict=True)))
    rows = tuple((x, *(column.get(x) for column in values)) for x in xs)
    return Table(chart.title, tuple(columns), rows)
