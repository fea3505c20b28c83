"""Statistics of a text under the very model of the lab that may have written it, alone or against human text."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Integers, Space
from remission.detectors import _lm_lab, _lm_reference
from remission.detectors._lm import COUNT, LONGEST, statistic
from remission.errors import DataError, FitError, SpecError
from remission.interfaces import Detector, Model, State
from remission.notes import say

Name = Literal["white-box", "likelihood-ratio", "fast-detectgpt", "likelihood", "log-rank", "rank", "lrr", "entropy"]
_ALONE = ("likelihood", "likelihood-ratio")  # what the probability of a whole text is enough for
_AGAINST: tuple[Name, ...] = ("white-box", "likelihood-ratio")  # what needs human text
_OTHERS: tuple[Name, ...] = ("fast-detectgpt", "likelihood", "log-rank", "rank", "lrr", "entropy")
_CURVATURE = 0.5  # nats per token for a curvature of 1 per token


class LabModel(Detector):
    """Whether a given model wrote a text: the generator is known (white box), and nothing else of the text is.

    With p the law of the generator, h that of human text, and n tokens x_i of a text:

    ==================== ==================================================================================================
    ``white-box``        (1 / n) sum ln (p(x_i) / (p(x_i) / 2 + h(x_i) / 2)) + z / (2 sqrt(n)), with z the curvature below: the
                         two see different things. A model that has learned its text by heart finds any other text
                         improbable, which z sees; one that has not is found out by what people do not write, which the
                         ratio sees. Half of p under the ratio bounds what one token can say at ln 2, so that words which h
                         has never met do not decide
    ``likelihood-ratio`` (1 / n) sum ln (p(x_i) / h(x_i)), in nats per token: the strongest test of p against h, if h were exact
                         (Neyman and Pearson, Phil. Trans. R. Soc. A 231, 1933)
    ``fast-detectgpt``   z = (sum ln p(x_i) - its expectation under p) / its standard deviation under p, given the text so far
                         (Bao et al., arXiv 2310.05130): for text drawn from p mean 0 and variance 1
    the others           see ``language-model``, with p as the only model
    ==================== ==================================================================================================

    h is an n-gram of ``order`` tokens, smoothed with ``smoothing`` tokens of the next shorter context as the model ``ngram`` is. It is
    learned from the human examples, best those that the generator was trained on (what it copies from them is
    then probable under both) and many: few examples make a poor h. The other statistics need none. The weight of z was
    chosen on two models of other seeds than those of ``benchmarks/detect_lab.py``; there a quarter does as well.

    A transformer reads texts that are longer than its blocks in overlapping stretches, each after at least half a block; an
    n-gram gives the probability of whole texts only, so ``likelihood-ratio`` and ``likelihood``, and its first ``order`` - 1
    tokens are given. A text that a bare n-gram cannot write scores as if each of its tokens had probability 1e-12.
    Higher is more likely synthetic. NaN for a text of fewer than two tokens, or with a type that the generator does not know
    and no ``<unk>`` for it. The fitted state holds the weights, so the run folder is not needed afterwards.

    Inside a loop ``knowing`` makes the state of a live model, and ``score_tokens`` scores blocks of tokens as they are.

    Attributes:
        run: the folder of a run that keeps models (``[experiment] keep``); empty: the state comes from ``knowing``.
        point: the grid point of its sweep.
        replicate: whose model.
        generation: of which fit; 0: the last that is kept.
        statistic: see above.
        order: n of the n-gram of human text.
        smoothing: weight of the shorter context, in tokens.
        max_tokens: longer texts are judged by their beginning.

    Raises:
        StoreError: no run folder, or one that keeps no such model; the message says which it keeps.
        SpecError: a model that is no language model of the lab (transformer, causal-lm, ngram); a statistic that it cannot give.
        FitError: ``white-box`` or ``likelihood-ratio`` without human examples.

    >>> LabModel(run="runs/prose", generation=2, statistic="fast-detectgpt").label
    'lab-model[run=runs/prose,generation=2,statistic=fast-detectgpt]'
    """

    learns: ClassVar[bool] = False
    batch: ClassVar[int] = 1024

    run: str = ""
    point: Annotated[int, Meta(ge=0)] = 0
    replicate: Annotated[int, Meta(ge=0)] = 0
    generation: Annotated[int, Meta(ge=0)] = 0
    statistic: Name = "white-box"
    order: Annotated[int, Meta(ge=1, le=5)] = 3
    smoothing: Annotated[float, Meta(gt=0)] = 5.0
    max_tokens: Annotated[int, Meta(ge=2)] = 4096

    def content(self) -> str:
        """A hash of the generator's file; empty when the state comes from ``knowing``."""
        if not self.run:
            return ""
        path, row = _lm_lab.kept(Path(self.run), self.point, self.replicate, self.generation)
        with path.open("rb") as file:
            return f"{row} {hashlib.file_digest(file, 'sha256').hexdigest()}"

    def fit(self, examples: Any, seed: int = 0) -> dict[str, Array]:
        """The generator's weights and, for the ratio, the n-grams of the human examples."""
        if not self.run:
            raise FitError(
                "lab-model was not told its generator. Give 'run', the folder of a run that keeps its models, or make the "
                "state of a live model with LabModel.knowing."
            )
        state = _lm_lab.of_run(Path(self.run), self.point, self.replicate, self.generation)
        if self.statistic not in _AGAINST:
            return self._checked(state)
        generator = _lm_lab.Generator.of(state)
        human = examples if examples.synthetic is None else examples.take(~examples.synthetic)
        encode = generator.spelling.encoder()
        texts = [tokens for tokens in map(encode, human.items) if tokens is not None]
        if len(texts) < len(human):
            say(
                f"lab-model: {len(human) - len(texts)} of {len(human)} human examples have types that the generator does not "
                f"know, and were left out"
            )
        return self._checked(state | self._reference(texts, generator.size))

    def knowing(
        self,
        model: Model,
        state: State,
        space: Space,
        human: Integers | None = None,
        replicate: int = 0,
        tokenizer: str | None = None,
    ) -> dict[str, Array]:
        """The state for one replicate of a live model.

        Args:
            model: a fitted transformer, causal-lm or ngram.
            state: what its ``fit`` returned.
            space: of its tokens.
            human: blocks of human text (n, length), for the ratio.
            replicate: its place in the block of replicates.
            tokenizer: what cut the text of the source, when that was a given tokenizer (used for texts only).
        """
        spelling = _lm_lab.Spelling(space.names, space.joiner, tokenizer)
        made = _lm_lab.of_model(model, state, replicate, spelling)
        if self.statistic in _AGAINST:
            made |= self._reference([] if human is None else list(human), space.size)
        return self._checked(made)

    def score(self, state: dict[str, Array], items: Sequence[str]) -> Floats:
        """Scores (n,) of texts; NaN for one that cannot be judged."""
        for place, item in enumerate(items):
            if not isinstance(item, str):
                raise DataError(
                    f"lab-model: item {place} is a {type(item).__name__}; it scores texts (str). For tokens: score_tokens."
                )
        generator = _lm_lab.Generator.of(state)
        encode = generator.spelling.encoder()
        texts = [encode(item[: LONGEST * self.max_tokens]) for item in items]
        return self._scored(state, generator, [np.empty(0, np.int64) if text is None else text for text in texts])

    def score_tokens(self, state: dict[str, Array], tokens: Array | Sequence[Integers]) -> Floats:
        """Scores (n,) of n blocks of tokens (n, length), or of n token arrays of any lengths.

        Raises:
            DataError: a token that the generator does not know.
        """
        generator = _lm_lab.Generator.of(state)
        texts = [np.asarray(text, np.int64) for text in tokens]
        for place, text in enumerate(texts):
            if text.size and (text.min() < 0 or text.max() >= generator.size):
                raise DataError(
                    f"lab-model: text {place} has a token outside 0 .. {generator.size - 1}. Check that the tokens are those "
                    f"of the generator's own vocabulary."
                )
        return self._scored(state, generator, texts)

    def statistics(self, state: dict[str, Array], tokens: Array | Sequence[Integers]) -> dict[str, Floats]:
        """Every statistic (n,) that a state can give, from one reading; with human n-grams in it all of them."""
        generator = _lm_lab.Generator.of(state)
        read = self._read(state, generator, [np.asarray(text, np.int64) for text in tokens])
        ratios = _AGAINST if _table(state) else ()
        names = [*ratios, *_OTHERS] if generator.whole else [name for name in (*ratios, *_OTHERS) if name in _ALONE]
        return {name: self._statistic(name, *read) for name in names}

    def _scored(self, state: dict[str, Array], generator: _lm_lab.Generator, texts: list[Integers]) -> Floats:
        if self.statistic in _AGAINST and not _table(state):
            raise DataError("This state was made for another statistic: it holds no n-grams of human text. Fit again.")
        return self._statistic(self.statistic, *self._read(state, generator, texts))

    def _read(
        self, state: dict[str, Array], generator: _lm_lab.Generator, texts: list[Integers]
    ) -> tuple[Floats, list[Floats], list[Floats]]:
        """The sums of every text, ln p of its predicted tokens, and ln h of all of them (empty without n-grams)."""
        texts = [text[: self.max_tokens] if len(text) >= 2 else text[:0] for text in texts]
        sums, own = generator.opened(state)(texts)
        table = _table(state)
        if not table:
            return sums, own, []
        return sums, own, _lm_reference.log_probabilities(table, texts, self.order, generator.size, self.smoothing)

    @staticmethod
    def _statistic(name: Name, sums: Floats, own: list[Floats], human: list[Floats]) -> Floats:
        if name != "white-box" and name != "likelihood-ratio":
            return statistic(name, sums)
        if name == "likelihood-ratio":  # per predicted token: a generator may be given the first ones
            return statistic("likelihood", sums) - np.array([part.mean() if part.size else math.nan for part in human])
        curvature = statistic("fast-detectgpt", sums) / np.sqrt(np.maximum(sums[:, COUNT], 1))
        return np.array([_bounded(*pair) for pair in zip(own, human, strict=True)]) + _CURVATURE * curvature

    def _reference(self, texts: Sequence[Integers], size: int) -> dict[str, Array]:
        table = _lm_reference.counted(texts, self.order, size)
        return {f"reference.{name}": array for name, array in table.items()}

    def _checked(self, state: dict[str, Array]) -> dict[str, Array]:
        """The state, if its generator can give the statistic."""
        if self.statistic not in _ALONE and not _lm_lab.Generator.of(state).whole:
            raise SpecError(
                f"lab-model: '{self.statistic}' needs the probability of every next token, and this generator gives that of "
                f"whole texts. Try statistic = 'likelihood-ratio' or 'likelihood'."
            )
        return state


def _table(state: dict[str, Array]) -> dict[str, Array]:
    """The n-grams of human text in a state."""
    return {name.removeprefix("reference."): array for name, array in state.items() if name.startswith("reference.")}


def _bounded(own: Floats, human: Floats) -> float:
    """The mean of ln (p / (p / 2 + h / 2)) over the tokens that p predicts, from ln p and ln h."""
    if not own.size:
        return math.nan
    return math.log(2) - float(np.logaddexp(0.0, human[len(human) - len(own) :] - own).mean())
