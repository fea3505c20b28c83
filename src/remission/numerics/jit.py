"""The one door to the compiler: ``jit`` compiles once per machine type and keeps the result on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def jit(*, fast: bool = False, inline: bool = False) -> Callable[[F], F]:
    """Compile a kernel to machine code, releasing the interpreter lock.

    Kernels use one thread: parallel work is the engine's business (blocks of replicates in worker
    processes), which keeps results independent of it and two cores busy without contention.

    Args:
        fast: allow the compiler to contract and re-associate floating-point sums inside the
            kernel (SIMD). Results stay bit-identical on one machine type; NaN and infinity are
            still honoured.
        inline: always inline into the calling kernel.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"contract", "reassoc", "nsz", "arcp"} if fast else False,
    }
    if inline:
        options["forceinline"] = True

    def wrap(function: F) -> F:
        try:
            return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # no folder to cache in (read-only install without a home)
            return numba.njit(**options)(function)  # type: ignore[no-any-return]

    return wrap
