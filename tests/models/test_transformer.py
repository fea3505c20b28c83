"""The transformer as a model of the loop: its law, its samples, prompts, searches, warm starts, resume and refusals."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from remission import Experiment, run
from remission.checks import check_experiment
from remission.data import Dataset, Space
from remission.desk import Desk
from remission.errors import DataError, FitError, MissingExtra, SpecError
from remission.interfaces import Sampling
from remission.models.transformer import Transformer
from remission.networks.device import one_thread
from remission.notes import collected
from remission.rng import Streams

STREAMS = Streams.of(seed=3, replicates=range(2)).at(1, "test")
TINY = Transformer(width=8, layers=2, heads=2, steps=40, batch=8, warmup=5, rate=0.02, precision="float32")
SIZE, LENGTH = 3, 4


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield


def dataset(blocks, size=SIZE, weight=None):
    blocks = np.asarray(blocks, np.int64)
    return Dataset(Space("tokens", blocks.shape[2:], size), blocks, np.zeros(blocks.shape[:2], np.int32), weight)


def text(replicates=2, n=60, length=LENGTH, size=SIZE, seed=0):
    """Runs of the same token, more often the low ones."""
    rng = np.random.default_rng(seed)
    out = rng.integers(0, size, (2, replicates, n, length)).min(axis=0)
    same = rng.random(out.shape) < 0.6
    for t in range(1, length):
        out[..., t] = np.where(same[..., t], out[..., t - 1], out[..., t])
    return out


@pytest.fixture(scope="module")
def fitted():
    with one_thread():
        return TINY.fit(dataset(text()), STREAMS)


def every(length=LENGTH, size=SIZE):
    return np.array(list(itertools.product(range(size), repeat=length)))


def likely(found, law, n):
    """A chi-square test that does not reject, cells with less than 5 expected put together."""
    order = np.argsort(law)
    small = np.cumsum(law[order] * n) < 5
    small |= law[order] * n < 5
    cells = np.append(found[order][~small], found[order][small].sum())
    expected = np.append(law[order][~small], law[order][small].sum()) * n
    kept = expected > 0
    assert cells[~kept].sum() == 0
    return stats.chisquare(cells[kept], expected[kept] * cells[kept].sum() / expected[kept].sum()).pvalue > 1e-4


def counts(items):
    return np.bincount(items @ SIZE ** np.arange(items.shape[1])[::-1], minlength=SIZE ** items.shape[1])


# ── the law ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_probabilities_of_all_blocks_sum_to_one_and_samples_follow_them(fitted):
    p = np.exp(TINY.log_density(fitted, np.stack([every()] * 2)))
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)
    n = 20_000
    drawn = TINY.sample(fitted, n, STREAMS, Sampling())
    assert drawn.dtype == np.int64
    assert drawn.shape == (2, n, LENGTH)
    for i in range(2):
        assert likely(counts(drawn[i]), p[i] / p[i].sum(), n)
        assert not likely(counts(drawn[i]), p[1 - i] / p[1 - i].sum(), n)  # another training set, another law


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.6),
        Sampling(temperature=1.7),
        Sampling(top_k=2),
        Sampling(top_p=0.7),
        Sampling(min_p=0.4),
        Sampling(repetition=1.8),
        Sampling(no_repeat=2),
        Sampling(temperature=0.8, top_k=2, repetition=1.3, no_repeat=3),
    ],
    ids=lambda sampling: "-".join(sorted(sampling.used)),
)
def test_sampling_options_shape_the_law(fitted, sampling):
    """The law of whole blocks under the options, from the conditional laws of the bare model."""
    blocks = every()
    before = {(): 1.0}  # p of every beginning, from sums over its blocks
    bare = np.exp(TINY.log_density(fitted, np.stack([blocks] * 2))[0])
    for block, p in zip(blocks.tolist(), bare, strict=True):
        for t in range(1, LENGTH + 1):
            before[tuple(block[:t])] = before.get(tuple(block[:t]), 0.0) + p
    law = np.ones(len(blocks))
    for number, block in enumerate(blocks.tolist()):
        for t in range(LENGTH):
            past = tuple(block[:t])
            p = np.array([before[(*past, token)] for token in range(SIZE)])
            law[number] *= _shaped(p / p.sum(), past, sampling, fitted)[block[t]]
    n = 15_000
    found = counts(TINY.sample(fitted, n, STREAMS, sampling)[0])
    assert likely(found, law, n)
    assert not likely(found, bare, n)


def _shaped(p, past, sampling, fitted):
    """The conditional law under the options. A penalty acts on logits, so their level is taken from the network."""
    if sampling.repetition > 1:
        network = next(TINY._networks(fitted))
        with torch.no_grad():
            logits = network(torch.tensor([[*past, 0]]))[0, -1].double().numpy()
        np.testing.assert_allclose(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(), p, atol=1e-5)
        for token in set(past):
            logits[token] *= sampling.repetition if logits[token] <= 0 else 1 / sampling.repetition
        p = np.exp(logits - logits.max())
    if sampling.no_repeat:
        k = sampling.no_repeat
        seen = {past[i : i + k] for i in range(len(past) - k + 1)}
        p = np.where([(*past, token)[-k:] in seen for token in range(SIZE)], 0.0, p)
    p = p ** (1 / sampling.temperature)
    order = np.argsort(-p, kind="stable")
    if sampling.top_k:
        p[order[sampling.top_k :]] = 0.0
    p = p / p.sum()
    if sampling.top_p < 1:
        p[order[np.flatnonzero(np.cumsum(p[order]) >= sampling.top_p)[0] + 1 :]] = 0.0
    p[p < sampling.min_p * p.max()] = 0.0
    return p / p.sum()


def test_it_learns_a_text():
    """Held-out blocks cost less than under the frequencies of tokens, and more steps cost less than few."""
    data, held = dataset(text(replicates=1, n=400)), text(replicates=1, n=200, seed=7)
    frequent = np.bincount(data.items.ravel(), minlength=SIZE) / data.items.size
    streams = STREAMS.only(0)
    short, long = (dataclasses.replace(TINY, steps=steps) for steps in (6, 150))
    cost = [-model.log_density(model.fit(data, streams), held).mean() for model in (short, long)]
    assert cost[1] < cost[0]
    assert cost[1] < -np.log(frequent)[held].sum(axis=2).mean() - 0.5


def test_weights_count():
    blocks = np.concatenate([np.zeros((1, 30, LENGTH)), np.ones((1, 30, LENGTH))], axis=1)
    weight = np.array([[3.0] * 30 + [1.0] * 30])
    model = dataclasses.replace(TINY, steps=200, batch=30)
    p = np.exp(model.log_density(model.fit(dataset(blocks, 2, weight), STREAMS.only(0)), blocks[:, ::30]))
    assert p[0, 0] == pytest.approx(0.75, abs=0.08)
    for bad in (np.zeros((1, 60)), np.full((1, 60), np.nan), np.linspace(-1.0, 1.0, 60)[None]):
        with pytest.raises(FitError, match="Weights"):
            model.fit(dataset(blocks, 2, bad), STREAMS.only(0))


# ── prompts and searches ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("length", [0, 2])
def test_every_prompt_is_continued_once_before_any_again(length):
    """A model that has learned to say the same token again tells us its prompts."""
    tags = np.arange(12).repeat(LENGTH).reshape(1, 12, LENGTH)
    model = dataclasses.replace(TINY, width=16, steps=200, prompts="training", prompt_length=length)
    streams = STREAMS.only(0)
    state = model.fit(dataset(tags, 12), streams)
    assert state["prompts"].shape == (1, 12, length or LENGTH)
    items = model.sample(state, 30, streams, Sampling(top_k=1))[0]
    assert (items == items[:, :1]).all()
    times = np.bincount(items[:24, 0], minlength=12)
    assert (times == 2).all()
    assert (np.bincount(items[24:, 0], minlength=12) <= 1).all()
    assert items[:12, 0].tolist() != items[12:24, 0].tolist()
    other = model.sample(state, 12, STREAMS.only(0).at(2, "again"), Sampling(top_k=1))[0]
    assert sorted(other[:, 0]) == list(range(12))
    assert other[:, 0].tolist() != items[:12, 0].tolist()
    bare = dataclasses.replace(model, prompts="none", prompt_length=0)
    assert len(np.unique(bare.sample(state, 30, streams, Sampling(top_k=1))[0], axis=0)) == 1


def test_continuations_follow_the_law_given_the_prompt():
    """Prompts of half a block: within a block, p(new | prompt) is a ratio of sums over blocks."""
    blocks = text(replicates=1)
    model = dataclasses.replace(TINY, prompts="training", prompt_length=2)
    streams = STREAMS.only(0)
    state = model.fit(dataset(blocks), streams)
    p = np.exp(model.log_density(state, every()[None])[0]).reshape(SIZE, SIZE, -1)
    times = np.zeros((SIZE, SIZE))
    np.add.at(times, (blocks[0, :, 0], blocks[0, :, 1]), 1 / blocks.shape[1])
    law = (times[:, :, None] * p / p.sum(axis=2, keepdims=True)).sum(axis=(0, 1))
    n = 300 * blocks.shape[1]  # whole rounds: every prompt equally often
    found = counts(model.sample(state, n, streams, Sampling())[0][:, :2])
    assert likely(found, law, n)
    assert not likely(found, p.sum(axis=(0, 1)), n)


def test_beams_find_the_most_probable_continuation():
    blocks = text(replicates=1)
    model = dataclasses.replace(TINY, prompts="training", prompt_length=1)
    streams = STREAMS.only(0)
    state = model.fit(dataset(blocks), streams)
    p = np.exp(model.log_density(state, every()[None])[0]).reshape([SIZE] * LENGTH)
    wide = Sampling(beams=SIZE ** (LENGTH - 1))
    with collected() as told:
        items = model.sample(state, 60, streams, wide)[0]
        assert not told
        again = model.sample(state, 60, streams.at(5, "other"), wide)[0]
    assert sorted(map(tuple, items)) == sorted(map(tuple, again))  # other randomness, other order, the same texts
    best = {tuple(np.argwhere(p[first] == p[first].max())[0]) for first in range(SIZE)}
    assert {tuple(item[:3]) for item in items} == best
    with collected() as told:
        model.sample(state, 61, streams, wide)
    assert "fewer prompts" in next(iter(told))


# ── the loop's demands ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prompts", ["none", "training"])
def test_replicates_do_not_depend_on_the_block(prompts):
    streams, data = Streams.of(seed=9, replicates=range(3)).at(2, "fit"), dataset(text(replicates=3))
    model = dataclasses.replace(TINY, prompts=prompts, dropout=0.1, ema=0.9)
    before = torch.get_rng_state()
    whole, again = model.fit(data, streams), model.fit(data, streams)
    items = model.sample(whole, 9, streams, Sampling())
    density = model.log_density(whole, data.items)
    for i in range(3):
        alone = model.fit(data.only(i), streams.only(i))
        for name, value in whole.items():
            assert torch.equal(value, again[name])
            assert torch.equal(value[i], alone[name][0])
            assert value.shape[0] == 3
            assert value.device.type == "cpu"
        assert np.array_equal(model.sample(alone, 9, streams.only(i), Sampling())[0], items[i])
        assert np.array_equal(model.log_density(alone, data.items[i : i + 1])[0], density[i])
    assert len({items[i].tobytes() for i in range(3)}) == 3
    assert torch.equal(torch.get_rng_state(), before)


def test_warm_starts_begin_at_the_previous_state(fitted):
    data = dataset(text())
    warm = dataclasses.replace(TINY, rate=1e-9, warmup=0, weight_decay=0.0, warm_steps=1)
    close = warm.fit(data, STREAMS, fitted)
    cold = warm.fit(data, STREAMS)
    for name, value in fitted.items():
        torch.testing.assert_close(close[name], value, atol=1e-7, rtol=0)
    assert (cold["embedding"] - fitted["embedding"]).abs().max() > 0.1
    further = dataclasses.replace(TINY, warm_steps=30).fit(data, STREAMS, fitted)
    other = dataclasses.replace(TINY, warm_steps=20).fit(data, STREAMS, fitted)
    assert (further["embedding"] - other["embedding"]).abs().max() > 1e-3


def test_a_stopped_fit_goes_on_with_the_replicate_it_was_at(tmp_path, monkeypatch):
    data = dataset(text())
    whole = TINY.fit(data, STREAMS)
    from remission.networks import language

    trained, learn = [], language.learn

    def counted(*arguments):
        if len(trained) == stop:
            raise KeyboardInterrupt
        trained.append(1)
        return learn(*arguments)

    monkeypatch.setattr(language, "learn", counted)
    stop = 1
    with pytest.raises(KeyboardInterrupt):
        TINY.fit_at(data, STREAMS, None, Desk(tmp_path))
    stop = 9
    resumed = TINY.fit_at(data, STREAMS, None, Desk(tmp_path))
    assert len(trained) == 2  # the first replicate was not trained again
    for name, value in whole.items():
        assert torch.equal(value, resumed[name])


LOOP = """
[experiment]
generations = 3
replicates = 2
samples = 40
reference = 20
seed = 4
start = "{start}"
[source]
kind = "prose"
level = "character"
length = {length}
vocabulary = 20
[model]
kind = "transformer"
width = 16
layers = 1
heads = 2
steps = 12
batch = 10
warmup = 2
precision = "float32"
{model}
[regime]
kind = "replace"
[sampling]
{sampling}
[[metric]]
kind = "perplexity"
"""


def loop(model="", sampling="", start="scratch", length=8):
    return Experiment.from_toml(LOOP.format(model=model, sampling=sampling, start=start, length=length))


@pytest.mark.parametrize(
    ("model", "sampling", "start"),
    [
        ("", "temperature = 0.8\ntop_k = 10\ntop_p = 0.9\nmin_p = 0.01\nrepetition = 1.1\nno_repeat = 4", "scratch"),
        ("warm_steps = 5", "", "previous"),
        ('warm_steps = 5\nprompts = "training"\nprompt_length = 3', "beams = 3\nno_repeat = 4", "base"),
        ('prompts = "training"', "temperature = 0.9", "scratch"),
    ],
)
def test_it_runs_in_the_loop(model, sampling, start):
    experiment = loop(model, sampling, start)
    assert not [note for note in check_experiment(experiment) if "replicate" in note]
    one, two = list(run(experiment)), list(run(experiment, [1]))
    for t in range(3):
        values = one[t].rows["perplexity.nll"]
        assert values[1] == two[t].rows["perplexity.nll"][0]
        assert (values > 0).all()
        assert (values < np.log(20) + 1).all()


# ── bad input ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 30, "heads": 4}, "Try width = 32"),
        ({"width": 4, "heads": 4}, "Try width = 8"),
        ({"steps": 50, "warmup": 50}, "leaves nothing of steps"),
        ({"steps": 500, "warmup": 50, "warm_steps": 20}, "leaves nothing of warm_steps"),
        ({"prompt_length": 3}, "'prompt_length' is for"),
        ({"dropout": 1.0}, "dropout"),
        ({"precision": "float16"}, "precision"),
    ],
)
def test_fields_that_make_no_sense(fields, message):
    with pytest.raises(SpecError, match=message):
        Transformer(**fields)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 1}, "nothing to look back on"),
        ({"model": 'prompts = "training"\nprompt_length = 9'}, "longer than the model's context"),
        ({"model": "warm_steps = 5"}, "'warm_steps' is for start"),
        ({"sampling": "beams = 4"}, "without prompts"),
        ({"model": 'prompts = "training"', "sampling": "beams = 4\ntop_k = 3"}, "draws nothing, so top_k"),
        ({"sampling": "no_repeat = 1", "length": 40}, "must repeat an n-gram of 1"),
        ({"sampling": "bias = 0.5"}, "knows beams"),
    ],
)
def test_experiments_that_make_no_sense(arguments, message):
    with pytest.raises(SpecError, match=message):
        check_experiment(loop(**arguments))


def test_too_few_blocks_for_a_batch():
    with pytest.raises(SpecError, match="at least 10 items per fit; a generation would have 6"):
        check_experiment(dataclasses.replace(loop(), samples=6))
    with pytest.raises(FitError, match="fewer than one batch of 8"):
        TINY.fit(dataset(text(n=7)), STREAMS)


def test_data_that_is_not_the_models(fitted):
    with pytest.raises(DataError, match=r"outside 0 \.\. 2"):
        TINY.fit(dataset(text() + 1), STREAMS)
    with pytest.raises(DataError, match=r"outside 0 \.\. 2"):
        TINY.log_density(fitted, text() - 1)
    with pytest.raises(DataError, match="blocks of 4 tokens; these have 5"):
        TINY.log_density(fitted, text(length=5))
    with pytest.raises(SpecError, match="without prompts"):
        TINY.sample(fitted, 1, STREAMS, Sampling(beams=2))


def test_a_loss_that_is_no_number_stops_the_run():
    with pytest.raises(FitError, match="NaN or infinite"):
        dataclasses.replace(TINY, rate=1e30, steps=60).fit(dataset(text()), STREAMS)


def test_without_torch_the_message_names_the_extra(monkeypatch):
    from remission import errors

    monkeypatch.setattr(errors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"remission\[deep\]"):
        check_experiment(loop())
