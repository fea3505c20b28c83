"""Wall time from the shell to the first word: importing the package, ``--help`` and ``list``, each a fresh process.

The peer of each is ``python -c pass``. Best of five; compiled kernels and byte code are on disk already.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import _peer

CASES: tuple[tuple[str, list[str], float], ...] = (
    ("import remission", ["-c", "import remission"], 0.3),
    ("from remission import Experiment, run", ["-c", "from remission import Experiment, run"], 1.0),
    ("remission --help", ["-m", "remission", "--help"], 0.15),
    ("remission list", ["-m", "remission", "list"], 1.0),
)


def started(arguments: list[str]) -> Callable[[], None]:
    """A function that runs a Python process to its end."""
    source = str(Path(__file__).resolve().parents[1] / "src")
    paths = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])

    def work() -> None:
        subprocess.run(
            [sys.executable, *arguments], env=os.environ | {"PYTHONPATH": paths}, check=True, stdout=subprocess.DEVNULL
        )

    return work


def main(arguments: list[str] | None = None) -> None:
    """Every case."""
    quick = _peer.quick(__doc__, arguments)
    for name, words, goal in CASES:
        work = started(words)
        work()
        timed = _peer.best_of(work, started(["-c", "pass"]), 2 if quick else 5, clock=time.perf_counter)
        _peer.longest(name, timed.ours, timed.peer, goal)


if __name__ == "__main__":
    main()
