"""The transformer from scratch against bare loops and a plain reference script. Prints ratios.

Parts, which can be named: ``train`` (a bare PyTorch loop over the same network), ``cache`` (the same network without a
memory of keys and values), ``generate`` (``GPT2LMHeadModel.generate`` of transformers at the same size), ``shakespeare``
and ``wikitext`` (held-out bits per byte beside a GPT trained in the manner of Karpathy's nanoGPT: learned positions,
LayerNorm, GELU, random crops of the contiguous text, the same number of steps and tokens, the best of three learning
rates). One thread; times in processor seconds, training in bfloat16 for both sides. Data as everywhere:
``REMISSION_MIRROR`` names a folder that holds it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import _peer
from remission.data import Dataset, Space
from remission.models.transformer import Transformer
from remission.networks.decode import Rules, pick, uniforms, write
from remission.networks.device import one_thread
from remission.networks.dice import Dice, seeded
from remission.networks.language import compose
from remission.networks.transformer import Decoder, Memory, Shape, surprise
from remission.rng import Streams
from remission.sources.tiny_shakespeare import TinyShakespeare
from remission.sources.wikitext_2 import Wikitext2

STREAMS = Streams.of(seed=1, replicates=[0]).at(1, "benchmark")
BETAS, DECAY, CLIP, FLOOR = (0.9, 0.99), 0.1, 1.0, 0.1
RATES = (1e-3, 3e-3, 6e-3)  # tried for the reference: that of nanoGPT for characters, and higher ones


def dataset(blocks: np.ndarray, size: int) -> Dataset:
    space = Space("tokens", blocks.shape[1:], size)
    return Dataset(space, blocks[None], np.zeros((1, len(blocks)), np.int32))


def optimizer(network: nn.Module, rate: float) -> torch.optim.AdamW:
    matrices = [one for one in network.parameters() if one.ndim >= 2]
    others = [one for one in network.parameters() if one.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=BETAS, fused=True)


def bare_loop(
    network: nn.Module, batch: Callable[[], Any], loss: Callable[[Any], Tensor], steps: int, rate: float, warmup: int
) -> None:
    """Training as one writes it down."""
    adam = optimizer(network, rate)
    for step in range(steps):
        share = (step - warmup) / max(1, steps - warmup)
        now = (step + 1) / warmup if step < warmup else FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))
        for group in adam.param_groups:
            group["lr"] = rate * now
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            cost = loss(batch())
        cost.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        adam.step()


# ── training ──────────────────────────────────────────────────────────────────────────────────────────────────────


def train(quick: bool) -> None:
    """The same steps, from the same weights on the same batches: the results are equal to the last bit."""
    for width, layers, heads in ((64, 2, 2), (128, 4, 4)):
        steps, size, length = (30 if quick else 80) * 64 // width, 65, 64
        blocks = np.random.default_rng(0).integers(0, size, (2000, length))
        model = Transformer(
            width=width, layers=layers, heads=heads, steps=steps, warmup=5, batch=32, precision="bfloat16"
        )
        data = dataset(blocks, size)

        def ours(model: Transformer = model, data: Dataset = data) -> dict[str, Tensor]:
            return dict(model.fit(data, STREAMS))

        def peer(model: Transformer = model, blocks: np.ndarray = blocks) -> dict[str, Tensor]:
            with seeded(STREAMS.sub("weights").seeds()[0]):
                network = Decoder(Shape(65, 64, model.width, model.layers, model.heads))
            dice = torch.Generator().manual_seed(STREAMS.sub("batches").seeds()[0])
            kept = torch.from_numpy(blocks)

            def batch() -> Tensor:
                return kept[torch.randint(len(kept), (model.batch,), generator=dice)]

            def loss(drawn: Tensor) -> Tensor:
                return surprise(network(drawn), drawn).mean()

            bare_loop(network, batch, loss, model.steps, model.rate, model.warmup)
            return network.state_dict()

        took, theirs, a, b = _peer.best_of(ours, peer, rounds=2 if quick else 4)
        assert all(torch.equal(a[name][0], b[name]) for name in b), "not the same training"
        _peer.line(f"training, {layers} x {width}, {steps} steps of 32 x 64, bare loop", took, theirs, 0.95)
    slow = _seconds(lambda: Transformer.fit(_precise(model), data, STREAMS))
    _peer.line(f"training, {layers} x {width}, bfloat16 : float32", took, slow)


def _precise(model: Transformer) -> Transformer:
    import dataclasses

    return dataclasses.replace(model, precision="float32")


def _seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def without_memory(network: Decoder, draws: Tensor) -> Tensor:
    """Every token anew from all before it; logits of the last place alone."""
    text = network.start(len(draws))
    for t in range(draws.shape[1]):
        x = network.embedded(text)
        for layer in network.stack:
            q, k, v = layer.asked(x, network.turn[: t + 1], network.counter[: t + 1])
            x = layer.answered(x, functional.scaled_dot_product_attention(q, k, v, is_causal=True))
        text = torch.cat([text, pick(network.logits(x[:, -1:])[:, 0], draws[:, t])[:, None]], dim=1)
    return text[:, 1:]


def cache(quick: bool) -> None:
    """The same texts with and without a memory."""
    count, length = 64, 128 if quick else 256
    with seeded(0):
        network = Decoder(Shape(65, length, 128, 2, 4)).eval()
    draws = uniforms(Dice([1]), count, length)[0]

    @torch.no_grad()
    def ours() -> Tensor:
        return write(Memory(network, count), torch.empty((count, 0), dtype=torch.int64), draws, Rules())

    ours()
    took, theirs, a, b = _peer.best_of(ours, lambda: without_memory(network, draws), rounds=1)
    took = min(took, *(_seconds(ours) for _ in range(2)))
    same = (a == b).all(dim=1).float().mean().item()
    assert same > 0.9, f"only {same:.0%} of the texts agree"  # a draw at an edge goes either way
    _peer.line(f"writing {count} x {length} tokens, 2 x 128, no memory", took, theirs, 15, f"{same:.0%} the same texts")


def generate(quick: bool) -> None:
    """As many tokens, drawn from the bare law; the peer has the same sizes and a cache of its own."""
    from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()

    length, width, layers, heads = (64 if quick else 128), 128, 4, 4
    with seeded(0):
        network = Decoder(Shape(65, length, width, layers, heads)).eval()
        config = GPT2Config(
            vocab_size=66, n_positions=length + 1, n_embd=width, n_layer=layers, n_head=heads, bos_token_id=65,
            eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        other = GPT2LMHeadModel(config).eval()
    one, two = (sum(part.numel() for part in side.parameters()) for side in (network, other))
    assert abs(one - two) < 0.05 * two, (one, two)
    plan = GenerationConfig(
        do_sample=True, top_k=0, max_new_tokens=length, min_new_tokens=length, bos_token_id=65, pad_token_id=0
    )
    for count in (1, 16, 64, 256):
        start = torch.full((count, 1), 65)

        def ours(count: int = count) -> Tensor:
            return compose(network, torch.empty((count, 0), dtype=torch.int64), length, Rules(), 1, Dice([2]))

        @torch.no_grad()
        def peer(start: Tensor = start) -> Tensor:
            return other.generate(start, attention_mask=torch.ones_like(start), generation_config=plan)[:, 1:]

        ours(1), peer(start[:1])
        took, theirs, a, b = _peer.best_of(ours, peer, rounds=2 if quick else 3)
        assert a.shape == b.shape == (count, length)
        _peer.line(f"writing {count} x {length} tokens, {layers} x {width}, transformers generate", took, theirs, 1)


# ── held-out loss ─────────────────────────────────────────────────────────────────────────────────────────────────


class Plain(nn.Module):
    """The network of nanoGPT, without biases: learned positions, LayerNorm, GELU, tied matrices."""

    def __init__(self, size: int, length: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.tokens, self.places = nn.Embedding(size, width), nn.Embedding(length, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(width, bias=False), "ask": nn.Linear(width, 3 * width, bias=False),
                    "answer": nn.Linear(width, width, bias=False), "other": nn.LayerNorm(width, bias=False),
                    "up": nn.Linear(width, 4 * width, bias=False), "down": nn.Linear(4 * width, width, bias=False),
                }
            )
            for _ in range(layers)
        )  # fmt: skip
        self.last = nn.LayerNorm(width, bias=False)
        for name, one in self.named_parameters():
            if one.ndim == 2:
                narrow = math.sqrt(2 * layers) if "answer" in name or "down" in name else 1.0
                nn.init.normal_(one, std=0.02 / narrow)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (b, t, V) of what follows every token (b, t)."""
        b, t = tokens.shape
        x = self.tokens(tokens) + self.places.weight[:t]
        for layer in self.layers:
            parts = layer["ask"](layer["norm"](x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(*parts.float(), is_causal=True).to(parts.dtype)
            x = x + layer["answer"](mixed.transpose(1, 2).reshape(b, t, -1))
            x = x + layer["down"](functional.gelu(layer["up"](layer["other"](x))))
        return functional.linear(self.last(x), self.tokens.weight)


def plain_reference(
    stream: Tensor, size: int, length: int, sizes: tuple[int, int, int], steps: int, rate: float
) -> Plain:
    """Trained on random crops of the contiguous text."""
    with seeded(0):
        network = Plain(size, length, *sizes)
    dice = torch.Generator().manual_seed(0)

    def batch() -> Tensor:
        first = torch.randint(len(stream) - length, (32, 1), generator=dice)
        return stream[first + torch.arange(length + 1)]

    def loss(crops: Tensor) -> Tensor:
        logits = network(crops[:, :-1]).float()
        return functional.cross_entropy(logits.flatten(0, 1), crops[:, 1:].flatten())

    bare_loop(network, batch, loss, steps, rate, warmup=steps // 10)
    return network.eval()


@torch.no_grad()
def held_out(items: np.ndarray, logits: Callable[[Tensor], Tensor]) -> float:
    """Nats of all tokens of all blocks but the first of each; ``logits`` are those of every token but the first."""
    total = 0.0
    for part in torch.from_numpy(items.copy()).split(100):
        total += surprise(logits(part), part[:, 1:]).sum(dtype=torch.float64).item()
    return total


def quality(what: str, source: TinyShakespeare | Wikitext2, quick: bool) -> None:
    """The last tenth of the text is held out; both sides predict the same tokens of the same blocks."""
    items, space = source.items(), source.space
    cut = len(items) * 9 // 10
    held = items[cut:][:1500]
    sizes, steps, length = (96, 3, 3), (120 if quick else 500), space.shape[0]
    width, layers, heads = sizes
    model = Transformer(
        width=width, layers=layers, heads=heads, steps=steps, warmup=steps // 10, batch=32, precision="bfloat16"
    )
    began = time.process_time()
    state = model.fit(dataset(items[:cut], space.size), STREAMS)
    took = time.process_time() - began
    network = next(iter(model._networks(state)))
    network.eval()
    mine = held_out(held, lambda part: network(part)[:, 1:])

    stream, theirs, slow = torch.from_numpy(items[:cut].reshape(-1).copy()), [], 0.0
    for rate in RATES:
        began = time.process_time()
        reference = plain_reference(stream, space.size, length, sizes, steps, rate)
        slow = time.process_time() - began
        theirs.append(held_out(held, lambda part: reference(part[:, :-1])))  # noqa: B023
    one, two = (sum(part.numel() for part in side.parameters()) for side in (network, reference))
    width_of = np.array([len(name.encode("utf-8", "surrogateescape")) for name in space.names])
    scale = 1000 / math.log(2) / width_of[held[:, 1:]].sum()
    _peer.ceiling(
        f"held-out loss per byte, {what}, {steps} steps of 32 x {length}",
        mine * scale,
        min(theirs) * scale,
        1.03,
        "mbit",
    )
    print(
        f"    {one} and {two} parameters; the reference at rates {', '.join(f'{rate:g}' for rate in RATES)}: "
        f"{', '.join(f'{nats * scale:.0f}' for nats in theirs)}; a training took {took:.0f} s and {slow:.0f} s"
    )


PARTS: dict[str, Callable[[bool], None]] = {
    "train": train,
    "cache": cache,
    "generate": generate,
    "shakespeare": lambda quick: quality("tiny shakespeare", TinyShakespeare(length=64), quick),
    "wikitext": lambda quick: quality("WikiText-2 characters", Wikitext2(length=64, level="character"), quick),
}


def main(arguments: list[str] | None = None) -> None:
    """All parts, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sets and fewer rounds")
    parser.add_argument("parts", nargs="*", metavar="part", choices=[[], *PARTS], default=[], help=", ".join(PARTS))
    options = parser.parse_args(arguments)
    with one_thread():
        for name in options.parts or PARTS:
            PARTS[name](options.quick)


if __name__ == "__main__":
    main()
