"""How good generation 1 of the pictures is: the share that a classifier of real digits recognises, and recognises rightly.

No peer. MNIST with its words, 28 x 28, at about the 2-core size of the shipped experiment: one fit, 500 pictures drawn
without guidance and with guidance 2. Goal at this size: 75 % confident above 0.9. ``--size gpu`` takes the larger
experiment (goal 90 %).
"""

from __future__ import annotations

import argparse
import dataclasses
import time

from remission import Experiment, registry
from remission.demo.parts import deep_parts
from remission.interfaces import LongModel, Renderer, Sampling
from remission.metrics._features import classifier_of
from remission.networks.classifier import read
from remission.networks.device import one_thread
from remission.realdata import RealData
from remission.rng import Streams

DRAWN = 500


def main(arguments: list[str] | None = None) -> None:
    """The table, for flow matching and DDPM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--quick", action="store_true", help="flow matching only")
    chosen = parser.parse_args(arguments)
    experiment = Experiment.from_toml(deep_parts(("flow-mnist",))[0].toml(chosen.size)).points[0].experiment
    source = dataclasses.replace(experiment.source, pixels=28)
    flow = dataclasses.replace(experiment.model, steps=600) if chosen.size == "cpu" else experiment.model
    shared = {"steps", "warm_steps", "width", "depth", "batch", "rate"}
    settings = {key: value for key, value in flow.table().items() if key in shared}
    models = [flow] if chosen.quick else [flow, registry.load("models", "diffusion")(**settings)]
    streams = Streams.of(experiment.seed, [0])
    data = RealData(source, streams, 1000).draw(int(experiment.samples), streams.at(1, "arrivals"))
    network, about = classifier_of(source)
    print(about)
    print(
        f"{'model':12s} {'guidance':>8s} {'confident':>10s} {'and right':>10s} {'fit':>10s} {'picture':>10s}  (processor time)"
    )
    for model in models:
        assert isinstance(model, LongModel)
        assert isinstance(model, Renderer)
        began = time.process_time()
        state = model.fit(data, streams.at(1, "fit"))
        fit = time.process_time() - began
        for guidance in (1.0, 2.0):
            began = time.process_time()
            items = model.sample(
                state, DRAWN, streams.at(1, "evaluation"), dataclasses.replace(Sampling(), guidance=guidance)
            )
            each = 1e3 * (time.process_time() - began) / DRAWN
            with one_thread():
                _, chances = read(network, items[0][:, : source.space.pixels])
            confident = chances.max(axis=1) > 0.9
            right = confident & (chances.argmax(axis=1) == items[0][:, -1])
            print(
                f"{model.name():12s} {guidance:8.1f} {confident.mean():10.1%} {right.mean():10.1%} {fit:8.0f} s {each:7.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
