"""A finished (or unfinished) run as plain data: what reports, tables and ``--json`` are made from."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from remission.data import Array
from remission.lab.summary import heavy_tails, summary
from remission.lab.verdicts import profile_of, verdicts_of
from remission.store import Run


def display_names(names: list[str], points: list[dict[str, Any]]) -> list[str]:
    """Names of grid points for people: ``replace`` says enough when nothing but the regime was varied.

    >>> display_names(["regime=replace", "regime=fresh(share=0.1)"], [{"regime": "replace"}, {"regime": {}}])
    ['replace', 'fresh(share=0.1)']
    """
    parts = {"regime", "model", "source"}
    if all(len(settings) == 1 and next(iter(settings)) in parts for settings in points):
        return [name.partition("=")[2] for name in names]
    return names


class Reading:
    """Everything a report needs, from the files of a run folder alone: no model is imported."""

    def __init__(self, run: Run) -> None:
        """Read lazily from ``run``."""
        self.run = run
        self.toml = run.toml
        self.notes: list[str] = run.notes
        self.provenance: dict[str, Any] = run.provenance | ({"notes": self.notes} if self.notes else {})
        self.points: list[dict[str, Any]] = run.facts["points"]
        self.point_names: list[str] = display_names(run.facts["point_names"], self.points)
        self.space: dict[str, Any] = run.facts["space"]
        self.directions: dict[str, str] = run.facts["directions"]
        self.theory: list[dict[str, Any]] = run.facts["theory"]
        self.refused: list[dict[str, Any]] = run.facts["refused"]
        self.neutral: list[dict[str, Any]] = run.facts.get("neutral", [])
        self.citations: list[str] = run.facts["citations"]

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The resolved experiment as nested tables."""
        return self.run.tables

    @cached_property
    def summary(self) -> list[dict[str, Any]]:
        """See :func:`remission.lab.summary.summary`."""
        return summary(self.run)

    @cached_property
    def samples(self) -> dict[int, dict[int, Array]]:
        """Point -> generation -> example items; generation 0 is real."""
        return self.run.samples

    @cached_property
    def warnings(self) -> list[str]:
        """Of the checks, and about means that cannot be believed."""
        told = list(self.run.facts["warnings"]) + heavy_tails(self.summary, self.point_names)
        return told if self.run.is_complete else [*told, "The run is not finished: some replicates are missing."]

    @cached_property
    def profile(self) -> list[dict[str, Any]]:
        """The collapse profile: what moved on the axes fidelity, diversity, tails, authenticity."""
        return profile_of(self.run)

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """A verdict per published definition of collapse, for every point."""
        return verdicts_of(self.run)
