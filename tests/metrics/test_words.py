"""Words rebuilt from tokens of any level: metrics of words, gibberish, the structure of sentences."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import Experiment, SpecError, run
from remission.checks import check_experiment
from remission.data import Space
from remission.interfaces import FiniteSource, Metric, Model, Sampling
from remission.metrics._words import pieces_of, real_texts
from remission.metrics.compression import Compression
from remission.metrics.distinct import Distinct
from remission.metrics.gibberish import Gibberish
from remission.metrics.lexical import Lexical
from remission.metrics.novel_ngrams import NovelNgrams
from remission.metrics.repetition import Repetition
from remission.metrics.self_bleu import SelfBleu
from remission.metrics.sentence_structure import SentenceStructure
from remission.metrics.unseen import Unseen
from remission.metrics.zipf_slope import ZipfSlope
from remission.numerics.words import alphabet, character_ngrams, is_word, numbered, pieces
from remission.rng import Streams
from remission.sources import _text
from remission.sources.prose import Prose
from remission.view import View

OF_WORDS = (
    Distinct, SelfBleu, Repetition, lambda **more: Lexical(window=7, draws=20, **more), lambda **more: NovelNgrams(n=2, **more),
    Unseen, lambda **more: ZipfSlope(of="sample", **more),
)  # fmt: skip
SENTENCES = (
    "The cat sat on the mat, and the dog ran to the gate. It was a warm day of May! Was the old man at home? He was in "
    "the garden of his brother, who had 3 sons and 12 sheep. But the night came, and with it the rain."
)


class Given(Model):
    """Draws what the state holds."""

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state[:, :n]


class Kept(FiniteSource):
    """Blocks of text from memory."""

    number: int = 0

    @property
    def space(self):
        return HELD[self.number][0]

    def items(self):
        return HELD[self.number][1]


HELD: dict[int, Any] = {}


def source_of(number: int, documents: list[str], level: str, length: int) -> Kept:
    loaded = _text.blocks([_text.tokens(one, level, False) for one in documents], length, None, level, "test", False)
    HELD[number] = loaded.space, loaded.items
    return Kept(number=number)


def look(sample, reference, real=None, *, space: Space, source: Any = None) -> View:
    sample, reference = np.asarray(sample), np.asarray(reference)
    return View(
        generation=1, space=space, law=None, reference=reference, real=reference if real is None else np.asarray(real),
        model=Given(), state=sample, sampling=Sampling(), training=None, evaluation=sample.shape[1],
        streams=Streams.of(1, range(len(sample))), source=source,
    )  # fmt: skip


def measured(metric: Metric, view: View) -> dict[str, Any]:
    return metric.measure(view.for_metric(view.streams, metric.prepare(view)))


def characters(texts: list[str]) -> tuple[Space, np.ndarray]:
    """Equally long texts as blocks of characters."""
    names = tuple(sorted(set("".join(texts))))
    blocks = np.array([[names.index(char) for char in one] for one in texts])
    return Space("tokens", (blocks.shape[1],), len(names), names, joiner=""), blocks


# --- words of running text -------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("abZ é-'3.,! \n"), max_size=40))
def test_pieces_are_the_words_of_the_text_sources(sentence):
    """A second implementation: what sources cut, apart from words with digits, which are two pieces here."""
    joined = re.sub(r"(?<=\w)['-](?=\w)", "", sentence)
    if not any(a.isdigit() != b.isdigit() and a.isalnum() and b.isalnum() for a, b in pairwise(joined)):
        assert pieces([sentence])[0] == _text.words(sentence)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_pieces_lose_nothing_but_blanks(texts):
    found = pieces(texts)
    assert len(found) == len(texts)
    for one, parts in zip(texts, found, strict=True):
        assert "".join(parts) == "".join(one.split())
        assert parts == pieces([one])[0]
        assert all(part and not part.isspace() for part in parts)


@given(
    st.lists(st.sampled_from(["man", "é", "3.5", "don't", "well-known", ".", "हिन्दी"]), min_size=4, max_size=9),
    st.data(),
)
def test_a_cut_text_has_only_whole_words(words, data):
    whole = " ".join(words)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    inside = pieces([whole[start:stop]], cut=True)[0]
    every = pieces([whole])[0]
    assert not Counter(inside) - Counter(every)
    touching = pieces([whole[start:stop]])[0]
    assert len(touching) - 4 <= len(inside) <= len(touching)


def test_pieces_by_hand():
    assert pieces(["cut here now"], cut=True) == [["here"]]
    assert pieces([" cut here. "], cut=True) == [["cut", "here", "."]]
    assert pieces(["one"], cut=True) == [[]]
    assert pieces([]) == []
    assert pieces(["", " \n"]) == [[], []]
    assert pieces(["ab\ufffdc \ufffd"]) == [["ab\ufffdc", "\ufffd"]]
    assert [is_word(piece) for piece in ("a", "Édouard", "\ufffd", "3", ".", "_")] == [True] * 3 + [False] * 3


@given(st.lists(st.text(st.sampled_from("abc. "), max_size=9), min_size=1, max_size=4), st.integers(1, 4))
def test_character_ngrams_against_slices(texts, n):
    letters = alphabet(texts)
    slices = [one[i : i + n] for one in texts for i in range(len(one) - n + 1)]
    codes = character_ngrams(texts, letters, n).tolist()
    assert len(codes) == len(slices)
    assert len(set(codes)) == len(set(slices))
    assert len(set(zip(codes, slices, strict=True))) == len(set(slices))
    known = {char: number for char, number in letters.items() if char != "a"}
    unknown = character_ngrams(texts, known, n)
    assert (unknown == -1).tolist() == ["a" in one for one in slices]


def test_numbers_of_pieces_are_the_same_everywhere():
    one, other = numbered([["to", "be"], ["or"]]), numbered([["or", "to"]])
    assert one.flat.tolist() == [*other.flat[1:].tolist(), one.flat[1], other.flat[0]]
    assert one.starts.tolist() == [0, 2, 3]
    assert numbered([]).count == 0
    assert numbered([[]]).flat.size == 0


# --- metrics of words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", OF_WORDS)
def test_words_of_words_are_the_tokens(build):
    """Where tokens are words already, the two units agree."""
    source = Prose(length=40)
    blocks = np.array([[row for row in source.items() if "\n" not in source.space.text(row)][:80]])
    view = look(blocks[:, :40], blocks[:, 40:], blocks[:, 40:], space=source.space)
    same = [blocks_ for blocks_ in view.state[0] if pieces([source.space.text(blocks_)])[0] == [
        source.space.names[token] for token in blocks_
    ]]  # fmt: skip
    assert len(same) > 20
    view = look([same[:10]], [same[10:20]], space=source.space)
    tokens, words = measured(build(), view), measured(build(unit="words"), view)
    for column, values in tokens.items():
        np.testing.assert_allclose(words[column], values, rtol=1e-12)


@pytest.mark.parametrize("build", OF_WORDS)
def test_metrics_of_words_do_not_see_how_text_is_cut_into_tokens(build):
    """Characters and pairs of characters that make the same text give the same numbers; tokens do not."""
    texts = [f" {SENTENCES[start : start + 62]} " for start in (0, 20, 40, 60, 80, 100)]
    space, blocks = characters(texts)
    pairs = [[one[i : i + 2] for i in range(0, 64, 2)] for one in texts]
    names = tuple(sorted({pair for one in pairs for pair in one}))
    wide = np.array([[names.index(pair) for pair in one] for one in pairs])
    fine = measured(build(unit="words"), look([blocks[:3]], [blocks[3:]], space=space))
    coarse_space = Space("tokens", (32,), len(names), names, joiner="")
    coarse = measured(build(unit="words"), look([wide[:3]], [wide[3:]], space=coarse_space))
    for column, values in fine.items():
        np.testing.assert_array_equal(values, coarse[column])
        assert values.shape == (1,)


def test_words_are_counted_as_words():
    space, blocks = characters([" to be to be "] * 2 + [" or not, or. "] * 2)
    view = look([blocks[:2]], [blocks[2:]], space=space)
    found = measured(Distinct(unit="words"), view)
    assert (found["1"][0], found["2"][0]) == (2 / 8, 2 / 6)
    unseen = measured(Unseen(unit="words"), view)
    assert (unseen["hapax"][0], unseen["chao1"][0]) == (0.0, 2.0)
    assert measured(Lexical(unit="words"), view)["ttr"][0] == 2 / 8
    novel = measured(NovelNgrams(n=1, unit="words"), view)
    assert (novel["novel"][0], novel["recall"][0]) == (1.0, 0.0)
    assert measured(ZipfSlope(unit="words"), view)[""][0] == pytest.approx(0, abs=1e-12)
    assert Distinct(unit="words").label == "distinct[unit=words]"


def test_no_more_words_than_the_reference_has():
    """The sample is cut to as many words; documents that begin later are gone, not empty."""
    space, blocks = characters([" a b c d e f "] * 3 + [" aaaaa bbbb  "] * 3)
    view = look([blocks[:3]], [blocks[3:]], space=space)
    assert measured(Distinct(unit="words"), view)["1"][0] == 1.0  # six words of eighteen
    assert np.isnan(measured(SelfBleu(unit="words"), view)[""][0])  # one document is left


def test_text_without_a_word():
    space, blocks = characters(["abcdef", "......"])
    for metric in (*(build(unit="words") for build in OF_WORDS), Gibberish(), SentenceStructure()):
        for first, second in ((0, 1), (1, 0), (0, 0)):
            view = look(blocks[None, [first]], blocks[None, [second]], space=space)
            for column, values in measured(metric, view).items():
                assert values.shape == (1,), column


def test_symbols_make_no_words():
    symbols = SimpleNamespace(space=Space("symbols", (), 5), model=Given())
    for metric in (Unseen(unit="words"), ZipfSlope(unit="words")):
        assert "no words" in metric.refuses(symbols)
        assert type(metric)().refuses(symbols) == ""
    with pytest.raises(SpecError, match="words are those of the sample"):
        ZipfSlope(unit="words", of="training")
    assert ZipfSlope(unit="words").samples
    assert not ZipfSlope().samples


def test_bytes_that_are_no_character_are_text_too():
    """Names of byte-level tokens hold lone surrogates; nothing fails, and broken characters are letters."""
    names = ("caf", "\udcc3", "\udca9", " ", "the", ".")
    space = Space("tokens", (7,), len(names), names, joiner="")
    whole, broken = [3, 0, 1, 2, 3, 4, 3], [3, 0, 1, 3, 4, 5, 3]
    assert pieces_of(space, np.array([whole, broken])) == [["café", "the"], ["caf\ufffd", "the", "."]]
    view = look([[broken] * 2], [[whole] * 2], space=space)
    assert measured(Gibberish(), view)["words"][0] == 0.5
    assert Compression().measure(view)[""][0] > 0


# --- gibberish ---------------------------------------------------------------------------------------------------------


def gibberish_of(source: Kept, sample, reference) -> dict[str, float]:
    found = measured(Gibberish(), look([sample], [reference], space=source.space, source=source))
    return {column: float(values[0]) for column, values in found.items()}


def test_gibberish_against_plain_sets():
    """All real text without the reference's own, by string search."""
    source = source_of(1, [SENTENCES * 3, SENTENCES.upper(), "Zebra crossings, zebra herds."], "character", 24)
    items, space = source.items(), source.space
    rng = np.random.default_rng(0)
    order = rng.permutation(len(items))
    reference, sample = items[order[:6]], rng.integers(0, space.size, (9, 24))
    sample[:5] = items[order[3:8]]
    found = gibberish_of(source, sample, reference)
    texts = {
        name: [space.text(row).lower() for row in rows]
        for name, rows in (("s", sample), ("r", reference), ("all", items))
    }
    words = {name: [p for part in pieces(rows, cut=True) for p in part if is_word(p)] for name, rows in texts.items()}
    grams = {name: [row[i : i + 4] for row in rows for i in range(21)] for name, rows in texts.items()}
    for column, table in (("words", words), ("characters", grams)):
        known = Counter(table["all"]) - Counter(table["r"])
        assert found[column] == pytest.approx(np.mean([one not in known for one in table["s"]]), abs=1e-12)
        assert found[f"real-{column}"] == pytest.approx(np.mean([one not in known for one in table["r"]]), abs=1e-12)
    assert found["words"] > found["real-words"] > 0


