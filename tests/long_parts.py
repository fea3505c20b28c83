"""A model whose fit takes steps and can be interrupted at any of them: a Gaussian with its moments found slowly."""

from __future__ import annotations

from typing import ClassVar

import torch

from remission import FitError, Sampling, Streams
from remission.data import VECTORS, Dataset
from remission.interfaces import LongModel

STEPS = 4
fitted: list[tuple[int, int]] = []  # (generation, step) of every step that was really done
break_at: list[tuple[int, int]] = []  # steps at which the fit is broken off, each once
fail_at: list[int] = []  # generations whose fit fails


class Slow(LongModel):
    """Mean and spread, in four steps that add up; each step is kept at the desk."""

    accepts: ClassVar = VECTORS

    def fit_at(self, data: Dataset, streams: Streams, previous, desk):
        t = streams.generation
        if t in fail_at:
            raise FitError("The loss became NaN.")
        work = desk.load() or {"step": torch.tensor(0), "sum": torch.zeros(data.replicates, data.items.shape[2])}
        for step in range(int(work["step"]), STEPS):
            if (t, step) in break_at:
                break_at.remove((t, step))
                raise KeyboardInterrupt
            fitted.append((t, step))
            work = {"step": torch.tensor(step + 1), "sum": work["sum"] + torch.tensor(data.items.mean(axis=1)) / STEPS}
            desk.save(work)
        start = torch.zeros(data.replicates, 1) if previous is None else previous["fits"]
        return {"mean": work["sum"], "spread": torch.tensor(data.items.std(axis=1)), "fits": start + 1}

    def sample(self, state, n, streams: Streams, sampling: Sampling):
        mean, spread = (state[name].numpy()[:, None, :] for name in ("mean", "spread"))
        noise = streams.normals(n * mean.shape[2]).reshape(len(streams), n, mean.shape[2])
        return mean + spread * noise
