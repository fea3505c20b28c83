"""Scan a corpus for watermarks: every profile with every key in one pass, with a bound on the share of false discoveries."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from remission.clinic._marked import called_share, marked_share, none_found
from remission.clinic.profiles import Cutter, Hypothesis
from remission.documents import Documents
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.evidence import Evidence, Repeats, weigh
from remission.numerics.arrays import Booleans, Floats, Integers
from remission.segments import Segment, segments

Progress = Callable[[float, float], None]
Procedure = Literal["bh", "by"]
POOLED = 1e-3  # probability, over all hypotheses, below which a corpus is said to hold text of a key


@dataclass(frozen=True, eq=False)
class Scan:
    """What was found in n documents.

    Attributes:
        hypotheses: what was looked for.
        best: (n,) the hypothesis with the least p-value; -1 where nothing could be scored.
        scored: (n,) scores that count under it, repetitions left out.
        log10_p: (n,) of the document, corrected for the number of hypotheses. 0 where nothing was scored.
        q: (n,) the least rate of false discoveries at which the document is one.
        marked: (n,) whether it is one at ``rate``. False is no evidence of human origin.
        copy_of: (n,) the earlier document with the same content, which decides for both; -1: none.
        segments: marked parts by document, where asked for.
        by_profile: for every hypothesis: what all documents together say, and the share that it marked.
        shares: share of marked text, of the whole and of each stratum.
        rate: of false discoveries.
        procedure: ``bh`` or ``by``.
        repeats: what was counted once, see :class:`Wish`.
    """

    hypotheses: Sequence[Hypothesis]
    best: Integers
    scored: Integers
    log10_p: Floats
    q: Floats
    marked: Booleans
    copy_of: Integers
    segments: dict[int, list[Segment]]
    by_profile: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    rate: float
    procedure: Procedure
    repeats: str
    warnings: list[str] = field(default_factory=list)

    @property
    def fdr(self) -> dict[str, Any]:
        """The procedure and what it found."""
        tested = int(((self.best >= 0) & (self.copy_of < 0)).sum())
        return {
            "procedure": self.procedure, "rate": self.rate, "tested": tested, "hypotheses": len(self.hypotheses),
            "found": int((self.marked & (self.copy_of < 0)).sum()), "copies_of_found": int((self.marked & (self.copy_of >= 0)).sum()),
        }  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """How to scan.

    Attributes:
        rate: of false discoveries, over all documents.
        procedure: ``bh`` (Benjamini and Hochberg, for p-values that are independent or positively dependent), or ``by``
            (Benjamini and Yekutieli, for any dependence).
        repeats: ``passages``: what stands in 9 tokens that an earlier document has as well does not count again; ``corpus``: no scored
            tuple counts twice in the whole corpus, which makes p-values independent and finds less; ``text``: each document
            for itself.
        by: columns whose values are strata.
        segments: look for marked parts in every document that has ``part`` tokens or more.
        part: see above.
        level: of the intervals.
        seed: of the bootstrap and of random keys.
    """

    rate: float = 0.05
    procedure: Procedure = "bh"
    repeats: Literal["passages", "corpus", "text"] = "passages"
    by: tuple[str, ...] = ()
    segments: bool = False
    part: int = 200
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rate", "level"):
            if not 0 < getattr(self, name) < 1:
                raise SpecError(f"'{name}' is a probability, above 0 and below 1. Got {getattr(self, name)}.")


def scan(
    documents: Documents, looked_for: Sequence[Hypothesis], wish: Wish | None = None, progress: Progress | None = None
) -> Scan:
    """Test every document for every watermark.

    A document's p-value is the least over all hypotheses times their number (Bonferroni). Documents of equal content are
    tested once, and a passage that stands in a thousand documents counts in the first. What is left of dependence between
    documents, which share words under one key, is positive: false discoveries come in groups, and their expected rate holds.

    Args:
        documents: texts, or arrays of token numbers.
        looked_for: profiles with keys.
        wish: how.
        progress: told (hypotheses done, hypotheses).

    Raises:
        DataError: no document or hypothesis; tokens that a scheme cannot know.
    """
    wish = wish or Wish()
    if not len(documents) or not looked_for:
        raise DataError("A scan needs documents and at least one profile with a key.")
    copy_of = _copies(documents)
    own = np.flatnonzero(copy_of < 0)
    cutter = Cutter(documents.take(own))
    found: list[_Totals] = []
    for number, one in enumerate(looked_for):
        found.append(_Totals.of(one, cutter, wish.repeats))
        if progress is not None:
            progress(number + 1, len(looked_for))
    p = np.stack([one.log10_p for one in found])
    n = np.stack([one.n for one in found])
    best = np.where(n.any(axis=0), np.where(n > 0, p, np.inf).argmin(axis=0), -1)
    places = np.arange(own.size)
    least = np.minimum(0.0, np.where(best >= 0, p[best, places], 0.0) + math.log10(len(looked_for)))
    q = adjusted(least, best >= 0, wish.procedure)
    parts = _parts(looked_for, best, cutter, wish) if wish.segments else {}
    back = np.searchsorted(own, np.where(copy_of < 0, np.arange(len(documents)), copy_of))
    marked = q <= wish.rate
    shares, by_profile = _shares(cutter, looked_for, found, marked, best, wish)
    return Scan(
        looked_for, best[back], np.where(best >= 0, n[best, places], 0)[back], least[back], q[back], marked[back], copy_of,
        {int(own[place]): listed for place, listed in parts.items()}, by_profile, shares, wish.rate, wish.procedure,
        wish.repeats, _warnings(found, cutter, looked_for),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Totals:
    """What is kept of the evidence for a hypothesis: the scores of all tokens under all keys would fill the memory.

    Attributes:
        n, log10_p: (m,) of each document.
        pooled: n, total and log10 p of all documents together, everything counted once in all of them.
        excess: mean score above the expected one, in standard deviations of a score.
        repeated: share of what could be scored that came before.
    """

    n: Integers
    log10_p: Floats
    pooled: tuple[int, float, float]
    excess: float
    repeated: float

    @classmethod
    def of(cls, one: Hypothesis, cutter: Cutter, repeats: Repeats) -> _Totals:
        mark, tokens = one.profile.mark, cutter.tokens(one.profile)
        evidence = weigh(mark, one.key, tokens, repeats)
        # only what was counted once in all documents may be added up
        pooled = (evidence if repeats == "corpus" else weigh(mark, one.key, tokens, "corpus")).pooled
        n, total, _ = pooled
        excess = (total / n - evidence.law.mean) / math.sqrt(evidence.law.variance) if n else math.nan
        repeated = evidence.left_out / max(1, evidence.left_out + int(evidence.n.sum()))
        return cls(evidence.n, evidence.log10_p, pooled, excess, repeated)


def adjusted(log10_p: Floats, tested: Booleans, procedure: Procedure) -> Floats:
    """Q-values (n,): the least rate of false discoveries at which each would be one; 1 where it was not tested.

    Benjamini and Hochberg, JRSS B 57 (1995); Benjamini and Yekutieli, Annals of Statistics 29 (2001).

    >>> import numpy as np
    >>> adjusted(np.log10([0.01, 0.02, 0.9]), np.array([True, True, True]), "bh").round(3)
    array([0.03, 0.03, 0.9 ])
    """
    out = np.ones(log10_p.size)
    m = int(tested.sum())
    if not m:
        return out
    p = 10.0 ** log10_p[tested]
    factor = float((1 / np.arange(1, m + 1)).sum()) if procedure == "by" else 1.0
    order = np.argsort(p, kind="stable")
    steps = np.minimum.accumulate((p[order] * m * factor / np.arange(1, m + 1))[::-1])[::-1]
    values = np.empty(m)
    values[order] = np.minimum(steps, 1.0)
    out[tested] = values
    return out


def _copies(documents: Documents) -> Integers:
    """The first document with the same content, or -1."""
    first: dict[str, int] = {}
    return np.array(
        [found if (found := first.setdefault(name, i)) < i else -1 for i, name in enumerate(documents.hashes())]
    )


def _parts(looked_for: Sequence[Hypothesis], best: Integers, cutter: Cutter, wish: Wish) -> dict[int, list[Segment]]:
    """Marked parts of long documents. Each is tested under its best hypothesis at rate / hypotheses."""
    out: dict[int, list[Segment]] = {}
    for number, one in enumerate(looked_for):
        tokens = cutter.tokens(one.profile)
        chosen = np.flatnonzero((best == number) & (tokens.lengths >= wish.part))
        if not chosen.size:
            continue
        rows = [tokens.ids[tokens.starts[i] : tokens.starts[i + 1]] for i in chosen]
        level = wish.rate / len(looked_for)
        for segment in segments(one.profile.mark, one.key, type(tokens).of(rows), level, seed=wish.seed):
            out.setdefault(int(chosen[segment.text]), []).append(segment)
    return out


def _shares(
    cutter: Cutter, looked_for: Sequence[Hypothesis], found: Sequence[_Totals], marked: Booleans, best: Integers,
    wish: Wish,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Shares of strata, and a row for each hypothesis."""
    documents = cutter.documents
    limit = math.log10(POOLED / len(looked_for))
    present, rows = [], []
    everything = np.ones(len(documents), np.bool_)
    for number, (one, totals) in enumerate(zip(looked_for, found, strict=True)):
        n, _, pooled = totals.pooled
        share, called = None, int((marked & (best == number)).sum())
        if pooled <= limit or called:
            evidence = weigh(one.profile.mark, one.key, cutter.tokens(one.profile), wish.repeats)
            estimate = marked_share(evidence, everything, wish.level, wish.seed)
            share = estimate.table()
            if pooled <= limit or estimate.low > 0:  # a few called documents alone may be false discoveries
                present.append(evidence)
        rows.append(
            {
                "profile": one.profile.name, "key": one.key.name, "scheme": one.profile.mark.label, "tokens": n,
                "log10_p": pooled, "excess": totals.excess, "present": pooled <= limit,
                "documents": called, "share": share,
            }
        )  # fmt: skip
    strata = [("all", everything)]
    if wish.by:
        names = [" · ".join(values) for values in zip(*(documents.column(name) for name in wish.by), strict=True)]
        strata += [(name, np.array([other == name for other in names])) for name in sorted(set(names))]
    tested = best >= 0
    shares = []
    for name, chosen in strata:
        counts = {
            "n": int(chosen.sum()),
            "n_tested": int((tested & chosen).sum()),
            "n_marked": int((marked & chosen).sum()),
        }
        part = _share(present, chosen, counts["n_tested"], counts["n_marked"], wish)
        shares.append({"stratum": name, **part.table(), **counts})
    return shares, rows


