"""Rules of curation: the weight of a document as a function of its score, small enough to be written down."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from remission.clinic.curation.cells import Cell, rounded
from remission.errors import DataError
from remission.numerics.arrays import Floats

POLICIES = ("exclude", "weigh", "cap")


@dataclass(frozen=True)
class Rule:
    """The weight of a document of one stratum and kind: steps of the score as the census rounds it.

    Attributes:
        stratum: whose documents.
        kind: of the calibration.
        policy: ``exclude``, ``weigh`` or ``cap``.
        edges: (e,) scores at which the weight changes, ascending; a score that equals an edge lies below it.
        weights: (e + 1,) of the documents between them, 0 .. 1; 0 drops them.
        reason: why a document that the rule drops is dropped.
    """

    stratum: str
    kind: str
    policy: str
    edges: tuple[float, ...] = ()
    weights: tuple[float, ...] = (1.0,)
    reason: str = ""

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise DataError(f"A rule's policy is one of {', '.join(POLICIES)}. Got '{self.policy}'.")
        if len(self.weights) != len(self.edges) + 1 or not all(0 <= weight <= 1 for weight in self.weights):
            raise DataError("A rule needs one weight of 0 to 1 more than it has edges.")
        if any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise DataError("The edges of a rule must ascend.")

    def weight(self, scores: npt.ArrayLike) -> Floats:
        """Weights (n,) of documents with these scores (n,), rounded first. Raises DataError for NaN.

        >>> Rule("all", "news", "exclude", (0.5,), (1.0, 0.0)).weight([0.1, 0.5, 0.6]).tolist()
        [1.0, 1.0, 0.0]
        """
        given = np.asarray(scores, dtype=float)
        if np.isnan(given).any():
            raise DataError(
                "A rule judges documents by their score; documents without one must be decided on otherwise."
            )
        return np.asarray(self.weights)[np.searchsorted(np.asarray(self.edges), rounded(given), "left")]

    @property
    def drops_all(self) -> bool:
        """Whether nothing is kept, whatever it scores."""
        return not any(self.weights)

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "stratum": self.stratum, "kind": self.kind, "policy": self.policy,
            "edges": list(self.edges), "weights": list(self.weights), "reason": self.reason,
        }  # fmt: skip

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Rule:
        """What ``table`` gave."""
        fields = dict(table) | {name: tuple(map(float, table[name])) for name in ("edges", "weights")}
        return cls(**fields)


@dataclass(frozen=True)
class Rules:
    """The rules of a corpus, one for each cell.

    Attributes:
        policy: of all of them.
        rules: in the order of the cells.
        facts: what was asked and found, plain values.
        notes: for the reader.
    """

    policy: str
    rules: tuple[Rule, ...]
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    @functools.cached_property
    def _by_cell(self) -> dict[tuple[str, str], Rule]:
        return {(rule.stratum, rule.kind): rule for rule in self.rules}

    def find(self, stratum: str, kind: str) -> Rule | None:
        """The rule of a cell; None: none was made."""
        return self._by_cell.get((stratum, kind))

    def rule(self, stratum: str, kind: str) -> Rule:
        """The rule of a cell. Raises DataError when there is none."""
        found = self.find(stratum, kind)
        if found is None:
            raise DataError(f"No rule was made for documents of the stratum '{stratum}' and the kind '{kind}'.")
        return found

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "policy": self.policy, "facts": dict(self.facts), "notes": list(self.notes),
            "rules": [rule.table() for rule in self.rules],
        }  # fmt: skip

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Rules:
        """What ``table`` gave."""
        rules = tuple(Rule.of(row) for row in table["rules"])
        return cls(table["policy"], rules, dict(table["facts"]), tuple(table["notes"]))


def keep_all(cells: Sequence[Cell], policy: str = "exclude") -> Rules:
    """Rules that drop nothing: what the corpus is before curation."""
    return Rules(policy, tuple(Rule(cell.stratum, cell.kind, policy) for cell in cells), {})
