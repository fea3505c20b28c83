"""A run folder that never ran: Gaussian decay for the curves, real digits and planted text for the galleries."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NAMES = ("replace", "fresh 10 %", "accumulate")
DIRECTIONS = {
    "moments.ratio": "falls",
    "moments.variance": "falls",
    "moments.error": "rises",
    "moments.log-det": "falls",
    "tail-mass": "falls",
    "prdc.precision": "either",
    "prdc.recall": "falls",
    "frechet": "rises",
    "vendi": "falls",
    "authpct": "falls",
    "refill.draws": "either",
}


@dataclass
class FakeStore:
    """Everything a report reads, as plain values."""

    experiment: dict[str, Any]
    toml: str
    points: list[dict[str, Any]]
    point_names: list[str]
    summary: list[dict[str, Any]]
    theory: list[dict[str, Any]]
    samples: dict[int, dict[int, Any]]
    space: dict[str, Any]
    directions: dict[str, str] = field(default_factory=lambda: dict(DIRECTIONS))
    provenance: dict[str, Any] = field(
        default_factory=lambda: {
            "remission": "0.1.0",
            "python": "3.11.9",
            "packages": {"numpy": "2.4.6"},
            "seconds": 12.5,
        }
    )
    refused: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"law": "kde-replace", "row": "K1", "reason": "the model is a Gaussian, not a kernel estimate"}
        ]
    )
    warnings: list[str] = field(default_factory=list)
    citations: list[str] = field(default_factory=list)
    neutral: list[dict[str, Any]] = field(default_factory=list)
    profile: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)


def curve(metric: str, point: int, t: int, n: int = 100) -> float:
    """A curve with the right character: collapse for point 0, a plateau for the others."""
    keep = (1 - 1 / n) ** t if point == 0 else (0.93 if point == 1 else 0.985) + 0.02 * math.exp(-t / 8)
    lost = 1 - keep
    return {
        "moments.ratio": keep,
        "moments.variance": 240 * keep,
        "moments.error": 240 * lost,
        "moments.log-det": -40 + 64 * math.log(keep),
        "tail-mass": 0.01 * keep**4,
        "prdc.precision": 0.87 + 0.13 * lost,
        "prdc.recall": 0.9 * keep**3,
        "frechet": 1e-3 + 300 * lost**2,
        "vendi": 1 + 9 * keep**2,
        "authpct": 70 * keep,
        "refill.draws": 1000.0 + 40 * point,
    }.get(metric, keep)


def fake_store(generations: int = 50, replicates: int = 200, **changes: Any) -> FakeStore:
    """Three regimes on the digits, 50 generations."""
    rng = np.random.default_rng(3)
    summary, theory = [], []
    for metric in DIRECTIONS:
        for point in range(3):
            for t in range(1, generations + 1):
                true = curve(metric, point, t)
                value = true * (1 + 0.012 * math.sin(t / 4 + point) * (1 - math.exp(-t / 9)))
                half = abs(true) * 0.05 * math.sqrt(t / generations) + 1e-12
                heavy = metric == "moments.variance" and point == 0 and t > 20
                summary.append(
                    {
                        "point": point, "generation": t, "metric": metric, "n": replicates, "mean": value, "median": value * 0.98,
                        "mean_log": math.log(value) if value > 0 else math.nan, "low": value - half, "high": value + half,
                        "level": 0.95, "of": "median" if heavy else "mean", "estimable": not heavy,
                    }
                )  # fmt: skip
                if metric in ("moments.ratio", "moments.variance", "moments.error") and point < 2:
                    theory.append(
                        {
                            "point": point, "generation": t, "metric": metric, "law": "gaussian-replace" if point == 0 else "gaussian-fresh",
                            "value": true, "scale": "mean", "source": "Shumailov et al., Nature 631:755 (2024); THEORY G1",
                        }
                    )  # fmt: skip
    experiment = {
        "experiment": {
            "generations": generations,
            "replicates": replicates,
            "samples": 1000,
            "seed": 7,
            "refill": True,
        },
        "source": {"kind": "digits"},
        "model": {"kind": "gmm", "components": 10, "covariance": "full"},
        "regime": {"kind": "replace"},
        "metric": [{"kind": "moments"}, {"kind": "tail-mass", "q": 0.01}],
        "sweep": {"regime": ["replace", "fresh", "accumulate"]},
    }
    toml = '[experiment]\ngenerations = 50\nreplicates = 200\nsamples = 1000\nseed = 7\n\n[source]\nkind = "digits"\n\n[model]\nkind = "gmm"\ncomponents = 10\n'
    store = FakeStore(
        experiment=experiment,
        toml=toml,
        points=[{"regime": "replace"}, {"regime": "fresh"}, {"regime": "accumulate"}],
        point_names=list(NAMES),
        summary=summary,
        theory=theory,
        samples={point: digit_samples(rng, generations, point) for point in range(3)},
        space={"kind": "image", "shape": (64,), "size": 0, "names": (), "picture": (8, 8), "joiner": " "},
        warnings=[
            "The mean of moments.variance is not estimable for 'replace' after generation 20; medians are shown."
        ],
        citations=[
            "Shumailov, I. et al. AI models collapse when trained on recursively generated data. Nature 631, 755-759 (2024).",
            "Kynkäänniemi, T. et al. Improved precision and recall metric for assessing generative models. NeurIPS (2019).",
        ],
        verdicts=[
            {
                "point": 0,
                "definition": "Lost tails",
                "verdict": "collapsed",
                "sentence": "less than half of the real tail mass is left.",
            },
            {
                "point": 1,
                "definition": "Lost tails",
                "verdict": "healthy",
                "sentence": "the tail mass stays within its interval.",
            },
        ],
    )
    for name, value in changes.items():
        setattr(store, name, value)
    return store


def digit_samples(rng: np.random.Generator, generations: int, point: int) -> dict[int, Any]:
    """Real digits drawn towards their class mean, as a collapsing model would draw them."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    centre = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])[labels]
    out = {}
    for t in sorted({0, 1, 5, 10, 20, 35, generations}):
        keep = curve("moments.ratio", point, t) ** 2 if t else 1.0
        drawn = rng.integers(0, len(images), 40)
        out[t] = (
            centre[drawn] + math.sqrt(keep) * (images - centre)[drawn] + (rng.normal(0, 0.6, (40, 64)) if t else 0.0)
        )
    return out


