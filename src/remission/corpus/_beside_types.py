"""Types of columns that are carried along: one for all files of a corpus."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any


def is_text(kind: Any) -> bool:
    """Whether values of a column are strings, however they are laid out."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def plain(kind: Any) -> Any:
    """The type without what is a matter of layout: codes of values, views, extensions, which fields are never null.

    None: values of it cannot be handled as they are (unions, list views, run ends), and are written as JSON.
    """
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if types.is_dictionary(kind):
        return plain(kind.value_type)
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if not types.is_nested(kind):
        return None if types.is_run_end_encoded(kind) or types.is_interval(kind) else kind
    if types.is_struct(kind):
        inside = [(field.name, plain(field.type)) for field in kind]
        names = {name for name, _ in inside}
        return pa.struct(inside) if 0 < len(inside) == len(names) and all(one for _, one in inside) else None
    if types.is_map(kind):
        key, item = plain(kind.key_type), plain(kind.item_type)
        return pa.map_(key, item) if key and item else None
    for test, make in (
        (types.is_list, pa.list_), (types.is_large_list, pa.large_list),
        (types.is_fixed_size_list, lambda one: pa.list_(one, kind.list_size)),
    ):  # fmt: skip
        if test(kind):
            inner = plain(kind.value_type)
            return make(inner) if inner else None
    return None


def joined(one: Any, other: Any) -> Any:
    """The plain type that holds the values of both, where they differ only in what is always null; None: there is none."""
    import pyarrow as pa
    from pyarrow import types

    if one is None or other is None:
        return None
    if one.equals(other) or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if types.is_struct(one) and types.is_struct(other) and [a.name for a in one] == [b.name for b in other]:
        inside = [(a.name, joined(a.type, b.type)) for a, b in zip(one, other, strict=True)]
        return pa.struct(inside) if all(kind for _, kind in inside) else None
    for test, make in ((types.is_list, pa.list_), (types.is_large_list, pa.large_list)):
        if test(one) and test(other):
            inner = joined(one.value_type, other.value_type)
            return make(inner) if inner else None
    return None


def common(kinds: Iterable[Any]) -> Any:
    """The type of a column of all files that have it; text where they do not agree or Parquet cannot hold it."""
    import pyarrow as pa

    found: Any = pa.null()
    for kind in kinds:
        found = joined(found, plain(kind))
    return found if found is not None and _written(found) else pa.large_string()


def _written(kind: Any) -> bool:
    """Whether a Parquet file can hold it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("x", kind)])
    try:
        with pq.ParquetWriter(io.BytesIO(), schema) as writer:
            writer.write_table(pa.Table.from_arrays([pa.nulls(1, kind)], schema=schema))
    except (pa.ArrowException, ValueError, TypeError):
        return False
    return True


def leaves(kind: Any) -> int:
    """How many columns of a Parquet file a column is."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType):
        return leaves(kind.storage_type)
    if types.is_dictionary(kind):
        return leaves(kind.value_type)
    if types.is_nested(kind):
        return sum(leaves(kind.field(place).type) for place in range(kind.num_fields))
    return 1


def is_odd(kind: Any) -> bool:
    """Whether there are extensions in it, or strings and bytes that point elsewhere, of which nothing can be taken."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType):
        return True
    if types.is_dictionary(kind):
        return is_odd(kind.value_type)
    if types.is_nested(kind):
        return any(is_odd(kind.field(place).type) for place in range(kind.num_fields))
    return types.is_string_view(kind) or types.is_binary_view(kind)
