"""What every detector must keep to, found by walking the registry: a new file is tested without being named anywhere."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.detectors.picture_files import FILES
from tests.detectors.tiny_models import gpt2

from remission import registry
from remission.calibration.fitted import FittedDetector
from remission.component import fields_of
from remission.documents import Documents
from remission.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
NAMES = registry.names("detectors")
CLOSE = {
    "language-model": 1e-4,
    "lab-model": 1e-4,
}  # networks sum in another order in another batch; all others are exact
# what is given besides the defaults, where there is a field that has none or a state that needs one
GIVEN = {"language-model": {"model": "gpt2"}, "lab-model": {"run": "run"}}
N = 90  # items of each kind
STOCK = (
    "it is important to note that", "delves into the intricate tapestry of", "plays a crucial role in", "Furthermore,",
    "a testament to the enduring", "In conclusion,", "navigating the complexities of", "fostering a sense of",
)  # fmt: skip
RUN = """
[experiment]
generations = 1
replicates = 1
samples = 300
seed = 3
keep = "last"
[source]
kind = "prose"
level = "bpe"
vocabulary = 300
length = 48
[model]
kind = "transformer"
width = 32
layers = 1
heads = 2
steps = 60
batch = 32
warmup = 5
precision = "float32"
[regime]
kind = "replace"
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a tiny causal model and with a run that keeps one."""
    root = tmp_path_factory.mktemp("given")
    if "language-model" in NAMES:
        gpt2(root / "gpt2")
    if "lab-model" in NAMES:
        from remission import Experiment
        from remission.lab.execute import execute

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REMISSION_DATA", str(root / "cache"))
            execute(Experiment.from_toml(RUN), root / "run")
    return root


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Kind of item -> documents, half human and half synthetic, shuffled, in units of two and two domains."""
    folder = tmp_path_factory.mktemp("files")
    names = [name for name in FILES if FILES[name][1] != "unknown"]
    files = {"human": [], "synthetic": []}
    for i in range(20 * len(names)):
        data, kind, _ = FILES[names[i % len(names)]]
        path = folder / f"{i}-{names[i % len(names)]}"
        path.write_bytes(data)
        files["human" if kind == "human" else "synthetic"].append(path)
    return {
        "text": documents(*texts()),
        "picture": documents(list(grain(N, 1)), list(np.repeat(np.repeat(grain(N, 2)[:, ::2, ::2], 2, 1), 2, 2))),
        "file": documents(files["human"][:N], files["synthetic"][:N]),
    }


