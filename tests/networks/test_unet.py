"""The U-Net: any size of picture, nothing learned at the start, and all that it is told reaches the answer."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from remission.networks.autoencoder import Convolutional
from remission.networks.dice import seeded
from remission.networks.unet import Attention, UNet

NONE = torch.empty(1, 3, 0, dtype=torch.int64)


@pytest.mark.parametrize("picture", [(28, 28, 1), (13, 15, 3), (12, 12, 1), (5, 3, 1)])
def test_any_size(picture: tuple[int, int, int]) -> None:
    size = picture[0] * picture[1] * picture[2]
    x = torch.rand(1, 3, size)
    network = UNet(picture, 8)
    assert network(x, torch.rand(1, 3), NONE).shape == x.shape
    assert torch.equal(network._flat(network._folded(x[0])), x[0]), "padding and folding are undone"
    vae = Convolutional(picture, 2, 4)
    mean, spread, answer = vae(x, NONE, torch.zeros(1, 3, 2))
    assert answer.shape == x.shape
    assert mean.shape == spread.shape == (1, 3, 2)


def test_it_begins_as_nothing_and_every_input_matters_later() -> None:
    with seeded(1):
        network = UNet((12, 12, 1), 8, types=4)
        x, time, told = torch.rand(1, 2, 144), torch.tensor([[0.2, 0.2]]), torch.tensor([[[0], [0]]])
        assert network(x, time, told).abs().max() < 0.3  # the bias of the last layer only
        for one in network.parameters():
            torch.nn.init.normal_(one, std=0.2)
    base = network(x, time, told)
    for changed in ((x + 0.1, time, told), (x, time + 0.1, told), (x, time, told + 1)):
        assert not torch.allclose(network(*changed), base, atol=1e-4)


def test_pixels_far_apart_see_each_other() -> None:
    with seeded(2):
        network = UNet((28, 28, 1), 8)
        for one in network.parameters():
            torch.nn.init.normal_(one, std=0.2)
    x = torch.zeros(1, 3, 784, requires_grad=True)
    network(x, torch.full((1, 3), 0.5), NONE)[0, 0, 0].backward()
    assert x.grad is not None
    assert x.grad[0, 0, -1] != 0
    assert (x.grad[0, 1:] == 0).all(), "and pictures do not"


def test_attention_is_attention() -> None:
    with seeded(3):
        layer = Attention(16)
        torch.nn.init.normal_(layer.out.weight, std=0.3)
        x = torch.randn(2, 16, 3, 3)
    rows = layer.norm(x).flatten(2).transpose(1, 2)
    q, k, v = layer.into(rows).view(2, 9, 3, 4, 4).permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 9, 16)
    expected = x + layer.out(seen).transpose(1, 2).view(2, 16, 3, 3)
    assert torch.allclose(layer(x), expected, atol=1e-5)
