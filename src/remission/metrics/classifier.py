"""What a classifier of real pictures says of generated ones: how sure it is, and which classes it still sees."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Floats
from remission.interfaces import Direction, Metric
from remission.metrics._features import classified, no_classifier
from remission.numerics import counts
from remission.view import View
from remission.world import World


class Classifier(Metric):
    """Classes of the sample as a small classifier sees them that was trained once on the real pictures.

    With p the probabilities of the C classes for a picture, and q the shares of the classes it names in the sample:

    ============== =================================================================================================
    ``confidence`` mean of max p, in (1 / C, 1]
    ``confident``  share of the sample with max p above ``level``
    ``entropy``    - sum q ln q in nats, at most ln C; falls
    ``smallest``   the least share of a class, at most 1 / C; falls
    ``tv``         half the sum of |q - shares of the classes it names in the reference|, in [0, 1]; rises
    ``classes``    how many classes it names at all, at most C; falls
    ============== =================================================================================================

    Confidence falls for blur and noise, and stays or rises when a model narrows: read it with entropy. A network is
    also sure of much that is no picture of anything, so high confidence alone is no proof of quality. The note of the
    run gives confidence and the share that was right on real pictures kept out of training. Equal n.

    The classifier is a convolutional network with 64 features, trained for 1,200 steps of 128 pictures (half a minute
    on one core at 28 x 28, seconds at 8 x 8) on nine tenths of all pictures of the source, those of the reference among
    them, and kept in the cache folder (``REMISSION_DATA``). Needs the extra ``deep`` and a source that knows classes.

    Attributes:
        level: of ``confident``.

    >>> Classifier(level=0.99).label
    'classifier[level=0.99]'
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"image"})
    columns: ClassVar[dict[str, Direction]] = {
        "confidence": "either", "confident": "either", "entropy": "falls", "smallest": "falls", "tv": "rises",
        "classes": "falls",
    }  # fmt: skip
    sized: ClassVar[bool] = True

    level: Annotated[float, Meta(gt=0, lt=1)] = 0.9

    def refuses(self, world: World) -> str:
        """No classes to learn from."""
        return no_classifier(world.source, "Try the sources digits, mnist or fashion-mnist.")

    def prepare(self, view: View) -> Floats:
        """Shares (r, C) of the classes named in the reference at equal n."""
        return _shares(classified(view, "reference")[1][:, : view.evaluation])

    def measure(self, view: View) -> dict[str, Floats]:
        """Six columns (r,)."""
        chances = classified(view, "sample")[1][:, : view.reference.shape[1]]
        surest = chances.max(axis=2)
        shares = _shares(chances)
        return {
            "confidence": surest.mean(axis=1),
            "confident": (surest > self.level).mean(axis=1),
            "entropy": counts.entropy(shares),
            "smallest": shares.min(axis=1),
            "tv": counts.total_variation(shares, view.prepared),
            "classes": (shares > 0).sum(axis=1).astype(np.float64),
        }


def _shares(chances: Floats) -> Floats:
    return counts.shares(counts.tally(chances.argmax(axis=2), chances.shape[2]))
