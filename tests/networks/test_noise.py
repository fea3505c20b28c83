"""Flow and diffusion on normal data, where the best network is known in closed form."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from remission import notes
from remission.networks.noise import Diffusion, Flow, Guide, patient

MEAN, SPREAD = 0.5, 0.4  # of the data
NONE = torch.empty(1, 0, 0, dtype=torch.int64)


def perfect_flow(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
    """F for v = E[x - z | x_t] of normal data; asked at x_t / s."""
    t = time[..., None]
    size = (t.square() + (1 - t).square()).sqrt()
    x = x * size
    variance = (t * SPREAD).square() + (1 - t).square()
    v = MEAN + (t * SPREAD**2 - (1 - t)) / variance * (x - t * MEAN)
    return size * v - (2 * t - 1) * x / size


def perfect_diffusion(process: Diffusion):
    """The expected noise or v given x_k, for normal data."""
    kept = process.kept()

    def network(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        a = kept[(time * process.levels).round().long()][..., None].to(x.dtype)
        variance = a * SPREAD**2 + 1 - a
        noise = (1 - a).sqrt() / variance * (x - a.sqrt() * MEAN)
        data = MEAN + a.sqrt() * SPREAD**2 / variance * (x - a.sqrt() * MEAN)
        return noise if process.prediction == "noise" else a.sqrt() * noise - (1 - a).sqrt() * data

    return network


def draws(count: int, seed: int = 0) -> Tensor:
    return torch.randn(1, count, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bent(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
    """F for a velocity that is not linear, v = cos(3 t) x + sin(2 x)."""
    t = time[..., None]
    size = (t.square() + (1 - t).square()).sqrt()
    x = x * size
    return size * ((3 * t).cos() * x + (2 * x).sin()) - (2 * t - 1) * x / size


def lands(network, solver: str, steps: int) -> float:
    z = torch.tensor([[[1.5]]], dtype=torch.float64)
    return float(Flow(solver=solver).generate(network, z, NONE, steps, None, lambda: z))


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_solvers_have_their_order(solver: str, order: int) -> None:
    exact = lands(bent, "midpoint", 4000)
    ladder = [abs(lands(bent, solver, steps) - exact) for steps in (40, 80, 160)]
    slopes = [math.log2(one / two) for one, two in itertools.pairwise(ladder)]
    assert slopes == pytest.approx([order, order], abs=0.2)


@pytest.mark.parametrize("solver", ["euler", "midpoint", "heun"])
def test_flow_takes_noise_to_the_data(solver: str) -> None:
    """The exact map of a normal law is MEAN + SPREAD z."""
    assert lands(perfect_flow, solver, 400) == pytest.approx(MEAN + SPREAD * 1.5, abs=0.005)


@pytest.mark.parametrize("prediction", ["v", "noise"])
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_diffusion_draws_the_law_of_the_data(prediction, schedule, eta) -> None:
    process = Diffusion(400, schedule, prediction, eta)
    fresh = iter(range(1, 10_000))
    x = process.generate(perfect_diffusion(process), draws(20_000), NONE, 400, None, lambda: draws(20_000, next(fresh)))
    n = x.numel()
    assert abs(x.mean() - MEAN) < 4 * SPREAD / n**0.5 + 0.005
    assert abs(x.std() - SPREAD) < 4 * SPREAD / (2 * n) ** 0.5 + 0.01
    assert next(fresh) == (400 if eta else 1), "eta = 0 draws nothing; the last step never does"


def test_schedules_are_the_published_ones() -> None:
    linear = Diffusion(1000, "linear").kept()
    betas = 1 - linear[1:] / linear[:-1]
    assert betas[[0, -1]].tolist() == pytest.approx([1e-4, 0.02])
    assert float(linear[-1]) == pytest.approx(4.04e-5, rel=0.01)
    cosine = Diffusion(1000, "cosine").kept()
    assert float(cosine[500]) == pytest.approx(math.cos(0.508 / 1.008 * math.pi / 2) ** 2, rel=1e-3)
    for kept in (linear, cosine):
        assert kept[0] == 1
        assert (kept[1:] < kept[:-1]).all()
        assert kept[-1] > 0


@pytest.mark.parametrize("process", [Flow(), Flow(times="logit-normal"), Diffusion(), Diffusion(prediction="noise")])
def test_the_best_network_has_the_least_loss(process) -> None:
    """The loss of the perfect network is below that of others, and each replicate has its own."""
    perfect = perfect_flow if isinstance(process, Flow) else perfect_diffusion(process)
    z, data = draws(40_000, 1).float(), (MEAN + SPREAD * draws(40_000, 2)).float()
    chance = torch.rand(1, 40_000, generator=torch.Generator().manual_seed(3))
    best = float(process.loss(perfect, data, NONE, z, chance))
    for wrong in (0.9, 1.1):
        assert float(process.loss(lambda *parts: wrong * perfect(*parts), data, NONE, z, chance)) > best  # noqa: B023
    both = torch.cat([data, data + 1]), torch.cat([z, z]), torch.cat([chance, chance])
    losses = process.loss(perfect, both[0], NONE, both[1], both[2])
    assert losses.shape == (2,)
    assert float(losses[0]) == pytest.approx(best, rel=1e-5)
    assert losses[1] > losses[0]


@pytest.mark.parametrize("process", [Flow(), Flow(solver="heun"), Flow(solver="euler"), Diffusion()])
def test_bounds_are_kept(process) -> None:
    """A network that aims far outside ends at the bound."""
    bounds = torch.tensor(-1.0), torch.tensor(1.0)

    def wild(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        return torch.full_like(x, 50.0 if isinstance(process, Flow) else -50.0)

    x = process.generate(wild, draws(50).float(), NONE, 8, bounds, lambda: draws(50))
    assert torch.allclose(x, torch.ones_like(x), atol=0.3 if process == Flow() else 1e-4)


def test_guidance_is_the_formula() -> None:
    def network(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        return x + 10.0 * (captions == 4)

    x, time, told = torch.zeros(1, 3, 1), torch.zeros(1, 3), torch.tensor([[[0], [1], [2]]])
    for strength in (0.0, 0.5, 1.0, 3.0):  # without: 10, with: 0
        answer = Guide(strength, nothing=4)(network)(x, time, told)
        assert torch.allclose(answer, torch.full_like(answer, 10.0 - 10.0 * strength))


def test_asking_goes_on_in_pieces_when_memory_runs_out() -> None:
    sizes = []

    def network(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        sizes.append(x.shape[1])
        if x.shape[1] > 3:
            raise torch.OutOfMemoryError("no room")
        return 2 * x

    x = torch.arange(10.0).view(1, 10, 1)
    parts = x, torch.zeros(1, 10), torch.zeros(1, 10, 0, dtype=torch.int64)
    with notes.collected() as told:
        ask = patient(network, bf16=False)
        assert torch.equal(ask(*parts), 2 * x)
        before = len(sizes)
        assert torch.equal(ask(*parts), 2 * x)
    assert max(sizes[before:]) <= 3, "what was learned is kept"
    assert any("pieces" in text for text in told)
    with pytest.raises(torch.OutOfMemoryError):
        patient(lambda *_: network(torch.zeros(1, 9, 1), x, x), bf16=False)(*parts)


def test_other_errors_are_not_swallowed() -> None:
    def network(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        patient(network, bf16=False)(torch.zeros(1, 2, 1), torch.zeros(1, 2), torch.zeros(1, 2, 0))
