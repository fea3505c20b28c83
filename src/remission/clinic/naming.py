"""Names of strata, made of columns and their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

_UNFIT = re.compile(r"[|\x00-\x1f\x7f-\x9f\u2028\u2029]")  # splits names, or breaks lines and tables


def visible(part: str) -> str:
    r"""A part of a stratum's name, so that no value passes for another part or breaks a line.

    >>> visible("source=a | month=b\n")
    'source=a ¦ month=b�'
    """
    return _UNFIT.sub(lambda found: "¦" if found[0] == "|" else "�", part)


def named(columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Any:
    """The name of each document's stratum, (n,): ``source=a | month=2023-01``.

    Args:
        columns: k of them, one at least.
        values: (k, n) of documents.
    """
    parts = []
    for column, of in zip(columns, values, strict=True):
        shown = {value: visible(f"{column}={value}") for value in set(of)}
        parts.append([shown[value] for value in of])
    return np.array([" | ".join(one) for one in zip(*parts, strict=True)], dtype=np.str_)