def text_store(**changes: Any) -> FakeStore:
    """A loop on text whose vocabulary dies, with markup among the words."""
    rng = np.random.default_rng(4)
    words = (
        "the",
        "king",
        "of",
        "a",
        "and",
        "sea",
        "<script>alert(1)</script>",
        "night",
        "&amp;",
        "storm",
        "\u2028",
        "hand",
    )
    samples = {t: rng.integers(0, max(2, len(words) - t), (5, 40)) for t in (0, 1, 4, 9)}
    space = {"kind": "tokens", "shape": (40,), "size": len(words), "names": words, "picture": None, "joiner": " "}
    experiment = {
        "generations": 9,
        "replicates": 40,
        "samples": 200,
        "seed": 1,
        "source": "prose",
        "model": {"kind": "ngram", "order": 3},
    }
    rows = [
        {"point": 0, "generation": t, "metric": metric, "n": 40, "mean": base * 0.8**t, "median": base * 0.8**t, "mean_log": 0.0,
         "low": base * 0.78**t, "high": base * 0.82**t, "level": 0.95, "of": "mean", "estimable": True}
        for metric, base in (("types.alive", 4000), ("types.recall", 1.0), ("distinct-n.2", 0.9), ("self-bleu", 0.1))
        for t in range(1, 10)
    ]  # fmt: skip
    store = fake_store(
        5, samples={0: samples}, space=space, experiment=experiment, summary=rows, theory=[], verdicts=[]
    )
    store.points, store.point_names = [{}], ["replace"]
    store.warnings = [f"Warning {number}." for number in range(5)]
    store.directions = {"types.alive": "falls", "types.recall": "falls", "distinct-n.2": "falls", "self-bleu": "rises"}
    for name, value in changes.items():
        setattr(store, name, value)
    return store
