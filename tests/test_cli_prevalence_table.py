"""The table of shares that people get: the largest of many strata, and how many more there are."""

from __future__ import annotations

import math
import re

import pytest

from remission.cli.prevalence import SHOWN, show_shares
from remission.clinic.prevalence import Answer, Row
from remission.estimate import Estimate

CHECKS = {"placebo": {"verdict": "not possible"}, "shift": {"verdict": "not possible"}, "overlap": {"n": 0}}


def row(name: str, n: int, refused: bool = False) -> Row:
    if refused:
        nothing = Estimate(math.nan, math.nan, math.nan, 0.95, "none", 0)
        return Row(name, nothing, "refused", "no document could be judged", 0, n, 0)
    return Row(name, Estimate(0.25, 0.2, 0.3, 0.95, "matched", n), "estimate", "", n, 0, 0)


def shown(rows: list[Row], capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    show_shares(Answer((row("all", sum(one.n for one in rows)), *rows), CHECKS, ()))
    out = capsys.readouterr().out
    return re.findall(r"^ *(all|s\d+) ", out, re.MULTILINE), out


def test_of_many_strata_the_largest_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes are (k x 7) mod 3,000; every stratum below 500 is refused, and told by its number alone."""
    rows = [row(f"s{k}", (k * 7) % 3000 + 1, refused=(k * 7) % 3000 < 500) for k in range(3000)]
    names, out = shown(rows, capsys)
    largest = {f"s{k}" for k in range(3000) if (k * 7) % 3000 >= 3000 - SHOWN}
    assert names == ["all", *sorted(largest, key=lambda name: int(name[1:]))]
    assert "Not shown: 2,960 more, none of them larger (500 of them without an estimate); --json has all." in out
    assert "refused" not in out
    assert len(out.splitlines()) < SHOWN + 10


def test_documents_that_cannot_be_judged_count_as_documents(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(f"s{k}", 10 + k, refused=k == SHOWN) for k in range(SHOWN + 1)]
    names, out = shown(rows, capsys)
    assert names == ["all", *(f"s{k}" for k in range(1, SHOWN + 1))]
    assert f"s{SHOWN}: refused: no document could be judged" in out
    assert "Not shown: 1 more, none" in out


def test_few_strata_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names, out = shown([row(f"s{k}", 1) for k in range(SHOWN)], capsys)
    assert len(names) == SHOWN + 1
    assert "Not shown" not in out