@pytest.mark.parametrize("level", ["character", "word"])
def test_gibberish_rises_with_noise_and_not_with_narrowing(level):
    source = Prose(length=60 if level == "character" else 20, level=level, lower=True)
    items = source.items()
    order = np.random.default_rng(1).permutation(len(items))
    reference, honest = items[order[:200]], items[order[200:400]]
    noise = honest.copy()
    spoilt = np.random.default_rng(2).random(noise.shape) < 0.15
    noise[spoilt] = np.random.default_rng(3).integers(0, 30, spoilt.sum())
    narrowed = honest[np.arange(200) % 10]
    rates = {
        name: gibberish_of(source, rows, reference)
        for name, rows in (("honest", honest), ("noise", noise), ("narrow", narrowed))
    }
    assert rates["honest"]["words"] == rates["honest"]["characters"] == 0.0  # it is real text, and not the reference's
    assert rates["honest"]["real-words"] == rates["noise"]["real-words"]
    assert rates["narrow"]["words"] == 0.0
    if level == "character":
        assert rates["noise"]["words"] > 0.3 > rates["noise"]["real-words"]
        assert rates["noise"]["characters"] > 0.1
    else:
        assert rates["noise"]["words"] == 0.0  # tokens are words: nothing else can be written


def test_gibberish_without_a_set_of_text():
    """A law of text has no list of its own: the training items of fit 1 stand for it."""
    space, blocks = characters([" to be or not ", " to be or xyz ", " to be to be "][:2])
    view = look([blocks], [blocks[:1]], [blocks[:1]], space=space)
    assert real_texts(view) is None
    found = measured(Gibberish(), view)
    assert found["words"][0] == 1 / 8
    assert found["real-words"][0] == 0.0


