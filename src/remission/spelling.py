"""Tokens back to text that a person can read."""

from __future__ import annotations

import re

from remission.data import Array, Space

_BEFORE = re.compile(r" +([,.;:!?%)\]}»\u201d\u2019…]|n't\b|'(?:s|re|ve|ll|d|m|t)\b)")  # no blank before these
_AFTER = re.compile(r"([(\[{«\u201c\u2018]) +")  # no blank after these
_QUOTED = re.compile(r'" +([^"\n]*?) +"')
_JOINED = re.compile(r" @([-,.])@ ")  # WikiText writes 1 @,@ 000 for 1,000
_BREAK = re.compile(r" *\n *")


def spell(tokens: Array, space: Space) -> str:
    r"""The text of one block of tokens (length,), for display only: it cannot be read back exactly.

    Names are put together with ``space.joiner``; with a blank, punctuation is then moved to where it belongs.
    Without names the numbers themselves are shown; a number that is no token shows as ``<7>``.

    >>> import numpy as np
    >>> names = ("Hello", ",", "world", "(", "again", ")", ".", "\n")
    >>> spell(np.arange(8), Space("tokens", (8,), 8, names))
    'Hello, world (again).\n'
    >>> spell(np.array([0, 2]), Space("tokens", (2,), 3, ("a", "b", "c"), joiner=""))
    'ac'
    >>> spell(np.array([4, 5]), Space("tokens", (2,), 9))
    '4 5'
    """
    numbers = [int(token) for token in tokens.reshape(-1)]
    names = space.names or tuple(str(number) for number in range(space.size))
    words = [names[number] if 0 <= number < len(names) else f"<{number}>" for number in numbers]
    text = space.joiner.join(words)
    if space.joiner != " ":
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # tokens may be parts of a character
    for pattern, replacement in (
        (_JOINED, r"\1"),
        (_BEFORE, r"\1"),
        (_AFTER, r"\1"),
        (_QUOTED, r'"\1"'),
        (_BREAK, "\n"),
    ):
        text = pattern.sub(replacement, text)
    return text
