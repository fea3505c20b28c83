"""Text metrics against nltk, the quadratic MTLD of lexical-diversity, and Python sets. Prints ratios.

Best of three each (MTLD: one), interleaved; the same values asserted. The quadratic peer of moving MTLD cannot finish a million tokens: it is timed on what it can do and
extrapolated by its own square law, and the line says so. The peers are the algorithms of the packages, retyped; nltk is
the package itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from benchmarks import _peer
from remission.numerics import lexical, text


def zipf_text(tokens: int, types: int = 20_000, seed: int = 1) -> np.ndarray:
    weights = 1.0 / (np.arange(types) + 2.7)
    return np.random.default_rng(seed).choice(types, tokens, p=weights / weights.sum())


def self_bleu(count: int) -> None:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    rng = np.random.default_rng(2)
    stream = zipf_text(count * 30, 2000)
    cuts = np.cumsum(rng.integers(8, 33, count))
    docs = [part.tolist() for part in np.split(stream, cuts)[:count]]
    smooth = SmoothingFunction().method1

    def peer() -> float:
        scores = [sentence_bleu(docs[:i] + docs[i + 1 :], d, smoothing_function=smooth) for i, d in enumerate(docs)]
        return float(np.mean(scores))

    text.self_bleu(docs[:3])
    ours, theirs, a, b = _peer.best_of(lambda: float(text.self_bleu(docs).mean()), peer)
    assert abs(a - b) <= 1e-9, (a, b)
    _peer.line(f"self-BLEU-4, {count} sentences, nltk", ours, theirs, 100)


def quadratic_pass(tokens: Sequence[int]) -> float:
    """One pass of the peer: the types of the factor are counted anew at every token."""
    factor, start = 0.0, 0
    for x in range(len(tokens)):
        part = tokens[start : x + 1]
        ratio = len(set(part)) / len(part)
        if x + 1 == len(tokens):
            factor += (1 - ratio) / (1 - 0.72)
        elif ratio < 0.72 and len(part) >= 10:
            factor += 1
            start = x + 1
    return len(tokens) / factor


def quadratic_mtld(tokens: Sequence[int]) -> float:
    return (quadratic_pass(tokens) + quadratic_pass(tokens[::-1])) / 2


def quadratic_wrap(tokens: Sequence[int]) -> float:
    """The peer's moving MTLD: the rest of the text is copied, and walked to its end, from every start."""
    lengths = found = 0
    double = [*tokens, *tokens]
    for x in range(len(tokens)):
        done = False
        for y, _ in enumerate(double[x:], start=x):
            if done:
                continue
            part = double[x : y + 1]
            if len(set(part)) / len(part) < 0.72 and len(part) >= 10:
                lengths, found, done = lengths + len(part), found + 1, True
    return lengths / found


def mtld(tokens: int) -> None:
    whole = zipf_text(tokens)
    lexical.mtld(whole[:100]), lexical.mtld_ma_wrap(whole[:100])
    listed = whole.tolist()
    ours, theirs, a, b = _peer.best_of(lambda: lexical.mtld(whole), lambda: quadratic_mtld(listed), rounds=1)
    assert abs(a - b) <= 1e-9 * b, (a, b)
    _peer.line(f"MTLD, {tokens} tokens, recounting peer", ours, theirs, 10)
    small = listed[:1500]
    ours, theirs, a, b = _peer.best_of(lambda: lexical.mtld_ma_wrap(small), lambda: quadratic_wrap(small), rounds=1)
    assert abs(a - b) <= 1e-9 * b, (a, b)
    _peer.line("moving MTLD (wrap), 1500 tokens, quadratic peer", ours, theirs, 100)
    start = time.process_time()
    lexical.mtld_ma_wrap(whole)
    ours = time.process_time() - start
    _peer.line(f"moving MTLD, {tokens} tokens, peer extrapolated by n^2", ours, theirs * (tokens / 1500) ** 2)
    start = time.process_time()
    lexical.mtld_ma_wrap(np.arange(tokens))
    worst = time.process_time() - start
    _peer.ceiling("moving MTLD, none repeated : Zipf text", worst, ours, 10)


def distinct(tokens: int) -> None:
    whole = zipf_text(tokens)
    listed = whole.tolist()

    def peer() -> list[float]:
        grams = [zip(*(listed[k:] for k in range(n)), strict=False) for n in range(1, 5)]
        return [len(set(gram)) / (tokens - n) for n, gram in enumerate(grams)]

    text.distinct(whole[:100], 4)
    ours, theirs, a, b = _peer.best_of(lambda: text.distinct(whole, 4), peer)
    assert a.tolist() == b
    _peer.line(f"distinct-1..4, {tokens} tokens, Python sets", ours, theirs, 2)


def main(arguments: list[str] | None = None) -> None:
    """Every metric."""
    quick = _peer.quick(__doc__, arguments)
    self_bleu(60 if quick else 300)
    mtld(20_000 if quick else 1_000_000)
    distinct(50_000 if quick else 1_000_000)


if __name__ == "__main__":
    main()
