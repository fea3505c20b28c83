"""A transformer language model, trained from scratch: rotary positions, gated layers, tied embeddings.

A small one that is trained briefly drifts to noise at temperature 1; one that is trained well and sampled at a lower
temperature narrows. The prompted loop is that of Shumailov et al. (Nature 631:755, 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Array, Dataset, Floats, Space
from remission.desk import Desk
from remission.errors import DataError, FitError, SpecError, need
from remission.interfaces import HasDensity, LongModel, Sampling, State, Steerable
from remission.rng import Streams
from remission.watermarking import Steer

if TYPE_CHECKING:
    from torch import Tensor

    from remission.networks.transformer import Decoder, Shape
    from remission.world import World

_DRAWN = ("temperature", "top_k", "top_p", "min_p")  # options of draws, which a search does not make


class Transformer(LongModel, HasDensity, Steerable):
    """p(x_1 ... x_L) = product over i of p(x_i | start, x_1 ... x_(i-1)), by a decoder-only transformer.

    Each of ``layers`` layers adds causal attention of ``heads`` heads and a gated layer to vectors of ``width`` numbers;
    positions enter as rotations of queries and keys, and a start token precedes every block. AdamW minimises
    - ln p over ``steps`` steps of ``batch`` random blocks, with a learning rate that rises to ``rate`` over ``warmup``
    steps and falls to a tenth of it on a cosine. Replicates are trained one after another.

    A new block is drawn token by token, by the inverse distribution function, in float32 whatever the precision of
    the training: samples follow ``log_density``. With ``prompts`` = ``training`` each is the *continuation* by L
    tokens of a prompt of ``prompt_length`` tokens, cut from the beginning of a training block; the prompt itself is no
    part of it. Every prompt is used once, in random order, before any is used again. Beyond L tokens the model looks
    back on the start token and the last L - 1 tokens, distances it was trained on.

    ``temperature``, ``top_k``, ``top_p``, ``min_p``, ``repetition`` and ``no_repeat`` shape the law of the next
    token (prompts count as text); ``beams`` gives the most probable continuation instead of a draw, so it needs
    prompts, and no option of draws.

    In collapse held-out perplexity rises. Distinct tokens and n-grams can go either way: noise adds them, narrowing
    takes them away.

    Attributes:
        width: numbers per token; a multiple of 2 ``heads``.
        layers, heads: of the network.
        steps, batch: of a training. ``warm_steps``, when not 0, instead of ``steps`` from a previous state.
        rate, warmup: the highest learning rate and the steps until it.
        weight_decay: of AdamW, on matrices.
        dropout: share of numbers left out after each half of a layer while training.
        ema: decay of averaged weights, which are then the model (0: the last weights).
        precision: of the training; ``auto``: bfloat16 where it is measured to be faster.
        prompts: ``none``: blocks begin with the start token; ``training``: see above.
        prompt_length: tokens of a prompt, at most L; 0: L.

    Raises:
        SpecError: blocks of one token, a prompt longer than a block, sampling options that contradict each other.
        FitError: fewer blocks than a batch; a loss that is no number.

    Source: Vaswani et al., arXiv 1706.03762; Su et al., arXiv 2104.09864 (rotary positions); Shazeer, arXiv 2002.05202
    (gates); Xiao et al., arXiv 2309.17453 (the start token stays in the window).

    >>> Transformer(width=64, layers=2).label
    'transformer[width=64,layers=2]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    knows: ClassVar[frozenset[str]] = frozenset({*_DRAWN, "repetition", "no_repeat", "beams"})
    weighted: ClassVar[bool] = True

    width: Annotated[int, Meta(ge=2)] = 128
    layers: Annotated[int, Meta(ge=1)] = 4
    heads: Annotated[int, Meta(ge=1)] = 4
    steps: Annotated[int, Meta(ge=1)] = 1000
    batch: Annotated[int, Meta(ge=1)] = 32
    rate: Annotated[float, Meta(gt=0)] = 3e-3
    warmup: Annotated[int, Meta(ge=0)] = 50
    weight_decay: Annotated[float, Meta(ge=0)] = 0.1
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    warm_steps: Annotated[int, Meta(ge=0)] = 0
    prompts: Literal["none", "training"] = "none"
    prompt_length: Annotated[int, Meta(ge=0)] = 0

    def check(self) -> None:
        """Sizes that fit together."""
        if self.width % (2 * self.heads):
            raise SpecError(
                f"transformer: width {self.width} is no multiple of 2 x {self.heads} heads. "
                f"Try width = {-(-self.width // (2 * self.heads)) * 2 * self.heads}, or other heads."
            )
        for name in ("steps", "warm_steps"):
            if self.warmup >= getattr(self, name) > 0:
                raise SpecError(
                    f"transformer: a warmup of {self.warmup} leaves nothing of {name} = {getattr(self, name)}. "
                    f"Lower 'warmup' or raise '{name}'."
                )
        if self.prompt_length and self.prompts == "none":
            raise SpecError("transformer: 'prompt_length' is for prompts = 'training'; prompts are 'none'.")

    def minimum(self, space: Space) -> int:
        """One batch of blocks that are long enough."""
        length = space.shape[0]
        if length < 2:
            raise SpecError(
                f"transformer: blocks of {length} token have nothing to look back on. Make the blocks of the source "
                f"longer, or use the model 'unigram' with a source of symbols."
            )
        if self.prompt_length > length:
            raise SpecError(
                f"transformer: prompts of {self.prompt_length} tokens are longer than the model's context, which is a "
                f"block of {length}. Lower 'prompt_length' or make the blocks of the source longer."
            )
        return self.batch

    def refuses(self, world: World) -> str:
        """Sampling options that contradict each other or the model; fields that nothing uses."""
        need("deep", "the model 'transformer'", "torch", "safetensors")
        if self.warm_steps and world.start == "scratch":
            return "'warm_steps' is for start = 'previous' or 'base'; the start is 'scratch'. Remove it."
        return self._contradiction(world.sampling, world.space.size, world.space.shape[0])

    def _contradiction(self, sampling: Sampling, size: int, length: int) -> str:
        if sampling.beams > 1:
            idle = sorted(sampling.used & set(_DRAWN))
            if idle:
                return f"a beam search draws nothing, so {', '.join(idle)} cannot be used with beams. Remove one."
            if self.prompts == "none":
                return "a beam search without prompts finds one block, n times. Set prompts = 'training', or beams = 1."
        whole = length + (self._prompted(length) if self.prompts == "training" else 0)
        if sampling.no_repeat and size**sampling.no_repeat < whole - sampling.no_repeat + 1:
            return f"a text of {whole} tokens out of {size} must repeat an n-gram of {sampling.no_repeat}. Raise 'no_repeat'."
        return ""

    def _prompted(self, length: int) -> int:
        """How many tokens a prompt has."""
        return self.prompt_length or length

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Train one network per replicate."""
        import torch

        from remission.networks.device import announce, one_thread, use_bf16
        from remission.networks.language import trial

        if data.n < self.minimum(data.space):
            raise FitError(
                f"{data.n} blocks are fewer than one batch of {self.batch}. Raise samples or the kept share, or lower 'batch'."
            )
        items, weight = _inside(data.items, data.space.size), _usable(data.weight)
        length = data.space.shape[0]
        shape = self._shape(data.space.size, length)
        with one_thread():
            where = announce()
            what = f"transformer {self.layers} x {self.width}, {self.batch} x {length} of {shape.size} types"
            fast = use_bf16(self.precision, what, trial(shape, self.batch, where))
            fitted = []
            for i, number in enumerate(streams.replicates):
                part = desk.part(f"replicate-{number}")
                done = part.load("done")
                if done is None:
                    start = None if previous is None else {name: tensor[i] for name, tensor in previous.items()}
                    chosen = None if weight is None else torch.from_numpy(weight[i])
                    done = self._trained(shape, items[i], chosen, streams.only(i), start, part, fast)
                    if data.replicates > 1:
                        part.save(done, "done")
                fitted.append(done)
        state = {name: torch.stack([one[name] for one in fitted]) for name in fitted[0]}
        state["length"] = torch.full((data.replicates,), length)
        if self.prompts == "training":
            state["prompts"] = items[:, :, : self._prompted(length)].to(torch.int32)
        return state

    def _trained(
        self,
        shape: Shape,
        blocks: Tensor,
        weight: Tensor | None,
        streams: Streams,
        start: State | None,
        desk: Desk,
        fast: bool,
    ) -> State:
        """The weights of one replicate."""
        from remission.networks.device import device
        from remission.networks.dice import Dice, seeded
        from remission.networks.language import learn
        from remission.networks.train import Plan
        from remission.networks.transformer import Decoder

        steps = self.warm_steps if start is not None and self.warm_steps else self.steps
        plan = Plan(steps, self.batch, self.rate, self.warmup, weight_decay=self.weight_decay, ema=self.ema)
        with seeded(streams.sub("weights").seeds()[0]):
            network = Decoder(shape, self.dropout)
            if start is not None:
                network.load_state_dict({name: start[name] for name in network.state_dict()})
            dice = Dice(streams.sub("batches").seeds(), device())
            return learn(network.to(device()), blocks, weight, plan, dice, desk, fast)

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New blocks, int64 (r, n, L). Raises SpecError for options that contradict each other."""
        return self._sampled(state, n, streams, sampling, None)

    def sample_steered(self, state: State, n: int, streams: Streams, sampling: Sampling, steer: Steer) -> Array:
        """The same draws from laws that ``steer`` may change; a prompt is history. Raises SpecError for beams."""
        if sampling.beams > 1:
            raise SpecError("transformer: a beam search draws nothing that could be steered. Set beams = 1.")
        return self._sampled(state, n, streams, sampling, steer)

    def _sampled(self, state: State, n: int, streams: Streams, sampling: Sampling, steer: Steer | None) -> Array:
        import torch

        from remission.networks.decode import Rules
        from remission.networks.device import one_thread
        from remission.networks.dice import Dice
        from remission.networks.language import compose, in_turn
        from remission.networks.steering import of_rows
        from remission.notes import say

        size, length = state["embedding"].shape[1] - 1, int(state["length"][0])
        if reason := self._contradiction(sampling, size, length):
            raise SpecError(f"transformer: {reason}")
        rules = Rules(**{name: getattr(sampling, name) for name in (*_DRAWN, "repetition", "no_repeat")})
        orders, draws = streams.sub("prompts").seeds(), streams.sub("tokens").seeds()
        out = np.empty((len(streams), n, length), np.int64)
        with one_thread():
            for i, network in enumerate(self._networks(state)):
                prompts = torch.empty((n, 0), dtype=torch.int64)
                if self.prompts == "training":
                    cut = state["prompts"][i]
                    prompts = cut[in_turn(len(cut), n, Dice(orders[i : i + 1]))].long()
                    if n > len(cut) and sampling.beams > 1:
                        say("a beam search had fewer prompts than texts to write, so texts come more than once")
                dice, steered = Dice(draws[i : i + 1]), of_rows(steer, i)
                out[i] = compose(network, prompts, length, rules, sampling.beams, dice, steered).numpy()
        return out

    def log_density(self, state: State, items: Array) -> Floats:
        """Log-probability (r, m) in nats of whole blocks from their start token on, of the bare model.

        Divide by L for the mean per token. Raises DataError for blocks of another length or unknown tokens.
        """
        from remission.networks.device import one_thread
        from remission.networks.language import log_probability

        length = int(state["length"][0])
        if items.shape[2] != length:
            raise DataError(f"The model knows blocks of {length} tokens; these have {items.shape[2]}.")
        blocks = _inside(items, state["embedding"].shape[1] - 1)
        with one_thread():
            networks = self._networks(state)
            return np.stack([log_probability(network, blocks[i]).numpy() for i, network in enumerate(networks)])

    def _shape(self, size: int, length: int) -> Shape:
        from remission.networks.transformer import Shape

        return Shape(size, length, self.width, self.layers, self.heads)

    def _networks(self, state: State) -> Iterator[Decoder]:
        """The network of each replicate, in turn, on the device."""
        from remission.networks.device import device
        from remission.networks.dice import seeded
        from remission.networks.transformer import Decoder

        for i in range(len(state["length"])):
            with seeded(0):  # these weights are replaced, and the randomness of torch stays as it is
                network = Decoder(self._shape(state["embedding"].shape[1] - 1, int(state["length"][i])))
            network.load_state_dict({name: state[name][i] for name in network.state_dict()})
            yield network.to(device())


def _inside(items: Array, size: int) -> Tensor:
    """Items as a tensor, if all tokens are in the vocabulary."""
    import torch

    if items.size and (items.min() < 0 or items.max() >= size):
        raise DataError(f"A token is outside 0 .. {size - 1}. Check that the data and its space belong together.")
    return torch.from_numpy(np.array(items, np.int64))  # a copy: torch wants arrays that may be written to


def _usable(weight: Floats | None) -> Floats | None:
    """Weights of blocks (r, n), if they can be drawn by; None when all are the same."""
    if weight is None:
        return None
    if not (np.isfinite(weight).all() and (weight >= 0).all() and (weight.sum(axis=1) > 0).all()):
        raise FitError("Weights of blocks must be finite, not negative and not all zero. Check the curators.")
    return None if (weight == weight[:, :1]).all() else weight
