"""Worlds to predict, a brute-force simulation that shares no code with the laws, and the test of agreement."""

from __future__ import annotations

from typing import Any

import numpy as np

from remission import registry
from remission.interfaces import Sampling
from remission.schedule import value_at
from remission.world import Initial, World


def part(folder: str, kind: str, **fields: Any) -> Any:
    return registry.load(folder, kind)(**fields)


def world(
    model: Any,
    regime: Any,
    source: Any = None,
    generations: int = 6,
    n: int | tuple[int, ...] = 10,
    curators: tuple[Any, ...] = (),
    sampling: Sampling | None = None,
    initial: Initial | None = None,
    refill: bool = True,
) -> World:
    source = source or part("sources", "gaussian")
    budgets = (n,) * generations if isinstance(n, int) else n
    return World(
        source, source.law(), source.space, model, regime, curators, (), sampling or Sampling(), initial or Initial(),
        len(budgets), budgets, refill, False,
    )  # fmt: skip


def law(name: str, **fields: Any) -> Any:
    return registry.load("theory", name)(**fields)


def predicted(name: str, of: World, **fields: Any) -> dict[str, Any]:
    theory = law(name, **fields)
    assert theory.refuses(of) == ""
    found = {prediction.metric: prediction for prediction in theory.predict(of)}
    assert all(prediction.values.shape == (of.generations,) and prediction.law == name for prediction in found.values())
    return found


def agrees(values: Any, samples: Any, scale: str = "mean") -> bool:
    """Whether predictions (T,) lie within 4 standard errors of the replicates (R, T); NaN says nothing."""
    values, samples = np.atleast_1d(values), np.asarray(samples)
    with np.errstate(divide="ignore"):
        data = np.log(samples) if scale == "log-mean" else samples
    said = ~np.isnan(values)
    assert said.any()
    data = data[:, said]
    error = data.std(axis=0, ddof=1) / np.sqrt(len(data))
    return bool((np.abs(data.mean(axis=0) - values[said]) <= 4 * error + 1e-12).all())


def agrees_with_power(prediction: Any, samples: Any) -> bool:
    """Agreement, and the same test rejects what is 10 % off (on the scale of the prediction, either way)."""
    values, scale = prediction.values, prediction.scale
    wrong = (values + np.log(1.1), values + np.log(0.9)) if scale == "log-mean" else (1.1 * values, 0.9 * values)
    return agrees(values, samples, scale) and not any(agrees(other, samples, scale) for other in wrong)


