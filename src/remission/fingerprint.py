"""What an array holds, as 64 hexadecimal digits: for provenance."""

from __future__ import annotations

import hashlib

import numpy as np

from remission.data import Array


def fingerprint(array: Array) -> str:
    """SHA-256 over the type, the shape and the bytes of an array, the same on every machine.

    Bytes are taken in C order and little-endian, so a transposed view, a copy and a big-endian copy of the same
    numbers agree, while 1 and 1.0 do not.

    >>> fingerprint(np.arange(3))[:16]
    '129d7c8430eea69d'
    >>> fingerprint(np.arange(6).reshape(2, 3)) == fingerprint(np.arange(6).reshape(3, 2))
    False
    """
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise TypeError(f"Arrays of Python objects have no fingerprint. Got dtype {array.dtype}.")
    little = array.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{little.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array, dtype=little).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
