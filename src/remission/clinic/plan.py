"""How much fresh human data, at what cost, keeps the next generations healthy.

In every generation a training set of n items is filled with f fresh human items that are bought and n - f from a corpus of
which a share is synthetic: output of the models of the loop. A detector or a watermark test in front of the corpus lowers
that share and costs a call for every item it looks at. What must hold is a human share of the training set; fresh items and
filters are two ways to pay for it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from remission.clinic._plan_file import Filter, Price, Question, Ranged, read_question
from remission.clinic._plan_need import Found, Impossible, Need, checked, exact_need, simulated_need
from remission.estimate import Estimate
from remission.lab.search.trials import Tell
from remission.theory.filtered_mix import kept_share

Verdict = Literal["plan", "over-budget", "impossible"]
_STEPS = 10  # of the cost curve
_HALVINGS = 8  # towards the place where fresh items become unnecessary


@dataclass(frozen=True)
class Option:
    """One way to do it.

    Attributes:
        name: ``fresh only``, the filter's name, or ``all fresh``.
        filtered: which share of what is taken from the corpus goes through the filter.
        synthetic: share of synthetic items among what is taken; ``yields``: share of looked-at items that are taken.
        fresh: fresh human items per generation that are needed, with the interval.
        buy: a whole number of them with which the promise is kept: the upper end.
        calls: detector calls per generation.
        cost: per generation, of buying so many.
    """

    name: str
    filtered: float
    synthetic: float
    yields: float
    fresh: Ranged
    buy: int
    calls: float
    cost: float

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Scenario:
    """What the recommended option needs when one input is another."""

    name: str
    fresh: float
    cost: float


@dataclass(frozen=True)
class Plan:
    """The answer.

    Attributes:
        verdict: ``plan``; ``over-budget``: no option fits the budget; ``impossible``: not even human items alone keep the lines.
        told: why it is impossible.
        recommended: the cheapest option; options: all of them, cheapest first.
        cost_curve: fresh data against filtering: options with a growing share of the corpus filtered.
        sensitivity: of the recommended option.
        checked: share of new runs that keep the lines with the recommendation, simulated as it is; None when a law answers.
        affordable: over budget: the most fresh items the budget pays for with the best option, and the human share that makes.
    """

    question: Question
    verdict: Verdict
    told: str = ""
    found: Found | None = None
    recommended: Option | None = None
    options: tuple[Option, ...] = ()
    cost_curve: tuple[Option, ...] = ()
    sensitivity: tuple[Scenario, ...] = ()
    checked: Estimate | None = None
    affordable: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The fields of ``plan --json``."""
        question, found = self.question, self.found
        return {
            "verdict": self.verdict, "told": self.told, "title": question.title,
            "keep": [str(line) for line in question.lines], "confidence": question.confidence, "at": question.at,
            "generations": question.experiment.generations, "items": question.items, "corpus": question.corpus.table(),
            "method": None if found is None else found.method, "laws": [] if found is None else list(found.laws),
            "human_share": None if found is None else found.human.table(),
            "replicates": 0 if found is None else found.replicates,
            "recommended": None if self.recommended is None else self.recommended.table(),
            "options": [one.table() for one in self.options], "cost_curve": [one.table() for one in self.cost_curve],
            "kept_curve": [] if found is None else [{"human": one.human} | one.kept.table() for one in found.curve],
            "sensitivity": [vars(one) for one in self.sensitivity],
            "checked": None if self.checked is None else self.checked.table(), "affordable": self.affordable,
            "price": dataclasses.asdict(question.price), "notes": list(question.notes),
        }  # fmt: skip


def plan(
    path: Path,
    changes: tuple[str, ...] = (),
    *,
    simulate: bool = False,
    workers: int = 1,
    folder: Path | None = None,
    budget: int | None = None,
    tell: Tell | None = None,
) -> Plan:
    """Answer a plan file.

    Args:
        path: the file, see docs/plan.md.
        changes: ``key=value`` lines, as in ``corpus.synthetic=0.4``.
        simulate: simulate even where a law is exact.
        workers: processes.
        folder: where simulated readings are kept, so that the same call goes on.
        budget: replicates in all.
        tell: called with how far it is.

    Raises:
        SpecError, DataError: a file that cannot be, lines that contradict each other, undecidable ends.
    """
    return answer(
        read_question(path, changes), simulate=simulate, workers=workers, folder=folder, budget=budget, tell=tell
    )


def answer(
    question: Question,
    *,
    simulate: bool = False,
    workers: int = 1,
    folder: Path | None = None,
    budget: int | None = None,
    tell: Tell | None = None,
) -> Plan:
    """Answer a question; arguments as of :func:`plan`."""
    try:
        found = None if simulate else exact_need(question)
        found = found or simulated_need(question, workers, folder, budget, tell)
    except Impossible as error:
        return Plan(question, "impossible", str(error))
    need, price, share = found.need, question.price, question.corpus.value
    curve = [
        _option(need, question, price, one, step / _STEPS, share)
        for one in question.filters
        for step in range(_STEPS + 1)
    ]
    options = [_option(need, question, price, None, 0.0, share), _all_fresh(question, price)]
    for one in question.filters:
        mine = [option for option in curve if option.name == one.name and option.filtered > 0]
        mine += _kink(need, question, price, one, share)
        cheapest = min(mine, key=lambda option: (option.cost, -option.filtered), default=None)
        options += [option for option in mine if option is cheapest or option.filtered == 1.0]
    options.sort(key=lambda option: (option.cost, -option.filtered))
    best = options[0]
    over = price.budget is not None and best.cost > price.budget
    seen = None if found.method == "exact" else checked(question, best.buy, best.synthetic, workers)
    return Plan(
        dataclasses.replace(question, notes=question.notes + _notes(question, found, seen)),
        "over-budget" if over else "plan", "", found, best, tuple(options), tuple(curve),
        _sensitivity(need, question, best), seen, _affordable(question, options) if over else None,
    )  # fmt: skip


