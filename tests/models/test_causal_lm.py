"""Causal language models of Hugging Face, on tiny ones built here: no network, no download."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from remission import Experiment, SpecError, run
from remission.checks import check_experiment
from remission.data import Dataset
from remission.desk import Desk
from remission.errors import DataError, FitError, MissingExtra
from remission.interfaces import Sampling
from remission.models import causal_lm
from remission.models.causal_lm import CausalLm
from remission.networks import causal, checkpoint, vocabulary
from remission.networks.checkpoint import quiet
from remission.networks.device import one_thread
from remission.rng import Streams
from remission.sources.file import File

TEXT = (Path(__file__).resolve().parents[2] / "LICENSE").read_text(encoding="utf-8")
LENGTH = 12
QUICK = {"batch": 8, "rate": 1e-2, "precision": "float32"}
STILL = {"batch": 1, "rate": 1e-12, "precision": "float32"}  # leaves the weights as they are


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with tiny models: gpt2 (begins texts with a token), llama (does not), and what they share."""
    from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

    root = tmp_path_factory.mktemp("models")
    (root / "text.txt").write_text(TEXT, encoding="utf-8")
    tokenizer = vocabulary.train([TEXT], 300)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    size = tokenizer.get_vocab_size()
    shapes = {
        "gpt2": GPT2Config(vocab_size=size, n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=size - 1),
        "llama": LlamaConfig(
            vocab_size=size + 3, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=64,
        ),
    }  # fmt: skip
    for name, config in shapes.items():
        with quiet(), one_thread(), torch.random.fork_rng():
            torch.manual_seed(1)
            network = AutoModelForCausalLM.from_config(config)
            for weight in network.parameters():  # so that laws are far from uniform
                weight.data *= 4 if weight.ndim > 1 else 1
            network.generation_config.temperature = 0.1  # a checkpoint's own taste must not matter
            network.generation_config.do_sample = True
            network.save_pretrained(root / name)
        tokenizer.save(str(root / name / "tokenizer.json"))
    begin = {"bos_token": "<|endoftext|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (root / "gpt2" / "tokenizer_config.json").write_text(json.dumps(begin))
    return root


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    with one_thread():  # the libraries that are compared with run in one thread, too
        yield


def data_of(models, n=40, replicates=1, length=LENGTH):
    source = File(path=str(models / "text.txt"), tokenizer=str(models / "gpt2"), length=length)
    rows = [source.items()[i * n : (i + 1) * n] for i in range(replicates)]
    return Dataset(source.space, np.stack(rows), np.zeros((replicates, n), np.int32))


def streams_of(replicates=(0,), t=1):
    return Streams.of(3, replicates).at(t, "fit")


def reference(folder):
    from transformers import AutoModelForCausalLM

    with quiet():
        return AutoModelForCausalLM.from_pretrained(folder).eval()


def mean(model, state, data):
    return model.log_density(state, data.items).mean(axis=1)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_fit_learns_its_own_data(models, name, tuning):
    data = data_of(models)
    model = CausalLm(model=str(models / name), tuning=tuning, steps=30, **QUICK)
    before = mean(model, dataclasses.replace(model, rate=1e-12).fit(data, streams_of()), data)
    state = model.fit(data, streams_of())
    assert mean(model, state, data) > before + (5 if tuning == "full" else 2)
    assert all(tensor.shape[0] == 1 for tensor in state.values())
    names = {key for key in state if key not in ("block", "prompts")}
    assert all("lora_" in key for key in names) == (tuning == "lora")
    if tuning == "full":
        assert names == {key for key, _ in reference(models / name).named_parameters()}
    other = model.fit(data_of(models), streams_of(), state)
    assert mean(model, other, data) > mean(model, state, data) + 0.5, "a warm start goes on"


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_log_density_is_the_loss_of_the_library(models, name):
    data = data_of(models, n=10)
    model = CausalLm(model=str(models / name), steps=1, **STILL)
    state = model.fit(data, streams_of())
    found = model.log_density(state, data.items)[0]
    network, blocks = reference(models / name), torch.from_numpy(np.array(data.items[0]))
    if name == "gpt2":
        assert model.order == 1
        blocks = torch.cat([torch.full((10, 1), network.config.bos_token_id), blocks], dim=1)
    else:
        assert model.order == 2
    with torch.no_grad():
        expected = [-float(network(block[None], labels=block[None]).loss) * (len(block) - 1) for block in blocks]
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_training_is_the_same(models):
    """One step of plain gradient descent in the library and here moves the weights alike."""
    data = data_of(models, n=8)
    model = CausalLm(model=str(models / "llama"), steps=1, weight_decay=0.1, **QUICK)
    state = model.fit(data, streams_of())
    network, blocks = reference(models / "llama"), torch.from_numpy(np.array(data.items[0]))
    loss = network(blocks, labels=blocks).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    decays = [[one for one in network.parameters() if (one.ndim > 1) == big] for big in (True, False)]
    groups = [{"params": some, "weight_decay": 0.1 * (i == 0)} for i, some in enumerate(decays)]
    torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.999)).step()
    for key, one in network.named_parameters():
        assert torch.allclose(state[key][0], one, atol=1e-5), key


