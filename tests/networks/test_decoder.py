"""The transformer against a slow twin in NumPy, its memory against no memory, and what is done with both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from remission.desk import Desk
from remission.networks import language
from remission.networks.chunks import in_chunks
from remission.networks.decode import Rules, uniforms, write
from remission.networks.device import one_thread
from remission.networks.dice import Dice, seeded
from remission.networks.train import Plan
from remission.networks.transformer import Decoder, Memory, Shape, attention, surprise
from remission.notes import collected

SHAPE = Shape(size=7, window=6, width=16, layers=3, heads=2)


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield


def network(shape=SHAPE, seed=1, wild=2.0):
    """A network whose predictions depend strongly on everything it sees."""
    with seeded(seed):
        made = Decoder(shape)
        for one in made.parameters():
            one.data.mul_(wild)
    return made.eval()


def tokens(*shape, size=SHAPE.size, seed=0):
    return torch.randint(size, shape, generator=torch.Generator().manual_seed(seed))


# ── a slow twin: one text, one head, one query at a time, in float64 ──────────────────────────────────────────────


def twin(made, text, sink=True):
    """Logits (t, V) of every token of a text and (1, V) of what follows, with the rolling window and without a memory."""
    shape = made.shape
    weights = {name: value.detach().numpy().astype(np.float64) for name, value in made.state_dict().items()}
    d, half = shape.head, shape.head // 2

    def norm(x, gain):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gain

    def turned(x, position):
        angle = position * float(shape.window) ** (-2.0 * np.arange(half) / d)
        one, other = x[:half], x[half:]
        return np.concatenate(
            [one * np.cos(angle) - other * np.sin(angle), other * np.cos(angle) + one * np.sin(angle)]
        )

    x = weights["embedding"][[shape.size, *text]]
    for n in range(shape.layers):
        w = {name.split(".", 2)[2]: value for name, value in weights.items() if name.startswith(f"layers.{n}.")}
        mixed = norm(x, w["attention_norm.gain"]) @ w["ask.weight"].T
        q, k, v = np.split(mixed, 3, axis=1)
        out = np.zeros_like(x)
        for head in range(shape.heads):
            part = slice(head * d, (head + 1) * d)
            for i in range(len(x)):
                near = [j for j in range(1, i + 1) if i - j < shape.window - 1]
                lags = {j: i - j for j in near} | ({0: min(i, shape.window - 1)} if sink or i < shape.window else {})
                scores = np.array([turned(q[i, part], lag) @ k[j, part] for j, lag in lags.items()]) / np.sqrt(d)
                p = np.exp(scores - scores.max())
                out[i, part] = (p / p.sum()) @ v[list(lags), part]
        x = x + out @ w["answer.weight"].T
        gate, value = np.split(norm(x, w["gate_norm.gain"]) @ w["up.weight"].T, 2, axis=1)
        x = x + (gate / (1 + np.exp(-gate)) * value) @ w["down.weight"].T
    return norm(x, weights["norm.gain"]) @ weights["embedding"][: shape.size].T


@torch.no_grad()
def test_a_block_is_what_the_twin_says():
    made, blocks = network(), tokens(3, SHAPE.window)
    got = made(blocks)
    for i in range(3):
        expected = twin(made, blocks[i].tolist())
        np.testing.assert_allclose(got[i].numpy(), expected[:-1], atol=1e-4, rtol=1e-4)
        p = expected[:-1] - np.log(np.exp(expected[:-1]).sum(-1, keepdims=True))
        whole = p[np.arange(SHAPE.window), blocks[i].numpy()].sum()
        assert language.log_probability(made, blocks)[i].item() == pytest.approx(whole, abs=2e-4)
    assert not torch.allclose(got[0], network(seed=2)(blocks)[0], atol=0.1)


@torch.no_grad()
@pytest.mark.parametrize("begun", [0, 1, 4, 5, 6, 9])
def test_memory_changes_nothing_and_rolls_beyond_a_block(begun):
    """As far as a whole block after a whole block goes; losing the start token would be seen."""
    made, long = network(), 2 * SHAPE.window + 1
    text = tokens(2, long)
    memory = Memory(made, 2)
    got = [memory.read(text[:, :begun])] + [memory.read(text[:, t : t + 1]) for t in range(begun, long)]
    for i in range(2):
        expected = twin(made, text[i].tolist())[begun:]
        np.testing.assert_allclose(torch.stack(got)[:, i].numpy(), expected, atol=2e-4, rtol=2e-4)
    lost = twin(made, text[0].tolist(), sink=False)
    whole = twin(made, text[0].tolist())
    assert np.abs(lost - whole)[: SHAPE.window].max() < 1e-12
    assert np.abs(lost - whole)[SHAPE.window :].max() > 0.1


@torch.no_grad()
@pytest.mark.parametrize("rules", [Rules(), Rules(top_k=1), Rules(temperature=0.7, top_p=0.9, repetition=1.2)])
@pytest.mark.parametrize("begun", [0, 6])
def test_texts_with_and_without_memory_are_the_same(rules, begun):
    """Token for token, in float32, with the same uniforms; beyond the window by the twin, which has no memory."""
    made, prompts = network(), tokens(4, begun)
    draws = uniforms(Dice([3]), 4, SHAPE.window)[0]
    got = write(Memory(made, 4), prompts, draws, rules)

    class Slow:
        def __init__(self):
            self.text = prompts[:, :0]

        def read(self, new):
            self.text = torch.cat([self.text, new], dim=1)
            if self.text.shape[1] < SHAPE.window:  # the last column of a block whose last token does not matter
                return made(torch.cat([self.text, self.text.new_zeros(4, 1)], dim=1))[:, -1]
            return torch.tensor(np.array([twin(made, row.tolist())[-1] for row in self.text]))

    assert torch.equal(got, write(Slow(), prompts, draws, rules))
    assert len(got.unique()) > 1


@torch.no_grad()
def test_memory_keeps_the_rows_it_is_told_to():
    made, text = network(), tokens(3, 8)
    memory = Memory(made, 3)
    memory.read(text[:, :4])
    rows = torch.tensor([2, 0, 0, 1])
    memory.keep(rows)
    new = tokens(4, 3, seed=4)
    got = memory.read(new)
    for i, row in enumerate(rows):
        expected = twin(made, [*text[row, :4].tolist(), *new[i].tolist()])[-1]
        np.testing.assert_allclose(got[i].numpy(), expected, atol=2e-4, rtol=2e-4)


def test_attention_in_bfloat16_has_the_gradients_of_the_fused_kernel():
    with seeded(0):
        exact = torch.randn(3, 2, 2, 9, 8)
    results = []
    for kind in (torch.float32, torch.bfloat16):
        asked = exact.to(kind, copy=True).requires_grad_()
        out = attention(*asked.unbind())
        assert out.dtype == kind
        (out.float() * torch.linspace(-1, 1, 8)).sum().backward()
        results.append((out.detach().float(), asked.grad.float()))
    for one, other in zip(*results, strict=True):
        assert (one - other).abs().max() < 0.03
        assert one.abs().max() > 0.3


def test_initial_surprise_is_near_that_of_no_knowledge():
    shape = Shape(50, 32, 64, 4, 4)
    with seeded(0), torch.no_grad():
        blocks = tokens(40, 32, size=50)
        first = surprise(Decoder(shape)(blocks), blocks).mean().item()
    assert np.log(50) < first < np.log(50) + 1.0


# ── learning ──────────────────────────────────────────────────────────────────────────────────────────────────────


def learned(blocks, weight=None, steps=60, desk=None, dropout=0.0, shape=SHAPE, **plan):
    with seeded(5):
        made = Decoder(shape, dropout)
        made.load_state_dict(
            language.learn(
                made, blocks, weight, Plan(steps, 8, 1e-2, warmup=5, **plan), Dice([6]), desk or Desk(), False
            )
        )
    return made


def test_it_learns_what_only_a_long_memory_can_know():
    """The last token repeats the first: knowing that takes attention over the whole block."""
    blocks = tokens(400, 6, size=4)
    blocks[:, -1] = blocks[:, 0]
    made = learned(blocks, steps=250, shape=Shape(4, 6, 16, 2, 2))
    fresh = tokens(100, 6, size=4, seed=8)
    fresh[:, -1] = fresh[:, 0]
    with torch.no_grad():
        each = surprise(made(fresh), fresh).mean(dim=0)
    assert each[-1] < 0.1
    assert (each[:-1] > np.log(4) - 0.05).all()  # what cannot be known is not


def test_blocks_are_drawn_by_weight():
    blocks = torch.cat([tokens(20, 6, size=3), 3 + tokens(20, 6, size=3)])
    weight = torch.tensor([1.0] * 20 + [0.0] * 20)
    even, only = learned(blocks, None), learned(blocks, weight)
    low, high = (language.log_probability(only, part).mean().item() for part in (blocks[:20], blocks[20:]))
    assert low > high + 10
    low, high = (language.log_probability(even, part).mean().item() for part in (blocks[:20], blocks[20:]))
    assert abs(low - high) < 3


def test_dropout_acts_in_training_only():
    with seeded(1):
        made = Decoder(SHAPE, dropout=0.5)
    blocks = tokens(2, 6)
    assert not torch.equal(made.train()(blocks), made(blocks))
    assert torch.equal(made.eval()(blocks), made(blocks))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path, dropout):
    blocks, weight = tokens(30, 6), torch.linspace(0.5, 1.5, 30)
    whole = learned(blocks, weight, dropout=dropout, ema=0.9)

    class Once(Desk):
        def save(self, tensors, name="work"):
            super().save(tensors, name)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned(blocks, weight, desk=Once(tmp_path, every=0.0), dropout=dropout, ema=0.9)
    resumed = learned(blocks, weight, desk=Desk(tmp_path), dropout=dropout, ema=0.9)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_compiling_that_fails_is_noted_and_done_without(monkeypatch):
    def failing(made):
        def run(blocks):
            raise RuntimeError("no compiler")

        return run

    made, blocks = network(), tokens(2, 6)
    monkeypatch.setattr(torch, "compile", failing)
    with collected() as told:
        run = language._compiled(made)
        assert torch.equal(run(blocks), made(blocks))
        assert torch.equal(run(blocks), made(blocks))
    assert list(told) == ["torch.compile failed (RuntimeError), so the network trains uncompiled"]


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
@pytest.mark.parametrize("at_once", [1, 3, 50])
def test_texts_do_not_depend_on_how_many_are_written_at_once(monkeypatch, at_once):
    made, prompts = network(), tokens(20, 4)
    whole = language.compose(made, prompts, 6, Rules(temperature=0.8), 1, Dice([2]))
    found = language.compose(made, prompts, 6, Rules(), 3, Dice([2]))
    monkeypatch.setattr(language, "AT_ONCE", at_once)
    assert torch.equal(whole, language.compose(made, prompts, 6, Rules(temperature=0.8), 1, Dice([2])))
    assert torch.equal(found, language.compose(made, prompts, 6, Rules(), 3, Dice([2])))


def test_pieces_are_halved_when_memory_runs_out():
    asked = []

    def work(start, stop):
        asked.append(stop - start)
        if stop - start > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return torch.arange(start, stop)

    with collected() as told:
        assert in_chunks(7, 5, work).tolist() == list(range(7))
    assert asked == [5, 3, 2, 2, 2, 1]
    assert list(told) == [f"memory ran out: work goes on {size} items at a time" for size in (3, 2)]
    with pytest.raises(RuntimeError, match="something else"):
        in_chunks(3, 2, lambda start, stop: (_ for _ in ()).throw(RuntimeError("something else")))
    with pytest.raises(RuntimeError, match="allocate"):
        in_chunks(3, 1, lambda start, stop: (_ for _ in ()).throw(RuntimeError("can't allocate memory")))


@pytest.mark.parametrize(("count", "n"), [(5, 3), (5, 5), (5, 13), (1, 4), (5, 0)])
def test_prompts_come_in_turn(count, n):
    order = language.in_turn(count, n, Dice([3]))
    assert order.shape == (n,)
    times = np.bincount(order.numpy(), minlength=count)
    assert times.max() - times.min() <= 1
    assert n < count or not torch.equal(order[:count], torch.arange(count)) or count == 1
    assert torch.equal(order, language.in_turn(count, n + 2, Dice([3]))[:n])
