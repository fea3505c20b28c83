"""Pipelines of diffusers, on tiny ones built here: no network, no download."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from remission import Experiment, SpecError, run
from remission.checks import check_experiment
from remission.data import Dataset, Space
from remission.desk import Desk
from remission.errors import DataError, FitError, MissingExtra
from remission.interfaces import Sampling
from remission.models import _pipeline
from remission.models import diffusers as module
from remission.models.diffusers import Diffusers
from remission.networks import denoise
from remission.networks.checkpoint import quiet
from remission.networks.device import one_thread
from remission.networks.tuned import put
from remission.rng import Streams
from remission.sources.digits import Digits

QUICK = {"batch": 16, "rate": 2e-3, "precision": "float32", "sampling_steps": 5}
STILL = {"batch": 1, "steps": 1, "rate": 1e-12, "precision": "float32"}  # leaves the weights as they are


def unet(**fields):
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"), add_attention=False,
        **fields,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """A folder of tiny pipelines: plain, v (velocities), classes (with and without a row to spare), dit (latents)."""
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        DDPMPipeline,
        DDPMScheduler,
        DiTPipeline,
        DiTTransformer2DModel,
    )

    root = tmp_path_factory.mktemp("pipelines")
    with quiet(), one_thread(), torch.random.fork_rng():
        torch.manual_seed(1)
        noise = DDPMScheduler(num_train_timesteps=40, beta_end=0.3)
        DDPMPipeline(unet(), noise).save_pretrained(root / "plain")
        DDPMPipeline(unet(), DDPMScheduler.from_config(noise.config, prediction_type="v_prediction")).save_pretrained(
            root / "v"
        )
        DDPMPipeline(unet(), DDPMScheduler.from_config(noise.config, prediction_type="sample")).save_pretrained(
            root / "sample"
        )
        DDPMPipeline(unet(num_class_embeds=11), noise).save_pretrained(root / "classes")
        DDPMPipeline(unet(num_class_embeds=10), noise).save_pretrained(root / "full")
        coder = AutoencoderKL(
            in_channels=1, out_channels=1, block_out_channels=(4, 4), latent_channels=2, norm_num_groups=2, sample_size=8,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        )  # fmt: skip
        dit = DiTTransformer2DModel(
            num_attention_heads=2, attention_head_dim=4, in_channels=2, out_channels=4, num_layers=1, norm_num_groups=2,
            sample_size=4, patch_size=2, num_embeds_ada_norm=10,
        )  # fmt: skip
        for weight in dit.parameters():
            weight.data += 0.05 * torch.randn_like(weight)
        steps = DDIMScheduler(num_train_timesteps=40, clip_sample=False)
        DiTPipeline(dit, coder, steps).save_pretrained(root / "dit")
    return root


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    with one_thread():  # the libraries that are compared with run in one thread, too
        yield


def data_of(n=48, replicates=1, captions=False):
    source = Digits(captions=captions)
    rows = [source.items()[i * n : (i + 1) * n] for i in range(replicates)]
    return Dataset(source.space, np.stack(rows), np.zeros((replicates, n), np.int32))


def streams_of(replicates=(0,), t=1):
    return Streams.of(3, replicates).at(t, "fit")


def error_of(model, state, data, times=(3, 15, 30)):
    """Mean squared error of what the denoiser is asked for, at fixed times and noises."""
    captions = data.space.kind == "captioned"
    pipeline = model._pipeline(data.space.size if captions else 0, None)
    put(pipeline.denoiser, {name: tensor[0] for name, tensor in state.items()})
    clean = model._seen(pipeline, data)
    classes = torch.from_numpy(data.items[0, :, -1].astype(int)) if captions else None
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        found = [denoise.losses(pipeline, clean, torch.full((data.n,), t), noise, classes).mean() for t in times]
    return float(np.mean(found))


@pytest.mark.parametrize("name", ["plain", "v", "sample", "classes", "dit"])
def test_a_fit_learns_its_own_data(pipelines, name):
    data = data_of(captions=name in ("classes", "dit"))
    model = Diffusers(model=str(pipelines / name), steps=40, **QUICK)
    still = Diffusers(model=str(pipelines / name), **STILL).fit(data, streams_of())
    before, state = error_of(model, still, data), model.fit(data, streams_of())
    after = error_of(model, state, data)
    assert after < 0.9 * before
    assert error_of(model, model.fit(data, streams_of(t=2), state), data) < after, "a warm start goes on"
    assert all(tensor.shape[0] == 1 for tensor in state.values())
    items = model.sample(state, 9, streams_of(), Sampling())
    assert items.shape == (1, 9, data.space.shape[0])
    assert items.dtype == np.float64
    assert (items[..., :64].min(), items[..., :64].max()) >= (0.0, 0.0)
    assert items[..., :64].max() <= 1.0
    assert items[..., :64].std(axis=1).mean() > 0.01
    if data.space.kind == "captioned":
        assert set(items[0, :, -1]) <= set(data.items[0, :, -1])


@pytest.mark.parametrize("name", ["plain", "v", "sample"])
def test_the_error_is_that_of_a_training_loop(pipelines, name):
    """The noise of the scheduler and what the denoiser is asked for, written out from the papers."""
    data, model = data_of(20), Diffusers(model=str(pipelines / name), **STILL)
    state = model.fit(data, streams_of())
    from diffusers import UNet2DModel

    with quiet():
        network = UNet2DModel.from_pretrained(pipelines / name, subfolder="unet")
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.3, 40), 0)
    clean = torch.from_numpy(data.items[0]).float().reshape(20, 1, 8, 8) * 2 - 1
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(7))
    total = []
    for t in (3, 15, 30):
        a, b = kept[t].sqrt(), (1 - kept[t]).sqrt()
        wanted = {"plain": noise, "v": a * noise - b * clean, "sample": clean}[name]
        with torch.no_grad():
            total.append(float((network(a * clean + b * noise, t).sample - wanted).square().mean()))
    assert error_of(model, state, data) == pytest.approx(np.mean(total), rel=1e-4)


@pytest.mark.parametrize("scheduler", ["own", "ddim"])
def test_pictures_are_those_of_the_pipeline(pipelines, scheduler):
    from diffusers import DDIMPipeline, DDPMPipeline

    data, model = data_of(20), Diffusers(model=str(pipelines / "plain"), scheduler=scheduler, sampling_steps=7, **STILL)
    state = model.fit(data, streams_of())
    found = model.sample(state, 3, streams_of(), Sampling())[0]
    seeds = streams_of().generators()[0].integers(2**63 - 1, size=3).tolist()
    with quiet():
        pipeline = (DDPMPipeline if scheduler == "own" else DDIMPipeline).from_pretrained(pipelines / "plain")
        pipeline.set_progress_bar_config(disable=True)
        expected = pipeline(
            batch_size=3, generator=[torch.Generator().manual_seed(seed) for seed in seeds], num_inference_steps=7,
            output_type="np",
        ).images  # fmt: skip
    assert np.allclose(found, expected.reshape(3, 64), atol=1e-5)
    assert found.std() > 0.05


def test_latents_are_those_of_the_pipeline(pipelines):
    """Class-conditional latents: the draw of DiTPipeline from the same noise, guidance 1 and the same classes."""
    from diffusers import DiTPipeline

    data = data_of(20, captions=True)
    model = Diffusers(model=str(pipelines / "dit"), sampling_steps=4, **STILL)
    state = model.fit(data, streams_of())
    found = model.sample(state, 3, streams_of(), Sampling())[0]
    seeds = streams_of().generators()[0].integers(2**63 - 1, size=3).tolist()
    with quiet():
        pipeline = DiTPipeline.from_pretrained(pipelines / "dit")
        pipeline.set_progress_bar_config(disable=True)
        expected = pipeline(
            class_labels=found[:, -1].astype(int).tolist(), guidance_scale=1.0, num_inference_steps=4, output_type="np",
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        ).images  # fmt: skip
    assert np.allclose(found[:, :64], np.asarray(expected).reshape(3, 64), atol=1e-5)


def test_classes_are_drawn_as_they_were_trained(pipelines):
    data = data_of(60, captions=True)
    items = data.items.copy()
    items[0, :, -1] = np.where(np.arange(60) < 45, 2, 7)
    model = Diffusers(model=str(pipelines / "full"), **{**STILL, "sampling_steps": 1})
    state = model.fit(dataclasses.replace(data, items=items), streams_of())
    drawn = model.sample(state, 800, streams_of(), Sampling())[0, :, -1]
    assert set(drawn) == {2.0, 7.0}
    assert (drawn == 2).mean() == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 800))
    weight = np.where(np.arange(60) < 45, 0.0, 1.0)[None]
    only = model.fit(dataclasses.replace(data, items=items, weight=weight), streams_of())
    assert set(model.sample(only, 50, streams_of(), Sampling())[0, :, -1]) == {7.0}
    with pytest.raises(DataError, match=r"outside 0 \.\. 9"):
        model.fit(dataclasses.replace(data, items=items + 10), streams_of())


def test_pictures_of_given_classes(pipelines):
    data = data_of(20, replicates=2, captions=True)
    model = Diffusers(model=str(pipelines / "classes"), sampling_steps=3, **STILL)
    state = model.fit(data, streams_of(range(2)))
    items = model.sample(state, 5, streams_of(range(2)), Sampling())
    again = model.render(state, items[..., -1:], streams_of(range(2)), Sampling())
    assert (again == items[..., :-1]).all()
    other = model.render(state, 9 - items[..., -1:], streams_of(range(2)), Sampling())
    assert (other != again).any(axis=-1).all()
    with pytest.raises(DataError, match="one class out of 10"):
        model.render(state, items[..., -1:] + 10, streams_of(range(2)), Sampling())
    plain = Diffusers(model=str(pipelines / "plain"), **STILL)
    with pytest.raises(DataError, match="one class out of 0"):
        plain.render(plain.fit(data_of(20), streams_of()), items[:1, :, -1:], streams_of(), Sampling())


def test_guidance_and_bias(pipelines):
    data = data_of(100, captions=True)
    model = Diffusers(model=str(pipelines / "classes"), steps=80, scheduler="ddim", **QUICK)
    state = model.fit(data, streams_of())

    def between(guidance):
        """The distance between the mean pictures of classes."""
        items = model.sample(state, 150, streams_of(), Sampling(guidance=guidance))[0]
        means = [items[items[:, -1] == digit, :64].mean(axis=0) for digit in (0, 1, 7)]
        return np.std(means, axis=0).mean()

    assert between(6.0) > between(1.0) > between(0.0) - 0.05
    assert between(6.0) > 1.2 * between(0.0)
    plain = Diffusers(model=str(pipelines / "plain"), scheduler="ddim", sampling_steps=5, **STILL)
    fitted = plain.fit(data_of(20), streams_of())
    spread = [
        plain.sample(fitted, 100, streams_of(), Sampling(bias=bias))[0].std(axis=0).mean() for bias in (0.3, 1.0, 2.0)
    ]
    assert spread == sorted(spread)


def test_blocks_and_repeats_are_the_same_bits(pipelines):
    data = data_of(20, replicates=3, captions=True)
    for fields in ({}, {"weights": "random"}, {"ema": 0.9}):
        model = Diffusers(model=str(pipelines / "classes"), steps=5, **fields, **QUICK)
        whole = model.fit(data, streams_of(range(3)))
        items = model.sample(whole, 4, streams_of(range(3)), Sampling(guidance=2.0))
        for i in (2, 0):
            alone = model.fit(data.only(i), streams_of([i]))
            assert all((whole[key][i] == alone[key][0]).all() for key in whole)
            assert (model.sample(alone, 4, streams_of([i]), Sampling(guidance=2.0))[0] == items[i]).all()
        assert not (items[0] == items[1]).all()
        assert (whole["conv_in.weight"][0] != whole["conv_in.weight"][1]).any()


class _StoppedError(Exception):
    pass


class _Fragile(Desk):
    """Saves at every chance, and breaks at the second."""

    left = 2

    @property
    def due(self):
        return True

    def part(self, name):
        return _Fragile(self.folder / name, self.every)

    def save(self, tensors, name="work"):
        super().save(tensors, name)
        _Fragile.left -= 1
        if not _Fragile.left:
            raise _StoppedError


def test_a_fit_goes_on_where_it_was_killed(pipelines, tmp_path):
    data = data_of(50, captions=True)
    model = Diffusers(model=str(pipelines / "classes"), steps=55, ema=0.9, **QUICK)
    expected = model.fit(data, streams_of())
    with pytest.raises(_StoppedError):
        model.fit_at(data, streams_of(), None, _Fragile(tmp_path / "work"))
    found = model.fit_at(data, streams_of(), None, _Fragile(tmp_path / "work"))
    assert found.keys() == expected.keys()
    assert all((found[key] == expected[key]).all() for key in found)


def experiment(pipelines, model="plain", source='kind = "digits"', tables="", **fields):
    fields = {"sampling_steps": 3} | fields
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in fields.items())
    return Experiment.from_toml(f"""
