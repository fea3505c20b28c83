"""The generator is known: models fitted here, as run folders and live; tokens as they are, and texts cut again."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.detectors.tiny_models import LICENSE, gpt2

from remission import Experiment
from remission.calibration.fitted import FittedDetector
from remission.data import Dataset, Space
from remission.detectors import _lm_lab, _lm_reference
from remission.detectors.lab_model import LabModel
from remission.documents import Documents
from remission.errors import DataError, FitError, SpecError, StoreError
from remission.interfaces import Sampling
from remission.lab.execute import execute
from remission.models.causal_lm import CausalLm
from remission.models.ngram import Ngram
from remission.models.transformer import Transformer
from remission.models.unigram import Unigram
from remission.networks import vocabulary
from remission.networks.rebuilt import rebuilt
from remission.notes import collected
from remission.rng import Streams
from remission.sources.file import File
from remission.sources.prose import Prose

LENGTH = 40
RUN = """
[experiment]
generations = 2
replicates = 2
samples = 60
seed = 3
keep = "all"
[source]
kind = "prose"
level = "character"
length = 24
[model]
kind = "transformer"
width = 16
layers = 1
heads = 2
steps = 30
batch = 16
warmup = 2
precision = "float32"
[regime]
kind = "replace"
[sweep]
"model.layers" = [1, 2]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return execute(Experiment.from_toml(RUN), tmp_path_factory.mktemp("runs") / "run").folder


@pytest.fixture(scope="module")
def world():
    """A transformer that was fitted to prose, what it writes, and prose it has not seen."""
    source = Prose(level="character", length=LENGTH)
    items = source.items()
    train, held = items[:400], items[400:520]
    model = Transformer(width=32, layers=1, heads=2, steps=150, batch=32, warmup=10, precision="float32")
    data = Dataset(source.space, train[None], np.zeros((1, len(train)), np.int32))
    streams = Streams.of(1, [0])
    state = model.fit(data, streams.at(1, "fit"))
    written = model.sample(state, 120, streams.at(1, "sample"), Sampling())[0]
    return source.space, model, state, train, held, written


def auroc(human, synthetic):
    return roc_auc_score(np.r_[np.zeros(len(human)), np.ones(len(synthetic))], np.r_[human, synthetic])


@pytest.mark.parametrize(("point", "replicate", "generation"), [(0, 0, 1), (0, 1, 2), (1, 1, 0)])
def test_the_model_of_a_run_is_found(folder, point, replicate, generation):
    """Its likelihood is that of the model itself, and a score survives being stored."""
    experiment = Experiment.from_toml(RUN).points[point].experiment
    detector = LabModel(
        run=str(folder), point=point, replicate=replicate, generation=generation, statistic="likelihood"
    )
    state = detector.fit(Documents([]))
    items = experiment.source.items()[:20]
    from remission.desk import read_tensors

    path, row = _lm_lab.kept(folder, point, replicate, generation)
    assert path.name.endswith(f"generation-{generation or 2:04d}.safetensors")
    whole = {name: tensor[row : row + 1] for name, tensor in read_tensors(path).items()}
    wanted = experiment.model.log_density(whole, items[None])[0] / items.shape[1]
    assert detector.score_tokens(state, items) == pytest.approx(wanted, abs=1e-5)
    texts = [experiment.source.space.text(block) for block in items]
    assert detector.score(state, texts) == pytest.approx(wanted, abs=1e-5)


def test_a_fitted_one_is_stored_without_its_run(folder, tmp_path):
    detector = LabModel(run=str(folder), generation=1)
    source = Experiment.from_toml(RUN).source
    texts = [source.space.text(block) for block in source.items()[:60]]
    human = Documents(texts[:40], synthetic=np.zeros(40, bool))
    fitted = FittedDetector.fit(detector, human)
    fitted.save(tmp_path / "kept")
    again = FittedDetector.load(tmp_path / "kept")
    assert np.array_equal(again.score(texts), fitted.score(texts))
    assert fitted.content != dataclasses.replace(fitted, detector=LabModel(run=str(folder), generation=2)).content


