"""Text detectors from end to end: what they learn, what they ignore, what they survive."""

from __future__ import annotations

import gzip
import json
import pickle

import numpy as np
import pytest

from remission import registry
from remission.calibration.fitted import FittedDetector
from remission.detectors import _training
from remission.detectors._reading import lengths
from remission.detectors._stacking import mixed, mixture, separation
from remission.documents import Documents
from remission.errors import DataError, FitError, SpecError

NAMES = ["compression", "likelihood-ratio", "ngrams", "style", "text"]
HUMAN = [
    "well",
    "i",
    "reckon",
    "the",
    "dog",
    "ran",
    "off",
    "and",
    "we",
    "never",
    "did",
    "find",
    "him",
    "though",
    "my",
    "brother",
    "looked",
    "all",
    "night",
    "long",
]
MACHINE = [
    "it",
    "is",
    "important",
    "to",
    "note",
    "that",
    "the",
    "intricate",
    "interplay",
    "of",
    "various",
    "factors",
    "plays",
    "a",
    "crucial",
    "role",
    "overall",
]
SHARED_WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "was",
    "for",
    "on",
    "with",
    "garden",
    "river",
    "table",
    "music",
    "winter",
    "market",
    "engine",
    "letter",
]


def passage(rng: np.random.Generator, synthetic: bool, domain: int, words: int = 70) -> str:
    """Words of a class, words of a domain, and shared ones, with some punctuation."""
    own = MACHINE if synthetic else HUMAN
    topic = [f"{stem}{'ab'[domain]}" for stem in ("stor", "weath", "trav", "cook")]
    pool = [own, SHARED_WORDS, topic]
    out = [pool[rng.choice(3, p=[0.25, 0.6, 0.15])] for _ in range(words)]
    return " ".join(
        some[rng.integers(len(some))] + (rng.choice([".", ","]) if rng.random() < 0.12 else "") for some in out
    )


