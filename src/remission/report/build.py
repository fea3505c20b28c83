"""From a run folder to a report: which charts, in which order, with which words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from remission.report import narrative
from remission.report.axis import plain_number
from remission.report.content import Block, Chart, Report, RunStore, Section, Series, Table, is_number
from remission.report.gallery import evenly, galleries
from remission.report.palette import GROUPS
from remission.report.words import (
    DIRECTIONS,
    FAMILIES,
    ORDER,
    OTHER,
    bare,
    counted,
    family_of,
    is_logarithm,
    joined,
    title_of,
)

GENERATIONS = 240  # more are thinned: the page stays small and no screen shows the difference
LEVELS = {"moments.ratio", "types.recall", "types.rare-recall", "mode-coverage.hit", "tail-mass.ratio", "hill.ratio"}

Row = dict[str, Any]
Laws = dict[tuple[str, int], list[Row]]


def build(store: RunStore, title: str = "") -> Report:
    """The report of one run.

    Args:
        store: what was run and measured.
        title: by default made from the experiment.
    """
    by_metric: dict[str, list[Row]] = {}
    for row in store.summary:
        by_metric.setdefault(row["metric"], []).append(row)
    leading = narrative.leading_metric(store)
    shown = evenly(len(store.point_names), len(GROUPS))
    theory: Laws = {}
    for law in narrative.fitting_first(store.theory, store.experiment):
        if is_number(law.get("value")):
            theory.setdefault((law["metric"], law["point"]), []).append(law)
    charts = {metric: chart(store, metric, rows, shown, theory) for metric, rows in by_metric.items()}
    sections = [_findings(store, charts, leading)]
    made = galleries(store)
    if made:
        text = "What the models produce, from real data on the left to the last generation on the right."
        if len({gallery.caption for gallery in made}) == 1:
            text += " " + made[0].caption
            made = tuple(replace(gallery, caption="") for gallery in made)
        sections.append(Section("Samples", text, galleries=made))
    sections += _families(charts, leading)
    sections.append(_numbers(store, by_metric))
    if store.profile:
        sections.insert(1, _profile(store))
    verdicts = [verdict for verdict in store.verdicts if not narrative.is_fate(verdict)]
    if len(verdicts) > 2:
        sections.append(_definitions(store, verdicts))
    if store.theory or store.refused:
        sections.append(_theory(store))
    sections.append(_reproduce(store))
    if store.citations:
        text = "The methods and laws used in this run."
        sections.append(Section("References", text, references=tuple(store.citations)))
    return Report(title or _title(store), narrative.lead(store), tuple(sections))


def _title(store: RunStore) -> str:
    source, model, regime = (
        narrative.part(store.experiment, name).get("kind") for name in ("source", "model", "regime")
    )
    numbers = narrative.numbers_of(store.experiment)
    name = numbers.get("title") or numbers.get("name")
    swept = {str(key).split(".")[0] for point in store.points for key in point}
    words = [f"{model} model on {source} data"] if model and source else [str(word) for word in (model, source) if word]
    words += [str(regime)] if regime and "regime" not in swept else []
    words += [counted(len(store.points), "setting")] if len(store.points) > 1 else []
    return str(name or ", ".join(words) or "A self-consuming loop")


def _findings(store: RunStore, charts: dict[str, Chart], leading: str | None) -> Section:
    main = [charts[leading]] if leading in charts and leading is not None else []
    dose = _dose(store, leading) if leading is not None else None
    text = (
        "What came out, in one sentence per setting. Numbers in brackets are intervals that cover the true value "
        f"with probability {_level(store):.0%}."
        if store.summary
        else "Nothing was measured."
    )
    return Section(
        "Findings",
        text.replace("%", " %"),
        facts=narrative.facts(store),
        warnings=tuple(store.warnings),
        findings=narrative.findings(store),
        charts=tuple(main + ([dose] if dose is not None else [])),
    )


def _level(store: RunStore) -> float:
    return next((float(row["level"]) for row in store.summary if is_number(row.get("level"))), 0.95)


def chart(store: RunStore, metric: str, rows: list[Row], shown: list[int], theory: Laws) -> Chart:
    """Trajectories of one metric: a line with its interval per grid point, theory dashed in the same colour."""
    series: list[Series] = []
    median: dict[int, bool] = {}
    for group, point in enumerate(shown):
        mine = sorted((row for row in rows if row["point"] == point), key=lambda row: row["generation"])
        if mine:
            mine = narrative.on_one_scale(mine)
            median[point] = mine[0].get("of") == "median"
            series.append(_measured(store.point_names[point] or "measured", _thin(mine), group))
    laws: dict[str, str] = {}
    for group, point in enumerate(shown):
        name = store.point_names[point] if len(store.point_names) > 1 else ""
        drawn, used = _laws(theory.get((metric, point), []), metric, name, group, median.get(point, False))
        series += drawn or _neutral(store, metric, point, group)
        laws |= used
    if series and (bare(metric) in LEVELS or (bare(metric).startswith("vendi.") and metric.endswith("-ratio"))):
        ends = (min(min(line.x) for line in series), max(max(line.x) for line in series))
        series.append(Series("real data", ends, (1.0, 1.0), kind="reference"))
    values = [y for line in series for y in line.y if line.kind == "measured" and is_number(y)]
    return Chart(
        title_of(metric),
        _caption(rows, laws, len(shown), store.point_names),
        "generation",
        metric,
        tuple(series),
        log_y=bool(values) and min(values) > 0 and max(values) > 50 * min(values),
        y_zero=bool(values) and min(values) > 0 and max(values) > 1.6 * min(values),
        note=""
        if family_of(metric).title == "Cost of treatment"
        else DIRECTIONS.get(store.directions.get(metric, "either"), ""),
        name=metric,
    )


def _measured(name: str, rows: list[Row], group: int) -> Series:
    low, high = (tuple(_float(row.get(end)) for row in rows) for end in ("low", "high"))
    known = any(is_number(value) for value in low)
    return Series(
        name,
        tuple(row["generation"] for row in rows),
        tuple(narrative.value_of(row) for row in rows),
        low if known else None,
        high if known else None,
        group=group,
    )


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _thin(rows: list[Row]) -> list[Row]:
    return [rows[index] for index in evenly(len(rows), GENERATIONS)]


def _laws(theory: list[Row], metric: str, name: str, group: int, median: bool) -> tuple[list[Series], dict[str, str]]:
    """Theory lines of a grid point on the scale that the chart shows, and how each is to be read.

    Laws that say the same (a general one and its special cases) are one line.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in theory:
        found.setdefault((row["law"], row.get("scale", "mean")), []).append(row)
    comparable = [key for key in found if key[1] in (("log-mean", "median") if median else ("mean", "bound"))]
    lines: list[tuple[str, Series, list[str]]] = []
    for law, scale in comparable or list(found):
        rows = _thin(sorted(found[law, scale], key=lambda row: row["generation"]))
        typical = scale == "log-mean" and not is_logarithm(metric)
        values = tuple(_exp(float(row["value"])) if typical else float(row["value"]) for row in rows)
        label = (f"{name}, " if name else "") + f"theory {law}"
        dash = "2 3" if scale == "bound" else ""
        line = Series(label, tuple(row["generation"] for row in rows), values, None, None, "theory", dash, group)
        same = next((others for old, one, others in lines if old == scale and _agree(one, line)), None)
        if same is None:
            lines.append((scale, line, [law]))
        else:
            same.append(law)
    reading = _READING | ({"mean": "mean over replicates, which few of them come near"} if median else {})
    used = {laws[0] + _more(len(laws) - 1): reading.get(scale, "") for scale, _, laws in lines}
    return [line for _, line, _ in lines], used


