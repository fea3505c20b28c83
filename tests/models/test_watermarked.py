"""Models whose laws are changed while they write, and the wrapper that writes a watermark with them."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from scipy import stats

from remission import Experiment, SimpleModel, run
from remission.checks import check_experiment
from remission.data import Dataset, Space
from remission.errors import DataError, SpecError
from remission.evidence import weigh
from remission.interfaces import HasDensity, LongModel, Sampling, Steerable
from remission.metrics.perplexity import Perplexity
from remission.models import ngram as ngram_module
from remission.models.causal_lm import CausalLm
from remission.models.gaussian import Gaussian
from remission.models.ngram import Ngram
from remission.models.transformer import Transformer
from remission.models.watermarked import Watermarked
from remission.rng import Streams
from remission.watermarking import Steering, Tokens, lab_key
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.spread_spectrum import SpreadSpectrum
from remission.watermarks.synthid import Synthid

STREAMS = Streams.of(seed=3, replicates=range(2)).at(1, "test")
TINY = Transformer(width=8, layers=1, heads=2, steps=12, batch=8, warmup=2, rate=0.02, precision="float32")
V = 300


class Still(Steering):
    """Changes nothing, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, history, logits):
        self.shown.append((history.copy(), logits.copy()))
        return logits


def still(i, start, stop):
    return Still()


def dataset(blocks, size, weight=None):
    blocks = np.asarray(blocks, np.int64)
    return Dataset(Space("tokens", blocks.shape[2:], size), blocks, np.zeros(blocks.shape[:2], np.int32), weight)


def text(replicates=2, n=40, length=4, size=3, seed=0):
    return np.random.default_rng(seed).integers(0, size, (2, replicates, n, length)).min(axis=0)


def wide(n=400, length=40, seed=0):
    """Blocks of V tokens after which many others come, so that they can carry a mark."""
    p = 1 / np.arange(1, V + 1)
    return np.random.default_rng(seed).choice(V, (1, n, length), p=p / p.sum())


def chance(found, law):
    """The p-value of counts under a law."""
    expected = law * found.sum()
    assert found[law == 0].sum() == 0
    cells = law > 0
    return stats.chisquare(found[cells], expected[cells]).pvalue


# --- steering ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "weighted", "smoothing"),
    [(1, False, 0.0), (2, True, 0.0), (3, False, 0.0), (3, True, 0.0), (2, True, 0.7)],
)
def test_ngrams_steered_by_nothing_keep_their_law(order, weighted, smoothing):
    """Over all texts there are, starts and dead ends included; 10 % off would be seen."""
    size, length, n = 3, 4, 40_000
    blocks = text(1, n=9, seed=order)
    weight = np.random.default_rng(1).integers(1, 4, blocks.shape[:2]).astype(float) if weighted else None
    model = Ngram(order=order, smoothing=smoothing)
    state = model.fit(dataset(blocks, size, weight), STREAMS.only(0))
    every = np.array(list(itertools.product(range(size), repeat=length)))
    starts = (blocks[0][None, :, : order - 1] == every[:, None, : order - 1]).all(axis=2)
    law = np.exp(model.log_density(state, every[None])[0]) * np.average(
        starts, axis=1, weights=None if weight is None else weight[0]
    )
    assert law.sum() == pytest.approx(1)
    drawn = model.sample_steered(state, n, STREAMS.only(0), Sampling(), still)[0]
    found = np.bincount(drawn @ size ** np.arange(length)[::-1], minlength=size**length)
    assert chance(found, law) > 1e-4
    tilted = law * np.where(np.arange(law.size) % 2, 1.1, 0.9)
    assert chance(found, tilted / tilted.sum()) < 1e-4


@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.7, "temperature": 2.0}])
def test_laws_are_shaped_before_they_are_steered(options):
    model, blocks = Ngram(order=2), text(1, n=60, size=6, seed=3)
    state = model.fit(dataset(blocks, 6), STREAMS.only(0))
    kept = []

    def steer(i, start, stop):
        kept.append(Still())
        return kept[-1]

    one, two = (
        np.bincount(drawn[:, 1] * 6 + drawn[:, 2], minlength=36)
        for drawn in (
            model.sample_steered(state, 8000, STREAMS.only(0), Sampling(**options), steer)[0],
            model.sample(state, 8000, STREAMS.only(0).sub("other"), Sampling(**options))[0],
        )
    )
    seen = one + two > 0
    assert stats.chi2_contingency(np.stack([one[seen], two[seen]])).pvalue > 1e-4
    for still_one in kept:
        for history, logits in still_one.shown:
            assert np.exp(logits).sum(axis=1) == pytest.approx(1)
            if "top_k" in options and history.shape[1]:
                assert (logits > -np.inf).sum(axis=1).max() <= 2


