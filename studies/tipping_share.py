"""(a) At what share of synthetic data does collapse run away?

For every world a part of what human data alone keeps is the line (half; of an entropy 85 %); the synthetic share of the web is searched from 0 to 1.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from remission.lab.line import Line
from remission.lab.search.crossing import Crossing, NotBracketed
from remission.lab.search.trials import Trials
from remission.lab.tipping import Tipping, tipping
from remission.report.content import Chart, Series
from studies._page import figure, interval, table, world, write


@dataclass(frozen=True)
class Case:
    """A world, how it is sampled, what is looked at."""

    label: str
    world: str
    changes: tuple[str, ...]
    row: str
    drawn: bool = False
    hysteresis: bool = False
    part: float = 0.5  # of what human data alone has: the line
    key: str = "regime.synthetic"  # or regime.share, of fresh data

    def synthetic(self, value: float) -> float:
        """The synthetic share at a value of the key."""
        return value if self.key == "regime.synthetic" else 1.0 - value


TEMPERED = tuple(
    Case(
        f"100 types, temperature {tau:g}, 1,000,000 items", "many", (f"sampling.temperature={tau:g}",), "entropy", tau == 0.8, tau == 0.8,
        0.85, "regime.share",
    )
    for tau in (0.5, 0.7, 0.8, 0.9, 0.95)
)  # fmt: skip
CASES = (
    Case("Gaussian, unbiased", "gaussian", (), "moments.ratio", True),
    Case("Gaussian, bias 0.9", "gaussian", ("sampling.bias=0.9",), "moments.ratio", True),
    Case("digits (mixture), unbiased", "digits", (), "moments.ratio"),
    Case("digits (mixture), bias 0.9", "digits", ("sampling.bias=0.9",), "moments.ratio", True),
    Case("100 types, unbiased", "types", (), "entropy", part=0.85),
    *TEMPERED,
    Case("100 types, temperature 0.8, 20,000 items", "types", ("sampling.temperature=0.8",), "entropy", part=0.85),
    Case("prose (bigrams), unbiased", "prose", (), "types.alive", True),
    Case("prose (bigrams), temperature 0.8", "prose", ("sampling.temperature=0.8",), "types.alive", True),
)


def asked(case: Case, quick: bool) -> tuple[Line, float, Tipping | None]:
    """The line, the level of human data alone, and the answer; None when the line is kept over the whole range."""
    experiment = world(case.world, case.changes)
    human = float(
        np.median(Trials(experiment, [case.row]).values({case.key: 0.0 if case.synthetic(0.0) == 0.0 else 1.0}, 12))
    )
    line = Line(case.row, True, float(f"{case.part * human:.3g}"))
    budget = 400 if quick else None
    try:
        return line, human, tipping(experiment, case.key, 0.0, 1.0, line, budget=budget, hysteresis=case.hysteresis)
    except NotBracketed:
        return line, human, None


def where(case: Case, crossing: Crossing) -> str:
    """A crossing in terms of the synthetic share."""
    ends = sorted((case.synthetic(crossing.low), case.synthetic(crossing.high)))
    return interval(case.synthetic(crossing.value), *ends)


def main() -> None:
    """Measure, draw, write ``tipping-share.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller budget; wider intervals")
    quick = parser.parse_args().quick
    rows, lines, cured = [], [], ""
    for case in CASES:
        line, human, found = asked(case, quick)
        print(
            case.label,
            found and (found.verdict, found.crossing.value, found.crossing.low, found.crossing.high),
            flush=True,
        )
        if found is None:
            rows.append((case.label, str(line), "kept up to a share of 1", "-", "-", "-"))
            continue
        crossing, sudden = found.crossing, found.sudden
        law = next((one for one in found.theory if one.kind == "threshold" and one.start == "real"), None)
        rows.append(
            (case.label, str(line), where(case, crossing), found.verdict,
             f"{100 * sudden.share:.0f} % [{100 * sudden.low:.0f}, {100 * sudden.high:.0f}]", case.synthetic(law.value) if law else "-")
        )  # fmt: skip
        if case.drawn:
            points = sorted((case.synthetic(point.value), point.typical / human) for point in found.curve)
            lines.append(Series(case.label, *map(tuple, zip(*points, strict=True)), group=len(lines)))
        if found.collapsed is not None:
            other = found.collapsed
            cured = (
                f"At temperature 0.8 a world that has already collapsed recovers only below a synthetic share of "
                f"{where(case, other)}; between there and {where(case, crossing)} both "
                f"a healthy and a collapsed world are stable: **the share that prevents collapse does not cure it**."
            )
    chart = Chart(
        "What is left, by the synthetic share of the web", "Median over replicates, divided by what human data alone gives.",
        "synthetic share", "left", (*lines, Series("half", (0.0, 1.0), (0.5, 0.5), kind="reference")), y_zero=True,
    )  # fmt: skip
    columns = ("world", "line", "share at which half of the replicates lose it (95 % interval)", "verdict",
               "of the local change within a twentieth of the range", "exact threshold")  # fmt: skip
    write(
        "tipping-share",
        "# (a) At what share of synthetic data does collapse run away?",
        "**Answer.** Where models are sampled as they are there is no threshold short of 100 %: any constant share of human data holds the loss, which "
        "runs away only as human data vanishes (what is called a threshold there is that end, rounded by finite samples). A threshold appears when sampling sharpens (temperature below 1): then diversity is stable up to a share of "
        "about the temperature and breaks down at once beyond it. Biased sampling of continuous data (bias below 1) moves the slope to lower "
        "shares without making it a threshold.",
        cured,
        table(columns, rows),
        figure("tipping-share", chart),
        "**How.** `remission tipping` over `regime.synthetic`; the line is half of what human data alone keeps (85 % of the entropy of types), in the last generation (100 for "
        "the Gaussian, 200 for types, 20 for digits, 15 for prose). A *threshold* means that more than half of what changes in the quarter of the "
        "range around the crossing changes within a twentieth of the range; of a straight slope a fifth would. The worlds are "
        "`studies/worlds/*.toml`; run `python -m studies.tipping_share`.",
        "**Limits.** Small models, one generation of the web per generation of models, one kind of sharpening each. With finite samples every "
        "threshold is rounded, and noise tips a metastable world before the exact place (hysteresis); with more generations the slopes of "
        "unbiased worlds steepen towards a share of 1 (at a share of 1 all of them end in total loss). Half is a convention: of a slope any other "
        "line is crossed elsewhere.",
    )


if __name__ == "__main__":
    main()
