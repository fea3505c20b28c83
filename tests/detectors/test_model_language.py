"""Scores under causal language models, on tiny ones built here, against logits worked out by hand in numpy."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from remission.calibration.fitted import FittedDetector
from remission.detectors.language_model import LanguageModel
from remission.errors import DataError, SpecError
from remission.networks import scoring, vocabulary
from remission.networks.checkpoint import quiet
from remission.networks.device import one_thread

TEXT = (Path(__file__).resolve().parents[2] / "LICENSE").read_text(encoding="utf-8")
WORDS = TEXT.split()
TEXTS = [" ".join(WORDS[start : start + size]) for start, size in ((0, 9), (30, 3), (60, 20), (100, 1), (140, 12))]
SINGLE = ("likelihood", "rank", "log-rank", "lrr", "entropy", "fast-detectgpt")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Three GPT-2 (b reads more tokens than a; other cuts text differently) and a llama without a token of its own to begin."""
    from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

    root = tmp_path_factory.mktemp("models")
    tokenizer, foreign = vocabulary.train([TEXT], 300), vocabulary.train([TEXT[::-1]], 300)
    for one in (tokenizer, foreign):
        one.add_special_tokens(["<|endoftext|>"])
    size = tokenizer.get_vocab_size()
    gpt2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": size - 1}
    shapes = {
        "a": GPT2Config(vocab_size=size, n_positions=96, **gpt2),
        "b": GPT2Config(vocab_size=size + 5, n_positions=112, **gpt2),
        "other": GPT2Config(vocab_size=size, n_positions=96, **gpt2),
        "llama": LlamaConfig(
            vocab_size=size + 3, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=112,
        ),
    }  # fmt: skip
    for seed, (name, config) in enumerate(shapes.items()):
        with quiet(), one_thread(), torch.random.fork_rng():
            torch.manual_seed(seed)
            network = AutoModelForCausalLM.from_config(config)
            for weight in network.parameters():  # so that laws are far from uniform
                weight.data *= 4 if weight.ndim > 1 else 1
            network.save_pretrained(root / name)
        (foreign if name == "other" else tokenizer).save(str(root / name / "tokenizer.json"))
        if name != "llama":
            begin = {"bos_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}
            (root / name / "tokenizer_config.json").write_text(json.dumps(begin))
    return root


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("REMISSION_DEVICE", "cpu")
    with one_thread():
        yield


def laws(folder, text, begins, rows):
    """The tokens that are predicted (n,) and ln p of every type (n, rows) in float64, one text at a time."""
    from transformers import AutoModelForCausalLM

    tokenizer = vocabulary.load(folder)
    tokens = tokenizer.encode(text).ids
    read = [tokenizer.token_to_id("<|endoftext|>"), *tokens] if begins else tokens
    with quiet(), torch.no_grad():
        network = AutoModelForCausalLM.from_pretrained(folder).eval()
        logits = network(torch.tensor([read])).logits[0, :-1, :rows].double().numpy()
    top = logits.max(axis=1, keepdims=True)
    return np.array(read[1:]), logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))


def by_hand(statistic, wanted, own, other):
    """The formulas of the papers, token by token."""
    likely = [own[i, word] for i, word in enumerate(wanted)]
    ranks = [1 + sum(1 for value in own[i] if value > own[i, word]) for i, word in enumerate(wanted)]
    q = np.exp(other)
    means = [sum(q[i, v] * own[i, v] for v in range(own.shape[1])) for i in range(len(wanted))]
    spread = [sum(q[i, v] * own[i, v] ** 2 for v in range(own.shape[1])) - means[i] ** 2 for i in range(len(wanted))]
    n = len(wanted)
    return {
        "likelihood": sum(likely) / n,
        "rank": -sum(ranks) / n,
        "log-rank": -sum(math.log(rank) for rank in ranks) / n,
        "lrr": abs(sum(likely) / sum(math.log(rank) for rank in ranks)),
        "entropy": -sum((np.exp(own[i]) * own[i]).sum() for i in range(n)) / n,
        "fast-detectgpt": (sum(likely) - sum(means)) / math.sqrt(sum(spread)),
        "binoculars": -(sum(likely) / n) / (sum(means) / n),
    }[statistic]


@pytest.mark.parametrize("name", ["a", "llama"])
@pytest.mark.parametrize("statistic", SINGLE)
def test_a_single_model_is_the_formula(models, name, statistic):
    detector = LanguageModel(model=str(models / name), statistic=statistic)
    found = detector.score({}, TEXTS)
    rows = vocabulary.load(models / name).get_vocab_size() + (3 if name == "llama" else 0)
    for text, score in zip(TEXTS, found, strict=True):
        wanted, own = laws(models / name, text, name != "llama", rows)
        assert score == pytest.approx(by_hand(statistic, wanted, own, own), rel=1e-4)


@pytest.mark.parametrize("statistic", ["fast-detectgpt", "binoculars"])
def test_a_pair_is_the_formula(models, statistic):
    """Also: tables of different height are cut to the lower one, and the two models are not exchanged."""
    detector = LanguageModel(model=str(models / "a"), observer=str(models / "b"), statistic=statistic)
    found = detector.score({}, TEXTS)
    rows = vocabulary.load(models / "a").get_vocab_size()
    for text, score in zip(TEXTS, found, strict=True):
        wanted, own = laws(models / "a", text, True, rows)
        _, other = laws(models / "b", text, True, rows)
        assert score == pytest.approx(by_hand(statistic, wanted, own, other), rel=1e-4)
        assert score != pytest.approx(by_hand(statistic, wanted, other, own), rel=1e-3)