def test_what_steers_an_ngram_sees_each_text_from_its_beginning(monkeypatch):
    model, blocks = Ngram(order=3), text(2, n=30, length=8, size=4)
    state = model.fit(dataset(blocks, 4), STREAMS)
    kept = {}

    def steer(i, start, stop):
        kept[i, start, stop] = Still()
        return kept[i, start, stop]

    drawn = model.sample_steered(state, 50, STREAMS, Sampling(), steer)
    assert set(kept) == {(0, 0, 50), (1, 0, 50)}
    for (i, start, stop), one in kept.items():
        for t, (history, logits) in enumerate(one.shown):
            assert np.array_equal(history, drawn[i, start:stop, :t])
            assert (np.take_along_axis(logits, drawn[i, start:stop, t, None], axis=1) > -np.inf).all()
            assert t > 1 or ((logits > -np.inf).sum(axis=1) == 1).all()  # starts are sure
    monkeypatch.setattr(ngram_module, "_LOGITS", 4 * 7)  # seven texts at once
    assert np.array_equal(model.sample_steered(state, 50, STREAMS, Sampling(), steer), drawn)
    assert (0, 7, 14) in kept
    alone = model.sample_steered(
        model.fit(dataset(blocks[1:], 4), STREAMS.only(1)), 50, STREAMS.only(1), Sampling(), steer
    )
    assert np.array_equal(alone[0], drawn[1])


def test_steering_is_obeyed_and_must_leave_a_token():
    class Never(Steering):
        def __init__(self, *tokens):
            self.tokens = tokens

        def __call__(self, history, logits):
            out = logits.copy()
            out[:, self.tokens] = -np.inf
            return out

    model = Ngram(order=1)
    state = model.fit(dataset(text(), 3), STREAMS)
    drawn = model.sample_steered(state, 50, STREAMS, Sampling(), lambda *batch: Never(1))
    assert set(np.unique(drawn)) == {0, 2}
    with pytest.raises(DataError, match="left no token"):
        model.sample_steered(state, 50, STREAMS, Sampling(), lambda *batch: Never(0, 1, 2))
    with pytest.raises(SpecError, match="smoothing cannot be combined with top_k"):
        Ngram(smoothing=0.1).sample_steered(state, 5, STREAMS, Sampling(top_k=1), still)


@pytest.mark.parametrize("prompts", ["none", "training"])
def test_a_transformer_steered_by_nothing_writes_the_same(prompts):
    pytest.importorskip("torch")
    model = dataclasses.replace(TINY, prompts=prompts)
    state = model.fit(dataset(text(n=20), 3), STREAMS)
    kept = []

    def steer(i, start, stop):
        kept.append(Still())
        return kept[-1]

    sampling = Sampling(temperature=0.8, top_k=2)
    drawn = model.sample_steered(state, 30, STREAMS, sampling, steer)
    assert np.array_equal(drawn, model.sample(state, 30, STREAMS, sampling))
    assert len(kept) == 2
    assert kept[0].shown[0][0].shape == (30, 0 if prompts == "none" else 4)
    assert (np.isfinite(kept[0].shown[2][1]).sum(axis=1) == 2).all()
    with pytest.raises(SpecError, match="a beam search draws nothing"):
        model.sample_steered(state, 3, STREAMS, Sampling(beams=2), steer)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny GPT-2, which begins texts with a token, and a Llama, which does not."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from remission.networks import checkpoint, vocabulary

    root = tmp_path_factory.mktemp("folders")
    (root / "text.txt").write_text(
        (Path(__file__).resolve().parents[2] / "LICENSE").read_text(encoding="utf-8"), encoding="utf-8"
    )
    tokenizer = vocabulary.train([(root / "text.txt").read_text(encoding="utf-8")], 290)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    size = tokenizer.get_vocab_size()
    shapes = {
        "gpt2": transformers.GPT2Config(
            vocab_size=size, n_positions=32, n_embd=8, n_layer=1, n_head=1, bos_token_id=size - 1
        ),
        "llama": transformers.LlamaConfig(
            vocab_size=size, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
            num_key_value_heads=1, max_position_embeddings=32,
        ),
    }  # fmt: skip
    for name, config in shapes.items():
        with checkpoint.quiet(), torch.random.fork_rng():
            torch.manual_seed(1)
            transformers.AutoModelForCausalLM.from_config(config).save_pretrained(root / name)
        tokenizer.save(str(root / name / "tokenizer.json"))
    (root / "gpt2" / "tokenizer_config.json").write_text(
        '{"bos_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}'
    )
    return root


