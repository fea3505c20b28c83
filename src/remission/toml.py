"""Writing TOML (the standard library only reads it)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: str) -> str:
    """A key, quoted when it must be."""
    return name if _BARE.fullmatch(name) else json.dumps(name)


def value(item: Any) -> str:
    """A value in one line.

    >>> value({"kind": "fresh", "share": 0.1, "steps": [1, 2]})
    '{ kind = "fresh", share = 0.1, steps = [1, 2] }'
    """
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(item, float):
        return repr(item) if math.isfinite(item) else "nan" if math.isnan(item) else "inf" if item > 0 else "-inf"
    if isinstance(item, int):
        return repr(item)
    if isinstance(item, Mapping):
        inner = ", ".join(f"{key(name)} = {value(inside)}" for name, inside in item.items() if inside is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(item, (list, tuple)):
        return f"[{', '.join(value(inside) for inside in item)}]"
    raise TypeError(f"TOML has no spelling for {type(item).__name__}")


def document(tables: Mapping[str, Any]) -> str:
    """A document of tables ``{name: {key: value}}`` and arrays of tables ``{name: [{...}, ...]}``."""
    blocks = []
    for name, content in tables.items():
        single = isinstance(content, Mapping)
        for table in [content] if single else content:
            lines = [f"[{key(name)}]" if single else f"[[{key(name)}]]"]
            lines += [f"{key(inner)} = {value(item)}" for inner, item in table.items() if item is not None]
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
