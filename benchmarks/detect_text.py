"""Text detectors on labelled real text, and their speed beside scikit-learn's HashingVectorizer with a linear model.

Needs the shared data (``REMISSION_SHARED``, or ``shared`` beside the repository). ``--part`` runs one table:

``domain``      each detector fitted on train, judged on test, per data set
``generators``  one generator left out of the fit, judged on it
``domains``     one domain left out of the fit, judged on the whole of it
``sets``        fitted on one data set, judged on another
``layout``      the change of AUROC when newlines, quotes and spacing are drawn anew
``speed``       documents of 200 words per second, beside the peer in the same run

A cell is AUROC / recall at a calibrated 1 % false-positive rate: the threshold is set on human texts that neither the
fit nor the test has seen (see :func:`recall`); the rate that was then realised on the humans of the test is in
brackets, and recalls compare only where it is alike. fastdetect-api has some 90 such humans, too few for 1 %: there
the threshold is the highest of their scores. Two more recalls compare at the same realised rate. "redrawn": calibrated
on a random half of all those humans, of the threshold and of the test, the mean over 500 halves; the rate is then 1 % on
average, and which humans happened to set the threshold matters no more. "oracle": at the threshold that lets 1 % of the
humans of the test pass, which no user can have.
The peer of the quality tables is TF-IDF of words and pairs with logistic regression (C = 10, balanced) on the raw text.
``--quick`` takes a quarter of DetectRL; ``--detector`` judges some detectors only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import _peer
from remission import registry
from remission.calibration.fitted import FittedDetector
from remission.detectors._stacking import separation
from remission.documents import Documents

DETECTORS = ("text", "ngrams", "likelihood-ratio", "style", "compression")
BEST = ("text", "ngrams", "tf-idf")
Score = Callable[[Sequence[str]], np.ndarray]


def read(name: str, share: float = 1.0) -> Documents:
    """A shared data set; ``share`` of its pairs, always the same."""
    root = Path(os.environ.get("REMISSION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    with gzip.open(root / "data" / "text-detection" / name / "data.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    units = np.unique([row["pair"] for row in rows], return_inverse=True)[1]
    if share < 1.0:
        keep = np.random.default_rng(1).random(units.max() + 1)[units] < share
        rows, units = [row for row, kept in zip(rows, keep, strict=True) if kept], units[keep]
    columns = {key: np.array([row[key] for row in rows]) for key in ("domain", "generator", "attack", "split")}
    columns["domain"][columns["domain"] == "unknown"] = ""
    columns["set"] = np.full(len(rows), name)
    return Documents([row["text"] for row in rows], columns, np.array([row["label"] == "ai" for row in rows]), units)


def fitted(name: str, examples: Documents) -> Score:
    if name == "tf-idf":
        return tf_idf(examples)
    return FittedDetector.fit(registry.load("detectors", name)(), examples).score


def tf_idf(examples: Documents) -> Score:
    """The peer: TF-IDF of words and pairs, logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=10, class_weight="balanced", solver="liblinear")
    model.fit(vectors.fit_transform(examples.items), examples.synthetic)
    return lambda items: model.decision_function(vectors.transform(items))


class Cell(NamedTuple):
    """What a detector reaches on a test: AUROC, recall and realised rate, recall by redrawn calibration, by oracle."""

    auroc: float
    recall: float
    rate: float
    redrawn: float
    oracle: float

    def __str__(self) -> str:
        return f"{self.auroc:.3f} / {self.recall:.3f} ({self.rate:.3f}) {self.redrawn:.3f} {self.oracle:.3f}"


