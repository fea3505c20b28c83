"""Any causal language model of Hugging Face, fine-tuned every generation, whole or by LoRA; needs the extra 'hf'."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Array, Dataset, Floats, Space
from remission.desk import Desk, Tensors
from remission.errors import DataError, FitError, SpecError, need
from remission.interfaces import HasDensity, LongModel, Sampling, State, Steerable
from remission.models import _hub
from remission.rng import Streams
from remission.watermarking import Steer

if TYPE_CHECKING:
    import torch

    from remission.world import World

_DRAWN = ("temperature", "top_k", "top_p", "min_p")  # options of draws, which a search does not make
_SOURCES = "tiny-shakespeare, wikitext-2, prose, names and file"


class CausalLm(LongModel, HasDensity, Steerable):
    """A causal language model given by its folder, fine-tuned on blocks of its own tokens and continuing prompts.

    Every fit starts from the given weights (``start = "scratch"`` or ``"base"``) or from those of the fit before
    (``"previous"``) and minimises the mean negative log-probability of the tokens of a block with AdamW, over ``epochs``
    passes through the training set, each in a new order. With ``tuning = "lora"`` the given weights W stay as they are and
    W + (``alpha`` / ``rank``) B A is used, with A and B of rank ``rank`` trained; only A and B are kept.

    If the tokenizer has a token that begins a text, it stands before every block and prompt, and every token of a block
    is predicted; if not, the first token of a block is given.

    ``prompts`` says how a model writes: after a block of the ``original`` training set (that of fit 1), after one of its own
    ``training`` set, or without (``none``: after the token that begins a text, else after the first token of a training
    block, which is then part of the item). Prompts are taken in random order, each once before any comes again, and
    are no part of the item: the tokens after it, as many as a block has, are. Texts do not end early: a token that ends
    a text is a token like any other. ``original`` prompts and blocks of 64 tokens are the protocol of Shumailov et al.

    ``temperature``, ``top_k``, ``top_p``, ``min_p``, ``repetition`` and ``no_repeat`` shape the law of the next token (prompts
    count as text); ``beams`` gives the most probable continuation instead of a draw, so it needs prompts, and no option of
    draws.

    In collapse held-out text becomes less and less probable; with beams or a low temperature texts repeat themselves.

    Attributes:
        model: the folder that ``save_pretrained`` wrote, or a name in the local cache of Hugging Face. Only safetensors and
            JSON are read: no pickles, and no code that comes with a model.
        weights: those of the folder, or random ones in its shape (needs no weights there).
        tuning: train all weights, or low-rank adapters (Hu et al., arXiv 2106.09685).
        rank, alpha, targets: of the adapters; targets are names of layers (empty: every linear layer but the last).
        epochs: passes through the training set; ``steps``, when given, counts steps instead.
        batch: blocks per step.
        rate, warmup: the highest learning rate, reached after that many steps; then a cosine down to a tenth.
        weight_decay: of AdamW, on matrices.
        prompts: see above.
        prompt_length: only that many tokens from the beginning of a block are the prompt (0: all of it).
        precision: of forward passes. On a GPU bfloat16 unless float32 is asked for; frozen weights are then
            kept in it, too.
        spread: put the layers on all GPUs, one after the other (accelerate), for a model that is too large for one.
        offline: use what is on this machine; false: fetch a name that is not.
        revision: of a name: branch, tag or commit.

    Raises:
        SpecError: no such model, not a causal one, no tokenizer, pickled weights, items that are not tokens of its
            tokenizer, more tokens than it can read.
        FitError: fewer blocks than a batch, a loss that is no number.

    Source of the loop: Shumailov et al., "AI models collapse when trained on recursively generated data", Nature 631:755
    (2024).

    >>> CausalLm(model="my-gpt2", tuning="lora").label
    'causal-lm[model=my-gpt2,tuning=lora]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    knows: ClassVar[frozenset[str]] = frozenset({*_DRAWN, "repetition", "no_repeat", "beams"})
    weighted: ClassVar[bool] = True

    model: str
    weights: Literal["pretrained", "random"] = "pretrained"
    tuning: Literal["full", "lora"] = "full"
    rank: Annotated[int, Meta(ge=1)] = 8
    alpha: Annotated[int, Meta(ge=1)] = 16
    targets: tuple[str, ...] = ()
    epochs: Annotated[float, Meta(gt=0)] = 1.0
    steps: Annotated[int, Meta(ge=0)] = 0
    batch: Annotated[int, Meta(ge=1)] = 8
    rate: Annotated[float, Meta(gt=0)] = 5e-5
    warmup: Annotated[int, Meta(ge=0)] = 0
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    prompts: Literal["none", "training", "original"] = "none"
    prompt_length: Annotated[int, Meta(ge=0)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    spread: bool = False
    offline: bool = True
    revision: str = "main"

    def check(self) -> None:
        """No field that the others make meaningless."""
        if self.weights == "random" and self.tuning == "lora":
            raise SpecError("causal-lm: adapters need pretrained weights to adapt. Set tuning = 'full'.")
        if self.weights == "random" and self.prompts != "none":
            raise SpecError(
                "causal-lm: a model with random weights learns the positions of a block only, and cannot go on after one. "
                "Set prompts = 'none'."
            )
        if self.steps and self.epochs != 1.0:
            raise SpecError("causal-lm: 'steps' and 'epochs' exclude each other. Keep one.")
        if self.prompt_length and self.prompts == "none":
            raise SpecError("causal-lm: 'prompt_length' without prompts. Remove it, or set prompts = 'original'.")

    @property
    def pretrained(self) -> bool:  # type: ignore[override]
        """Whether weights were given."""
        return self.weights == "pretrained"

    @property
    def order(self) -> int:
        """1 + the tokens at the start of a block that are not predicted."""
        return 1 if self._folder().start is not None else 2

    def minimum(self, space: Space) -> int:
        """A batch."""
        return self.batch

    def refuses(self, world: World) -> str:
        """Whether items are tokens of the model's tokenizer, and blocks fit into what it can read."""
        folder, space = self._folder(), world.space
        if self.weights == "pretrained":
            from remission.networks.checkpoint import check_weights

            check_weights(folder.path)
        if space.names != folder.names:
            return (
                f"{world.source.name()} gives {space.size} types, which are not the {len(folder.names)} tokens of the "
                f"model's tokenizer. Set tokenizer = '{self.model}' in [source]; {_SOURCES} take one."
            )
        if space.size > folder.rows:
            return (
                f"the tokenizer of '{self.model}' has {space.size} tokens and the model knows {folder.rows}. They do not "
                f"belong together."
            )
        if folder.start is None and space.shape[0] < 2:
            return "the model predicts no token of a block of one. Make the blocks of the source longer."
        prompt = 0 if self.prompts == "none" else self._prompt_of(space.shape[0])
        longest = (folder.start is not None) + prompt + space.shape[0]
        if folder.positions is not None and longest > folder.positions:
            return (
                f"a block of {space.shape[0]} tokens{f' after a prompt of {prompt}' if prompt else ''} makes {longest} tokens, and "
                f"the model reads {folder.positions}. Lower 'length' of the source"
                f"{', or set prompt_length' if prompt else ''}."
            )
        if self.prompt_length > space.shape[0]:
            return f"prompt_length = {self.prompt_length}, but blocks have {space.shape[0]} tokens. Lower it."
        return self._contradiction(world.sampling, space.size, prompt + space.shape[0])

    def _contradiction(self, sampling: Sampling, size: int, whole: int) -> str:
        idle = sorted(sampling.used & set(_DRAWN))
        if sampling.beams > 1 and idle:
            return f"a beam search draws nothing, so {', '.join(idle)} cannot be used with beams. Remove one."
        if sampling.beams > 1 and self.prompts == "none":
            return "a beam search without prompts finds one block, n times. Set prompts = 'original', or beams = 1."
        if sampling.no_repeat and size**sampling.no_repeat < whole - sampling.no_repeat + 1:
            return f"a text of {whole} tokens out of {size} must repeat an n-gram of {sampling.no_repeat}. Raise 'no_repeat'."
        return ""

    def content(self) -> str:
        """A hash of the model's files."""
        from remission.networks.checkpoint import fingerprint

        return fingerprint(self._folder().path)

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Fine-tune replicate by replicate; the state holds what was trained under the names of the model itself."""
        import torch

        if data.n < self.batch:
            raise FitError(f"{data.n} blocks are fewer than a batch of {self.batch}. Lower 'batch' or raise samples.")
        self._within(data.items, data.space.size)
        state = _hub.one_by_one(data, streams, previous, desk, self._trained)
        length = data.space.shape[0]
        state["block"] = torch.tensor([[length, data.space.size]] * len(streams))
        if self.prompts != "none":
            state["prompts"] = torch.from_numpy(data.items[:, :, : self._prompt_of(length)].astype(np.int32))
        elif self._folder().start is None:
            state["prompts"] = torch.from_numpy(data.items[:, :, :1].astype(np.int32))
        return state

    def inherit(self, state: State, first: State) -> State:
        """The prompts of fit 1, if they are the ones to use."""
        return state | {"prompts": first["prompts"]} if self.prompts == "original" else state

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New blocks, int64 (r, n, length)."""
        return self._sampled(state, n, streams, sampling, None)

    def sample_steered(self, state: State, n: int, streams: Streams, sampling: Sampling, steer: Steer) -> Array:
        """The same draws from laws that ``steer`` may change; a prompt is history. Raises SpecError for beams."""
        if sampling.beams > 1:
            raise SpecError("causal-lm: a beam search draws nothing that could be steered. Set beams = 1.")
        return self._sampled(state, n, streams, sampling, steer)

    def _sampled(self, state: State, n: int, streams: Streams, sampling: Sampling, steer: Steer | None) -> Array:
        import torch

        from remission.networks.device import one_thread
        from remission.networks.steering import of_rows

        with one_thread(), torch.no_grad():
            rows = [
                self._written(_hub.of(state, i), n, streams.only(i), sampling, of_rows(steer, i))
                for i in range(len(streams))
            ]
        return np.stack(rows)

    def log_density(self, state: State, items: Array) -> Floats:
        """Natural log-probability (r, m) of each block: after the token that begins a text, else given its first token.

        Of the fine-tuned model as it is, before any sampling option and without a prompt.
        """
        import torch

        from remission.networks import causal, chunks
        from remission.networks.device import one_thread

        self._within(items, int(state["block"][0, 1]))
        start, out = self._folder().start, []
        each, _ = causal.costs(self._folder().config, items.shape[2])
        with one_thread(), torch.no_grad():
            for i in range(len(items)):
                network, blocks = self._set_to(_hub.of(state, i)), torch.from_numpy(np.array(items[i]))

                def score(begin: int, end: int, network: Any = network, blocks: Any = blocks) -> torch.Tensor:
                    part = blocks[begin:end].to(_hub.where(network))
                    return causal.log_likelihoods(network, part, start).double().sum(dim=1)

                size = _hub.fitting(network, each)
                out.append(chunks.in_chunks(len(blocks), size, score).numpy())
        return np.stack(out)

    def _prompt_of(self, length: int) -> int:
        return self.prompt_length or length

    def _within(self, items: Array, size: int) -> None:
        if items.size and (items.min() < 0 or items.max() >= size):
            raise DataError(f"A token is outside 0 .. {size - 1}. Check that the data and its space belong together.")

    def _folder(self) -> _hub.Folder:
        packages = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")
        need("hf", "causal-lm", *packages, *(("peft",) if self.tuning == "lora" else ()))
        from remission.networks.checkpoint import folder_of

        return _hub.language_model(folder_of(self.model, self.revision, self.offline))

    def _trained(self, data: Dataset, streams: Streams, start: Tensors | None, desk: Desk) -> Tensors:
        """Fine-tune one replicate; what was trained."""
        import torch

        from remission.networks import causal
        from remission.networks.train import Plan
        from remission.networks.tuned import put, tune

        seed, first_token = streams.seeds()[0], self._folder().start
        network = self._network(seed if start is None else None)
        if start is not None:
            put(network, start)
        where = _hub.where(network)
        blocks = torch.from_numpy(np.array(data.items[0])).to(where)
        weights = _hub.shares(None if data.weight is None else data.weight[0], data.n).to(where)
        batches = _hub.batches(streams, data.n, self.batch, desk)

        def parts(index: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return blocks[index][None], weights[index][None]

        def loss(block: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            likely = causal.log_likelihoods(network, block[0], first_token).mean(dim=1)
            return -(likely * weight[0]).mean()[None]

        steps = _hub.steps(self.epochs, self.steps, data.n, self.batch)
        plan = Plan(
            steps, self.batch, self.rate, min(self.warmup, steps), weight_decay=self.weight_decay, betas=(0.9, 0.999)
        )
        size = sum(one.numel() for one in network.parameters())
        name = f"{network.config.model_type}, {size} weights, {self.tuning}, {self.batch} x {blocks.shape[1]}"
        return tune(
            network, loss, lambda _: parts(batches().to(where)), parts(torch.arange(self.batch, device=where)), plan,
            seed, desk, self.precision, name,
        )  # fmt: skip

    def _written(
        self, state: Tensors, n: int, streams: Streams, sampling: Sampling, steer: Callable[[int, int], Any] | None
    ) -> Array:
        """New blocks of one replicate, (n, length)."""
        import torch

        from remission.networks import causal, chunks, decode
        from remission.networks.device import autocast
        from remission.networks.dice import Dice
        from remission.networks.tuned import in_bf16

        network, start = self._set_to(state), self._folder().start
        length, size = (int(number) for number in state["block"])
        prompts = _chosen(state, n, streams)
        given = prompts.shape[1] if self.prompts == "none" else 0
        draws = decode.uniforms(Dice(streams.seeds()), n, length - given)[0]
        rules = decode.Rules(**{name: getattr(sampling, name) for name in (*_DRAWN, "repetition", "no_repeat")})
        where = _hub.where(network)
        bf16 = in_bf16(where, self.precision)

        def write(begin: int, end: int) -> torch.Tensor:
            reader = causal.CachedReader(network, start, size)
            texts = prompts[begin:end].to(where)
            with autocast(where, bf16):
                if sampling.beams > 1:
                    return decode.search(reader, texts, length - given, sampling.beams, rules)
                steered = None if steer is None else steer(begin, end)
                return decode.write(reader, texts, draws[begin:end].to(where), rules, steered, given)

        _, each = causal.costs(self._folder().config, prompts.shape[1] + length)
        new = chunks.in_chunks(n, _hub.fitting(network, each * sampling.beams), write)
        return torch.cat([prompts[:, :given], new], dim=1).numpy()

    def _set_to(self, state: Tensors) -> Any:
        """The network with the weights of one replicate."""
        from remission.networks.tuned import put

        network = self._network(None)
        put(network, state)
        return network.eval()

    def _network(self, seed: int | None) -> Any:
        """The network of this process; with a seed, with the weights every first fit starts from."""
        from remission.networks import causal
        from remission.networks.device import device

        shape = (self.weights, self.tuning, self.rank, self.alpha, self.targets)
        key = (self._folder().path, *shape, self.spread, self.precision == "float32", str(device()))
        afresh = seed is not None and self.tuning == "full"
        network = _hub.held(key, lambda: self._opened(seed or 0), afresh)
        if seed is not None and self.tuning == "lora":
            causal.restart_adapters(network, seed)
        return network

    def _opened(self, seed: int) -> Any:
        import torch

        from remission.networks import causal
        from remission.networks.device import device
        from remission.networks.tuned import in_bf16

        folder, where = self._folder(), device()
        if self.weights == "random":
            return causal.open_random(folder.config, seed, where)
        half = self.tuning == "lora" and in_bf16(where, self.precision)  # nothing is added to these weights
        dtype = torch.bfloat16 if half else torch.float32
        network = causal.open_weights(folder.path, dtype, where, self.spread)
        if self.tuning == "lora":
            network = causal.adapted(network, self.rank, self.alpha, self.targets)
        return network.eval()


def _chosen(state: Tensors, n: int, streams: Streams) -> torch.Tensor:
    """A prompt for each of n texts (n, p), each once before any comes again; p = 0 without prompts."""
    import torch

    from remission.networks.dice import Dice
    from remission.networks.language import in_turn

    prompts = state.get("prompts")
    if prompts is None:
        return torch.empty((n, 0), dtype=torch.int64)
    return prompts[in_turn(len(prompts), n, Dice(streams.sub("prompts").seeds()))].long()
