"""Values of columns that are carried along: how large they are, as one type, as text; those that cannot be had."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from remission.corpus._beside_types import is_odd, is_text, plain
from remission.numerics.arrays import Booleans, Integers

AMPLE = 64 << 20  # bytes that may be set aside for values which are not that large
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = datetime.datetime(1970, 1, 1)


def sizes(array: Any) -> Integers:
    """Bytes of every value of an Arrow array without views, about (n,); stored once and pointed at, they count each time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind, n = array.type, len(array)
    if isinstance(kind, pa.BaseExtensionType):
        return sizes(array.storage)
    if types.is_dictionary(kind):
        if not len(array.dictionary):
            return np.zeros(n, np.int64)
        return _filled(pa.array(sizes(array.dictionary)).take(array.indices))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        return _filled(pc.binary_length(array))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        ends = np.asarray(array.offsets.to_numpy(zero_copy_only=False), np.int64)
        total = np.concatenate([[0], np.cumsum(sizes(array.values))])
        return np.asarray(total[ends[1:]] - total[ends[:-1]])
    if types.is_fixed_size_list(kind):
        width = kind.list_size
        inside = sizes(array.values.slice(array.offset * width, n * width))
        return np.asarray(inside.reshape(n, width).sum(axis=1))
    if types.is_struct(kind):
        return np.asarray(sum((sizes(array.field(place)) for place in range(kind.num_fields)), np.zeros(n, np.int64)))
    each = 0 if types.is_null(kind) else max(1, kind.bit_width // 8)
    return np.full(n, each, np.int64)


def _filled(lengths: Any) -> Integers:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False), np.int64)


def handled(array: Any) -> tuple[Any, Booleans]:
    """An array that rows can be taken of, of the same values or their texts; and which of them cannot be had (n,)."""
    import pyarrow as pa

    fine = np.zeros(len(array), bool)
    kind = plain(array.type)
    if kind is None:
        return texts(array)
    if not is_odd(array.type):
        return array, fine
    if isinstance(array, pa.DictionaryArray):
        inner, bad = handled(array.dictionary)
        return inner.take(array.indices), _filled(pa.array(bad.astype(np.int8)).take(array.indices)).astype(bool)
    return array.cast(kind), fine


def settled(array: Any, kind: Any) -> tuple[Any, Booleans]:
    """The values of an array as ``kind``, null where they cannot be had; and where that is (n,)."""
    import pyarrow as pa

    bad = np.zeros(len(array), bool)
    array = _unpointed(array) if isinstance(array, pa.DictionaryArray) else array
    if is_text(kind) and not is_text(array.type) and not pa.types.is_null(array.type):
        array, bad = texts(array)
    try:
        found = array if array.type.equals(kind) else array.cast(kind)
    except MemoryError:  # which is an exception of Arrow, too
        raise
    except pa.ArrowException:
        return pa.nulls(len(array), kind), np.asarray(array.is_valid().to_numpy(zero_copy_only=False))
    try:
        found.validate(full=True)
        return found, bad
    except pa.ArrowException:
        wrong = np.array([not _is_valid(found, row) for row in range(len(found))])
        return without(found, wrong), bad | wrong


def _unpointed(array: Any) -> Any:
    """Values of what is stored once and pointed at. Arrow sets aside the mean length for each, of long ones that hardly occur too."""
    import pyarrow as pa

    stored = array.dictionary
    if stored.nbytes * len(array) <= AMPLE * max(1, len(stored)):
        return stored.take(array.indices)
    kind = stored.type
    raw = stored.view({pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(kind, kind))
    places = array.indices.to_pylist()
    values = {place: raw[place].as_py() for place in set(places) if place is not None}
    return pa.array([values.get(place) for place in places], raw.type).view(kind)


def _is_valid(array: Any, row: int) -> bool:
    import pyarrow as pa

    try:
        array.take(pa.array([row])).validate(full=True)
        return True
    except pa.ArrowException:
        return False


def without(array: Any, gone: Booleans) -> Any:
    """The array with nulls at some places."""
    import pyarrow as pa

    return array.take(pa.array(np.arange(len(array)), mask=gone))


def texts(array: Any) -> tuple[Any, Booleans]:
    """Every value as JSON; where that would be a string, what it says. And which values have no such text (n,)."""
    import pyarrow as pa

    found: list[str | None] = []
    bad = np.zeros(len(array), bool)
    for row, scalar in enumerate(array):
        try:
            value = _told(scalar)
            text = value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found.append(None if text is None else text.encode().decode())  # no half characters
        except (ValueError, TypeError, OverflowError, RecursionError, pa.ArrowException):
            found.append(None)
            bad[row] = True
    return pa.array(found, pa.large_string()), bad


def _told(scalar: Any) -> Any:
    """What JSON has for a value: dates as ISO 8601, bytes as base64, maps as pairs."""
    import pyarrow as pa
    from pyarrow import types

    if not scalar.is_valid:
        return None
    kind = scalar.type
    if isinstance(scalar, (pa.ExtensionScalar, pa.DictionaryScalar, pa.UnionScalar, pa.RunEndEncodedScalar)):
        inner = scalar.value
        return _told(inner) if isinstance(inner, pa.Scalar) else inner
    if types.is_struct(kind):
        names, values = [field.name for field in kind], [_told(scalar[place]) for place in range(kind.num_fields)]
        return dict(zip(names, values, strict=True)) if len(set(names)) == len(names) else [*map(list, zip(names, values, strict=True))]  # fmt: skip
    if types.is_map(kind):
        return [[_told(one) for one in pair.values()] for pair in scalar.values]
    if types.is_nested(kind):
        return [_told(one) for one in scalar.values]
    for test, said in _SAID:
        if getattr(types, test)(kind):
            return said(scalar)
    value = scalar.as_py()
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _moment(scalar: Any) -> str:
    unit, zone = scalar.type.unit, "" if scalar.type.tz is None else "+00:00"
    seconds, rest = divmod(scalar.value, _PER_SECOND[unit])
    try:
        day = (_EPOCH + datetime.timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return f"{scalar.value} {unit} since 1970"
    return day + _fraction(rest, unit) + zone


def _time(scalar: Any) -> str:
    seconds, rest = divmod(scalar.value, _PER_SECOND[scalar.type.unit])
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(rest, scalar.type.unit)}"


def _span(scalar: Any) -> str:
    seconds, rest = divmod(abs(scalar.value), _PER_SECOND[scalar.type.unit])
    return f"{'-' if scalar.value < 0 else ''}PT{seconds}{_fraction(rest, scalar.type.unit)}S"


def _day(scalar: Any) -> str:
    try:
        return str(scalar.as_py().isoformat())
    except (ValueError, OverflowError):
        return f"{scalar.value} {'d' if scalar.type.bit_width == 32 else 'ms'} since 1970"


def _fraction(rest: int, unit: str) -> str:
    return "" if unit == "s" else f".{rest:0{len(str(_PER_SECOND[unit])) - 1}}"


def _bytes(scalar: Any) -> str:
    return base64.b64encode(scalar.as_py()).decode()


_SAID: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("is_timestamp", _moment), ("is_time", _time), ("is_date", _day), ("is_duration", _span), ("is_binary", _bytes),
    ("is_large_binary", _bytes), ("is_fixed_size_binary", _bytes), ("is_binary_view", _bytes),
    ("is_floating", lambda scalar: float(scalar.as_py())),
)  # fmt: skip
