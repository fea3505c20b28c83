"""Watermarks in a census: every document is tested for all keys, for itself, so that it does not matter what else there is."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.census.scoring import Scorer, Scores, documents_of, hash_of
from remission.clinic.profiles import Cutter, Hypothesis, hypotheses, load_profiles
from remission.corpus._batches import Batch
from remission.corpus.reading import Takes
from remission.errors import SpecError
from remission.evidence import weigh
from remission.watermarking import Key


@dataclass(frozen=True)
class Marked(Scorer):
    """Another scorer, and tests for watermarks beside it.

    A document's p-value is the least over all profiles and keys times their number (Bonferroni), what repeats within it
    counted once. Passages that many documents share count in each: their findings come together, and their expected
    rate holds (see :mod:`remission.clinic.watermarking`). Exact copies are tested once when the census is read.

    Attributes:
        base: says whether documents are synthetic.
        hypotheses: profiles with keys.
        known: hash of both; slow to compute, for keys of few bits could be guessed from it otherwise.
    """

    base: Scorer
    hypotheses: tuple[Hypothesis, ...] = field(repr=False)
    known: str
    takes: Takes = "text"
    columns: tuple[str, ...] = ()
    marks: bool = True

    @classmethod
    def load(cls, base: Scorer, profiles: Path, keys: Sequence[Key]) -> tuple[Marked, list[str]]:
        """With the profiles of a file; and what is left over of profiles and keys, in words.

        Raises:
            SpecError: the census is of pictures, or no key fits. DataError: no file of profiles.
        """
        if base.takes != "text":
            raise SpecError(
                "Watermarks are looked for in texts, and this detector takes pictures: see `watermark detect`."
            )
        found, left = hypotheses(load_profiles(profiles), keys)
        tokens = [_tokenizer(one.profile.tokenizer) for one in found]
        told = [
            [one.profile.name, one.profile.mark.table(), token, one.profile.lead, list(one.key.values)]
            for one, token in zip(found, tokens, strict=True)
        ]
        return cls(base, tuple(found), _slow_hash(told), base.takes, base.columns), left

    @property
    def content(self) -> str:
        """Hash of what scores and of what is looked for."""
        return hash_of({"base": self.base.content, "marks": self.known})

    def score(self, batch: Batch) -> Scores:
        """Score the documents and test each."""
        cutter = Cutter(documents_of(batch))
        n = len(batch)
        least, which = np.zeros(n), np.full(n, -1)
        for number, one in enumerate(self.hypotheses):
            found = weigh(one.profile.mark, one.key, cutter.tokens(one.profile))
            better = (found.n > 0) & ((which < 0) | (found.log10_p < least))
            least[better], which[better] = found.log10_p[better], number
        names = np.array(["", *(one.name for one in self.hypotheses)])[which + 1]
        corrected = np.minimum(0.0, np.where(which >= 0, least + math.log10(len(self.hypotheses)), 0.0))
        return replace(self.base.score(batch), mark=names, log10_p=corrected)


def _tokenizer(where: str) -> str:
    """What a tokenizer depends on: the hash of its file."""
    from remission.networks.checkpoint import folder_of

    if not where:
        raise SpecError("A census reads texts, and a profile names no tokenizer. Give the profile one.")
    path = Path(folder_of(where, what="tokenizer"))
    path = path / "tokenizer.json" if path.is_dir() else path
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else str(where)


def _slow_hash(content: Any) -> str:
    """A hash that takes a while, so that the keys in it cannot be tried out one by one."""
    return _scrypt(json.dumps(content, sort_keys=True))


@functools.lru_cache(maxsize=4)
def _scrypt(text: str) -> str:
    return hashlib.scrypt(
        text.encode(), salt=b"remission census marks", n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32
    ).hex()