def test_only_human_examples_count(folder):
    """Synthetic examples among those it is told change nothing."""
    detector = LabModel(run=str(folder))
    source = Experiment.from_toml(RUN).source
    texts = [source.space.text(block) for block in source.items()[:60]]
    one = detector.fit(Documents(texts[:40], synthetic=np.zeros(40, bool)))
    other = detector.fit(Documents([*texts[:40], "zzz zzz"], synthetic=np.r_[np.zeros(40, bool), True]))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_what_is_not_there_is_said(folder, tmp_path):
    with pytest.raises(StoreError, match=r"keeps no model of point 0, replicate 7.*It keeps: point 0 generation 1"):
        LabModel(run=str(folder), replicate=7).fit(Documents([]))
    with pytest.raises(StoreError, match="not a run folder"):
        LabModel(run=str(tmp_path)).content()
    with pytest.raises(FitError, match=r"LabModel\.knowing"):
        LabModel().fit(Documents([]))
    with pytest.raises(FitError, match="Give human examples"):
        LabModel(run=str(folder)).fit(Documents([]))
    with pytest.raises(DataError, match="not told its generator"):
        LabModel().score({}, ["a text"])
    with pytest.raises(SpecError, match="not 'unigram'"):
        LabModel(statistic="likelihood").knowing(Unigram(), None, Space("symbols", (), 3))


def test_white_box_separates_what_a_transformer_wrote(world):
    """Curvature and ratio together are stronger than what needs no human text."""
    space, model, state, train, held, written = world
    found = {}
    for name in ("white-box", "likelihood-ratio", "fast-detectgpt", "likelihood"):
        detector = LabModel(statistic=name)
        known = detector.knowing(model, state, space, train)
        found[name] = auroc(detector.score_tokens(known, held), detector.score_tokens(known, written))
    assert found["white-box"] > 0.97, found
    assert found["white-box"] > max(found["fast-detectgpt"], found["likelihood"]), found


def test_curvature_of_own_text_is_standard_normal(world):
    """Mean 0 and variance 1 for draws of the model itself; a curvature under other weights is not."""
    space, model, state, _, _, written = world
    detector = LabModel(statistic="fast-detectgpt")
    own = detector.score_tokens(detector.knowing(model, state, space), written)
    assert abs(own.mean()) < 4 / math.sqrt(len(own))
    assert abs(own.var() - 1) < 4 * math.sqrt(2 / len(own))
    other = {name: tensor * (1.3 if tensor.is_floating_point() else 1) for name, tensor in state.items()}
    assert abs(detector.score_tokens(detector.knowing(model, other, space), written).mean()) > 1


def test_the_parts_add_up(world):
    """The default is a ratio that is bounded token by token, and half the curvature per token."""
    from remission.networks.transformer import surprise

    space, model, state, train, held, _ = world
    detector, curved = LabModel(), LabModel(statistic="fast-detectgpt")
    network = next(model._networks(state)).eval()
    blocks = torch.from_numpy(held[:20].copy())
    with torch.no_grad():
        p = np.exp(-surprise(network(blocks), blocks).double().numpy())
    table = _lm_reference.counted(list(train), 3, space.size)
    h = np.exp(_lm_reference.log_probabilities(table, list(held[:20]), 3, space.size, 5.0))
    bounded = np.log(p / (p / 2 + h / 2)).mean(axis=1)
    z = curved.score_tokens(curved.knowing(model, state, space), held[:20])
    found = detector.score_tokens(detector.knowing(model, state, space, train), held[:20])
    assert found == pytest.approx(bounded + z / math.sqrt(LENGTH) / 2, abs=1e-5)
    ratio = LabModel(statistic="likelihood-ratio")
    found = ratio.score_tokens(ratio.knowing(model, state, space, train), held[:20])
    assert found == pytest.approx(np.log(p / h).mean(axis=1), abs=1e-5)


def test_long_texts_are_read_in_windows(world):
    """The likelihood of a long text counts every token once, each after at least half a block."""
    space, model, state, _, held, _ = world
    detector = LabModel(statistic="likelihood")
    known = detector.knowing(model, state, space)
    long = held[:3].reshape(-1)[: 2 * LENGTH + 7]
    from remission.networks.transformer import surprise

    network = next(model._networks(state)).eval()

    def nats(begin, end, skip):
        block = torch.from_numpy(long[None, begin:end].copy())
        with torch.no_grad():
            return surprise(network(block), block)[0, skip:].double().sum().item()

    half = LENGTH // 2
    total = nats(0, LENGTH, 0) + nats(half, half + LENGTH, half) + nats(LENGTH, 2 * LENGTH, half)
    total += nats(LENGTH + 7, 2 * LENGTH + 7, LENGTH - 7)
    assert detector.score_tokens(known, [long]) == pytest.approx([-total / len(long)], abs=1e-5)
    mixed = detector.score_tokens(known, [held[0], long, held[1][:9]])
    assert mixed[1] == pytest.approx(-total / len(long), abs=1e-5)


