"""What a run folder says about itself: points, directions, theory, and where everything came from."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import inspect
import math
import os
import platform
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

from remission import registry
from remission.component import Component, field_types
from remission.identity import own_modules, vouched_by
from remission.interfaces import FiniteSource, LongModel
from remission.lab.artifacts import neutral_rows
from remission.lab.predictions import predictions
from remission.loop import row_name
from remission.spec import Experiment

_PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "pyarrow")
_OF_NETWORKS = ("torch", "tokenizers", "transformers", "peft", "diffusers")


def facts_of(experiment: Experiment, warnings: list[str]) -> dict[str, Any]:
    """Everything a report needs that is not a measured number."""
    points = experiment.points
    space = dataclasses.asdict(points[0].experiment.source.space)
    theory, refused = theory_of(experiment)
    return {
        "points": [_plain(point.settings) for point in points],
        "point_names": [point.name for point in points],
        "sizes": [[point.experiment.replicates, point.experiment.generations] for point in points],
        "replicates": max(point.experiment.replicates for point in points),
        "generations": max(point.experiment.generations for point in points),
        "space": space,
        "directions": directions_of(experiment),
        "theory": theory,
        "refused": refused,
        "neutral": neutral_rows(experiment),
        "citations": citations_of(experiment),
        "warnings": warnings,
    }


def theory_of(experiment: Experiment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The closed forms of every point as flat rows, and the laws that do not apply at the first point, with reasons."""
    rows: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    sources = {name: registry.load("theory", name).source for name in registry.names("theory")}
    for index, point in enumerate(experiment.points):
        found, reasons = predictions(point.experiment.world())
        if index == 0:
            refused = [dataclasses.asdict(reason) for reason in reasons]
        for prediction in found:
            rows += [
                {"point": index, "generation": t, "metric": prediction.metric, "law": prediction.law,
                 "value": float(value), "scale": prediction.scale, "source": sources[prediction.law]}
                for t, value in enumerate(prediction.values, start=1)
                if math.isfinite(value)
            ]  # fmt: skip
    return rows, refused


def directions_of(experiment: Experiment) -> dict[str, str]:
    """Row -> what it does in collapse."""
    out = {"cost.draws": "either", "training.synthetic": "either"}
    for point in experiment.points:
        for metric in point.experiment.metric:
            out |= {row_name(metric.label, column): direction for column, direction in metric.columns.items()}
    return out


def citations_of(experiment: Experiment) -> list[str]:
    """The sources that the documentation of the methods used names, each once."""
    found: dict[str, None] = {}
    for point in experiment.points:
        for component in _components(point.experiment):
            text = (
                f"{inspect.getdoc(inspect.getmodule(type(component))) or ''}\n{inspect.getdoc(type(component)) or ''}"
            )
            for match in _CITED.finditer(re.sub(r"\s+", " ", text)):
                found[match[0].strip()] = None
    return sorted(found)


_NAMES = r"[A-Z][\w'-]+(?:(?:,| and| &|, and) [A-Z][\w'-]+)*(?: et al\.)?"
_CITED = re.compile(_NAMES + r" \((?:[^()]*(?:arXiv:\d{4}\.\d{4,5}|(?:19|20)\d\d)[^()]*)\)")


def _components(value: Any) -> Iterator[Component]:
    if isinstance(value, Component):
        yield value
        for name in field_types(type(value)):
            yield from _components(getattr(value, name))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _components(item)


def provenance_of(experiment: Experiment, command: Iterable[str]) -> dict[str, Any]:
    """Versions, machine, command, and hashes of inputs and own modules."""
    from remission import __version__
    from remission.fingerprint import fingerprint

    inputs, vouched = {}, {}
    for point in experiment.points:
        source = point.experiment.source
        if source.label not in vouched and (told := vouched_by(source)):
            vouched[source.label] = told
        if isinstance(source, FiniteSource) and source.label not in inputs:
            inputs[source.label] = fingerprint(source.items())
    return {
        "remission": __version__,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _packages(experiment)},
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
        "command": list(command),
        "inputs": inputs,
        **({"vouched": vouched} if vouched else {}),
        "modules": own_modules(experiment),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _packages(experiment: Experiment) -> tuple[str, ...]:
    """What decides the numbers: with a network also the libraries of networks that are installed."""
    if not any(isinstance(point.experiment.model, LongModel) for point in experiment.points):
        return _PACKAGES
    return _PACKAGES + tuple(name for name in _OF_NETWORKS if importlib.util.find_spec(name))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
