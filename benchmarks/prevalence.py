"""How far estimates of prevalence are off and how often their intervals cover, on corpora whose share is known.

No peer is timed; the peers are estimators, run on the same scores. Needs the folder of shared data (REMISSION_SHARED, or
``shared`` beside the repository). ``--part`` picks tables (all by default):

``liang``      the validation corpora of Liang et al. (arXiv 2403.07183), sentences of abstracts, 0 to 25 % synthetic, from
               their training files only: cross-fitted ``presence`` with every estimator, and their own word-occurrence MLE.
``shifted``    a domain that the detector has never seen, 300 human and 300 synthetic items of it for calibration, 2,000
               documents drawn from the others at 0, 1, 5, 20 and 50 %.
``examples``   the same, the detector alone beside ``text`` cross-fitted to those calibration items (--examples); here they
               and the corpus are of different units (an original and what was made from it).
``bounds``     as ``shifted``, with 300 humans alone; the panel is what the detector finds of other domains it has not seen.
``simulated``  scores of four shapes, half of them in units, n 200 to 20,000, calibration 300 to 5,000.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from remission import registry
from remission.calibration.fitted import FittedDetector
from remission.clinic.crossfit import crossfit
from remission.documents import Documents
from remission.estimate import Estimate
from remission.scored import Sample, Scored

SHARES = (0.0, 0.01, 0.05, 0.2, 0.5)
LIANG = (0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25)
PEERS = ("matched", "em", "pacc", "bins", "adjusted-count", "count")


def shared() -> Path:
    """The folder of shared data."""
    folder = Path(os.environ.get("REMISSION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    found = folder / "data" / "text-detection"
    if not found.is_dir():
        raise SystemExit("No shared data: set REMISSION_SHARED.")
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a packed file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def summary(found: list[tuple[Estimate, float]]) -> str:
    """Mean and largest error, coverage and half-width in percentage points."""
    error = np.array([100 * (estimate.value - share) for estimate, share in found])
    covers = np.mean([estimate.low <= share <= estimate.high for estimate, share in found])
    half = np.mean([50 * (estimate.high - estimate.low) for estimate, _ in found])
    return (
        f"mean error {np.abs(error).mean():6.2f}  largest {np.abs(error).max():6.2f}  bias {error.mean():+6.2f}  "
        f"covers {covers:6.1%}  half-width {half:5.2f}  ({len(found)})"
    )


def liang(quick: bool) -> None:
    """Published corpora of known share."""
    together: dict[str, list[tuple[Estimate, float]]] = {}
    for field in ("CS",) if quick else ("CS", "Math"):
        train = rows(shared() / "liang-arxiv" / f"{field}.train.jsonl.gz")
        corpora = rows(shared() / "liang-arxiv" / f"{field}.valid.jsonl.gz")
        labels = np.array([row["label"] == "ai" for row in train])
        examples = Documents([row["text"] for row in train], {}, labels)
        target = Documents([row["text"] for row in corpora])
        times = np.array([row["n"] for row in corpora], dtype=float)
        began = time.process_time()
        found = crossfit(registry.load("detectors", "presence")(), examples, target, drop_overlap=True)
        print(f"{field}: cross-fitted to {len(train):,} sentences in {time.process_time() - began:.0f} s")
        for name in PEERS:
            kept = together.setdefault(name, [])
            own = []
            for number, share in enumerate(LIANG):
                options = {"resamples": 200} if name in ("em", "pacc", "bins") else {}
                estimator = registry.load("prevalence", name)(**options)
                own.append((estimator.estimate(found.scored(weight=times[:, number])), share))
            kept += own
            print(f"  {name:16s} {summary(own)}", flush=True)
        own = []
        for number in (0, 4, 10) if quick else range(len(LIANG)):
            here = times[:, number] > 0
            corpus = Sample.of(np.zeros(here.sum()), weight=times[here, number], documents=target.take(here))
            known = [Sample.of(np.zeros(mask.sum()), documents=examples.take(mask)) for mask in (~labels, labels)]
            estimator = registry.load("prevalence", "words")(resamples=100)
            own.append((estimator.estimate(Scored(corpus, *known)), LIANG[number]))
        together.setdefault("words", []).extend(own)
        print(f"  {'words':16s} {summary(own)}", flush=True)
    print("together")
    for name, kept in together.items():
        print(f"  {name:16s} {summary(kept)}")


def domains(quick: bool) -> list[tuple[str, list[dict[str, Any]], str]]:
    """(set, its rows, domain to hold out) where there are enough humans to calibrate on 300 and draw from others."""
    made = []
    for name in ("detectrl",) if quick else ("detectrl", "fastdetect-open"):
        known = [row for row in rows(shared() / name / "data.jsonl.gz") if row["domain"] != "unknown"]
        for domain in sorted({row["domain"] for row in known}):
            humans = sum(row["label"] == "human" for row in known if row["domain"] == domain)
            if humans >= 400:
                made.append((name, known, domain))
    return made[:2] if quick else made


def documents(some: list[dict[str, Any]]) -> Documents:
    """Rows as documents; an original and its paraphrases are one unit."""
    units = np.unique([row["pair"] for row in some], return_inverse=True)[1]
    return Documents(
        [row["text"] for row in some],
        {name: np.array([row[name] for row in some], dtype=np.str_) for name in ("domain", "generator", "attack")},
        np.array([row["label"] == "ai" for row in some]),
        units.astype(np.int64),
    )


class Shift:
    """A detector and a domain that it has never seen."""

    def __init__(self, kind: str, known: list[dict[str, Any]], domain: str) -> None:
        detector = registry.load("detectors", kind)()
        rest = [row for row in known if row["domain"] != domain]
        self.rows = [row for row in known if row["domain"] == domain]
        self.fitted = FittedDetector.fit(detector, documents(rest))
        self.scores = self.fitted.score([row["text"] for row in self.rows])
        self.synthetic = np.array([row["label"] == "ai" for row in self.rows])

    def draw(
        self, share: float, rng: np.random.Generator, calibrate: int = 300, n: int = 2000
    ) -> tuple[Any, Any, Sample]:
        """Places of the calibration humans, of the calibration synthetic items, and a corpus of the others."""
        human, synthetic = (rng.permutation(np.flatnonzero(self.synthetic == kind)) for kind in (False, True))
        calibrate = min(calibrate, len(human) // 2)
        made = round(share * n)
        drawn = np.concatenate([rng.choice(human[calibrate:], n - made), rng.choice(synthetic[calibrate:], made)])
        return human[:calibrate], synthetic[:calibrate], Sample.of(self.scores[drawn], drawn)


def shifted(quick: bool, kind: str = "text") -> None:
    """300 human and 300 synthetic items of an unseen domain."""
    total: dict[str, list[tuple[Estimate, float]]] = {}
    for name, known, domain in domains(quick):
        shift = Shift(kind, known, domain)
        for estimator_name in ("matched", "adjusted-count"):
            estimator = registry.load("prevalence", estimator_name)()
            for share in SHARES:
                rng = np.random.default_rng(0)
                found = []
                for _ in range(50 if quick else 250):
                    human, synthetic, target = shift.draw(share, rng)
                    known_items = [Sample.of(shift.scores[places]) for places in (human, synthetic)]
                    found.append((estimator.estimate(Scored(target, *known_items)), share))
                total.setdefault(estimator_name, []).extend(found)
                print(f"{name:16s} {domain:8s} {estimator_name:15s} {share:4.0%} {summary(found)}", flush=True)
    for estimator_name, found in total.items():
        print(f"all              {estimator_name:15s} {summary(found)}")


def learned(quick: bool, kind: str = "text") -> None:
    """300 human and 300 synthetic items of an unseen domain: to calibrate a detector on, or to learn from."""
    total: dict[str, list[tuple[Estimate, float]]] = {}
    for name, known, domain in domains(quick):
        shift = Shift(kind, known, domain)
        own: dict[str, list[tuple[Estimate, float]]] = {}
        for number in range(3 if quick else 16):
            for way, scored, share in redrawn(shift, number):
                own.setdefault(way, []).append((registry.load("prevalence", "matched")().estimate(scored), share))
        for way, found in own.items():
            for share in SHARES:
                part = [one for one in found if one[1] == share]
                print(f"{name:16s} {domain:8s} {way:10s} {share:4.0%} {summary(part)}", flush=True)
            print(f"{name:16s} {domain:8s} {way:10s}  all {summary(found)}", flush=True)
            total.setdefault(way, []).extend(found)
    for way, found in total.items():
        print(f"all              {way:10s} {summary(found)}")


def redrawn(shift: Shift, seed: int, most: int = 1500, each: int = 3) -> Iterator[tuple[str, Scored, float]]:
    """For one draw of calibration items, scores of some corpora of 2,000 by both ways of using the items.

    Half of the human units are for calibration, 300 at most, and as many synthetic items; the corpora are drawn from up to
    ``most`` others.
    """
    rng, every, made = np.random.default_rng(seed), documents(shift.rows), shift.synthetic
    units = every.sampling_units
    human = rng.permutation(np.unique(units[~made]))
    mine = np.isin(units, human[: min(300, human.size // 2)])
    machine = rng.permutation(np.flatnonzero(made & mine))
    if machine.size < mine[~made].sum():  # what is synthetic was not made from these humans
        machine = rng.permutation(np.flatnonzero(made))
    places = np.concatenate([np.flatnonzero(mine & ~made), machine[: mine[~made].sum()]])
    rest = rng.permutation(np.flatnonzero(~np.isin(units, units[places])))
    rest = np.concatenate([rest[made[rest] == kind][: most // 2] for kind in (False, True)])
    target = replace(every.take(rest), synthetic=None)
    fitted = crossfit(shift.fitted.detector, every.take(places), target, seed=seed)
    known = [Sample.of(shift.scores[part], units[part]) for part in (places[~made[places]], places[made[places]])]
    for share in SHARES:
        for _ in range(each):
            count = round(share * 2000)
            drawn = [rng.choice(np.flatnonzero(made[rest] == kind), n) for kind, n in ((0, 2000 - count), (1, count))]
            times = np.bincount(np.concatenate(drawn), minlength=rest.size).astype(float)
            corpus = Sample.of(shift.scores[rest], target.units, times).take(times > 0)
            yield "detector", Scored(corpus, *known), share
            yield "examples", fitted.scored(weight=times), share


def bounds(quick: bool, kind: str = "text") -> None:
    """300 humans of an unseen domain, and a panel scored by detectors that had not seen the panel's domain either."""
    hits, ends = 0, []
    for name, known, domain in domains(quick):
        shift = Shift(kind, known, domain)
        rest = [row for row in known if row["domain"] != domain]
        panel = [Shift(kind, rest, other) for other in sorted({row["domain"] for row in rest})]
        for share in SHARES:
            rng = np.random.default_rng(0)
            found = []
            for _ in range(50 if quick else 250):
                human, _, target = shift.draw(share, rng)
                scored = Scored(target, Sample.of(shift.scores[human]), _panel(panel, shift.scores[human]))
                found.append(registry.load("prevalence", "bounds")().estimate(scored))
            covered = sum(one.low <= share <= one.high for one in found)
            hits += covered
            ends += [one.high for one in found]
            low, high = (np.mean([getattr(one, end) for one in found]) for end in ("low", "high"))
            print(
                f"{name:16s} {domain:8s} {share:4.0%} covers {covered / len(found):6.1%}  mean {low:6.1%} to {high:6.1%}",
                flush=True,
            )
    print(f"all: covers {hits / len(ends):.1%} of {len(ends)}")


