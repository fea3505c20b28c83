"""Conditions of the laws, each a sentence when it does not hold.

A condition takes a world and returns the empty string or why it fails, as a clause that follows "refused:".
Regimes are recognised by their recipes, never by their names, so a regime of one's own is understood as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from remission.data import REAL, Integers
from remission.interfaces import Recipe, Source
from remission.laws import CategoricalLaw, ClassesLaw, Law, LinearLaw, NormalLaw
from remission.world import World

Condition = Callable[[World], str]


def first(world: World, *conditions: Condition) -> str:
    """The first reason, in order; later conditions may rely on earlier ones."""
    return next((reason for condition in conditions if (reason := condition(world))), "")


def recipes(world: World) -> list[Recipe]:
    """The recipes of t = 1 .. T."""
    return [world.recipe(t) for t in range(1, world.generations + 1)]


def counts(world: World) -> Integers:
    """How many items arrive in each generation, shape (T,)."""
    return np.array([round(recipe.count) for recipe in recipes(world)])


def trained(recipe: Recipe) -> list[int]:
    """The numbers of the pool batches that are trained on."""
    return sorted({batch for low, high in recipe.batches for batch in range(low, high + 1)})


def model(*names: str) -> Condition:
    """The model is one of these."""

    def condition(world: World) -> str:
        given = world.model.name()
        return "" if given in names else f"the model is {given}, not {_either(names)}"

    return condition


def estimator(*names: str) -> Condition:
    """The Gaussian's estimator is one of these."""

    def condition(world: World) -> str:
        given = world.model.table().get("estimator")
        return "" if given in names else f"the estimator is {given}, not {_either(names)}"

    return condition


def option(key: str, *values: object) -> Condition:
    """A field of the model has one of these values."""

    def condition(world: World) -> str:
        given = world.model.table().get(key)
        allowed = _either([str(value) for value in values])
        return "" if given in values else f"the model's {key} is {given}, not {allowed}"

    return condition


def no_curator(world: World) -> str:
    """Nothing selects or weighs the data."""
    names = ", ".join(curator.name() for curator in world.curators)
    return f"there is a curator ({names})" if names else ""


def plain_sampling(world: World) -> str:
    """Models are sampled as they are."""
    used = ", ".join(sorted(world.sampling.used))
    return f"sampling is biased ({used})" if used else ""


def only_spread(world: World) -> str:
    """Nothing but the bias, which scales the spread of what is drawn, is used in sampling."""
    used = ", ".join(sorted(world.sampling.used - {"bias", "temperature"}))
    return f"sampling is truncated ({used})" if used else ""


def real_start(world: World) -> str:
    """Fit 1 is on plain real data."""
    return "" if world.initial.state == "real" else f"the start is {world.initial.state}, not real"


def clean_source(world: World) -> str:
    """The loop sees real items as they are."""
    changed = type(world.source).corrupt is not Source.corrupt
    return f"the source ({world.source.name()}) corrupts what the loop sees" if changed else ""


def known_moments(world: World) -> str:
    """The real mean and covariance are known and finite."""
    if not isinstance(world.law, Law):
        return "the mean and covariance of the real data are not known"
    finite = np.isfinite(world.law.mean).all() and np.isfinite(world.law.cov).all()
    return "" if finite else "the real data has no finite variance"


def normal_law(world: World) -> str:
    """Real data is normal."""
    return "" if isinstance(world.law, NormalLaw) else "the real data is not known to be normal"


def one_dimension(world: World) -> str:
    """Items are numbers."""
    d = world.space.features
    return "" if d == 1 else f"items have {d} dimensions, not 1"


def categorical_law(world: World) -> str:
    """The probability of every symbol is known."""
    return "" if isinstance(world.law, CategoricalLaw) else "the real probabilities of the symbols are not known"


def linear_law(world: World) -> str:
    """Responses are linear with known coefficients and noise."""
    return "" if isinstance(world.law, LinearLaw) else "the real coefficients are not known"


def classes_law(world: World) -> str:
    """Classes are normal with known means."""
    return "" if isinstance(world.law, ClassesLaw) else "the real classes are not known"


def constant_count(world: World) -> str:
    """Equally many items arrive in every generation."""
    return "" if len(set(counts(world).tolist())) == 1 else "the number of items per generation changes"


def equal_weights(world: World) -> str:
    """All items weigh the same."""
    weights = {part.weight for recipe in recipes(world) for part in recipe.arrivals if part.count}
    return "" if len(weights) <= 1 else "items have different weights"


def whole_sets(world: World) -> str:
    """Fits use all of the chosen batches."""
    return "" if all(recipe.take is None for recipe in recipes(world)) else "the training set is a subsample"


