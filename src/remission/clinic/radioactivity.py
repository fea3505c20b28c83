"""Was a model trained on marked text? Its own output then carries the mark a little, though nobody marked it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.clinic.profiles import Cutter, Hypothesis
from remission.documents import Documents
from remission.errors import DataError, need
from remission.evidence import Evidence, once, scored
from remission.numerics.arrays import Integers, Words
from remission.numerics.repeats import firsts, hashes
from remission.watermarking import Key, TextWatermark, Tokens


@dataclass(frozen=True)
class Radioactivity:
    """What the outputs of a model say of one watermark.

    Attributes:
        profile, key: names.
        n: scores that count: each thing that a score depends on once over all outputs, none that the prompts held.
        excluded: scores left out because the prompts held them.
        mean: of the scores; expected: without the key.
        log10_p: that a model which never saw the key scores as much. Small: it was trained on marked text, or the
            outputs are marked themselves; which of both, this cannot tell.
    """

    profile: str
    key: str
    n: int
    excluded: int
    mean: float
    expected: float
    log10_p: float

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return dict(vars(self))


def of_outputs(
    outputs: Documents, looked_for: Sequence[Hypothesis], prompts: Documents | None = None
) -> list[Radioactivity]:
    """Test what a model wrote, all of it together.

    Args:
        outputs: its texts, or arrays of token numbers, without the prompts.
        looked_for: profiles with keys.
        prompts: what it was given. A model repeats what it reads, so what scores there is left out.

    Source: Sander et al., "Watermarking makes language models radioactive" (arXiv 2402.14904): tuples scored once, those of
    the context left out.
    """
    if not len(outputs):
        raise DataError("There are no outputs to test.")
    cutter = Cutter(outputs)
    before = None if prompts is None else Cutter(prompts)
    out = []
    for one in looked_for:
        tokens = cutter.tokens(one.profile)
        left_out = None if before is None else before.tokens(one.profile)
        evidence, excluded = fresh(one.profile.mark, one.key, tokens, left_out)
        out.append(_row(one, evidence, excluded))
    return out


def fresh(mark: TextWatermark, key: Key, tokens: Tokens, before: Tokens | None = None) -> tuple[Evidence, int]:
    """Scores of everything once that ``before`` does not hold; and how many it does."""
    places, left_out = once(mark, key, tokens, "corpus")
    seen = np.zeros(places.size, np.bool_)
    if before is not None:
        known = mark.identities(key, before, mark.scorable(before))
        seen = np.isin(mark.identities(key, tokens, places), known)
    return scored(mark, key, tokens, places[~seen], left_out), int(seen.sum())


def of_model(
    model: str,
    reading: Documents,
    looked_for: Sequence[Hypothesis],
    progress: Callable[[float, float], None] | None = None,
) -> list[Radioactivity]:
    """Test a causal language model of transformers by what it holds for most probable after the beginnings of texts.

    Args:
        model: its folder, or its name in the local cache.
        reading: texts, or token numbers; long ones are read in pieces that the model can hold.
        looked_for: profiles with keys. Tokens are those of each profile, which must be the model's own.
        progress: told (texts read, texts).

    Raises:
        SpecError: no such model. DataError: a token that the model does not have. MissingExtra: without the extra ``hf``.
    """
    need("hf", "Reading with a language model", "torch", "transformers")
    from remission.networks.next_tokens import reader

    cutter = Cutter(reading)
    longest, size, read = reader(model)
    out: list[Radioactivity] = []
    read_already: dict[int, tuple[Tokens, list[Integers]]] = {}
    for number, one in enumerate(looked_for):
        tokens = cutter.tokens(one.profile)
        if id(tokens) not in read_already:
            if tokens.ids.size and int(tokens.ids.max()) >= size:
                raise DataError(
                    f"Token {int(tokens.ids.max())} is none of the {size} of '{model}'. Give '{one.profile.name}' the tokenizer "
                    "of that model."
                )
            rows = [row[i : i + longest] for row in _rows(tokens) for i in range(0, len(row), longest)]
            said = []
            for place, row in enumerate(rows):
                said.append(read(row))
                if progress is not None:
                    progress(number + (place + 1) / len(rows), len(looked_for))
            read_already[id(tokens)] = Tokens.of(rows), said
        out.append(_row(one, *of_readings(one.profile.mark, one.key, *read_already[id(tokens)])))
    return out


def _rows(tokens: Tokens) -> list[Integers]:
    return [tokens.ids[a:b] for a, b in itertools.pairwise(tokens.starts) if b > a]


def of_readings(mark: TextWatermark, key: Key, texts: Tokens, said: Sequence[Integers]) -> tuple[Evidence, int]:
    """Scores of the tokens that a model would write after each beginning of some texts, once each; and how many are left out.

    What comes before is the text's, not the model's, so a token that the texts themselves hold after the same is left out.
    Texts that others marked with the key show the most, because a model that learned such text completes it in its manner.

    Args:
        mark: the scheme.
        key: the secret.
        texts: what was read.
        said: for each text the token (t,) that is most probable after each of its tokens.
    """
    rows = [
        row
        for text, one in zip(_rows(texts), said, strict=True)
        for row in _completions(text, one, max(1, mark.context))
    ]
    if not rows:
        raise DataError(f"No text has more than {mark.context} tokens, which a score of '{mark.name()}' needs.")
    written = Tokens.of(rows)
    places = written.starts[1:] - 1
    mark.scorable(written)  # refuses tokens that the scheme cannot know
    identities = _with_token(mark, key, written, places)
    seen = np.isin(identities, _with_token(mark, key, texts, mark.scorable(texts)))
    first = firsts(identities)
    return scored(mark, key, written, places[first & ~seen]), int((first & seen).sum())


def _with_token(mark: TextWatermark, key: Key, tokens: Tokens, places: Integers) -> Words:
    """What a score depends on, the token always included: every context is the text's own, what is said after it need not be."""
    if mark.once != "context":
        return mark.identities(key, tokens, places)
    return hashes(tokens.ids, tokens.first[places], places, mark.context, True)


def _completions(text: Integers, said: Integers, width: int) -> Iterator[Integers]:
    """The last ``width`` tokens up to each place that has as many, and what is said after them."""
    for place in range(width - 1, len(text)):
        yield np.append(text[place - width + 1 : place + 1], said[place])


def _row(one: Hypothesis, evidence: Evidence, excluded: int) -> Radioactivity:
    n, total, log10_p = evidence.pooled
    mean = total / n if n else float("nan")
    return Radioactivity(one.profile.name, one.key.name, n, excluded, mean, evidence.law.mean, log10_p)
