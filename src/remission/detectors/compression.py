"""Compression: which of two preludes, human or synthetic text, helps a compressor more."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from remission.detectors._scoring import judged, left
from remission.detectors._training import Training, take
from remission.documents import Documents
from remission.interfaces import Detector
from remission.numerics.arrays import Array, Floats
from remission.numerics.reading import Reading, spelled

WINDOW = 32_768 - 262  # bytes of a prelude that zlib can still point to
EXCERPT = 400  # bytes of one text in a prelude: many texts, each a little


class Compression(Detector):
    """How many bits per byte a prelude of synthetic text saves more than one of human text.

    The score is 8 (C(x | human) - C(x | synthetic)) / |x|, with C(x | p) the length in bytes of x, as read without
    layout (see ``ngrams``), deflated by zlib after the prelude p, and |x| its own length. A prelude is 32 kB of excerpts
    from texts of one class, drawn by the weights that balance domains and lengths. The difference of two preludes
    cancels what any prelude would save.

    It is weak beside the other scorers; its worth is that it has no parameters and hardly anything to overfit.
    Only the first 32,000 characters and 2,000 words of an item are read. NaN for an item without a word or number.

    Attributes:
        level: of zlib, 1 to 9.

    Raises:
        FitError: fewer than 2 texts with words in either class.
        DataError: an item that is no text.

    Source: Benedetto, Caglioti & Loreto, "Language trees and zipping", PRL 88 (2002); one prelude in ZipPy.

    >>> human, machine = ["Well, I reckon he went home."] * 2, ["It is important to note that it is crucial."] * 2
    >>> examples = Documents([*human, *machine], synthetic=np.array([False, False, True, True]))
    >>> state = Compression().fit(examples)
    >>> Compression().score(state, ["It is important to note this.", "I reckon he went."]).round(1).tolist()
    [6.4, -6.7]
    """

    level: Annotated[int, Meta(ge=1, le=9)] = 6

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """The two preludes."""
        training, vocabulary = Training.of(examples)
        rng = np.random.default_rng(seed)
        out = {"vocabulary": vocabulary}
        for name, flags in (("human", ~training.synthetic), ("synthetic", training.synthetic)):
            places = np.flatnonzero(flags)
            chance = training.weight[places] / training.weight[places].sum()
            drawn = rng.choice(places, min(places.size, WINDOW // 100), replace=False, p=chance)
            out[name] = np.frombuffer(_prelude(_bytes(take(training.reading, drawn)), rng), np.uint8)
        return out

    def seen(self, items: Sequence[Any]) -> list[str]:
        """The items without layout, before joined words are taken apart."""
        return left(items)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,) in bits per byte, higher is more likely synthetic."""
        packers = [self._packer(state[name].tobytes()) for name in ("human", "synthetic")]

        def saved(reading: Reading) -> Floats:
            texts = _bytes(reading)
            sizes = [[_size(packer, text) for packer in packers] for text in texts]
            return np.array([8 * (a - b) / max(1, len(text)) for (a, b), text in zip(sizes, texts, strict=True)])

        return judged(items, state["vocabulary"], saved)

    def _packer(self, prelude: bytes) -> Any:
        return zlib.compressobj(self.level, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, prelude)


def _size(packer: Any, text: bytes) -> int:
    fresh = packer.copy()  # the prelude is hashed once, not once per text
    return len(fresh.compress(text)) + len(fresh.flush())


def _bytes(reading: Reading) -> list[bytes]:
    """The texts as one byte per character; characters that fit no byte are folded into one."""
    whole, starts = spelled(reading)
    flat = np.where(whole < 256, whole, 128 + (whole & 127)).astype(np.uint8).tobytes()
    return [flat[low:high] for low, high in pairwise(starts)]


def _prelude(texts: list[bytes], rng: np.random.Generator) -> bytes:
    """Excerpts at random places, joined; texts come again, elsewhere, until the window is full."""
    if sum(map(len, texts)) <= WINDOW:
        return b" ".join(texts)
    out: list[bytes] = []
    size = 0
    while size < WINDOW:
        for text in texts:
            start = int(rng.integers(0, max(1, len(text) - EXCERPT)))
            out.append(text[start : start + EXCERPT])
            size += len(out[-1]) + 1
            if size >= WINDOW:
                break
    return b" ".join(out)[:WINDOW]
