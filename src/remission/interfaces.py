"""Read this first: the abstract parts a loop is made of, and what goes in and out of each.

::

    real source ──► reference (never trained on)
        │
        └──► pool ──regime──► arrivals ──curators──► training set ──fit──► model_t ──sample──► output_t ─┐
               ▲                                                             │                           │
               └─────────────────────────────────────────────────────────────┼───────────────────────────┘
                                                                     metrics(output_t, reference)

Arrays carry a block of ``r`` replicates: items ``(r, n, *item)``. Classes here are abstract; those in the
leaf folders are final. A part of your own that looks at one replicate at a time derives from a class in
:mod:`remission.simple` instead. Index once and for all: t = number of fits done; fit 1 is on real data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from remission.component import Component
from remission.data import EVERYTHING, Array, Dataset, Floats, Integers, Space
from remission.desk import Desk
from remission.documents import Documents
from remission.estimate import Estimate
from remission.laws import AnyLaw
from remission.recipe import Part as Part
from remission.recipe import Recipe as Recipe
from remission.rng import Streams
from remission.sampling import Sampling as Sampling
from remission.scored import Scored
from remission.watermarking import Steer

if TYPE_CHECKING:  # views and worlds are made of the parts below, so they lie above this file
    from remission.view import View
    from remission.world import World

State = Any  # what a fitted model is: arrays with a leading axis r; never changed once made
Statistics = Any  # additive statistics of a data set, likewise


class Refusing:
    """A part that can say, before anything is fitted, that it makes no sense in a world."""

    def refuses(self, world: World) -> str:
        """Why it cannot be used in this world and what to try, in a sentence; empty when it can."""
        return ""


class Source(Component, ABC):
    """Where real data comes from: either a law that is drawn from, or a finite set of real items."""

    folder: ClassVar[str] = "sources"

    @property
    @abstractmethod
    def space(self) -> Space:
        """What one item is. May load the data."""

    def law(self) -> AnyLaw | None:
        """The exact distribution, when it is known."""
        return None

    def corrupt(self, items: Array, streams: Streams) -> Array:
        """What the loop gets to see of clean items ``(r, n, *item)``; the reference stays clean."""
        return items


class GenerativeSource(Source):
    """A law: as many fresh independent items as anybody asks for."""

    @abstractmethod
    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh items, shape ``(r, n, *item)``."""


class FiniteSource(Source):
    """A finite set of real items; reference and training items are disjoint parts of it."""

    @abstractmethod
    def items(self) -> Array:
        """All items, shape ``(N, *item)``; the same array at every call."""

    def item_classes(self) -> Integers | None:
        """The class 0 .. C - 1 of every item, shape (N,), whether or not items carry it; None when there are none."""
        return None


class Model(Refusing, Component, ABC):
    """A generative model (or a labeller) that can be fitted to items and sampled."""

    folder: ClassVar[str] = "models"
    accepts: ClassVar[frozenset[str]] = EVERYTHING  # kinds of Space
    knows: ClassVar[frozenset[str]] = frozenset()  # options of Sampling it honours
    weighted: ClassVar[bool] = False  # honours Dataset.weight
    warm: ClassVar[bool] = False  # can start from the previous state

    def minimum(self, space: Space) -> int:
        """The smallest number of items it can be fitted to."""
        return 1

    @abstractmethod
    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """Fit every replicate of the block.

        Args:
            data: what to fit, ``data.items`` of shape ``(r, n, *item)``; ``data.weight`` when ``weighted``.
            streams: the randomness of this fit.
            previous: the state of the last generation for a warm start, else None.

        Raises:
            FitError: when the data cannot be fitted, with likely causes.
        """

    @abstractmethod
    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Draw ``(r, n, *item)`` new items."""


class AdditiveModel(Model):
    """A model whose fit needs only additive statistics: accumulating costs O(T), not O(T^2)."""

    @abstractmethod
    def statistics(self, data: Dataset) -> Statistics:
        """The statistics of a data set, weights included."""

    @abstractmethod
    def merge(self, one: Statistics, other: Statistics) -> Statistics:
        """The statistics of two data sets together."""

    @abstractmethod
    def solve(self, statistics: Statistics, previous: State | None = None) -> State:
        """The fitted state. Raises FitError."""

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """Fit through the statistics (final)."""
        return self.solve(self.statistics(data), previous)


class FastModel(AdditiveModel):
    """A model that can draw the statistics of a sample without the sample, with the identical law."""

    @abstractmethod
    def draw_statistics(self, state: State, n: int, weight: float, streams: Streams, sampling: Sampling) -> Statistics:
        """The statistics of n items drawn from the state, each of the given weight."""

    @abstractmethod
    def state_of(self, law: AnyLaw, replicates: int) -> State | None:
        """The state that *is* this law, so that real data can be drawn the fast way; None if there is none."""


class LongModel(Model):
    """A model whose fit takes long: it can stop inside a fit and go on, and its states can be stored.

    The state is a dict of torch tensors on the CPU, each with a leading axis r.
    """

    warm: ClassVar[bool] = True
    pretrained: ClassVar[bool] = False  # start = "base" means weights that were given, not those of fit 1

    @abstractmethod
    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Fit, keeping half-done work at the desk."""

    def together(self, space: Space) -> int:
        """How many replicates are best fitted at once; above 1 when their networks are stacked."""
        return 1

    def inherit(self, state: State, first: State) -> State:
        """The state of a later fit with what it takes over from fit 1, such as prompts of the real text."""
        return state

    def content(self) -> str:
        """A hash of the files the model is given, which are part of a run's identity; empty when there are none."""
        return ""

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """Fit without keeping anything (final)."""
        return self.fit_at(data, streams, previous, Desk())


