"""Is the stated false-positive rate kept? Nominal 5, 1 and 0.1 % on held-out humans of every shared set. No timing.

Each set: fit on the training split; of the other humans, two thirds of the units calibrate and the rest is held out. One
line for each stratum and rate: realised rate against the upper end of the binomial 99 % interval of the nominal rate.
Then the same over many random splits of the same humans, for thresholds as they are used (certified where they can be)
and for the plain conformal p-values (p <= nominal), whose rate holds on average over splits.

    python -m benchmarks.detect_contract [--kind text] [--quick]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

from remission.calibration import conformal
from remission.calibration.calibrating import calibrate, fit_detector
from remission.clinic.detecting import make_detector
from remission.corpus.reading import Fields, labels_of, read_documents
from remission.documents import Documents
from remission.errors import DataError

SHARED = Path(os.environ.get("REMISSION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TEXTS = SHARED / "data" / "text-detection"
SETS = ("detectrl", "fastdetect-api", "fastdetect-open", "hppt-polish", "liang CS", "liang Math")
RATES = (0.05, 0.01, 0.001)


def read(name: str, quick: bool) -> tuple[Documents, Documents]:
    """Training examples and the other humans."""
    if name.startswith("liang"):
        documents, _ = read_documents([TEXTS / "liang-arxiv" / f"{name.split()[1]}.train.jsonl.gz"])
        order = np.random.default_rng(0).permutation(len(documents))[: 20_000 if quick else 60_000]
        documents = documents.take(order)
        train = np.arange(len(documents)) < len(documents) // 3
    else:
        documents, _ = read_documents([TEXTS / name], Fields(unit="pair"))
        train = documents.column("split") == "train"
    return documents.take(train), documents.take(~train & (labels_of(documents) == 0.0))


def upper(n: int, rate: float) -> float:
    """Upper end of the binomial 99 % interval of a rate, as a share of n."""
    from scipy.stats import binom

    return float(binom.ppf(0.995, n, rate)) / n


def one_split(fitted: Any, humans: Documents, name: str) -> tuple[int, int]:
    """The whole way, calibrate and judge, for one split; cases and those kept."""
    order = np.random.default_rng(1).permutation(int(humans.sampling_units.max()) + 1)
    calibrating = np.isin(humans.sampling_units, order[: 2 * order.size // 3])
    cases = kept = 0
    for rate in RATES:
        try:
            found = calibrate(fitted, humans.take(calibrating), max_fpr=rate, allow_artefacts=True, overlap="drop")
        except DataError as error:
            print(f"{name:<16} {'all':<16} {100 * rate:>5g} %  refused: {str(error)[:90]}", flush=True)
            continue
        held = humans.take(~calibrating)
        judged = found.judge(held)
        for stratum in found.strata.names:
            here = (judged.stratum == stratum) & judged.decided
            n, k = int(here.sum()), int(judged.flagged[here].sum())
            if n == 0:
                continue
            limit = found.threshold(stratum)
            good = k / n <= upper(n, rate)
            cases, kept = cases + 1, kept + good
            print(
                f"{name:<16} {stratum[:16]:<16} {100 * rate:>5g} %  {limit.kind:<9} calibration {limit.n:>6,}  held out {n:>6,}"
                f"  flagged {k:>4}  rate {100 * k / n:6.3f} %  at most {100 * upper(n, rate):6.3f} %  {'ok' if good else 'OVER'}",
                flush=True,
            )
    return cases, kept


def many_splits(scores: Any, units: Any, domain: Any, name: str, splits: int) -> tuple[int, int]:
    """The same humans split anew many times, through thresholds and p-values alone."""
    rng = np.random.default_rng(2)
    cases = kept = 0
    for rate in RATES:
        for place in sorted(set(domain.tolist())):
            here = domain == place
            groups = np.unique(units[here])
            n = 2 * groups.size // 3
            if conformal.marginal_rank(n, rate) < 1:
                continue
            used, plain, within = [], [], 0
            for _ in range(splits):
                chosen = np.isin(units, rng.permutation(groups)[:n])
                humans = conformal.unit_maxima(scores[here & chosen], units[here & chosen])
                fresh = scores[here & ~chosen]
                used.append(float((fresh > conformal.threshold(humans, rate).score).mean()))
                plain.append(float((conformal.p_values(humans, fresh) <= rate).mean()))
                within += used[-1] <= upper(fresh.size, rate)
            cases, kept = cases + splits, kept + within
            print(
                f"{name:<16} {place[:16] or 'all':<16} {100 * rate:>5g} %  {splits} splits: mean rate {100 * np.mean(used):.3f} %, "
                f"p <= nominal {100 * np.mean(plain):.3f} %, within the interval or below in {100 * within / splits:.1f} %",
                flush=True,
            )
    return cases, kept


def main(arguments: list[str] | None = None) -> None:
    """Every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer sentences and splits")
    parser.add_argument("--kind", default="text", help="the detector, by name or module:Class")
    options = parser.parse_args(arguments)
    if not TEXTS.is_dir():
        print(f"no labelled texts in {TEXTS}; set REMISSION_SHARED")
        return
    one, many = np.zeros(2, int), np.zeros(2, int)
    for name in SETS:
        train, humans = read(name, options.quick)
        fitted = fit_detector(make_detector(options.kind), train, allow_artefacts=True)
        one += one_split(fitted, humans, name)
        scores = fitted.score(humans.items)
        units, domain = humans.sampling_units, humans.column("domain")
        usable = ~np.isnan(scores)
        many += many_splits(scores[usable], units[usable], domain[usable], name, 20 if options.quick else 200)
    print(
        f"one split: {one[1]} of {one[0]} kept; many splits: {many[1]} of {many[0]} kept ({100 * many[1] / max(1, many[0]):.2f} %)"
    )


if __name__ == "__main__":
    main()
