"""A decoder-only transformer: rotary positions, gated layers, and a memory of keys and values with a rolling window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from remission.networks.decode import Reader


@dataclass(frozen=True)
class Shape:
    """The size of a network.

    Attributes:
        size: V, the number of types.
        window: the tokens that a prediction looks back on, the start token included: the length of a block.
        width, layers, heads: of the network; width / heads is even.
    """

    size: int
    window: int
    width: int
    layers: int
    heads: int

    @property
    def head(self) -> int:
        """The width of a head."""
        return self.width // self.heads

    @property
    def hidden(self) -> int:
        """The width between the two matrices of a gated layer: two thirds of 4 width, in steps of 16."""
        return math.ceil(8 * self.width / 3 / 16) * 16


class Decoder(nn.Module):
    """p(token | tokens before it) for blocks of text, each of which begins with a start token that is never predicted.

    Pre-normalised layers of causal attention with rotary positions (Su et al., arXiv 2104.09864) and of
    silu(a) * b gates (Shazeer, arXiv 2002.05202), no biases, and one matrix for reading and for predicting tokens. The last
    row of that matrix is the start token.
    """

    turn: Tensor
    counter: Tensor

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout
        self.embedding = nn.Parameter(torch.randn(shape.size + 1, shape.width) * shape.width**-0.5)
        self.layers = nn.ModuleList(_Layer(shape, dropout) for _ in range(shape.layers))
        self.norm = _Norm(shape.width)
        turn, counter = _turns(2 * shape.window + 2, shape.head, shape.window)
        self.register_buffer("turn", turn, persistent=False)
        self.register_buffer("counter", counter, persistent=False)

    def forward(self, blocks: Tensor) -> Tensor:
        """Logits (b, t, V) of every token of blocks (b, t), t at most the window, given those before it."""
        x = self.embedded(torch.cat([self.start(len(blocks)), blocks[:, :-1]], dim=1))
        turn, counter = self.turn[: x.shape[1]], self.counter[: x.shape[1]]
        for layer in self.stack:
            q, k, v = layer.asked(x, turn, counter)
            x = layer.answered(x, attention(q, k, v))
        return self.logits(x)

    @property
    def stack(self) -> list[_Layer]:
        """The layers, from the first to the last."""
        return [cast(_Layer, layer) for layer in self.layers]

    def start(self, count: int) -> Tensor:
        """Start tokens (count, 1)."""
        return torch.full((count, 1), self.shape.size, device=self.embedding.device)

    def embedded(self, tokens: Tensor) -> Tensor:
        """Tokens (b, t), the start token among them, as vectors (b, t, width)."""
        return dropped(functional.embedding(tokens, self.embedding), self.dropout, self.training)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (b, t, V) from what the last layer gave (b, t, width)."""
        return functional.linear(self.norm(x), self.embedding[: self.shape.size])


def surprise(logits: Tensor, blocks: Tensor) -> Tensor:
    """-ln p of every token of blocks (b, t) under logits (b, t, V); shape (b, t)."""
    return functional.cross_entropy(logits.float().flatten(0, 1), blocks.flatten(), reduction="none").view(blocks.shape)


class _Norm(nn.Module):
    """Layer normalisation with a gain and no bias; on a CPU its kernel is four times as fast as that of RMSNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.gain.shape, self.gain)


class _Layer(nn.Module):
    """A layer of attention and a gated one, in two halves, so that what is attended to can come from a memory."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout
        self.attention_norm = _Norm(shape.width)
        self.ask = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.answer = nn.Linear(shape.width, shape.width, bias=False)
        self.gate_norm = _Norm(shape.width)
        self.up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)
        for matrix in (self.ask, self.up):
            nn.init.normal_(matrix.weight, std=matrix.in_features**-0.5)
        for matrix in (self.answer, self.down):  # the sum over all layers starts about as wide as what enters
            nn.init.normal_(matrix.weight, std=(2 * shape.layers * matrix.in_features) ** -0.5)

    def asked(self, x: Tensor, turn: Tensor, counter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys (both turned to their positions) and values of x (b, t, width): each (b, heads, t, head)."""
        b, t, _ = x.shape
        heads = self.shape.heads
        mixed = self.ask(self.attention_norm(x)).view(b, t, 3 * heads, self.shape.head).transpose(1, 2)
        turned = rotated(mixed[:, : 2 * heads], turn, counter)
        return turned[:, :heads], turned[:, heads:], mixed[:, 2 * heads :]

    def answered(self, x: Tensor, attended: Tensor) -> Tensor:
        """What x (b, t, width) is after this layer, given what was attended to (b, heads, t, head)."""
        x = x + dropped(self.answer(attended.transpose(1, 2).flatten(2)), self.dropout, self.training)
        gate, value = self.up(self.gate_norm(x)).chunk(2, dim=-1)
        return x + dropped(self.down(functional.silu(gate) * value), self.dropout, self.training)


def dropped(x: Tensor, share: float, training: bool) -> Tensor:
    """Dropout; without a share to drop not even a copy."""
    return functional.dropout(x, share, training) if share else x


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of tokens (b, heads, t, head) that all begin at the start of a block."""
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    # on a CPU the backward pass of the fused kernel is three to six times as slow in bfloat16 as these products
    future = torch.full((q.shape[2], q.shape[2]), float("-inf"), dtype=q.dtype).triu(1)
    scores = torch.baddbmm(future, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=q.shape[3] ** -0.5)
    return (scores.softmax(dim=-1).to(v.dtype) @ v.flatten(0, 1)).unflatten(0, q.shape[:2])


def rotated(x: Tensor, turn: Tensor, counter: Tensor) -> Tensor:
    """Vectors (..., t, head), each pair of coordinates turned by the angles of its position."""
    half = x.shape[-1] // 2
    return torch.addcmul(x * turn.to(x.dtype), x.roll(half, dims=-1), counter.to(x.dtype))


def _turns(count: int, head: int, window: int) -> tuple[Tensor, Tensor]:
    """Cosines, and sines with the sign of a turn, for positions 0 .. count - 1; both (count, head).

    Wavelengths go from 2 pi tokens to 2 pi windows; slower turns, of which the usual base of 10,000 has many, tell nothing
    apart inside a window (held-out loss on characters is 1 % better in blocks of 64).
    """
    rates = float(window) ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
    cos, sin = angles.cos().float(), angles.sin().float()
    return torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)