def _share(present: Sequence[Evidence], chosen: Booleans, tested: int, called: int, wish: Wish) -> Estimate:
    """Of all keys that are present together; texts of different keys do not overlap. Else what was called, or was not."""
    parts = [marked_share(evidence, chosen, wish.level, wish.seed + i) for i, evidence in enumerate(present)]
    parts = [part for part in parts if part.n]
    if not parts:
        return called_share(called, tested, wish.level) if called else none_found(tested, wish.level)
    value = sum(part.value for part in parts)
    below = math.sqrt(sum((part.value - part.low) ** 2 for part in parts))
    above = math.sqrt(sum((part.high - part.value) ** 2 for part in parts))
    low = max(0.0, value - below) if any(part.low > 0 for part in parts) else 0.0
    return Estimate(min(1.0, value), low, min(1.0, value + above), wish.level, parts[0].method, parts[0].n)


def _warnings(found: Sequence[_Totals], cutter: Cutter, looked_for: Sequence[Hypothesis]) -> list[str]:
    out = []
    for one, totals in zip(looked_for, found, strict=True):
        lengths = cutter.tokens(one.profile).lengths
        if totals.repeated > 0.5:
            out.append(
                f"{one.profile.name}: {100 * totals.repeated:.0f} % of what could be scored came before in this corpus and did "
                f"not count"
            )
        short = int((lengths < 50).sum())
        if short > lengths.size / 2:
            out.append(
                f"{one.profile.name}: {short:,} of {lengths.size:,} documents have fewer than 50 tokens; few marks show there"
            )
    return list(dict.fromkeys(out))


COLUMNS = {
    "id": str, "marked": bool, "log10_p": float, "q": float, "profile": str, "key": str, "scored": int, "copy_of": str,
    "parts": str,
}  # fmt: skip


def rows(documents: Documents, found: Scan) -> Iterator[dict[str, Any]]:
    """One row for each document. ``parts`` are marked tokens as ``start-stop``; ``profile`` and ``key`` those of the least p."""
    names = documents.column("id").tolist()
    for i, name in enumerate(names):
        best, copy = int(found.best[i]), int(found.copy_of[i])
        one = found.hypotheses[best] if best >= 0 else None
        listed = found.segments.get(copy if copy >= 0 else i, [])
        yield {
            "id": name, "marked": bool(found.marked[i]), "log10_p": float(found.log10_p[i]), "q": float(found.q[i]),
            "profile": one.profile.name if one else None, "key": one.key.name if one else None,
            "scored": int(found.scored[i]), "copy_of": names[copy] if copy >= 0 else None,
            "parts": " ".join(f"{part.start}-{part.stop}" for part in listed),
        }  # fmt: skip