def texts():
    """Plain English of this repository, and a chain of word pairs of it with phrases that models are fond of."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    words = " ".join(path.read_text(encoding="utf-8") for path in files).split()
    dice = np.random.default_rng(0)
    after: dict[str, list[str]] = {}
    for one, other in pairwise(words):
        after.setdefault(one, []).append(other)
    human = [" ".join(words[k : k + 80]) for k in np.linspace(0, len(words) - 81, N).astype(int)]
    made = []
    for _ in range(N):
        chain = [words[dice.integers(len(words) - 1)]]
        while len(chain) < 80:
            if dice.random() < 0.15:
                chain += STOCK[dice.integers(len(STOCK))].split()
            follow = after.get(chain[-1], words)
            chain.append(follow[dice.integers(len(follow))])
        made.append(" ".join(chain))
    return human, made


def grain(n, seed):
    dice = np.random.default_rng(seed)
    base = np.cumsum(dice.normal(size=(n, 16, 16)), axis=2) + np.cumsum(dice.normal(size=(n, 16, 16)), axis=1)
    return np.clip(128 + 6 * base + 3 * dice.normal(size=base.shape), 1, 254).astype(np.uint8)


def documents(human, synthetic):
    items = [*human, *synthetic]
    flags = np.r_[np.zeros(len(human), bool), np.ones(len(synthetic), bool)]
    order = np.random.default_rng(3).permutation(len(items))
    columns = {
        "domain": np.array(["one", "two"])[order % 2],
        "generator": np.where(flags[order], "chain", ""),
    }
    return Documents([items[k] for k in order], columns, flags[order], (order // 2).astype(np.int64))


def made(name, given, **more):
    """A detector as the contract tries it."""
    fields = {key: str(given / value) for key, value in GIVEN.get(name, {}).items()}
    cls = registry.load("detectors", name)
    missing = [
        field.name
        for field in fields_of(cls)
        if field.default is field.default_factory is dataclasses.MISSING and field.name not in fields
    ]
    assert not missing, f"say in GIVEN what '{name}' is given for {', '.join(missing)}"
    return cls(**fields, **more)


@pytest.fixture(scope="module")
def fitted(given, corpora):
    """Name -> the detector fitted to the first two thirds, and the rest; each fitted once."""
    held = {}

    def of(name):
        if name not in held:
            whole = corpora[registry.load("detectors", name).takes]
            cut = 2 * len(whole) // 3
            train, rest = whole.take(np.arange(cut)), whole.take(np.arange(cut, len(whole)))
            held[name] = FittedDetector.fit(made(name, given), train, seed=1), train, rest
        return held[name]

    return of


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_does(name):
    cls = registry.load("detectors", name)
    told = inspect.getdoc(cls) or ""
    assert cls.__doc__, "a docstring of its own"
    fields = [field.name for field in fields_of(cls)]
    if fields:
        assert "Attributes:" in told
        listed = told.split("Attributes:")[1]
        assert all(re.search(rf"\b{field}\b", listed) for field in fields), fields
    score = inspect.getdoc(cls.score) or ""
    assert "igher" in told + score or cls.takes == "file", "which direction is synthetic"
    assert cls.takes in ("text", "picture", "file")
    assert cls.batch >= 1
    assert registry.summary("detectors", name)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_frozen_table(name, given):
    detector = made(name, given)
    table = json.loads(json.dumps(detector.table()))
    assert table.pop("kind") == name
    again = registry.load("detectors", name)(**{key: value for key, value in table.items() if value is not None})
    assert again == detector
    assert pickle.loads(pickle.dumps(detector)) == detector
    hash(detector)
    with pytest.raises(dataclasses.FrozenInstanceError):
        detector.kind = "other"


@pytest.mark.parametrize("name", NAMES)
def test_its_state_is_arrays_that_can_be_stored(name, fitted, tmp_path):
    one, _, rest = fitted(name)
    assert isinstance(one.state, dict)
    for key, array in one.state.items():
        assert isinstance(key, str)
        assert isinstance(array, np.ndarray), key
        assert not array.dtype.hasobject, key
    one.save(tmp_path / "kept")
    again = FittedDetector.load(tmp_path / "kept")
    assert again.content == one.content
    assert np.array_equal(again.score(rest.items), one.score(rest.items), equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_fit(name, fitted):
    """And a fit leaves its examples as they were."""
    one, train, _ = fitted(name)
    hashes, flags = train.hashes(), train.synthetic.copy()
    again = FittedDetector.fit(one.detector, train, seed=1)
    assert again.content == one.content
    assert train.hashes() == hashes
    assert np.array_equal(train.synthetic, flags)


@pytest.mark.parametrize("name", NAMES)
def test_an_item_is_scored_by_itself(name, fitted):
    """Order, neighbours, duplicates and pieces of work do not matter."""
    one, _, rest = fitted(name)
    items, near = list(rest.items[:24]), CLOSE.get(name, 0.0)
    whole = one.score(items)
    assert whole.shape == (24,)
    assert whole.dtype == np.float64
    assert not np.isinf(whole).any()

    def same(found, wanted):
        np.testing.assert_allclose(found, wanted, rtol=near, atol=near)

    order = np.random.default_rng(0).permutation(24)
    same(one.score([items[k] for k in order]), whole[order])
    same(np.concatenate([one.score([item]) for item in items]), whole)
    same(one.score(items + items), np.r_[whole, whole])
    assert np.array_equal(one.score(items), whole, equal_nan=True), "twice the same"
    assert one.score([]).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_items_that_nobody_can_judge(name, fitted):
    """Nothing raises and nothing is infinite; the others are scored as they would be without them."""
    one, _, rest = fitted(name)
    odd = {
        "text": [
            "",
            "   \n\t ",
            "a",
            "\ud800 alone",
            "\x00\x01",
            "word " * 40_000,
            "\u202e\u200b\u0301" * 20,
            "1 2 3 , . ; !",
        ],
        "picture": [np.zeros((16, 16), np.uint8), np.full((3, 3), 9, np.uint8), np.zeros((16, 16, 3), np.uint8)],
        "file": [],
    }[one.detector.takes]
    near = CLOSE.get(name, 0.0)
    found = one.score([*odd, *rest.items[:5]])
    assert found.shape == (len(odd) + 5,)
    assert not np.isinf(found).any()
    np.testing.assert_allclose(found[len(odd) :], one.score(rest.items[:5]), rtol=near, atol=near)


@pytest.mark.parametrize("name", NAMES)
def test_higher_is_more_likely_synthetic(name, fitted):
    """On held-out items of what it learned; where nothing is learned only that it gives numbers."""
    one, _, rest = fitted(name)
    scores = one.score(rest.items)
    known = ~np.isnan(scores)
    assert known.mean() > 0.5
    if one.detector.learns or one.detector.takes == "file":
        assert roc_auc_score(rest.synthetic[known], scores[known]) > 0.75


@pytest.mark.parametrize("name", [name for name in NAMES if registry.load("detectors", name).learns])
def test_one_kind_alone_is_refused(name, given, corpora):
    whole = corpora[registry.load("detectors", name).takes]
    for mask in (whole.synthetic, ~whole.synthetic):
        with pytest.raises(UsageError, match="one kind only"):
            FittedDetector.fit(made(name, given), whole.take(mask))