def _neutral(store: RunStore, metric: str, point: int, group: int) -> list[Series]:
    """Where a model that keeps frequencies would be, for a planted artifact."""
    rows = _thin([row for row in store.neutral if row["metric"] == metric and row["point"] == point])
    name = store.point_names[point]
    x, y = (tuple(row[key] for row in rows) for key in ("generation", "value"))
    return (
        [Series((f"{name}, " if name else "") + "frequencies kept", x, y, kind="reference", group=group)]
        if rows
        else []
    )


def _agree(one: Series, other: Series) -> bool:
    """Whether two lines are the same to nine digits."""
    same = zip(one.y, other.y, strict=False)
    return one.x == other.x and all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in same)


def _more(count: int) -> str:
    return "" if not count else " (one more law agrees)" if count == 1 else f" ({count} more laws agree)"


_READING = {
    "mean": "mean over replicates",
    "log-mean": "typical run: exponential of the mean logarithm",
    "median": "median over replicates",
    "bound": "bound on the mean, dotted",
}


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _caption(rows: list[Row], laws: dict[str, str], shown: int, names: list[str]) -> str:
    replicates = max((int(row.get("n") or 0) for row in rows), default=0)
    level = next((float(row["level"]) for row in rows if is_number(row.get("level"))), 0.95)
    medians = sorted({row["point"] for row in rows if row.get("of") == "median"})
    over = f" over {counted(replicates, 'replicate')}" if replicates else ""
    words = [f"Line: mean{over}; band: {100 * level:g} % interval of the mean."]
    if medians:
        every = len(medians) == len({row["point"] for row in rows})
        line = f"median{over}" if every else f"mean{over}, but the median for {joined([names[p] for p in medians[:4]])}"
        words = [
            f"Line: {line}, where the mean is too heavy-tailed to be estimated; band: {100 * level:g} % interval of it, where one was computed."
        ]
    if replicates == 1:
        words = ["Line: a single run, so there is no interval."]
    readings = {reading: [law for law, own in laws.items() if own == reading] for reading in laws.values()}
    words += [f"Dashed: theory ({reading}), {joined(named)}." for reading, named in readings.items()]
    if shown < len(names):
        words.append(f"{shown} of {len(names)} settings are drawn; the others are in the tables of the run.")
    generations = len({row["generation"] for row in rows})
    if generations > GENERATIONS:
        words.append(f"{GENERATIONS} of {generations} generations are drawn.")
    return " ".join(words)


