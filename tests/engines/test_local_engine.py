"""Supervised workers: none that dies, hangs or swells stops the work, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import RemissionError, SpecError
from remission.engines._units import Units
from remission.engines.limits import Limits, Lost
from remission.engines.local import map_units, supervise

DEADLINE = Limits(seconds=1.5)
SMALL = Limits(memory=256 << 20)


def square(unit: tuple[str, int]) -> int:
    """What the first word says, then the square: ``kill``, ``hang``, ``swell``, ``burst``, ``raise``, or nothing."""
    what, number = unit
    do(what)
    return number * number


def once(unit: tuple[str, int, str]) -> int:
    """As ``square``, but the trouble comes the first time only."""
    what, number, marker = unit
    if not Path(marker).exists():
        Path(marker).touch()
        do(what)
    return number * number


def do(what: str) -> None:
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "exit":
        os._exit(0)
    elif what == "hang":
        time.sleep(600)
    elif what == "stop":  # as hanging as it gets: it does not even look at signals
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "swell":
        held = []
        while True:
            held.append(np.ones(1 << 20))
            time.sleep(0.01)
    elif what == "burst":
        np.ones(1 << 28)
    elif what == "raise":
        raise ValueError("as asked")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_unit_once(workers: int) -> None:
    found = list(supervise(square, [("", number) for number in range(20)], workers))
    assert sorted(result for _, result in found if isinstance(result, int)) == [n * n for n in range(20)]


@pytest.mark.parametrize(("what", "limits"), [("kill", None), ("exit", None), ("hang", DEADLINE), ("swell", SMALL), ("burst", SMALL)])  # fmt: skip
def test_one_trouble_is_got_over(what: str, limits: Limits | None, tmp_path: Path) -> None:
    units = [(what if n in (1, 4) else "", n, str(tmp_path / f"{n}")) for n in range(6)]
    found = dict(supervise(once, units, 2, limits))
    assert {unit[1]: result for unit, result in found.items()} == {n: n * n for n in range(6)}


@pytest.mark.parametrize(
    ("what", "limits", "why"),
    [("kill", None, "killed"), ("stop", DEADLINE, "hung"), ("burst", SMALL, "memory"), ("swell", SMALL, "memory")],
)
def test_three_strikes_and_the_rest_is_done(what: str, limits: Limits | None, why: str) -> None:
    units = [(what if n == 2 else "", n) for n in range(5)]
    found = dict(supervise(square, units, 2, limits))
    lost = found.pop((what, 2))
    assert isinstance(lost, Lost)
    assert (lost.unit, lost.why) == ((what, 2), why)
    assert lost.said.startswith("its worker")
    assert [found["", n] for n in (0, 1, 3, 4)] == [0, 1, 9, 16]


def test_only_the_unit_that_was_at_work_gets_a_strike() -> None:
    """Seven units of which every one but the bad one is done, although the bad one ends its worker beside them."""
    units = [("kill", 0), *(("", n) for n in range(1, 7))]
    count = Counter(type(result).__name__ for _, result in supervise(square, units, 2))
    assert count == {"int": 6, "Lost": 1}


def test_an_exception_ends_the_mapping_unchanged() -> None:
    with pytest.raises(ValueError, match="as asked") as caught:
        list(supervise(square, [("", 1), ("raise", 2), ("", 3)], 2))
    assert "In a worker process" in "".join(caught.value.__notes__)


def unpicklable(unit: int) -> Any:
    return lambda: unit


def test_a_result_that_cannot_travel_is_an_error_and_no_hang() -> None:
    with pytest.raises((RemissionError, AttributeError, TypeError), match=r"pickle|local"):
        list(supervise(unpicklable, [1], 1))


def pid(unit: int) -> int:
    return os.getpid()


def test_units_are_taken_one_by_one_and_leaving_ends_the_workers() -> None:
    taken = []

    def units() -> Any:
        for number in range(1000):
            taken.append(number)
            yield number

    mapping = supervise(pid, units(), 2)
    seen = [next(mapping)[1] for _ in range(4)]
    mapping.close()
    assert len(taken) <= 7
    for number in seen:
        assert isinstance(number, int)
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_lab_mapping_still_refuses_a_deadly_block() -> None:
    with pytest.raises(RemissionError, match="died 3 times on the same block"):
        list(map_units(square, [("kill", 1), ("", 2)], workers=2))


def test_limits_that_are_none() -> None:
    with pytest.raises(SpecError, match="deadline"):
        Limits(seconds=0)
    with pytest.raises(SpecError, match="128 MiB"):
        Limits(memory=1000)
    with pytest.raises(RemissionError, match="at least one worker"):
        list(supervise(pid, [1], 0))


def test_the_third_strike_is_the_last_and_only_of_its_own_unit() -> None:
    units: Units[str] = Units(["a", "b"], Limits())
    first, second = units.next(), units.next()
    assert (first, second, units.next()) == (0, 1, None)
    units.again(second)  # its worker never came to it: no strike
    assert [units.strike(first, "killed"), units.strike(first, "killed")] == [None, None]
    unit, lost = units.strike(first, "killed")
    assert (unit, lost.unit) == ("a", "a")
    assert units.strike(second, "killed") is None
    assert units.finish(second) == "b"
    assert units.open == {}
