"""Networks of several replicates: stacked or one after another, each as if it were alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from remission.desk import Desk
from remission.networks.dense import Linear
from remission.networks.device import one_thread
from remission.networks.dice import Dice
from remission.networks.replicates import Items, Kind, drawing, learn, networks, trial
from remission.networks.train import Plan

PLAN = Plan(steps=30, batch=8, rate=1e-2, ema=0.9)
SEEDS = [11, 12, 13], [21, 22, 23]


class Plain(nn.Module):
    """Takes (1, b, 3) to (1, b, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


def learning_sums(network, data: Tensor, captions: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
    target = torch.stack([data.sum(dim=2), noise.sum(dim=2)], dim=2)
    return (network(data + 0 * noise) - target).square().flatten(1).mean(dim=1)


STACKED = Kind(lambda r: Linear(r, 3, 2), True, learning_sums, 3)
ALONE = Kind(lambda r: Plain(), False, learning_sums, 3)


@pytest.fixture(autouse=True)
def _single():
    with one_thread():
        yield


def items(r: int = 3, n: int = 5) -> Items:
    made = torch.Generator().manual_seed(4)
    return Items(torch.randn(r, n, 3, generator=made), torch.zeros(r, n, 0, dtype=torch.int64))


def desks(kind: Kind, r: int = 3, folder=None) -> list[Desk]:
    return [Desk(None if folder is None else folder / str(i), every=0.0) for i in range(1 if kind.stacked else r)]


@pytest.mark.parametrize("kind", [STACKED, ALONE])
def test_a_replicate_is_the_same_alone(kind: Kind) -> None:
    block = learn(kind, items(), PLAN, SEEDS, desks(kind))
    one = learn(kind, items().only(slice(1, 2)), PLAN, (SEEDS[0][1:2], SEEDS[1][1:2]), desks(kind, 1))
    assert all(torch.equal(block[name][1:2], tensor) for name, tensor in one.items())
    assert all(not torch.equal(tensor[0], tensor[1]) for tensor in block.values())
    shown = torch.randn(1, 4, 3)
    answers = [network(shown.expand(rows.stop - rows.start, 4, 3)) for rows, network in networks(kind, block)]
    assert torch.equal(torch.cat(answers)[1:2], next(networks(kind, one))[1](shown))
    assert not any(
        parameter.requires_grad for _, network in networks(kind, block) for parameter in network.parameters()
    )


def test_finished_replicates_are_found_again(tmp_path) -> None:
    """Killed in the third of three: the first two are read, the third starts anew, and nothing differs."""
    whole = learn(ALONE, items(), PLAN, SEEDS, desks(ALONE))
    calls = 0

    def dying(*parts):
        nonlocal calls
        calls += 1
        if calls > 70:  # 30 steps each
            raise KeyboardInterrupt
        return learning_sums(*parts)

    kind = Kind(ALONE.build, False, dying, 3)
    with pytest.raises(KeyboardInterrupt):
        learn(kind, items(), PLAN, SEEDS, desks(kind, folder=tmp_path))
    calls = 35  # enough for what is left of one replicate, not for two
    again = learn(kind, items(), PLAN, SEEDS, desks(kind, folder=tmp_path))
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


@pytest.mark.parametrize("kind", [STACKED, ALONE])
def test_a_start_is_used(kind: Kind) -> None:
    begun = learn(kind, items(), PLAN, SEEDS, desks(kind))
    still = Plan(steps=1, batch=8, rate=1e-12)
    for name, tensor in learn(kind, items(), still, SEEDS, desks(kind), begun).items():
        assert torch.allclose(tensor, begun[name], atol=1e-9)
    for name, tensor in learn(kind, items(), still, SEEDS, desks(kind)).items():
        assert not torch.allclose(tensor, begun[name], atol=1e-3)


def test_items_are_drawn_by_weight_and_captions_left_out() -> None:
    n = 4
    data = torch.arange(float(n)).view(1, n, 1).expand(2, n, 1)
    told = torch.arange(n).view(1, n, 1).expand(2, n, 1)
    weight = torch.tensor([[0.0, 1.0, 0.0, 3.0], [1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    draw = drawing(Items(data, told, weight, nothing=9), 4000, 2, 0.25, torch.device("cpu"))
    shown, captions, noise, chance = draw(Dice([1, 2]))
    assert noise.shape == (2, 4000, 2)
    assert chance.shape == (2, 4000)
    shares = torch.stack([(shown[..., 0] == value).float().mean(dim=1) for value in range(n)], dim=1)
    expected = weight / weight.sum(dim=1, keepdim=True)
    assert torch.allclose(shares, expected.float(), atol=4 * (0.25 / 4000) ** 0.5)
    assert (shares[0, [0, 2]] == 0).all(), "what weighs nothing is never drawn"
    silent = captions[..., 0] == 9
    assert float(silent.float().mean()) == pytest.approx(0.25, abs=4 * (0.19 / 8000) ** 0.5)
    assert torch.equal(captions[..., 0][~silent], shown[..., 0][~silent].long()), "captions stay with their items"


def test_a_trial_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    step = trial(STACKED, items(), 8, together=4)
    step(False)
    step(True)
    assert torch.equal(torch.get_rng_state(), before)