def _dose(store: RunStore, metric: str) -> Chart | None:
    """The last value of the leading metric against the swept parameter, when that is one number."""
    keys = {key for point in store.points for key in point}
    if len(keys) != 1 or len(store.points) < 4:
        return None
    name = keys.pop()
    settings = [point.get(name) for point in store.points]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in settings):
        return None
    last: dict[int, Row] = {}
    for row in store.summary:
        if row["metric"] == metric and row["generation"] >= last.get(row["point"], row)["generation"]:
            last[row["point"]] = row
    order = sorted(last, key=lambda point: float(settings[point] or 0))
    line = Series(
        "last generation",
        tuple(float(settings[point] or 0) for point in order),
        tuple(narrative.value_of(last[point]) for point in order),
        tuple(_float(last[point].get("low")) for point in order),
        tuple(_float(last[point].get("high")) for point in order),
    )
    caption = f"The last generation of every setting against {name}; band: interval. Lines between settings only guide the eye."
    title = f"{title_of(metric)}, at the end, by {name}"
    return Chart(title, caption, str(name), metric, (line,), y_zero=True, note="", name=f"{metric} by {name}")


def _families(charts: dict[str, Chart], leading: str | None) -> list[Section]:
    grouped: dict[str, list[Chart]] = {}
    for metric, one in charts.items():
        if metric != leading:
            grouped.setdefault(family_of(metric).title, []).append(one)
    openings = {family.title: family.opening for family in (*FAMILIES, OTHER)}
    return [Section(title, openings[title], charts=tuple(grouped[title])) for title in ORDER if title in grouped]


def _numbers(store: RunStore, by_metric: dict[str, list[Row]]) -> Section:
    """The last generation of everything, in one table."""
    rows = []
    for metric, all_rows in by_metric.items():
        for point, name in enumerate(store.point_names):
            mine = [row for row in all_rows if row["point"] == point]
            if mine:
                row = max(mine, key=lambda row: row["generation"])
                rows.append(_last(store, metric, name, row))
    columns = ("metric", "setting", "generation", "value", "low", "high", "of", "replicates", "theory")
    caption = "Values at the last generation. The numbers of all generations are behind each chart."
    table = Table("Last generation", columns, tuple(rows), collapsed=len(rows) > 24, caption=caption)
    return Section("Numbers", "Every measurement at the last generation, as a table.", tables=(table,))