def test_weights_count(models):
    data = data_of(models, n=16)
    model = CausalLm(model=str(models / "gpt2"), steps=20, **QUICK)
    weight = np.where(np.arange(16) < 8, 2.0, 0.0)[None]
    found = model.log_density(model.fit(dataclasses.replace(data, weight=weight), streams_of()), data.items)[0]
    plain = model.log_density(model.fit(data, streams_of()), data.items)[0]
    assert (found - plain)[:8].mean() > 1 > (found - plain)[8:].mean()
    same = model.fit(dataclasses.replace(data, weight=np.full((1, 16), 3.0)), streams_of())
    assert (model.log_density(same, data.items)[0] == plain).all()
    with pytest.raises(FitError, match="finite, not negative"):
        model.fit(dataclasses.replace(data, weight=-weight), streams_of())


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_greedy_text_is_that_of_the_library(models, name):
    data = data_of(models, n=6)
    model = CausalLm(model=str(models / name), steps=1, prompts="training", **STILL)
    state = model.fit(data, streams_of())
    found = model.sample(state, 6, streams_of(), Sampling(top_k=1))[0]
    network, prompts = reference(models / name), state["prompts"][0].long()
    assert (prompts.numpy() == data.items[0]).all()
    if name == "gpt2":
        prompts = torch.cat([torch.full((6, 1), network.config.bos_token_id), prompts], dim=1)
    with quiet(), torch.no_grad():
        written = network.generate(
            prompts, attention_mask=torch.ones_like(prompts), do_sample=False, temperature=1.0, eos_token_id=None,
            max_new_tokens=LENGTH, pad_token_id=0, suppress_tokens=list(range(data.space.size, network.config.vocab_size)) or None,
        )[:, -LENGTH:]  # fmt: skip
    assert sorted(found.tolist()) == sorted(written.tolist())
    widest = model.sample(state, 6, streams_of(), Sampling(beams=3))[0]
    with torch.no_grad():
        rate = [
            _probability(network, prompts, blocks) for blocks in (_in_order(state, widest), _in_order(state, found))
        ]
    assert rate[0] > rate[1], "a search finds more probable texts than greed"


def _in_order(state, blocks):
    from remission.networks.dice import Dice
    from remission.networks.language import in_turn

    order = in_turn(len(blocks), len(blocks), Dice(streams_of().sub("prompts").seeds()))
    out = torch.empty(blocks.shape, dtype=torch.int64)
    out[order] = torch.from_numpy(blocks)
    return out


