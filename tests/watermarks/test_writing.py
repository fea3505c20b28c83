"""What is written with a key is found with it, by our detectors and by those of transformers, and the other way round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remission.errors import DataError
from remission.evidence import weigh
from remission.numerics.arrays import Floats, Integers
from remission.watermarking import Key, TextWatermark, Tokens
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.synthid import Synthid
from remission.watermarks.unigram import Unigram

V = 300
PROMPT = 6
SYNTHID_KEYS = (654, 400, 836, 123, 340, 443, 597, 160, 57)
MARKS: list[tuple[TextWatermark, Key]] = [
    (Kgw(vocabulary=V), Key("k", (15485863,))),
    (Kgw(vocabulary=V, seeding="selfhash", width=4, delta=3.0), Key("k", (15485863,))),
    (Kgw(vocabulary=V, dialect="original", width=3), Key("k", (99,))),
    (Kgw(vocabulary=V, dialect="original", seeding="selfhash", width=4, delta=3.0), Key("k", (15485863,))),
    (Synthid(), Key("s", SYNTHID_KEYS)),
    (Synthid(table_size=5003), Key("s", SYNTHID_KEYS)),
    (Synthid(start=True, skip_first=False), Key("s", SYNTHID_KEYS)),
    (Gumbel(), Key("g", (42,))),
    (Gumbel(alpha=0.1), Key("g", (42,))),
    (Unigram(vocabulary=V), Key("u", (7,))),
]
NAMES = [f"{mark.label}" for mark, _ in MARKS]


def law(rng: np.random.Generator, b: int) -> Floats:
    """Logits of about 2.5 nats."""
    return rng.permuted(np.tile(1.9 * rng.normal(size=V), (b, 1)), axis=1)


def write(mark: TextWatermark, key: Key | None, b: int, n: int, seed: int) -> Integers:
    """Texts (b, n) after random prompts."""
    rng = np.random.default_rng(seed)
    steering = mark.steering(key) if key else None
    texts = rng.integers(0, V, (b, PROMPT))
    for _ in range(n):
        logits = law(rng, b)
        if steering is not None:
            logits = steering(texts, logits)
        noise = -np.log(-np.log(rng.random((b, V))))
        texts = np.column_stack([texts, (logits + noise).argmax(axis=1)])
    return texts[:, PROMPT:]


@pytest.mark.parametrize(("mark", "key"), MARKS, ids=NAMES)
def test_found_with_the_key_alone(mark: TextWatermark, key: Key) -> None:
    marked, plain = write(mark, key, 8, 150, 1), write(mark, None, 40, 150, 2)
    found = weigh(mark, key, Tokens.of(list(marked)))
    assert (found.log10_p < -4).all(), found.log10_p
    assert weigh(mark, key, Tokens.of(list(plain))).log10_p.min() > -4
    other = mark.random_key(np.random.default_rng(0))
    assert weigh(mark, other, Tokens.of(list(marked))).log10_p.min() > -4


@pytest.mark.parametrize("mark", [Synthid(table_size=1021), Gumbel(), Gumbel(alpha=0.1)], ids=lambda mark: mark.label)
def test_the_law_of_a_token_stays(mark: TextWatermark) -> None:
    """Averaged over keys, the first token follows the model; 15 % more or less of every other token would be seen."""
    rng, runs = np.random.default_rng(5), 6000
    logits = 1.5 * np.random.default_rng(0).normal(size=40)
    p = np.exp(logits) / np.exp(logits).sum()
    counts = np.zeros(40)
    for _ in range(runs):
        steering = mark.steering(mark.random_key(rng))
        changed = steering(np.zeros((1, 0), np.int64), logits[None])[0]
        counts[int((changed - np.log(-np.log(rng.random(40)))).argmax())] += 1
    statistic = float(((counts - runs * p) ** 2 / (runs * p)).sum())
    assert statistic < 80  # chi-square with 39 degrees of freedom: beyond it once in 10,000
    tilted = p * np.where(np.arange(40) % 2, 1.15, 0.85)
    assert ((counts - runs * tilted / tilted.sum()) ** 2 / (runs * tilted)).sum() > 80


def test_repeated_contexts_are_not_marked_again() -> None:
    """A text that goes round would otherwise never leave its circle."""
    for mark, key in ((Gumbel(width=1), Key("g", (1,))), (Synthid(ngram=2), Key("s", SYNTHID_KEYS))):
        steering = mark.steering(key)
        logits = np.random.default_rng(0).normal(size=(1, V))
        history = np.zeros((1, 1), np.int64)
        assert not np.array_equal(steering(history, logits), logits)  # nothing generated yet
        for token, again in ((3, False), (4, False), (3, True), (5, False), (4, True)):
            history = np.append(history, [[token]], axis=1)
            assert np.array_equal(steering(history, logits), logits) is again


def test_wrong_sizes_are_named() -> None:
    for mark in (Kgw(vocabulary=V), Unigram(vocabulary=V)):
        with pytest.raises(DataError, match="Set vocabulary = 7"):
            mark.steering(Key("k", (5,)))(np.zeros((1, 1), np.int64), np.zeros((1, 7)))
        with pytest.raises(DataError, match=f"number {V}, and the vocabulary has {V}"):
            weigh(mark, Key("k", (5,)), Tokens.of([[1, V]]))


@pytest.fixture(scope="module")
def model() -> Any:
    """A tiny causal language model with random weights and a spread of next tokens that can carry a mark."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=V, n_positions=256, n_embd=32, n_layer=1, n_head=2, bos_token_id=V - 1, eos_token_id=V - 1,
        tie_word_embeddings=False,
    )  # fmt: skip
    made = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        made.lm_head.weight.mul_(40)
    return made


