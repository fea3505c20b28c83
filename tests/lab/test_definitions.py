"""A verdict per published definition, on trajectories whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from remission.errors import DataError
from remission.lab.definitions import definitions

NAMES = [
    "catastrophic increase of population risk",
    "any increase of population risk",
    "asymptotically diverging population risk",
    "collapsing variance",
    "change in scaling law",
    "disappearance of real tail data",
    "appearance of hallucinated data",
    "entanglement of modes",
]
T = np.arange(1, 41)


def noisy(curve: np.ndarray, noise: float = 0.1, replicates: int = 30) -> np.ndarray:
    return curve * np.exp(noise * np.random.default_rng(1).normal(size=(replicates, len(curve))))


def verdicts(table: dict[str, np.ndarray], **options: object) -> dict[str, str]:
    found = definitions(table, **options)  # type: ignore[arg-type]
    assert [finding.definition for finding in found] == NAMES
    return {finding.definition: finding.verdict for finding in found}


def test_replace_collapses_in_most_senses() -> None:
    table = {
        "moments.w2": noisy(T / 50),
        "moments.ratio": noisy(np.exp(-T / 10)),
        "tail-mass[q=0.05].ratio": noisy(np.exp(-T / 5)),
        "prdc.precision": np.full((30, 40), 0.95),
        "mode-coverage.outside": np.full((30, 40), 0.01),
    }
    found = verdicts(table)
    assert [found[name] for name in NAMES] == ["yes", "yes", "yes", "yes", "not measured", "yes", "no", "no"]


def test_accumulate_only_increases() -> None:
    table = {
        "kl.forward": noisy(np.cumsum(1.0 / T**2), 0.05),
        "moments.ratio": noisy(np.full(40, 0.97), 0.02),
        "tail-mass.ratio": noisy(np.full(40, 0.9), 0.1),
    }
    found = verdicts(table)
    expected = ["no", "yes", "no", "no", "not measured", "no", "not measured", "not measured"]
    assert [found[name] for name in NAMES] == expected


def test_few_replicates_or_generations_are_undecided() -> None:
    assert verdicts({"wasserstein": noisy(T / 50, replicates=3)})[NAMES[0]] == "undecided"
    short = verdicts({"wasserstein": noisy(T[:5] / 50)})
    assert short[NAMES[2]] == "undecided"
    assert short[NAMES[1]] == "yes"


def test_an_impossible_reference_is_a_catastrophe() -> None:
    table = {"log-likelihood": np.column_stack([np.full(20, -1.4), np.full(20, -np.inf)])}
    found = definitions(table)
    assert found[0].verdict == "yes"
    assert found[0].evidence is not None
    assert found[0].evidence.value == math.inf


def test_scaling_law_needs_sizes_and_sees_a_bent_one() -> None:
    def world(n: int, late: float) -> dict[str, np.ndarray]:
        curve = np.linspace(np.log(1.0 / n), late * np.log(1.0 / n), 40)
        return {"test-risk.excess": noisy(np.exp(curve))}

    kept = {n: world(n, 1.0) for n in (100, 300, 1000, 3000)}
    bent = {n: world(n, 0.5) for n in (100, 300, 1000, 3000)}
    assert verdicts(kept[100], sizes=kept)[NAMES[4]] == "no"
    assert verdicts(bent[100], sizes=bent)[NAMES[4]] == "yes"
    assert verdicts(bent[100], sizes={100: bent[100]})[NAMES[4]] == "not measured"


def test_hallucination_is_seen_in_precision_and_between_modes() -> None:
    table = {"prdc.precision": noisy(np.linspace(0.95, 0.4, 40), 0.02), "mode-coverage[modes=5].outside": noisy(T / 60)}
    found = verdicts(table)
    assert found[NAMES[6]] == found[NAMES[7]] == "yes"


def test_nothing_measured_and_wrong_shapes() -> None:
    assert set(verdicts({}).values()) == {"not measured"}
    with pytest.raises(DataError, match="same shape"):
        definitions({"wasserstein": np.ones((3, 4)), "ks": np.ones((3, 5))})
    table = [finding.table() for finding in definitions({"moments.ratio": noisy(np.exp(-T / 10))})]
    assert table[3]["evidence"]["n"] == 30
    assert table[0]["evidence"] is None


def test_rare_counts_do_not_make_a_tail_disappear() -> None:
    """50 items and 2 % in the tails: most replicates have none, and the tail is as heavy as ever on average."""
    rng = np.random.default_rng(0)
    ratio = rng.binomial(50, 0.02, (400, 6)) / 50 / 0.02
    assert np.median(ratio[:, -1]) <= 1
    verdicts = {found.definition: found.verdict for found in definitions({"tail-mass.ratio": ratio})}
    assert verdicts["disappearance of real tail data"] == "no"
    gone = {found.definition: found.verdict for found in definitions({"tail-mass.ratio": ratio * [1, 1, 1, 1, 1, 0.1]})}
    assert gone["disappearance of real tail data"] == "yes"
