"""The main job on real input: images and text with and without treatment, and a world known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from remission.errors import StoreError
from remission.lab.execute import execute
from remission.lab.reading import Reading
from remission.report.build import build
from remission.report.page import write
from remission.spec import Experiment

PARTS = {
    "digits": (
        "Handwritten digits",
        "1,797 digits written by hand, modelled by a mixture of Gaussians. In *replace* each model sees only pictures "
        "that the model before it drew: shapes blur into one another, and rare ways of writing vanish (recall falls). "
        "Keeping all data, or adding a tenth of fresh human digits in every generation, holds the decay.",
    ),
    "prose": (
        "English prose",
        "The documentation of Python's own libraries, written by people, modelled word by word. In *replace* rare words "
        "die first and never come back; sentences repeat. Read the samples from left to right.",
    ),
    "gaussian": (
        "A world known in closed form",
        "Here everything can be computed. Dashed lines are theory, not fits: if the solid lines follow them, you can "
        "trust the loop that made the other pictures.",
    ),
}


@dataclass(frozen=True)
class Demo:
    """What the demo made: run folders by name, and the report."""

    runs: dict[str, Reading]
    report: Path


def run_demo(
    folder: Path, workers: int = 1, on_part: Callable[[str], Callable[[float, float], None] | None] | None = None
) -> Demo:
    """Run the three parts into ``folder`` and write ``folder/report.html``; goes on where it stopped.

    ``on_part`` is called with each part's name and may return a progress function.
    """
    from remission.report.content import combine

    if folder.exists() and not folder.is_dir():
        raise StoreError(f"'{folder}' is a file. Choose another folder with -o.")
    readings: dict[str, Reading] = {}
    for name in PARTS:
        text = resources.files("remission.demo").joinpath(f"{name}.toml").read_text(encoding="utf-8")
        experiment = Experiment.from_toml(text)
        progress = on_part(name) if on_part is not None else None
        store = execute(experiment, folder / name, workers, progress, ["remission", "demo"])
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        readings[name] = Reading(store)
    parts = [(title, text.replace("*", ""), build(readings[name])) for name, (title, text) in PARTS.items()]
    report = combine(
        "What happens when models learn from models",
        "Each model below was trained on real, human-made data, then the next one on what the first produced, and so on. "
        "Three ways of handling the data are compared: replace (only the newest output), accumulate (everything so far), "
        "and fresh (replace, with 10 % new human data each time).",
        parts,
    )
    write(report, folder / "report.html")
    return Demo(readings, folder / "report.html")
