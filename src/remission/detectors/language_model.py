"""Statistics of a text under one or two causal language models of Hugging Face; needs the extra 'hf', nothing is learned."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from msgspec import Meta

from remission.data import Array, Floats
from remission.detectors._lm import LONGEST, PAIRED, Statistic, statistic
from remission.errors import DataError, SpecError, need
from remission.interfaces import Detector

if TYPE_CHECKING:
    from remission.networks.scoring import Reader

PROBE = "  Whether 'tis nobler, in 1601:\n\tna\u00efve caf\u00e9s, \u4e16\u754c and don't-know's.\n\nEND "  # cut by both tokenizers


class LanguageModel(Detector):
    """How usual a text is for language models: what models write is usual for models.

    p is the law of ``model`` given the tokens before, q that of ``observer`` (p itself when there is none), r(x) = 1 + the
    number of tokens that p finds more probable than x. Sums run over the predicted tokens x_1 ... x_n of a text.

    =================== ===================================================================================================
    ``likelihood``      (1 / n) sum ln p(x_i), at most 0
    ``rank``            - (1 / n) sum r(x_i), at most -1
    ``log-rank``        - (1 / n) sum ln r(x_i), at most 0
    ``lrr``             - sum ln p(x_i) / sum ln r(x_i), above 0 (Su et al., DetectLLM, arXiv 2306.05540, eq. 1); a text of
                        first choices alone counts as if one token were the second choice
    ``entropy``         (1 / n) sum H(p_i), at least 0; draws at temperature 1 wander to where the model is unsure, so more is
                        more likely synthetic; text of a low temperature or of a search is the other way round
    ``fast-detectgpt``  (sum ln p(x_i) - sum m_i) / sqrt(sum s_i^2), with m_i and s_i^2 the mean and variance of ln p under q:
                        the conditional probability curvature in its analytic form (Bao et al., arXiv 2310.05130, eq. 2-4;
                        there p scores and q is the sampling or reference model); about 0 with spread 1 for text of q = p
    ``binoculars``      - sum ln p(x_i) / sum over i, v of q_i(v) ln p_i(v), the negative of log-perplexity over
                        cross-perplexity (Hans et al., arXiv 2401.12070, eq. 4; p is the performer, q the observer); below 0
    =================== ===================================================================================================

    The signs are such that higher is more likely synthetic. Likelihood, rank, log-rank and entropy: Gehrmann et al., GLTR,
    arXiv 1906.04043; Mitchell et al., arXiv 2301.11305.

    A token that begins texts, if the tokenizer has one, stands before every text, and all tokens are predicted; else all but
    the first. Texts are cut after ``max_tokens`` tokens or what the models can read. NaN for a text of fewer than two tokens.
    Texts of like length are read together; in float32 a score depends on what it is read with by less than about 1e-5.

    Attributes:
        model: the folder that ``save_pretrained`` wrote, or a name in the local cache of Hugging Face. Only safetensors and
            JSON are read: no pickles, and no code that comes with a model.
        observer: a second one with the same tokenizer, for ``fast-detectgpt`` (optional) and ``binoculars`` (required).
        statistic: see above.
        max_tokens: the longest text that is read, in tokens.
        precision: of forward passes. On a GPU bfloat16 unless float32 is asked for; on a CPU float32.
        offline: use what is on this machine; false: fetch a name that is not.
        revision: of a name: branch, tag or commit.

    Raises:
        SpecError: no such model, not a causal one, pickled weights, two models whose tokenizers differ, an observer that the
            statistic does not use.
        DataError: no tokenizer; an item that is no text.

    >>> LanguageModel(model="my-gpt2", statistic="lrr").label
    'language-model[model=my-gpt2,statistic=lrr]'
    """

    learns: ClassVar[bool] = False
    batch: ClassVar[int] = 1024

    model: str
    observer: str | None = None
    statistic: Statistic = "fast-detectgpt"
    max_tokens: Annotated[int, Meta(ge=2)] = 512
    precision: Literal["auto", "float32"] = "auto"
    offline: bool = True
    revision: str = "main"

    def check(self) -> None:
        """An observer where it is needed, and nowhere else."""
        if self.statistic == "binoculars" and self.observer is None:
            raise SpecError(
                "language-model: 'binoculars' needs a second model with the same tokenizer. Give 'observer'."
            )
        if self.observer is not None and self.statistic not in PAIRED:
            raise SpecError(
                f"language-model: '{self.statistic}' looks through one model; 'observer' is for "
                f"{' and '.join(sorted(PAIRED))}. Remove it."
            )

    def content(self) -> str:
        """A hash of the files of the models."""
        from remission.networks.checkpoint import fingerprint

        return hashlib.sha256(" ".join(fingerprint(path) for path in self._folders()).encode()).hexdigest()

    def score(self, state: dict[str, Array], items: Sequence[str]) -> Floats:
        """Scores (n,); NaN for a text of fewer than two tokens."""
        from remission.networks.device import device, one_thread
        from remission.networks.scoring import Piece, Scoring, causal_law
        from remission.networks.tuned import in_bf16

        for place, item in enumerate(items):
            if not isinstance(item, str):
                raise DataError(f"language-model: item {place} is a {type(item).__name__}; it scores texts (str).")
        with one_thread():
            where, readers = device(), self._readers()
            longest = min([self.max_tokens, *(self._room(one) for one in readers)])
            texts = [readers[0].encode(text[: LONGEST * longest])[:longest] for text in items]
            pieces = [Piece(i, tokens) for i, tokens in enumerate(texts) if len(tokens) >= 2]
            laws = [causal_law(one.network, one.start) for one in readers]
            each = 4 * sum(one.rows + 16 * one.width for one in readers)
            bf16 = in_bf16(where, self.precision)
            scoring = Scoring(laws[0], laws[1] if len(laws) > 1 else None, where, each, bf16)
            return statistic(self.statistic, scoring.sums(pieces, len(items)))

    def _room(self, reader: Reader) -> int:
        """Tokens of a text that a model can read."""
        if reader.positions is None:
            return self.max_tokens
        return reader.positions - (reader.start is not None)

    def _folders(self) -> list[Path]:
        need("hf", "language-model", "torch", "transformers", "tokenizers", "safetensors", "accelerate")
        from remission.networks.checkpoint import folder_of

        named = {"model": self.model} | ({} if self.observer is None else {"observer": self.observer})
        return [folder_of(name, self.revision, self.offline, what) for what, name in named.items()]

    def _readers(self) -> list[Reader]:
        """The open models, the scoring one first."""
        import torch

        from remission.networks.checkpoint import fingerprint
        from remission.networks.device import device
        from remission.networks.scoring import open_reader
        from remission.networks.tuned import in_bf16

        where = device()
        dtype = torch.bfloat16 if in_bf16(where, self.precision) else torch.float32
        readers = [open_reader(path, fingerprint(path), dtype, where) for path in self._folders()]
        if len(readers) == 2:
            self._agree(*readers)
        return readers

    def _agree(self, one: Reader, other: Reader) -> None:
        """Raise SpecError unless both cut text in the same way."""
        reason = _difference(one, other)
        if reason:
            raise SpecError(
                f"language-model: the tokenizers of model = '{self.model}' and observer = '{self.observer}' differ ({reason}), "
                f"so their probabilities cannot be compared token by token. Give two models of one family."
            )


def _difference(one: Reader, other: Reader) -> str:
    """In what two tokenizers differ; empty when they cut text in the same way."""
    first, second = (reader.tokenizer.get_vocab(with_added_tokens=False) for reader in (one, other))
    if len(first) != len(second):
        return f"{len(first)} and {len(second)} tokens"
    for word, number in first.items():
        if second.get(word) != number:
            return f"'{word}' is token {number} of one and {second.get(word, 'none')} of the other"
    if one.start != other.start:
        return f"texts begin with token {one.start} and {other.start}"
    pair = [reader.encode(PROBE).tolist() for reader in (one, other)]
    return "" if pair[0] == pair[1] else "the same tokens, but another way of cutting"
