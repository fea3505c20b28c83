"""Answers of a census as plain values, made of what a test asks for."""

from __future__ import annotations

import math
from typing import Any

LEVEL = 0.95


def estimate(value: float, low: float, high: float, n: int = 100, method: str = "matched") -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "level": LEVEL, "method": method, "n": n}


def row(
    name: str, value: float = 0.25, low: float = 0.2, high: float = 0.3125, n: int = 100, verdict: str = "estimate",
    reason: str = "", **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A stratum; the whole is called ``all``."""
    method = {"estimate": "matched", "bounds": "bounds", "refused": "none"}[verdict]
    fields = {
        "stratum": name, "value": value, "low": low, "high": high, "level": LEVEL, "method": method, "n": n,
        "n_abstained": 0, "n_uncalibrated": 0, "verdict": verdict, "reason": reason,
        "fpr": estimate(0.01, 0.005, 0.02), "tpr": estimate(0.8125, 0.75, 0.875),
        "shift": {"p": 0.4375, "effect": 0.0625, "factor": 1.0, "statistic": 8.0, "freedom": 8},
        "n_copies": 0, "n_declared": 0, "n_archived": 0, "n_marked": 0, "detected": None, "documents": None,
    }  # fmt: skip
    return fields | more


def bounded(name: str, low: float, high: float, reason: str = "no synthetic items of its kind", **more: Any) -> dict:
    return row(name, math.nan, low, high, verdict="bounds", reason=reason, tpr=None, shift=None, **more)


def refused(name: str, reason: str = "no document could be judged", n: int = 0, **more: Any) -> dict[str, Any]:
    more = {"fpr": None, "tpr": None, "shift": None} | more
    return row(name, math.nan, math.nan, math.nan, n, "refused", reason, **more)


def answer(strata: list[dict[str, Any]], by: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """All fields of ``census --json``."""
    return {
        "census": "out", "detector": "detectors/news", "detector_hash": "ab" * 32,
        "asked": {
            "detector": "/detectors/news", "estimator": "auto", "level": LEVEL, "archive": None, "certified": True,
            "rate": 0.05, "watermarks": False,
        },
        "by": list(by), "strata": strata,
        "checks": {
            "placebo": {
                "verdict": "passed", "n": 812, "before": "2022-01-01", "value": 0.0, "low": 0.0, "high": 0.015625,
                "level": 0.99, "method": "matched",
            },
            "shift": {"verdict": "passed", "failed": [], "p": 0.4375, "effect": 0.0625, "factor": 1.0},
            "overlap": {"verdict": "passed", "n": 0},
        },
        "accounting": {
            "in": 5120, "kept": 5003, "dropped": 0, "quarantined": 117, "dropped_for": {}, "reasons": {"broken JSON": 117},
            "examples": [{"file": "in/a.jsonl", "place": 4926, "rows": 1, "reason": "broken JSON: line 1"}],
        },
        "copies": {"documents": 5003, "copies": 37, "clusters": 19, "clustered": 53, "largest": 7, "sha256": "cd" * 32},
        "watermarks": None, "archive": None, "sample": None, "files": 11, "unread": 0, "parts": 13, "found_done": 0,
        "bytes": 12_345_678, "ignored": [], "dates": {"undated": 0, "odd_dates": []}, "warnings": [], "notes": [],
    } | more  # fmt: skip


def sampled(cost: bool = True) -> dict[str, Any]:
    """What ``sample`` holds."""
    hours: dict[str, Any] = {"value": 41.5, "low": 36.25, "high": 46.75, "level": LEVEL, "method": "parts", "n": 13}
    copies: dict[str, Any] = {"value": 2.5, "low": 2.25, "high": 5.0, "level": LEVEL, "method": "pass", "n": 5003}
    memory = {"value": 2.5e9, "low": 2.25e9, "high": 2.75e9, "level": LEVEL, "method": "measured", "n": 13}
    money = {name: 1.6 * (hours[name] + copies[name]) for name in ("value", "low", "high")}
    more = {"copies": copies, "memory": memory, "documents": None}
    return {
        "rate": 0.01, "strata": [["source=forum", 0.2]], "files": 0.5, "seed": 3,
        "cost": {"hours": hours, "price": 1.6, "parts": 13, "money": money, **more} if cost else None,
    }  # fmt: skip
