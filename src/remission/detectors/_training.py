"""What all learning text detectors share: examples as read, weights that balance them, and cross-fitting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from remission.detectors._reading import lengths, read_all
from remission.documents import Documents
from remission.errors import FitError
from remission.numerics.arrays import Array, Floats, Integers, Words
from remission.numerics.reading import WORD, Reading
from remission.numerics.vocabulary import split, table

FOLDS = 2  # of units
DOMAIN_FOLDS, GENERATOR_FOLDS = 4, 3
CROSSED = 6000  # texts that cross-fitting looks at
FEWEST = 20  # texts of either class that make a domain of its own
SPREAD = 2.0  # no text weighs more than so many times, or less than this part of, the others of its class and domain


@dataclass(frozen=True, eq=False)
class Training:
    """Examples as a detector learns from them.

    Attributes:
        reading: m texts, joined words taken apart.
        synthetic: (m,).
        domain: (m,) whole numbers; domains too small to stand alone are 0, together.
        generator: (m,) whole numbers; 0 where unknown and for human texts.
        units: (m,) whole numbers.
        weight: (m,) mean 1; both classes weigh the same.
    """

    reading: Reading
    synthetic: npt.NDArray[np.bool_]
    domain: Integers
    generator: Integers
    units: Integers
    weight: Floats

    @classmethod
    def of(cls, examples: Documents) -> tuple[Training, Words]:
        """The examples, and the table of words known from both classes by which joined words were taken apart.

        Raises:
            FitError: a class has fewer than two texts with words.
        """
        reading = read_all(examples.items)
        has = np.flatnonzero(lengths(reading) > 0)
        assert examples.synthetic is not None
        synthetic = np.asarray(examples.synthetic, bool)[has]
        if min(synthetic.sum(), (~synthetic).sum()) < 2:
            raise FitError(
                f"A text detector learns from at least 2 human and 2 synthetic texts with words in them; it was given "
                f"{(~synthetic).sum()} and {synthetic.sum()}. Some hundreds of each are a good start."
            )
        units = examples.sampling_units[has]
        domain = _domains(examples.column("domain")[has], synthetic)
        names = np.where(synthetic, examples.column("generator")[has], "")
        generator = np.unique(np.append(names, ""), return_inverse=True)[1][:-1].astype(np.int64)
        reading = take(reading, has)
        known = known_words(reading, synthetic)
        reading = split(reading, known)
        weight = balanced(synthetic, domain, lengths(reading))
        return cls(reading, synthetic, domain, generator, units, weight), known

    def take(self, index: Array) -> Training:
        """Some of the examples, balanced anew."""
        reading, synthetic, domain = take(self.reading, index), self.synthetic[index], self.domain[index]
        return Training(
            reading, synthetic, domain, self.generator[index], self.units[index],
            balanced(synthetic, domain, lengths(reading)),
        )  # fmt: skip

    @property
    def whole_domains(self) -> list[int]:
        """Domains that hold both classes."""
        return sorted(set(self.domain[self.synthetic].tolist()) & set(self.domain[~self.synthetic].tolist()))


def _domains(names: npt.NDArray[Any], synthetic: npt.NDArray[np.bool_]) -> Integers:
    """Numbers of the domains that are large enough to stand alone, from 1, and 0 for all others."""
    out = np.zeros(names.size, np.int64)
    number = 0
    for name in np.unique(names):
        here = names == name
        if name and min((here & synthetic).sum(), (here & ~synthetic).sum()) >= FEWEST:
            number += 1
            out[here] = number
    return out


def known_words(reading: Reading, synthetic: npt.NDArray[np.bool_], least: int = 2) -> Words:
    """A table of the words that at least so many texts of either class hold."""
    spelt = (reading.kind == WORD) & (reading.hashes != 0)
    text = np.repeat(np.arange(reading.texts), np.diff(reading.starts))[spelt]
    words, number = np.unique(reading.hashes[spelt], return_inverse=True)
    keep = np.ones(words.size, bool)
    pairs = np.unique(number * np.int64(reading.texts) + text)
    for flags in (synthetic, ~synthetic):
        mine = pairs[flags[pairs % reading.texts]] // reading.texts
        keep &= np.bincount(mine, minlength=words.size) >= least
    return table(words[keep])


def balanced(synthetic: npt.NDArray[np.bool_], domain: Integers, length: Integers) -> Floats:
    """Weights (m,) of mean 1 under which neither class, nor domain, nor length of text stands out.

    Within a domain both classes weigh the same, and texts of each third of lengths nearly so (within SPREAD). A domain
    weighs as the root of its size: equally large ones alike, a tiny one not as much as a large one.
    """
    weight = np.ones(synthetic.size)
    for number in np.unique(domain):
        here = domain == number
        if len(set(synthetic[here])) < 2:
            continue
        thirds = np.searchsorted(np.quantile(length[here], [1 / 3, 2 / 3]), length)
        for third in range(3):
            band = here & (thirds == third)
            for flags in (synthetic, ~synthetic):
                part = (flags[here]).mean() * band.sum() / max(1, (band & flags).sum())
                weight[band & flags] = np.clip(part, 1 / SPREAD, SPREAD)
        for flags in (synthetic, ~synthetic):
            weight[here & flags] *= np.sqrt(here.sum()) / weight[here & flags].sum()
    for number in np.unique(domain):  # one class only: as heavy as the average of its class
        here = domain == number
        for flags in (synthetic, ~synthetic):
            if len(set(synthetic[here])) < 2 and (here & flags).any():
                rest = weight[~here & flags]
                weight[here & flags] = rest.mean() if rest.size else 1.0
    for flags in (synthetic, ~synthetic):
        weight[flags] *= synthetic.size / 2 / weight[flags].sum()
    return weight


def take(reading: Reading, index: Array) -> Reading:
    """Some texts of a reading."""
    return excerpts(reading, reading.starts[index], reading.starts[np.asarray(index) + 1])


def excerpts(reading: Reading, low: Integers, high: Integers) -> Reading:
    """Texts made of the pieces low[i] : high[i] of others."""
    pieces = _ranges(low, high)
    chars = _ranges(reading.ends[low], reading.ends[high])
    sizes = (reading.ends[1:] - reading.ends[:-1])[pieces]
    zero = np.zeros(1, np.int64)
    return Reading(
        reading.chars[chars], np.concatenate([zero, np.cumsum(sizes)]), reading.hashes[pieces], reading.kind[pieces],
        np.concatenate([zero, np.cumsum(high - low)]),
    )  # fmt: skip


def _ranges(low: Integers, high: Integers) -> Integers:
    sizes = high - low
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) - np.repeat(before - low, sizes)


def folds(training: Training, seed: int) -> Iterator[tuple[Integers, Integers, str]]:
    """(learn from, judge, what is held out) places: parts of the units, whole domains, whole generators.

    What is held out by domain shows which scorers last outside the domains they were fitted on; pooled folds choose
    the wrong one. A generator is held out with a part of the human units.
    """
    rng = np.random.default_rng(seed)
    number = np.unique(training.units, return_inverse=True)[1]
    rank = rng.permutation(number.max() + 1)[number]
    places = np.arange(rank.size)
    if rank.size > CROSSED:
        places = np.flatnonzero(rank < np.sort(rank)[CROSSED])
    part, synthetic = rank[places] % FOLDS, training.synthetic[places]
    held = [("unit", part == k, part != k) for k in range(FOLDS)]
    domains = _groups(training.domain[places], training.whole_domains, DOMAIN_FOLDS, rng)
    held += [("domain", group, ~group) for group in domains]
    third = rank[places] % GENERATOR_FOLDS
    named = [int(name) for name in np.unique(training.generator) if name > 0]
    for k, group in enumerate(_groups(training.generator[places], named, GENERATOR_FOLDS, rng)):
        human = ~synthetic & (third == k)
        held.append(("generator", group | human, ~group & ~human & ~(synthetic & (third == k))))
    for what, judge, learn in held:
        counts = [(flags & side).sum() for flags in (synthetic, ~synthetic) for side in (judge, learn)]
        if min(counts) >= 2:
            yield places[learn], places[judge], what


def _groups(labels: Integers, names: list[int], most: int, rng: np.random.Generator) -> list[npt.NDArray[np.bool_]]:
    """Masks of at most so many groups of whole names; none where there is one name only."""
    if len(names) < 2:
        return []
    many = min(most, len(names))
    group = {int(name): k % many for k, name in enumerate(rng.permutation(names))}
    of = np.array([group.get(int(label), -1) for label in labels])
    return [of == k for k in range(many)]


def crossed(
    training: Training, fit: Callable[[Training], Any], score: Callable[[Any, Reading], Floats], seed: int
) -> tuple[Floats, Integers, list[tuple[int, int, str]]]:
    """Scores (k, scorers) by fits that did not see what was held out, the places of the texts, and the folds.

    A fold is (first row, row after the last, what was held out).
    """
    scores, places = [], []
    parts: list[tuple[int, int, str]] = []
    for learn, judge, what in folds(training, seed):
        fitted = fit(training.take(learn))
        scores.append(score(fitted, take(training.reading, judge)))
        places.append(judge)
        first = parts[-1][1] if parts else 0
        parts.append((first, first + judge.size, what))
    if not scores:
        return np.empty((0, 0)), np.empty(0, np.int64), parts
    return np.concatenate(scores), np.concatenate(places), parts
