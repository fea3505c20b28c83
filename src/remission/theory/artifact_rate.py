"""The rate of a planted artifact in a loop that neither likes nor dislikes it: drift without direction.

An artifact is an allele. A model that repeats its training set keeps its frequency in expectation and moves it by chance:
Wright and Fisher's neutral drift. What a network adds to this line, up or down, is amplification or washing out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from remission.data import REAL, Floats
from remission.interfaces import FiniteSource, Recipe
from remission.marks import Mark, Marked
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def neutral(recipes: Sequence[Recipe], real: Callable[[int], float]) -> Floats:
    """E q_t = sum over the items of training set t of w E q(origin) / sum w, with E q(0) = real(t), E q(g) = E q_g.

    Args:
        recipes: what generations 1 .. T are trained on; t arrives at its own generation and stays what it was.
        real: the rate among real items that arrive in generation t.

    Returns:
        The expected rate in training set t, and so in the output of a model that keeps frequencies, shape (T,).

    In *replace* it stays at real(1) for ever; with a share a of clean fresh data after fit 1 it falls as (1 - a)^(t - 1);
    where everything is kept it falls as slowly as clean data gathers. Scale: mean. Source: derived (linearity of
    expectation; the neutral Wright-Fisher model, Ewens, Mathematical Population Genetics (2004), section 1.4).

    >>> from remission.interfaces import Part
    >>> fresh = [Recipe((Part(0, 100),), ((1, 1),))]
    >>> fresh += [Recipe((Part(0, 10), Part(t - 1, 90)), ((t, t),)) for t in range(2, 5)]
    >>> neutral(fresh, lambda t: 0.2 if t == 1 else 0.0).round(4)
    array([0.2   , 0.18  , 0.162 , 0.1458])
    """
    batches: list[tuple[float, float]] = []  # of each batch: total weight, weight of what carries the artifact
    out = np.empty(len(recipes))
    for t, recipe in enumerate(recipes, start=1):
        mass = [part.count * part.weight for part in recipe.arrivals]
        rate = [real(t) if part.origin == REAL else float(out[part.origin - 1]) for part in recipe.arrivals]
        batches.append((sum(mass), float(np.dot(mass, rate))))
        chosen = [batches[number - 1] for number in given.trained(recipe)]
        out[t - 1] = sum(carrying for _, carrying in chosen) / sum(weight for weight, _ in chosen)
    return out


def undecided(rate: float, counts: Sequence[int]) -> Floats:
    """E q_t (1 - q_t) = p0 (1 - p0) prod_{s <= t} (1 - 1/n_s) in *replace*: every run ends with all or nothing.

    Args:
        rate: p0.
        counts: n_1 .. n_T.

    At last a share p0 of all runs carries the artifact in every item and the others in none. Scale: mean. Source: Ewens
    (2004), section 1.4.

    >>> undecided(0.5, [2, 2]).tolist()
    [0.125, 0.0625]
    """
    shrink = np.cumprod(1.0 - 1.0 / np.asarray(counts, float))
    return np.asarray(rate * (1.0 - rate) * shrink, np.float64)


def real_rate(world: World) -> Callable[[int], float]:
    """The rate at which real items of generation t carry the artifact, those that carry it by themselves included."""
    source = world.source
    assert isinstance(source, Marked)
    own = _by_itself(world, source.mark)
    return lambda t: own + (1.0 - own) * source.rate_at(t)


def _by_itself(world: World, mark: Mark) -> float:
    """Share of clean items that carry it; a law of pictures or texts is taken to have none."""
    source = world.source
    return float(mark.carried(source.items()[None]).mean()) if isinstance(source, FiniteSource) else 0.0


class ArtifactRate(Theory):
    """E p_t of a model that repeats its training items; see :func:`neutral`. Range 0 to 1; it falls with clean data.

    Exact for models whose output has the frequencies of the training set in expectation: kernels so narrow that they
    leave the figure as it is (after T generations h sqrt(T) <= 0.1, against half of 1 that it would take), and chains
    whose order is the length of a block. A network need not keep frequencies, so the law does not predict it, but the
    same line is what its rate is held against (:mod:`remission.lab.artifacts`).

    A single run does not stay at the mean: see :func:`undecided`.

    >>> ArtifactRate().statement
    'E p_t = sum w E q(origin) / sum w; replace: p0'
    """

    row: ClassVar[str] = "A1"
    source: ClassVar[str] = "derived; Ewens (2004), section 1.4"
    statement: ClassVar[str] = "E p_t = sum w E q(origin) / sum w; replace: p0"

    def refuses(self, world: World) -> str:
        """Needs an artifact, a model that repeats its training items, and nothing selected or biased."""
        return given.first(
            world, _marked, _repeats, given.plain_sampling, given.no_curator, _start_kept, _weights_fixed
        )

    def predict(self, world: World) -> list[Prediction]:
        """The rate of the model and of its training set, and its ratio to p0."""
        assert isinstance(world.source, Marked)
        rate, p0 = neutral(given.recipes(world), real_rate(world)), world.source.rate_at(1)
        rows = {"artifact-rate": rate, "artifact-rate.training": rate} | (
            {"artifact-rate.ratio": rate / p0} if p0 else {}
        )
        return [Prediction(self.name(), metric, "mean", values) for metric, values in rows.items()]


def _marked(world: World) -> str:
    return "" if isinstance(world.source, Marked) else "the source plants no artifact"


def _repeats(world: World) -> str:
    """The model's output has the frequencies of its training set in expectation."""
    name, table = world.model.name(), world.model.table()
    if name == "kde":
        wide = given.fixed_bandwidth(world)
        if not wide and table["bandwidth"] * np.sqrt(world.generations) > 0.1:
            wide = f"the kernel ({table['bandwidth']:g}) blurs the artifact within {world.generations} generations"
        return wide
    if name == "ngram":
        if table["smoothing"]:
            return "smoothing writes what was never there"
        short = table["order"] < world.space.shape[0]
        return "the chain forgets the beginning of a block (order below its length)" if short else ""
    return f"the model ({name}) need not keep frequencies"


def _start_kept(world: World) -> str:
    return "a shifted start changes the artifact" if world.initial.state == "shifted" else ""


def _weights_fixed(world: World) -> str:
    loose = any(recipe.mixed or recipe.take is not None for recipe in given.recipes(world))
    return "the total weight is random" if loose and given.equal_weights(world) else ""
