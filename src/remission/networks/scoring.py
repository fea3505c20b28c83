"""How a language model takes a text: log-probabilities, ranks, entropies and curvature, summed per text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from remission.errors import SpecError
from remission.networks import causal, checkpoint, vocabulary
from remission.networks.chunks import in_chunks
from remission.networks.device import autocast
from remission.networks.transformer import Decoder

Tokens = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Law = Callable[[Tensor], Tensor]  # tokens (b, t) to logits (b, t, V) of each token given those before it

SUMS = ("count", "likelihood", "rank", "log-rank", "entropy", "expected", "variance")
ROOM = {"cpu": 2**29, "cuda": 4 * 2**30}  # bytes for one piece of work
AT_ONCE = 256  # texts at most
SLICE = 2**22  # numbers of a table of logits that are worked on together: they stay in the cache


def token_terms(logits: Tensor, wanted: Tensor, counted: Tensor, observed: Tensor | None = None) -> Tensor:
    """What each token of a text adds to its sums, (b, t, 7) float64 in the order of ``SUMS``; 0 at places that do not count.

    With p the law of the scoring model and q that of the observer (p itself when there is none):

    =============== ==============================================================
    ``count``       1
    ``likelihood``  ln p(x)
    ``rank``        1 + tokens that are more probable under p than x
    ``log-rank``    ln of that
    ``entropy``     - sum over v of p(v) ln p(v)
    ``expected``    sum over v of q(v) ln p(v)
    ``variance``    sum over v of q(v) (ln p(v))^2 - the square of ``expected``
    =============== ==============================================================

    Args:
        logits: of the scoring model (b, t, V).
        wanted: the tokens x (b, t).
        counted: which places count (b, t).
        observed: logits of the observer (b, t, V'). Tables of different height are cut to the lower one.
    """
    size = logits.shape[-1] if observed is None else min(logits.shape[-1], observed.shape[-1])
    tables = [one[..., :size].flatten(0, 1) for one in (logits, observed) if one is not None]
    words = wanted.flatten().to(logits.device)
    step = max(1, SLICE // size)
    rows = [_of_places([one[k : k + step] for one in tables], words[k : k + step]) for k in range(0, len(words), step)]
    found = torch.cat(rows).view(*wanted.shape, len(SUMS))
    # a text that is padded must not meet the numbers of its padding, which may be infinite
    return torch.where(counted.to(found.device)[..., None], found, 0.0)


def _of_places(tables: list[Tensor], words: Tensor) -> Tensor:
    """The terms of some places, (places, 7) float64."""
    own = tables[0].float().log_softmax(dim=-1)
    p = own.exp()
    known = own.gather(-1, words[:, None])
    rank = (own > known).sum(dim=-1) + 1.0
    entropy = -torch.where(p > 0, p * own, 0.0).sum(dim=-1)
    q = p if len(tables) == 1 else tables[1].float().softmax(dim=-1)
    weighed = torch.where(q > 0, q * own, 0.0)
    expected = weighed.sum(dim=-1)
    # around the mean, for two large squares would cancel
    variance = torch.where(q > 0, q * (own - expected[:, None]) ** 2, 0.0).sum(dim=-1)
    parts = (torch.ones_like(rank), known[:, 0], rank, rank.log(), entropy, expected, variance)
    return torch.stack([one.double() for one in parts], dim=-1)


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of a text that is read at once.

    Attributes:
        text: whose sums its tokens belong to.
        tokens: (t,) what is read.
        skip: this many tokens at its beginning are only looked back on.
    """

    text: int
    tokens: Tokens
    skip: int = 0


@dataclass(frozen=True, eq=False)
class Scoring:
    """One or two language models that read texts.

    Attributes:
        law: of the scoring model.
        observer: of the other one, or None.
        where: the device they read on.
        each: bytes that one token needs.
        bf16: forward passes in bfloat16.
    """

    law: Law
    observer: Law | None = None
    where: torch.device = field(default_factory=lambda: torch.device("cpu"))
    each: int = 2**16
    bf16: bool = False

    def sums(self, pieces: Sequence[Piece], count: int) -> Floats:
        """The sums (count, 7) of every text over its pieces; 0 for a text without any."""
        return self.read(pieces, count)[0]

    @torch.no_grad()
    def read(self, pieces: Sequence[Piece], count: int) -> tuple[Floats, list[Floats]]:
        """The sums (count, 7) of every text over its pieces, and ln p of each of its tokens that count, in order.

        Pieces of like length are read together, padded at the end. What follows is invisible to a causal model, so what
        a text gets does not depend on its neighbours but for the last bits of the sums inside a network: in float32
        scores agree to about 1e-5, in bfloat16 to about 1e-2.
        """
        out = np.zeros((count, len(SUMS)))
        tokens: list[Floats] = [np.empty(0)] * len(pieces)
        order = sorted(range(len(pieces)), key=lambda k: -len(pieces[k].tokens))
        start = 0
        while start < len(order):
            longest = len(pieces[order[start]].tokens)
            room = ROOM.get(self.where.type, ROOM["cpu"]) // (self.each * longest)
            places = order[start : start + max(1, min(AT_ONCE, room))]
            some = [pieces[k] for k in places]

            def work(begin: int, end: int, some: list[Piece] = some, longest: int = longest) -> Tensor:
                return self._read(some[begin:end], longest)

            found = in_chunks(len(some), len(some), work).numpy()
            np.add.at(out, [one.text for one in some], found[:, : len(SUMS)])
            likely = found[:, len(SUMS) :]
            left = longest - likely.shape[1]
            for row, k in enumerate(places):
                tokens[k] = likely[row, max(0, pieces[k].skip - left) : len(pieces[k].tokens) - left]
            start += len(some)
        texts: list[list[Floats]] = [[] for _ in range(count)]
        for piece, part in zip(pieces, tokens, strict=True):
            texts[piece.text].append(part)
        return out, [np.concatenate(parts) if parts else np.empty(0) for parts in texts]

    def _read(self, pieces: list[Piece], longest: int) -> Tensor:
        """The sums of each piece, then ln p of each of its places, (b, 7 + t)."""
        padded = np.zeros((len(pieces), longest), np.int64)
        counted = np.zeros((len(pieces), longest), np.bool_)
        for row, one in enumerate(pieces):
            padded[row, : len(one.tokens)] = one.tokens
            counted[row, one.skip : len(one.tokens)] = True
        tokens = torch.from_numpy(padded).to(self.where)
        with autocast(self.where, self.bf16):
            logits = self.law(tokens)
            observed = None if self.observer is None else self.observer(tokens)
        left = longest - logits.shape[1]  # tokens a model cannot predict because nothing stands before them
        terms = token_terms(logits, tokens[:, left:], torch.from_numpy(counted)[:, left:], observed)
        return torch.cat([terms.sum(dim=1), terms[:, :, SUMS.index("likelihood")]], dim=1)


def causal_law(network: nn.Module, start: int | None) -> Law:
    """The law of a model of Hugging Face; all tokens but the first when no token ``start`` begins a text."""

    def law(tokens: Tensor) -> Tensor:
        read = (
            tokens[:, :-1]
            if start is None
            else torch.cat([tokens.new_full((len(tokens), 1), start), tokens[:, :-1]], 1)
        )
        logits: Tensor = network(input_ids=read, use_cache=False).logits
        return logits

    return law


def decoder_law(network: Decoder) -> Law:
    """The law of a transformer that was trained in the lab; tokens (b, t) with t at most its window."""
    return network


def windows(text: int, tokens: Tokens, window: int) -> list[Piece]:
    """A long text in stretches of at most ``window`` tokens, each after the first begins with half a window read before.

    >>> [(len(one.tokens), one.skip) for one in windows(0, np.arange(25), 10)]
    [(10, 0), (10, 5), (10, 5), (10, 5)]
    """
    pieces = [Piece(text, tokens[:window])]
    reached = window
    while reached < len(tokens):
        fresh = min(max(1, window // 2), len(tokens) - reached)
        reached += fresh
        pieces.append(Piece(text, tokens[reached - window : reached], window - fresh))
    return pieces


@dataclass(frozen=True, eq=False)
class Reader:
    """A model folder that is open, and how it cuts text.

    Attributes:
        path: the folder.
        network: with its weights, on its device.
        tokenizer: of the folder.
        start: the token that begins every text, or None.
        positions: how many tokens it can read; None: any number.
        rows: how many tokens it knows.
    """

    path: Path
    network: Any
    tokenizer: Any
    start: int | None
    positions: int | None
    rows: int

    @property
    def width(self) -> int:
        """Numbers per token inside the network."""
        config = self.network.config
        inner = config.get_text_config() if hasattr(config, "get_text_config") else config
        return int(getattr(inner, "hidden_size", 1024))

    def encode(self, text: str) -> Tokens:
        """The token numbers of a text, the one that begins it left out. Lone surrogates become question marks."""
        clean = text.encode("utf-8", "replace").decode("utf-8")
        return vocabulary.encode(self.tokenizer, clean).astype(np.int64)


@lru_cache(maxsize=2)  # a pair
def open_reader(path: Path, content: str, dtype: torch.dtype, where: torch.device) -> Reader:
    """Open the folder of a causal language model.

    Args:
        path: the folder that ``save_pretrained`` wrote.
        content: a hash of its files: changed files are opened anew.
        dtype: of the weights.
        where: the device.

    Raises:
        SpecError: no folder of a causal model, no weights as safetensors, or a tokenizer with more tokens than it knows.
        DataError: no tokenizer.
    """
    if not path.is_dir():
        raise SpecError(f"'{path}' is a file. Give the folder that save_pretrained wrote.")
    checkpoint.configuration(path)
    config = causal.config_of(path)
    checkpoint.check_weights(path)
    tokenizer = vocabulary.load(path)
    rows = causal.rows(config)
    if tokenizer.get_vocab_size() > rows:
        raise SpecError(
            f"The tokenizer of '{path}' has {tokenizer.get_vocab_size()} tokens and the model knows {rows}. They do not "
            f"belong together."
        )
    word = vocabulary.start(path)
    start = None if word is None else tokenizer.token_to_id(word)
    network = causal.open_weights(path, dtype, where, False).eval()
    return Reader(path, network, tokenizer, start, causal.positions(config), rows)
