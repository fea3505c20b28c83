"""What a census was asked for and never met: columns, strata, dates, documents at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remission.clinic.census.receipts import kind_of
from remission.clinic.census.running import Census
from remission.clinic.census.units import Config
from remission.clinic.dates import told_undated
from remission.clinic.naming import visible
from remission.corpus._files import suffix
from remission.corpus.spans import LINES
from remission.errors import DataError

_SHOWN = 3  # reasons, or names, in a message
_OF_DATES = ("month", "year", "date")  # where nothing is dated, the placebo says so


def never_met(census: Census, config: Config) -> list[str]:
    """Warnings of columns of strata that no document fills, and of strata with a rate of their own that did not occur."""
    met = [name.split(" | ") for name in census.receipt.strata] if config.by else []
    found = [
        f"--by {name}: no document has such a value; is the column named so? Names are matched letter by letter."
        for place, name in enumerate(config.by)
        if name not in _OF_DATES and met and all(parts[place] == visible(f"{name}=") for parts in met)
    ]
    there = {part for parts in met for part in parts}
    for part, _ in config.sampling.strata:
        if visible(part) not in there:
            column = visible(part.partition("=")[0])
            others = sorted(one for one in there if one.startswith(f"{column}="))
            shown = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
            found.append(f"--sample {part}: no document of such a stratum was scored. There were: {shown}.")
    return found


def odd_dates(census: Census) -> list[str]:
    """A warning of documents whose date is filled and none."""
    receipt = census.receipt
    if not receipt.undated:
        return []
    first = receipt.odd_dates[0]
    return [told_undated(receipt.undated, f"'{first['value']}' in {first['file']}{place_in(first)}")]


def place_in(example: Mapping[str, Any]) -> str:
    """Where in its file an example lies: `` at row 7``; empty for a file of its own."""
    if example["place"] is None:
        return ""
    return f" at {'byte' if suffix(Path(example['file'])) in LINES else 'row'} {example['place']:,}"


def undeclared(census: Census, config: Config) -> list[str]:
    """A note where a column was named to declare documents and none of them does."""
    if not config.declared or any(stratum.declared for stratum in census.receipt.strata.values()):
        return []
    return [f"--declared {config.declared}: no document declares that it is synthetic; is the column named so?"]


def nothing_kept(census: Census) -> DataError:
    """Why there is nothing to answer: the main reasons, and where the first was met."""
    receipt = census.receipt
    if not receipt.seen:
        count = len(census.manifest.inputs)
        return DataError(
            f"No usable document was found: the {count:,} file{'s' if count != 1 else ''} read hold no row."
        )
    told = []
    for what, counts in (("set aside", receipt.quarantined), ("left out", receipt.dropped)):
        reasons = Counter(counts).most_common()
        told += [f"{n:,} {what}: {reason}{_first(census, reason)}" for reason, n in reasons[:_SHOWN]]
        told += [f"{sum(n for _, n in reasons[_SHOWN:]):,} {what} for other reasons"] if len(reasons) > _SHOWN else []
    return DataError(
        f"No usable document was found among {receipt.seen:,} row{'s' if receipt.seen != 1 else ''}. {'; '.join(told)}. Name the "
        "columns with --text, or other files; the same folder can be used again."
    )


def _first(census: Census, reason: str) -> str:
    place = next((one for one in census.receipt.examples if kind_of(one["reason"]) == reason), None)
    return "" if place is None else f" (first in {place['file']})"
