"""Which items may be drawn: those that reviewers certified, or all that are not erased, now or as of a size of the log."""

from __future__ import annotations

import functools
import re
import unicodedata

from remission.errors import DataError, SpecError
from remission.gold.archive import Archive

#: Shown as nothing, though no format characters: joiners, selectors of variants, fillers, an empty pattern of braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


@functools.lru_cache(1024)
def person(name: str) -> str:
    """Who a name stands for: names that differ in case, blanks or characters that nobody sees are of one person.

    Compared are compatible forms without case (Unicode, NFKC and full case folding). Nothing tells that other names, or letters that
    only look alike, are of one person.

    >>> person("Ann\u200b  LEE") == person("ann lee"), person("ann") == person("anne")
    (True, False)
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(
        one for one in folded if unicodedata.category(one) not in ("Cf", "Cc", "Cn") and not _UNSEEN.match(one)
    )
    return " ".join(seen.split())


def rule(votes: dict[str, str]) -> str:
    """What reviewers make of an item: two reviewers at least, and more of them than say the opposite: a third decides between two.

    >>> rule({"ann": "human"}), rule({"ann": "human", "bob": "human"}), rule({"ann": "human", "bob": "machine"})
    ('waiting', 'certified', 'disputed')
    """
    human, machine = (list(votes.values()).count(word) for word in ("human", "machine"))
    if human >= 2 and human > machine:
        return "certified"
    if machine >= 2 and machine > human:
        return "rejected"
    return "disputed" if len(votes) >= 2 else "waiting"


def certified_items(archive: Archive, at: int | None = None) -> list[str]:
    """Ids of the items that two reviewers certified, sorted: now and not erased, or as of a size of the log."""
    votes: dict[str, dict[str, str]] = {}
    gone = archive.log.erased if at is None else {}
    for number, entry in archive.log.entries():
        if at is not None and number >= at:
            break
        if entry["event"] == "review" and entry["item"] not in gone:
            votes.setdefault(entry["item"], {})[person(entry["reviewer"])] = entry["verdict"]
    return sorted(item for item, found in votes.items() if rule(found) == "certified")


def population(archive: Archive, at: int, certified: bool) -> list[str]:
    """Ids of the items that could be drawn when the log had ``at`` entries, in the order they came in.

    Raises:
        SpecError: the log never had that size. DataError: there are none.
    """
    if not 1 <= at <= archive.log.size:
        raise SpecError(f"'at' is a size that the log of '{archive.folder}' had: 1 to {archive.log.size}. Got {at}.")
    chosen = set(certified_items(archive, at)) if certified else None
    gone = {entry["item"] for number, entry in archive.log.entries() if number < at and entry["event"] == "tombstone"}
    found = [
        item
        for item, number in archive.log.items.pairs()
        if number < at and item not in gone and (chosen is None or item in chosen)
    ]
    if not found:
        hint = " Review some (`remission archive review`), or draw from all that are not erased (--all; in a [source]: "
        hint = f"{hint}certified = false)." if certified else ""
        raise DataError(f"There are no {'certified ' if certified else ''}items to draw from at size {at}.{hint}")
    return found


def texts(archive: Archive, items: list[str], at: int) -> list[str]:
    """Those of these items that were texts when the log had ``at`` entries, by their records, amendments, or tombstones."""
    within = set(items)
    was: dict[str, str] = {}
    amended: dict[str, str] = {}
    for number, entry in archive.log.entries():
        item, event = entry.get("item", ""), entry["event"]
        if item not in within:
            continue
        if event == "ingest" and "record" not in archive.log.erased.get(item, ()):
            was[item] = archive.record_at(number, entry).get("modality", "text")
        elif event == "tombstone" and "modality" in entry:
            was[item] = entry["modality"]
        elif event == "amend" and number < at and "modality" in entry["changes"]:
            amended[item] = entry["changes"]["modality"]
    return [item for item in items if amended.get(item, was.get(item, "text")) == "text"]
