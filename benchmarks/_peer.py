"""What all benchmarks share: one core, interleaved best-of-three timing, and one line per case.

A line reads ``name  ours  peer  ratio  (goal)  ok|short``. Import this module before NumPy: it sets the thread counts.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import gc
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One printed line: its words, and whether the goal was met (None without a goal)."""

    cells: tuple[str, str, str, str, str]
    met: bool | None


class Timed(NamedTuple):
    """Best seconds of both sides and what each last returned."""

    ours: float
    peer: float
    value: Any
    peer_value: Any


done: list[Case] = []  # every case this process has printed, for the table of all


def quick(description: str | None, arguments: list[str] | None = None) -> bool:
    """Whether ``--quick`` was asked for: smaller sets and one round."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sets and one round")
    return bool(parser.parse_args(arguments).quick)


def best_of(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    rounds: int = 3,
    clock: Callable[[], float] = time.process_time,
) -> Timed:
    """Time both sides in turn, ``rounds`` times, and keep the best of each.

    Processor time of one core by default: the machine may be shared, and one core is compared with one core. Ours is to
    be called once before, so that no compilation is timed.
    """
    best: list[float] = [float("inf")] * 2
    values: list[Any] = [None, None]
    for _ in range(rounds):
        for side, function in enumerate((ours, peer)):
            gc.collect()
            start = clock()
            values[side] = function()
            best[side] = min(best[side], clock() - start)
    return Timed(best[0], best[1], values[0], values[1])


def line(name: str, ours: float, peer: float, goal: float | None = None, remark: str = "") -> None:
    """Print a case whose numbers are seconds; the goal is a least ratio peer / ours."""
    ratio = peer / ours
    wanted = "-" if goal is None else f">= {goal:g}x"
    _put(name, _seconds(ours), _seconds(peer), f"{ratio:.1f}x", wanted, None if goal is None else ratio >= goal, remark)


def ceiling(name: str, ours: float, base: float, goal: float, unit: str = "s", remark: str = "") -> None:
    """Print a case that must not cost more than ``goal`` times its base."""
    show = _seconds if unit == "s" else lambda value: f"{value:.3g} {unit}"
    _put(name, show(ours), show(base), f"{ours / base:.2f}x", f"<= {goal:g}x", ours / base <= goal, remark)


def limit(name: str, seconds: float, goal: float, base: float, remark: str = "") -> None:
    """Print a case whose goal is a longest time, beside the time of something that does nothing."""
    shown = f"{seconds / base:.1f}x"
    _put(name, _seconds(seconds), _seconds(base), shown, f"< {_seconds(goal)}", seconds < goal, remark)


def _put(name: str, ours: str, peer: str, ratio: str, goal: str, met: bool | None, remark: str) -> None:
    case = Case((f"{name}; {remark}" if remark else name, ours, peer, ratio, goal), met)
    done.append(case)
    print(f"{name:<60} {ours:>10} {peer:>10} {ratio:>8}  ({goal})  {verdict(case)}", flush=True)
    if remark:
        print(f"    {remark}", flush=True)


def verdict(case: Case) -> str:
    """``ok``, ``short``, or a dash without a goal."""
    return "-" if case.met is None else "ok" if case.met else "short"


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
