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
    counts = facts.counts
    told = [
        f"{counts['kept']:,} of {counts['in']:,} documents of a corpus, kept by the policy {facts.policy}; {counts['dropped']:,} were dropped, "
        f"{counts['quarantined']:,} could not be judged and were set aside.",
        f"Estimated synthetic share of what is kept: {share(facts.residual)}; of the corpus before: {share(facts.before)}.",
    ]  # fmt: skip
    return " ".join([*told, *facts.outlook])


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
    told = [
        f"Synthetic documents remain: {share(facts.residual)}.",
        "Human documents were dropped as well, for no detector is free of errors; they are in dropped/ with the reason.",
    ]  # fmt: skip
    if not facts.counts["dropped"]:
        told = told[:1]
    if not facts.licences:
        told.append("No licence was stated: whoever uses the documents must find out what is allowed.")
    return [*told, *facts.limitations]