# --- sentence structure ------------------------------------------------------------------------------------------------


def structure(sample: list[str], reference: list[str], **fields: Any) -> dict[str, float]:
    space, blocks = characters([one.ljust(max(map(len, sample + reference))) for one in sample + reference])
    view = look([blocks[: len(sample)]], [blocks[len(sample) :]], space=space)
    return {column: float(values[0]) for column, values in measured(SentenceStructure(**fields), view).items()}


def test_structure_by_hand():
    """Two common words stay, others become shapes; sentences count words between two ends."""
    reference = [" . the cat saw the dog . Anna ran . "]
    found = structure(reference, reference, n=2, frequent=1)
    assert (found["distinct"], found["effective"], found["js"]) == (1.0, 1.0, 0.0)
    assert (found["length"], found["length-spread"]) == (1.0, 1.0)
    other = structure([" . the hen met the fox . Otto sat . "], reference, n=3, frequent=1)
    assert (other["distinct"], other["js"]) == (1.0, 0.0)  # other words, the same structure
    assert structure([" . hens met the fox . Otto sat on . "], reference, n=3, frequent=1)["js"] > 0.1
    one = structure([" . a b c d e f g h . a b c d e f . "], [" . a b . a b c d . a b c . "])
    assert one["length"] == pytest.approx(7 / 3)
    assert one["length-spread"] == pytest.approx(1 / math.sqrt(2 / 3))
    assert math.isnan(structure(["no end here"], ["no end here"])["length"])


