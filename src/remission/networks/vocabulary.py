"""Tokenizers: a byte-level BPE trained on a text, or one that is there already; and the exact text of every token."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from remission.errors import DataError, need

BYTES = 256  # every byte is a type of a byte-level vocabulary, so nothing is unknown
TOGETHER = 2_000  # pieces encoded in one call: keeps memory flat

_SPACE = "\u2581"  # how SentencePiece writes a blank
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# Between these places no rule of a byte-level tokenizer looks across: after a line break between two words, or before
# the single blank that belongs to the next word. Encoding such pieces gives the tokens of the whole.
_CUT = re.compile(r"(?<=\S\n)(?=\S)|(?<=\n)(?= \S)")


def pieces(text: str) -> list[str]:
    r"""Cut text where the tokens on both sides do not depend on each other; joined, the pieces are the text.

    >>> pieces("one\ntwo\n\n three")
    ['one\n', 'two\n\n', ' three']
    """
    return _CUT.split(text)


def train(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE with at most ``size`` types: the 256 bytes and the pairs merged most often.

    The rules of GPT-2 decide where words end; text comes back exactly, byte for byte. Gage, "A new algorithm for data
    compression", C Users Journal 12 (1994); Radford et al., "Language models are unsupervised multitask learners"
    (2019).
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator((piece for text in texts for piece in pieces(text)), trainer)
    return tokenizer


def load(path: Path) -> Tokenizer:
    """The tokenizer of a folder (as of a Hugging Face model) or of a ``tokenizer.json``.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    file = path if path.is_file() else path / "tokenizer.json"
    if file.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises plain Exception
            raise DataError(f"'{file}' is no tokenizer that can be read: {error}. It needs a tokenizer.json.") from None
    else:
        tokenizer = _converted(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _converted(folder: Path) -> Tokenizer:
    """From the older files of a Hugging Face folder (vocab.json with merges.txt, a SentencePiece model)."""
    older = ("vocab.json", "merges.txt", "tokenizer.model", "vocab.txt", "spiece.model")
    if not any((folder / name).is_file() for name in older):
        raise DataError(
            f"'{folder}' has no tokenizer: no tokenizer.json, and none of {', '.join(older)}. Save the tokenizer beside "
            f"the model (tokenizer.save_pretrained(folder)), or name a folder or tokenizer.json that has one."
        )
    need("hf", f"the tokenizer of '{folder}'", "transformers")
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        return Tokenizer.from_str(found.backend_tokenizer.to_str())
    except Exception as error:
        raise DataError(
            f"The tokenizer of '{folder}' cannot be read: {type(error).__name__}: {str(error).splitlines()[0]} Convert it "
            f"to a tokenizer.json: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)."
        ) from None


def start(folder: Path) -> str | None:
    """The token every text begins with, as the configuration of a folder says; None if it says nothing."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        try:
            said = json.loads((folder / name).read_text(encoding="utf-8")).get("bos_token")
        except (OSError, ValueError, AttributeError):
            continue
        said = said.get("content") if isinstance(said, dict) else said
        if isinstance(said, str):
            return said
    return None


def encode(tokenizer: Tokenizer, text: str) -> npt.NDArray[np.int32]:
    """The token numbers of a text, without special tokens around it."""
    parts = pieces(text) if _is_local(tokenizer) else [text]
    found = [
        np.array(one.ids, np.int32)
        for first in range(0, len(parts), TOGETHER)
        for one in tokenizer.encode_batch_fast(parts[first : first + TOGETHER], add_special_tokens=False)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int32)


def _is_local(tokenizer: Tokenizer) -> bool:
    """Whether nothing is put before a text, so that it may be encoded in pieces."""
    rules = list(_rules(tokenizer.pre_tokenizer))
    level = [rule for rule in rules if rule["type"] == "ByteLevel"]
    return tokenizer.normalizer is None and bool(level) and not any(rule["add_prefix_space"] for rule in level)


def names(tokenizer: Tokenizer) -> tuple[tuple[str, ...], str]:
    """The text of every token by number, and what stands between two of them.

    Bytes that are no character alone are lone surrogates (PEP 383), so that the joined names, encoded with
    ``surrogateescape``, are the text to the byte. A number without a token has the name "".
    """
    numbers = tokenizer.get_vocab(with_added_tokens=True)
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    kinds = {rule["type"] for part in (tokenizer.decoder, tokenizer.pre_tokenizer) for rule in _rules(part)}
    out = [""] * (max(numbers.values(), default=-1) + 1)
    joiner = ""
    spelled: Callable[[str], str]
    if "ByteLevel" in kinds:
        spelled = _from_bytes
    elif kinds & {"Metaspace", "ByteFallback"}:
        spelled = _from_pieces
    elif "WordPiece" in kinds:
        spelled = _from_parts
    else:
        spelled, joiner = str, " "
    for token, number in numbers.items():
        out[number] = token if token in added else spelled(token)
    return tuple(out), joiner


def _rules(part: Any) -> Iterator[dict[str, Any]]:
    """The rules a decoder or pre-tokenizer is made of."""
    if part is None:
        return
    waiting = [json.loads(part.__getstate__())]
    while waiting:
        rule = waiting.pop()
        yield rule
        waiting += [*rule.get("decoders", ()), *rule.get("pretokenizers", ())]


def _alphabet() -> dict[str, int]:
    """The signs by which byte-level vocabularies write bytes: printable ones themselves, the others from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(BYTES) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(BYTES + i): byte for i, byte in enumerate(others)}


_SIGNS = _alphabet()


def _from_bytes(token: str) -> str:
    if any(sign not in _SIGNS for sign in token):
        return token
    return bytes(_SIGNS[sign] for sign in token).decode("utf-8", "surrogateescape")


def _from_pieces(token: str) -> str:
    byte = _BYTE.fullmatch(token)
    if byte:
        return bytes([int(byte[1], 16)]).decode("utf-8", "surrogateescape")
    return token.replace(_SPACE, " ")


def _from_parts(token: str) -> str:
    return token[2:] if token.startswith("##") else f" {token}"