class Captioner(ABC):
    """A model that writes the caption of a given picture."""

    @abstractmethod
    def caption(self, state: State, pictures: Floats, streams: Streams, sampling: Sampling) -> Array:
        """Captions (r, n, l), whole numbers, for pictures (r, n, d)."""


class Renderer(ABC):
    """A model that draws the picture of a given caption."""

    @abstractmethod
    def render(self, state: State, captions: Array, streams: Streams, sampling: Sampling) -> Floats:
        """Pictures (r, n, d) for captions (r, n, l)."""


class HasMoments(ABC):
    """A model that knows the mean and covariance of what it would generate."""

    @abstractmethod
    def moments(self, state: State) -> tuple[Floats, Floats]:
        """Mean (r, d) and covariance (r, d, d) of the fitted distribution, before any sampling option."""


class HasDensity(ABC):
    """A model that knows the log-density (or log-probability) of an item."""

    @abstractmethod
    def log_density(self, state: State, items: Array) -> Floats:
        """Natural log-density of each item (r, m); for tokens, of a whole block given its start."""


class HasProbabilities(ABC):
    """A model of symbols that knows the probability of each."""

    @abstractmethod
    def probabilities(self, state: State) -> Floats:
        """Shape (r, V), rows sum to 1."""


class Steerable(ABC):
    """A model of tokens that lets the law of each be changed while it writes, as watermarks do."""

    @abstractmethod
    def sample_steered(self, state: State, n: int, streams: Streams, sampling: Sampling, steer: Steer) -> Array:
        """As ``sample``; logits after temperature and truncation go through ``steer(i, start, stop)`` of their texts."""


class Labeller(ABC):
    """A model that labels given features instead of generating whole items.

    Its ``sample`` is never called: the loop draws real features and lets the model label them. Final classes
    have a field ``covariates``: ``"new"`` features every generation, or the ``"same"`` as in generation 1.
    """

    covariates: Literal["new", "same"]

    @abstractmethod
    def relabel(self, state: State, items: Array, streams: Streams) -> Array:
        """Copies of items ``(r, n, d + 1)`` whose last column the model generated, noise included."""

    @abstractmethod
    def predict(self, state: State, items: Array) -> Floats:
        """The noise-free prediction for each item, shape (r, n)."""


class Regime(Component, ABC):
    """Which data each generation is trained on. Sees sizes, never data."""

    folder: ClassVar[str] = "regimes"

    @abstractmethod
    def recipe(self, t: int, n: int) -> Recipe:
        """The recipe of generation t >= 1 with a budget of n new items. Generation 1 is on real data."""

    def first_batch(self, t: int) -> int:
        """The oldest pool batch that generation t or any later one still needs, apart from batch 1 if pinned."""
        return t

    @property
    def pins_first(self) -> bool:
        """Whether batch 1 is needed for ever."""
        return False

    @property
    def oldest_model(self) -> int:
        """How many generations back the oldest model lies that is still sampled (1: only the last)."""
        return 1

    def check_generations(self, generations: int) -> None:
        """Raise SpecError when the regime cannot run that many generations."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """A curator's answer: which items stay (r, n) and, optionally, the weight of each (r, n)."""

    keep: Array
    weight: Floats | None = None


