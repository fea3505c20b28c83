"""The synthetic share of a whole corpus or training set: what is estimated, and documents of known origin beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from remission.clinic.census.answering import genuine, known_in
from remission.clinic.census.kept import ARCHIVED, DECLARED, MARKED, Kept
from remission.clinic.curation.residual import ALL, Residual, Row
from remission.clinic.curation.rules import Rules
from remission.clinic.prevalence import mixed
from remission.estimate import Estimate


def share_of(share: Estimate, weight: float, kept: Kept, after: bool, level: float) -> Estimate:
    """The share with documents of known origin joined to those it is of, as in the census; NaN and 0 .. 1 where there are none.

    Args:
        share: of judged documents of unknown origin.
        weight: of these.
        kept: documents of the census.
        after: of what is kept: then declared and watermarked documents are gone.
        level: of the interval.
    """
    tally = kept.tallies[ALL]
    known = known_in(tally)
    parts = [(weight, share)] if weight and not math.isnan(share.low) else []
    parts += [(float(known[ARCHIVED]), Estimate(0.0, 0.0, 0.0, level, "known", known[ARCHIVED]))]
    if not after:
        parts += [(float(known[DECLARED]), Estimate(1.0, 1.0, 1.0, level, "known", known[DECLARED]))]
        if kept.marking is not None and known[MARKED]:
            parts += [(float(known[MARKED]), genuine(kept.marking, tally, level))]
    parts = [(size, part) for size, part in parts if size]
    if not parts:
        return Estimate(math.nan, 0.0, 1.0, level, "nothing judged", 0)
    total = sum(size for size, _ in parts)
    joined = mixed([size / total for size, _ in parts], [part for _, part in parts])
    return replace(joined, method=share.method if share.method != "none" else "known")


def as_counted(left: Residual, shares: Mapping[str, Estimate]) -> Residual:
    """What rules leave beside the very shares that the census says, of the whole and of strata.

    Strata are inverted one by one on rounded scores, and added up; the census judges all documents together on their own
    scores. Both intervals hold, but one number should have one value. Where every weight is 1, the share after is that before.
    """
    rows = []
    for row in left.rows:
        share = shares.get(row.stratum, shares.get(ALL))
        if share is None or math.isnan(share.low) or not row.documents:
            rows.append(row)
            continue
        before = replace(share, n=round(row.documents))
        rows.append(replace(row, before=before, after=before if row.weight == row.documents else row.after))
    return replace(left, rows=tuple(rows))


def of_all(share: Estimate, weight: float, kept: Kept, after: bool, unjudged: int) -> Estimate:
    """The share of all documents, every content once: of those that nothing is said of, none or all may be synthetic.

    Args:
        share: what :func:`share_of` found, of judged documents and the known ones that it joined to them.
        weight: of judged documents of unknown origin.
        kept: documents of the census.
        after: of what is kept.
        unjudged: documents of unknown origin that nothing is said of, each with weight 1.

    Returns:
        Bounds, their value NaN, where there are such documents; else an estimate, which is ``share`` where that is of all.
    """
    tally = kept.tallies[ALL]
    inside, every = known_in(tally), tally.known + tally.unscored
    origins = (ARCHIVED,) if after else (ARCHIVED, DECLARED, MARKED)
    apart = {origin: float(every[origin] - inside[origin]) for origin in origins}
    if not unjudged and not any(apart.values()):
        return share
    joined = weight + sum(inside[origin] for origin in origins)
    parts = [(joined, share)] if joined else []
    parts += [(apart.get(DECLARED, 0.0), Estimate(1.0, 1.0, 1.0, share.level, "known", 0))]
    if apart.get(MARKED) and kept.marking is not None:
        parts += [(apart[MARKED], genuine(kept.marking, tally, share.level))]
    total = joined + sum(apart.values()) + unjudged
    value, low, high = (
        sum(size * getattr(part, name) for size, part in parts) / total for name in ("value", "low", "high")
    )
    high = min(1.0, high + unjudged / total)
    return Estimate(math.nan if unjudged else value, low, high, share.level, share.method, round(total))


def nothing_judged(policy: str, level: float) -> tuple[Rules, Residual]:
    """Where no document of unknown origin was judged: no rules, and nothing that they leave."""
    nothing = Estimate(math.nan, math.nan, math.nan, level, "none", 0)
    none = Estimate(0.0, 0.0, 0.0, level, "none", 0)
    row = Row(ALL, nothing, nothing, 0.0, 0.0, 0.0, 0.0, none, 0.0, math.nan)
    note = "The detector judged no document of unknown origin: nothing is decided by scores."
    return Rules(policy, (), {}, (note,)), Residual(policy, level, (row,))
