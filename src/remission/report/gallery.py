"""Samples of each generation made ready to show: images as images, text as text, points as points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remission.report.content import Column, Gallery, RunStore
from remission.report.images import common_bounds
from remission.report.scatter import bounds_of, histogram

COLUMNS = 6  # real data and five generations
GALLERIES = 8
TEXTS, LETTERS = 3, 280
POINTS, BARS, FEW = 400, 24, 80
PIXELS = 26_000  # per contact sheet
PAIRS = 6  # pictures with captions per column


def galleries(store: RunStore) -> tuple[Gallery, ...]:
    """One gallery per grid point that kept samples (at most eight, evenly chosen)."""
    kept = [point for point in range(len(store.point_names)) if _has_items(store.samples.get(point))]
    chosen = [kept[index] for index in evenly(len(kept), GALLERIES)]
    out = []
    reals = [_first(store.samples[point]) for point in chosen]
    for point in chosen:
        samples = store.samples[point]
        generations = sorted(generation for generation in samples if np.asarray(samples[generation]).size)
        shown = [generations[index] for index in evenly(len(generations), COLUMNS)]
        labels = ["real" if generation == 0 else f"generation {generation}" for generation in shown]
        made = _gallery(store.space, [np.asarray(samples[generation]) for generation in shown], labels, reals)
        if made is not None:
            title = store.point_names[point]
            out.append(Gallery(title, _caption(made.kind, store, chosen, kept), *made.rest))
    return tuple(out)


def evenly(count: int, most: int) -> list[int]:
    """Indices of at most ``most`` of ``count`` things, the first and the last among them.

    >>> evenly(3, 6), evenly(51, 6)
    ([0, 1, 2], [0, 10, 20, 30, 40, 50])
    """
    if count <= most:
        return list(range(count))
    return sorted({round(index * (count - 1) / (most - 1)) for index in range(most)})


class _Made:
    """What differs between galleries: kind, columns, bounds, labels."""

    def __init__(self, kind: Any, columns: Sequence[Column], bounds: Sequence[float] = (), labels: Sequence[str] = ()):
        self.kind = kind
        self.rest = (kind, tuple(columns), tuple(bounds), tuple(labels))


def _has_items(samples: Mapping[int, Any] | None) -> bool:
    return bool(samples) and any(np.asarray(items).size for items in (samples or {}).values())


def _first(samples: Mapping[int, Any]) -> Any:
    """The real items, or the earliest generation there is."""
    return next(array for _, items in sorted(samples.items()) if (array := np.asarray(items)).size)


def _gallery(space: dict[str, Any], sets: list[Any], labels: list[str], reals: list[Any]) -> _Made | None:
    kind = space.get("kind")
    if space.get("picture"):
        return (_captioned if kind == "captioned" else _images)(space, sets, labels, reals)
    if kind == "tokens":
        return _texts(space, sets, labels)
    if kind == "symbols":
        return _symbols(space, sets, labels)
    flat, real = ([items.reshape(len(items), -1).astype(np.float64) for items in some] for some in (sets, reals))
    if kind in ("vector", "image", "labelled", "regression") and flat:
        return _points(str(kind), flat, labels, np.concatenate(real))
    return None


def _images(space: dict[str, Any], sets: list[Any], labels: list[str], reals: list[Any]) -> _Made:
    height, width = space["picture"]
    side = max(2, min(5, math.isqrt(PIXELS // (height * width))))
    pictures = [pictures_of(space, items[: side * side]) for items in sets]
    bounds = _bounds(space, reals, pictures)
    return _Made("image", [Column(label, items) for label, items in zip(labels, pictures, strict=True)], bounds)


def _captioned(space: dict[str, Any], sets: list[Any], labels: list[str], reals: list[Any]) -> _Made:
    pictures = [pictures_of(space, items[:PAIRS]) for items in sets]
    start = math.prod(space["picture"]) * int(space.get("channels") or 1)
    columns = [
        Column(label, tuple((one, spell_words(row[start:], space)) for one, row in zip(shown, items, strict=False)))
        for label, shown, items in zip(labels, pictures, sets, strict=True)
    ]
    return _Made("captioned", columns, _bounds(space, reals, pictures))


def pictures_of(space: dict[str, Any], items: Any) -> Any:
    """Items as pictures: ``(n, h, w)`` in grey, ``(n, h, w, 3)`` in colour; what comes behind a picture is cut off.

    >>> pictures_of({"picture": (1, 2), "channels": 3}, np.arange(14.0).reshape(2, 7)).shape
    (2, 1, 2, 3)
    """
    height, width = (int(side) for side in space["picture"])
    channels = int(space.get("channels") or 1)
    flat = items.reshape(len(items), -1)[:, : height * width * channels].astype(np.float64)
    grid = flat.reshape(len(items), height, width, channels)
    return grid[..., :3] if channels >= 3 else grid[..., 0]


def _bounds(space: dict[str, Any], reals: list[Any], pictures: list[Any]) -> tuple[float, float]:
    return common_bounds([np.concatenate([pictures_of(space, items).ravel() for items in reals]), *pictures])


def _texts(space: dict[str, Any], sets: list[Any], labels: list[str]) -> _Made:
    columns = [
        Column(label, tuple(spell(row, space) for row in items[:TEXTS]))
        for label, items in zip(labels, sets, strict=True)
    ]
    return _Made("text", columns)


def spell(tokens: Any, space: dict[str, Any]) -> str:
    """A row of token numbers as text, cut to a readable length.

    >>> spell(np.array([1, 0, 7]), {"names": ("the", "end"), "joiner": " "})
    'end the ⟨7⟩'
    """
    names = space.get("names") or ()
    joiner = space.get("joiner", " ")
    words = [
        str(names[index]) if 0 <= index < len(names) else f"⟨{index}⟩" for index in np.asarray(tokens).ravel().tolist()
    ]
    text = str(" " if joiner is None else joiner).join(words)
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # tokens may be parts of a character
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"


def spell_words(tokens: Any, space: dict[str, Any]) -> str:
    r"""A caption on one line.

    >>> spell_words(np.array([1.0, 0.0, 0.0]), {"names": ("\n", "cat"), "joiner": " "})
    'cat'
    """
    return " ".join(spell(np.asarray(tokens).astype(np.int64), space).split()) or "(no words)"


def _symbols(space: dict[str, Any], sets: list[Any], labels: list[str]) -> _Made:
    """Shares of the symbols in their own order, neighbours together when there are many."""
    size = max([int(space.get("size") or 0), *(int(items.max()) + 1 for items in sets)])
    width = -(-size // (2 * BARS))
    bins = -(-size // width)
    shares = [np.bincount(items.astype(np.int64).ravel() // width, minlength=bins) / items.size for items in sets]
    names = space.get("names") or ()
    words = [str(names[index]) if index < len(names) else f"symbol {index}" for index in range(0, size, width)]
    columns = [Column(label, tuple(share.tolist())) for label, share in zip(labels, shares, strict=True)]
    return _Made("bars", columns, (0.0, 1.0, 0.0, _top(shares)), words)


def _top(shares: list[Any]) -> float:
    """Twice the real height at most: a generation that puts everything into one bar must not flatten the others."""
    real = float(np.max(shares[0], initial=0.0))
    every = max(float(np.max(share, initial=0.0)) for share in shares)
    return min(every, 2.0 * real) or every or 1.0


def _points(kind: str, sets: list[Any], labels: list[str], real: Any) -> _Made:
    width = real.shape[1]
    features = width - 1 if kind in ("labelled", "regression") else width
    if features < 2 and kind != "regression":
        return _line(kind, sets, labels, real)
    picks = [0, width - 1] if kind == "regression" else [0, 1]
    if kind == "labelled":
        picks.append(width - 1)
    columns = [Column(label, items[:POINTS][:, picks]) for label, items in zip(labels, sets, strict=True)]
    return _Made("scatter", columns, bounds_of(real[:, picks], 0.15))


def _line(kind: str, sets: list[Any], labels: list[str], real: Any) -> _Made:
    """Points on a line: a histogram, or with few samples one dot each, one above the other."""
    if min(len(items) for items in sets) >= FEW:
        low, high, *_ = bounds_of(real[:, [0, 0]])
        shares = [histogram(items[:, 0], low, high, BARS) for items in sets]
        columns = [Column(label, tuple(share)) for label, share in zip(labels, shares, strict=True)]
        return _Made("bars", columns, (low, high, 0.0, _top([np.asarray(share) for share in shares])))
    dots = [np.insert(items[:FEW], 1, np.linspace(0.0, 1.0, len(items[:FEW])), axis=1) for items in sets]
    columns = [Column(label, items) for label, items in zip(labels, dots, strict=True)]
    every = np.concatenate([items[:FEW, 0] for items in sets])
    (low, high, *_), (least, most, *_) = bounds_of(real[:, [0, 0]]), bounds_of(np.column_stack([every, every]))
    span = high - low
    return _Made("scatter", columns, (max(min(low, least), low - span), min(max(high, most), high + span), -0.06, 1.06))


def _caption(kind: str, store: RunStore, chosen: list[int], kept: list[int]) -> str:
    features = int(np.prod(store.space.get("shape") or (1,)))
    text = {
        "image": "Samples drawn by the model of each generation, beside real ones; all on the scale of the real images.",
        "captioned": "Pictures and captions from the model of each generation, beside real ones; all on the scale of the real "
        "pictures.",
        "text": "The beginning of samples drawn by the model of each generation, beside real ones.",
        "scatter": _scatter_caption(str(store.space.get("kind")), features, store.space.get("names") or ()),
        "bars": "Shares of the symbols among the samples kept, in the order of their numbers."
        if store.space.get("kind") == "symbols"
        else "Distribution of samples in equal bins over the range of the real data; what lies outside counts in the outermost bins.",
    }[kind]
    return text + (f" {len(chosen)} of {len(kept)} settings are shown." if len(chosen) < len(kept) else "")


def _scatter_caption(kind: str, features: int, names: Sequence[str]) -> str:
    if kind == "regression":
        return "Response (upwards) against the first covariate, in the frame of the real data."
    colours = " Colours are classes." if kind == "labelled" else ""
    features -= kind == "labelled"
    if features == 1:
        what = "Each dot is one sample, placed from left to right by its value; its height only keeps it apart"
        return f"{what}. Rings lie outside the frame.{colours}"
    what = "The samples" if features == 2 else f"The first two of {features} coordinates"
    return f"{what}, in the frame of the real data; rings lie outside it.{colours}"
