"""Where and in which precision networks run: the GPU when there is one, bfloat16 where it is faster."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

import torch

from remission.aside import written
from remission.folders import cache_folder
from remission.notes import say

Precision = Literal["auto", "float32", "bfloat16"]

GAIN = 1.1  # bfloat16 is chosen on a CPU when it is at least so many times as fast
ROUNDS = 5  # of the measurement, both precisions in turn


@cache
def device() -> torch.device:
    """The GPU when there is one, else the CPU. ``REMISSION_DEVICE`` names another."""
    named = os.environ.get("REMISSION_DEVICE")
    if named:
        return torch.device(named)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def announce() -> torch.device:
    """The device, which is noted."""
    found = device()
    if found.type == "cuda":
        say(f"networks run on the GPU ({torch.cuda.get_device_name(found)})")
    else:
        say(f"networks run on the {found.type.upper()}")
    return found


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch: sums in another order would give other last bits, and the engine fills the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(where: torch.device, bf16: bool) -> Any:
    """The context in which forward passes run."""
    return torch.autocast(where.type, torch.bfloat16, enabled=bf16)


def use_bf16(wanted: Precision, name: str, step: Callable[[bool], Any]) -> bool:
    """Whether to run in bfloat16: as wanted; ``auto``: on a GPU that has it, on a CPU where it is measured to be faster.

    The answer of a measurement is kept per machine, version and ``name`` in the cache folder, so that the same machine
    gives the same trajectory again.

    Args:
        wanted: what the user asked for.
        name: says what is measured: architecture and size.
        step: one training step, in bfloat16 or not; must leave no trace.
    """
    if wanted != "auto":
        return wanted == "bfloat16"
    where = device()
    if where.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
        say(f"precision: {'bfloat16' if fast else 'float32'} on the GPU")
        return fast
    if where.type != "cpu":
        return False
    key = f"{_processor()} | torch {torch.__version__} | {name}"
    gain = _remembered().get(key)
    if gain is None:
        with _alone():  # two workers that measure at once could decide differently
            gain = _remembered().get(key)
            if gain is None:
                gain = _gain(step)
                _remember(key, gain)
    fast = gain >= GAIN
    say(
        f"precision: {'bfloat16' if fast else 'float32'} on the CPU ({name}: bfloat16 measured {gain:.2f} times as fast)"
    )
    return fast


def _gain(step: Callable[[bool], Any]) -> float:
    """Time of a step in float32 over that in bfloat16, the best of some rounds each."""
    best = {False: float("inf"), True: float("inf")}
    for fast in best:
        step(fast)
    for _ in range(ROUNDS):
        for fast in best:
            began = time.perf_counter()
            step(fast)
            best[fast] = min(best[fast], time.perf_counter() - began)
    return round(best[False] / best[True], 2)


@cache
def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


def _remembered() -> dict[str, float]:
    try:
        return dict(json.loads((cache_folder() / "precision.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process at a time measures, if the cache folder can be written."""
    path = cache_folder() / "precision.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path, "w", encoding="ascii")  # noqa: SIM115  (held until the end)
    except OSError:
        yield
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remember(key: str, gain: float) -> None:
    path = cache_folder() / "precision.json"
    with contextlib.suppress(OSError):  # a cache that cannot be written is measured again
        known = json.dumps(_remembered() | {key: gain}, indent=1)
        with written(path) as beside:
            beside.write_text(known, encoding="utf-8")