def test_all_statistics_from_one_reading(world):
    space, model, state, train, held, _ = world
    known = LabModel().knowing(model, state, space, train)
    found = LabModel().statistics(known, held[:9])
    assert len(found) == 8
    for name, scores in found.items():
        assert np.array_equal(scores, LabModel(statistic=name).score_tokens(known, held[:9]))
    bare = LabModel(statistic="likelihood").knowing(model, state, space)
    assert set(LabModel().statistics(bare, held[:9])) == set(found) - {"white-box", "likelihood-ratio"}


def test_human_examples_that_cannot_be_cut_are_told(folder):
    source = Experiment.from_toml(RUN).source
    texts = [source.space.text(block) for block in source.items()[:40]]
    with collected() as told:
        LabModel(run=str(folder)).fit(Documents([*texts, "a \u2603"]))
    assert any("1 of 41 human examples" in line for line in told)


def test_long_documents_are_judged_by_their_beginning(world):
    space, model, state, train, held, _ = world
    detector = LabModel(max_tokens=30)
    known = detector.knowing(model, state, space, train)
    text = space.text(held[0])
    found = detector.score(known, [text, text[:30], text[:30] * 400_000])
    assert found == pytest.approx([found[1]] * 3, abs=1e-5)
    assert detector.score_tokens(known, held[:1]) == pytest.approx(found[:1], abs=1e-5)


def test_edges(world):
    space, model, state, train, held, _ = world
    for name in ("white-box", "likelihood-ratio", "fast-detectgpt", "lrr"):
        detector = LabModel(statistic=name)
        known = detector.knowing(model, state, space, train)
        found = detector.score(known, ["", "a", "an", "a sign \u2603 that no token has", space.text(held[0])])
        assert np.isnan(found).tolist() == [True, True, False, True, False]
        assert detector.score(known, []).shape == detector.score_tokens(known, []).shape == (0,)
    with pytest.raises(DataError, match="text 1 has a token outside"):
        detector.score_tokens(known, [held[0], np.array([0, space.size])])
    with pytest.raises(DataError, match="item 0 is a ndarray"):
        detector.score(known, [held[0]])
    with pytest.raises(DataError, match="Fit again"):
        LabModel().score_tokens(known, held)


def test_a_chain_gives_the_probability_of_whole_texts():
    """For one n-gram against another the score is the difference of their laws; what it cannot write is far below."""
    rng = np.random.default_rng(0)
    space = Space("tokens", (12,), 5, tuple("abcde"), joiner="")
    own, human = rng.integers(0, 4, (1, 30, 12)), rng.integers(0, 5, (30, 12))
    model = Ngram(order=2, smoothing=1.0)
    state = model.fit(Dataset(space, own, np.zeros((1, 30), np.int32)), Streams.of(1, [0]).at(1, "fit"))
    detector = LabModel(statistic="likelihood-ratio", order=3, smoothing=2.0)
    known = detector.knowing(model, state, space, human)
    wanted = model.log_density(state, human[None])[0] / 11
    reference = Ngram(order=3, smoothing=2.0)
    law = reference.fit(Dataset(space, human[None], np.zeros((1, 30), np.int32)), Streams.of(1, [0]).at(1, "fit"))
    table = _lm_reference.counted(list(human), 3, 5)
    first = [part.sum() for part in _lm_reference.log_probabilities(table, list(human[:, :2]), 3, 5, 2.0)]
    wanted = wanted - (reference.log_density(law, human[None])[0] + first) / 12
    assert detector.score_tokens(known, human) == pytest.approx(wanted, abs=1e-9)
    texts = ["".join("abcde"[token] for token in block) for block in human]
    assert detector.score(known, texts) == pytest.approx(wanted, abs=1e-9)
    bare = LabModel(statistic="likelihood")
    chain = Ngram(order=2)
    known = bare.knowing(
        chain, chain.fit(Dataset(space, own, np.zeros((1, 30), np.int32)), Streams.of(1, [0]).at(1, "fit")), space
    )
    assert bare.score_tokens(known, human).min() == pytest.approx(math.log(1e-12))
    assert bare.score_tokens(known, own[0]).min() > -6
    with pytest.raises(SpecError, match="every next token"):
        LabModel(statistic="lrr").knowing(model, state, space)


