"""Which documents of a corpus are looked at when not all are: files, then documents, with known probabilities."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remission.clinic.naming import visible
from remission.errors import SpecError
from remission.numerics.arrays import Booleans, Floats, Words
from remission.numerics.scatter import uniforms

NOT_DRAWN = "not drawn into the sample"


@dataclass(frozen=True)
class Sampling:
    """How documents are drawn.

    A document is drawn by a hash of its content, so that whether it is depends on nothing else: not on the order, the
    engine or the number of workers, and all copies of a text are drawn or none is.

    Attributes:
        rate: probability of a document, in every stratum that is not named.
        strata: (part of a stratum's name, such as ``source=forum``; probability). The first that fits counts.
        files: share of the files that are read at all, spread evenly over their order, from a start drawn at random: each
            has this probability, or that of one among all of them if it is larger, for one is always read.
        seed: another one draws others.
    """

    rate: float = 1.0
    strata: tuple[tuple[str, float], ...] = ()
    files: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for what, rate in (("", self.rate), ("files", self.files), *self.strata):
            if not 0 < rate <= 1:
                given = f" of '{what}'" if what else ""
                raise SpecError(
                    f"A sampling rate{given} lies above 0 and at most at 1, such as 0.01 or 1%. Got {rate:g}."
                )

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.rate == 1 and self.files == 1 and all(rate == 1 for _, rate in self.strata)

    def check(self, by: Sequence[str]) -> None:
        """Raise SpecError where a rate is given for a stratum that ``by`` does not make."""
        for part, _ in self.strata:
            name, sign, _ = part.partition("=")
            if not sign or name not in by:
                raise SpecError(
                    f"A sampling rate is given for '{part}', but strata are made of {', '.join(by) or 'nothing'}. Give it as "
                    f"COLUMN=VALUE:RATE with a column of --by."
                )

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return {"rate": self.rate, "strata": [list(one) for one in self.strata], "files": self.files, "seed": self.seed}

    def probability(self, stratum: str) -> float:
        """Of a document of this stratum, given that its file is read."""
        parts = set(stratum.split(" | "))
        return next((rate for part, rate in self.strata if visible(part) in parts), self.rate)

    def probabilities(self, strata: Any) -> Floats:
        """The same for documents (n,)."""
        names, places = np.unique(strata, return_inverse=True)
        return np.array([self.probability(str(name)) for name in names])[places]

    def drawn(self, contents: Words, strata: Any) -> Booleans:
        """Which documents are drawn, (n,), by the first 64 bits of their hashes."""
        return _uniform(contents, self.seed) < self.probabilities(strata)

    def of(self, files: int) -> Sampling:
        """With the probability that each of so many files really has."""
        return replace(self, files=max(self.files, 1 / max(1, files)))

    def read(self, files: int) -> Booleans:
        """Which files are read, (n,): at least one."""
        rate = self.of(files).files
        if rate == 1 or not files:
            return np.ones(files, bool)
        start = int.from_bytes(hashlib.sha256(f"files {self.seed}".encode()).digest()[:8]) / 2**64
        found = np.diff(np.floor(np.arange(files + 1) * rate + start)) > 0
        if not found.any():  # by rounding alone
            found[-1] = True
        return found


def _uniform(words: Words, seed: int) -> Floats:
    """Numbers in 0 .. 1 from hashes, others for another seed."""
    return uniforms(words + np.uint64((2 * seed + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF))