def _probability(network, prompts, blocks):
    logits = network(torch.cat([prompts, blocks], dim=1)).logits.log_softmax(dim=2)[:, prompts.shape[1] - 1 : -1]
    return float(logits.gather(2, blocks[:, :, None]).sum())


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_reading_with_a_cache(models, name):
    """Token by token, and after texts were put in another order, the logits are those of the whole text."""
    network, size = reference(models / name), 290
    texts = torch.from_numpy(data_of(models, n=3).items[0].copy())
    order, seen = torch.tensor([2, 0, 0, 1]), []
    with torch.no_grad():
        whole = network(torch.cat([torch.full((3, 1), 7), texts], dim=1)).logits[:, :, :size]
        network.register_forward_pre_hook(
            lambda _, __, given: seen.append(given["input_ids"].shape[1]), with_kwargs=True
        )
        reader = causal.CachedReader(network, 7, size)
        assert torch.allclose(reader.read(texts[:, :0]), whole[:, 0], atol=1e-5)
        assert torch.allclose(reader.read(texts[:, :4]), whole[:, 4], atol=1e-5)
        reader.keep(order)
        for t in range(4, LENGTH):
            assert torch.allclose(reader.read(texts[order, t : t + 1]), whole[order, t + 1], atol=1e-5)
        assert seen == [1, 4] + [1] * (LENGTH - 4), "nothing is read twice"
        reader = causal.CachedReader(network, 7, size)
        reader.holds = ""  # as of a model that keeps no cache
        for t in range(3):
            assert torch.allclose(reader.read(texts[:, t : t + 1]), whole[:, t + 1], atol=1e-5)
        reader.keep(order)
        assert torch.allclose(reader.read(texts[order, 3:4]), whole[order, 4], atol=1e-5)


def test_draws_have_the_law_of_the_model(models):
    """The number of times each first token is drawn fits its probability, and does not fit one that is a tenth off."""
    data = data_of(models, n=40, length=2)
    model = CausalLm(model=str(models / "gpt2"), steps=30, **QUICK)
    state = model.fit(data, streams_of())
    network = reference(models / "gpt2")
    network.load_state_dict({key: one[0] for key, one in state.items() if key != "block"}, strict=False)
    with torch.no_grad():
        logits = network(torch.tensor([[network.config.bos_token_id]])).logits[0, 0].double()

    def chance(drawn, law):
        common = law > 20 / len(drawn)
        seen = np.bincount(drawn, minlength=len(law))
        seen, law = np.append(seen[common], seen[~common].sum()), np.append(law[common], law[~common].sum())
        return scipy.stats.chisquare(seen, law / law.sum() * len(drawn)).pvalue

    for temperature in (1.0, 0.5):
        drawn = model.sample(state, 3000, streams_of(), Sampling(temperature=temperature))[0, :, 0]
        assert chance(drawn, (logits / temperature).softmax(dim=0).numpy()) > 0.01
        assert chance(drawn, (logits / temperature * 1.1).softmax(dim=0).numpy()) < 1e-6


def test_texts_without_a_beginning(models):
    data = data_of(models, n=8, length=2)
    model = CausalLm(model=str(models / "llama"), steps=1, **STILL)
    blocks = model.sample(model.fit(data, streams_of()), 8, streams_of(), Sampling())[0]
    assert sorted(blocks[:, 0]) == sorted(data.items[0, :, 0]), "they start like training blocks"
    many = model.sample(model.fit(data, streams_of()), 600, streams_of(), Sampling(temperature=3.0))[0]
    assert many.max() < data.space.size, "rows of the table that are no token are never drawn"


def test_bfloat16(models):
    data = data_of(models)
    half, whole = (
        CausalLm(model=str(models / "llama"), steps=20, **QUICK | {"precision": precision})
        for precision in ("bfloat16", "float32")
    )
    likely = [model.log_density(model.fit(data, streams_of()), data.items).mean() for model in (half, whole)]
    assert likely[0] != likely[1]
    assert likely[0] == pytest.approx(likely[1], rel=0.05)


def test_prompts(models):
    data = data_of(models, n=10)
    model = CausalLm(model=str(models / "gpt2"), steps=1, prompts="original", prompt_length=5, **QUICK)
    state = model.fit(data, streams_of())
    assert (state["prompts"].numpy() == data.items[:, :, :5]).all()
    assert model.sample(state, 3, streams_of(), Sampling()).shape == (1, 3, LENGTH)
    later = model.fit(dataclasses.replace(data, items=data.items[:, ::-1]), streams_of(t=2))
    assert (model.inherit(later, state)["prompts"] == state["prompts"]).all()
    other = dataclasses.replace(model, prompts="training")
    assert (other.inherit(later, state)["prompts"] == later["prompts"]).all()