@pytest.mark.parametrize(
    ("name", "prompts", "first"), [("gpt2", "none", 0), ("llama", "none", 0), ("llama", "training", 12)]
)
def test_a_causal_model_steered_by_nothing_writes_the_same(folders, monkeypatch, tmp_path, name, prompts, first):
    from remission.sources.file import File

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))
    source = File(path=str(folders / "text.txt"), tokenizer=str(folders / "gpt2"), length=12)
    data = Dataset(source.space, source.items()[None, :16], np.zeros((1, 16), np.int32))
    model = CausalLm(model=str(folders / name), steps=1, batch=8, precision="float32", prompts=prompts)
    state = model.fit(data, STREAMS.only(0))
    kept = []

    def steer(i, start, stop):
        kept.append(Still())
        return kept[-1]

    drawn = model.sample_steered(state, 6, STREAMS.only(0), Sampling(top_k=5), steer)
    assert np.array_equal(drawn, model.sample(state, 6, STREAMS.only(0), Sampling(top_k=5)))
    assert [history.shape[1] for history, _ in kept[0].shown] == list(range(first, first + 12))
    assert np.array_equal(kept[0].shown[-1][0][:, -11:], drawn[0, :, :-1])
    assert (np.isfinite(kept[0].shown[-1][1]).sum(axis=1) == 5).all()
    with pytest.raises(SpecError, match="a beam search draws nothing"):
        model.sample_steered(state, 3, STREAMS.only(0), Sampling(beams=2), steer)
    marked = Watermarked(model=model, mark=Gumbel())
    assert isinstance(marked, LongModel)
    assert marked.content() == model.content()
    assert marked.pretrained
    found = marked.sample(state, 40, STREAMS.only(0), Sampling())[0]
    assert (weigh(Gumbel(), marked.keys[0], Tokens.of(list(found))).log10_p < -3).mean() > 0.8


# --- the wrapper ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    return Ngram(order=2).fit(dataset(wide(), V), STREAMS.only(0))


def written(state, n=300, **settings):
    model = Watermarked(model=Ngram(order=2), **({"mark": Kgw(vocabulary=V, delta=4.0)} | settings))
    return model, model.sample(state, n, STREAMS.only(0), Sampling())[0]


def marked_share(mark, key, blocks, level=1e-3):
    return float((weigh(mark, key, Tokens.of(list(blocks))).log10_p < np.log10(level)).mean())


@pytest.mark.parametrize(
    "mark", [Kgw(vocabulary=V, delta=4.0), Gumbel(), Synthid(ngram=3)], ids=lambda mark: mark.name()
)
def test_blocks_bear_the_named_key(fitted, mark):
    model, blocks = written(fitted, 100, mark=mark)
    assert marked_share(mark, lab_key(mark, "lab"), blocks) > 0.95
    assert marked_share(mark, lab_key(mark, "another"), blocks) < 0.05
    assert model.keys[0] == lab_key(mark, "lab")
    assert marked_share(mark, model.keys[1], blocks) < 0.05


def test_adoption_known_keys_and_laundering(fitted):
    model, blocks = written(fitted, adoption=0.6, known=0.25)
    mine, theirs = (marked_share(model.mark, key, blocks) for key in model.keys)
    assert mine == pytest.approx(0.15, abs=0.07)
    assert theirs == pytest.approx(0.45, abs=0.09)
    mark = model.mark
    clean, washed = (written(fitted, laundered=share, adoption=0.5)[1] for share in (0.0, 0.3))
    changed = (clean != washed).mean(axis=1)
    assert 0.4 < (changed > 0).mean() < 0.6  # marked blocks only
    p = np.bincount(clean.ravel(), minlength=V) / clean.size
    assert changed[changed > 0].mean() == pytest.approx(0.3 * (1 - (p**2).sum()), abs=0.02)
    # tokens come from the whole sample: their frequencies stay
    after = np.bincount(washed.ravel(), minlength=V) / washed.size
    assert np.abs(after - p).max() < 0.02
    assert marked_share(mark, lab_key(mark, "lab"), washed) < marked_share(mark, lab_key(mark, "lab"), clean)


def test_without_adoption_it_is_the_model(fitted):
    model, blocks = written(fitted, adoption=0.0)
    assert np.array_equal(blocks, Ngram(order=2).sample(fitted, 300, STREAMS.only(0), Sampling())[0])
    assert np.array_equal(model.bare_sample(fitted, 300, STREAMS.only(0), Sampling())[0], blocks)
    assert np.array_equal(model.log_density(fitted, blocks[None]), Ngram(order=2).log_density(fitted, blocks[None]))
    transformer = Watermarked(model=TINY, mark=Gumbel(), adoption=0.5)
    state = TINY.fit(dataset(text(n=20), 3), STREAMS)
    bare, some = (one.sample(state, 40, STREAMS, Sampling()) for one in (TINY, transformer))
    assert 0.2 < (bare == some).all(axis=2).mean() < 0.9  # blocks without the mark are what they were


