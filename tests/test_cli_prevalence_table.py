"""The table of shares that people get: the largest of many strata, and how many more there are."""

from __future__ import annotations

import math
import re
from dataclasses import replace

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


def test_a_reason_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    few = [row(f"s{k}", 5, refused=k > 1) for k in range(7)]
    _, out = shown(few, capsys)
    assert "s2, s3, s4 and 2 more: refused: no document could be judged\n" in out
    assert out.count("could be judged") == 1
    show_shares(Answer((row("all", 9, refused=True), row("s1", 9), row("s2", 9, refused=True)), CHECKS, ()))
    out = capsys.readouterr().out
    assert "\nall, and 1 of its strata: refused: no document could be judged\n" in out
    assert "Share of synthetic documents" in out  # of one stratum there is one


def test_where_nothing_is_known_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_shares(Answer((row("all", 9, refused=True),), CHECKS, ()))
    assert capsys.readouterr().out.splitlines() == [
        "No share of synthetic documents is known of 9 documents (9 not judged).", "refused: no document could be judged",
    ]  # fmt: skip
    many = [row(f"s{k}", 1, refused=True) for k in range(100)]
    many[7] = replace(many[7], reason="another")
    show_shares(Answer((row("all", 1100, refused=True), *many), CHECKS, ("careful",)))
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "No share of synthetic documents is known of 1,100 documents (1,100 not judged), nor of any of its 100 strata.",
        "all, and 99 of its strata: refused: no document could be judged",
        "s7: refused: another",
    ]
    assert told.err == "warning: careful\n"
    show_shares(Answer((row("all", 9, refused=True), row("s1", 9, refused=True)), CHECKS, ()))
    assert "nor of 1 stratum.\n" in capsys.readouterr().out


def test_error_rates_have_columns_only_where_they_differ(capsys: pytest.CaptureFixture[str]) -> None:
    rates = [Estimate(value, value, value, 0.95, "x", 9) for value in (0.01, 0.02)]
    alike = [replace(row(name, 9), fpr=rates[0]) for name in ("all", "s1")]
    show_shares(Answer(tuple(alike), CHECKS, ()))
    out = capsys.readouterr().out
    assert "error rates of the detector: FPR 1 %, TPR - everywhere" in out
    assert "not judged       FPR" not in out
    show_shares(Answer((alike[0], replace(alike[1], fpr=rates[1])), CHECKS, ()))
    out = capsys.readouterr().out
    assert "error rates of" not in out
    assert re.search(r"judged +FPR +TPR", out)
    assert re.search(r"s1 .* 2 % +-", out)


def test_shares_are_as_exact_as_their_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    share = Estimate(0.0000029, 0.0, 0.133, 0.95, "matched", 33)
    show_shares(Answer((replace(row("all", 33), share=share),), CHECKS, ()))
    assert re.search(r"all +0\.0 % +0\.0 to 13\.3 +matched", capsys.readouterr().out)