def test_blocks_and_repeats_are_the_same_bits(models):
    data = data_of(models, replicates=3, n=20)
    for fields in ({}, {"tuning": "lora"}, {"weights": "random"}):
        model = CausalLm(model=str(models / "gpt2"), steps=6, **fields, **QUICK)
        whole = model.fit(data, streams_of(range(3)))
        text = model.sample(whole, 7, streams_of(range(3)), Sampling())
        likely = model.log_density(whole, data.items)
        for i in (2, 0):
            alone = model.fit(data.only(i), streams_of([i]))
            assert all((whole[key][i] == alone[key][0]).all() for key in whole)
            assert (model.sample(alone, 7, streams_of([i]), Sampling())[0] == text[i]).all()
            assert (model.log_density(alone, data.items[i : i + 1])[0] == likely[i]).all()
        assert not (text[0] == text[1]).all()
    spread = [CausalLm(model=str(models / "gpt2"), steps=3, spread=yes, **QUICK) for yes in (True, False)]
    found = [model.fit(data.only(0), streams_of()) for model in spread]
    assert all((found[0][key] == found[1][key]).all() for key in found[0])
    assert model.pretrained is False
    assert CausalLm(model="x").pretrained is True


class _StoppedError(Exception):
    pass


class _Fragile(Desk):
    """Saves at every chance and breaks at the second."""

    saved = 0

    @property
    def due(self):
        return True

    def part(self, name):
        made = _Fragile(self.folder / name, self.every)
        made.limit = self.limit
        return made

    def save(self, tensors, name="work"):
        super().save(tensors, name)
        _Fragile.saved += 1
        if _Fragile.saved == self.limit:
            raise _StoppedError


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_fit_goes_on_where_it_was_killed(models, tuning, tmp_path):
    data = data_of(models, replicates=2, n=20)
    model = CausalLm(model=str(models / "gpt2"), tuning=tuning, steps=55, **QUICK)  # gpt2 trains with dropout
    expected = model.fit(data, streams_of(range(2)))
    desk = _Fragile(tmp_path / "work")
    _Fragile.saved = 0
    for limit in (1, 6, 10_000):
        desk.limit = limit
        if limit < 10_000:
            with pytest.raises(_StoppedError):
                model.fit_at(data, streams_of(range(2)), None, desk)
    found = model.fit_at(data, streams_of(range(2)), None, desk)
    assert found.keys() == expected.keys()
    assert all((found[key] == expected[key]).all() for key in found)
    kept = Desk(tmp_path / "work").part("replicate-0").load()
    assert kept is not None
    frozen = [key for key in kept if key.startswith("network.") and "lora_" not in key]
    assert bool(frozen) == (tuning == "full"), "frozen weights are not kept"


def experiment(models, model="gpt2", source="", length=LENGTH, tables="", **fields):
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in fields.items())
    return Experiment.from_toml(f"""
[experiment]
generations = 2
replicates = 2
samples = 40
reference = 20
[source]
kind = "file"
path = "{models / "text.txt"}"
length = {length}
{source or f'tokenizer = "{models / model}"'}
[model]
kind = "causal-lm"
model = "{models / model}"
{lines}
[regime]
kind = "replace"
{tables}
[[metric]]
kind = "perplexity"
[[metric]]
kind = "distinct"
[[metric]]
kind = "compression"
""")


def test_a_loop_from_end_to_end(models, capfd):
    trial = experiment(models, steps=20, prompts="original", **QUICK)
    assert check_experiment(trial) == []
    first, second = run(trial)
    assert first.rows["perplexity"].shape == (2,)
    assert np.isfinite(first.rows["perplexity"]).all()
    assert (second.rows["perplexity"] > first.rows["perplexity"]).all(), "generated text teaches less"
    assert (first.rows["compression"] > 0.5).all()
    alone = list(run(trial, [1]))
    for generation, other in zip((first, second), alone, strict=True):
        assert all(generation.rows[key][1] == other.rows[key][0] for key in other.rows)
    warm = list(run(dataclasses.replace(trial, start="previous")))
    assert (warm[0].rows["perplexity"] == first.rows["perplexity"]).all()
    assert (warm[1].rows["perplexity"] != second.rows["perplexity"]).all()
    base = list(run(dataclasses.replace(trial, start="base")))
    assert (base[1].rows["perplexity"] == second.rows["perplexity"]).all(), "base: the weights of the folder"
    said = capfd.readouterr()
    assert said.out == said.err == ""


