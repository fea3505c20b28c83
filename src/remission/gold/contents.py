"""Contents as they are stored: compressed with zstd, and unpacked within limits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from remission.errors import need


def packed(content: bytes) -> bytes:
    """The compressed bytes."""
    return bytes(_compressor().compress(content))


def unpacked(stored: bytes, size: int) -> bytes | None:
    """What these bytes unpack to, if that is exactly ``size`` bytes; never more is unpacked."""
    import zstandard

    try:
        declared = zstandard.frame_content_size(stored)
        if declared != size:
            return None
        return bytes(zstandard.ZstdDecompressor().decompress(stored, max_output_size=max(size, 1)))
    except (zstandard.ZstdError, MemoryError):
        return None


@lru_cache(maxsize=1)
def _compressor() -> Any:
    need("archive", "Storing contents", "zstandard")
    import zstandard

    return zstandard.ZstdCompressor(level=3)
