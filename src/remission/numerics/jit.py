"""The one door to the compiler: ``jit`` compiles once per machine type and keeps the result on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
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
            kernel = numba.njit(cache=True, **options)(function)
            stored = kernel._cache._cache_file
            stored._source_stamp = (stored._source_stamp, _stamp())
            return kernel
        except RuntimeError:  # no folder to cache in (read-only install without a home)
            return numba.njit(**options)(function)

    return wrap


@cache
def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of all kernel files.

    The compiler's own stamp covers only the file a kernel stands in, so a kernel that calls one in another file
    would go on with the old one after a change: wrong numbers without a word.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
