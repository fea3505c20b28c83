"""The exceptions of remission.

::

    RemissionError                 everything we raise on purpose
    ├── UsageError                 bad input or wrong usage: exit code 2
    │   ├── SpecError              an experiment that cannot be (unknown key, kind, combination, range)
    │   ├── DataError              data that cannot be used (missing, empty, NaN, wrong encoding, checksum)
    │   ├── StoreError             a run folder that cannot be read or written (foreign, read-only, full)
    │   └── MissingExtra           an optional dependency is not installed (says which extra)
    ├── FitError                   a model could not be fitted (too few points, singular, no convergence)
    ├── CurationError              a curator keeps so little that the training set cannot be filled
    └── VerificationError          the answer is "no": a stored result is not what it claims: exit code 1

Every message says what was given, what is allowed and what to try.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable


class RemissionError(Exception):
    """Base of everything remission raises on purpose."""

    exit_code = 2


class UsageError(RemissionError):
    """Bad input or wrong usage."""


class SpecError(UsageError):
    """An experiment that cannot be run as written."""


class DataError(UsageError):
    """Data that cannot be used."""


class StoreError(UsageError):
    """A run folder that cannot be read or written."""


class MissingExtra(UsageError):  # noqa: N818
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}'. Try: pip install 'remission[{extra}]'.")


def need(extra: str, purpose: str, *packages: str) -> None:
    """Raise MissingExtra for the first of these packages that is not installed. Imports none of them."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, extra, purpose)


class FitError(RemissionError):
    """A model could not be fitted to the data it was given."""


class CurationError(RemissionError):
    """A curator keeps so little that the training set cannot be filled."""


class VerificationError(RemissionError):
    """A stored result is not what it claims to be."""

    exit_code = 1


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """A sentence naming the allowed words, the nearest one first.

    >>> did_you_mean("replce", ["replace", "accumulate"])
    "Did you mean 'replace'? Choose from: accumulate, replace."
    >>> did_you_mean("x", [])
    'Nothing is allowed here.'
    """
    words = sorted(allowed)
    if not words:
        return "Nothing is allowed here."
    near = difflib.get_close_matches(given, words, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}Choose from: {', '.join(words)}."