def newest_model(world: World) -> str:
    """After generation 1 all items that arrive come from the last model."""
    for t, recipe in enumerate(recipes(world), start=1):
        origins = {part.origin for part in recipe.arrivals if part.count}
        if origins != {t - 1}:
            if not origins:
                return f"nothing arrives in generation {t}"
            if REAL in origins:
                return "real data keeps arriving"
            return "a model older than the last is sampled"
    return ""


def newest_or_real(world: World) -> str:
    """Items that arrive are real or from the last model."""
    for t, recipe in enumerate(recipes(world), start=1):
        if not {part.origin for part in recipe.arrivals if part.count} <= {REAL, t - 1}:
            return "a model older than the last is sampled"
    return ""


def only_newest_batch(world: World) -> str:
    """Every fit uses only what has just arrived."""
    old = any(trained(recipe) != [t] for t, recipe in enumerate(recipes(world), start=1))
    return "older batches are trained on again" if old else ""


def all_batches(world: World) -> str:
    """Every fit uses all that ever arrived."""
    kept = all(trained(recipe) == list(range(1, t + 1)) for t, recipe in enumerate(recipes(world), start=1))
    return "" if kept else "not all batches are kept"


def exact_shares(world: World) -> str:
    """The number of items of each origin is fixed."""
    loose = any(recipe.mixed and len(recipe.arrivals) > 1 for recipe in recipes(world))
    return "the origin of every item is drawn at random" if loose else ""


def replace(world: World) -> str:
    """Every fit uses only, and all of, what the last model made."""
    return first(world, only_newest_batch, whole_sets, equal_weights, newest_model)


def accumulate(world: World) -> str:
    """Every fit uses all that was ever made, equally much per generation."""
    return first(world, all_batches, whole_sets, equal_weights, newest_model, constant_count)


def fresh_mix(world: World) -> str:
    """Every fit uses only what has just arrived: real or from the last model, in shares that stay the same."""
    return first(world, only_newest_batch, whole_sets, equal_weights, newest_or_real, constant_count, constant_shares)


def constant_shares(world: World) -> str:
    """From generation 2 on the number of real items stays the same."""
    real = {real_count(recipe) for recipe in recipes(world)[1:]}
    return "" if len(real) <= 1 else "the share of real data changes"


def real_count(recipe: Recipe) -> float:
    """How many real items arrive (expected, when origins are drawn)."""
    return sum(part.count for part in recipe.arrivals if part.origin == REAL)


def mix(world: World) -> tuple[int, int]:
    """(real, synthetic) items per generation of a fresh mix; all real when there is only one generation."""
    recipe = recipes(world)[-1]
    real = round(real_count(recipe))
    return real, round(recipe.count) - real


def two_items(world: World) -> str:
    """Every batch can have a variance."""
    return "" if int(counts(world).min()) > 1 else "a single item has no variance"


def gaussian(world: World) -> str:
    """A Gaussian fitted to clean vectors of known mean and covariance, nothing selected."""
    return first(world, model("gaussian"), clean_source, known_moments, no_curator)


def unigram(world: World) -> str:
    """Plain relative frequencies of symbols of known probability, nothing selected."""
    return first(world, model("unigram"), option("smoothing", 0.0), clean_source, categorical_law, no_curator)


def kernel(world: World) -> str:
    """A kernel density estimate of fixed bandwidth of clean vectors of known mean and covariance, nothing selected."""
    return first(world, model("kde"), fixed_bandwidth, clean_source, known_moments, no_curator)


def fixed_bandwidth(world: World) -> str:
    """The bandwidth is a number."""
    given = world.model.table().get("bandwidth")
    return "" if isinstance(given, float) else f"the bandwidth follows the data ({given})"


def least_squares(world: World) -> str:
    """Bare least squares on a known linear law, with label noise of known size, nothing selected."""
    return first(
        world,
        model("linear"),
        option("ridge", 0.0),
        option("intercept", False),
        clean_source,
        linear_law,
        no_curator,
        plain_sampling,
        real_start,
    )


def known_label_noise(world: World) -> str:
    """The noise that the model adds to its labels is a number."""
    given = world.model.table().get("noise")
    return "" if isinstance(given, (int, float)) else f"the model's label noise is {given}, not a number"


def label_noise(world: World) -> float:
    """Root mean square of the noise of generated labels; a fitted one keeps that of the real labels in *replace*."""
    noise = world.model.table()["noise"]
    if noise == "fit":
        assert isinstance(world.law, LinearLaw)
        return float(world.law.noise)
    return float(noise)


def more_rows(world: World) -> str:
    """Enough rows for a finite mean error."""
    d, least = world.space.features, int(counts(world).min())
    return "" if least > d + 1 else f"{least} rows for {d} columns are too few (at least {d + 2})"


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