@pytest.mark.parametrize("options", [{}, {"tuning": "lora", "rank": 2}], ids=["full", "lora"])
def test_a_fine_tuned_model_reads_as_itself(tmp_path, monkeypatch, options):
    """A causal model of Hugging Face after a fit: its own probabilities, from tokens and from texts."""
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    gpt2(tmp_path / "gpt2")
    (tmp_path / "text.txt").write_text(LICENSE.read_text(encoding="utf-8"), encoding="utf-8")
    source = File(path=str(tmp_path / "text.txt"), tokenizer=str(tmp_path / "gpt2"), length=30)
    items = source.items()[:40]
    model = CausalLm(model=str(tmp_path / "gpt2"), batch=8, rate=1e-2, precision="float32", **options)
    data = Dataset(source.space, items[None], np.zeros((1, 40), np.int32))
    state = model.fit(data, Streams.of(1, [0]).at(1, "fit"))
    detector = LabModel(statistic="likelihood")
    known = detector.knowing(model, state, source.space, tokenizer=str(tmp_path / "gpt2"))
    wanted = model.log_density(state, items[None])[0] / 30
    assert detector.score_tokens(known, items) == pytest.approx(wanted, abs=1e-5)
    assert detector.score(known, [source.space.text(items[0])]) == pytest.approx(wanted[:1], abs=1e-5)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_human_reference_is_the_smoothed_chain(order):
    """Beside the model 'ngram', which counts in another way; texts of different lengths do not touch."""
    rng = np.random.default_rng(order)
    train, test = rng.integers(0, 6, (40, 15)), rng.integers(0, 6, (20, 15))
    chain = Ngram(order=order, smoothing=3.0)
    data = Dataset(Space("tokens", (15,), 6), train[None], np.zeros((1, 40), np.int32))
    wanted = chain.log_density(chain.fit(data, Streams.of(1, [0]).at(1, "fit")), test[None])[0]
    table = _lm_reference.counted(list(train), order, 6)
    found = _lm_reference.log_probabilities(table, list(test), order, 6, 3.0)
    assert [part[order - 1 :].sum() for part in found] == pytest.approx(wanted, abs=1e-10)
    ragged = [test[0], test[1][:1], test[2][:0], test[3][:7]]
    together = _lm_reference.log_probabilities(table, ragged, order, 6, 3.0)
    for text, part in zip(ragged, together, strict=True):
        assert part == pytest.approx(_lm_reference.log_probabilities(table, [text], order, 6, 3.0)[0], abs=1e-12)
        assert len(part) == len(text)
    with pytest.raises(SpecError, match="Lower 'order'"):
        _lm_reference.counted([test[0]], 5, 10_000)


def test_texts_become_the_tokens_they_were():
    """Characters, words, and a BPE of which only the vocabulary is left; every token is found again."""
    text = (Prose(level="character", length=400).space, Prose(level="character", length=400).items()[0])
    plain = text[0].text(text[1])
    encode = _lm_lab.Spelling(text[0].names).encoder()
    assert np.array_equal(encode(plain), text[1])
    words = Prose(level="word", length=50, vocabulary=300)
    encode = _lm_lab.Spelling(words.space.names, " ").encoder()
    assert all(np.array_equal(encode(words.space.text(block)), block) for block in words.items()[:20])
    sample = "naïve cafés; \u4e16\u754c and \U0001f600 don't know.\n" + plain
    for size in (280, 400):
        made = vocabulary.train([sample], size)
        names, _ = vocabulary.names(made)
        encode = _lm_lab.Spelling(tuple(json.loads(json.dumps(names)))).encoder()
        for one in (sample, "unseen WORDS \u00fc and ever: " + plain[50:90]):
            assert np.array_equal(encode(one), vocabulary.encode(made, one))
        assert rebuilt(names).get_vocab() == made.get_vocab()
