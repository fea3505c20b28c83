"""Do p-values of watermarks hold on text that repeats itself? Python source, cut into words, under random keys.

No peer is timed; beside ours stand the p-values of the schemes' own detectors on the same texts. At least a million tests for
every scheme and length; upper limits of 99 % from the spread between keys, because texts under one key share its luck
(and source repeats its headers), so every key judges few texts.
Goals: realised rates at most 10, 20 and 30 % above 1e-2, 1e-3 and 1e-4. KGW is tested with a vocabulary of 4,096 (words share
numbers), because a permutation is drawn for every context and key.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from scipy import stats

from benchmarks.watermark_speed import source
from remission.evidence import Repeats, key_test, weigh
from remission.numerics.arrays import Floats, Integers
from remission.watermarking import TextWatermark, Tokens
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.synthid import Synthid
from remission.watermarks.unigram import Unigram

SIZE = 4096
LENGTHS = (25, 50, 200, 500)
RATES = (1e-2, 1e-3, 1e-4)
ALLOWED = (1.1, 1.2, 1.3)


def schemes() -> list[tuple[str, TextWatermark, Repeats | None, int, float]]:
    """Names, schemes, how the scheme's own detector treats repetitions by default, texts for each key, times the tests."""
    return [
        ("KGW lefthash", Kgw(vocabulary=SIZE), "all", 400, 2),
        ("KGW selfhash", Kgw(vocabulary=SIZE, seeding="selfhash", width=4), "all", 1200, 1),
        ("SynthID-30", Synthid(), None, 200, 1),
        ("Gumbel", Gumbel(), "dialect", 400, 2),
        ("Gumbel, two keys", Gumbel(alpha=0.1), "dialect", 400, 2),
        ("Unigram", Unigram(vocabulary=SIZE), None, 200, 2),
    ]


def texts(ids: Integers, length: int, rng: np.random.Generator, many: int) -> Tokens:
    """Texts of one length, from all over the source."""
    rows = ids[: ids.size // length * length].reshape(-1, length)
    rows = rows[rng.integers(0, len(rows), many)]
    return Tokens(rows.ravel(), np.arange(len(rows) + 1) * length)


def measured(
    mark: TextWatermark,
    own: Repeats | None,
    ids: Integers,
    length: int,
    many: int,
    tests: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Shares of p at or below each rate under each key (keys, rates): ours, and those of the scheme's own detector."""
    keys = math.ceil(tests / many)
    mine, theirs = np.empty((keys, len(RATES))), np.full((keys, len(RATES)), np.nan)
    for number in range(keys):
        key, tokens = mark.random_key(rng), texts(ids, length, rng, many)
        p = weigh(mark, key, tokens).log10_p
        mine[number] = [(p <= math.log10(rate) + 1e-12).mean() for rate in RATES]
        if own and number < max(20, keys // 20):
            found = weigh(mark, key, tokens, own)
            other = mark.published(found.n, found.total)["p"]
            theirs[number] = [(other <= rate).mean() for rate in RATES]
    return mine, theirs


def main(arguments: list[str] | None = None) -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tests", type=float, default=0.0)
    parser.add_argument("--scheme", action="append", help="only this one; again for more")
    chosen = parser.parse_args(arguments)
    tests = int(chosen.tests or (3e4 if chosen.quick else 1.2e6))
    ids = source(300_000 if chosen.quick else 3_000_000)
    rng = np.random.default_rng(0)
    print(
        f"{'scheme':18s} {'length':>6s} {'tests':>9s} {'keys':>5s}   rates at 1e-2, 1e-3, 1e-4 (upper limit / nominal)      own detector"
    )
    listed = [row for row in schemes() if not chosen.scheme or row[0] in chosen.scheme]
    for name, mark, own, many, times in listed:
        some = ids % SIZE if hasattr(mark, "vocabulary") else ids
        for length in LENGTHS:
            mine, theirs = measured(mark, own, some, length, many, int(times * tests), rng)
            cells, met = [], True
            for column, (rate, allowed) in enumerate(zip(RATES, ALLOWED, strict=True)):
                shares = mine[:, column]
                upper = shares.mean() + stats.t.ppf(0.99, len(shares) - 1) * shares.std(ddof=1) / math.sqrt(len(shares))
                met &= bool(upper <= allowed * rate)
                cells.append(f"{shares.mean():.2e} ({upper / rate:.2f})")
            beside = " ".join(f"{value:.1e}" for value in np.nanmean(theirs, axis=0)) if own else "no p-value"
            print(
                f"{name:18s} {length:6d} {many * len(mine):9,d} {len(mine):5d}   {'  '.join(cells)}  {'ok' if met else 'short'}   {beside}",
                flush=True,
            )
    tokens = texts(ids, 200, rng, 300)
    for name, mark, *_ in listed:
        if hasattr(mark, "vocabulary"):
            tokens = texts(ids % SIZE, 200, rng, 300)
        key = mark.random_key(rng)
        exact = 10 ** weigh(mark, key, tokens).log10_p
        ranked = key_test(mark, key, tokens, 999, 1)
        print(
            f"{name}: rank among 999 random keys and exact p differ by at most {np.abs(exact - ranked).max():.3f} on 300 texts"
        )


if __name__ == "__main__":
    main()
