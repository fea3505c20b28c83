"""The parts of JSON as they are written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


def members(text: str) -> dict[str, tuple[str, str]]:
    """Of the text of a JSON object that can be decoded: its keys, in order, and how each and its value are written.

    >>> members('{"a": 1.50, "b": [1,  2]}')
    {'a': ('"a"', '1.50'), 'b': ('"b"', '[1,  2]')}
    """
    found: dict[str, tuple[str, str]] = {}
    at = _after(text, text.index("{") + 1)
    while text[at] != "}":
        key, end = _DECODER.raw_decode(text, at)
        value = _after(text, _after(text, end) + 1)
        _, last = _DECODER.raw_decode(text, value)
        found[key] = (text[at:end], text[value:last])
        at = _after(text, last)
        if text[at] == ",":
            at = _after(text, at + 1)
    return found


def elements(text: str) -> Iterator[str]:
    """Of the text of a JSON list that can be decoded: how each element is written.

    >>> list(elements('[{"a": 1.50}, 2 ]'))
    ['{"a": 1.50}', '2']
    """
    at = _after(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _after(text, end)
        if text[at] == ",":
            at = _after(text, at + 1)


def _after(text: str, at: int) -> int:
    """The place of the next character that is no blank."""
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()
