"""How often the collapse profile is right: verdicts on good, collapsed and copied sets, and its rate of false alarms."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from benchmarks import _peer
from remission.data import Floats
from remission.lab.profile import profile

REAL, MADE = 600, 560
WORLDS = {"mixture": 24, "plane": 2, "eight": 8}
RIGHT = {"good": "healthy", "collapsed": "collapsed", "copied": "memorised"}


def sets_of(world: str, seed: int) -> dict[str, Floats]:
    """Training, test, good, collapsed (half of the modes and of the spread lost) and copied sets of one world."""
    rng, d = np.random.default_rng([seed, 5]), WORLDS[world]
    centres = 2.5 * rng.normal(size=(8, d)) if world == "mixture" else np.zeros((1, d))

    def draw(n: int, modes: int = len(centres), spread: float = 1.0) -> Floats:
        return centres[rng.integers(modes, size=n)] + spread * rng.normal(size=(n, d))

    real, test, good = draw(REAL), draw(REAL), draw(MADE)
    collapsed = draw(MADE, max(1, len(centres) // 2), 0.5)
    copied = real[rng.permutation(REAL)[:MADE]] + 1e-3 * rng.normal(size=(MADE, d))
    return {"real": real, "test": test, "good": good, "collapsed": collapsed, "copied": copied}


def interval(hits: int, n: int) -> str:
    """The 95 % Clopper-Pearson interval of a share."""
    from scipy.special import betaincinv

    low = betaincinv(hits, n - hits + 1, 0.025) if hits else 0.0
    high = betaincinv(hits + 1, n - hits, 0.975) if hits < n else 1.0
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def verdicts(world: str, which: str, seeds: range) -> Counter[str]:
    """How often each verdict was given."""
    found: Counter[str] = Counter()
    for seed in seeds:
        sets = sets_of(world, seed)
        found[profile(sets["real"], sets["test"], sets[which], seed=seed).verdict] += 1
    return found


def main(arguments: list[str] | None = None) -> None:
    """The table; ``--quick``: 5 seeds instead of 50, and 5 good sets a world instead of 134."""
    quick = _peer.quick(__doc__, arguments)
    seeds, many = (5, 5) if quick else (50, 134)
    print(f"{'world':10s} {'set':10s} {'right':>9s}  verdicts")
    alarms = total = 0
    start = time.perf_counter()
    for world, d in WORLDS.items():
        for which, word in RIGHT.items():
            found = verdicts(world, which, range(seeds))
            print(f"{f'{world} d={d}':10s} {which:10s} {found[word]:4d}/{seeds:<4d}  {dict(found)}", flush=True)
            if which == "good":
                found += verdicts(world, which, range(seeds, many))
                alarms, total = alarms + many - found["healthy"], total + many
    share = f"{alarms}/{total} = {100 * alarms / total:.2f} % (95 %: {interval(alarms, total)})"
    print(f"false alarms on good sets: {share}  (promised: at most 5 %)")
    print(f"{(time.perf_counter() - start) / (total + 6 * seeds):.2f} s a profile of n = {MADE}")


if __name__ == "__main__":
    main()
