"""Scorers that workers can import: one that works, and those that do not on certain documents."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np
import pyarrow.compute as pc

from remission.clinic.census.scoring import FunctionScorer, Scorer, Scores
from remission.corpus.streaming import Batch
from remission.numerics.arrays import Floats


def lengths(items: Any) -> Floats:
    """Bytes of each text."""
    return pc.binary_length(items).to_numpy(zero_copy_only=False).astype(float)


def poisoned(items: Any) -> Floats:
    """Lengths, but for documents that ask for trouble."""
    for item in items.to_pylist():
        if "KILL ME" in item:
            os.kill(os.getpid(), signal.SIGKILL)
        if "HANG ME" in item:
            time.sleep(600)
        if "RAISE ME" in item:
            raise ZeroDivisionError("as asked")
        if "SWELL ME" in item:
            np.ones(1 << 28)
    return lengths(items)


def broken(items: Any) -> Floats:
    raise KeyError("always")


def short(items: Any) -> Floats:
    return lengths(items)[1:]


LENGTHS = FunctionScorer(lengths, "1")
POISONED = FunctionScorer(poisoned, "1")
BROKEN = FunctionScorer(broken, "1")
SHORT = FunctionScorer(short, "1")


class Brightness(Scorer):
    """The mean of all bytes of a picture."""

    takes = "picture"
    content = "brightness"

    def score(self, batch: Batch) -> Scores:
        return Scores.of(np.array([item.mean() for item in batch.items]))


BRIGHTNESS = Brightness()
