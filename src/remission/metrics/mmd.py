"""Maximum mean discrepancy to the reference, unbiased; the cubic kernel is KID."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._features import Features, featured, pair, refusal
from remission.numerics.discrepancy import median_bandwidth, mmd_squared
from remission.view import View
from remission.world import World


class Mmd(Metric):
    """Unbiased squared MMD: mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over different items.

    ``rbf``: k = exp(-|x - y|^2 / (2 b^2)), at most 2; ``cubic``: k = (x.y / d + 1)^3, the kernel inception distance of
    whatever features the items are (it moves with the origin). About 0 for one law, negative now and then; rises in
    collapse. Computed by rows: memory grows with n, not n^2.

    Attributes:
        kernel: ``rbf`` or ``cubic``.
        bandwidth: b of ``rbf``, or ``median``: the median distance within the first 1000 reference items.
        features: the ``items`` themselves, or features of pictures: ``classifier`` or ``random``, see ``frechet``.

    Source: Gretton et al. (JMLR 13:723, 2012), eq. 3; Binkowski et al. (ICLR 2018), section 4.

    >>> Mmd(kernel="cubic").label
    'mmd[kernel=cubic]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    kernel: Literal["rbf", "cubic"] = "rbf"
    bandwidth: Annotated[float, Meta(gt=0)] | Literal["median"] = "median"
    features: Features = "items"

    def check(self) -> None:
        """A cubic kernel has no bandwidth."""
        if self.kernel == "cubic" and self.bandwidth != "median":
            raise SpecError("mmd: a cubic kernel has no bandwidth. Drop it, or take kernel = 'rbf'.")

    def refuses(self, world: World) -> str:
        """Features that this world does not have."""
        return refusal(self.features, world)

    def prepare(self, view: View) -> tuple[Floats, list[float]]:
        """The reference as points, and the bandwidth of each replicate."""
        reference = featured(view, self.features, "reference")
        if self.kernel == "cubic":
            return reference, [1.0] * view.replicates
        if self.bandwidth != "median":
            return reference, [self.bandwidth] * view.replicates
        return reference, [median_bandwidth(points) for points in reference]

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        points, bandwidths = view.prepared
        pairs = zip(*pair(view, self.features, points), bandwidths, strict=True)
        return {"": np.array([mmd_squared(sample, reference, self.kernel, b) for sample, reference, b in pairs])}
