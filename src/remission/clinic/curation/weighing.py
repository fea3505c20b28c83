"""Weigh documents by the probability that they are human."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from remission.calibration.misfit import cells as quantile_edges
from remission.clinic.curation._mixture import Mixture, mixture
from remission.clinic.curation.cells import Cell, Kind, kinds
from remission.clinic.curation.rules import Rule, Rules
from remission.errors import DataError
from remission.numerics.arrays import Floats
from remission.scored import Sample

_BINS = 20
_FEWEST = 3  # strata from which shares are moved towards their mean
_EACH = 25  # items of the smaller class for every bin of the ratio: fewer make weights fit the noise of the calibration


def weigh(cells: Sequence[Cell]) -> Rules:
    r"""Importance weights that turn the mix of a cell into its human part, as far as the score tells them apart.

    With share pi and density ratio r = synthetic : human at a score, the weight is

        w = P(human | score) = (1 - pi) / (1 - pi + pi r).

    Since (1 - pi) h + pi s is the density of the mix, w times it is (1 - pi) h: the weighted mean over the corpus of any
    function of the score is its mean over human documents. For a function of the document that holds when it depends on
    the origin through the score alone (the score is sufficient); what the score does not see stays as it was mixed. What is left
    is pi E_synthetic[w] / E_mix[w] = E_human[pi r / (1 - pi + pi r)].

    r is a step function over at most 20 quantiles of both calibration samples (25 items of the smaller one for each), each a ratio of
    shares with one pseudo-item of either class spread as logistic calibration expects, made monotone by pooling
    neighbours (isotonic regression). Logistic calibration alone is biased where log r is no line in the score, isotonic
    regression alone fits the noise of a few hundred items.

    Where only bounds are known, the low end is taken for pi: the share that the human calibration proves. The high end is often
    1 and would drop everything. Without synthetic items of the kind r is unknown, and (1 - pi) h / mix is learned from the
    calibration humans and the corpus itself, cut at 1.

    A stratum of several kinds need not be as synthetic in one kind as in another. There the share given is moved to what the cell
    itself says, by the part 1 - v / d^2 of the distance d that is more than its noise v (Breiman's garrote, Technometrics
    37, 373, 1995).

    Args:
        cells: the corpus; ``share`` of each is used as given where it is the only cell of its stratum.
    """
    known = kinds(cells)
    ratios = {
        name: _steps(kind) for name, kind in known.items() if kind.synthetic is not None
    }  # a cell with bounds has them too when its scores are no mix: the panel's ratio is then still the best there is
    several = Counter(cell.stratum for cell in cells)
    mixes = {
        (cell.stratum, cell.kind): mixture(cell, known[cell.kind], several[cell.stratum] > 1)
        for cell in cells
        if cell.known
    }
    shrunk = _shrunk(cells, mixes)
    rules, notes = [], []
    for cell in cells:
        bounded = not np.isfinite(cell.share.value)
        share = cell.share.low if bounded else shrunk.get(cell.stratum, cell.share.value)
        if cell.known and several[cell.stratum] > 1:
            share = _own(mixes[cell.stratum, cell.kind], share)
        if cell.kind in ratios:
            edges, ratio = ratios[cell.kind]
            weights = _posterior(share, ratio)
        else:
            edges, weights = _without_synthetic(cell, known[cell.kind], share)
        if bounded:
            notes.append(
                f"{cell.stratum}, {cell.kind}: only bounds are known; weights take the low end, {100 * share:.1f} %."
            )
        rules.append(_rule(cell, edges, weights))
    return Rules("weigh", tuple(rules), {}, tuple(notes))


def _rule(cell: Cell, edges: Floats, weights: Floats) -> Rule:
    changed = np.flatnonzero(np.diff(weights) != 0)
    kept = np.concatenate([weights[changed], weights[-1:]])
    return Rule(
        cell.stratum, cell.kind, "weigh", tuple(edges[changed].tolist()), tuple(kept.tolist()),
        "surely synthetic: its weight is 0",
    )  # fmt: skip


def _shrunk(cells: Sequence[Cell], mixes: Mapping[tuple[str, str], Mixture]) -> dict[str, float]:
    """The shares of strata that are estimated, each moved towards all of them by the part that is noise."""
    strata: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.known and mixes[cell.stratum, cell.kind].gap:
            strata.setdefault(cell.stratum, []).append(cell)
    given = {name: of[0].share.value for name, of in strata.items()}
    if len(strata) < _FEWEST:
        return given
    parts = [[(one.n, mixes[one.stratum, one.kind]) for one in of] for of in strata.values()]
    n = np.array([sum(size for size, _ in one) for one in parts])
    uncut = np.array([sum(size * mix.share for size, mix in one) for one in parts]) / n
    middle = np.array([np.average(uncut, weights=n).clip(0, 1)])
    noise = np.array([sum(size**2 * float(mix.sampling(middle)[0]) for size, mix in one) for one in parts]) / n**2
    weight = 1 / noise
    mean = np.average(uncut, weights=weight)
    spare = float(weight @ (uncut - mean) ** 2) - (n.size - 1)
    between = max(0.0, spare / (weight.sum() - (weight**2).sum() / weight.sum()))
    mean = float(np.average(uncut, weights=1 / (noise + between)).clip(0, 1))
    kept = between / (between + noise)
    return {name: mean + part * (given[name] - mean) for name, part in zip(strata, kept.tolist(), strict=True)}


def _own(found: Mixture, share: float) -> float:
    """The share of a cell, from that of its stratum and its own estimate."""
    noise = float(found.variance(np.array([found.clipped]))[0]) * found.factor
    distance = found.clipped - share
    return share + distance * max(0.0, 1 - noise / distance**2) if distance else share


def _posterior(share: float, ratio: Floats) -> Floats:
    if share >= 1:
        return np.zeros(ratio.size)
    return (1 - share) / (1 - share + share * ratio)


def _steps(kind: Kind) -> tuple[Floats, Floats]:
    """Edges (e,) and density ratios synthetic : human (e + 1,) between them, ascending."""
    human, synthetic, logistic = kind.human, kind.synthetic, kind.ratio
    assert synthetic is not None
    assert logistic is not None
    units = min(int(one.units.max()) + 1 for one in (human, synthetic))
    edges = quantile_edges(human, synthetic, max(2, min(_BINS, units // _EACH)))
    shares, pulls = [], []
    total = sum(_binned(one, edges, np.ones(len(one))) for one in (human, synthetic))
    for one, of in ((human, 0.0), (synthetic, 1.0)):
        expected = sum(
            _binned(both, edges, abs(1 - of - logistic.posterior(both.scores))) for both in (human, synthetic)
        )
        shares.append(_binned(one, edges, np.ones(len(one))))
        pulls.append(expected / np.maximum(total, 1e-300) / (int(one.units.max()) + 1))
    p, q = (share + pull for share, pull in zip(shares, pulls, strict=True))
    posterior = _isotonic(q / (p + q), p + q)
    return edges, posterior / np.maximum(1 - posterior, 1e-12)


def _binned(sample: Sample, edges: Floats, values: Floats) -> Floats:
    """Sums of values over the bins, the sample's total weight being 1; an item on an edge lies below it."""
    places = np.searchsorted(edges, sample.scores, "left")
    return np.bincount(places, sample.weight / sample.weight.sum() * values, edges.size + 1).astype(float)


