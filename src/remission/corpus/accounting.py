"""What became of every row that was read: nothing is dropped without a word."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 20  # kept of what was set aside


@dataclass(eq=False)
class Accounting:
    """Counts of rows, with the reason and the place of those set aside.

    Attributes:
        kept: rows that became documents.
        dropped: rows left out because the caller asked for it (a filter, a limit).
        reasons: how many rows, or whole files, were set aside for each reason.
        examples: the first of them: ``file``, ``line`` (from 1; null for a whole file) and ``reason``.
        files: files read.
        ignored: files of a folder that are no documents, such as a README beside tables.
    """

    kept: int = 0
    dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    files: int = 0
    ignored: list[str] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Rows set aside because they are no usable documents."""
        return sum(self.reasons.values())

    def set_aside(self, file: str, line: int | None, reason: str) -> None:
        """Count a row that cannot be used."""
        self.reasons[reason] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append({"file": file, "line": line, "reason": reason})

    def table(self) -> dict[str, Any]:
        """As plain values: ``in = kept + dropped + quarantined``."""
        return {
            "in": self.kept + self.dropped + self.quarantined,
            "kept": self.kept,
            "dropped": self.dropped,
            "quarantined": self.quarantined,
            "reasons": dict(self.reasons.most_common()),
            "examples": self.examples,
            "files": self.files,
            "ignored": self.ignored,
        }

    def first(self) -> str:
        """The commonest reason with an example, as a sentence; empty when nothing was set aside."""
        if not self.reasons:
            return ""
        reason, count = self.reasons.most_common(1)[0]
        place = next((row for row in self.examples if row["reason"] == reason), None)
        where = ""
        if place is not None:
            where = f" ({place['file']}" + (f", line {place['line']})" if place["line"] else ")")
        return f"{self.quarantined} set aside; the commonest reason: {reason}, {count} times{where}."
