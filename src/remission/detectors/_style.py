"""Measures of style as a linear scorer."""

from __future__ import annotations

from functools import cache

import numpy as np

from remission.detectors._reading import read_all
from remission.detectors._training import Training
from remission.numerics.arrays import Array, Floats, Integers, Words
from remission.numerics.reading import Reading
from remission.numerics.style import measures
from remission.numerics.vocabulary import place, table

FUNCTION_WORDS = """
the of and to in a is that for it as was with be by on not he i this are or his from at which but
have an had they you were their one all we can her has there been if more when will would who so no she other its may
these what them than some him time into only could my about up out do then first any now such like our over me even
most made after also did many before must through back much where your way well down should because each just those
how too little good very make still own see here between both being under never same another know while last might us
off since against go came right take three himself few upon every why although however therefore thus during without
within yet once until though whether rather quite perhaps indeed often always sometimes ever along among around across
toward towards despite including overall additionally moreover furthermore can't don't didn't it's i'm that's i've he's
couldn't wasn't isn't really actually pretty got get said says"""
CLIP = 3.0  # standard deviations; one odd measure must not decide


@cache
def _known() -> tuple[Words, Integers]:
    hashes = read_all([FUNCTION_WORDS]).hashes
    keys = table(hashes)
    numbers = np.zeros(keys.size, np.int64)
    for number, word in enumerate(hashes):
        numbers[place(keys, word)] = number
    return keys, numbers


def measured(reading: Reading) -> Floats:
    """The measures of each text (m, k)."""
    known, numbers = _known()
    return measures(reading, known, numbers, int(numbers.max()) + 1)


def fit(training: Training, strength: float) -> dict[str, Array]:
    """Weights of a logistic regression on standardised measures, domains brought to one centre first.

    Args:
        training: the examples.
        strength: the inverse of the ridge, summed over all examples: small keeps close to each measure's own
            difference, which lasts in other domains; large uses how measures depend on each other here.
    """
    from sklearn.linear_model import LogisticRegression

    values, weight = measured(training.reading), training.weight
    _centre(values, training)
    middle = np.average(values, axis=0, weights=weight)
    spread = np.sqrt(np.average((values - middle) ** 2, axis=0, weights=weight)) + 1e-3
    model = LogisticRegression(C=strength / len(values), max_iter=500)
    model.fit(np.clip((values - middle) / spread, -CLIP, CLIP), training.synthetic, sample_weight=weight)
    return {"slopes": model.coef_[0], "constant": model.intercept_, "middle": middle, "spread": spread}


def scores(state: dict[str, Array], values: Floats) -> Floats:
    """The score of each row of measures (m,)."""
    standard = np.clip((values - state["middle"]) / state["spread"], -CLIP, CLIP)
    return np.einsum("ij,j->i", standard, state["slopes"]) + state["constant"][0]


def _centre(values: Floats, training: Training) -> None:
    """Move every domain with both classes so that the middle between its classes is that of all."""
    middles = {}
    for number in training.whole_domains:
        here = training.domain == number
        classes = [values[here & flags].mean(axis=0) for flags in (training.synthetic, ~training.synthetic)]
        middles[number] = (classes[0] + classes[1]) / 2
    if len(middles) > 1:
        common = np.mean(list(middles.values()), axis=0)
        for number, middle in middles.items():
            values[training.domain == number] += common - middle
