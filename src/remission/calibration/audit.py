"""The artefact audit: does something trivial tell the human and the synthetic examples apart?

A detector trained or calibrated on such a set looks at how the texts were extracted, not at who wrote them, and its error
rates hold nowhere else.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from remission.calibration.characters import TEXT_FEATURES, features
from remission.calibration.rates import wilson
from remission.documents import Documents
from remission.errors import DataError
from remission.interfaces import Detector
from remission.numerics.arrays import Floats
from remission.numerics.discrepancy import chance_above

LIMIT = 0.70
LEVEL = 0.95  # of all intervals of an audit together


@dataclass(frozen=True)
class Finding:
    """How well one feature separates the classes.

    Attributes:
        feature: its name.
        domain: where; empty for all domains together.
        view: ``raw`` texts, or texts as ``seen`` by the detector after its own normalisation.
        auroc: max(a, 1 - a), 0.5 .. 1.
        more: which class has more of it.
        low: lower end of the interval; it is simultaneous over all findings of the audit.
        high: upper end.
        n: units of the smaller class.
    """

    feature: str
    domain: str
    view: str
    auroc: float
    more: str
    low: float
    high: float
    n: int

    @property
    def where(self) -> str:
        """The domain in words."""
        return f"domain '{self.domain}'" if self.domain else "all domains together"


@dataclass(frozen=True)
class Audit:
    """All findings, the most separating first."""

    findings: tuple[Finding, ...]
    limit: float = LIMIT

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """Features that separate by more than the limit, with the whole interval above it."""
        return tuple(found for found in self.findings if found.low > self.limit)

    @property
    def suspects(self) -> tuple[Finding, ...]:
        """Features above the limit in this sample, which may be chance."""
        return tuple(found for found in self.findings if found.auroc > self.limit >= found.low)

    def refuse(self, allow: bool = False) -> None:
        """Raise DataError naming the features that leak, unless they are allowed."""
        if not self.leaks or allow:
            return
        worst = {found.feature: found for found in reversed(self.leaks)}
        named = [
            f"'{found.feature}' (AUROC {found.auroc:.2f}, at least {found.low:.2f}, in {found.where}; more in "
            f"{found.more} items{', even after the normalisation of the detector' if found.view == 'seen' else ''})"
            for found in sorted(worst.values(), key=lambda found: -found.auroc)
        ]
        more = f"; and {len(named) - 3} more" if len(named) > 3 else ""
        raise DataError(
            f"Something trivial tells the human from the synthetic examples: {'; '.join(named[:3])}{more}. Error rates of a "
            f"detector fitted or calibrated on them would hold nowhere else. Next: prepare both kinds in the same way (one "
            f"extraction; the same layout, case and lengths) and run this again. Or take them as they are with allow_artefacts "
            f"(--allow-artefacts): every census and training set that the detector is used for then warns of it."
        )

    def table(self, most: int = 40) -> dict[str, Any]:
        """As plain values: leaks and suspects in full, and the strongest of the others."""
        return {
            "limit": self.limit,
            "leaks": [asdict(found) for found in self.leaks],
            "suspects": [asdict(found) for found in self.suspects],
            "strongest": [asdict(found) for found in self.findings[:most]],
            "tested": len(self.findings),
        }


def audit(documents: Documents, detector: Detector | None = None) -> Audit:
    """AUROC of every trivial feature between human and synthetic items, per domain and pooled.

    Features of texts are those of :mod:`remission.calibration.characters` (newlines, blanks, case, punctuation, quotes, long
    words, length, encoding oddities...); of pictures, size and format. Each is looked at on the raw items, and on what the
    detector makes of them (``Detector.seen``).

    A feature leaks when its AUROC is above 0.70 with confidence: the interval is Wilson's with the widest variance any
    distribution can have and as many items as the smaller class has units, simultaneous over all features, domains and
    views (Bonferroni). A small sample so raises no false alarm: with 20 units no AUROC below 0.97 is a leak, with 1,000
    one of 0.75 is.

    Args:
        documents: items with ``synthetic`` set.
        detector: whose view counts as well.
    """
    synthetic = documents.synthetic
    if synthetic is None or synthetic.all() or not synthetic.any():
        return Audit(())
    views = {"raw": item_features(documents.items)}
    if detector is not None and type(detector).seen is not Detector.seen:
        views["seen"] = item_features(detector.seen(documents.items))
    names = sorted(set(documents.column("domain").tolist()) - {""})
    places = {"": np.ones(len(documents), bool)}
    if len(names) > 1:
        places |= {name: documents.column("domain") == name for name in names}
    cells = []
    for domain, here in places.items():
        human, machine = here & ~synthetic, here & synthetic
        size = min(_units(documents, human), _units(documents, machine))
        if size >= 2:
            cells.append((domain, human, machine, size))
    tests = max(1, 2 * len(cells) * sum(len(columns) for columns in views.values()))
    found = [
        _finding(name, domain, view, column[machine], column[human], size, 1.0 - (1.0 - LEVEL) / tests)
        for view, columns in views.items()
        for domain, human, machine, size in cells
        for name, column in columns.items()
    ]
    return Audit(tuple(sorted(found, key=lambda finding: -finding.auroc)))


def _units(documents: Documents, mask: Any) -> int:
    return int(mask.sum()) if documents.units is None else int(np.unique(documents.units[mask]).size)


def _finding(feature: str, domain: str, view: str, machine: Floats, human: Floats, size: int, level: float) -> Finding:
    value = chance_above(machine, human)
    low, high = wilson(max(value, 1.0 - value), size, level)
    more = "synthetic" if value >= 0.5 else "human"
    return Finding(feature, domain, view, max(value, 1.0 - value), more, max(low, 0.5), high, size)


def item_features(items: Sequence[Any]) -> dict[str, Floats]:
    """The trivial features of texts, pictures or files, each (n,)."""
    if all(isinstance(item, str) for item in items) and not _are_files(items):
        return dict(zip(TEXT_FEATURES, features(items).T, strict=True))
    if all(isinstance(item, np.ndarray) for item in items):
        shapes = np.array([(*item.shape, 1)[:3] for item in items], float).reshape(-1, 3)
        return dict(zip(("height", "width", "channels"), shapes.T, strict=True)) | {
            "pixels": shapes[:, 0] * shapes[:, 1],
            "blocky edges": np.array([_blockiness(item) for item in items]),
        }
    kinds = [os.path.splitext(str(item))[1].lower().replace(".jpeg", ".jpg") for item in items]
    named = {f"files of kind {kind}": np.array([float(kind == one) for one in kinds]) for kind in sorted(set(kinds))}
    sizes = np.array([_size(str(item)) for item in items], float).reshape(-1, 2)
    return named | {"width": sizes[:, 0], "height": sizes[:, 1], "pixels": sizes.prod(1)}


def _size(path: str) -> tuple[int, int]:
    """Width and height as the head of a picture file says; zeros where it cannot be read, or without Pillow."""
    if importlib.util.find_spec("PIL") is None:
        return 0, 0
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0


def _are_files(items: Sequence[Any]) -> bool:
    """Whether all items are paths of picture files, told by their suffix."""
    ends = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")
    return len(items) > 0 and all(len(item) < 4096 and item.lower().endswith(ends) for item in items)


def _blockiness(picture: Any) -> float:
    """How much steeper grey levels are at the borders of 8 x 8 blocks than within: JPEG at some time."""
    grey = np.asarray(picture, float)
    grey = grey.mean(-1) if grey.ndim == 3 else grey
    if min(grey.shape) < 17:
        return 0.0
    total, border = 0.0, 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(1 - axis)
        total += float(steps.mean())
        border += float(steps[7::8].mean())
    return border / total if total > 0.0 else 1.0
