"""One spelling for every JSON value (RFC 8785), so that a hash of it means something."""

from __future__ import annotations

import json
from typing import Any

from remission.errors import DataError, need

_LARGEST = 2**53 - 1  # whole numbers beyond are not the same number for every reader of JSON
_fast = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> bytes:
    r"""The canonical JSON of a value (JSON Canonicalization Scheme, RFC 8785), UTF-8.

    Raises:
        DataError: something that JSON, or UTF-8, cannot say: NaN, half characters, whole numbers beyond 2^53.

    >>> canonical({"b": 1.0, "a": ["\u20ac", None, 1e30]}).decode()
    '{"a":["€",null,1e+30],"b":1}'
    """
    try:
        if _plain(value):
            return _fast(value).encode("utf-8")
        need("archive", "Writing numbers as canonical JSON", "rfc8785")
        import rfc8785

        return rfc8785.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"This cannot be written as canonical JSON: {error}.") from None


def _plain(value: Any) -> bool:
    """Whether the compiled encoder writes the canonical spelling: no fractions, and keys that sort alike everywhere."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -_LARGEST <= value <= _LARGEST
    if kind is dict:
        return all(type(key) is str and key.isascii() and _plain(inner) for key, inner in value.items())
    return kind is list and all(map(_plain, value))


def parse(line: bytes) -> dict[str, Any] | None:
    """The object that is spelled canonically in these bytes; None when they are anything else."""
    try:
        value = json.loads(line.decode("utf-8"), parse_int=_whole)
        return value if isinstance(value, dict) and canonical(value) == line else None
    except (ValueError, RecursionError, DataError):
        return None


def _whole(digits: str) -> int | float:
    """Digits as a number; RFC 8785 writes large fractions without a point, too."""
    value = int(digits)
    return value if -_LARGEST <= value <= _LARGEST else float(value)