def generate(model: Any, **options: Any) -> Integers:
    import torch

    torch.manual_seed(3)
    prompts = torch.randint(0, V - 1, (4, PROMPT))
    out = model.generate(
        prompts, attention_mask=torch.ones_like(prompts), do_sample=True, max_new_tokens=90, min_new_tokens=90, top_k=0,
        pad_token_id=V - 1, **options,
    )  # fmt: skip
    return np.asarray(out[:, PROMPT:])


@pytest.mark.parametrize("seeding", ["lefthash", "selfhash"])
def test_kgw_both_ways(model: Any, seeding: Any) -> None:
    import torch
    from transformers import WatermarkDetector, WatermarkingConfig

    width = 1 if seeding == "lefthash" else 4
    config = WatermarkingConfig(
        greenlist_ratio=0.25, bias=3.0, hashing_key=77, seeding_scheme=seeding, context_width=width
    )
    mark, key = Kgw(vocabulary=V, delta=3.0, seeding=seeding, width=width), Key("k", (77,))
    ours = generate(model, logits_processor=[mark.logits_processor(key)])
    theirs = generate(model, watermarking_config=config)
    assert np.array_equal(ours, theirs)  # the same bias and the same draws: the same text
    detector = WatermarkDetector(model.config, "cpu", config, ignore_repeated_ngrams=True)
    wanted = detector(torch.from_numpy(ours), return_dict=True)
    found = weigh(mark, key, Tokens.of(list(theirs)), "dialect")
    assert found.total.tolist() == wanted.num_green_tokens.tolist()
    assert (weigh(mark, key, Tokens.of(list(theirs))).log10_p < -4).all()
    assert wanted.prediction.all()


def test_synthid_both_ways(model: Any) -> None:
    import torch
    from transformers import SynthIDTextWatermarkingConfig, SynthIDTextWatermarkLogitsProcessor

    config = SynthIDTextWatermarkingConfig(ngram_len=5, keys=list(SYNTHID_KEYS))
    mark, key = Synthid(), Key("s", SYNTHID_KEYS)
    ours = generate(model, logits_processor=[mark.logits_processor(key)])
    theirs = generate(model, watermarking_config=config)
    same = (ours == theirs).mean(axis=1)
    assert (same == 1.0).sum() >= 3  # they calculate in 32 bits, we in 64: a draw at an edge may fall elsewhere
    real = SynthIDTextWatermarkLogitsProcessor(**config.to_dict(), device=torch.device("cpu"))
    g = real.compute_g_values(torch.from_numpy(ours)).numpy()
    mask = real.compute_context_repetition_mask(torch.from_numpy(ours)).numpy()
    for row in range(len(ours)):
        assert g[row][mask[row]].mean() > 0.55
    np.testing.assert_allclose(
        mark.means(key, Tokens.of(list(theirs)))["mean"],
        [_mean(real, row) for row in theirs],
        rtol=1e-9,
    )
    assert (weigh(mark, key, Tokens.of(list(theirs))).log10_p < -4).all()


def _mean(real: Any, row: Integers) -> float:
    import torch

    text = torch.from_numpy(row[None])
    mask = real.compute_context_repetition_mask(text).numpy()[0]
    return float(real.compute_g_values(text).numpy()[0][mask].mean())


def test_gumbel_in_generate(model: Any) -> None:
    for alpha in (0.0, 0.1):
        mark, key = Gumbel(alpha=alpha), Key("g", (42,))
        found = weigh(mark, key, Tokens.of(list(generate(model, logits_processor=[mark.logits_processor(key)]))))
        assert (found.log10_p < -6).all()
