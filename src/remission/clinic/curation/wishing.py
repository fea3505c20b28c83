"""What is asked of a curation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from remission.clinic.archive.record import licence
from remission.errors import SpecError, did_you_mean

Policy = Literal["exclude", "weigh", "cap"]
Columns = Literal["all", "none"] | tuple[str, ...]

POLICIES = ("exclude", "weigh", "cap")


def _meant(name: str, given: float, usual: float) -> str:
    """What to give instead; a number from 1 is likely meant in per cent.

    >>> _meant("cap", 5.0, 0.05), _meant("fdr", 0.0, 0.05)
    ('Got 5; 5 % is 0.05: give --cap 0.05.', 'Got 0. Try 0.05.')
    """
    if 1 <= given < 100:
        return f"Got {given:g}; {given:g} % is {given / 100:g}: give --{name} {given / 100:g}."
    return f"Got {given:g}. Try {usual:g}."


@dataclass(frozen=True)
class Wish:
    """What is asked.

    Attributes:
        policy: ``exclude``: drop what is likely synthetic; ``weigh``: keep by the probability of human origin; ``cap``: drop
            the most suspicious of each stratum until so much is left.
        fdr: of ``exclude``: expected share of human documents among the dropped ones.
        cap: of ``cap``: expected synthetic share of each stratum that is left.
        unjudged: ``keep`` or ``drop`` documents nothing is said of.
        generations: the lab looks ahead; temperature: at which its models sample; simulate: also run loops on a surrogate of
            the corpus.
        level: of intervals; None: that of the census.
        columns: of the corpus, that are carried along with documents: ``all``, ``none``, or names.
        name, licences, creators: for the card.
        seed: of the sample that the lab looks at.
    """

    policy: Policy
    fdr: float = 0.05
    cap: float = 0.1
    unjudged: Literal["keep", "drop"] = "keep"
    generations: int = 10
    temperature: float = 1.0
    simulate: bool = False
    level: float | None = None
    name: str = "curated corpus"
    licences: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    seed: int = 0
    columns: Columns = "all"

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise SpecError(f"There is no policy '{self.policy}'. {did_you_mean(self.policy, POLICIES)}")
        for name in ("fdr", "cap"):
            if not 0 < getattr(self, name) < 1:
                raise SpecError(f"{name} lies above 0 and below 1. {_meant(name, getattr(self, name), 0.05)}")
        if self.unjudged not in ("keep", "drop"):
            raise SpecError(f"unjudged is 'keep' or 'drop'. Got '{self.unjudged}'.")
        if self.generations < 1:
            raise SpecError(f"The lab looks at least 1 generation ahead. Got {self.generations}.")
        if not 0 < self.temperature < math.inf:
            raise SpecError(
                f"A temperature is a number above 0; 1 samples models as they are. Got {self.temperature:g}."
            )
        if self.level is not None and not 0 < self.level < 1:
            raise SpecError(f"The level of intervals lies above 0 and below 1. {_meant('level', self.level, 0.95)}")
        if isinstance(self.columns, str) and self.columns not in ("all", "none"):
            raise SpecError(f"columns is 'all', 'none' or a tuple of names. Got '{self.columns}'.")
        if not all(isinstance(one, str) and one for one in self.columns) or not self.columns:
            raise SpecError(f"Columns have names. Got {self.columns!r}. 'none' carries none along.")
        if self.seed < 0:
            raise SpecError(f"A seed is a whole number from 0. Got {self.seed}.")
        if not self.name.strip():
            raise SpecError("The data set needs a name, for its card.")
        for one in self.licences:
            licence(one)

    @property
    def said(self) -> str:
        """The policy in words."""
        more = {"exclude": f" (false discovery rate {self.fdr:g})", "cap": f" (at most {100 * self.cap:g} % synthetic)"}
        return self.policy + more.get(self.policy, "")

    def table(self) -> dict[str, Any]:
        """What the files depend on."""
        columns = self.columns if isinstance(self.columns, str) else list(self.columns)
        return {
            "policy": self.policy, "fdr": self.fdr, "cap": self.cap, "unjudged": self.unjudged, "columns": columns,
        }  # fmt: skip
