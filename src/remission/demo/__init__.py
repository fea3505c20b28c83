"""The main job on real input: images and text with and without treatment, and a world known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from remission.demo.parts import BASIC, Part, Size
from remission.errors import StoreError
from remission.lab.execute import execute
from remission.lab.reading import Reading
from remission.report.build import build
from remission.report.page import write
from remission.spec import Experiment


@dataclass(frozen=True)
class Demo:
    """What the demo made: run folders by name, and the report."""

    runs: dict[str, Reading]
    report: Path


def run_demo(
    folder: Path,
    workers: int = 1,
    on_part: Callable[[Part], Callable[[float, float], None] | None] | None = None,
    parts: tuple[Part, ...] = BASIC,
    size: Size = "cpu",
) -> Demo:
    """Run the parts into ``folder`` and write ``folder/report.html``; goes on where it stopped.

    ``on_part`` is called with each part and may return a progress function.
    """
    from remission.report.content import combine

    if folder.exists() and not folder.is_dir():
        raise StoreError(f"'{folder}' is a file. Choose another folder with -o.")
    readings: dict[str, Reading] = {}
    for part in parts:
        text = part.toml(size)
        experiment = Experiment.from_toml(text)
        progress = on_part(part) if on_part is not None else None
        store = execute(experiment, folder / part.name, workers, progress, ["remission", "demo"])
        (folder / f"{part.name}.toml").write_text(text, encoding="utf-8")
        readings[part.name] = Reading(store)
    report = combine(
        "What happens when models learn from models",
        "Each model below was trained on real, human-made data, then the next one on what the first produced, and so on. "
        "Three ways of handling the data are compared: replace (only the newest output), accumulate (everything so far), "
        "and fresh (replace, with 10 % new human data each time).",
        [(part.title, part.text.replace("*", ""), build(readings[part.name])) for part in parts],
    )
    write(report, folder / "report.html")
    return Demo(readings, folder / "report.html")
