"""Pictures with a class: alone, labelled, or with the word for the class as a caption of one token."""

from __future__ import annotations

from remission.data import Array, Integers, Space
from remission.errors import SpecError

NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def one_of(owner: str, labels: bool, captions: bool) -> None:
    """Raise SpecError when items would have to carry the class in two ways."""
    if labels and captions:
        raise SpecError(
            f"{owner}: labels and captions are two ways to carry the class. Set one of them: labels for models that "
            f"label features, captions for models of pictures and their words."
        )


def picture_space(side: int, labels: bool, captions: bool, names: tuple[str, ...], words: tuple[str, ...]) -> Space:
    """What an item is: a grey picture of ``side`` x ``side``, its features and class, or the picture and its word."""
    width = side * side
    if labels:
        return Space("labelled", (width + 1,), size=len(names), names=names)
    if captions:
        return Space("captioned", (width + 1,), size=len(words), names=words, picture=(side, side))
    return Space("image", (width,), picture=(side, side))


def frozen(classes: Array) -> Integers:
    """Classes as whole numbers that nobody can write to."""
    out = classes.astype("int64")
    out.flags.writeable = False
    return out