def _notes(question: Question, found: Found, seen: Estimate | None) -> tuple[str, ...]:
    """What a buyer must know of the answer."""
    notes = []
    if not found.settled:
        notes.append(
            f"The need is known only to {100 * found.human.low:.3g} to {100 * found.human.high:.3g} % of the training set, and the upper "
            f"end is what is bought: more replicates (--budget) narrow it."
        )
    if seen is not None and question.confidence != "mean" and seen.high < float(question.confidence):
        notes.append("Tried as it is, fewer runs than wanted kept the lines: raise --budget.")
    return tuple(notes)


def _option(
    need: Need, question: Question, price: Price, filtering: Filter | None, part: float, share: float
) -> Option:
    """What it takes when ``part`` of what is taken from a corpus of this share went through a filter."""
    if filtering is None:
        synthetic, yields = share, 1.0
        name = "fresh only"
    else:
        tpr, fpr = filtering.tpr.value, filtering.fpr.value
        yields = share * (1 - tpr) + (1 - share) * (1 - fpr)
        name = filtering.name
        if yields <= 0:  # it drops everything: there is nothing to take
            return _all_fresh(question, price)
        synthetic = part * kept_share(share, tpr, fpr) + (1 - part) * share
    fresh = need(synthetic)
    buy = min(question.items, math.ceil(fresh.high - 1e-9))
    calls = 0.0 if filtering is None else part * (question.items - buy) / yields
    return Option(name, part, synthetic, yields, fresh, buy, calls, buy * price.fresh + calls * price.call)


def _kink(need: Need, question: Question, price: Price, filtering: Filter, share: float) -> list[Option]:
    """Where filtering just makes fresh items unnecessary: between the ends only there can the cost turn."""
    low, high = 0.0, 1.0
    if (
        _option(need, question, price, filtering, 1.0, share).buy
        or not _option(need, question, price, filtering, 0.0, share).buy
    ):
        return []
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _option(need, question, price, filtering, middle, share).buy else (low, middle)
    return [_option(need, question, price, filtering, high, share)]


def _all_fresh(question: Question, price: Price) -> Option:
    n = float(question.items)
    return Option("all fresh", 0.0, 0.0, 1.0, Ranged(n, n, n), question.items, 0.0, n * price.fresh)


def _sensitivity(need: Need, question: Question, best: Option) -> tuple[Scenario, ...]:
    """The recommended option with one input at the end of its range; with a price half and twice as high."""
    filtering = next((one for one in question.filters if one.name == best.name), None)
    if best.name == "all fresh":
        return ()
    price, corpus = question.price, question.corpus
    cases: list[tuple[str, Filter | None, Price, float]] = [
        (f"synthetic share {value:.3g}", filtering, price, value)
        for value in (corpus.low, corpus.high)
        if value != corpus.value
    ]
    if filtering is not None:
        tpr, fpr = filtering.tpr, filtering.fpr
        others = [(f"tpr {value:.3g}", Filter(filtering.name, _sure(value), fpr)) for value in _ends(tpr)]
        others += [(f"fpr {value:.3g}", Filter(filtering.name, tpr, _sure(value))) for value in _ends(fpr)]
        cases += [(name, changed, price, corpus.value) for name, changed in others]
    for key in ("fresh", "call"):
        value = getattr(price, key)
        if value and (key == "fresh" or filtering is not None):
            cases += [
                (f"price of a {'fresh item' if key == 'fresh' else 'call'} {value * factor:g}", filtering,
                 dataclasses.replace(price, **{key: value * factor}), corpus.value)
                for factor in (0.5, 2.0)
            ]  # fmt: skip
    found = []
    for name, standing, paid, share in cases:
        option = _option(need, question, paid, standing, best.filtered, share)
        found.append(Scenario(name, option.buy, option.cost))
    return tuple(found)


def _ends(range_: Ranged) -> list[float]:
    return [value for value in (range_.low, range_.high) if value != range_.value]


def _sure(value: float) -> Ranged:
    return Ranged(value, value, value)


def _affordable(question: Question, options: list[Option]) -> dict[str, Any]:
    """The option that gets the largest human share out of the budget."""
    price, n = question.price, question.items
    best: dict[str, Any] = {}
    for option in options:
        per_item = option.filtered * price.call / option.yields
        spare = float(price.budget or 0.0) - n * per_item
        slope = price.fresh - per_item
        fresh = math.floor(min(n, spare / slope)) if slope > 0 and spare > 0 else 0
        if spare < 0 or option.name == "all fresh":
            continue
        human = (fresh + (n - fresh) * (1 - option.synthetic)) / n
        if not best or human > best["human_share"]:
            best = {"option": option.name, "fresh": fresh, "human_share": human}
    return best
