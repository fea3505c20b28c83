"""Which random queues may be taken together: those that were drawn from the same items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Stratum = tuple[str, str]  # a modality, and a stratum of it


@dataclass(frozen=True)
class Drawn:
    """A random or stratified queue.

    Attributes:
        modality: that it was drawn from; empty: all.
        by: ``random`` or ``stratum``.
        strata: of it, with how many items each had.
        named_by: the field that strata are named by, where their numbers stand for its values.
        state: how many items had come in, and how many changes of what tells populations or strata apart: while it is the same,
            queues are drawn from the same items, but for erased ones, which leave every queue alike.
        said: (item, stratum) -> who reviewed it in this queue. Verdicts of other queues do not make an item of this one reviewed:
            else what was looked at earlier would be done first, and is not like the rest.
    """

    modality: str
    by: str
    strata: dict[str, int]
    state: tuple[int, int]
    said: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    named_by: str = ""

    def goes_with(self, other: Drawn) -> bool:
        """Whether both were drawn in the same way from the same items."""
        same = (self.modality, self.by, self.named_by) == (other.modality, other.by, other.named_by)
        return same and self.state == other.state and set(self.strata) == set(other.strata)

    @property
    def started(self) -> bool:
        """Whether an item of it has two reviews."""
        return any(len(who) >= 2 for who in self.said.values())


@dataclass(frozen=True)
class Sampled:
    """Reviewed items that stand for a population: (item, stratum) -> reviewers, and how many items each stratum has."""

    said: dict[tuple[str, Stratum], set[str]]
    sizes: dict[Stratum, int]


def newest(queues: Sequence[Drawn], ingested: int) -> tuple[Sampled, list[str]]:
    """The items of the newest queue with reviews and of those that go with it, and what a reader must know.

    A queue of one modality stands for that one, so the newest of each other modality is taken as well, weighted by their sizes.

    Args:
        queues: in their order.
        ingested: how many items came in until now.
    """
    started = [one for one in queues if one.started] or [one for one in queues if one.said]
    last: dict[str, Drawn] = {one.modality: one for one in started}
    if started and started[-1].modality == "":
        last = {"": started[-1]}
    else:
        last.pop("", None)
    said: dict[tuple[str, Stratum], set[str]] = {}
    left_out = 0
    for one in queues:
        if one.modality in last and one.goes_with(last[one.modality]):
            for (item, stratum), who in one.said.items():
                said.setdefault((item, (one.modality, stratum)), set()).update(who)
        else:
            left_out += one.started
    sizes = {(name, stratum): of for name, one in last.items() for stratum, of in one.strata.items()}
    notes = []
    if last:
        total, before = sum(sizes.values()), min(one.state[0] for one in last.values())
        kind = "" if "" in last else f" ({', '.join(sorted(last))})"
        if left_out or ingested > before:
            notes.append(f"The shares are of the {total:,} items{kind} that the newest reviewed queue was drawn from.")
        elif kind:
            notes.append(f"The shares are of {total:,} items{kind}.")
    if left_out:
        notes.append(
            f"{left_out} reviewed queues are left out of the shares: they were drawn in another way, or before more items came in."
        )
    if last and ingested > before:
        notes.append(f"{ingested - before:,} items came in since; make a new random queue to have the shares of all.")
    return Sampled(said, sizes), notes


def weighted(strata: Sequence[Stratum], hits: Sequence[bool], sizes: Mapping[Stratum, int]) -> tuple[float, float]:
    """Hits and items, as if drawn evenly: strata by their size, with the effective number (Kish, Survey Sampling, 1965).

    >>> weighted([("", "a"), ("", "b")], [True, False], {("", "a"): 1, ("", "b"): 1})
    (1.0, 2.0)
    """
    if not strata:
        return 0.0, 0.0
    have = Counter(strata)
    weights = np.array([sizes.get(one, have[one]) / have[one] for one in strata], float)
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    return effective * float((weights * np.array(hits)).sum() / weights.sum()), effective
