"""What the synthetic share of a training corpus does to the next generations of models, before and after curation.

The loop is the worst case, as for a plan (:mod:`remission.clinic.plan`): a first model is fitted to human text; every later one
to a training set of which a share s is output of the model before it, which the synthetic part of the corpus stands for, and
1 - s is fresh human text. Curation is applied again in every generation with the same error rates, so s stays what it is.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission.clinic.curation._outlook_laws import Frequencies
from remission.clinic.curation._outlook_loops import Sizes, simulated, sizes
from remission.clinic.curation._outlook_sample import MOST_BYTES, Sample, stored
from remission.data import Floats
from remission.errors import SpecError
from remission.estimate import Estimate, mean_interval

ASSUMED = (
    "The worst case: in every generation the synthetic share of the training set is output of the model before it, the rest is "
    "fresh human text, and curation is applied again with the same error rates. Generation 1 is fitted to human text."
)
REPLICATES = 20
LEVEL = 0.95  # of intervals over replicates
_MANY = 3  # times as many words in a training set as in the sample: the sample knows nothing of what is rare in it

Numbers = tuple[float, ...]
Method = Literal["law", "simulated"]
Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Curve:
    """One row of one loop over generations t = 1 .. T.

    Attributes:
        loop: ``before``, ``after`` or ``human`` (no synthetic items, the control).
        row: as metrics name it, such as ``types.rare-recall``; ``types.once`` is the chance that a type which comes once in a
            training set, in the mean, is alive.
        method: ``law`` or ``simulated``; law: the name of the law, else empty.
        scale: of a law: ``mean`` (exact), ``large-n`` (training sets without limit), or ``bound`` (on the mean, off by O(1/n): an upper one for ``types.lost``, else lower).
        values: at the estimated share, shape (T,); NaN where only bounds of the share are known.
        low, high: of a law, the range over the interval of the share; simulated, the interval of the mean over replicates
            at the estimated share, or what the intervals at both ends of the share span when it is NaN.
    """

    loop: str
    row: str
    method: Method
    law: str
    scale: str
    values: Numbers
    low: Numbers
    high: Numbers

    def table(self) -> dict[str, Any]:
        """As plain values, None for NaN."""
        numbers = {key: [_plain(value) for value in getattr(self, key)] for key in ("values", "low", "high")}
        return {key: getattr(self, key) for key in ("loop", "row", "method", "law", "scale")} | numbers


@dataclass(frozen=True)
class Effect:
    """What curation changes in the last generation: after minus before.

    Attributes:
        row, method: as of a curve.
        before, after, human: values in the last generation.
        change: after minus before. By a law the interval spans all shares in both intervals, at the level that these have
            together at least; simulated it is of the mean over pairs of replicates with the same random numbers, at the
            estimated shares.
    """

    row: str
    method: Method
    before: float
    after: float
    human: float
    change: Estimate

    def table(self) -> dict[str, Any]:
        """As plain values, None for NaN."""
        change = _finite(self.change)
        ends = {key: _plain(getattr(self, key)) for key in ("before", "after", "human")}
        return {"row": self.row, "method": self.method} | ends | {"change": change}


@dataclass(frozen=True)
class Outlook:
    """What the lab predicts.

    Attributes:
        generations: T, fits.
        before, after: synthetic share of the training corpus.
        tokens: words of a training set, as the laws take it; temperature: of the sampling.
        sample: of the corpus.
        curves, effects: the answer.
        long_run: loop -> row -> where it settles at the estimated share; NaN where that takes too long to say.
        tips: loop -> temperature of sampling below which diversity runs away (law T1; equally frequent types), with its range
            over the interval of the share; None where no law knows one.
        sizes: of the simulation, or None.
        notes: what a reader must know.
        whole: where ``before`` and ``after`` are those of judged documents and others are there too: both shares of all.
    """

    generations: int
    before: Estimate
    after: Estimate
    tokens: int
    sample: Sample
    curves: tuple[Curve, ...]
    effects: tuple[Effect, ...]
    long_run: dict[str, dict[str, float]]
    tips: dict[str, Estimate | None]
    temperature: float = 1.0
    sizes: Sizes | None = None
    notes: tuple[str, ...] = ()
    whole: tuple[Estimate, Estimate] | None = None

    def curve(self, loop: str, row: str, method: Method = "law") -> Curve:
        """One of the curves. Raises KeyError."""
        found = [one for one in self.curves if (one.loop, one.row, one.method) == (loop, row, method)]
        if not found:
            raise KeyError((loop, row, method))
        return found[0]

    def table(self) -> list[dict[str, Any]]:
        """The effects as rows of plain values."""
        return [one.table() for one in self.effects]

    def document(self) -> dict[str, Any]:
        """All of it as plain values for JSON."""
        shares = {name: _finite(getattr(self, name)) for name in ("before", "after")}
        whole = (
            None if self.whole is None else {name: _finite(one) for name, one in zip(shares, self.whole, strict=True)}
        )
        return {
            "generations": self.generations, **shares, "whole": whole, "tokens": self.tokens, "temperature": self.temperature, "sample": self.sample.table(),
            "assumed": ASSUMED, "curves": [one.table() for one in self.curves], "effects": self.table(),
            "long_run": {loop: {row: _plain(value) for row, value in rows.items()} for loop, rows in self.long_run.items()},
            "tips": {loop: None if one is None else _finite(one) for loop, one in self.tips.items()},
            "simulation": None if self.sizes is None else self.sizes.table(),
            "notes": list(self.notes), "sentences": self.sentences(),
        }  # fmt: skip

    def sentences(self) -> list[str]:
        """A few plain sentences, the answer first."""
        from remission.clinic.curation._outlook_words import sentences

        return sentences(self)


def outlook(
    texts: Sequence[str],
    before: Estimate,
    after: Estimate,
    generations: int = 10,
    *,
    tokens: int | None = None,
    temperature: float = 1.0,
    simulate: bool = False,
    replicates: int = REPLICATES,
    seed: int = 0,
    workers: int = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
    whole: tuple[Estimate, Estimate] | None = None,
) -> Outlook:
    """Predict the next generations of models trained on a corpus, before and after it was curated.

    Closed forms for the relative frequencies of the words of the sample (the unigram, the source ``surrogate``) are exact for
    that world; with ``simulate`` the loop is really run on a small bigram model of the sample. Both sample models as they
    were fitted; a lower ``temperature`` is worse.

    Args:
        texts: some kept documents, as str; about 5 MB of them are used.
        before: synthetic share of the training corpus as it was; with ``value`` NaN only the interval is used.
        after: the same after curation.
        generations: T, fits.
        tokens: words of the real training set; those of the sample when left out. For the laws alone.
        temperature: models are sampled at; below 1 more sharply than they learned. At any other than 1 the laws are those of
            training sets without limit (T1), and the simulated bigram has no back-off and no perplexity.
        simulate: run the loops as well: before, after and without synthetic items, with the same random numbers, about a
            minute on one core.
        replicates: of each loop, 2 or more.
        seed: of all that is random.
        workers: processes.
        folder: where the sample and finished loops are kept, so that the same call goes on.
        progress: called with what is done, of how much.
        whole: where ``before`` and ``after`` are those of judged documents alone, and so is all that is predicted: both shares
            of all documents, to be told.

    Raises:
        DataError: no text, or too little for so many generations.
        SpecError: a share outside 0 .. 1, fewer than 1 generation or 2 replicates or words, a temperature not above 0.
        StoreError: the folder cannot be written.
    """
    _check(before, after, generations, tokens, replicates, temperature)
    with tempfile.TemporaryDirectory() as aside:
        place = Path(aside) if folder is None else folder
        sample, counts = stored(texts, place, seed)
        words = sample.tokens if tokens is None else tokens
        laws = Frequencies(np.array(counts) / sample.tokens, words, generations, sample.source(1), temperature)
        loops = {"before": before, "after": after, "human": Estimate(0.0, 0.0, 0.0, 1.0, "control", 0)}
        curves, effects = _lawful(laws, loops)
        chosen = None
        if simulate:
            shares = tuple(dict.fromkeys(share for one in loops.values() for share in _points(one)))
            chosen = sizes(sample, generations, len(shares), replicates, temperature)
            runs = simulated(sample, shares, generations, chosen, seed, workers, place, progress)
            more, seen = _measured(runs, loops)
            curves, effects = curves + more, effects + seen
        middle = {name: one.value for name, one in loops.items() if not math.isnan(one.value)}
        return Outlook(
            generations, before, after, words, sample, tuple(curves), tuple(effects),
            {name: laws.long_run(share) for name, share in middle.items()},
            {name: _tips(laws, one) for name, one in loops.items()}, temperature, chosen, _notes(sample, words, before, after), whole,
        )  # fmt: skip


def _check(
    before: Estimate, after: Estimate, generations: int, tokens: int | None, replicates: int, temperature: float
) -> None:
    for name, one in (("before", before), ("after", after)):
        middle = one.low if math.isnan(one.value) else one.value
        if not 0.0 <= one.low <= middle <= one.high <= 1.0:
            raise SpecError(
                f"'{name}' is a synthetic share with an interval, 0 <= low <= value <= high <= 1 (a value of NaN: only bounds). "
                f"Got {one.value} [{one.low}, {one.high}]."
            )
    if generations < 1:
        raise SpecError(f"At least 1 generation is needed. Got {generations}.")
    if tokens is not None and tokens < 2:
        raise SpecError(f"A training set has at least 2 tokens. Got {tokens}.")
    if not 0.0 < temperature < math.inf:
        raise SpecError(f"A temperature is a number above 0; 1 samples models as they are. Got {temperature}.")
    if replicates < 2:
        raise SpecError(f"At least 2 replicates are needed for an interval. Got {replicates}.")


def _points(share: Estimate) -> tuple[float, ...]:
    """Where a loop is run: at the estimate, or at both ends where there is none."""
    return (share.low, share.high) if math.isnan(share.value) else (share.value,)


def _lawful(laws: Frequencies, loops: dict[str, Estimate]) -> tuple[list[Curve], list[Effect]]:
    """Curves and effects by closed forms: those that say something at every share that is asked about."""
    asked = {share for one in loops.values() for share in (one.low, one.high, *_points(one))}
    said = {share: laws.rows(share) for share in sorted(asked)}
    known = {
        row: (law, scale) for row, law, scale in said[0.0] if all((row, law, scale) in rows for rows in said.values())
    }
    curves, effects = [], []
    for row, (law, scale) in known.items():  # of several laws that say the same the last one by name
        mine = {}
        for name, one in loops.items():
            ends = [said[share][(row, law, scale)] for share in (one.low, one.high, *_points(one))]
            values = np.full(laws.generations, math.nan) if math.isnan(one.value) else ends[2]
            mine[name] = Curve(name, row, "law", law, scale, *map(_numbers, (values, np.min(ends, 0), np.max(ends, 0))))
        curves += list(mine.values())
        effects.append(_effect(row, mine, loops))
    return curves, effects


def _effect(row: str, curves: dict[str, Curve], loops: dict[str, Estimate]) -> Effect:
    """The change by a law, over all pairs of shares in the two intervals."""
    before, after, human = (curves[name] for name in ("before", "after", "human"))
    level = max(0.0, loops["before"].level + loops["after"].level - 1.0)
    one, other = loops["before"], loops["after"]
    low, high = after.low[-1] - before.high[-1], after.high[-1] - before.low[-1]
    if (one.value, one.low, one.high) == (other.value, other.low, other.high):
        low = high = 0.0  # nothing was changed, whatever the share is
    value = 0.0 if low == high == 0.0 else after.values[-1] - before.values[-1]
    change = Estimate(value, low, high, level, "law at both ends of the shares", 0)
    return Effect(row, "law", before.values[-1], after.values[-1], human.values[-1], change)


def _measured(runs: dict[float, dict[str, Floats]], loops: dict[str, Estimate]) -> tuple[list[Curve], list[Effect]]:
    """Curves and effects of what was run."""
    curves, effects = [], []
    for row in next(iter(runs.values())):
        mine = {name: [runs[share][row] for share in _points(one)] for name, one in loops.items()}
        for name, ends in mine.items():
            found = [[mean_interval(column, LEVEL) for column in values.T] for values in ends]
            middle = tuple(one.value if len(ends) == 1 else math.nan for one in found[0])
            low = tuple(min(one.low for one in pair) for pair in zip(*found, strict=True))
            high = tuple(max(one.high for one in pair) for pair in zip(*found, strict=True))
            curves.append(Curve(name, row, "simulated", "", "mean", middle, low, high))
        last = [curve.values[-1] for curve in curves[-3:]]
        pairs = [after[:, -1] - before[:, -1] for after in mine["after"] for before in mine["before"]]
        effects.append(Effect(row, "simulated", last[0], last[1], last[2], _paired(pairs)))
    return curves, effects


def _paired(pairs: list[Floats]) -> Estimate:
    """The mean difference; of several pairs of ends what their intervals span."""
    found = [mean_interval(one, LEVEL) for one in pairs]
    value = found[0].value if len(found) == 1 else math.nan
    low, high = min(one.low for one in found), max(one.high for one in found)
    return Estimate(value, low, high, LEVEL, "t over pairs of replicates", found[0].n)


def _notes(sample: Sample, words: int, before: Estimate, after: Estimate) -> tuple[str, ...]:
    notes = []
    if sample.used < sample.given:
        notes.append(
            f"{sample.used:,} of the {sample.given:,} texts given were used ({sample.bytes:,} bytes): those with text in them, and no "
            f"more than {MOST_BYTES:,} bytes, picked at random."
        )
    if sample.level == "character":
        notes.append("The texts have hardly any blanks: what is called a word here is a single character.")
    if words > _MANY * sample.tokens:
        notes.append(
            f"A training set of {words:,} words holds types that the sample of {sample.tokens:,} has never seen. What happens to those is "
            f"not in 'types.rare-recall'; 'types.once' says it for a type that comes once in a training set."
        )
    for name, one in (("before", before), ("after", after)):
        if math.isnan(one.value):
            notes.append(
                f"Only bounds of the share {name} curation are known, [{one.low:.3g}, {one.high:.3g}]; both ends are given."
            )
    return tuple(notes)


def _tips(laws: Frequencies, share: Estimate) -> Estimate | None:
    """The temperature at which a loop tips, over the interval of its share."""
    low, high = laws.tips(share.low), laws.tips(share.high)
    if low is None and high is None:
        return None
    value = math.nan if math.isnan(share.value) else laws.tips(share.value)
    ends = (
        share.low if low is None else low,
        share.high if high is None else high,
    )  # at 0 and 1 it is the share itself
    return Estimate(share.value if value is None else value, *ends, share.level, "T1 at both ends of the share", 0)


def _finite(one: Estimate) -> dict[str, Any]:
    return {key: _plain(value) for key, value in one.table().items()}


def _numbers(values: Floats) -> Numbers:
    return tuple(float(value) for value in values)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
