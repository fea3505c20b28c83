"""Receipts of many strata: merged at once they are what adding them one by one gives, without copying strata at each step."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.clinic.census.receipts import Receipt, Stratum, merge
from tests.clinic.census.test_census import receipts


def receipt(strata: range) -> Receipt:
    cells = {"news": Counter({5: 1, 6: 1})}
    found = {f"source=s{k}": Stratum(3, 1, Counter(short=1), cells, 1, Counter({"m|3": 1})) for k in strata}
    return Receipt(3 * len(strata), 3 * len(strata), strata=found)


@given(st.lists(receipts(), max_size=5))
def test_merging_is_adding_one_by_one(each: list[Receipt]) -> None:
    before = [one.table() for one in each]
    one_by_one: Receipt = functools.reduce(Receipt.__add__, each, Receipt())
    merged = merge(each)
    assert merged == one_by_one
    assert merged.accounting() == one_by_one.accounting()
    assert [one.table() for one in each] == before, "what is merged must stay as it was"
    for name, stratum in merged.strata.items():
        assert all(stratum.not_judged is not one.strata[name].not_judged for one in each if name in one.strata)


def test_parts_of_many_strata_are_merged_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 parts of 25 strata, half of them new in each: 1,000 strata to read, and 512 to make."""
    parts = [receipt(range(13 * k, 13 * k + 25)) for k in range(40)]
    made, build = [0], Stratum.__init__

    def counted(self: Stratum, *given_: Any, **more: Any) -> None:
        made[0] += 1
        build(self, *given_, **more)

    monkeypatch.setattr(Stratum, "__init__", counted)
    merged = merge(parts)
    assert len(merged.strata) == 13 * 39 + 25
    assert merged.check("the merge").seen == 40 * 25 * 3
    assert merged.strata["source=s20"].table() == {
        "n": 6, "flagged": 2, "not_judged": {"short": 2}, "cells": {"news": [[5, 2], [6, 2]]}, "declared": 2,
        "marks": {"m|3": 2},
    }  # fmt: skip
    assert made[0] < 3 * len(merged.strata), "every step makes all strata anew"
