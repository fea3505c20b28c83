"""A network that looks at pictures and writes their captions: the picture-to-text half of a cross-modal loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import CAPTIONED, Array, Dataset, Floats
from remission.desk import Desk
from remission.errors import DataError, FitError, SpecError, need
from remission.interfaces import Captioner as WritesCaptions
from remission.interfaces import LongModel, Sampling, State
from remission.rng import Streams

if TYPE_CHECKING:
    from torch import Tensor

    from remission.networks.captioner import Describer, Sizes
    from remission.world import World

_DRAWN = ("temperature", "top_k", "top_p", "min_p")  # options of draws, which a search does not make


class Captioner(LongModel, WritesCaptions):
    """p(caption | picture) as a product over tokens, each given the picture and the tokens before it.

    Convolutions halve the picture down to 4 x 4; what they see starts a gated recurrent unit and is told to it at every
    step. Trained from scratch for ``steps`` steps of AdamW on the mean surprise per token, on ``batch`` random items per
    step (any number of items will do), or from the weights of the previous fit.

    With a renderer it makes a cross-modal loop: pictures are captioned, captions are drawn (:meth:`caption`). Alone it is
    a model of captioned items: :meth:`sample` draws pictures from its training set, each independently and by
    weight, and writes new captions for them, so that in *replace* the pictures drift as symbols do (law ``heterozygosity``) while captions also
    carry the errors of the network. In collapse captions come loose from pictures (caption-match falls) and fewer
    words are used.

    ``temperature``, ``top_k``, ``top_p`` and ``min_p`` shape the law of the next token; ``top_k = 1`` always takes the
    most probable one. ``beams`` above 1 writes the most probable caption that a search finds instead of a draw.

    Attributes:
        width: channels of the convolutions; the recurrent unit has twice as many numbers.
        steps, batch: of a training.
        rate, warmup: the highest learning rate and the steps until it.
        weight_decay: of AdamW, on matrices.
        dropout: share of what is seen and of the state that is left out while training.
        precision: of the training; ``auto``: bfloat16 where it is measured to be faster.

    Raises:
        SpecError: beams together with an option of draws.
        FitError: a loss that is no number. DataError: a token outside the vocabulary.

    Source: Vinyals et al., "Show and tell" (arXiv 1411.4555), with a gated recurrent unit (arXiv 1406.1078).

    >>> Captioner(width=32, steps=100).label
    'captioner[width=32,steps=100]'
    """

    accepts: ClassVar[frozenset[str]] = CAPTIONED
    knows: ClassVar[frozenset[str]] = frozenset({*_DRAWN, "beams"})
    weighted: ClassVar[bool] = True

    width: Annotated[int, Meta(ge=2)] = 64
    steps: Annotated[int, Meta(ge=1)] = 600
    batch: Annotated[int, Meta(ge=1)] = 64
    rate: Annotated[float, Meta(gt=0)] = 4e-3
    warmup: Annotated[int, Meta(ge=0)] = 20
    weight_decay: Annotated[float, Meta(ge=0)] = 0.05
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def check(self) -> None:
        """The rate reaches its height."""
        if self.warmup >= self.steps:
            raise SpecError(
                f"captioner: a warmup of {self.warmup} leaves nothing of {self.steps} steps. Lower 'warmup' or raise 'steps'."
            )

    def refuses(self, world: World) -> str:
        """A missing extra; sampling options that contradict each other."""
        need("deep", "the model 'captioner'", "torch", "safetensors")
        return _contradiction(world.sampling)

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Train one network per replicate; the pictures are kept for :meth:`sample`."""
        import torch

        from remission.networks.captioner import Sizes, trial
        from remission.networks.device import announce, one_thread, use_bf16

        space = data.space
        assert space.picture is not None
        sizes = Sizes(*space.picture, space.channels, space.size, self.width)
        length = space.shape[0] - space.pixels
        pictures = torch.from_numpy(np.asarray(data.items[..., : space.pixels], np.float32))
        captions, weight = _inside(data.items[..., space.pixels :], space.size), _usable(data.weight)
        with one_thread():
            where = announce()
            what = f"captioner {self.width}, {self.batch} x {space.picture} x {space.channels}, {length} of {space.size} types"
            fast = use_bf16(self.precision, what, trial(sizes, length, self.batch, where))
            fitted = []
            for i, number in enumerate(streams.replicates):
                part = desk.part(f"replicate-{number}")
                done = part.load("done")
                if done is None:
                    start = None if previous is None else {name: tensor[i] for name, tensor in previous.items()}
                    items = pictures[i], captions[i], None if weight is None else weight[i]
                    done = self._trained(sizes, items, streams.only(i), start, part, fast)
                    if data.replicates > 1:
                        part.save(done, "done")
                fitted.append(done)
        state = {name: torch.stack([one[name] for one in fitted]) for name in fitted[0]}
        numbers = [*space.picture, space.channels, space.size, length]
        state |= {"pictures": pictures.clone(), "sizes": torch.tensor([numbers] * data.replicates)}
        return state if weight is None else state | {"weight": weight}

    def _trained(
        self,
        sizes: Sizes,
        items: tuple[Tensor, Tensor, Tensor | None],
        streams: Streams,
        start: State | None,
        desk: Desk,
        fast: bool,
    ) -> State:
        """The weights of one replicate."""
        from remission.networks.captioner import Describer, learn
        from remission.networks.device import device
        from remission.networks.dice import Dice, seeded
        from remission.networks.train import Plan

        if not len(items[0]):
            raise FitError("A captioner needs at least one item per fit. Raise samples or the kept share.")
        plan = Plan(self.steps, self.batch, self.rate, warmup=self.warmup, weight_decay=self.weight_decay)
        with seeded(streams.sub("weights").seeds()[0]):
            network = Describer(sizes, self.dropout)
            if start is not None:
                network.load_state_dict({name: start[name] for name in network.state_dict()})
            dice = Dice(streams.sub("batches").seeds(), device())
            return learn(network.to(device()), items, plan, dice, desk, fast)

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Pictures of the training set with new captions, float64 (r, n, d + l)."""
        named, kept = streams.sub("pictures"), state["pictures"].numpy()
        weighted = "weight" in state
        index = named.categoricals(state["weight"].numpy(), n) if weighted else named.integers(kept.shape[1], n)
        pictures = np.take_along_axis(kept, index[:, :, None], axis=1).astype(np.float64)
        return np.concatenate([pictures, self.caption(state, pictures, streams, sampling)], axis=2)

    def caption(self, state: State, pictures: Floats, streams: Streams, sampling: Sampling) -> Array:
        """Captions, int64 (r, n, l), for pictures (r, n, d). Raises SpecError for options that contradict each other."""
        import torch

        from remission.networks.captioner import describe
        from remission.networks.decode import Rules
        from remission.networks.device import one_thread
        from remission.networks.dice import Dice

        if reason := _contradiction(sampling):
            raise SpecError(f"captioner: {reason}")
        length = int(state["sizes"][0, -1])
        rules = Rules(**{name: getattr(sampling, name) for name in _DRAWN})
        seeds = streams.sub("tokens").seeds()
        out = np.empty((*pictures.shape[:2], length), np.int64)
        with one_thread():
            for i, network in enumerate(self._networks(state)):
                shown = torch.from_numpy(np.asarray(pictures[i], np.float32))
                out[i] = describe(network, shown, length, rules, sampling.beams, Dice(seeds[i : i + 1])).numpy()
        return out

    def _networks(self, state: State) -> Iterator[Describer]:
        """The network of each replicate, in turn, on the device."""
        from remission.networks.captioner import Describer, Sizes
        from remission.networks.device import device
        from remission.networks.dice import seeded

        for i, numbers in enumerate(state["sizes"].tolist()):
            with seeded(0):  # these weights are replaced, and the randomness of torch stays as it is
                height, breadth, channels, types, _ = numbers
                network = Describer(Sizes(height, breadth, channels, types, self.width))
            network.load_state_dict({name: state[name][i] for name in network.state_dict()})
            yield network.to(device())


def _contradiction(sampling: Sampling) -> str:
    idle = sorted(sampling.used & set(_DRAWN))
    if sampling.beams > 1 and idle:
        return f"a beam search draws nothing, so {', '.join(idle)} cannot be used with beams. Remove one."
    return ""


def _usable(weight: Floats | None) -> Tensor | None:
    """Weights of items (r, n), if they can be drawn by; None when all are the same."""
    import torch

    if weight is None or (weight == weight[:, :1]).all():
        return None
    if not (np.isfinite(weight).all() and (weight >= 0).all() and (weight.sum(axis=1) > 0).all()):
        raise FitError("Weights of items must be finite, not negative and not all zero. Check the curators.")
    return torch.from_numpy(np.array(weight, np.float64))


def _inside(captions: Array, size: int) -> Tensor:
    """Captions as a tensor, if all tokens are in the vocabulary."""
    import torch

    tokens = captions.astype(np.int64)
    if tokens.size and ((tokens != captions).any() or tokens.min() < 0 or tokens.max() >= size):
        raise DataError(f"A token is outside 0 .. {size - 1}. Check that the data and its space belong together.")
    return torch.from_numpy(tokens)