def test_structure_against_plain_counters():
    words = ["the", "of", "cat", "dog", "runs", "sees", "and", "Anna", "7", ",", "."]
    rng = np.random.default_rng(5)
    sample, reference = (
        [" ".join(words[i] for i in rng.choice(11, 30, p=p)) for _ in range(12)]
        for p in (rng.dirichlet(np.ones(11)), rng.dirichlet(np.ones(11)))
    )
    space, blocks = characters([f" {one} ".ljust(200) for one in sample + reference])
    found = measured(SentenceStructure(n=3, frequent=2), look([blocks[:12]], [blocks[12:]], space=space))
    common = [
        word for word, _ in Counter(p.lower() for one in reference for p in one.split() if p.isalpha()).most_common(2)
    ]
    ties = sorted(Counter(p.lower() for one in reference for p in one.split() if p.isalpha()).values())[-3:]
    assert len(set(ties)) == 3, "the test needs an unambiguous choice"

    def patterns(texts):
        out = []
        for one in texts:
            row = [
                p if p.lower() in common or p in ",." else "N" if p == "7" else "W" if p[0].isupper() else "w"
                for p in one.split()
            ]
            row = [p.lower() if p.lower() in common else p for p in row]
            out += [tuple(row[i : i + 3]) for i in range(len(row) - 2)]
        return out

    one, other = patterns(sample), patterns(reference)
    places = min(len(one), len(other))
    p, q = Counter(one[:places]), Counter(other[:places])
    assert found["distinct"][0] == len(p) / len(q)
    entropies = [-sum(c / places * math.log(c / places) for c in table.values()) for table in (p, q)]
    assert found["effective"][0] == pytest.approx(math.exp(entropies[0] - entropies[1]))
    middle = {key: (p[key] + q[key]) / 2 for key in p | q}
    js = sum(t[key] / places / 2 * math.log(t[key] / middle[key]) for t in (p, q) for key in t)
    assert found["js"][0] == pytest.approx(js)


