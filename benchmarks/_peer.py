"""What all benchmarks share: interleaved best-of-three timing, and one line per case.

A line reads ``name  ours  peer  ratio  (goal)  ok|short|-``; words about it may follow, indented.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Timed(NamedTuple):
    """Best seconds of both sides and what each last returned."""

    ours: float
    peer: float
    value: Any
    peer_value: Any


def quick(description: str | None, arguments: list[str] | None = None) -> bool:
    """Whether ``--quick`` was asked for: smaller sets and fewer rounds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sets and fewer rounds")
    return bool(parser.parse_args(arguments).quick)


def best_of(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    rounds: int = 3,
    clock: Callable[[], float] = time.process_time,
) -> Timed:
    """Time both sides in turn, ``rounds`` times, and keep the best of each.

    Processor time by default: the machine may be shared, and one core is compared with one core. Call ours once before,
    so that no compilation is timed.
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
    """Print a case in seconds; the goal is a least ratio peer / ours."""
    ratio = peer / ours
    met = None if goal is None else ratio >= goal
    _put(name, _seconds(ours), _seconds(peer), ratio, "-" if goal is None else f">= {goal:g}x", met, remark)


def ceiling(name: str, ours: float, base: float, goal: float, unit: str = "") -> None:
    """Print a case that must cost no more than ``goal`` times its base; in seconds, or in a unit of its own."""
    one, other = (f"{value:.0f} {unit}" if unit else _seconds(value) for value in (ours, base))
    _put(name, one, other, ours / base, f"<= {goal:g}x", ours / base <= goal, "")


def longest(name: str, ours: float, base: float, goal: float) -> None:
    """Print a case whose goal is a longest time, beside the time of doing nothing."""
    _put(name, _seconds(ours), _seconds(base), ours / base, f"< {_seconds(goal)}", ours < goal, "")


def agreement(one: Any, other: Any) -> str:
    """The means of two samples and how many standard errors they differ by."""
    z = (one.mean() - other.mean()) / (one.var(ddof=1) / one.size + other.var(ddof=1) / other.size) ** 0.5
    return f"{one.mean():.3f} and {other.mean():.3f}, z = {z:.1f}"


def _put(name: str, ours: str, peer: str, ratio: float, goal: str, met: bool | None, remark: str) -> None:
    verdict = "-" if met is None else "ok" if met else "short"
    shown = f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"
    print(f"{name:<62} {ours:>9} {peer:>9} {shown:>9}  ({goal})  {verdict}", flush=True)
    if remark:
        print(f"    {remark}", flush=True)


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            shown = value / size
            return f"{shown:.0f} {unit}" if shown >= 100 else f"{shown:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
