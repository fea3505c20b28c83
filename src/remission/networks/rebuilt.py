"""A byte-level BPE made again from nothing but its vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from remission.networks.vocabulary import BYTES

_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_OTHERS = [byte for byte in range(BYTES) if byte not in _PRINTABLE]
_SIGN = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(BYTES + i) for i, byte in enumerate(_OTHERS)}


def rebuilt(names: Sequence[str]) -> Tokenizer:
    """The tokenizer whose tokens are these, in the order in which they were made.

    A vocabulary of a byte-level BPE holds its merges: when a token was made, the merges before it cut its bytes into
    just the two parts that were put together. What cannot be cut so (an added token) is a token that no text has.

    Args:
        names: the text of every token by number; bytes that are no character alone are lone surrogates (PEP 383).

    >>> made = rebuilt([*map(chr, range(128)), *(bytes([byte]).decode("utf-8", "surrogateescape") for byte in range(128, 256)),
    ...     "th", "the"])
    >>> made.encode("the th").ids
    [257, 32, 256]
    """
    spelled = [name.encode("utf-8", "surrogateescape") for name in names]
    number = {token: place for place, token in reversed(list(enumerate(spelled)))}
    rank: dict[tuple[bytes, bytes], int] = {}
    for token in spelled:
        if len(token) > 1:
            parts = _cut(token, rank)
            if len(parts) == 2 and all(part in number for part in parts):
                rank[parts[0], parts[1]] = len(rank)
    vocabulary = {_signs(token): place for token, place in number.items() if token}
    merges = [(_signs(one), _signs(other)) for one, other in rank]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _cut(token: bytes, rank: dict[tuple[bytes, bytes], int]) -> list[bytes]:
    """The parts that these merges leave."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        best = min(pairs, key=lambda pair: rank.get(pair, len(rank)))
        if best not in rank:
            break
        place = pairs.index(best)
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def _signs(token: bytes) -> str:
    return "".join(_SIGN[byte] for byte in token)
