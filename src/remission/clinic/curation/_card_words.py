"""What a card says in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from remission.estimate import Estimate

if TYPE_CHECKING:
    from remission.clinic.curation.card import CardFacts

COLLECTION = (
    "Documents of an existing corpus, as they were. How they were collected was not stated when the card was made."
)
MAINTENANCE = "A fixed set of files: nothing is added or removed under this version. Their hashes are in SHA256SUMS."


def share(one: Estimate) -> str:
    """A share with its interval.

    >>> share(Estimate(0.04, 0.02, 0.07, 0.95, "", 1)), share(Estimate(float("nan"), 0.0, 0.1, 0.95, "", 1))
    ('4 % (95 % interval 2 to 7 %)', 'between 0 and 10 % (95 % bounds)')
    """
    low, high, level = f"{100 * one.low:.3g}", f"{100 * one.high:.3g}", f"{100 * one.level:g} %"
    if math.isnan(one.value):
        return f"between {low} and {high} % ({level} bounds)"
    return f"{100 * one.value:.3g} % ({level} interval {low} to {high} %)"


def description(facts: CardFacts) -> str:
    """A paragraph."""
    return " ".join([made(facts), *shares(facts)])


def made(facts: CardFacts) -> str:
    """What became of how many documents."""
    counts = facts.counts
    return (
        f"{counts['kept']:,} of {counts['in']:,} documents of a corpus, kept by the policy {facts.policy}; {counts['dropped']:,} were dropped, "
        f"{counts['quarantined']:,} could not be read and were set aside."
    )  # fmt: skip


def shares(facts: CardFacts) -> list[str]:
    """The synthetic share after and before, of whom."""
    if not any(facts.unjudged.values()):
        return [
            f"Estimated synthetic share of what is kept: {share(facts.residual)}; of the corpus before: {share(facts.before)}."
        ]
    assert facts.residual_of_all is not None
    assert facts.before_of_all is not None
    kept, dropped, judged = (
        facts.unjudged["kept"],
        facts.unjudged["dropped"],
        facts.counts["kept"] - facts.unjudged["kept"],
    )
    told = [
        f"Estimated synthetic share of the {judged:,} kept documents that were judged: {share(facts.residual)}; of the judged documents of "
        f"the corpus before: {share(facts.before)}."
    ]  # fmt: skip
    if kept:
        told.append(
            f"{kept:,} more documents are kept that the detector could not judge. They may be human or synthetic, all of them: of all "
            f"{facts.counts['kept']:,} kept documents the synthetic share lies {span(facts.residual_of_all)}, of the corpus before {span(facts.before_of_all)}."
        )  # fmt: skip
    if dropped:
        told.append(
            f"{dropped:,} documents were dropped because the detector could not judge them: of the whole corpus before the synthetic share "
            f"lies {span(facts.before_of_all)}."
        )  # fmt: skip
    return told


def span(one: Estimate) -> str:
    """Between which ends a share lies.

    >>> span(Estimate(0.04, 0.02, 0.07, 0.95, "", 1))
    'between 2 and 7 %'
    """
    return f"between {100 * one.low:.3g} and {100 * one.high:.3g} %"


def protocol(facts: CardFacts) -> list[str]:
    """What was done, step by step."""
    steps = [f"A census scored every document{f' with the detector {facts.detector}' if facts.detector else ''}."]
    if facts.census:
        steps.append(f"The seal of the census is {facts.census} (sha256).")
    steps.append(f"Documents were kept or dropped by the policy {facts.policy}.")
    steps += [f"{name}: {_above(value)}." for name, value in facts.thresholds.items()]
    steps += [f"Dropped, reason '{reason}': {count:,}." for reason, count in facts.reasons.items()]
    return steps


def _above(value: float | str) -> str:
    return value if isinstance(value, str) else f"scores above {value:.6g} are dropped"


def biases(facts: CardFacts) -> list[str]:
    """Known biases: a detector's errors are not spread evenly."""
    told = "A detector errs more often on some kinds of human text than on others; what it called synthetic is under-represented here."
    return [told, *facts.biases]


def limitations(facts: CardFacts) -> list[str]:
    """What must not be expected."""
    of = " of the judged documents" if any(facts.unjudged.values()) else ""
    told = [
        f"Synthetic documents remain: {share(facts.residual)}{of}.",
        "Human documents may be among the dropped ones, for no detector is free of errors; these are in dropped/ with the reason.",
    ]  # fmt: skip
    if not facts.counts["dropped"]:
        told = told[:1]
    if facts.unjudged["kept"]:
        told.append(
            f"{facts.unjudged['kept']:,} of the {facts.counts['kept']:,} kept documents were not judged; nothing is known of their origin."
        )
    if facts.unjudged["dropped"]:
        told.append(
            f"{facts.unjudged['dropped']:,} documents were dropped because they could not be judged; how many of them are human is not known."
        )
    if not facts.licences:
        told.append("No licence was stated: whoever uses the documents must find out what is allowed.")
    return [*told, *facts.warnings, *facts.limitations]
