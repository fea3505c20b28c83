"""Whether collapse is visible and treated in the shipped deep experiments, on rows that were named before the run.

No peer: each experiment is run at its 2-core size (or read, when its folder holds it already), and for every named row
the 95 % interval of *replace* over replicates must not touch those of *accumulate* and *fresh* in the last generation.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from remission.demo.parts import Part, deep_parts
from remission.lab.execute import execute
from remission.lab.reading import Reading
from remission.spec import Experiment


def apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two intervals do not touch."""
    return bool(one["high"] < other["low"] or other["high"] < one["low"])


def processor_minutes() -> float:
    """What this process and its finished workers used: on a shared machine the clock says little."""
    return sum(os.times()[:4]) / 60


def rows_of(part: Part, reading: Reading) -> list[tuple[str, list[dict[str, Any]], bool]]:
    """(row, its summary at replace, accumulate, fresh in the last generation, replace is apart from both)."""
    out = []
    last = max(row["generation"] for row in reading.summary)
    for name in part.separates:
        found = [row for row in reading.summary if row["metric"] == name and row["generation"] == last]
        ends = sorted(found, key=lambda row: row["point"])
        if len(ends) != 3:
            raise SystemExit(f"{part.name} has no row '{name}'.")
        out.append((name, ends, apart(ends[0], ends[1]) and apart(ends[0], ends[2])))
    return out


def main(arguments: list[str] | None = None) -> None:
    """The table; ``--part NAME`` for one experiment, ``-o`` for another folder, ``--workers`` (2)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, default=Path("build/deep"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="only the short ones")
    chosen = parser.parse_args(arguments)
    parts = deep_parts(tuple(chosen.part) or (() if chosen.quick else ("all",)))
    for part in parts:
        began, before = time.perf_counter(), processor_minutes()
        store = execute(Experiment.from_toml(part.toml()), chosen.output / part.name, chosen.workers)
        took = (time.perf_counter() - began) / 60
        reading = Reading(store)
        print(
            f"\n{part.name}: {took:.1f} min with {chosen.workers} workers ({processor_minutes() - before:.1f} processor "
            f"minutes), generation {reading.summary[-1]['generation']}"
        )
        print(f"  {'row':44s} {'replace':>24s} {'accumulate':>24s} {'fresh':>24s}  apart")
        for name, ends, verdict in rows_of(part, reading):
            shown = [f"{row[row['of']]:.4g} [{row['low']:.4g}, {row['high']:.4g}]" for row in ends]
            print(f"  {name:44s} " + " ".join(f"{text:>24s}" for text in shown) + f"  {'yes' if verdict else 'NO'}")


if __name__ == "__main__":
    main()