def _panel(panel: list[Shift], human: Any) -> Sample:
    """Synthetic scores of other domains, moved and stretched so that their humans lie where the target's do."""
    middle, reach = np.median(human), np.subtract(*np.quantile(human, [0.75, 0.25]))
    scores, origin = [], []
    for one in panel:
        own = one.scores[~one.synthetic]
        moved = (one.scores[one.synthetic] - np.median(own)) / np.subtract(*np.quantile(own, [0.75, 0.25]))
        scores.append(moved * reach + middle)
        origin += [row["generator"] for row, made in zip(one.rows, one.synthetic, strict=True) if made]
    return Sample.of(np.concatenate(scores), origin=origin)


SHAPES: tuple[tuple[Callable[[Any, int], Any], Callable[[Any, int], Any]], ...] = (
    (lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.normal(1, 1, n)),
    (lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.normal(2, 1.5, n)),
    (lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.normal(3, 1, n)),
    (
        lambda rng, n: rng.standard_t(4, n),
        lambda rng, n: np.where(rng.random(n) < 0.3, rng.standard_t(4, n), rng.normal(4, 1, n)),
    ),
)


def simulated(quick: bool) -> None:
    """Coverage over many kinds of census."""
    for name in ("matched", "adjusted-count", *(() if quick else ("pacc", "bins", "em"))):
        rng = np.random.default_rng(0)
        options = {"resamples": 200} if name in ("em", "pacc", "bins") else {}
        estimator = registry.load("prevalence", name)(**options)
        found: list[tuple[Estimate, float]] = []
        for number in range(500 if quick else 2000 if not options else 500):
            share = float(rng.choice([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5]))
            n, m, k = (int(np.exp(rng.uniform(*np.log(ends)))) for ends in ((200, 20_000), (300, 5000), (300, 5000)))
            human, synthetic = SHAPES[number % 4]
            units = rng.integers(0, max(n // 3, 50), n) if rng.random() < 0.5 else np.arange(n)
            labels = (rng.random(n) < share)[units]
            scores = np.where(labels, synthetic(rng, n)[units], human(rng, n)[units])
            scored = Scored(Sample.of(scores, units), Sample.of(human(rng, m)), Sample.of(synthetic(rng, k)))
            found.append((estimator.estimate(scored), share))
        print(f"{name:16s} {summary(found)}", flush=True)
        for share in sorted({share for _, share in found}):
            print(f"   at {share:4.0%}        {summary([one for one in found if one[1] == share])}")


PARTS: dict[str, Callable[[bool], None]] = {
    "liang": liang,
    "shifted": shifted,
    "examples": learned,
    "bounds": bounds,
    "simulated": simulated,
}


def main(arguments: list[str] | None = None) -> None:
    """All tables, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=[*PARTS], default=[])
    parser.add_argument("--quick", action="store_true", help="fewer fields, domains and draws")
    chosen = parser.parse_args(arguments)
    for part in chosen.part or [*PARTS]:
        print(f"--- {part}", flush=True)
        PARTS[part](chosen.quick)


if __name__ == "__main__":
    main()
