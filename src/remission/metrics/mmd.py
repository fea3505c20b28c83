"""Maximum mean discrepancy to the reference, unbiased; the cubic kernel is KID."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.numerics.discrepancy import median_bandwidth, mmd_squared
from remission.view import View


class Mmd(Metric):
    """Unbiased squared MMD: mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over different items.

    ``rbf``: k = exp(-|x - y|^2 / (2 b^2)), at most 2; ``cubic``: k = (x.y / d + 1)^3, the kernel inception distance of
    whatever features the items are (it moves with the origin). About 0 for one law, negative now and then; rises in
    collapse. Computed by rows: memory grows with n, not n^2.

    Attributes:
        kernel: ``rbf`` or ``cubic``.
        bandwidth: b of ``rbf``, or ``median``: the median distance within the first 1000 reference items.

    Source: Gretton et al. (JMLR 13:723, 2012), eq. 3; Binkowski et al. (ICLR 2018), section 4.

    >>> Mmd(kernel="cubic").label
    'mmd[kernel=cubic]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    kernel: Literal["rbf", "cubic"] = "rbf"
    bandwidth: Annotated[float, Meta(gt=0)] | Literal["median"] = "median"

    def check(self) -> None:
        """A cubic kernel has no bandwidth."""
        if self.kernel == "cubic" and self.bandwidth != "median":
            raise SpecError("mmd: a cubic kernel has no bandwidth. Drop it, or take kernel = 'rbf'.")

    def prepare(self, view: View) -> list[float]:
        """The bandwidth of each replicate."""
        if self.kernel == "cubic":
            return [1.0] * view.replicates
        if self.bandwidth != "median":
            return [self.bandwidth] * view.replicates
        return [median_bandwidth(points) for points in view.reference]

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        pairs = zip(*view.pair(), view.prepared, strict=True)
        return {"": np.array([mmd_squared(sample, reference, self.kernel, b) for sample, reference, b in pairs])}
