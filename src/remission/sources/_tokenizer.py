"""Text as blocks of tokens of a byte-level BPE, trained on that text, or of a tokenizer that is there already."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remission.aside import written
from remission.data import Space
from remission.errors import DataError, SpecError, need
from remission.folders import cache_folder
from remission.sources._text import END, Level, Loaded

TYPES = 512  # of a BPE when no 'vocabulary' is given
_FORMAT = 1  # raise when the rules change: older prepared texts are then not used


def subwords(level: Level, tokenizer: str | None) -> bool:
    """Whether text is cut by a tokenizer, not into words or single characters."""
    return tokenizer is not None or level in ("bpe", "tokenizer")


def check(what: str, level: Level, default: Level, tokenizer: str | None, vocabulary: int | None) -> None:
    """Raise SpecError for fields that contradict each other.

    Args:
        what: names the source in errors.
        level: how its text is cut.
        default: the level when none is given.
        tokenizer: that of the source, or None.
        vocabulary: that of the source, or None.
    """
    if level == "tokenizer" and tokenizer is None:
        raise SpecError(
            f"{what}: level = 'tokenizer' needs 'tokenizer': the folder of a Hugging Face model or a tokenizer.json. "
            f"For a vocabulary trained on the text itself, try level = 'bpe'."
        )
    if tokenizer is not None and level not in ("tokenizer", default):
        raise SpecError(f"{what}: 'tokenizer' and level = '{level}' exclude each other. Remove one.")
    if tokenizer is not None and vocabulary is not None:
        raise SpecError(f"{what}: 'vocabulary' is that of the tokenizer. Remove one of 'vocabulary' and 'tokenizer'.")
    if level == "bpe" and vocabulary is not None and vocabulary < 256:
        raise SpecError(
            f"{what}: a byte-level BPE has the 256 bytes and then some. Got vocabulary = {vocabulary}; try {TYPES}."
        )


def subword_blocks(
    documents: Sequence[str],
    length: int,
    tokenizer: str | None,
    vocabulary: int | None,
    lower: bool,
    what: str,
    end: bool = True,
) -> Loaded:
    r"""Cut text into consecutive blocks of tokens; what is left over at the end is dropped.

    The text is kept to the byte (but for what a given ``tokenizer`` itself changes): the names of the tokens of all
    blocks, joined, are its beginning.

    Args:
        documents: the texts.
        length: tokens per block.
        tokenizer: the folder of a Hugging Face model, its name in the local cache, or a tokenizer.json; None: a byte-level
            BPE is trained on the text.
        vocabulary: how many types that BPE has at most, the 256 bytes included; None: 512.
        lower: bring the text to lower case first.
        what: names the text in errors.
        end: put ``\n`` after every document.

    Raises:
        DataError: no such tokenizer, or fewer tokens than one block needs.
        MissingExtra: the library is not installed.
    """
    need("deep", "text cut by a tokenizer", "tokenizers")
    from remission.networks import vocabulary as tokens

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the engine fills the cores, and it forks
    text = "".join(document + END for document in documents) if end else "".join(documents)
    if lower:
        text = text.lower()
    if tokenizer is None:
        made = _trained(text, vocabulary or TYPES)
    else:
        from remission.networks.checkpoint import folder_of

        made = tokens.load(folder_of(tokenizer, what="tokenizer"))
    numbers = _encoded(text, made)
    if len(numbers) < length:
        raise DataError(
            f"{what} has {len(numbers)} token(s), fewer than one block of {length}. Give more text or a smaller length."
        )
    names, joiner = tokens.names(made)
    items = numbers[: len(numbers) // length * length].reshape(-1, length).astype(np.int64)
    items.flags.writeable = False
    return Loaded(Space("tokens", (length,), size=len(names), names=names, joiner=joiner), items)


def _trained(text: str, size: int) -> Any:
    """The BPE of this text; kept in the cache folder, for it takes a while."""
    import tokenizers

    from remission.networks import vocabulary as tokens

    path = _kept(f"{tokenizers.__version__} {size}", text, "json")
    try:
        return tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception:  # not there, or damaged: made again
        made = tokens.train([text], size)
    _keep(path, made.to_str().encode("utf-8"))
    return made


def _encoded(text: str, tokenizer: Any) -> npt.NDArray[np.int32]:
    """The text as numbers; kept in the cache folder as well."""
    from remission.networks import vocabulary as tokens

    path = _kept(tokenizer.to_str(), text, "npy")
    try:
        found = np.load(path, allow_pickle=False)
        if found.dtype == np.int32 and found.ndim == 1:
            return found
    except (OSError, ValueError, EOFError):
        pass
    numbers = tokens.encode(tokenizer, text)
    buffer = io.BytesIO()
    np.save(buffer, numbers, allow_pickle=False)
    _keep(path, buffer.getvalue())
    return numbers


def _kept(how: str, text: str, suffix: str) -> Path:
    named = hashlib.sha256(f"{_FORMAT} {how}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return cache_folder() / "tokens" / f"{named[:24]}.{suffix}"


def _keep(path: Path, data: bytes) -> None:
    """Write aside and rename; a folder that cannot be written only costs the time to do it again."""
    with contextlib.suppress(OSError), written(path) as beside:
        beside.write_bytes(data)
