"""Writing text with a network: which tokens may come next, draws from them, and the most probable text.

Logits are (b, V), and ``texts`` (b, t) is what each text holds so far. Every function returns new tensors.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from remission.networks.dice import Dice

NEVER = float("-inf")  # the logit of a token that must not come


class Reader(ABC):
    """A network that reads some texts side by side and says what may come next."""

    @abstractmethod
    def read(self, tokens: Tensor) -> Tensor:
        """Read the next tokens (b, k) of every text; the logits (b, V) of what follows. Of the first, k may be 0."""

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Go on with the texts of these rows, in this order; a row may come more than once or not at all."""


@dataclass(frozen=True)
class Rules:
    """How the law of the next token is shaped, in the order of the fields; the defaults change nothing.

    Attributes:
        repetition: logits of tokens that the text holds already are divided by it where positive and multiplied by it
            where negative (Keskar et al., arXiv 1909.05858).
        no_repeat: no n-gram of this length twice in one text (0: no rule).
        temperature: logits are divided by it.
        top_k: the k most probable tokens only (0: all).
        top_p: the fewest tokens, the most probable first, that together reach this mass (Holtzman et al., arXiv
            1904.09751).
        min_p: tokens at least this share as probable as the most probable one (Nguyen et al., arXiv 2407.01082).
    """

    repetition: float = 1.0
    no_repeat: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0


def shaped(logits: Tensor, texts: Tensor, rules: Rules) -> Tensor:
    """The logits after all rules, float64; minus infinity for a token that must not come."""
    logits = logits.double()
    if rules.repetition != 1.0:
        logits = less_repeated(logits, texts, rules.repetition)
    if rules.no_repeat:
        logits = without_repeats(logits, texts, rules.no_repeat)
    if rules.temperature != 1.0:
        logits = logits / rules.temperature
    if 0 < rules.top_k < logits.shape[1]:
        logits = top_k(logits, rules.top_k)
    if rules.top_p < 1.0:
        logits = top_p(logits, rules.top_p)
    if rules.min_p > 0.0:
        logits = min_p(logits, rules.min_p)
    return logits


def less_repeated(logits: Tensor, texts: Tensor, factor: float) -> Tensor:
    """Tokens that a text holds already become less probable."""
    seen = logits.gather(1, texts)
    return logits.scatter(1, texts, torch.where(seen > 0, seen / factor, seen * factor))


def without_repeats(logits: Tensor, texts: Tensor, length: int) -> Tensor:
    """Tokens that would end an n-gram of this length which the text holds already must not come.

    Where that forbids every token, the rule is lifted for this once: a text must go on.
    """
    t = texts.shape[1]
    if t < length:
        return logits
    last = texts[:, t - length + 1 :]
    grams = texts.unfold(1, length, 1)  # (b, t - length + 1, length)
    again = (grams[:, :, :-1] == last[:, None]).all(dim=2)
    forbidden = torch.zeros_like(logits).scatter_add_(1, grams[:, :, -1], again.to(logits.dtype)) > 0
    return logits.masked_fill(forbidden & ~forbidden.all(dim=1, keepdim=True), NEVER)


def top_k(logits: Tensor, k: int) -> Tensor:
    """The k most probable tokens; of equally probable ones those with the lowest numbers."""
    k = min(k, logits.shape[1])
    return _largest(logits, logits.topk(k, dim=1).values[:, -1:], torch.full_like(logits[:, :1], k))


def top_p(logits: Tensor, mass: float) -> Tensor:
    """The fewest tokens that together reach this mass; of equally probable ones those with the lowest numbers."""
    ordered = logits.sort(dim=1, descending=True).values
    before = ordered.softmax(dim=1).cumsum(dim=1).roll(1, dims=1)
    before[:, 0] = 0.0
    count = (before < mass).sum(dim=1, keepdim=True)
    return _largest(logits, ordered.gather(1, count - 1), count.to(logits.dtype))


def min_p(logits: Tensor, share: float) -> Tensor:
    """Tokens at least this share as probable as the most probable one."""
    return logits.masked_fill(logits < logits.amax(dim=1, keepdim=True) + math.log(share), NEVER)


