"""What a generation is trained on, as numbers that loop and theory both read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """``count`` new items of one origin, each of weight ``weight``."""

    origin: int  # 0 = real, g >= 1 = output of the model of fit g
    count: float  # a whole number; in a mixed recipe the expected number, which need not be whole
    weight: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """What generation t is trained on. Pure numbers: theory reads the same object as the loop.

    Attributes:
        arrivals: what is newly drawn; after curation it enters the pool as batch t.
        mixed: draw the origin of every arrival independently, with probabilities proportional to the counts,
            instead of the exact counts.
        batches: inclusive ranges (first, last) of pool batches that are trained on.
        take: train on a uniform random subset of that many of their items instead of on all.
        with_replacement: the subset is drawn with replacement.
    """

    arrivals: tuple[Part, ...]
    batches: tuple[tuple[int, int], ...]
    mixed: bool = False
    take: int | None = None
    with_replacement: bool = False

    @property
    def count(self) -> int:
        """How many items arrive."""
        return round(sum(part.count for part in self.arrivals))