class Parrot(SimpleModel):
    """Writes what it has read, or what it is told."""

    accepts: ClassVar = frozenset({"tokens"})

    def fit_one(self, items, rng):
        return items

    def sample_one(self, state, n, rng):
        return rng.permutation(state)[:n]


class Told(Parrot, Steerable):
    """The same, steered."""

    def sample_steered(self, state, n, streams, sampling, steer):
        return self.sample(state, n, streams, sampling)


def test_it_can_do_what_its_model_can():
    for model, able in (
        (Ngram(), {HasDensity}), (TINY, {HasDensity, LongModel}), (Told(), set()),
        (CausalLm(model="x"), {HasDensity, LongModel}),
    ):  # fmt: skip
        marked = Watermarked(model=model, mark=Gumbel())
        assert {what for what in (HasDensity, LongModel) if isinstance(marked, what)} == able
        assert marked.name() == "watermarked"
        assert marked.accepts == model.accepts
        assert (marked.weighted, marked.warm) == (model.weighted, model.warm)
        assert marked.knows == model.knows - {"beams"}
        again = pickle.loads(pickle.dumps(marked))
        assert again == marked
        assert type(again) is type(marked)
        assert hash(again) == hash(marked)
        assert isinstance(dataclasses.replace(marked, model=Ngram()), HasDensity)
        assert not isinstance(dataclasses.replace(marked, model=Ngram()), LongModel)
    assert Watermarked(model=Ngram(order=4), mark=Gumbel()).order == 4


def test_impossible_combinations_are_named():
    with pytest.raises(SpecError, match="'gaussian' does not write token by token"):
        Watermarked(model=Gaussian(), mark=Gumbel())
    with pytest.raises(SpecError, match="spread-spectrum' marks pictures, not tokens"):
        Watermarked(model=Ngram(), mark=SpreadSpectrum())
    with pytest.raises(SpecError, match="'mark' must be a Watermark"):
        Watermarked(model=Ngram(), mark=3)
    with pytest.raises(SpecError, match="does not write token by token"):
        Watermarked(model=Parrot(), mark=Gumbel())


FILE = """
[experiment]
generations = 2
replicates = 2
samples = 40
[source]
kind = "prose"
length = {length}
vocabulary = 200
[model]
kind = "watermarked"
model = {{ kind = "{model}" }}
mark = {{ {mark} }}
[regime]
kind = "accumulate"
{more}
"""


def parsed(model="ngram", mark='kind = "gumbel"', length=12, more=""):
    return Experiment.from_toml(FILE.format(model=model, mark=mark, length=length, more=more))


def test_files_say_it_and_are_refused_at_load():
    experiment = parsed(mark='kind = "synthid", ngram = 3')
    assert Experiment.from_toml(experiment.to_toml()) == experiment
    check_experiment(experiment)
    for given, message in (
        (parsed(mark='kind = "kgw", vocabulary = 50257'), "items have tokens out of 200. Set vocabulary = 200."),
        (parsed(mark='kind = "synthid", ngram = 13'), "by the 12 before it, and blocks have 12 tokens"),
        (parsed(length=2), "blocks of 2 tokens hold no 3-gram"),
        (
            parsed(more="[sampling]\nbeams = 2", model="transformer"),
            "draws nothing that could be marked. Set beams = 1",
        ),
        (dataclasses.replace(parsed(), fast=True), "needs a model with sufficient statistics; watermarked has none"),
    ):
        with pytest.raises(SpecError, match=message.replace(".", r"\.")):
            check_experiment(given)
    check_experiment(parsed(mark='kind = "kgw", vocabulary = 200'))


def test_folders_of_models_are_looked_for_beside_the_file(tmp_path):
    (tmp_path / "gpt").mkdir()
    content = FILE.format(model="causal-lm", mark='kind = "gumbel"', length=12, more="")
    content = content.replace('"causal-lm" }', '"causal-lm", model = "gpt" }')
    (tmp_path / "experiment.toml").write_text(content, encoding="utf-8")
    assert Experiment.from_file(tmp_path / "experiment.toml").model.model.model == str(tmp_path / "gpt")


def test_a_long_model_runs_marked_and_learns_as_bare(tmp_path):
    pytest.importorskip("torch")
    marked = dataclasses.replace(
        parsed(), model=Watermarked(model=TINY, mark=Gumbel()), metric=(Perplexity(),), examples=4, start="previous"
    )
    one, two = run(marked, work=tmp_path / "work")
    again = list(run(marked, work=tmp_path / "work"))
    assert again[1].rows.keys() == two.rows.keys() > set()
    for name, values in two.rows.items():
        assert np.array_equal(values, again[1].rows[name], equal_nan=True)
    bare = next(iter(run(dataclasses.replace(marked, model=TINY))))
    assert not np.array_equal(bare.examples, one.examples)
    assert np.array_equal(bare.rows["perplexity"], one.rows["perplexity"])  # the model itself is as it was