def test_a_run_knows_its_model(models, tmp_path):
    shutil.copytree(models / "gpt2", tmp_path / "gpt2")
    trial = experiment(models, steps=2, **QUICK)
    own = dataclasses.replace(trial, model=CausalLm(model=str(tmp_path / "gpt2"), steps=2, **QUICK))
    assert own.model.content() == trial.model.content()
    weights = tmp_path / "gpt2" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    name = own.id
    weights.write_bytes(bytes(changed))
    assert own.id != name


def refused(models, words, **changes):
    with pytest.raises((SpecError, DataError), match=words):
        check_experiment(experiment(models, **changes))


def test_worlds_that_do_not_fit_are_refused(models):
    check_experiment(experiment(models, "llama"))
    refused(models, r"gives \d+ types.*Set tokenizer = '.*gpt2' in \[source\]", source='level = "character"')
    refused(models, r"gives 300 types", source='level = "bpe"\nvocabulary = 300')
    refused(models, "a block of 40 tokens after a prompt of 40 makes 81 tokens, and the model reads 64.*prompt_length",
            prompts="original", length=40)  # fmt: skip
    refused(
        models,
        "a block of 70 tokens makes 71 tokens, and the model reads 64. Lower 'length' of the source.$",
        length=70,
    )
    check_experiment(experiment(models, prompts="original", prompt_length=23, length=40))
    refused(models, "predicts no token of a block of one", model="llama", length=1)
    refused(models, "prompt_length = 20, but blocks have 12", prompts="training", prompt_length=20)
    refused(models, "at least 50 items per fit", batch=50)
    refused(models, "top_p cannot be used with beams", prompts="training", tables="[sampling]\nbeams = 2\ntop_p = 0.5")
    refused(models, "finds one block, n times", tables="[sampling]\nbeams = 2")
    refused(models, r"causal-lm knows beams", tables="[sampling]\nguidance = 2.0")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"weights": "random", "tuning": "lora"}, "adapters need pretrained weights"),
        ({"weights": "random", "prompts": "training"}, "Set prompts = 'none'"),
        ({"steps": 3, "epochs": 2.0}, "exclude each other"),
        ({"prompt_length": 3}, "'prompt_length' without prompts"),
    ],
)
def test_contradictions_are_refused(fields, words):
    with pytest.raises(SpecError, match=words):
        CausalLm(model="x", **fields)