def corpus(n: int = 60, seed: int = 0) -> Documents:
    rng = np.random.default_rng(seed)
    synthetic, domain = np.arange(2 * n) % 2 == 1, np.arange(2 * n) // 2 % 2
    items = [passage(rng, bool(flag), int(number)) for flag, number in zip(synthetic, domain, strict=True)]
    generator = np.where(synthetic, np.where(np.arange(2 * n) % 3 == 0, "one", "two"), "human")
    columns = {"domain": np.array(["a", "b"])[domain], "generator": generator}
    return Documents(items, columns, synthetic, np.arange(2 * n) // 2)


@pytest.fixture(scope="module")
def fitted() -> dict[str, FittedDetector]:
    settings = {"ngrams": {"bits": 14}, "text": {"bits": 14}}
    return {
        name: FittedDetector.fit(registry.load("detectors", name)(**settings.get(name, {})), corpus()) for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_they_learn_what_differs(name: str, fitted) -> None:
    test = corpus(30, seed=1)
    scores = fitted[name].score(test.items)
    assert separation(scores, test.synthetic) > 0.95
    shuffled = np.random.default_rng(0).permutation(test.synthetic)
    assert abs(separation(scores, shuffled) - 0.5) < 0.25  # the check can fail


@pytest.mark.parametrize("name", NAMES)
def test_fits_repeat_and_are_stored(name: str, fitted, tmp_path) -> None:
    again = FittedDetector.fit(fitted[name].detector, corpus())
    assert again.content == fitted[name].content
    again.save(tmp_path / "it")
    items = corpus(5, seed=2).items
    assert FittedDetector.load(tmp_path / "it").score(items).tolist() == fitted[name].score(items).tolist()
    assert all(array.dtype != object for array in again.state.values())


@pytest.mark.parametrize("name", NAMES)
def test_odd_items(name: str, fitted) -> None:
    items = [
        "", " \n\t ", "...", "\ud800", "\x00", "one", "12", "word " * 200_000, "x" * 1_000_000, "\u0301" * 5000,
        "\u00c3\u00a9\u00e2\u20ac\u2122 caf\u00c3", "\u4f60\u597d\u4e16\u754c", "a\ud800b c", "&#0; &amp;", "\ufffd\ufffd ok",
    ]  # fmt: skip
    scores = fitted[name].score(items)
    assert np.isnan(scores[[0, 1, 2, 3, 4, 9, 13]]).all()
    assert np.isfinite(scores[[5, 6, 7, 8, 10, 11, 12, 14]]).all()
    alone = np.array([fitted[name].score([item])[0] for item in items])
    assert np.array_equal(scores, alone, equal_nan=True)
    assert fitted[name].score([]).shape == (0,)
    with pytest.raises(DataError, match="takes str"):
        fitted[name].score([b"bytes"])


@pytest.mark.parametrize("name", NAMES)
def test_only_the_first_words_are_read(name: str, fitted) -> None:
    one, other = (" ".join([SHARED_WORDS[i % 18] for i in range(2000)] + tail * 50) for tail in (HUMAN, MACHINE))
    assert fitted[name].score([one])[0] == fitted[name].score([other])[0]


@pytest.mark.parametrize("name", NAMES)
def test_layout_moves_nothing(name: str, fitted) -> None:
    items = corpus(10, seed=3).items
    changed = [text.replace(" ", "\n\n").replace(",", " ,").replace(".", " .").upper() for text in items]
    assert fitted[name].score(changed).tolist() == fitted[name].score(items).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_seen(name: str, fitted) -> None:
    """Reading what is left changes nothing more, so an audit of it sees what the detector sees."""
    items = [
        "\u201cDo n't\n go\u201d ,  Caf\u00e9 \u2014 \u4f60 \u0440\u0435\u0430\u0440 ... 1984",
        "",
        "plain words here",
    ]
    seen = fitted[name].detector.seen(items)
    assert seen == ['" don\'t go", cafe\u2014 \u4f60 peap.. 0000', "", "plain words here"]
    assert fitted[name].detector.seen(seen) == seen
    assert np.array_equal(fitted[name].score(seen), fitted[name].score(items), equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_learned_from(name: str) -> None:
    detector = registry.load("detectors", name)()
    with pytest.raises(FitError, match="at least 2 human and 2 synthetic"):
        detector.fit(Documents(["word", "...", "word two"], synthetic=np.array([True, False, True])))
    with pytest.raises(DataError, match="one kind only"):
        FittedDetector.fit(detector, Documents(["a b", "c d"], synthetic=np.array([True, True])))
    tiny = Documents(
        ["my dog ran", "my cat ran", "it is crucial", "it is key"], synthetic=np.array([False, False, True, True])
    )
    assert np.isfinite(detector.fit(tiny) and detector.score(detector.fit(tiny), ["dog ran"])).all()


def test_parameters_are_checked() -> None:
    for name, bad in (("ngrams", {"bits": 40}), ("text", {"penalty": 0}), ("compression", {"level": 10}), ("style", {"strength": -1})):  # fmt: skip
        with pytest.raises(SpecError):
            registry.load("detectors", name)(**bad)
    part = registry.load("detectors", "text")()
    assert pickle.loads(pickle.dumps(part)) == part


def test_joined_words_are_no_feature(fitted) -> None:
    """Human texts that lost blanks in the fit: the detector must not take other human texts for synthetic."""
    rng = np.random.default_rng(4)

    def lost(text: str) -> str:
        return "".join(char if char != " " or rng.random() > 0.2 else "" for char in text)

    plain = corpus()
    damaged = Documents(
        [text if flag else lost(text) for text, flag in zip(plain.items, plain.synthetic, strict=True)],
        plain.columns, plain.synthetic, plain.units,
    )  # fmt: skip
    test = corpus(30, seed=5)
    learned = FittedDetector.fit(fitted["ngrams"].detector, damaged)
    human = [text for text, flag in zip(test.items, test.synthetic, strict=True) if not flag]
    gap = np.diff([learned.score(test.items)[flags].mean() for flags in (~test.synthetic, test.synthetic)])[0]
    moved = learned.score(human) - learned.score([lost(text) for text in human])
    assert gap > 1
    assert abs(moved.mean()) < 0.15 * gap


def test_weights_balance_classes_domains_and_lengths() -> None:
    rng = np.random.default_rng(0)
    domain = np.repeat([1, 2, 2, 2], 100)
    synthetic = rng.random(400) < np.where(domain == 1, 0.8, 0.5)
    length = rng.integers(10, 50, 400) + 40 * synthetic * (rng.random(400) < 0.5)
    weight = _training.balanced(synthetic, domain, length)
    assert weight.mean() == pytest.approx(1)
    assert weight[synthetic].sum() == pytest.approx(weight[~synthetic].sum())
    share = [weight[domain == number].sum() for number in (1, 2)]
    assert share[1] / share[0] == pytest.approx(np.sqrt(3), rel=0.05)
    for number in (1, 2):
        here = domain == number
        plain = [length[here & flags].mean() for flags in (synthetic, ~synthetic)]
        balanced = [np.average(length[here & flags], weights=weight[here & flags]) for flags in (synthetic, ~synthetic)]
        assert abs(balanced[0] - balanced[1]) < abs(plain[0] - plain[1])


def test_folds_keep_units_and_hold_out_domains_and_generators() -> None:
    training, _ = _training.Training.of(corpus())
    kinds = []
    for learn, judge, what in _training.folds(training, 0):
        kinds.append(what)
        assert not set(learn) & set(judge)
        if what == "unit":
            assert not set(training.units[learn]) & set(training.units[judge])
        if what == "domain":
            assert not set(training.domain[learn]) & set(training.domain[judge])
        if what == "generator":
            flags = training.synthetic
            assert not set(training.generator[learn[flags[learn]]]) & set(training.generator[judge[flags[judge]]])
    assert kinds == ["unit"] * 2 + ["domain"] * 2 + ["generator"] * 2


def test_excerpts_are_the_texts() -> None:
    training, _ = _training.Training.of(corpus())
    part = _training.take(training.reading, np.array([3, 0, 3]))
    assert lengths(part).tolist() == lengths(training.reading)[[3, 0, 3]].tolist()
    assert part.hashes[: part.starts[1]].tolist() == part.hashes[part.starts[2] :].tolist()


def test_mixture_finds_what_is_worth_something() -> None:
    rng = np.random.default_rng(0)
    synthetic = rng.random(2000) < 0.5
    good, noise, turned = synthetic + rng.normal(size=2000), rng.normal(size=2000), rng.normal(size=2000) - synthetic
    scores = np.column_stack([good, noise, turned])
    weights = mixture(scores, synthetic, np.ones(2000), [(0, 2000, "unit")], 3)
    assert weights[2] == 0
    assert (weights[:-1] >= 0).all()
    assert weights[0] * good.std() > 5 * weights[1] * noise.std()
    assert separation(mixed(scores, weights), synthetic) == pytest.approx(separation(good, synthetic), abs=0.01)
    assert mixture(np.empty((0, 3)), synthetic[:0], np.empty(0), [], 3).tolist() == [1, 0, 0, 0]


def test_mixture_forgives_what_shifts_as_a_whole() -> None:
    """Held-out domains move all scores of the better scorer, each its own way; that must not cost it its weight."""
    rng = np.random.default_rng(1)
    synthetic = rng.random(6000) < 0.5
    better, worse = 2 * synthetic + rng.normal(size=6000), synthetic + rng.normal(size=6000)
    better[2000:4000] += 5
    better[4000:] -= 5
    scores = np.column_stack([better, worse])
    held = [(0, 2000, "unit"), (2000, 4000, "domain"), (4000, 6000, "domain")]
    apart = mixture(scores, synthetic, np.ones(6000), held, 2)
    together = mixture(scores, synthetic, np.ones(6000), [(0, 6000, "unit")], 2)
    by_kind = mixture(scores, synthetic, np.ones(6000), [(0, 2000, "unit"), (2000, 6000, "domain")], 2)
    assert apart[0] > apart[1] > 0
    assert max(together[0], by_kind[0]) < apart[0] / 2


def test_kinds_of_folds_weigh_alike() -> None:
    """Whatever the number and size of their folds: here scorers that are right in one kind only."""
    rng = np.random.default_rng(2)
    synthetic = rng.random(6000) < 0.5
    one, other = rng.normal(size=6000), rng.normal(size=6000)
    one[:4500] += 2 * synthetic[:4500]
    other[4500:] += 2 * synthetic[4500:]
    held = [(0, 1500, "unit"), (1500, 3000, "unit"), (3000, 4500, "unit"), (4500, 6000, "domain")]
    weights = mixture(np.column_stack([one, other]), synthetic, np.ones(6000), held, 2)
    assert weights[0] == pytest.approx(weights[1], rel=0.2)


def test_separation_is_auroc() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    synthetic, scores = rng.random(300) < 0.3, np.round(rng.normal(size=300), 1)
    assert separation(scores, synthetic) == pytest.approx(roc_auc_score(synthetic, scores))
    assert separation(scores, np.zeros(300, bool)) == 0.5


def test_real_text(shared) -> None:
    """In domain well above chance, and hardly moved when newlines, quotes and spacing are drawn anew."""
    from benchmarks.detect_text import relaid

    with gzip.open(shared / "data/text-detection/fastdetect-api/data.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = [row for row in rows if row["domain"] != "pubmed"][::2]
    units = np.unique([row["pair"] for row in rows], return_inverse=True)[1]
    columns = {key: np.array([row[key] for row in rows]) for key in ("domain", "generator")}
    data = Documents([row["text"] for row in rows], columns, np.array([row["label"] == "ai" for row in rows]), units)
    test = np.array([row["split"] == "test" for row in rows])
    rng = np.random.default_rng(0)
    judged = data.take(test)
    again = judged.map(lambda text: relaid(text, rng))
    assert sum(one != other for one, other in zip(judged.items, again.items, strict=True)) > 0.9 * len(judged)
    learned = FittedDetector.fit(registry.load("detectors", "ngrams")(bits=18), data.take(~test))
    before, after = (separation(learned.score(part.items), part.synthetic) for part in (judged, again))
    assert before > 0.85
    assert abs(before - after) < 0.01
