"""Random numbers of networks: one generator per replicate on the CPU, so that no replicate sees its neighbours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


class Dice:
    """Draws with a leading axis r, replicate by replicate; the same on every device.

    >>> one, two = Dice([5, 6]), Dice([6])
    >>> bool((one.normals(3)[1] == two.normals(3)[0]).all())
    True
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        """``seeds``: one below 2^63 per replicate; results are put on ``device``."""
        self.device = torch.device(device)
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        """R."""
        return len(self.generators)

    def _rows(self, rows: list[Tensor]) -> Tensor:
        out = rows[0][None] if len(rows) == 1 else torch.stack(rows)
        return out if self.device.type == "cpu" else out.to(self.device, non_blocking=True)

    def normals(self, *shape: int) -> Tensor:
        """Standard normals (r, *shape), float32."""
        return self._rows([torch.randn(shape, generator=one) for one in self.generators])

    def uniforms(self, *shape: int) -> Tensor:
        """Uniforms on [0, 1), (r, *shape), float32."""
        return self._rows([torch.rand(shape, generator=one) for one in self.generators])

    def integers(self, bound: int, *shape: int) -> Tensor:
        """Integers in [0, bound), (r, *shape), int64."""
        return self._rows([torch.randint(bound, shape, generator=one) for one in self.generators])

    def order(self, count: int) -> Tensor:
        """A permutation of 0 .. count - 1 for each replicate, (r, count)."""
        return self._rows([torch.randperm(count, generator=one) for one in self.generators])

    def state(self) -> Tensor:
        """The state of all generators, (r, bytes)."""
        return torch.stack([one.get_state() for one in self.generators])

    def restore(self, state: Tensor) -> None:
        """Go on from a :meth:`state`."""
        for one, row in zip(self.generators, state, strict=True):
            one.set_state(row.clone())  # a copy: torch crashes on bytes of a file that are not aligned


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initial weights and dropout inside come from ``seed``; the state of torch outside stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
