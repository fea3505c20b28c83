"""What the metrics of pictures look at: the items themselves, or features of them that need no download.

Features are computed once per generation, however many metrics read them. The classifier is trained once per set of
real pictures, and kept in the folder ``classifiers`` of the cache folder under a hash of everything it depends on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from remission.data import Array, Floats, Integers, Space
from remission.errors import StoreError, need
from remission.fingerprint import fingerprint
from remission.folders import cache_folder
from remission.interfaces import FiniteSource, Source
from remission.notes import say
from remission.numerics.random_features import normals_needed, random_features, random_layers
from remission.rng import Streams
from remission.view import View
from remission.world import World

if TYPE_CHECKING:
    from remission.networks.classifier import Classifier, Exam

Features = Literal["items", "classifier", "random"]
Which = Literal["sample", "reference", "real"]

_FEWEST = 20  # pictures a classifier is trained on
_LOADED: dict[Source, tuple[weakref.ref[Array], Classifier, str]] = {}
_KEPT = 4  # classifiers in memory


# --- for metrics ----------------------------------------------------------------------------------------------------


def refusal(features: Features, world: World) -> str:
    """Why these features cannot be had in this world and what to try; empty when they can."""
    if features == "items":
        return ""
    if not world.space.pixels:
        return f"features = '{features}' are those of pictures; {world.source.name()} gives none. Leave features out."
    return no_classifier(world.source, "Try features = 'random'.") if features == "classifier" else ""


def no_classifier(source: Source, instead: str) -> str:
    """Why no classifier can be trained on this source; empty when one can."""
    classes = source.item_classes() if isinstance(source, FiniteSource) else None
    if classes is None:
        return f"the classifier learns from the class of each real picture, and {source.name()} gives none. {instead}"
    if len(classes) < _FEWEST or np.unique(classes).size < 2:
        return (
            f"the classifier needs at least {_FEWEST} real pictures of 2 classes; {source.name()} has {len(classes)} "
            f"of {np.unique(classes).size}. {instead}"
        )
    need("deep", "A classifier", "torch", "safetensors")
    return ""


def featured(view: View, features: Features, which: Which) -> Floats:
    """The sample, the reference or the real items of fit 1 as points (r, n, d): as they are, or their features."""
    items: Array = getattr(view, which)
    if features == "items":
        return items
    if features == "classifier":
        return classified(view, which)[0]
    key = f"random features/{which}"
    if key not in view.cache:
        height, width = view.space.picture or (0, 0)
        shape = height, width, view.space.channels
        named = Streams.of(0, [0]).at(0, f"random features/{shape}")
        layers = random_layers(*shape, named.normals(normals_needed(*shape))[0])
        view.cache[key] = np.stack([random_features(pictures, layers) for pictures in items])
    return view.cache[key]


def pair(view: View, features: Features, reference: Floats) -> tuple[Floats, Floats]:
    """(sample, reference) as points, cut to equally many; ``reference`` is what :func:`featured` gave of it."""
    sample = featured(view, features, "sample")
    m = min(sample.shape[1], reference.shape[1])
    return sample[:, :m], reference[:, :m]


def classified(view: View, which: Which) -> tuple[Floats, Floats]:
    """Features (r, n, 64) and class probabilities (r, n, c) of pictures, by the classifier of the source."""
    from remission.networks.classifier import read

    key = f"classified/{which}"
    if key not in view.cache:
        assert view.source is not None
        network, about = classifier_of(view.source)
        if which == "reference":
            say(about)
        both = [read(network, pictures) for pictures in getattr(view, which)]
        view.cache[key] = np.stack([one for one, _ in both]), np.stack([other for _, other in both])
    return view.cache[key]


# --- the classifier of a source -------------------------------------------------------------------------------------


def classifier_of(source: Source) -> tuple[Classifier, str]:
    """The classifier of a source, trained if it was never needed before, and a sentence about it."""
    assert isinstance(source, FiniteSource)
    items = source.items()
    held = _LOADED.get(source)
    if held is None or held[0]() is not items:
        while len(_LOADED) >= _KEPT:
            _LOADED.pop(next(iter(_LOADED)))
        held = _LOADED[source] = (weakref.ref(items), *_load(source, items))
    return held[1:]


def _load(source: FiniteSource, items: Array) -> tuple[Classifier, str]:
    from remission.desk import read_tensors, write_tensors
    from remission.networks.classifier import Shape, train_classifier, trained

    space, classes = source.space, np.asarray(source.item_classes(), np.int64)
    pictures = items[:, : space.pixels]
    count = int(classes.max()) + 1
    height, width = space.picture or (0, 0)
    shape = Shape(height, width, space.channels)
    path = cache_folder() / "classifiers" / f"{_key(pictures, classes, space)}.safetensors"
    if not path.is_file():
        import torch

        with _alone(path):
            if not path.is_file():
                shown = torch.from_numpy(pictures.astype(np.float32))
                write_tensors(path, train_classifier(shown, torch.from_numpy(classes.copy()), shape, count))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    network, exam = trained(read_tensors(path), shape, count)
    return network, _about(source, len(pictures), count, exam, f"{path.parent.name}/{path.name}, sha256 {digest}")


def _about(source: Source, pictures: int, count: int, exam: Exam, file: str) -> str:
    return (
        f"classifier of {source.label}: trained on {pictures - exam.pictures} pictures of {count} classes, "
        f"{100 * exam.accuracy:.1f} % right on {exam.pictures} others, with confidence {exam.confidence:.3f} ({file})"
    )


def _key(pictures: Array, classes: Integers, space: Space) -> str:
    """A hash of everything the weights depend on."""
    import torch

    from remission import __version__
    from remission.networks.classifier import DESIGN

    content: dict[str, Any] = {
        "pictures": fingerprint(pictures),
        "classes": fingerprint(classes),
        "picture": space.picture,
        "channels": space.channels,
        "design": DESIGN,
        "versions": [__version__, torch.__version__],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process trains the same classifier; the lock dies with the process."""
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path.with_suffix(".lock"), "w", encoding="ascii")  # noqa: SIM115  (held until the end)
    except OSError as error:
        raise StoreError(
            f"'{path.parent}' cannot be written ({error.strerror}). Name another folder in REMISSION_DATA."
        ) from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