def _largest(logits: Tensor, smallest: Tensor, count: Tensor) -> Tensor:
    """The ``count`` (b, 1) largest logits, of which ``smallest`` (b, 1) is the last; ties: the lowest numbers."""
    larger, equal = logits > smallest, logits == smallest
    room = count - larger.sum(dim=1, keepdim=True)
    return logits.masked_fill(~larger & ~(equal & (equal.cumsum(dim=1) <= room)), NEVER)


def pick(logits: Tensor, uniforms: Tensor) -> Tensor:
    """A draw of a token for each row: the inverse of its distribution function at a uniform on [0, 1), both (b,).

    A draw depends on its own row alone, so it does not matter which texts are written side by side.
    """
    up_to = logits.double().softmax(dim=1).cumsum(dim=1)
    # u <= 1 - 2^-53, so that u times the total stays below the total in floating point as well: there is such a token
    return torch.searchsorted(up_to, (uniforms * up_to[:, -1])[:, None], right=True)[:, 0]


def uniforms(dice: Dice, *shape: int) -> Tensor:
    """Uniforms on [0, 1) of 53 bits, (r, *shape): with the 24 of float32, rare tokens would come too often or never."""
    return dice.integers(2**53, *shape).double() / 2**53


Steered = Callable[[Tensor, Tensor], Tensor]  # (texts so far (b, t), logits (b, V) after all rules) -> other logits


def write(
    reader: Reader, texts: Tensor, draws: Tensor, rules: Rules, steered: Steered | None = None, given: int = 0
) -> Tensor:
    """Go on with texts (b, p), one new token for each of the uniforms ``draws`` (b, k); the new tokens (b, k).

    ``steered`` changes the logits of every new token. The last ``given`` tokens of the texts are no prompt but part of what
    is written: it is shown them one by one, as laws of one token.
    """
    begun, length = texts.shape[1], draws.shape[1]
    texts = torch.cat([texts, texts.new_zeros(len(texts), length)], dim=1)
    logits = reader.read(texts[:, :begun])
    if steered is not None:
        for t in range(begun - given, begun):
            sure = torch.full_like(logits, NEVER, dtype=torch.float64).scatter_(1, texts[:, t : t + 1], 0.0)
            steered(texts[:, :t], sure)
    for t in range(begun, begun + length):
        law = shaped(logits, texts[:, :t], rules)
        texts[:, t] = pick(law if steered is None else steered(texts[:, :t], law), draws[:, t - begun])
        if t + 1 < begun + length:
            logits = reader.read(texts[:, t : t + 1])
    return texts[:, begun:]


def search(reader: Reader, texts: Tensor, length: int, beams: int, rules: Rules) -> Tensor:
    """The most probable continuation (b, length) of texts (b, p) that a beam search finds.

    After every token the ``beams`` most probable beginnings of each text are kept, by their probability under the shaped
    law; the search is exhaustive when ``beams`` is at least V^(length - 1).
    """
    b, begun = texts.shape
    logits = reader.read(texts)
    reader.keep(torch.arange(b, device=texts.device).repeat_interleave(beams))
    logits, texts = logits.repeat_interleave(beams, dim=0), texts.repeat_interleave(beams, dim=0)
    score = torch.full((b, beams), NEVER, dtype=torch.float64, device=texts.device)
    score[:, 0] = 0.0  # all beams are equal at first: one of them is enough
    first = torch.arange(b, device=texts.device)[:, None] * beams
    for t in range(length):
        total = score[:, :, None] + shaped(logits, texts, rules).log_softmax(dim=1).view(b, beams, -1)
        score, place = total.flatten(1).topk(beams, dim=1)
        rows = (first + place // total.shape[2]).flatten()
        token = (place % total.shape[2]).view(-1, 1)
        texts = torch.cat([texts[rows], token], dim=1)
        if t + 1 < length:
            reader.keep(rows)
            logits = reader.read(token)
    return texts.view(b, beams, -1)[:, 0, begun:]
