"""The reproduction battery: published and derived closed forms, met by the plain loop.

The results are the files that come with the package (``remission reproduce``): every number must be reproduced, and the
same run must not reproduce it once it is 10 % off. What the files do not cover, the law of every regime, follows.
"""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path

import pytest

from remission.lab import reproduce as lab
from remission.lab.reproduction.judges import judge
from remission.lab.reproduction.rules import Check
from tests.battery import assert_agrees, distance, measure

GAUSSIAN = """
[experiment]
generations = {T}
samples = {n}
seed = 11
fast = {fast}
[source]
kind = "gaussian"
[model]
kind = "gaussian"
estimator = "{estimator}"
[regime]
{regime}
[sampling]
bias = {bias}
[[metric]]
kind = "moments"
"""


def gaussian(
    regime: str, T: int, n: int, replicates: int, estimator: str = "mle", fast: bool = False, bias: float = 1.0
):
    text = GAUSSIAN.format(T=T, n=n, regime=regime, estimator=estimator, fast=str(fast).lower(), bias=bias)
    return measure(text, replicates)


SHORT = 2  # seconds of a result that the fast suite can bear
ALWAYS = {"alemohammad-bias", "filter-in-the-loop", "gerstgrasser-regression", "kazdan-accumulate"}  # a bit longer
IDS = [id for id in lab.known() if not lab.about(id).deep]
FAST = [id for id in IDS if lab.about(id).seconds <= SHORT or id in ALWAYS]


def wrong(check: Check) -> list[Check]:
    """The same check with a number that must not be reproduced."""
    if check.rule == "order":
        return [dataclasses.replace(check, points=check.points[::-1])]
    assert check.expected is not None
    if check.rule in ("below", "above"):
        return [dataclasses.replace(check, rule="above" if check.rule == "below" else "below")]
    if check.rule in ("published", "inside"):  # a few runs cannot tell 10 %
        return [dataclasses.replace(check, expected=factor * check.expected) for factor in (0.2, 5.0)]
    return [dataclasses.replace(check, expected=factor * check.expected) for factor in (0.9, 1.1)]


def reproduces(id: str, folder: Path) -> None:
    """Every number of a result comes out, and none that is wrong does."""
    one = lab.load(id)
    [done] = lab.reproduce([id], folder)
    if done.verdict == "not run":
        pytest.skip(done.why)
    assert {held.check.quantity: held.outcome for held in done.held if held.outcome.verdict != "reproduced"} == {}
    data = lab.measured(one, folder / id)
    for check in one.checks:
        for other in wrong(check):
            verdict = judge(other, data).verdict
            assert verdict == "differs" or (verdict == "no power" and check.rule in ("near", "threshold")), other


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real data from the folder beside the repository, never from a network."""
    shared = Path(os.environ.get("REMISSION_SHARED", Path(__file__).resolve().parent.parent.parent / "shared"))
    if shared.is_dir():
        monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


@pytest.mark.parametrize("id", FAST)
def test_published_results_are_reproduced_and_wrong_ones_are_not(id: str, tmp_path: Path) -> None:
    reproduces(id, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id in IDS if id not in FAST])
def test_longer_results_are_reproduced_and_wrong_ones_are_not(id: str, tmp_path: Path) -> None:
    reproduces(id, tmp_path)


REGIMES = {
    "lagged": 'kind = "replace"\nlag = 3',
    "window": 'kind = "accumulate"\nwindow = 4',
    "subsample with replacement": 'kind = "accumulate-subsample"\nwith_replacement = true',
    "subsample of a window": 'kind = "accumulate-subsample"\nwindow = 3\nlag = 2',
    "fresh on accumulate": 'kind = "fresh"\nshare = 0.3\nbase = { kind = "accumulate" }',
    "fresh on a schedule": 'kind = "fresh"\nshare = [0.0, 0.1, 0.2, 0.5]',
    "periodic": 'kind = "periodic"\nevery = 4\nshare = 0.5',
    "web": 'kind = "web"\nsynthetic = { start = 0.1, step = 0.1, high = 0.95 }\nbase = { kind = "accumulate" }',
    "stages": 'kind = "stages"\ndurations = [4]\nregimes = [{ kind = "replace" }, { kind = "accumulate" }]',
}


@pytest.mark.parametrize("regime", REGIMES.values(), ids=list(REGIMES))
def test_sum_law_and_recursion_in_every_regime(regime: str) -> None:
    """E (mu - mu0)^2 + E s^2 = s0^2 whatever the regime, and the general recursion meets both parts of it."""
    from remission import Experiment
    from remission.lab.predictions import predictions

    text = GAUSSIAN.format(T=10, n=20, regime=regime, estimator="mle", fast="false", bias=1.0)
    text = text.replace("samples = 20", "samples = { start = 20, step = 3 }")
    rows = measure(text, 30_000)
    assert_agrees(rows["moments.total"][:, -1], 1.0, "sum law")
    found, _ = predictions(Experiment.from_toml(text).world())
    theory = {one.metric: one.values[-1] for one in found if one.law == "moment-recursion"}
    assert_agrees(rows["moments.error"][:, -1], theory["moments.error"], "error of the mean")
    assert_agrees(rows["moments.variance"][:, -1], theory["moments.variance"], "variance within")


def test_the_check_rejects_a_wrong_law() -> None:
    """The power line of the battery: the check itself must be able to fail."""
    rows = gaussian('kind = "replace"', 5, 50, 20_000)
    right = (1 - 1 / 50) ** 5
    assert distance(rows["moments.variance"][:, -1], right) <= 4
    with pytest.raises(AssertionError):
        assert_agrees(rows["moments.variance"][:, -1], 0.9 * right)
    with pytest.raises(AssertionError):
        assert_agrees(rows["moments.variance"][:50, -1], right)  # too few replicates to tell 10 %
    assert math.isclose(right, 0.9039, rel_tol=1e-3)
