"""How often forecasts of a crossing hold: hundreds of them on eight worlds, each from the first third to half of a line.

Every forecast sees one line (a replicate) up to an origin and nothing else, as from the table of a real model line. The
value to be crossed is where the median over all replicates stands after 50, 70 or 90 % of the run, so it is the same
for all lines and knows nothing of the one that is forecast. The horizon is the end of the run: a crossing after it must
not be excluded. ``summary`` forecasts the median over 40 replicates (a group of fresh ones each time) instead. The peer
is an ordinary least-squares line (on the logarithm when all values are positive) with its prediction interval; the
crossing is where the line and the ends of the interval cross. Coverage is reported of the answers, and of all forecasts
with those that were refused taking part with their simulated times.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission import Experiment, run
from remission.data import Floats
from remission.lab.forecast import Lines, Question, forecast_lines
from remission.lab.trends.backtest import interval

SHARES = (0.5, 0.7, 0.9)
LEVEL = 0.95


@dataclass(frozen=True)
class Known:
    """A world: the row and where it goes, the experiment as tables, and how many lines of it are forecast."""

    row: str
    below: bool
    generations: int
    samples: int
    source: str
    model: dict[str, Any]
    regime: dict[str, Any]
    lines: int = 600

    def experiment(self, replicates: int, seed: int) -> Experiment:
        """With the one metric."""
        tables = {
            "experiment": {
                "generations": self.generations, "replicates": replicates, "samples": self.samples, "seed": seed,
            },
            "source": {"kind": self.source}, "model": self.model, "regime": self.regime,
            "metric": [{"kind": self.row.partition(".")[0]}],
        }  # fmt: skip
        return Experiment.from_tables(tables)


REPLACE = {"kind": "replace"}
NORMAL = {"kind": "gaussian"}
FRESH = {"kind": "fresh", "share": 0.03}
KERNEL = {"kind": "kde", "bandwidth": 0.4}
MIXTURE = {"kind": "gmm", "components": 2}
WORLDS = {
    "Gaussian, replace": Known("moments.variance", True, 70, 40, "gaussian", NORMAL, REPLACE),
    "Gaussian, 3 % fresh": Known("moments.variance", True, 60, 40, "gaussian", NORMAL, FRESH, lines=1800),
    "Zipf, replace": Known("types.alive", True, 45, 400, "zipf", {"kind": "unigram"}, REPLACE),
    "KDE, replace": Known("moments.variance", False, 50, 100, "gaussian", KERNEL, REPLACE),
    "GMM on moons, replace": Known("moments.variance", True, 40, 120, "moons", MIXTURE, REPLACE),
    "n-gram on prose, replace": Known("types.alive", True, 32, 30, "prose", {"kind": "ngram"}, REPLACE),
    "regression, replace": Known("test-risk.excess", False, 40, 40, "linear-world", {"kind": "linear"}, REPLACE),
}


def trajectories(name: str, replicates: int, seed: int) -> Floats:
    """(replicates, generations) of a world."""
    if name == "drifting AR(1) table":
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((replicates, 60))
        out = np.zeros((replicates, 60))
        for t in range(1, 60):
            out[:, t] = 0.7 * out[:, t - 1] + noise[:, t]
        return 30 - 0.3 * np.arange(60) + out
    world = WORLDS[name]
    experiment = world.experiment(replicates, seed)
    return np.stack([generation.rows[world.row] for generation in run(experiment)], axis=1)


def naive(values: Floats, line: float, below: bool, steps: int) -> tuple[float, float, float]:
    """Least squares and its prediction interval: middle, low and high steps to the crossing."""
    from scipy.special import stdtrit

    logs = bool((values > 0).all()) and line > 0
    y, target = (np.log(values), math.log(line)) if logs else (values, line)
    n = len(y)
    t = np.arange(n, dtype=float)
    ahead = n - 1 + np.arange(1, steps + 1)
    slope = ((t - t.mean()) * (y - y.mean())).sum() / ((t - t.mean()) ** 2).sum()
    middle = y.mean() + slope * (ahead - t.mean())
    rest = y - y.mean() - slope * (t - t.mean())
    sigma = math.sqrt(float((rest**2).sum()) / (n - 2))
    half = (
        stdtrit(n - 2, 0.5 + LEVEL / 2)
        * sigma
        * np.sqrt(1 + 1 / n + (ahead - t.mean()) ** 2 / ((t - t.mean()) ** 2).sum())
    )
    sign = 1 if below else -1
    found = []
    for curve in (middle - sign * half, middle, middle + sign * half):
        beyond = curve <= target if below else curve >= target
        found.append(float(beyond.argmax() + 1) if beyond.any() else math.inf)
    return found[1], found[0], found[2]


def forecasts(name: str, curves: Floats, groups: list[Floats | None], below: bool) -> list[dict[str, Any]]:
    """One row for every forecast of a world."""
    middle, rows = np.median(curves, axis=0), []
    total = curves.shape[1]
    for number, (curve, group) in enumerate(zip(curves, groups, strict=True)):
        origin = int(total * (1 / 3 + (1 / 6) * (number % 5) / 4))
        share = SHARES[number % len(SHARES)]
        line = float(middle[int(total * share)])
        beyond = curve <= line if below else curve >= line
        if beyond[:origin].any():
            continue
        truth = float(beyond.argmax() + 1) if beyond.any() else math.inf
        seen = curve[None, :origin] if group is None else group[:, :origin]
        lines = Lines(name, np.arange(1, origin + 1), seen, None, tuple(map(str, range(len(seen)))))
        question = Question(line, below, total, LEVEL)
        began = time.process_time()
        found = forecast_lines(lines, question, "median")[0]
        took = time.process_time() - began
        guess, low, high = interval(found.times, LEVEL) if found.times.size else (math.nan, -math.inf, math.inf)
        peer = [origin + step for step in naive(curve[:origin], line, below, total - origin)]
        rows.append(
            {"verdict": found.verdict, "truth": truth, "guess": guess, "low": low, "high": high, "peer": peer,
             "end": total, "left": total - origin, "own": found.backtest_coverage, "seconds": took}
        )  # fmt: skip
    return rows


def exact(curves: Floats) -> str:
    """What nobody can beat: the law of the Gaussian loop with its parameters known, on the very same questions."""
    world, rng = WORLDS["Gaussian, replace"], np.random.default_rng(0)
    middle, total, n = np.median(curves, axis=0), curves.shape[1], world.samples
    found = []
    for number, curve in enumerate(curves):
        origin = int(total * (1 / 3 + (1 / 6) * (number % 5) / 4))
        line = float(middle[int(total * SHARES[number % len(SHARES)])])
        beyond = curve <= line
        if beyond[:origin].any():
            continue
        truth = float(beyond.argmax() + 1) if beyond.any() else math.inf
        steps = np.log(rng.chisquare(n - 1, (2000, total - origin)) / n)
        over = np.log(curve[origin - 1]) + np.cumsum(steps, axis=1) <= math.log(line)
        guess, low, high = interval(np.where(over.any(axis=1), origin + over.argmax(axis=1) + 1.0, math.inf), LEVEL)
        width = (min(high, total) - min(low, total)) / (total - origin)
        error = abs(min(guess, total) - min(truth, total))
        found.append((low <= truth <= high, width, math.isfinite(high), error))
    told = np.array(found, dtype=float)
    return (
        f"    the exact law, parameters known: holds {told[:, 0].mean():.1%}, width {np.median(told[:, 1]):.2f}, "
        f"closed {told[:, 2].mean():.1%}, error {told[:, 3].mean():.1f}"
    )


def holds(row: dict[str, Any], low: float, high: float) -> bool:
    return low <= row["truth"] <= high


def table(name: str, rows: list[dict[str, Any]]) -> str:
    """One line of the printed table."""
    told = [row for row in rows if row["verdict"] != "refused"]
    if not told:
        return f"{name:26s} {len(rows):4d}  all refused"
    held = np.mean([holds(row, row["low"], row["high"]) for row in told])
    every = np.mean([holds(row, row["low"], row["high"]) for row in rows])
    early, late = (
        np.mean([row["truth"] < row["low"] for row in told]),
        np.mean([row["truth"] > row["high"] for row in told]),
    )
    peer = np.mean([holds(row, row["peer"][1], row["peer"][2]) for row in told])

    def cut(row: dict[str, Any], time: float) -> float:
        return min(time, row["end"])

    width = np.median([(cut(row, row["high"]) - cut(row, row["low"])) / row["left"] for row in told])
    thin = np.median([(cut(row, row["peer"][2]) - cut(row, row["peer"][1])) / row["left"] for row in told])
    gap = np.array([cut(row, row["guess"]) - cut(row, row["truth"]) for row in told])
    off = np.array([cut(row, row["peer"][0]) - cut(row, row["truth"]) for row in told])
    closed = np.mean([math.isfinite(row["high"]) for row in told])
    own = np.nanmean([row["own"] for row in told])
    return (
        f"{name:26s} {len(rows):4d} {1 - len(told) / len(rows):7.1%} {held:7.1%} {every:7.1%} {early:6.1%} {late:6.1%} {own:7.1%} "
        f"{width:6.2f} {closed:6.1%} {np.median(gap):+6.1f} {np.abs(gap).mean():6.1f} | {peer:7.1%} {thin:6.2f} "
        f"{np.median(off):+6.1f} {np.abs(off).mean():6.1f} | {1000 * np.mean([row['seconds'] for row in told]):5.0f} ms"
    )


def main() -> None:
    """Print one line for every world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="40 lines of each world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", nargs="*", default=[*WORLDS, "drifting AR(1) table"])
    parser.add_argument("--of", choices=["lines", "summary", "both"], default="both")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(
        f"{'world':26s}    n refused   holds     all  early   late     own  width closed   bias  error |"
        "    peer  width   bias  error |   time"
    )
    for kind in ("lines", "summary"):
        if options.of not in (kind, "both"):
            continue
        print("one line" if kind == "lines" else "median over 40 replicates")
        for name in options.worlds:
            below = WORLDS[name].below if name in WORLDS else True
            if kind == "lines":
                count = WORLDS[name].lines if name in WORLDS else 600
                curves = trajectories(name, 40 if options.quick else count, options.seed)
                groups: list[Floats | None] = [None] * len(curves)
            else:
                count = 6 if options.quick else 60
                made = trajectories(name, 40 * count, options.seed + 1).reshape(count, 40, -1)
                curves, groups = np.median(made, axis=1), list(made)
            print(table(name, forecasts(name, curves, groups, below)), flush=True)
            if kind == "lines" and name == "Gaussian, replace":
                print(exact(curves), flush=True)


if __name__ == "__main__":
    main()