def test_folders_that_are_no_model_are_refused(models, tmp_path, monkeypatch):
    def copy(name, *, without=(), **files):
        shutil.copytree(models / "gpt2", tmp_path / name)
        for path in without:
            (tmp_path / name / path).unlink()
        for path, content in files.items():
            (tmp_path / name / path.replace("__", ".")).write_bytes(content)
        return CausalLm(model=str(tmp_path / name), **QUICK)

    def fails(model, words, error=SpecError):
        with pytest.raises(error, match=words):
            check_experiment(dataclasses.replace(experiment(models), model=model))

    fails(CausalLm(model=str(tmp_path / "nowhere")), "there is no such folder")
    fails(CausalLm(model="nobody/nothing"), "nothing is fetched. Fetch it once with: hf download nobody/nothing")
    fails(CausalLm(model=str(models / "text.txt")), "is a file. Give the folder")
    fails(copy("a", without=["config.json"]), r"has no config\.json")
    fails(copy("b", config__json=b"{"), r"config\.json' is no JSON")
    fails(copy("c", config__json=b'{"model_type": "unheard"}'), r"config\.json cannot be used")
    fails(copy("d", without=["tokenizer.json"]), "has no tokenizer", DataError)
    pickled = copy("e", without=["model.safetensors"], pytorch_model__bin=b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    fails(pickled, r"pickle \(pytorch_model\.bin\)")
    fails(copy("f", without=["model.safetensors"]), r"no weights \(\*\.safetensors\).*weights = 'random'")
    t5 = json.dumps({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}).encode()
    fails(copy("g", config__json=t5), "does not write text from left to right")
    bert = json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]}).encode()
    fails(copy("h", config__json=bert), "Give a causal language model")
    data = data_of(models, n=8)
    for name, content, words in (("i", b"x" * 100, "weights cannot be read"), ("j", None, "lack")):
        model = copy(name)
        if content is None:
            network = reference(models / "gpt2")
            kept = {key: one for key, one in network.state_dict().items() if "mlp" not in key and "lm_head" not in key}
            from safetensors.torch import save_file

            save_file(
                {key: one.clone() for key, one in kept.items()}, tmp_path / name / "model.safetensors", {"format": "pt"}
            )
        else:
            (tmp_path / name / "model.safetensors").write_bytes(content)
        with pytest.raises(SpecError, match=words):
            model.fit(data, streams_of())
    with pytest.raises(SpecError, match=r"targets = \['no_such'\].*Layers of this model: .*c_attn"):
        CausalLm(model=str(models / "gpt2"), tuning="lora", targets=("no_such",), **QUICK).fit(data, streams_of())
    monkeypatch.setattr(causal_lm, "need", _missing)
    fails(CausalLm(model=str(models / "gpt2")), r"remission\[hf\]", MissingExtra)


def _missing(extra, purpose, *packages):
    raise MissingExtra(packages[1], extra, purpose)


def test_no_code_of_a_model_is_run(models, tmp_path):
    shutil.copytree(models / "gpt2", tmp_path / "own")
    config = json.loads((tmp_path / "own" / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    (tmp_path / "own" / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(SpecError, match="cannot be used"):
        check_experiment(dataclasses.replace(experiment(models), model=CausalLm(model=str(tmp_path / "own"))))
    assert not (tmp_path / "ran").exists()


def test_data_that_does_not_fit(models):
    data = data_of(models, n=6)
    model = CausalLm(model=str(models / "gpt2"), steps=2, **QUICK)
    with pytest.raises(FitError, match="6 blocks are fewer than a batch of 8"):
        model.fit(data, streams_of())
    with pytest.raises(DataError, match="outside 0"):
        model.fit(dataclasses.replace(data_of(models), items=data_of(models).items + 999), streams_of())
    with pytest.raises(FitError, match="NaN or infinite"):
        CausalLm(model=str(models / "gpt2"), steps=40, **{**QUICK, "rate": 1e30}).fit(data_of(models), streams_of())


def test_paths_beside_the_experiment(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = experiment(models).to_toml().replace(str(models) + "/", "")
    (models / "experiment.toml").write_text(text)
    found = Experiment.from_file(models / "experiment.toml")
    assert found.model.model == str(models / "gpt2")
    assert found.source.tokenizer == str(models / "gpt2")


def test_a_name_in_the_local_cache(models, tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--me--tiny"
    shutil.copytree(models / "gpt2", home / "snapshots" / "abc")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    assert checkpoint.folder_of("me/tiny") == home / "snapshots" / "abc"
    named = dataclasses.replace(experiment(models), model=CausalLm(model="me/tiny", **QUICK))
    check_experiment(named)
    with pytest.raises(SpecError, match=r"revision 'v2'.*hf download me/tiny --revision v2"):
        checkpoint.folder_of("me/tiny", "v2")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SpecError, match=r"'me/other' could not be fetched: .*traffic has been disabled"):
        checkpoint.folder_of("me/other", offline=False)


def test_a_large_file_is_told_from_a_changed_one(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_WHOLE", 2**12)
    monkeypatch.setattr(checkpoint, "_PART", 2**8)
    (tmp_path / "model.safetensors").write_bytes(bytes(2**14))
    before = checkpoint.fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(bytes(2**14 - 1) + b"1")
    assert checkpoint.fingerprint(tmp_path) != before