def test_a_text_is_scored_alone(models):
    """Order, neighbours, padding and cutting into pieces of work leave a score as it is."""
    detector = LanguageModel(model=str(models / "a"))
    whole = detector.score({}, TEXTS)
    order = [3, 0, 4, 2, 1]
    assert detector.score({}, [TEXTS[k] for k in order]) == pytest.approx(whole[order], abs=1e-5)
    assert [float(detector.score({}, [text])[0]) for text in TEXTS] == pytest.approx(whole.tolist(), abs=1e-5)
    small = pytest.MonkeyPatch()
    with small.context() as patch:
        patch.setattr(scoring, "AT_ONCE", 2)
        patch.setattr(scoring, "SLICE", 700)
        assert detector.score({}, TEXTS) == pytest.approx(whole, abs=1e-5)


def test_texts_that_cannot_be_judged_or_are_long(models):
    detector = LanguageModel(model=str(models / "a"), statistic="likelihood")
    found = detector.score({}, ["", "a", "a lone \ud800 surrogate", TEXT, TEXT[:20_000]])
    assert np.isnan(found).tolist() == [True, True, False, False, False]
    assert found[3] == pytest.approx(found[4], abs=1e-6), "cut at the 95 tokens that the model reads after the first"
    short = dataclasses.replace(detector, max_tokens=5)
    tokenizer = vocabulary.load(models / "a")
    five = tokenizer.decode(tokenizer.encode(TEXT).ids[:5])
    assert short.score({}, [TEXT]) == pytest.approx(detector.score({}, [five]), abs=1e-5)
    assert detector.score({}, []).shape == (0,)
    with pytest.raises(DataError, match="item 1 is a int"):
        detector.score({}, ["a text", 3])


def test_curvature_of_the_models_own_text_is_standard_normal(models):
    """Drawn from the law it is scored by: mean 0, variance 1 (a martingale); text of another model is below."""
    from transformers import AutoModelForCausalLM

    def drawn(name, seed):
        with quiet(), torch.no_grad():
            network = AutoModelForCausalLM.from_pretrained(models / name).eval()
            dice = torch.Generator().manual_seed(seed)
            tokens = torch.full((400, 1), vocabulary.load(models / "a").token_to_id("<|endoftext|>"))
            for _ in range(20):
                law = network(tokens).logits[:, -1, : tokens[0, 0]].softmax(dim=-1)
                tokens = torch.cat([tokens, torch.multinomial(law, 1, generator=dice)], dim=1)
        return tokens[:, 1:].numpy()

    reader = scoring.open_reader(models / "a", "", torch.float32, torch.device("cpu"))
    law = scoring.causal_law(reader.network, reader.start)
    own, foreign = (
        scoring.Scoring(law).sums([scoring.Piece(i, row) for i, row in enumerate(drawn(name, 1))], 400)
        for name in ("a", "b")
    )
    from remission.detectors._lm import statistic

    scores, others = statistic("fast-detectgpt", own), statistic("fast-detectgpt", foreign)
    assert abs(scores.mean()) < 4 / 20
    assert abs(scores.var() - 1) < 4 * math.sqrt(2 / 400)
    assert others.mean() < -1


def test_what_cannot_be_is_refused(models, tmp_path):
    a = str(models / "a")
    with pytest.raises(SpecError, match="Give 'observer'"):
        LanguageModel(model=a, statistic="binoculars")
    with pytest.raises(SpecError, match="Remove it"):
        LanguageModel(model=a, observer=a, statistic="rank")
    with pytest.raises(SpecError, match=r"tokenizers of model .* differ"):
        LanguageModel(model=a, observer=str(models / "other")).score({}, TEXTS)
    with pytest.raises(SpecError, match="texts begin with token"):
        LanguageModel(model=a, observer=str(models / "llama")).score({}, TEXTS)
    with pytest.raises(SpecError, match="no such folder"):
        LanguageModel(model=str(tmp_path / "nothing")).score({}, TEXTS)
    with pytest.raises(SpecError, match="observer"):
        LanguageModel(model=a, observer=str(tmp_path / "nothing")).content()
    empty = tmp_path / "weightless"
    shutil.copytree(models / "a", empty)
    (empty / "model.safetensors").unlink()
    with pytest.raises(SpecError, match="no weights"):
        LanguageModel(model=str(empty)).score({}, TEXTS)


def test_a_missing_extra_is_named(models, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "transformers" else found(name, *a)
    )
    with pytest.raises(Exception, match=r"remission\[hf\]"):
        LanguageModel(model=str(models / "a")).score({}, TEXTS)


def test_content_changes_with_the_weights(models, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(models / "a", copy)
    one, same = LanguageModel(model=str(models / "a")), LanguageModel(model=str(copy))
    assert one.content() == same.content()
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert one.content() != same.content()
    assert one.content() != LanguageModel(model=str(models / "a"), observer=str(models / "b")).content()


def test_fitted_saved_and_loaded(models, tmp_path):
    from remission.documents import Documents

    detector = LanguageModel(model=str(models / "a"), observer=str(models / "b"), statistic="binoculars")
    fitted = FittedDetector.fit(detector, Documents(TEXTS))
    fitted.save(tmp_path / "kept")
    again = FittedDetector.load(tmp_path / "kept")
    assert again.detector == detector
    assert np.array_equal(again.score(TEXTS), fitted.score(TEXTS))


def test_windows_count_every_token_once():
    for length in (1, 9, 10, 11, 14, 15, 16, 29, 100):
        for window in (2, 3, 10):
            pieces = scoring.windows(0, np.arange(length), window)
            assert [word for one in pieces for word in one.tokens[one.skip :]] == list(range(length))
            assert all(len(one.tokens) <= window for one in pieces)
            assert all(one.skip >= window // 2 for one in pieces[1:])
