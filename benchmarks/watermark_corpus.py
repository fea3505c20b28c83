"""A corpus in which a few documents are marked: false discoveries, power, parts of documents, shares, and radioactivity.

No peer: nothing else tests a corpus for many schemes and keys. ``--part`` picks tables (all by default):

``scan``      10,000 documents of 200 tokens, 5 % marked, by 3 schemes with 20 keys each in one pass; false discovery rate
              and power at a rate of 5 % (goals: at most 5 %, at least 95 % at 1.5 nats).
``segments``  100 marked tokens in a document of 2,000, at 1 % of documents without a mark (goal: median IoU 0.8).
``shares``    the share of marked text and its interval, at shares 0 to 50 %, lengths 20 to 500, strengths that differ.
``toy``       a bigram student of marked text: log10 p by share (goal: at most -5 at 5 %), and p-values at 0.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from remission.clinic._marked import marked_share
from remission.clinic.power import write
from remission.clinic.profiles import Hypothesis, Profile
from remission.clinic.watermarking import Wish, scan
from remission.documents import Documents
from remission.evidence import Evidence, weigh
from remission.numerics.arrays import Floats, Integers
from remission.numerics.repeats import sums
from remission.segments import segments
from remission.watermarking import Key, TextWatermark, Tokens
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.synthid import Synthid

SIZE = 512


def scanned(quick: bool) -> None:
    """False discoveries and power of a scan."""
    documents, runs = (1000, 2) if quick else (10_000, 3)
    for nats in (1.5, 2.5):
        rows = []
        for run in range(runs):
            rng = np.random.default_rng(100 * run + int(10 * nats))
            marks: list[TextWatermark] = [Gumbel(), Synthid(), Kgw(vocabulary=SIZE)]
            looked_for = [
                Hypothesis(Profile(mark.name(), mark), mark.random_key(rng, f"key-{k}"))
                for mark in marks
                for k in range(20)
            ]
            marked = rng.random(documents) < 0.05
            chosen = np.flatnonzero(marked)
            which = rng.integers(0, len(looked_for), chosen.size)
            texts = [*write(None, None, documents, 200, nats, rng, SIZE)]
            for number in np.unique(which):
                own = chosen[which == number]
                one = looked_for[number]
                for place, text in zip(
                    own, write(one.profile.mark, one.key, own.size, 200, nats, rng, SIZE), strict=True
                ):
                    texts[place] = text
            began = time.process_time()
            found = scan(Documents(texts), looked_for, Wish())
            spent = time.process_time() - began
            false = (found.marked & ~marked).sum() / max(1, found.marked.sum())
            power = {
                mark.name(): found.marked[chosen][[looked_for[n].profile.mark is mark for n in which]].mean()
                for mark in marks
            }
            rows.append((false, found.marked[marked].mean(), power, spent))
        print(
            f"{nats} nats, {documents} documents, {runs} runs: false discoveries {100 * np.mean([r[0] for r in rows]):.2f} %, "
            f"found {100 * np.mean([r[1] for r in rows]):.1f} % ("
            + ", ".join(f"{name} {100 * np.mean([r[2][name] for r in rows]):.1f} %" for name in rows[0][2])
            + f"), {np.mean([r[3] for r in rows]):.0f} s of processor time for 60 hypotheses",
            flush=True,
        )


def parts(quick: bool) -> None:
    """Marked parts of long documents."""
    runs, plain = (20, 20) if quick else (200, 400)
    cases: list[tuple[TextWatermark, Key]] = [
        (Gumbel(), Key("g", (42,))),
        (Synthid(), Synthid().random_key(np.random.default_rng(0))),
        (Kgw(vocabulary=SIZE), Key("k", (15485863,))),
    ]
    for mark, key in cases:
        rng = np.random.default_rng(7)
        marked = write(mark, key, runs, 100, 1.5, rng, SIZE)
        around = write(None, None, runs + plain, 2000, 1.5, rng, SIZE)
        places = rng.integers(0, 1901, runs)
        texts = [np.concatenate([r[:at], m, r[at + 100 :]]) for r, m, at in zip(around, marked, places, strict=False)]
        found = segments(mark, key, Tokens.of(texts), 0.01)
        overlap = np.zeros(runs)
        for one in found:
            at = places[one.text]
            both = min(one.stop, at + 100) - max(one.start, at)
            overlap[one.text] = max(overlap[one.text], both / (max(one.stop, at + 100) - min(one.start, at)))
        false = len({one.text for one in segments(mark, key, Tokens.of(list(around[runs:])), 0.01)})
        print(
            f"{mark.name():8s} 100 of 2,000 tokens, 1.5 nats: found in {100 * np.mean([t in {s.text for s in found} for t in range(runs)]):.0f} % "
            f"of {runs}, median IoU {np.median(overlap):.2f}; without a mark {false} of {plain} documents",
            flush=True,
        )


def shares(quick: bool) -> None:
    """Coverage of the share of marked text."""
    runs = 20 if quick else 200
    mark = Gumbel()
    rng = np.random.default_rng(3)
    for name, spread in (("equal strength", 0.0), ("strength that differs", 0.5)):
        for share in (0.0, 0.005, 0.02, 0.1, 0.5):
            covered, values = [], []
            for run in range(runs):
                lengths = np.exp(rng.uniform(np.log(20), np.log(500), 2000)).astype(int)
                marked = rng.random(2000) < share
                strength = np.where(marked, 0.5 * np.exp(spread * rng.normal(size=2000) - spread**2 / 2), 0.0)
                evidence = _evidence(mark, lengths, strength, rng)
                found = marked_share(evidence, np.ones(2000, bool), seed=run)
                truth = lengths[marked].sum() / lengths.sum()
                covered.append(found.low <= truth <= found.high)
                values.append(found.value - truth)
            print(
                f"{name}, share {100 * share:4.1f} %: covers {100 * np.mean(covered):5.1f} %, bias {100 * np.mean(values):+.2f}, "
                f"spread {100 * np.std(values):.2f} percentage points ({runs} runs)",
                flush=True,
            )


def _evidence(mark: TextWatermark, lengths: Integers, strength: Floats, rng: np.random.Generator) -> Evidence:
    text = np.repeat(np.arange(lengths.size), lengths)
    scores = rng.exponential(1 + strength[text])
    n, total = sums(text, scores, lengths.size)
    return Evidence(np.arange(text.size), scores, text, n, total, mark, Key("x", (1,)))


def toy(quick: bool) -> None:
    """A bigram student, V = 2000, 100,000 training tokens, a share of them KGW-marked; 100,000 of its tokens."""
    rng = np.random.default_rng(11)
    for share in (0.01, 0.02, 0.05, 0.1):
        values = [_student(share, rng)[0] for _ in range(2 if quick else 10)]
        print(
            f"share {100 * share:3.0f} % marked: log10 p median {np.median(values):6.1f}, worst {max(values):6.1f}",
            flush=True,
        )
    keys = 40 if quick else 200
    p = 10 ** np.array(_student(0.0, rng, keys))
    print(
        f"share   0 %: {keys} keys, Kolmogorov-Smirnov p {stats.kstest(p, 'uniform').pvalue:.3f}; {np.mean(p < 0.05):.3f} below 0.05"
    )


def _student(share: float, rng: np.random.Generator, others: int = 0) -> list[float]:
    """log10 p of a student's output under the key of its training text, or under other keys."""
    size, total = 2000, 100_000
    mark = Kgw(vocabulary=size)
    base = np.log(1 / np.arange(1, size + 1) ** 1.0)
    logits = base + rng.normal(size=(size, size))
    key = mark.random_key(rng)
    texts = []
    for marked in (True, False):
        many = round(total * (share if marked else 1 - share) / 200)
        if many:
            texts.append(_chain(logits, many, 200, rng, (mark, key) if marked else None))
    counts = np.zeros((size, size))
    for text in texts:
        np.add.at(counts, (text[:, :-1].ravel(), text[:, 1:].ravel()), 1)
    with np.errstate(divide="ignore"):
        learned = np.log(counts)
    learned[~np.isfinite(learned).any(axis=1)] = base
    output = Tokens.of(list(_chain(learned, 500, 200, rng, None)))
    keys = [mark.random_key(rng) for _ in range(others)] or [key]
    return [weigh(mark, one, output, "corpus").pooled[2] for one in keys]


def _chain(
    logits: Floats, texts: int, length: int, rng: np.random.Generator, marked: tuple[TextWatermark, Key] | None
) -> Integers:
    """Texts (texts, length) of a bigram model with these logits (V, V), marked or not."""
    steering = marked[0].steering(marked[1]) if marked else None
    out = rng.integers(0, len(logits), (texts, 1))
    for _ in range(length - 1):
        now = logits[out[:, -1]]
        if steering is not None:
            now = steering(out, now)
        with np.errstate(divide="ignore"):
            out = np.column_stack([out, (now - np.log(-np.log(rng.random(now.shape)))).argmax(axis=1)])
    return out


PARTS: dict[str, Callable[[bool], None]] = {"scan": scanned, "segments": parts, "shares": shares, "toy": toy}


def main(arguments: list[str] | None = None) -> None:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=[*PARTS], action="append")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args(arguments)
    for name in chosen.part or PARTS:
        print(f"--- {name}", flush=True)
        PARTS[name](chosen.quick)


if __name__ == "__main__":
    main()
