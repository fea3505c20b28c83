"""README.md: the card in words, with the header that Hugging Face reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from remission.clinic.curation import _card_words as words
from remission.clinic.curation._card_files import COLUMNS, Group

if TYPE_CHECKING:
    from remission.clinic.curation.card import CardFacts

_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"), (1e8, "10M<n<100M"),
          (1e9, "100M<n<1B"), (1e10, "1B<n<10B"), (1e11, "10B<n<100B"), (1e12, "100B<n<1T"))  # fmt: skip


def text(facts: CardFacts, groups: Mapping[str, Group]) -> str:
    """The whole file."""
    parts = [*_header(facts, groups), f"# {_line(facts.name)}", "", words.made(facts), ""]
    counts = {**facts.counts, **{f"{name}, not judged": count for name, count in facts.unjudged.items() if count}}
    parts += _table(("documents", "number"), [(name, f"{count:,}") for name, count in counts.items()])
    parts += [
        "## Synthetic share",
        "",
        *words.shares(facts),
        "",
    ]
    if set(facts.strata) - {"all"}:
        parts += _table(
            ("stratum", "synthetic share of what is kept and judged"),
            [(name, words.share(one)) for name, one in facts.strata.items()],
        )
    if facts.outlook:
        parts += ["## What it does to the next generations", "", *facts.outlook, ""]
    parts += ["## How it was made", "", facts.collection or words.COLLECTION, "", *_list(words.protocol(facts))]
    if facts.detector_hash:
        parts += [f"The detector's file has the sha256 `{facts.detector_hash}`.", ""]
    parts += ["## Biases", "", *_list(words.biases(facts)), "## Limitations", "", *_list(words.limitations(facts))]
    parts += [
        "## Maintenance",
        "",
        facts.maintenance or words.MAINTENANCE,
        "",
        "## Licence",
        "",
        ", ".join(facts.licences) or "Not stated.",
        "",
    ]
    for group in groups.values():
        parts += [
            f"## {group.name.capitalize()} documents",
            "",
            f"{group.rows:,} rows in {len(group.files)} file(s), `{group.name}/*.parquet`.",
            "",
        ]
        if group.name == "kept" and "weight" in group.columns:
            count = "In training every document should count as its `weight` says."
            parts += [count if facts.weighted else "All of them have the weight 1.", ""]
        described = COLUMNS | dict(facts.columns)
        parts += _table(("column", "what it is"), [(name, described.get(name, "")) for name in group.columns])
    parts += ["Check the files with `sha256sum -c SHA256SUMS`; `croissant.json` describes them for programs.", ""]
    return "\n".join(parts)


def _header(facts: CardFacts, groups: Mapping[str, Group]) -> list[str]:
    """YAML; JSON strings are YAML strings."""
    size = next((name for most, name in _SIZES if facts.counts["kept"] < most), "n>1T")
    lines = ["---", f"pretty_name: {json.dumps(_line(facts.name))}", f"license: {json.dumps(_licence(facts.licences))}"]
    if facts.languages:
        lines += ["language:", *(f"- {json.dumps(one)}" for one in facts.languages)]
    lines += ["size_categories:", f"- {json.dumps(size)}", "configs:"]
    for group in groups.values():
        name = "default" if group.name == "kept" else group.name
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {group.name}/*.parquet"]
    return [*lines, "---", ""]


def _licence(licences: tuple[str, ...]) -> str:
    """The identifier of the hub: one licence in small letters; ``other`` for several, ``unknown`` for none."""
    if not licences:
        return "unknown"
    plain = len(licences) == 1 and " " not in licences[0] and not licences[0].startswith("LicenseRef")
    return licences[0].lower() if plain else "other"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    cells = [" | ".join(_line(str(cell)).replace("|", "\\|") for cell in row) for row in rows]
    return [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *(f"| {row} |" for row in cells), ""]


def _list(lines: Iterable[str]) -> list[str]:
    return [*(f"- {_line(line)}" for line in lines), ""]


def _line(text: str) -> str:
    """On one line, whatever was given."""
    return " ".join(text.split())
