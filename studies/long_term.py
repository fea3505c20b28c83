"""(b) Does it end in a stable degraded state, in nothing, or in nonsense?

Five worlds under three regimes, with plain and with sharpened sampling, each followed until it has settled or for long enough.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections import Counter
from typing import Any

from remission import Experiment
from remission.lab.dynamics import Dynamics, to_the_end
from studies._page import interval, table, world, write

REGIMES: dict[str, dict[str, Any]] = {
    "replace": {"kind": "replace"},
    "accumulate": {"kind": "accumulate"},
    "10 % fresh": {"kind": "fresh", "share": 0.1},
}
#        label, world, row, generations at first and at most, replicates, sharpened sampling
WORLDS = (
    ("Gaussian, n = 100", "gaussian", "moments.ratio", (64, 512), 100, ("bias", 0.9)),
    ("kernel density, n = 100, h = 0.3", "kernel", "moments[of=training].total", (64, 512), 40, None),
    ("digits, mixture of 10, n = 150", "digits", "moments.ratio", (32, 256), 12, ("bias", 0.9)),
    ("100 types, n = 1,000", "types", "entropy", (64, 1024), 40, ("temperature", 0.9)),
    ("prose, bigrams, n = 200 blocks", "prose", "types.alive", (16, 128), 12, ("temperature", 0.9)),
)


def cases() -> list[tuple[str, str, Experiment, str, int]]:
    """(world, setting, experiment, row, most generations)."""
    found = []
    for label, name, row, (first, most), replicates, sharp in WORLDS:
        for sampling in (None, sharp) if sharp else (None,):
            for regime, table_ in REGIMES.items():
                tables = world(name).tables()
                tables["regime"] = table_
                tables["experiment"] |= {"generations": first, "replicates": replicates}
                tables["experiment"]["samples"] = {"types": 1000, "digits": 150}.get(
                    name, tables["experiment"]["samples"]
                )
                if sampling:
                    tables["sampling"][sampling[0]] = sampling[1]
                setting = regime + (f", {sampling[0]} {sampling[1]:g}" if sampling else "")
                heavy = regime == "accumulate" and name in ("prose", "digits", "kernel")
                found.append((label, setting, Experiment.from_tables(tables), row, most // 2 if heavy else most))
    return found


def line(found: Dynamics) -> tuple[str, str, str, str, int]:
    """Verdict, where it ends, how fast, what the law says, generations."""
    fate = found.fates[0][1]
    settled = fate.verdict in ("healthy", "stable-degraded", "undecided") and math.isfinite(fate.limit.value)
    where = interval(fate.limit.value, fate.limit.low, fate.limit.high) if settled else "-"
    fast = f"half-life {fate.half_life.value:.3g}" if settled and fate.half_life.value < 1000 else "-"
    if fate.verdict == "total-loss" and fate.absorption is not None and math.isfinite(fate.absorption.time.value):
        time = fate.absorption.time
        where, fast = f"{fate.absorption.boundary:.3g}", f"lost after {interval(time.value, time.low, time.high)} fits"
    known = next((one for _, one in found.laws if one.row == fate.row and math.isfinite(one.limit)), None)
    agrees = [one.agrees for _, row, one in found.besides if row == fate.row and one.quantity == "limit"]
    law = (
        "-"
        if known is None
        else f"{known.limit if abs(known.limit) > 0.005 else 0.0:.3g} ({known.law})"
        + (" disagrees" if agrees and not all(agrees) else "")
    )
    return fate.verdict + (f", {fate.growth}" if fate.growth else ""), where, fast, law, fate.generations


def main() -> None:
    """Measure, write ``long-term.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the generations")
    quick = parser.parse_args().quick
    rows, ends = [], Counter[str]()
    for label, setting, experiment, row, most in cases():
        experiment = dataclasses.replace(experiment, examples=0)
        found = to_the_end(experiment, [row], most // 4 if quick else most)
        verdict, *rest = line(found)
        rows.append((label, setting, row, f"**{verdict}**", *rest))
        ends[verdict.partition(",")[0]] += 1
        print(rows[-1], flush=True)
    columns = ("world", "setting", "row", "ends", "fixed point (95 % interval)", "speed", "exact law", "generations")
    told = ", ".join(f"{count} {name}" for name, count in ends.most_common())
    write(
        "long-term",
        "# (b) Where does it end: stable and degraded, lost, or nonsense?",
        "**Answer.** All three, and the regime decides which. Training on the newest output alone ends in total loss (or is on its way there when we stop "
        "looking) wherever the fit preserves moments or counts, and in nonsense where it blurs: the spread of a kernel density grows for ever. A constant "
        "share of fresh human data always ends in a stable state; with sharpened or biased sampling that state is bad (half of the variance, a third of the "
        "entropy), but it stays. Keeping everything holds unbiased worlds close to the first model, yet does not stop a bias: there the loss goes on for "
        f"ever, only more and more slowly. Of {len(rows)} settings: {told}.",
        table(columns, rows),
        "**How.** `remission dynamics`: generations are doubled until a row has settled (docs/dynamics.md says how that is decided and how often it is "
        "right). Ratios are to real data (1 is healthy within 5 %), others to generation 1. Worlds in `studies/worlds/`; run `python -m "
        "studies.long_term`.",
        "**Limits.** *Drifting* and *undecided* are answers of the budget, not of the world. A loop that ends in total loss only after 10,000 generations "
        "counts as stable here. What settles is one row; another one of the same world may end elsewhere.",
    )


if __name__ == "__main__":
    main()
