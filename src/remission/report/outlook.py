"""A page, or a part of one, on what a training corpus does to the next generations, before and after curation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Finding, Report, Section, Series, Table, Tone
from remission.report.page import write

_LOOPS = {"before": "as the corpus was", "after": "after curation", "human": "no synthetic text"}
_MANY = 3  # times the words of the sample in a training set: its rare types are not rare there, and the chart is flat
_CHARTS = {
    ("types.once", "law"): ("Rare types alive: by the laws", "Chance that a word type that comes once in a training set, in the mean, is alive.", "chance", "falls"),
    ("types.rare-recall", "law"): ("Rarer half of the types alive: by the laws", "Of the word types of the sample. A lower bound, as good as exact.", "share alive", "falls"),
    ("types.tail", "law"): ("Probability of the rarer half of the types: by the law", "Of what it was, in training sets without limit.", "share left", "falls"),
    ("entropy", "law"): ("Entropy of the words: by the law", "In training sets without limit.", "nats", "falls"),
    ("types.alive", "simulated"): ("Types alive: simulated", "Word types in as much text as a training set, written by the bigram model.", "types", "falls"),
    ("distinct.2", "simulated"): ("Distinct pairs of words: simulated", "Different pairs, of all pairs of words that follow each other.", "share", "falls"),
    ("perplexity", "simulated"): ("Perplexity of held-out text: simulated", "How surprised the model is by human text that nobody trained on.", "perplexity", "rises"),
}  # fmt: skip


def write_page(path: Path | str, found: Mapping[str, Any]) -> Path:
    """Write the page of an outlook's ``document()``. Raises StoreError."""
    return write(build(found), path)


def build(found: Mapping[str, Any]) -> Report:
    """The page as plain data."""
    return Report("What the corpus does to the next models", found["sentences"][0], (section(found, lead=False),))


def section(found: Mapping[str, Any], title: str = "The next generations", lead: bool = True) -> Section:
    """A section for the page of a curation.

    Args:
        found: an outlook's ``document()``.
        title: its heading.
        lead: whether it begins with the sentence on the shares.
    """
    lines = found["sentences"] if lead else found["sentences"][1:]
    size, sample = found["simulation"], found["sample"]
    facts = [
        ("generations", f"{found['generations']}"),
        ("words per training set, laws", f"{found['tokens']:,}" if found["temperature"] == 1 else "without limit"),
        ("sample of the corpus", f"{sample['used']:,} texts, {sample['tokens']:,} words, {sample['types']:,} types"),
    ]  # fmt: skip
    if found["temperature"] != 1:
        facts.append(("temperature of the sampling", f"{found['temperature']:g}"))
    if size is not None:
        facts.append(
            ("simulation", f"n-gram of order {size['order']}, {size['tokens']:,} words per training set, {size['replicates']} runs of each loop")
        )  # fmt: skip
    return Section(
        title, found["assumed"], facts=tuple(facts), warnings=tuple(found["notes"]),
        findings=tuple(Finding("", line, _tone(line)) for line in lines), charts=_charts(found), tables=(_table(found),),
    )  # fmt: skip


def _tone(line: str) -> Tone:
    return "bad" if "total collapse" in line else "neutral"


def _charts(found: Mapping[str, Any]) -> tuple[Chart, ...]:
    curves = {(one["row"], one["method"], one["loop"]): one for one in found["curves"]}
    charts = []
    for (row, method), (title, caption, label, way) in _CHARTS.items():
        lines = [
            _series(name, curves[row, method, loop], group)
            for group, (loop, name) in enumerate(_LOOPS.items())
            if (row, method, loop) in curves
        ]
        known = row != "types.rare-recall" or found["tokens"] <= _MANY * found["sample"]["tokens"]
        if not lines or not known:
            continue
        band = (
            "Bands: the interval of the synthetic share." if method == "law" else "Bands: 95 % intervals of the mean."
        )
        note = f"It {way} in collapse."
        charts.append(
            Chart(title, f"{caption} {band}", "generation", label, tuple(lines), note=note, name=f"{row}-{method}")
        )
    return tuple(charts)


def _series(name: str, curve: Mapping[str, Any], group: int) -> Series:
    y, low, high = (
        tuple(math.nan if value is None else value for value in curve[key]) for key in ("values", "low", "high")
    )
    return Series(name, tuple(float(t + 1) for t in range(len(y))), y, low, high, group=group)


def _table(found: Mapping[str, Any]) -> Table:
    rows = tuple(
        (one["row"], one["method"], one["before"], one["after"], one["human"], one["change"]["value"], one["change"]["low"], one["change"]["high"])
        for one in found["effects"]
    )  # fmt: skip
    columns = ("row", "method", *_LOOPS.values(), "change by curation", "low", "high")
    return Table(f"After {found['generations']} generations", columns, rows)
