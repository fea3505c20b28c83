"""1,000 runs of 30 generations, 20 rows and 20 replicates against the first, once loaded, one core.

Ours: ``remission.lab.compare.compare`` and its table (paired, two intervals, correlation, verdict, detectable difference)
at the last generation; then all differences in all 30 generations with their intervals. Peer: the same numbers from one
pyarrow table of rows (run, row, generation, replicate, value): group by run, then for every row the paired difference, its
Student interval and correlation with ``scipy.stats``, run by run and row by row. The peer does the last generation only, for a
hundred runs, and its time is scaled up. CPU times; differences and interval ends must agree.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks import _peer
from remission.lab.compare import compare
from remission.lab.comparison.sides import Side

ROWS, T, R = 20, 30, 20


def made(runs: int) -> list[Side]:
    """Runs that share part of their noise, as common random numbers do."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((ROWS, R, T))
    names = [f"row-{i}" for i in range(ROWS)]
    return [
        Side(f"run-{i}", str(i), 1, "", {}, "", str(i), dict(zip(names, 0.01 * i + common + rng.standard_normal((ROWS, R, T)), strict=True)),
             dict.fromkeys(names, "falls"))
        for i in range(runs)
    ]  # fmt: skip


def ours(sides: list[Side], every: bool) -> tuple[float, np.typing.NDArray[np.float64]]:
    """Seconds, and (value, low, high) of every pair and row."""
    begin = time.process_time()
    result = compare([(sides[0], side) for side in sides[1:]], scale="difference")
    found = result.differences
    if every:
        for pair in result.pairs:
            pair.cells().interval(0.95)
    return time.process_time() - begin, np.array([(one.value, one.low, one.high) for one in found])


def peer(sides: list[Side]) -> tuple[float, np.typing.NDArray[np.float64]]:
    """The same with pyarrow and scipy.stats."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from scipy import stats

    rows = sorted(sides[0].rows)
    count = len(rows) * R
    table = pa.table({
        "run": np.repeat(np.arange(len(sides)), count),
        "row": np.tile(np.repeat(np.arange(len(rows)), R), len(sides)),
        "replicate": np.tile(np.arange(R), len(rows) * len(sides)),
        "value": np.concatenate([side.rows[row][:, -1] for side in sides for row in rows]),
    })  # fmt: skip
    begin = time.process_time()
    base = table.filter(pc.equal(table["run"], 0))
    out = []
    for number in range(1, len(sides)):
        joined = base.join(table.filter(pc.equal(table["run"], number)), ["row", "replicate"], right_suffix=" other")
        joined = joined.sort_by([("row", "ascending"), ("replicate", "ascending")])
        for row in range(len(rows)):
            here = joined.filter(pc.equal(joined["row"], row))
            x, y = here["value"].to_numpy(), here["value other"].to_numpy()
            found = stats.ttest_rel(y, x).confidence_interval(0.95)
            stats.pearsonr(x, y)
            out.append((float((y - x).mean()), found.low, found.high))
    return time.process_time() - begin, np.array(out)


def main(arguments: list[str] | None = None) -> None:
    """Compare and print."""
    quick = _peer.quick(__doc__, arguments)
    sides, few = made(200 if quick else 1_000), 20 if quick else 100
    ours(sides[:20], True)
    order = np.argsort(sorted(sides[0].rows)), sorted(sides[0].rows)
    best, whole, slow = np.inf, np.inf, np.inf
    for _ in range(1 if quick else 3):
        seconds, values = ours(sides, False)
        best, whole = min(best, seconds), min(whole, ours(sides, True)[0])
        seconds, theirs = peer(sides[: few + 1])
        slow = min(slow, seconds * (len(sides) - 1) / few)
    place = [list(sides[0].rows).index(row) for row in order[1]]
    mine = values.reshape(len(sides) - 1, ROWS, 3)[:few, place].reshape(-1, 3)
    remark = f"largest disagreement {np.abs(mine - theirs).max():.1e}"
    _peer.line(f"compare {len(sides)} runs, last generation", best, slow, None, remark)
    _peer.line(
        f"compare {len(sides)} runs, all {T} generations", whole, slow * T, None, "peer scaled by generations too"
    )


if __name__ == "__main__":
    main()