class Brute:
    """Every item drawn, every fit made, in plain NumPy: Gaussians, kernels and symbols, replicates on axis 0."""

    def __init__(self, of: World, replicates: int, seed: int = 1) -> None:
        self.world, self.r = of, replicates
        self.rng = np.random.default_rng(seed)
        self.symbols = of.model.name() == "unigram"
        self.models: dict[int, Any] = {}
        self.pool: dict[int, tuple[Any, Any]] = {}

    def run(self) -> dict[str, Any]:
        """Row -> (R, T)."""
        rows: dict[str, list[Any]] = {}
        for t in range(1, self.world.generations + 1):
            recipe = self.world.recipe(t)
            if recipe.count:
                self.pool[t] = self.batch(t, recipe)
            numbers = sorted({b for low, high in recipe.batches for b in range(low, high + 1)} & set(self.pool))
            items = np.concatenate([self.pool[b][0] for b in numbers], axis=1)
            weight = np.concatenate([self.pool[b][1] for b in numbers])
            if recipe.take is not None:
                size = items.shape[1]
                if recipe.with_replacement:
                    index = self.rng.integers(size, size=(self.r, recipe.take))
                else:
                    index = np.argsort(self.rng.random((self.r, size)), axis=1)[:, : recipe.take]
                items = np.take_along_axis(items, index[..., None] if items.ndim == 3 else index, axis=1)
                weight = weight[: items.shape[1]]
            for key, values in self.fit(t, items, weight).items():
                rows.setdefault(key, []).append(values)
        return {key: np.stack(values, axis=1) for key, values in rows.items()}

    def batch(self, t: int, recipe: Any) -> tuple[Any, Any]:
        parts = [p for p in recipe.arrivals if p.count]
        n = round(recipe.count)
        start = self.world.initial
        if t == 1 and start.state == "collapsed":
            return self.draw(0, start.distinct)[:, np.arange(n) % start.distinct], np.ones(n)
        if recipe.mixed and len(parts) > 1:
            share = np.array([p.count for p in parts]) / recipe.count
            keep = np.array([self.keep(t, p.origin) for p in parts])
            m = n if (keep == 1).all() else 12 * n + 60
            which = self.rng.choice(len(parts), size=(self.r, m), p=share)
            kept = self.rng.random((self.r, m)) < keep[which]
            assert kept.sum(axis=1).min() >= n
            which = np.take_along_axis(which, np.argsort(~kept, axis=1, kind="stable")[:, :n], axis=1)
            drawn = np.stack([self.draw(p.origin, n) for p in parts])
            grid = np.ogrid[: self.r, :n]
            return drawn[which, grid[0], grid[1]], np.ones(n)
        items = np.concatenate([self.draw(p.origin, round(p.count)) for p in parts], axis=1)
        if t == 1 and start.state == "shifted":
            items = items * start.scale + start.shift
        return items, np.concatenate([np.full(round(p.count), p.weight) for p in parts])

    def keep(self, t: int, origin: int) -> float:
        share = 1.0
        for curator in self.world.curators:
            if curator.name() == "oracle":
                share *= 1 - value_at(curator.fpr if origin == 0 else curator.tpr, t)
        return share

    def draw(self, origin: int, n: int) -> Any:
        real: Any = self.world.law
        if self.symbols:
            p = np.broadcast_to(real.p, (self.r, real.p.size)) if origin == 0 else self.models[origin]
            u = self.rng.random((self.r, n))
            return (u[:, :, None] > np.cumsum(p, axis=1)[:, None, :-1]).sum(axis=2)
        sampling = self.world.sampling
        z = self.rng.standard_normal((self.r, n, self.world.space.features))
        if origin == 0:
            return real.mean + z @ np.linalg.cholesky(real.cov).T
        state = self.models[origin]
        if "items" in state:
            items, mass = state["items"], state["weight"] / state["weight"].sum()
            index = self.rng.choice(items.shape[1], size=(self.r, n), p=mass)
            x = np.take_along_axis(items, index[..., None], axis=1) + z * state["h"][:, None, :]
            centre = state["mean"][:, None, :]
            return centre + np.sqrt(sampling.bias) * (x - centre)
        scale = np.sqrt(sampling.bias * sampling.temperature)
        root = np.linalg.cholesky(state["cov"]) if z.shape[2] > 1 else np.sqrt(state["cov"])
        return state["mean"][:, None, :] + scale * np.einsum("rnk,rdk->rnd", z, root)

    def fit(self, t: int, items: Any, weight: Any) -> dict[str, Any]:
        table = self.world.model.table()
        if self.symbols:
            size = self.world.law.p.size  # type: ignore[union-attr]
            hot = (items[:, :, None] == np.arange(size)) * weight[:, None]
            counts = hot.sum(axis=1) + table["smoothing"]
            p = self.models[t] = counts / counts.sum(axis=1, keepdims=True)
            return {"heterozygosity": 1 - (p**2).sum(axis=1), "types.alive": (p > 0).sum(axis=1).astype(float)}
        share = weight / weight.sum()
        k = 1 / (share**2).sum()
        mean = np.einsum("n,rnd->rd", share, items)
        gap = items - mean[:, None, :]
        cov = within = np.einsum("n,rnd,rne->rde", share, gap, gap)
        d = mean.shape[1]
        state: dict[str, Any] = {}
        if self.world.model.name() == "kde":
            h = table["bandwidth"]
            if isinstance(h, str):
                factor = k if h == "scott" else k * (d + 2) / 4
                each = np.sqrt(np.einsum("rdd->rd", within) / (1 - 1 / k)) * factor ** (-1 / (d + 4))
            else:
                each = np.full((self.r, d), h)
            state = {"items": items, "weight": weight, "h": each}
            cov = within + each[:, :, None] ** 2 * np.eye(d)
        elif table["estimator"] == "unbiased":
            cov = within / (1 - 1 / k)
        elif table["estimator"] == "mean-only":
            cov = np.broadcast_to(np.eye(d) * table["known"], within.shape)
        self.models[t] = state | {"mean": mean, "cov": cov}
        real: Any = self.world.law
        error = ((mean - real.mean) ** 2).sum(axis=1)
        inside, model = (np.einsum("rdd->r", c) for c in (within, cov))
        rows = {
            "moments.error": error, "moments.variance": model, "moments.total": error + model,
            "moments[of=training].variance": inside, "moments[of=training].total": error + inside,
        }  # fmt: skip
        if d == 1:
            rows["moments.w2"] = error + (np.sqrt(model) - np.sqrt(real.cov[0, 0])) ** 2
        if (np.linalg.matrix_rank(cov[0]) == d) and k > d:
            rows["moments.log-det"] = np.linalg.slogdet(cov)[1]
        return rows