def recall(score: Score, human: Documents, test: Documents) -> Cell:
    """Recall at a threshold of conformal 1 % on held-out human texts, and at thresholds that realise the same rate."""
    aside, got = score(human.items), score(test.items)
    own, made = got[~test.synthetic], got[test.synthetic]
    threshold = conformal(aside)
    rng, humans = np.random.default_rng(0), np.concatenate([aside, own])
    halves = [conformal(rng.permutation(humans)[: humans.size // 2]) for _ in range(500)]
    return Cell(
        separation(got, test.synthetic),
        float((made > threshold).mean()),
        float((own > threshold).mean()),
        float(np.mean([(made > half).mean() for half in halves])),
        float((made > np.sort(own)[::-1][int(0.01 * own.size)]).mean()),
    )


def conformal(human: np.ndarray) -> float:
    """The score above which at most 1 % of other humans lie on average; the highest where there are fewer than 99."""
    return float(np.sort(human)[min(int(np.ceil(0.99 * (human.size + 1))), human.size) - 1])


def show(title: str, rows: dict[str, dict[str, Cell]]) -> None:
    """A table: a row for each split, a column for each detector."""
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n{'':<26}" + "".join(f"{name:>38}" for name in columns))
    print(f"{'':<26}" + f"{'AUROC / recall (rate) redrawn oracle':>38}" * len(columns))
    for name, cells in rows.items():
        print(f"{name:<26}" + "".join(f"{cell!s:>38}" for cell in cells.values()))
    means = [Cell(*np.mean([cells[name] for cells in rows.values()], axis=0)) for name in columns]
    print(f"{'mean':<26}" + "".join(f"{cell!s:>38}" for cell in means), flush=True)


def compare(
    learn: Documents, human: Documents, tests: dict[str, Documents], names: Sequence[str]
) -> dict[str, dict[str, Cell]]:
    """Every detector fitted once, and its cells on every test."""
    cells: dict[str, dict[str, Cell]] = {name: {} for name in tests}
    for name in names:
        score = fitted(name, learn)
        for key, test in tests.items():
            cells[key][name] = recall(score, human, test)
    return cells


def parts(data: Documents) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks: what is fitted on (train), human texts that set the threshold (of dev), what is judged (test)."""
    split = data.column("split")
    return split == "train", (split == "dev") & ~data.synthetic, split == "test"


def in_domain(data: dict[str, Documents], names: Sequence[str]) -> None:
    rows = {}
    for name, documents in data.items():
        learn, human, test = parts(documents)
        rows |= compare(documents.take(learn), documents.take(human), {name: documents.take(test)}, names)
    show("In domain: fitted on train, threshold from the humans of dev", rows)


def generators(data: dict[str, Documents], names: Sequence[str]) -> None:
    for name, documents in data.items():
        learn, human, test = parts(documents)
        generator, rows = documents.column("generator"), {}
        for left in np.unique(generator[documents.synthetic]):
            tests = {left: documents.take(test & (~documents.synthetic | (generator == left)))}
            rows |= compare(documents.take(learn & (generator != left)), documents.take(human), tests, names)
        title = f"{name}: generator left out"
        if {"text", "tf-idf"} <= set(names):
            pairs = [(cells["text"], cells["tf-idf"]) for cells in rows.values()]
            better = [
                sum(getattr(a, what) > getattr(b, what) for a, b in pairs) for what in ("recall", "redrawn", "oracle")
            ]
            title += f"; recall of text above that of TF-IDF on {better[0]} of {len(rows)}, redrawn {better[1]}, oracle {better[2]}"
        show(title, rows)


def domains(data: dict[str, Documents], names: Sequence[str]) -> None:
    for name, documents in data.items():
        domain, rows = documents.column("domain"), {}
        units = documents.sampling_units
        for left in np.unique(domain[domain != ""]):
            here = domain == left
            aside = here & ~documents.synthetic & (units % 2 == 0)
            test = here & ~(aside | (~documents.synthetic & (units % 2 == 0)))
            learn = documents.take(~here & ((domain != "") | (documents.column("set") != "detectrl")))
            rows |= compare(learn, documents.take(aside), {left: documents.take(test)}, names)
        show(f"{name}: domain left out, threshold from half of its humans", rows)


def sets(data: dict[str, Documents], names: Sequence[str]) -> None:
    rows = {}
    for one, other in (("detectrl", "fastdetect-api"), ("fastdetect-api", "detectrl"), ("detectrl", "hppt-polish")):
        units, test = data[other].sampling_units, data[other]
        aside = ~test.synthetic & (units % 2 == 0)
        cells = compare(data[one], test.take(aside), {f"{one} > {other}": test.take(~aside)}, names)
        rows |= cells
    show("Other data set, threshold from half of its humans", rows)


def relaid(text: str, rng: np.random.Generator) -> str:
    """The text with newlines, kinds of quotes, and blanks drawn anew."""
    blanks = (" ", " ", " ", "\n", "\n\n", "  ", "\t", " \n", "\u00a0")
    text = "".join(blanks[rng.integers(len(blanks))] if char == " " else char for char in " ".join(text.split()))
    for sign, forms in (('"', ('"', "\u201c", "\u201d", "``", "''", "\u00ab")), ("'", ("'", "\u2019", "\u2018", "`"))):
        for form in forms[1:] if sign == '"' else forms[1:3]:
            text = text.replace(form, sign)
        pieces = text.split(sign)
        text = pieces[0] + "".join(forms[rng.integers(len(forms))] + piece for piece in pieces[1:])
    for sign in ".,;:!?":
        if rng.random() < 0.5:
            text = text.replace(f"{sign} ", f" {sign} ")
    return text


def layout(data: dict[str, Documents], names: Sequence[str]) -> None:
    print(f"\nLayout drawn anew: AUROC before and after\n{'':<26}{'raw':>10}{'anew':>10}{'moved':>10}")
    for name, documents in data.items():
        learn, _, test = parts(documents)
        rng, judged = np.random.default_rng(3), documents.take(test)
        again = judged.map(lambda text, rng=rng: relaid(text, rng))
        for kind in (name for name in names if name != "tf-idf"):
            score = fitted(kind, documents.take(learn))
            one, two = (separation(score(part.items), part.synthetic) for part in (judged, again))
            verdict = "ok" if abs(one - two) < 0.01 else "short"
            print(
                f"{name + ' ' + kind:<26}{one:>10.4f}{two:>10.4f}{two - one:>+10.4f}  (< 0.01)  {verdict}", flush=True
            )


def speed(documents: Documents, quick: bool) -> None:
    """Documents of 200 words, normalising and tokenising included, one core."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    items = [" ".join(text.split()[:200]) for text in documents.items if len(text.split()) >= 200]
    items = items[: 1000 if quick else 4000]
    learn = documents.take(np.flatnonzero(parts(documents)[0])[:4000])
    vectors = HashingVectorizer(ngram_range=(1, 2), n_features=1 << 20)
    model = SGDClassifier(loss="log_loss", random_state=0).fit(vectors.transform(learn.items), learn.synthetic)
    print(f"\nSpeed: {len(items)} documents of 200 words", flush=True)
    for kind, least in (("ngrams", 10_000), ("text", 2_000), ("likelihood-ratio", None), ("style", None), ("compression", None)):  # fmt: skip
        score = fitted(kind, learn)
        score(items[:50])
        ours, peer, _, _ = _peer.best_of(
            lambda score=score: score(items), lambda: model.decision_function(vectors.transform(items))
        )
        rates = f"{len(items) / ours:.0f} and {len(items) / peer:.0f} documents per second and core"
        goal = f"; goal {least}: {'ok' if len(items) / ours >= least else 'short'}" if least else ""
        title = f"{kind}, beside HashingVectorizer(1, 2) + linear model"
        _peer.line(title, ours, peer, 2 if kind == "ngrams" else None, rates + goal)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a part of DetectRL")
    tables: dict[str, Any] = {
        "domain": in_domain, "generators": generators, "domains": domains, "sets": sets, "layout": layout
    }  # fmt: skip
    parser.add_argument("--part", choices=[*tables, "speed"], action="append", help="one table; may be repeated")
    parser.add_argument("--detector", choices=[*DETECTORS, "tf-idf"], action="append", help="may be repeated")
    options = parser.parse_args(arguments)
    wanted = options.part or [*tables, "speed"]
    share = {"detectrl": 0.25 if options.quick else 1.0}
    every = ("fastdetect-api", "fastdetect-open", "detectrl", "hppt-polish")
    uses = {"domain": every, "sets": every, "generators": ("fastdetect-api", "detectrl"),
            "domains": ("fastdetect-api", "detectrl"), "layout": ("fastdetect-api", "detectrl")}  # fmt: skip
    for part in wanted:
        start = time.process_time()
        if part == "speed":
            speed(read("detectrl", 0.5), options.quick)
        else:
            names = options.detector or ([*DETECTORS, "tf-idf"] if part in ("domain", "layout") else BEST)
            tables[part]({name: read(name, share.get(name, 1.0)) for name in uses[part]}, names)
        print(f"({part}: {time.process_time() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
