"""Pages of a tipping point and of a phase diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Finding, Report, Section, Series, Table
from remission.report.page import write

_VERDICTS = {
    "threshold": "a threshold",
    "no-threshold": "no threshold: a smooth slope",
    "undecided": "undecided whether threshold or slope",
}


def write_page(path: Path | str, found: Mapping[str, Any], title: str) -> Path:
    """Write the page of ``tipping --json``. Raises StoreError."""
    return write(build(found, title), path)


def write_phases(path: Path | str, found: Mapping[str, Any], title: str) -> Path:
    """Write the page of a phase diagram. Raises StoreError."""
    return write(build_phases(found, title), path)


def build(found: Mapping[str, Any], title: str) -> Report:
    """The page as plain data."""
    key, crossing = found["over"], found["crossing"]
    level = f"{100 * found['level']:g} %"
    lead = (
        f"{found['keep']} is crossed at {key} = {crossing['value']:.4g} ({level} interval {crossing['low']:.4g} to "
        f"{crossing['high']:.4g}): {_VERDICTS[found['verdict']]}. {found['replicates']} replicates were run."
    )
    sections = [
        Section(
            "The curve",
            "What is read of the runs at each value of the parameter; the steps are where more was asked for.",
            findings=tuple(_findings(found)),
            charts=(_typical(found), _kept(found)),
        )
    ]
    if found["theory"]:
        sections.append(Section("Theory", "What is known exactly on this axis.", tables=(_theory(found),)))
    if "long_run" in found:
        sections.append(_long_run(found))
    return Report(f"Tipping point: {title}", lead, tuple(sections))


def _findings(found: Mapping[str, Any]) -> list[Finding]:
    sudden = found["sudden"]
    told = [
        Finding(
            "How sudden",
            f"{100 * sudden['share']:.0f} % ({100 * sudden['low']:.0f} to {100 * sudden['high']:.0f} %) of what changes between "
            f"{sudden['wide'][0]:.4g} and {sudden['wide'][1]:.4g} changes between {sudden['window'][0]:.4g} and "
            f"{sudden['window'][1]:.4g}; a threshold from {100 * sudden['limit']:.0f} %.",
        )
    ]
    other = found.get("hysteresis")
    if other and other["collapsed"]:
        gap = other["gap"]
        told.append(
            Finding(
                "Hysteresis",
                f"From a collapsed start it is crossed at {other['collapsed']['value']:.4g} ({other['collapsed']['low']:.4g} to "
                f"{other['collapsed']['high']:.4g}): what prevents collapse "
                + ("does not cure it." if gap[1] * gap[2] > 0 else "cures it as well, as far as can be seen."),
                "bad" if gap[1] * gap[2] > 0 else "neutral",
            )
        )
    elif other:
        told.append(Finding("Hysteresis", other["told"], "bad"))
    return told


def _curves(found: Mapping[str, Any]) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    curves = [("from a healthy start", found["curve"])]
    if "hysteresis" in found and found["hysteresis"]["curve"]:
        curves.append(("from a collapsed start", found["hysteresis"]["curve"]))
    return curves


def _typical(found: Mapping[str, Any]) -> Chart:
    row, _, value = found["keep"].replace("<=", ">=").partition(" >= ")
    lines = [
        _series(name, points, "typical", "low", "high", group) for group, (name, points) in enumerate(_curves(found))
    ]
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for y in line.y] + [float(value)]
    lines.append(Series("the line to keep", (min(xs), max(xs)), (float(value),) * 2, kind="reference"))
    for group, one in enumerate(_known(found)):
        lines.append(
            Series(
                f"theory: {one['law']}",
                (one["value"],) * 2,
                (min(ys), max(ys)),
                kind="theory",
                group=group + len(lines),
            )
        )
    of = "Mean" if found["of"] == "mean" else "Median"
    return Chart(row, f"{of} over replicates with its interval.", found["over"], row, tuple(lines), name="typical")


def _known(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    xs = [point["value"] for point in found["curve"]]
    known = [one for one in found["theory"] if min(xs) <= one["value"] <= max(xs)]
    return list({round(one["value"], 9): one for one in known}.values())


def _kept(found: Mapping[str, Any]) -> Chart:
    lines = [
        _series(name, points, "kept", "kept_low", "kept_high", group)
        for group, (name, points) in enumerate(_curves(found))
    ]
    return Chart(
        f"Replicates that keep {found['keep']}", "Share with its exact interval.", found["over"], "share", tuple(lines),
        y_zero=True, name="kept",
    )  # fmt: skip


def _series(name: str, points: Sequence[Mapping[str, Any]], y: str, low: str, high: str, group: int) -> Series:
    def column(key: str) -> tuple[float, ...]:
        return tuple(float(point[key]) for point in points)

    return Series(name, column("value"), column(y), column(low), column(high), group=group)


def _theory(found: Mapping[str, Any]) -> Table:
    rows = tuple(
        (one["law"], one["kind"], one["value"], one["start"], one["statement"], one["source"])
        for one in found["theory"]
    )
    return Table("", ("law", "kind", found["over"], "start", "statement", "source"), rows)


def _long_run(found: Mapping[str, Any]) -> Section:
    run = found["long_run"]
    rows = tuple(
        (t, one["value"], one["low"], one["high"]) for t, one in zip(run["horizons"], run["crossings"], strict=True)
    )
    told = (
        f"It still moves as more generations are looked at, towards {run['value']:.4g} ({run['low']:.4g} to {run['high']:.4g})."
        if run["moves"]
        else "It does not move any more when more generations are looked at."
    )
    return Section("The long run", told, tables=(Table("", ("generation", found["over"], "low", "high"), rows),))


def build_phases(found: Mapping[str, Any], title: str) -> Report:
    """The page of a phase diagram."""
    x, y = found["over"], found["and"]
    kept = [(p["x"], p["y"]) for p in found["points"] if p["phase"] == "kept"]
    lost = [(p["x"], p["y"]) for p in found["points"] if p["phase"] == "lost"]
    open_ = [(p["x"], p["y"]) for p in found["points"] if p["phase"] == "undecided"]
    lines = []
    edge = found["boundary"]
    if edge:
        lines.append(
            Series("measured boundary", tuple(p[x_] for p in edge for x_ in ("x",)), tuple(p["y"] for p in edge),
                   tuple(p["low"] for p in edge), tuple(p["high"] for p in edge))
        )  # fmt: skip
    for group, (name, points) in enumerate(_by_law(found["theory"]).items()):
        lines.append(
            Series(name, tuple(p["x"] for p in points), tuple(p["y"] for p in points), kind="theory", group=group + 1)
        )
    chart = Chart(
        f"Where {found['keep']} is kept",
        f"Boundary between the two phases; {found['side']}.",
        x,
        y,
        tuple(lines),
        name="boundary",
    )
    table = Table(
        "Points", (x, y, "phase", "share that keeps", "replicates"),
        tuple((p["x"], p["y"], p["phase"], p["kept"], p["n"]) for p in found["points"]), collapsed=True,
    )  # fmt: skip
    lead = (
        f"{len(found['points'])} points, {found['replicates']} replicates: the line is kept at {len(kept)}, lost at {len(lost)} and "
        f"undecided at {len(open_)}. The grid is refined where neighbours differ."
    )
    return Report(f"Phase diagram: {title}", lead, (Section("Phases", "", charts=(chart,), tables=(table,)),))


def _by_law(theory: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in theory:
        found.setdefault(f"theory: {one['law']} ({one['kind']})", []).append(one)
    return found