def _isotonic(values: Floats, weight: Floats) -> Floats:
    """The nearest ascending sequence in weighted squares, by pooling neighbours that are out of order."""
    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for value, mass in zip(values.tolist(), weight.tolist(), strict=True):
        means.append(value)
        masses.append(mass)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            both = masses[-2] + masses[-1]
            means[-2] = (means[-2] * masses[-2] + means[-1] * masses[-1]) / both
            masses[-2], sizes[-2] = both, sizes[-2] + sizes[-1]
            del means[-1], masses[-1], sizes[-1]
    return np.repeat(means, sizes)


def _without_synthetic(cell: Cell, kind: Kind, share: float) -> tuple[Floats, Floats]:
    """(1 - share) human : corpus by steps, from the calibration humans and the corpus, descending and at most 1."""
    if share <= 0:
        return np.empty(0), np.ones(1)
    corpus = Sample.of(cell.values, weight=cell.counts)
    bins = max(2, min(_BINS, int(min(kind.maxima.size, cell.size)) // _EACH))
    edges = quantile_edges(kind.human, corpus, bins)
    human, mix = (_binned(one, edges, np.ones(len(one))) for one in (kind.human, corpus))
    if not human.sum() or not mix.sum():  # cannot be with items in both, and would divide by nothing
        raise DataError(f"Cell '{cell.stratum}', kind '{cell.kind}' has no documents or no humans.")
    posterior = _isotonic(mix / np.maximum(human + mix, 1e-300), human + mix)  # of coming from the corpus: ascends
    with np.errstate(divide="ignore"):
        weights = np.minimum((1 - share) * (1 - posterior) / posterior, 1.0)
    return edges, weights
