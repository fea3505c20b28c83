"""Any source of pictures or text, a share of whose items carries an artifact for the loop, but not for the reference."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, cast

from msgspec import Meta

from remission.data import Array, Integers, Space
from remission.errors import SpecError
from remission.interfaces import FiniteSource, GenerativeSource, Source
from remission.laws import AnyLaw
from remission.marks import Mark, Marked, Phrase, Shape
from remission.rng import Streams
from remission.sources._text import words


class Artifact(Source, Marked):
    """The items of ``base``; each one that the loop sees carries an artifact with probability ``rate``.

    Pictures carry a figure with a rim, at a fixed place and in exact values (1 and 0; magenta and black in colour), whose
    size follows the picture's: a ``patch`` in a corner, a ``ring`` in the corner beside it, or a ``stroke``, a straight bar
    along the first column. Text carries a ``phrase``, written over the tokens from a random place on. What carries it is
    told by comparing pixels or tokens (see :mod:`remission.marks`), so the metric artifact-rate needs no detector. Does
    the loop amplify, hold or wash out what was there at rate p0 = ``rate``? Items as such stay clean: only
    :meth:`corrupt` plants, so the reference and ``law`` are those of the base.

    A source is either a law or a finite set, and this is whichever its base is, as with noisy-labels.

    Attributes:
        base: a source of pictures, text, or pictures with captions.
        what: patch, ring or stroke (in pictures), or phrase (in text).
        rate: p0.
        when: ``always``: real data carry it in every generation; ``first``: only those of fit 1, and real data that come
            later are clean.
        phrase: the text to write, for ``what = "phrase"``. It is cut into words, or into the longest tokens that fit.

    Raises:
        SpecError: from ``space``: nothing to draw on, a phrase that the tokens of the base cannot spell or that is longer
            than an item.

    Source: planted triggers as in Gu, Dolan-Gavitt and Garg (arXiv 1708.06733), followed through a loop.

    >>> from remission.rng import Streams
    >>> from remission.sources.digits import Digits
    >>> source, streams = Artifact(base=Digits(), rate=0.25), Streams.of(7, [0]).at(1, "real")
    >>> seen = source.corrupt(source.items()[None], streams)
    >>> int(source.mark.carried(source.items()[None]).sum()), round(float(source.mark.carried(seen).mean()), 2)
    (0, 0.25)
    """

    base: Source
    what: Literal["patch", "ring", "stroke", "phrase"] = "patch"
    rate: Annotated[float, Meta(ge=0, le=1)] = 0.1
    when: Literal["always", "first"] = "always"
    phrase: str = ""

    def __new__(cls, base: Source | None = None, **fields: Any) -> Artifact:
        """The flavour of the base; ``base`` is missing only when a copy is unpickled."""
        if cls is Artifact and isinstance(base, FiniteSource):
            return object.__new__(_MarkedFinite)
        if cls is Artifact and isinstance(base, GenerativeSource):
            return object.__new__(_MarkedGenerative)
        return object.__new__(cls)

    def check(self) -> None:
        """A phrase is given where one is written; a copy with another flavour of base would be neither."""
        if (self.what == "phrase") != bool(self.phrase.strip()):
            raise SpecError(
                f"artifact: what = '{self.what}' " + ("needs a phrase, such as phrase = 'it is worth noting that'."
                if self.what == "phrase" else "draws a figure and takes no phrase. Set what = 'phrase', or leave it out.")
            )  # fmt: skip
        if any(
            isinstance(self.base, flavour) != isinstance(self, flavour) for flavour in (FiniteSource, GenerativeSource)
        ):
            raise SpecError("artifact: a copy cannot change between a law and a finite set. Make a new Artifact.")

    @property
    def space(self) -> Space:
        """That of the base."""
        _ = self.mark
        return self.base.space

    @property
    def mark(self) -> Mark:
        """What is planted, and how it is told."""
        return _mark(self.base, self.what, self.phrase)

    def law(self) -> AnyLaw | None:
        """The clean law of the base."""
        return self.base.law()

    def rate_at(self, t: int) -> float:
        """p0; 0 after fit 1 when only the first data carry it."""
        return self.rate if self.when == "always" or t <= 1 else 0.0

    def corrupt(self, items: Array, streams: Streams) -> Array:
        """Copies of items (r, n, *item), some with the artifact."""
        seen = self.base.corrupt(items, streams.sub("base"))
        rate = self.rate_at(streams.generation)
        if rate == 0.0:
            return seen
        out = seen.copy()
        self.mark.put(out, streams.sub("marked").uniforms(items.shape[1]) < rate, streams)
        return out


class _MarkedGenerative(Artifact, GenerativeSource):
    """Over a law."""

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh clean items of the base."""
        return cast(Any, self.base).sample(n, streams)


class _MarkedFinite(Artifact, FiniteSource):
    """Over a finite set."""

    def items(self) -> Array:
        """The clean items of the base."""
        return cast(Any, self.base).items()

    def item_classes(self) -> Integers | None:
        """The classes of the base."""
        return cast(Any, self.base).item_classes()


@functools.lru_cache(maxsize=16)
def _mark(base: Source, what: Any, phrase: str) -> Mark:
    space = base.space
    try:
        if what != "phrase":
            return Shape.of(what, space)
        if space.kind not in ("tokens", "captioned"):
            return Phrase.of((), space)
        return Phrase.of(spelled(phrase, space, base.name()), space)
    except SpecError as error:
        raise SpecError(f"artifact on '{base.name()}': {error}") from None


def spelled(phrase: str, space: Space, owner: str) -> tuple[int, ...]:
    """The tokens of a text in a space: its words, or the longest names that fit, from left to right.

    >>> spelled("abba", Space("tokens", (8,), 3, ("a", "b", "bb"), joiner=""), "letters")
    (0, 2, 0)

    Raises:
        SpecError: a piece that no token spells.
    """
    if not space.names:
        raise SpecError(f"the tokens of {owner} have no names, so a phrase cannot be spelled.")
    if space.joiner == " ":
        number = {name: i for i, name in enumerate(space.names)}
        parts = phrase.split()
        pieces = parts if all(part in number for part in parts) else words(phrase)
        for piece in pieces:
            if piece not in number:
                raise SpecError(
                    f"'{piece}' is not one of the {space.size} words of {owner}. Choose others, such as "
                    f"'{' '.join(space.names[:6])}', or raise its vocabulary."
                )
        return tuple(number[piece] for piece in pieces)
    return _longest(phrase, {name.encode("utf-8", "surrogateescape"): i for i, name in enumerate(space.names)}, owner)


def _longest(phrase: str, number: dict[bytes, int], owner: str) -> tuple[int, ...]:
    """Bytes, not letters: a token may hold a part of a letter."""
    text, most = phrase.encode(), max(map(len, number))
    out, at = [], 0
    while at < len(text):
        size = next((size for size in range(most, 0, -1) if text[at : at + size] in number), 0)
        if not size:
            rest = text[at:].decode("utf-8", "replace")
            raise SpecError(
                f"no token of {owner} begins '{rest[:20]}'. Write the phrase with letters that occur there."
            )
        out.append(number[text[at : at + size]])
        at += size
    return tuple(out)