class Memory(Reader):
    """Texts that a network is reading: the keys and values of what it may still look back on.

    There are ``window`` places: one for the start token and a ring for the tokens after it. When the ring is full a new
    token takes the place of the oldest, and the start token is seen from as far as at the end of a block: the network
    meets no distance that it was not trained on, and never loses the token on which attention without a
    purpose rests (Xiao et al., arXiv 2309.17453: attention sinks).
    """

    def __init__(self, network: Decoder, count: int) -> None:
        """A memory for ``count`` texts."""
        shape = network.shape
        self.network = network
        self.count = count
        self.seen = 0  # tokens of each text, the start token included
        like = network.embedding
        room = (shape.layers, 2, count, shape.heads, shape.window, shape.head)
        self.held = torch.empty(room, dtype=like.dtype, device=like.device)
        self.first = self.held[:, 0, :1, :, :1]  # keys of the start token, unturned

    @staticmethod
    def cost(shape: Shape) -> int:
        """The bytes that one text needs, in float32."""
        return 4 * 2 * shape.layers * shape.window * shape.width

    def keep(self, rows: Tensor) -> None:
        """Go on with the texts of these rows."""
        self.held = self.held[:, :, rows]
        self.count = len(rows)

    def read(self, tokens: Tensor) -> Tensor:
        """Read the next tokens (b, k) of every text, as many as fit at once; the logits (b, V) of what follows."""
        if not self.seen:
            tokens = torch.cat([self.network.start(self.count), tokens], dim=1)
            at_once = min(tokens.shape[1], self.network.shape.window)
            x, tokens = self._read(tokens[:, :at_once]), tokens[:, at_once:]
            self.first = self.held[:, 0, :1, :, :1].clone()
        for t in range(tokens.shape[1]):
            x = self._read(tokens[:, t : t + 1])
        return self.network.logits(x[:, -1:])[:, 0]

    def _read(self, tokens: Tensor) -> Tensor:
        """Read the beginning of every text, or one more token of each."""
        network, window = self.network, self.network.shape.window
        begin, self.seen = self.seen, self.seen + tokens.shape[1]
        filled = min(self.seen, window)
        place = begin if begin < window else 1 + (begin - 1) % (window - 1)
        turns = network.turn[begin : self.seen], network.counter[begin : self.seen]
        x = network.embedded(tokens)
        if begin >= window:  # the start token moves along
            away = begin - window + 1
            self.held[:, 0, :, :, :1] = rotated(self.first, network.turn[away], network.counter[away])
        for layer, (keys, values) in zip(network.stack, self.held, strict=True):
            q, k, v = layer.asked(x, *turns)
            keys[:, :, place : place + tokens.shape[1]] = k
            values[:, :, place : place + tokens.shape[1]] = v
            if begin:
                x = layer.answered(x, _looked_up(q, keys[:, :, :filled], values[:, :, :filled]))
            else:
                x = layer.answered(x, attention(q, k, v))
        return x


def _looked_up(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """What one query per text and head (b, heads, 1, head) finds among keys and values (b, heads, t, head)."""
    if q.device.type != "cpu":
        return functional.scaled_dot_product_attention(q, keys, values)
    # for one query per text two products are twice as fast on a CPU as the fused kernel
    return (q @ keys.transpose(2, 3) * q.shape[3] ** -0.5).softmax(dim=-1) @ values
