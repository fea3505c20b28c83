"""What a key may be."""

from __future__ import annotations

from remission.errors import SpecError
from remission.watermarking import Key


def one_value(scheme: str, key: Key, least: int, most: int) -> int:
    """The only value of a key. Raises SpecError, without showing it, for another number of values or one out of range."""
    if len(key.values) != 1:
        raise SpecError(f"{scheme}: the key '{key.name}' has {len(key.values)} values; the scheme takes one.")
    if not least <= key.values[0] <= most:
        raise SpecError(f"{scheme}: the key '{key.name}' is outside {least} .. {most}.")
    return key.values[0]
