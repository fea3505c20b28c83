"""The page of a plan: what to buy, the cost curve, and what it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Finding, Report, Section, Series, Table, Tone
from remission.report.page import write


def write_page(path: Path | str, found: Mapping[str, Any]) -> Path:
    """Write the page of ``plan --json``. Raises StoreError."""
    return write(build(found), path)


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The answer in words, the recommendation first.

    >>> sentences({"verdict": "impossible", "told": "Not even 10 human items keep it."})
    ['Not even 10 human items keep it.']
    """
    if found["verdict"] == "impossible":
        return [found["told"]]
    best, n, lines = found["recommended"], found["items"], " and ".join(found["keep"])
    sure = "in expectation" if found["confidence"] == "mean" else f"in {100 * found['confidence']:g} % of runs"
    when = (
        f"in every one of {found['generations']} generations"
        if found["at"] == "worst"
        else f"in generation {found['generations']}"
    )
    told = [f"{_way(best, n)}: that keeps {lines} {when} {sure}, for {best['cost']:.4g} per generation."]
    if found["method"] == "exact":
        told.append(f"Exact, by {', '.join(found['laws'])}.")
    else:
        human, checked = found["human_share"], found["checked"]
        told.append(
            f"Simulated with {found['replicates']} loops: {100 * human['value']:.3g} % [{100 * human['low']:.3g}, "
            f"{100 * human['high']:.3g}] of every training set must be human. {_tried(found['confidence'], checked)}"
        )
    if found["verdict"] == "over-budget":
        can = found["affordable"]
        told.insert(
            0, f"No way fits the budget of {found['price']['budget']:g}; the cheapest costs {best['cost']:.4g}."
        )
        if can:
            told.append(
                f"The budget pays for {can['fresh']} fresh items ({can['option']}), which makes {100 * can['human_share']:.1f} % of the "
                f"training set human. Raise the budget, or loosen a line or the confidence."
            )
    return told


def _tried(confidence: Any, checked: Mapping[str, Any]) -> str:
    """What the recommendation did when it was tried as it is."""
    if confidence == "mean":
        return f"Tried as it is, the mean over {checked['n']} new runs was {checked['value']:.4g} [{checked['low']:.4g}, {checked['high']:.4g}]."
    return (
        f"Tried as it is, {100 * checked['value']:.1f} % of {checked['n']} new runs kept it "
        f"[{100 * checked['low']:.1f}, {100 * checked['high']:.1f}]."
    )


def _way(best: Mapping[str, Any], n: int) -> str:
    """What to do, as an order."""
    buy = (
        f"Buy {best['buy']} fresh human items per generation ({100 * best['buy'] / n:.3g} % of {n})"
        if best["buy"]
        else ""
    )
    if best["buy"] == n:
        return buy
    part = "" if best["filtered"] == 1 else f"{100 * best['filtered']:.0f} % of "
    rest = f"put '{best['name']}' in front of {part}the corpus" if best["filtered"] else "take the corpus as it is"
    if not buy:
        return f"Buy nothing and {rest}"
    return f"{buy}; for the rest {rest}"


def build(found: Mapping[str, Any]) -> Report:
    """The page as plain data."""
    lead, *rest = sentences(found)
    title = f"Plan: {found['title']}" if found.get("title") else "Plan"
    if found["verdict"] == "impossible":
        return Report(title, lead, ())
    options = Table(
        "Ways to do it", ("way", "of the corpus filtered", "buy", "needed", "low", "high", "synthetic in the rest", "detector calls", "cost per generation"),
        tuple(
            (one["name"], one["filtered"], one["buy"], one["fresh"]["value"], one["fresh"]["low"], one["fresh"]["high"], one["synthetic"], one["calls"], one["cost"])
            for one in found["options"]
        ),
    )  # fmt: skip
    tone: Tone = "bad" if found["verdict"] == "over-budget" else "neutral"
    sections = [
        Section(
            "What to do", "", findings=tuple(Finding("Answer", line, tone) for line in rest), tables=(options,),
            charts=_cost(found) + _kept(found), warnings=tuple(found["notes"]),
        )
    ]  # fmt: skip
    if found["sensitivity"]:
        rows = tuple((one["name"], one["fresh"], one["cost"]) for one in found["sensitivity"])
        sections.append(
            Section("What it depends on", "The recommended way, with one number changed.",
                    tables=(Table("", ("if instead", "fresh items", "cost per generation"), rows),))
        )  # fmt: skip
    return Report(title, lead, tuple(sections))


def _cost(found: Mapping[str, Any]) -> tuple[Chart, ...]:
    """Fresh data against filtering."""
    names = list(dict.fromkeys(one["name"] for one in found["cost_curve"] if one["name"] != "all fresh"))
    if not names:
        return ()
    cost, fresh = [], []
    for group, name in enumerate(names):
        points = [one for one in found["cost_curve"] if one["name"] == name]
        x = tuple(float(one["filtered"]) for one in points)
        cost.append(Series(name, x, tuple(float(one["cost"]) for one in points), group=group))
        y, low, high = (tuple(float(one["fresh"][end]) for one in points) for end in ("value", "low", "high"))
        fresh.append(Series(name, x, y, low, high, group=group))
    label = "share of the corpus items that is filtered"
    return (
        Chart("Cost per generation", "From fresh data alone (left) to filtering everything (right).", label, "cost", tuple(cost),
              y_zero=True, name="cost"),
        Chart("Fresh human items needed", "With the interval of the need.", label, "items", tuple(fresh), y_zero=True, name="fresh"),
    )  # fmt: skip


def _kept(found: Mapping[str, Any]) -> tuple[Chart, ...]:
    """What share of runs kept the lines."""
    points = found["kept_curve"]
    if not points:
        return ()
    x, y, low, high = (tuple(float(one[key]) for one in points) for key in ("human", "value", "low", "high"))
    lines = [Series("runs that keep the lines", x, y, low, high)]
    if found["confidence"] != "mean":
        lines.append(Series("wanted", (min(x), max(x)), (float(found["confidence"]),) * 2, kind="reference"))
    told = "By the human share of the training set; exact intervals."
    return (
        Chart("Runs that keep the lines", told, "human share", "share of runs", tuple(lines), y_zero=True, name="kept"),
    )