@pytest.mark.parametrize("level", ["word", "character"])
def test_structure_narrows_and_drifts(level):
    source = Prose(length=60 if level == "word" else 300, level=level)
    items, space = source.items(), source.space
    order = np.random.default_rng(0).permutation(len(items))
    reference, honest = items[order[:150]], items[order[150:300]]
    noise = np.stack([np.random.default_rng(i).permutation(row) for i, row in enumerate(honest)])
    cases = {"honest": honest, "narrowed": honest[np.arange(150) % 12], "noise": noise}
    found = {
        name: measured(SentenceStructure(), look([rows], [reference], space=space)) for name, rows in cases.items()
    }
    value = {column: {name: float(found[name][column][0]) for name in cases} for column in SentenceStructure.columns}
    assert value["distinct"]["honest"] == pytest.approx(1, abs=0.15)
    assert value["distinct"]["narrowed"] < 0.3
    assert value["effective"]["narrowed"] < 0.3 < 0.8 < value["effective"]["honest"]
    assert value["js"]["honest"] < min(value["js"]["narrowed"], value["js"]["noise"])
    assert value["length"]["honest"] == pytest.approx(1, abs=0.2)
    if level == "word":
        assert value["distinct"]["noise"] > 1.05


# --- all of them --------------------------------------------------------------------------------------------------------

ALL = [
    *(build(unit="words") for build in OF_WORDS),
    Gibberish(),
    Gibberish(n=2),
    SentenceStructure(),
    SentenceStructure(n=2),
]


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.label)
def test_blocks_agree_bit_for_bit(metric):
    source = Prose(length=80, level="character")
    rng = np.random.default_rng(4)
    sample, reference, real = (source.items()[rng.integers(0, 5000, (3, 20))] for _ in range(3))
    block = measured(metric, look(sample, reference, real, space=source.space, source=source))
    for i in range(3):
        rows = (part[i : i + 1] for part in (sample, reference, real))
        alone = measured(metric, look(*rows, space=source.space, source=source))
        for column, values in alone.items():
            assert values.tobytes() == block[column][i : i + 1].tobytes(), column


def test_in_the_loop():
    """A chain of characters at a low temperature narrows: fewer words, fewer structures, no more gibberish."""
    metrics = (Gibberish(), SentenceStructure(), Distinct(unit="words"), Lexical(unit="words"), Unseen(unit="words"))
    trial = Experiment.from_toml(
        """
[experiment]
generations = 4
replicates = 2
samples = 150
seed = 3
[source]
kind = "prose"
length = 200
level = "character"
[model]
kind = "ngram"
order = 5
[regime]
kind = "replace"
[sampling]
temperature = 0.6
"""
    )
    trial = dataclasses.replace(trial, metric=metrics)
    assert check_experiment(trial) == []
    first, *_, last = (generation.rows for generation in run(trial))
    for row in (
        "distinct[unit=words].2",
        "lexical[unit=words].mtld",
        "unseen[unit=words].hapax",
        "sentence-structure.effective",
    ):
        assert (last[row] < 0.8 * first[row]).all(), row
    assert (last["gibberish.real-words"] == first["gibberish.real-words"]).all()
