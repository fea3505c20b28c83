"""What the demos are made of: experiments that come with the package, and what to look at in each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Literal

from remission.errors import SpecError, did_you_mean

Size = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Part:
    """One experiment of a demo.

    Attributes:
        name: of its file.
        title: for people.
        text: what it shows, in a few sentences.
        headline: the row to look at first, and what it is in words.
        separates: rows on which *replace* is expected to differ from both treatments, named before the run.
        deep: needs PyTorch; there is a size for two cores and one for a GPU.
    """

    name: str
    title: str
    text: str
    headline: tuple[str, str]
    separates: tuple[str, ...] = ()
    deep: bool = False

    def toml(self, size: Size = "cpu") -> str:
        """The experiment file."""
        file = f"deep/{size}/{self.name}.toml" if self.deep else f"{self.name}.toml"
        return resources.files("remission.demo").joinpath(file).read_text(encoding="utf-8")


BASIC = (
    Part(
        "digits",
        "Handwritten digits",
        "1,797 digits written by hand, modelled by a mixture of Gaussians. In *replace* each model sees only pictures "
        "that the model before it drew: shapes blur into one another, and rare ways of writing vanish (recall falls). "
        "Keeping all data, or adding a tenth of fresh human digits in every generation, holds the decay.",
        ("prdc.recall", "share of real digits still covered"),
    ),
    Part(
        "prose",
        "English prose",
        "The documentation of Python's own libraries, written by people, modelled word by word. In *replace* rare words "
        "die first and never come back; sentences repeat. Read the samples from left to right.",
        ("types.recall", "share of human words still in use"),
    ),
    Part(
        "gaussian",
        "A world known in closed form",
        "Here everything can be computed. Dashed lines are theory, not fits: if the solid lines follow them, you can "
        "trust the loop that made the other pictures.",
        ("moments.variance", "variance (1 at the start)"),
    ),
)

_PICTURES = ("frechet[features=classifier]", "prdc[features=classifier].recall", "pixels.spread")
_CLASSES = (
    "frechet[features=classifier]",
    "prdc[features=classifier].coverage",
    "prdc[features=classifier].recall",
)
_AVERAGED = (
    "A variational autoencoder, whose pictures are the means that its decoder gives. In *replace* every generation is a "
    "little more of an average than the one before: spread and recall fall, pictures blur. Kept data, or a tenth of "
    "fresh pictures, holds it."
)
_GUIDED = (
    "a small U-Net that draws a picture of a given class, with guidance 1.5: each class is drawn more typical than it is. In "
    "*replace* this adds up: pictures stay sharp and are recognised with ever more confidence while variety goes (the "
    "sampling bias of Alemohammad et al., arXiv 2307.01850)."
)
_DRIFTS = (
    "A small transformer, trained for a short time and sampled as it is. What it gets wrong is learned by the next one: "
    "it drifts to noise. Loss on human text rises; distinct n-grams *grow*, so diversity alone would look healthy."
)
_NARROWS = (
    "A transformer that was trained for longer and is sampled at temperature 0.8. It narrows: fewer distinct n-grams, ever "
    "more of what is probable, and human text becomes a surprise to it."
)

DEEP = (
    Part(
        "vae-mnist",
        "Handwritten digits, a variational autoencoder",
        _AVERAGED,
        ("prdc[features=classifier].recall", "share of real digits still covered"),
        _PICTURES,
        deep=True,
    ),
    Part(
        "vae-fashion-mnist",
        "Clothes, a variational autoencoder",
        _AVERAGED,
        ("prdc[features=classifier].recall", "share of real clothes still covered"),
        _PICTURES,
        deep=True,
    ),
    Part(
        "flow-mnist",
        "Handwritten digits, flow matching",
        "Flow matching: " + _GUIDED,
        ("prdc[features=classifier].coverage", "share of real digits with output nearby"),
        _CLASSES,
        deep=True,
    ),
    Part(
        "diffusion-fashion-mnist",
        "Clothes, diffusion",
        "A DDPM: " + _GUIDED,
        ("prdc[features=classifier].coverage", "share of real clothes with output nearby"),
        _CLASSES,
        deep=True,
    ),
    Part(
        "shakespeare-drift",
        "Shakespeare, drifting to noise",
        _DRIFTS,
        ("bits-per-byte", "bits per byte of human text"),
        ("bits-per-byte", "novel-ngrams.novel", "gibberish.characters"),
        deep=True,
    ),
    Part(
        "shakespeare-narrow",
        "Shakespeare, narrowing",
        _NARROWS,
        ("distinct.3", "share of distinct 3-grams"),
        ("bits-per-byte", "distinct.3", "novel-ngrams.recall"),
        deep=True,
    ),
    Part(
        "wikitext-drift",
        "Wikipedia, drifting to noise",
        _DRIFTS,
        ("bits-per-byte", "bits per byte of human text"),
        ("bits-per-byte", "novel-ngrams.novel", "gibberish.characters"),
        deep=True,
    ),
    Part(
        "wikitext-narrow",
        "Wikipedia, narrowing",
        _NARROWS,
        ("distinct.3", "share of distinct 3-grams"),
        ("bits-per-byte", "distinct.3", "novel-ngrams.recall"),
        deep=True,
    ),
)

SHORT = ("flow-mnist", "shakespeare-drift", "shakespeare-narrow")  # what `--deep` runs when no part is named


def deep_parts(names: tuple[str, ...] = ()) -> tuple[Part, ...]:
    """The parts of these names; ``all`` for all, the short ones when none is named. Raises SpecError."""
    if "all" in names:
        return DEEP
    known = {part.name: part for part in DEEP}
    for name in names:
        if name not in known:
            raise SpecError(f"There is no deep experiment '{name}'. {did_you_mean(name, [*known, 'all'])}")
    return tuple(known[name] for name in names or SHORT)
