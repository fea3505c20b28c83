"""(d) How much fresh human data is needed at least, under bias?

The corpus is synthetic through and through; what is bought is all the human data there is. Exact for the Gaussian, simulated elsewhere.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np

from remission.clinic._plan_file import Price, Question, Ranged
from remission.clinic.plan import answer
from remission.lab.line import Line
from remission.lab.search.trials import Trials
from remission.report.content import Chart, Series
from studies._page import figure, interval, table, world, write

ALL = Ranged(1.0, 1.0, 1.0)


def need(experiment: Any, line: Line, confidence: Any, at: Any, budget: int | None) -> tuple[float, float, float, str]:
    """Fresh share of a training set: value, interval, method."""
    question = Question(experiment, (line,), confidence, at, ALL, (), Price())
    found = answer(question, budget=budget)
    fresh = next(option.fresh for option in found.options if option.name == "fresh only")
    n = question.items
    assert found.found is not None
    return fresh.value / n, fresh.low / n, fresh.high / n, found.found.method


def gaussian() -> tuple[str, Series, Series]:
    """Exact: the smallest share that keeps half of the variance after 200 generations, and after 20, by bias."""
    biases = (1.0, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6)
    line, found = Line("moments.variance", True, 0.5), {}
    for generations in (20, 200):
        for n in (100, 1000):
            for bias in biases:
                changes = (f"sampling.bias={bias}", f"generations={generations}", f"samples={n}")
                found[generations, n, bias] = need(world("gaussian", changes), line, "mean", "last", None)[0]
    rows = [
        (bias, *(f"{100 * found[(*key, bias)]:.3g} %" for key in ((20, 100), (20, 1000), (200, 100), (200, 1000))),
         f"{100 * (1 - 0.5 / (1 - 0.5 * bias)):.3g} %" if bias < 1 else "0 %")
        for bias in biases
    ]  # fmt: skip
    columns = ("bias", "20 generations, n = 100", "20, n = 1000", "200, n = 100", "200, n = 1000", "for ever, n large")
    curves = [
        Series(
            f"Gaussian, {generations} generations (exact)",
            biases,
            tuple(found[generations, 1000, bias] for bias in biases),
            group=k,
        )
        for k, generations in enumerate((20, 200))
    ]
    return table(columns, rows), *curves


def simulated(quick: bool) -> tuple[str, Series]:
    """Types and prose by temperature, digits by bias: the share with which 95 % of runs keep the line."""
    cases = [("types", "sampling.temperature", tau, "entropy") for tau in (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)]
    cases += [("prose", "sampling.temperature", tau, "types.alive") for tau in (1.0, 0.95, 0.9, 0.8)]
    cases += [("digits", "sampling.bias", bias, "moments.ratio") for bias in (1.0, 0.95, 0.9, 0.8)]
    rows, points = [], []
    for name, key, value, row in cases:
        experiment = world(name, (f"{key}={value}", *(["generations=100", "samples=5000"] if name == "types" else [])))
        human = float(np.median(Trials(experiment, [row]).values({"regime.synthetic": 0.0}, 12)))
        line = Line(row, True, float(f"{(0.85 if row == 'entropy' else 0.5) * human:.3g}"))
        budget = 1500 if quick else 3000
        share = need(dataclasses.replace(experiment, replicates=24), line, 0.95, "worst", budget)
        exact = f"{100 * (1 - value):.3g} %" if name == "types" else "-"
        rows.append(
            (
                name,
                f"{key.partition('.')[2]} {value:g}",
                str(line),
                interval(*(100 * end for end in share[:3])) + " %",
                exact,
            )
        )
        print(rows[-1], flush=True)
        if name == "types":
            points.append((value, *share[:3]))
    x, y, low, high = (tuple(column) for column in zip(*sorted(points), strict=True))
    columns = ("world", "sampling", "line", "fresh share needed (95 % of runs, 95 % interval)", "1 - temperature")
    return table(columns, rows), Series("100 types, 100 generations (simulated)", x, y, low, high, group=2)


def main() -> None:
    """Measure, draw, write ``minimum-fresh.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller budget; wider intervals")
    exact, *curves = gaussian()
    more, third = simulated(parser.parse_args().quick)
    limit = tuple(np.linspace(0.5, 1.0, 26))
    theory = Series("1 - temperature (exact threshold)", limit, tuple(1 - x for x in limit), kind="theory", group=2)
    chart = Chart(
        "Fresh share needed", "To keep half of the variance (Gaussian, by bias) or 85 % of the entropy (types, by temperature).",
        "bias or temperature of sampling", "fresh share", (*curves, third, theory), y_zero=True,
    )  # fmt: skip
    write(
        "minimum-fresh",
        "# (d) How much fresh human data is needed at least, under bias?",
        "**Answer.** Without bias there is no positive minimum: any constant number of fresh items per generation stops the loss, and what is "
        "lost depends on the number, not on the share. With a bias b < 1 the need is a share, whatever the size of the training set: "
        "to keep half of the variance for ever 1 - 0.5 / (1 - 0.5 b), which is 9 % at b = 0.9 and 17 % at b = 0.8. Where sampling sharpens "
        "(temperature t < 1) it is a threshold, at 1 - t for many items and higher for few: below it fresh data does next to nothing. Of real prose a "
        "bigram model needs 2.5 % at temperature 1, 24 % at 0.9 and 53 % at 0.8 to keep half of its word types for 15 generations.",
        "## Gaussian, exact\n\nThe smallest fresh share that keeps half of the expected variance, by closed form (`moment-recursion`). The last "
        "column is the limit of many items and generations.",
        exact,
        "## Simulated\n\nThe fresh share with which 95 % of runs keep half (of the entropy of types: 85 %) of what human data alone has, in every generation.",
        more,
        figure("minimum-fresh", chart),
        "**How.** `remission plan` for a corpus that is synthetic through and through, no filter; worlds in `studies/worlds/`; run `python -m "
        "studies.minimum_fresh`.",
        "**Limits.** The synthetic rest is output of the last model, the worst case. Half is a convention; the planner takes any line. With finite "
        "samples noise tips a world that sharpens before its exact threshold: 5,000 items of 100 types need about half as much again as 1 - t, a million "
        "items what theory says ([study (a)](tipping-share.md)). Real models have biases that are not one number.",
    )


if __name__ == "__main__":
    main()