def _last(store: RunStore, metric: str, name: str, row: Row) -> tuple[Any, ...]:
    laws = [
        f"{law['law']}: {plain_number(float(law['value']), 4)}"
        + ("" if law.get("scale") == "mean" else f" ({law.get('scale')})")
        for law in store.theory
        if all(law[key] == row[key] for key in ("point", "generation", "metric")) and is_number(law.get("value"))
    ]
    ends = (_float(row.get("low")), _float(row.get("high")))
    value = narrative.value_of(row)
    return (metric, name, row["generation"], value, *ends, row.get("of", "mean"), row.get("n"), "; ".join(laws))


def _profile(store: RunStore) -> Section:
    """What moved on which axis, for every setting."""
    points = sorted({row["point"] for row in store.profile})
    cells = {(row["axis"], row["row"], row["point"]): row for row in store.profile}
    keys = list(dict.fromkeys((row["axis"], row["row"]) for row in store.profile))
    rows = []
    axis = ""
    for key in keys:
        shown = [_moved(cells.get((*key, point))) for point in points]
        rows.append((key[0] if key[0] != axis else "", title_of(key[1]), *shown))
        axis = key[0]
    heads = tuple(store.point_names[point] or "first generation to last" for point in points)
    text = (
        "What changed from the first generation to the last, axis by axis; medians over replicates. No single number says "
        "collapse: precision can rise while variety dies, and copies look most faithful of all."
    )
    return Section("Collapse profile", text, tables=(Table("", ("axis", "measure", *heads), tuple(rows)),))


def _moved(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{plain_number(row['first'])} to {plain_number(row['last'])}: {row['verdict']}"


def _definitions(store: RunStore, verdicts: list[Row]) -> Section:
    """Which definition of collapse says what of which setting, and how each was read."""
    names = list(dict.fromkeys(narrative.definition_of(verdict) for verdict in verdicts))
    points = [point for point in range(len(store.point_names)) if any(v.get("point") == point for v in verdicts)]
    answers = {(narrative.definition_of(v), v.get("point")): str(v.get("verdict", "")) for v in verdicts}
    rows = tuple((name, *(answers.get((name, point), "") for point in points)) for name in names)
    heads = tuple(store.point_names[point] or "verdict" for point in points)
    asked = Table("Is it collapse?", ("definition", *heads), rows)
    read = tuple(
        (
            "" if v.get("point") is None else store.point_names[v["point"]],
            narrative.definition_of(v),
            v.get("verdict", ""),
            v.get("sentence", ""),
        )
        for v in verdicts
    )
    how = Table("How each was read", ("setting", "definition", "verdict", "because"), read, collapsed=True)
    text = "Published definitions of collapse contradict one another, so each is asked by itself."
    return Section("Definitions", text, tables=(asked, how))


def _theory(store: RunStore) -> Section:
    used: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in store.theory:
        used.setdefault((row["law"], row.get("scale", ""), row.get("source") or ""), {})[row["metric"]] = None
    tables = []
    if used:
        columns = (
            ("law", "predicts", "scale", "source") if any(key[2] for key in used) else ("law", "predicts", "scale")
        )
        body = [(law, ", ".join(metrics), scale, source) for (law, scale, source), metrics in used.items()]
        tables.append(Table("Laws that apply", columns, tuple(row[: len(columns)] for row in body)))
    if store.refused:
        rows = tuple(
            dict.fromkeys((row.get("law", ""), row.get("row", ""), row.get("reason", "")) for row in store.refused)
        )
        tables.append(Table("Laws that do not apply", ("law", "row", "reason"), rows, collapsed=True))
    text = "Closed forms that predict these curves without any simulation, drawn dashed over what was measured."
    return Section("Theory", text, tables=tuple(tables))


def _reproduce(store: RunStore) -> Section:
    rows = tuple((key, value) for key, value in _flat(store.provenance))
    tables = (Table("Provenance", ("what", "value"), rows, collapsed=len(rows) > 16),) if rows else ()
    blocks = (Block("experiment.toml", store.toml),) if store.toml else ()
    text = "The complete experiment, with every default filled in, and where and with what it ran. The same file gives the same numbers."
    return Section("How to run it again", text, tables=tables, blocks=blocks)


def _flat(value: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple):
        yield prefix, " ".join(map(str, value))
    elif value is not None:
        yield prefix, str(value)
