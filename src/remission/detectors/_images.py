"""What detectors of pictures share: the refusal of leaks of size and format, and a linear head."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from remission.data import Array, Floats
from remission.documents import Documents
from remission.errors import DataError, FitError

LEAST = 20  # pictures of each kind
SMALLEST = 8  # pixels a side
APART = 0.25  # traces of JPEG that differ by more are a leak
_SAMPLE = 64  # pictures of each kind whose format is looked at
_BLOCKS = 1000  # of 8 x 8 pixels for one position of the grid
_STEPS = np.arange(2, 33)  # of quantisation; a step of 1 leaves no trace
_LEAST_FAR = 100  # coefficients that a mean is taken of

Features = Callable[[Array], Floats]  # pictures (n, h, w, c) of bytes to features (n, d)


def stack_of(pictures: Sequence[Any]) -> Array:
    """Pictures of one size as (n, h, w, c) bytes."""
    stacked = np.stack([np.asarray(one) for one in pictures])
    return stacked if stacked.ndim == 4 else stacked[..., None]


def picture_of(item: Any, place: int, what: str) -> Array:
    """An item as an array. Raises DataError for one that is no picture of bytes."""
    if not isinstance(item, np.ndarray) or item.ndim not in (2, 3) or (item.ndim == 3 and item.shape[2] not in (1, 3)):
        shown = f"array {item.shape}" if isinstance(item, np.ndarray) else type(item).__name__
        raise DataError(f"{what}: item {place} is a {shown}; it takes pictures: arrays (h, w) or (h, w, 3) of bytes.")
    return item


def matched(examples: Documents, what: str) -> Array:
    """The examples as (n, h, w, c) bytes, if nothing but their content tells the two kinds apart.

    Raises:
        DataError: sizes, numbers of channels, types of numbers, grey levels or traces of JPEG differ by kind: a detector
            would learn that and nothing else. The message names the leak.
        FitError: too few pictures, or too small ones.
    """
    flags = examples.synthetic
    if flags is None or min(int(flags.sum()), int((~flags).sum())) < LEAST:
        counts = (0, 0) if flags is None else (int((~flags).sum()), int(flags.sum()))
        raise FitError(
            f"{what} needs {LEAST} human and {LEAST} synthetic pictures; it was given {counts[0]} and {counts[1]}."
        )
    pictures = [picture_of(item, place, what) for place, item in enumerate(examples.items)]
    _same([str(one.dtype) for one in pictures], flags, what, "types of numbers", "Give all as bytes (uint8).")
    if pictures[0].dtype != np.uint8:
        raise DataError(
            f"{what} takes pictures of bytes (uint8); these are {pictures[0].dtype}. Give round(255 x) as uint8."
        )
    sizes = [" x ".join(map(str, one.shape)) for one in pictures]
    _same(sizes, flags, what, "sizes", "Cut or resize all in the same way before anything else is done.")
    stacked = stack_of(pictures)
    if min(stacked.shape[1:3]) < SMALLEST:
        raise FitError(f"{what} needs pictures of at least {SMALLEST} pixels a side; these have {sizes[0]}.")
    for leak in (_levels, _grid):
        reason = leak(stacked[~flags], stacked[flags])
        if reason:
            raise DataError(f"{what}: {reason}")
    return stacked


def _same(values: list[str], flags: Array, what: str, thing: str, cure: str) -> None:
    """Raise DataError unless all pictures have one value."""
    if len(set(values)) == 1:
        return
    shown = []
    for name, mine in (("human", ~flags), ("synthetic", flags)):
        counts = Counter(value for value, here in zip(values, mine, strict=True) if here)
        listed = ", ".join(f"{value} ({count})" for value, count in counts.most_common(3))
        shown.append(f"{name} pictures {listed}{', ...' if len(counts) > 3 else ''}")
    raise DataError(
        f"{what}: {thing} differ: {'; '.join(shown)}. What differs by kind would be learned instead of the content. {cure}"
    )


def _levels(human: Array, synthetic: Array) -> str:
    """A leak of grey levels: one kind uses less than half of those that the other does."""
    number = min(len(human), len(synthetic))
    counts = [len(np.unique(one[:number])) for one in (human, synthetic)]
    if min(counts) * 2 >= max(counts):
        return ""
    return (
        f"grey levels differ: human pictures use {counts[0]}, synthetic ones {counts[1]}. Bring both to the same levels, in the "
        f"same way."
    )


def _grid(human: Array, synthetic: Array) -> str:
    """A leak of JPEG: one kind was compressed, the other was not, or otherwise."""
    traces = [jpeg_trace(one) for one in (human, synthetic)]
    if abs(traces[0] - traces[1]) <= APART:
        return ""
    return (
        f"traces of JPEG differ: {traces[0]:.2f} for human and {traces[1]:.2f} for synthetic pictures (0: none, 1: strong). "
        f"Compress both in the same way, or take originals that never were."
    )


def jpeg_trace(pictures: Array) -> float:
    """How far the cosine coefficients of 8 x 8 blocks stand on a lattice, as JPEG leaves them: about 0 without, up to 1.

    The strongest of the 64 positions of the grid counts, in pictures (n, h, w, c) that all have the same one: the median over
    low frequencies of the largest mean of cos(2 pi c / q) over steps q, for coefficients c of at least q / 2. Photographs of
    quality up to about 90 are found. Blocks with values at 0 or 255 are left out, for there the lattice is cut off: drawings
    in black and white, as those of MNIST, show no trace. Too few blocks give 0.
    """
    each = max(1, min(pictures.shape[1], 264) // 8 * (min(pictures.shape[2], 264) // 8))
    grey = pictures[: max(_SAMPLE, 2 * _BLOCKS // each), :264, :264].astype(np.float64)
    cut = (grey.min(axis=3) == 0) | (grey.max(axis=3) == 255)
    grey = grey[..., 0] if grey.shape[3] == 1 else grey @ np.array([0.299, 0.587, 0.114])
    grey[cut] = math.nan
    return max(_trace(grey[:, down:, right:]) for down in range(8) for right in range(8))


def _trace(grey: Floats) -> float:
    n, height, width = grey.shape
    rows, columns = height // 8, width // 8
    blocks = grey[:, : 8 * rows, : 8 * columns].reshape(n, rows, 8, columns, 8).swapaxes(2, 3).reshape(-1, 8, 8)
    blocks = blocks[~np.isnan(blocks).any(axis=(1, 2))]
    blocks = blocks[:: max(1, -(-len(blocks) // _BLOCKS))]
    if len(blocks) < _LEAST_FAR:
        return 0.0
    wave = np.cos(np.pi * (2 * np.arange(8)[None] + 1) * np.arange(8)[:, None] / 16) / 2
    wave[0] /= math.sqrt(2)
    size = np.abs(wave @ blocks @ wave.T)
    low = np.array([size[:, u, v] for u in range(4) for v in range(4) if 0 < u + v < 4])
    best = np.zeros(len(low))
    for step in _STEPS:
        far = low >= step / 2
        count = far.sum(axis=1)
        mean = np.where(far, np.cos(2 * np.pi / step * low), 0.0).sum(axis=1) / np.maximum(count, 1)
        # less what the largest of many means reaches by chance
        best = np.maximum(best, np.where(count >= _LEAST_FAR, mean - 2.5 / np.sqrt(np.maximum(count, 1)), 0.0))
    return float(np.median(best))


# --- the head -------------------------------------------------------------------------------------------------------------


def fitted(pictures: Array, flags: Array, features: Features, strength: float) -> dict[str, Array]:
    """A logistic regression on standardised features, with both kinds weighing the same.

    Returns:
        ``shape`` (3,) of the pictures, ``mean``, ``scale`` and ``weight`` (d,), ``offset`` ().
    """
    from sklearn.linear_model import LogisticRegression

    table = np.concatenate([features(part) for part in _parts(pictures)])
    mean, scale = table.mean(axis=0), table.std(axis=0)
    scale = np.where(scale > 1e-12 * (1 + np.abs(mean)), scale, 1.0)
    head = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000)
    head.fit((table - mean) / scale, flags)
    return {
        "shape": np.array(pictures.shape[1:]), "mean": mean, "scale": scale, "weight": head.coef_[0],
        "offset": np.asarray(head.intercept_[0]),
    }  # fmt: skip


def scored(state: dict[str, Array], items: Sequence[Any], features: Features, what: str) -> Floats:
    """The logit (n,) of every picture; NaN for one of another size, number of channels or type than those of the fit."""
    if "weight" not in state:
        raise DataError(f"{what} was not fitted. Fit it to human and synthetic pictures first.")
    shape = tuple(int(side) for side in state["shape"])
    pictures = [picture_of(item, place, what) for place, item in enumerate(items)]
    fitting = [k for k, one in enumerate(pictures) if (*one.shape, 1)[:3] == shape and one.dtype == np.uint8]
    out = np.full(len(items), math.nan)
    for start in range(0, len(fitting), 256):
        here = fitting[start : start + 256]
        table = features(stack_of([pictures[k] for k in here]))
        # one by one: a product of matrices rounds differently from size to size
        out[here] = ((table - state["mean"]) / state["scale"] * state["weight"]).sum(axis=1) + float(state["offset"])
    return out


def _parts(pictures: Array) -> Iterator[Array]:
    for start in range(0, len(pictures), 256):
        yield pictures[start : start + 256]