[experiment]
generations = 2
replicates = 2
samples = 40
reference = 20
[source]
{source}
[model]
kind = "diffusers"
model = "{pipelines / model}"
precision = "float32"
{lines}
[regime]
kind = "replace"
{tables}
[[metric]]
kind = "moments"
""")


def test_a_loop_from_end_to_end(pipelines, capfd):
    trial = experiment(pipelines, epochs=2.0)
    assert check_experiment(trial) == []
    first, second = run(trial)
    assert np.isfinite(first.rows["moments.variance"]).all()
    assert (first.rows["moments.variance"] != second.rows["moments.variance"]).all()
    alone = list(run(trial, [1]))
    for generation, other in zip((first, second), alone, strict=True):
        assert all(generation.rows[key][1] == other.rows[key][0] for key in other.rows)
    base, warm = (list(run(dataclasses.replace(trial, start=start))) for start in ("base", "previous"))
    assert (base[1].rows["moments.variance"] == second.rows["moments.variance"]).all(), (
        "base: the weights of the folder"
    )
    assert (warm[1].rows["moments.variance"] != second.rows["moments.variance"]).all()
    said = capfd.readouterr()
    assert said.out == said.err == ""


CAPTIONS = 'kind = "digits"\ncaptions = true'


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": CAPTIONS}, "is unconditional, and pictures have captions"),
        ({"model": "classes"}, r"draws the picture of a class\. Use a source with captions"),
        ({"sampling_steps": 41}, "noise has 40 steps"),
        ({"tables": "[sampling]\nbias = 0.5"}, r"Set scheduler = 'ddim'"),
        ({"tables": "[sampling]\nguidance = 2.0"}, r"no row to spare.*Leave it out"),
        ({"model": "full", "source": CAPTIONS, "tables": "[sampling]\nguidance = 2.0"}, "num_class_embeds = 11"),
        (
            {"model": "classes", "source": CAPTIONS, "silent": 0.0, "tables": "[sampling]\nguidance = 2.0"},
            "Try silent = 0.1",
        ),
        ({"tables": "[sampling]\ntemperature = 0.5"}, "diffusers knows bias, guidance"),
        ({"batch": 50}, "at least 50 items per fit"),
        ({"steps": 3, "epochs": 2.0}, "exclude each other"),
    ],
)
def test_worlds_that_do_not_fit_are_refused(pipelines, changes, words):
    with pytest.raises(SpecError, match=words):
        check_experiment(experiment(pipelines, **changes))


def test_pictures_that_do_not_fit_are_refused(pipelines):
    plain, classes = _pipeline.plan(pipelines / "plain"), _pipeline.plan(pipelines / "classes")
    dit = _pipeline.plan(pipelines / "dit")
    assert (plain.side, plain.channels, plain.classes, plain.latent) == ((8, 8), 1, 0, (1, 1))
    assert (dit.side, dit.channels, dit.classes, dit.latent, dit.null(10)) == ((8, 8), 1, 10, (2, 2), 10)
    assert (classes.null(10), classes.null(11), plain.null(0)) == (10, None, None)
    assert "the pipeline makes 8 x 8" in plain.misfit(Space("image", (100,), picture=(10, 10)))
    assert "3 channel(s), and the pipeline makes 1" in plain.misfit(Space("image", (192,), picture=(8, 8), channels=3))
    loose = dataclasses.replace(plain, side=None)
    assert "multiples of 2" in loose.misfit(Space("image", (49,), picture=(7, 7)))
    assert loose.misfit(Space("image", (36,), picture=(6, 6))) == ""
    assert "takes one, a class" in classes.misfit(Space("captioned", (66,), 5, picture=(8, 8)))
    assert "12 classes, and the pipeline knows 11" in classes.misfit(Space("captioned", (65,), 12, picture=(8, 8)))
    assert classes.misfit(Digits(captions=True).space) == ""


def test_folders_that_are_no_pipeline_are_refused(pipelines, tmp_path, monkeypatch):
    def copy(name, path, content):
        shutil.copytree(pipelines / "plain", tmp_path / name)
        file = tmp_path / name / path
        if isinstance(content, dict):
            content = json.dumps(json.loads(file.read_text()) | content).encode()
        file.write_bytes(content)
        return Diffusers(model=str(tmp_path / name), **QUICK)

    def fails(model, words, error=SpecError):
        with pytest.raises(error, match=words):
            check_experiment(dataclasses.replace(experiment(pipelines), model=model))

    fails(Diffusers(model=str(tmp_path / "nowhere")), "there is no such folder")
    fails(Diffusers(model="nobody/nothing"), "hf download nobody/nothing")
    fails(Diffusers(model=str(pipelines / "plain" / "unet")), r"has no model_index\.json")
    fails(Diffusers(model=str(pipelines / "plain" / "model_index.json")), "is a file")
    fails(copy("a", "model_index.json", b"[]"), "no JSON object")
    fails(copy("b", "model_index.json", {"unet": ["diffusers", "UNet2DConditionModel"]}), "DDPMPipeline, DDIMPipeline")
    fails(copy("c", "model_index.json", {"text_encoder": ["transformers", "CLIPTextModel"]}), "text_encoder, unet")
    fails(copy("d", "model_index.json", {"unet": ["my_module", "UNet2DModel"]}), "The loop takes unconditional")
    flow = {"scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]}
    fails(copy("e", "model_index.json", flow), "whose noise the loop does not know. Known: DDIM")
    fails(copy("f", "scheduler/scheduler_config.json", {"prediction_type": "flow"}), "epsilon, sample and v_prediction")
    fails(copy("g", "unet/config.json", {"class_embed_type": "timestep"}), "is no table of classes")
    pickled = copy("h", "unet/diffusion_pytorch_model.bin", b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    (tmp_path / "h" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    fails(pickled, r"pickle \(diffusion_pytorch_model\.bin\)")
    (tmp_path / "h" / "unet" / "diffusion_pytorch_model.bin").unlink()
    fails(pickled, "no weights")
    check_experiment(dataclasses.replace(experiment(pipelines), model=dataclasses.replace(pickled, weights="random")))
    damaged = copy("i", "unet/diffusion_pytorch_model.safetensors", b"x" * 99)
    with pytest.raises(SpecError, match="the weights cannot be read"):
        damaged.fit(data_of(20), streams_of())
    from safetensors.torch import load_file, save_file

    lacking = copy("j", "unet/config.json", {})
    file = tmp_path / "j" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({key: one for key, one in load_file(file).items() if "mid_block" not in key}, file, {"format": "pt"})
    with pytest.raises(SpecError, match="lack"):
        lacking.fit(data_of(20), streams_of())
    monkeypatch.setattr(module, "need", _missing)
    fails(Diffusers(model=str(pipelines / "plain")), r"'diffusers'.*remission\[hf\]", MissingExtra)


def _missing(extra, purpose, *packages):
    raise MissingExtra(packages[1], extra, purpose)


def test_data_that_does_not_fit(pipelines):
    model = Diffusers(model=str(pipelines / "plain"), steps=30, **QUICK)
    with pytest.raises(FitError, match="6 pictures are fewer than a batch of 16"):
        model.fit(data_of(6), streams_of())
    with pytest.raises(FitError, match="NaN or infinite"):
        dataclasses.replace(model, rate=1e30).fit(data_of(20), streams_of())