class Curator(Refusing, Component, ABC):
    """Selects or weighs the items that arrive, without seeing where they come from.

    Attributes:
        on: judge all arrivals, or only the real or the synthetic ones (as when users pick among model outputs).
    """

    folder: ClassVar[str] = "curators"
    accepts: ClassVar[frozenset[str]] = EVERYTHING
    oracle: ClassVar[bool] = False  # an oracle sees origin and truth: it gets a Dataset, not a Blind
    weighs: ClassVar[bool] = False  # gives weights, so the model must honour them
    drops: ClassVar[bool] = True  # may drop items, so the training set may need a refill
    on: Literal["all", "synthetic", "real"] = "all"

    @abstractmethod
    def judge(self, data: Any, generation: int, streams: Streams) -> Judgement:
        """Judge a proposal of n items per replicate (a Blind; a Dataset for an oracle)."""

    @property
    def yields(self) -> float:
        """A guess at the share kept, so that a refill draws about enough at once."""
        return 1.0


Direction = Literal["falls", "rises", "either"]


class Metric(Refusing, Component, ABC):
    """A number, or several, measured at every generation.

    Attributes:
        columns: the parts it returns and what each does in collapse: falls, rises or either. A single part
            named "" takes the label of the metric alone.
        needs: the capabilities of the model it uses (``HasMoments``...); empty if it looks at samples only.
        sized: the value moves with the number of items, so it is computed on equally many real and generated ones.
        samples: it looks at a sample or training set, so it cannot run on the fast path.
    """

    folder: ClassVar[str] = "metrics"
    accepts: ClassVar[frozenset[str]] = EVERYTHING
    columns: ClassVar[dict[str, Direction]] = {"": "either"}
    needs: ClassVar[tuple[type, ...]] = ()
    sized: ClassVar[bool] = False
    samples: ClassVar[bool] = True

    def prepare(self, view: View) -> Any:
        """Work done once per block on ``view.reference`` and ``view.real``; comes back as ``view.prepared``."""
        return None

    @abstractmethod
    def measure(self, view: View) -> dict[str, Floats]:
        """One array of shape (r,) per column."""


class Detector(Component, ABC):
    """Tells synthetic items from human ones by a score that is higher the more likely an item is synthetic.

    A score alone is no decision: error rates come from :mod:`remission.calibration`.

    Attributes:
        takes: what an item is: a ``text`` (str), a ``picture`` (array (h, w) or (h, w, 3) of bytes) or a ``file``
            (the path of a picture, whose metadata counts).
        learns: it is fitted to human and synthetic examples; otherwise ``fit`` is told only the human ones, or none.
        batch: how many items are best scored at once.
    """

    folder: ClassVar[str] = "detectors"
    takes: ClassVar[Literal["text", "picture", "file"]] = "text"
    learns: ClassVar[bool] = True
    batch: ClassVar[int] = 4096

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """The fitted state: named arrays without objects, so that it can be stored without pickle.

        Args:
            examples: items with ``synthetic`` set; ``columns`` may name ``domain``, ``generator``, ``attack``; items
                of one unit belong together (an original and its paraphrase) and are never split.
            seed: of everything random.

        Raises:
            FitError: the examples cannot be learned from, with likely causes.
        """
        return {}

    @abstractmethod
    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Scores (n,); NaN for an item it cannot judge. An item's score does not depend on its neighbours."""

    def seen(self, items: Sequence[Any]) -> Sequence[Any]:
        """What is left of items after its own normalisation; the artefact audit looks at that as well."""
        return items

    def content(self) -> str:
        """A hash of the files it is given (weights, tokenizer), which are part of its identity; empty: none."""
        return ""


class Prevalence(Component, ABC):
    """Estimates which share of a corpus is synthetic, with an interval.

    Attributes:
        needs: what it cannot do without besides human items: ``synthetic`` items of the target's kind, ``labels`` of
            part of the target, or ``words`` (the items themselves).
        bounds: it gives an interval that the share lies in, and no value.
    """

    folder: ClassVar[str] = "prevalence"
    needs: ClassVar[frozenset[str]] = frozenset()
    bounds: ClassVar[bool] = False

    @abstractmethod
    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """The share 0 .. 1 of the target's weight that is synthetic. Raises DataError when it has not what it needs."""
