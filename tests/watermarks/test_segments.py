"""Where in a text the marked part lies: found where it is, and in few texts without one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from remission.clinic.power import write
from remission.errors import SpecError
from remission.numerics.arrays import Integers
from remission.segments import LEAST, Segment, segments
from remission.watermarking import Key, TextWatermark, Tokens
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.synthid import Synthid
from remission.watermarks.unigram import Unigram

V, NATS = 256, 3.0


def inserted(mark: TextWatermark, key: Key, where: list[tuple[int, int]], length: int, seed: int) -> Integers:
    """A text of random tokens in which these parts are marked."""
    rng = np.random.default_rng(seed)
    text = write(None, None, 1, length, NATS, rng, V)[0]
    for start, stop in where:
        text[start:stop] = write(mark, key, 1, stop - start, NATS, rng, V)[0]
    return text


def overlap(found: Segment, start: int, stop: int) -> float:
    """Intersection over union."""
    both = max(0, min(found.stop, stop) - max(found.start, start))
    return both / (found.stop - found.start + stop - start - both)


@pytest.mark.parametrize("mark", [Gumbel(), Kgw(vocabulary=V, delta=4.0)], ids=lambda mark: mark.name())
def test_a_hundred_of_two_thousand(mark: TextWatermark) -> None:
    """At a level of 1 % of documents, the median overlap is at least 0.8; in the same texts another key finds nothing."""
    rng = np.random.default_rng(1)
    key = mark.random_key(rng)
    begin = [0, 1900, *rng.integers(0, 1900, 3).tolist()]
    texts = [inserted(mark, key, [(start, start + 100)], 2000, start) for start in begin]
    found = segments(mark, key, Tokens.of(texts), 0.01, keys=199)
    best = [max((overlap(one, s, s + 100) for one in found if one.text == i), default=0.0) for i, s in enumerate(begin)]
    assert np.median(best) >= 0.8, best
    assert min(best) > 0.3
    assert all(one.p <= 0.01 and one.log10_p < -5 for one in found)
    shifted = [
        max((overlap(one, s + 40, s + 140) for one in found if one.text == i), default=0.0) for i, s in enumerate(begin)
    ]
    assert np.median(shifted) < 0.6
    assert segments(mark, mark.random_key(rng), Tokens.of(texts[:2]), 0.01, keys=99) == []


def test_two_parts_of_a_text() -> None:
    mark, key = Gumbel(), Key("g", (5,))
    texts = [inserted(mark, key, [(100, 220), (600, 700)], 1000, 0), inserted(mark, key, [], 1000, 1)]
    found = segments(mark, key, Tokens.of(texts), keys=199)
    assert [one.text for one in found] == [0, 0]
    assert overlap(found[0], 100, 220) > 0.7
    assert overlap(found[1], 600, 700) > 0.7
    assert found[0].stop <= found[1].start


@pytest.mark.parametrize(
    "mark", [Gumbel(), Kgw(vocabulary=V), Synthid(), Unigram(vocabulary=V)], ids=lambda mark: mark.name()
)
def test_few_texts_without_a_mark_have_one(mark: TextWatermark) -> None:
    """Each text under its own key: at most 5 % beyond what a binomial gives, at the level of 5 %; not so at 50 %."""
    rng = np.random.default_rng(2)
    many = 60 if isinstance(mark, Synthid) else 150
    texts = [np.tile(rng.integers(1, V, 60), 2) if i % 2 else rng.integers(1, V, 90) for i in range(many)]
    hits, half = 0, 0
    for text in texts:
        key, tokens = mark.random_key(rng), Tokens.of([text])
        seed = int(rng.integers(2**31))
        found = segments(mark, key, tokens, 0.5, keys=19, seed=seed)
        half += bool(found)
        hits += any(one.p <= 0.05 for one in found)
    assert hits <= stats.binom.ppf(0.9999, many, 0.05)
    assert half > stats.binom.ppf(0.9999, many, 0.05)
    assert half <= stats.binom.ppf(0.9999, many, 0.5)


def test_texts_that_are_too_short_or_say_nothing_new() -> None:
    mark, key = Gumbel(), Key("g", (1,))
    texts = [[], [3], list(range(LEAST - 1)), [7] * 500, [1, 2] * 300]
    assert segments(mark, key, Tokens.of(texts), 0.05) == []
    assert segments(mark, key, Tokens.of([])) == []
    just = write(mark, key, 1, LEAST, 4.5, np.random.default_rng(0), V)[0]
    found = segments(mark, key, Tokens.of([[], just, []]), 0.05)
    assert [(one.text, one.start, one.stop, one.n) for one in found] == [(1, 0, LEAST, LEAST)]


def test_texts_are_judged_one_by_one() -> None:
    """What others hold changes neither places nor numbers."""
    mark, key = Gumbel(), Key("g", (5,))
    text = inserted(mark, key, [(50, 150)], 300, 4)
    alone = segments(mark, key, Tokens.of([text]), keys=99)
    between = segments(mark, key, Tokens.of([[1], text, [2, 3]]), keys=99)
    assert len(alone) == 1
    assert [(one.start, one.stop, one.n, one.p, one.log10_p) for one in alone] == [
        (one.start, one.stop, one.n, one.p, one.log10_p) for one in between
    ]
    assert between[0].text == 1


def test_levels_that_are_none() -> None:
    for level in (0.0, 1.0, -0.1, 2.0, float("nan")):
        with pytest.raises(SpecError, match="'level' is a probability"):
            segments(Gumbel(), Key("g", (1,)), Tokens.of([[1, 2]]), level)
    tokens = Tokens.of([np.arange(200)])
    assert segments(Gumbel(), Key("g", (1,)), tokens, 0.002, keys=9) == []  # as many keys as the level needs are drawn
