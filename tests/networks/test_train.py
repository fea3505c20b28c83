"""Training: resume to the last bit, pieces when memory runs out, a loss that is no number, averaged weights."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from remission import notes
from remission.desk import Desk
from remission.errors import FitError
from remission.networks import train as module
from remission.networks.device import one_thread
from remission.networks.dice import Dice, seeded
from remission.networks.train import Plan, out_of_memory, train

PLAN = Plan(steps=60, batch=12, rate=1e-2, warmup=5, weight_decay=0.1, ema=0.9)


@pytest.fixture(autouse=True)
def _single():
    with one_thread():
        yield


class Stop(Exception):  # noqa: N818
    """The process is killed here."""


def network() -> nn.Module:
    with seeded(0):
        return nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def draw(dice: Dice) -> tuple[Tensor, ...]:
    return dice.normals(PLAN.batch, 3), dice.uniforms(PLAN.batch)


def loss_of(net: nn.Module, most: int = 10**9, stop_at: int | None = None):
    """Mean squared error of learning (product, sum) of the first two numbers; room for ``most`` items."""
    calls = 0

    def loss(x: Tensor, chance: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise Stop
        if x.shape[1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        target = torch.stack([x[..., 0] * x[..., 1], x[..., 0] + x[..., 1]], dim=-1)
        return (net(x) - target).square().flatten(1).mean(dim=1)

    return loss


@pytest.mark.parametrize("stop_at", [26, 30, 55])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, stop_at: int) -> None:
    """Optimizer, averages, dropout and draws: all of it is at the desk."""
    with seeded(1):
        whole = network()
        expected = train(whole, loss_of(whole), draw, PLAN, Dice([7]), Desk())
    desk = Desk(tmp_path / "fit", every=0.0)
    with seeded(1):
        first = network()
        with pytest.raises(Stop):
            train(first, loss_of(first, stop_at=stop_at), draw, PLAN, Dice([7]), desk)
    saved = desk.load()
    assert saved is not None
    assert int(saved["step"]) == (stop_at - 1) // 25 * 25
    with seeded(99):  # whatever the state of torch is
        again = network()
        got = train(again, loss_of(again), draw, PLAN, Dice([1234]), desk)
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, got[name]), name


def plain() -> nn.Module:
    with seeded(0):
        return nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 2))


def test_memory_that_runs_out_gives_the_same_steps_in_pieces() -> None:
    roomy, tight = plain(), plain()
    expected = train(roomy, loss_of(roomy), draw, PLAN, Dice([7]), Desk())
    with notes.collected() as told:
        got = train(tight, loss_of(tight, most=5), draw, PLAN, Dice([7]), Desk())
    for name, tensor in expected.items():
        assert torch.allclose(tensor, got[name], atol=2e-4), name
    assert [text for text in told if "4 pieces" in text], told
    assert not torch.allclose(expected["0.weight"], plain().state_dict()["0.weight"], atol=1e-2), (
        "something was learned"
    )


def test_no_room_for_one_item_is_one_message() -> None:
    net = plain()
    with pytest.raises(FitError, match="too small for one item"):
        train(net, loss_of(net, most=0), draw, PLAN, Dice([7]), Desk())


def test_other_errors_pass() -> None:
    def loss(x: Tensor, chance: Tensor) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        train(plain(), loss, draw, PLAN, Dice([7]), Desk())
    assert out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not out_of_memory(RuntimeError("a bug"))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_causes(bad: float) -> None:
    net = plain()
    steps = 0

    def loss(x: Tensor, chance: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        return net(x).square().flatten(1).mean(dim=1) * (bad if steps == 31 else 1.0)

    with pytest.raises(FitError, match=r"at step 31\..*1\. the learning rate.*2\. bfloat16.*3\. NaN"):
        train(net, loss, draw, PLAN, Dice([7]), Desk())


def test_averaged_weights_are_the_result() -> None:
    """The average follows its recurrence; without ema the last weights are returned."""
    path = []
    net = plain()
    inner = loss_of(net)

    def loss(x: Tensor, chance: Tensor) -> Tensor:
        path.append(net[0].weight.detach().clone())
        return inner(x, chance)

    got = train(net, loss, draw, PLAN, Dice([7]), Desk())
    path.append(net[0].weight.detach().clone())
    average = path[0]
    for step, weight in enumerate(path[1:]):
        decay = min(PLAN.ema, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    assert torch.allclose(got["0.weight"], average, atol=1e-6)
    assert not torch.allclose(got["0.weight"], path[-1], atol=1e-4)
    last = plain()
    bare = train(last, loss_of(last), draw, Plan(60, 12, 1e-2), Dice([7]), Desk())
    assert torch.equal(bare["0.weight"], last[0].weight.detach())


def test_the_rate_rises_and_falls() -> None:
    plan = Plan(steps=110, batch=1, rate=2.0, warmup=10, floor=0.1)
    rates = [plan.rate_at(step) for step in range(110)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[60] == pytest.approx(2.0 * 0.55)
    assert 0.2 <= rates[-1] < 0.21
    assert all(one > two for one, two in itertools.pairwise(rates[10:]))


def test_gradients_are_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient longer than the limit is scaled to it, one that is shorter is left alone."""
    seen = []
    monkeypatch.setattr(module.torch.optim.AdamW, "step", lambda self: seen.append(
        sum(float(p.grad.square().sum()) for group in self.param_groups for p in group["params"]) ** 0.5
    ))  # fmt: skip
    for scale, expected in ((1e6, 0.5), (1e-6, None)):
        net = plain()
        train(net, lambda x, c: scale * loss_of(net)(x, c), draw, Plan(1, 12, 0.1, clip=0.5), Dice([7]), Desk())  # noqa: B023
        assert seen[-1] == pytest.approx(expected, rel=1e-4) if expected else seen[-1] < 1e-3
