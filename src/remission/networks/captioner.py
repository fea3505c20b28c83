"""A network that looks at a picture and writes words: convolutions, then a gated recurrent unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from remission.desk import Desk, Tensors
from remission.networks.chunks import in_chunks
from remission.networks.decode import Reader, Rules, search, uniforms, write
from remission.networks.device import autocast
from remission.networks.dice import Dice, seeded
from remission.networks.train import Parts, Plan, train

AT_ONCE = 256  # pictures


@dataclass(frozen=True)
class Sizes:
    """What goes in and out.

    Attributes:
        height, breadth, channels: of a picture.
        types: tokens to choose from.
        width: of the network.
    """

    height: int
    breadth: int
    channels: int
    types: int
    width: int


class Describer(nn.Module):
    """Logits of every token of a caption from the picture and the tokens before it.

    Convolutions of 3 x 3 halve the picture until it has at most 4 pixels a side; their numbers set the first state of the
    recurrent unit and are added to its input at every step.
    """

    def __init__(self, sizes: Sizes, dropout: float = 0.0) -> None:
        """Random weights."""
        super().__init__()
        self.sizes = sizes
        side, channels, layers = max(sizes.height, sizes.breadth), sizes.channels, list[nn.Module]()
        strides = [1] if side <= 8 else []
        while side > 4:
            strides.append(2)
            side = (side + 1) // 2
        for number, stride in enumerate(strides or [1]):
            wide = sizes.width if number else max(1, sizes.width // 2)
            layers += [nn.Conv2d(channels, wide, 3, stride=stride, padding=1), nn.SiLU()]
            channels = wide
        height, breadth = sizes.height, sizes.breadth
        for stride in strides:
            height, breadth = -(-height // stride), -(-breadth // stride)
        hidden = 2 * sizes.width
        self.eye = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels * height * breadth, hidden), nn.SiLU()
        )
        self.first = nn.Linear(hidden, hidden)
        self.embedding = nn.Embedding(sizes.types + 1, hidden)  # the last one stands before the first token
        self.into = nn.Linear(hidden, 3 * hidden)
        self.within = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, sizes.types))

    def look(self, pictures: Tensor) -> Tensor:
        """What is seen in flattened pictures (b, d) with values 0 .. 1, (b, 2 width)."""
        sizes = self.sizes
        grid = pictures.view(-1, sizes.height, sizes.breadth, sizes.channels).permute(0, 3, 1, 2)
        return self.eye(2.0 * grid - 1.0)

    def step(self, seen: Tensor, state: Tensor, tokens: Tensor) -> Tensor:
        """The state after one more token (b,): a gated recurrent unit (Cho et al., arXiv 1406.1078)."""
        reset, update, fresh = self.into(self.embedding(tokens) + seen).chunk(3, dim=-1)
        old_reset, old_update, old = self.within(state).chunk(3, dim=-1)
        new = torch.tanh(fresh + torch.sigmoid(reset + old_reset) * old)
        keep = torch.sigmoid(update + old_update)
        return keep * state + (1.0 - keep) * new

    def begin(self, seen: Tensor) -> Tensor:
        """The state before the first token."""
        start = torch.full(seen.shape[:1], self.sizes.types, device=seen.device)
        return self.step(seen, torch.tanh(self.first(seen)), start)

    def forward(self, pictures: Tensor, captions: Tensor) -> Tensor:
        """Logits (b, l, V) of the tokens of captions (b, l)."""
        seen = self.look(pictures)
        state, out = self.begin(seen), []
        for t in range(captions.shape[1]):
            if t:
                state = self.step(seen, state, captions[:, t - 1])
            out.append(state)
        return self.out(torch.stack(out, dim=1))


class Writer(Reader):
    """Captions of some pictures while they are written."""

    def __init__(self, network: Describer, pictures: Tensor) -> None:
        """``pictures`` (b, d) on the device of the network."""
        self.network = network
        self.seen = network.look(pictures)
        self.state: Tensor | None = None

    def read(self, tokens: Tensor) -> Tensor:
        """See :class:`~remission.networks.decode.Reader`."""
        if self.state is None:
            self.state = self.network.begin(self.seen)
        for token in tokens.unbind(dim=1):
            self.state = self.network.step(self.seen, self.state, token)
        return self.network.out(self.state)

    def keep(self, rows: Tensor) -> None:
        """See :class:`~remission.networks.decode.Reader`."""
        assert self.state is not None
        self.seen, self.state = self.seen[rows], self.state[rows]


def surprise(network: Callable[[Tensor, Tensor], Tensor], pictures: Tensor, captions: Tensor) -> Tensor:
    """Mean over the tokens of - ln p(token | picture, tokens before), a number."""
    logits = network(pictures, captions)
    return functional.cross_entropy(logits.flatten(0, 1).float(), captions.flatten())


def trial(sizes: Sizes, length: int, batch: int, where: torch.device) -> Callable[[bool], None]:
    """A training step without an optimizer, in bfloat16 or not, to be timed."""
    with seeded(0):
        network = Describer(sizes).to(where)
        pictures = torch.rand(batch, sizes.height * sizes.breadth * sizes.channels).to(where)
        captions = torch.randint(sizes.types, (batch, length)).to(where)

    def step(bf16: bool) -> None:
        with autocast(where, bf16):
            loss = surprise(network, pictures, captions)
        loss.backward()
        network.zero_grad(set_to_none=True)

    return step


def learn(
    network: Describer, items: tuple[Tensor, Tensor, Tensor | None], plan: Plan, dice: Dice, desk: Desk, bf16: bool
) -> Tensors:
    """Train a network, on its device, on pictures (n, d) and their captions (n, l); its weights.

    Every step draws ``plan.batch`` of them at random, in proportion to their weight (n,) when it is given.
    """
    where = next(network.parameters()).device
    pictures, captions, weight = items[0].to(where), items[1].to(where), items[2]
    up_to = None if weight is None else weight.double().cumsum(dim=0)

    def draw(dice: Dice) -> Parts:
        if up_to is None:
            index = dice.integers(len(pictures), plan.batch)[0]
        else:
            index = torch.searchsorted(up_to, uniforms(dice, plan.batch)[0].cpu() * up_to[-1], right=True).to(where)
        return pictures[index][None], captions[index][None]

    def loss(shown: Tensor, told: Tensor) -> Tensor:
        return surprise(network, shown[0], told[0])[None]

    network.train()
    return train(network, loss, draw, plan, dice, desk, bf16=bf16)


@torch.no_grad()
def describe(network: Describer, pictures: Tensor, length: int, rules: Rules, beams: int, dice: Dice) -> Tensor:
    """Captions (n, length) of pictures (n, d).

    Drawn with the uniforms of ``dice`` (of one replicate), the same however many are written side by side; with more than
    one beam the most probable caption that a search finds.
    """
    where = next(network.parameters()).device
    network.eval()
    draws = uniforms(dice, len(pictures), length)[0] if beams == 1 else torch.empty(0)

    def part(start: int, stop: int) -> Tensor:
        writer = Writer(network, pictures[start:stop].to(where))
        empty = torch.empty((stop - start, 0), dtype=torch.int64, device=where)
        if beams > 1:
            return search(writer, empty, length, beams, rules)
        return write(writer, empty, draws[start:stop].to(where), rules)

    return in_chunks(len(pictures), max(1, AT_ONCE // beams), part)
