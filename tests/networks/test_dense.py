"""Stacked layers: what a replicate gives does not depend on the others, to the last bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from remission.desk import Desk
from remission.networks.autoencoder import Dense, bound
from remission.networks.dense import LANES, Denoiser, Linear, Words, apart, initial, padded, waves
from remission.networks.device import one_thread
from remission.networks.dice import Dice
from remission.networks.train import Plan, train

SEEDS = [3, 4, 5, 6]


@pytest.fixture(autouse=True)
def _single():
    with one_thread():
        yield


def trained(seeds: list[int], size: int, width: int, types: int, batch: int, bf16: bool) -> dict[str, Tensor]:
    network = initial(lambda r: Denoiser(r, size, width, 2, types), seeds)

    def draw(dice: Dice):
        told = dice.integers(types + 1, batch, 2) if types else torch.empty(len(seeds), batch, 0, dtype=torch.int64)
        return dice.normals(batch, size), dice.uniforms(batch), told, 3 * dice.normals(batch, size)

    def loss(x: Tensor, time: Tensor, told: Tensor, target: Tensor) -> Tensor:
        return (network(x, time, told).float() - target).square().flatten(1).mean(dim=1)

    plan = Plan(4, batch, 1e-2, ema=0.9, weight_decay=0.1)
    return train(network, loss, draw, plan, Dice(seeds), Desk(), bf16=bf16, stacked=True)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(
    ("size", "width", "types", "batch"), [(64, 64, 0, 60), (2, 16, 0, 60), (1, 32, 3, 17), (3, 10, 5, 7)]
)
def test_training_is_the_same_alone_and_in_a_block(size, width, types, batch, bf16) -> None:
    block = trained(SEEDS, size, width, types, batch, bf16)
    for seeds in ([3], [6], [4, 5]):
        rows = slice(SEEDS.index(seeds[0]), SEEDS.index(seeds[-1]) + 1)
        for name, tensor in trained(seeds, size, width, types, batch, bf16).items():
            assert torch.equal(tensor, block[name][rows]), name


def test_an_optimizer_moves_every_replicate_by_its_own_gradients_only() -> None:
    """One diverging replicate is clipped alone."""
    network = initial(lambda r: Linear(r, 3, 2), [1, 2])
    before = network.weight.detach().clone()

    def loss(x: Tensor) -> Tensor:
        return network(x).square().flatten(1).sum(dim=1) * torch.tensor([1e12, 0.0])

    train(network, loss, lambda dice: (dice.normals(4, 3),), Plan(3, 4, 1e-2), Dice([1, 2]), Desk(), stacked=True)
    assert torch.equal(network.weight[1], before[1])
    assert not torch.equal(network.weight[0], before[0])


def test_plain_functions_do_depend_on_the_block() -> None:
    """What apart is for; should torch change, this says that it is no longer needed."""
    x = torch.randn(5, 3, 5, generator=torch.Generator().manual_seed(0))
    assert any(not torch.equal(functional.softplus(x)[i], functional.softplus(x[i])) for i in range(5))
    assert all(torch.equal(apart(functional.softplus, x)[i], functional.softplus(x[i])) for i in range(5))


def test_linear_is_a_matrix_product_per_replicate() -> None:
    layer = Linear(3, 5, 7)
    x = torch.randn(3, 4, 5)
    assert layer.weight.shape == (3, 5, padded(7))
    assert padded(7) == LANES == padded(LANES)
    expected = torch.stack([x[i] @ layer.weight[i, :, :7] + layer.bias[i, :7] for i in range(3)])
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_words_are_means_and_replicates_have_their_own() -> None:
    words = Words(2, types=3, width=4)
    captions = torch.tensor([[[0, 2]], [[3, 3]]])
    out = words(captions)
    assert torch.allclose(out[0, 0], (words.table[0, 0] + words.table[0, 2])[:4] / 2)
    assert torch.allclose(out[1, 0], words.table[1, 3, :4])


def test_initial_weights_are_those_of_the_seed() -> None:
    block, alone = (initial(lambda r: Dense(r, 6, 2, 8, 3), seeds) for seeds in ([8, 9], [9]))
    for one, two in zip(block.parameters(), alone.parameters(), strict=True):
        assert torch.equal(one[1], two[0])
    assert torch.equal(torch.get_rng_state(), _state_around(lambda: initial(lambda r: Linear(r, 2, 2), [1, 2])))


def _state_around(work) -> Tensor:
    work()
    return torch.get_rng_state()


def test_waves_tell_times_apart() -> None:
    told = waves(torch.linspace(0, 1, 1001))
    gaps = (told[1:] - told[:-1]).norm(dim=1)
    assert gaps.min() > 0.1, "times a thousandth apart look different"


def test_bound_is_the_closed_form() -> None:
    """KL of N(1, e) from N(0, 1) and the density of a normal, by hand."""
    mean, spread = torch.ones(1, 1, 2), torch.ones(1, 1, 2)
    x, answer = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.tensor([[[1.0, 2.0, 3.0, 6.0]]])
    density = torch.distributions.Normal(answer, 2.0).log_prob(x).sum()
    gap = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (spread / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    ).sum()
    log_scale = torch.tensor([[2.0]]).log()
    for beta in (0.5, 1.0):
        value = bound((mean, spread, answer), log_scale, x, "gaussian", beta, 1e-3)
        assert torch.allclose(value, (beta * gap - density) / 4)
    shade = torch.rand(1, 1, 4)
    value = bound((mean, spread, answer), log_scale, shade, "bernoulli", 0.0, 1e-3)
    assert torch.allclose(value, functional.binary_cross_entropy_with_logits(answer, shade))
    held = bound((mean, spread, answer), torch.tensor([[-50.0]]), x, "gaussian", 0.0, 2.0)
    assert torch.allclose(held, -density / 4), "the spread has a floor, and it is the one asked for"
