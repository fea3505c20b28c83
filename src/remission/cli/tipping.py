"""``remission tipping``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from remission.cli import _output as out
from remission.errors import SpecError


@click.command("tipping", short_help="Where a parameter tips the loop, with an interval.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--over", "key", required=True, metavar="KEY", help="The parameter, as in regime.share.")
@click.option("--low", required=True, type=float, help="One end of its range.")
@click.option("--high", required=True, type=float, help="The other end; the line is kept at only one of them.")
@click.option("--keep", "line", required=True, metavar="'ROW>=X'", help="The line to keep, as in 'moments.ratio>=0.5'.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value, as in generations=200.")
@click.option(
    "--of", default="median", show_default=True, help="median, mean, or the share of replicates that must keep."
)
@click.option(
    "--at",
    type=click.Choice(["last", "worst", "settled"]),
    default="last",
    show_default=True,
    help="Read the last generation, the worst so far, or the mean over the last quarter.",
)
@click.option("--log", "logarithmic", is_flag=True, help="Halve the range on a logarithmic scale.")
@click.option("--hysteresis", is_flag=True, help="Search again from a collapsed start.")
@click.option(
    "--long-run", is_flag=True, help="Search at a quarter and half of the generations too: where is it heading?"
)
@click.option("--and", "second", metavar="KEY", help="A second parameter: a phase diagram over both.")
@click.option("--and-low", type=float, help="One end of its range.")
@click.option("--and-high", type=float, help="The other end.")
@click.option(
    "--depth", type=click.IntRange(0, 6), default=3, show_default=True, help="Phase diagram: times the grid is refined."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0.0001, 0.5),
    default=0.02,
    show_default=True,
    help="Wanted width of the interval, a share of the range.",
)
@click.option(
    "--budget",
    type=click.IntRange(100),
    help="Replicates for each search. Default: 20 times those in FILE, at least 2000 (phase diagram: no limit).",
)
@click.option("--level", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True, help="Of all intervals.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A folder to keep what was run: the same command goes on."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the curve.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    file: Path, changes: tuple[str, ...], line: str, of: str, html: Path | None, as_json: bool, **asked: Any
) -> None:
    """Find where a parameter of the experiment in FILE makes the loop cross a line, and whether that is a threshold.

    A smooth slope crosses every level somewhere; it is called a threshold only when more than half of what changes in a quarter
    of the range around the crossing changes within a twentieth of the range.
    """  # fmt: skip
    from remission.lab.line import parse_line
    from remission.spec import Experiment

    experiment = Experiment.from_file(file, changes)
    wanted = parse_line(line)
    kind = _of(of)
    if asked["second"] is None and (asked["and_low"] is not None or asked["and_high"] is not None):
        raise SpecError("--and-low and --and-high are the range of a second parameter. Name it with --and.")
    with out.counter("tipping", quiet=as_json) as tell:
        if asked["second"] is not None:
            _phases(file, experiment, wanted, kind, asked, tell, html, as_json)
            return
        found = _tipping(experiment, wanted, kind, asked, tell)
    if html is not None:
        from remission.report.tipping import write_page

        write_page(html, found.document(), experiment.title or file.stem)
    if as_json:
        out.as_json("tipping", found.document())
    else:
        _show(found, html)


def _of(text: str) -> Any:
    if text in ("median", "mean"):
        return text
    try:
        return float(text)
    except ValueError:
        raise SpecError(f"--of is median, mean, or a share of replicates such as 0.9. Got '{text}'.") from None


def _tipping(experiment: Any, line: Any, of: Any, asked: dict[str, Any], tell: Any) -> Any:
    from remission.lab.tipping import tipping

    return tipping(
        experiment, asked["key"], asked["low"], asked["high"], line, of=of, at=asked["at"], level=asked["level"],
        tolerance=asked["tolerance"], budget=asked["budget"], log=asked["logarithmic"], hysteresis=asked["hysteresis"],
        long_run=asked["long_run"], workers=asked["workers"], folder=asked["output"], tell=tell,
    )  # fmt: skip


def _phases(
    file: Path, experiment: Any, line: Any, of: Any, asked: dict[str, Any], tell: Any, html: Path | None, as_json: bool
) -> None:
    from remission.lab.phases import phases

    if asked["and_low"] is None or asked["and_high"] is None:
        raise SpecError("A phase diagram needs the range of its second parameter: --and-low and --and-high.")
    given = [
        f"--{name.replace('_', '-').replace('logarithmic', 'log')}"
        for name in ("hysteresis", "long_run", "logarithmic", "tolerance", "level")
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise SpecError(f"{' and '.join(given)} mean nothing for two parameters. Leave out --and, or that.")
    found = phases(
        experiment, (asked["key"], asked["low"], asked["high"]), (asked["second"], asked["and_low"], asked["and_high"]),
        line, of=of, at=asked["at"], depth=asked["depth"], budget=asked["budget"],
        workers=asked["workers"], folder=asked["output"], tell=tell,
    )  # fmt: skip
    if html is not None:
        from remission.report.tipping import write_phases

        write_phases(html, found.document(), experiment.title or file.stem)
    if as_json:
        out.as_json("phases", found.document())
        return
    click.echo(found.drawn())
    _wrote(html)


def _show(found: Any, html: Path | None) -> None:
    """The answer in a sentence, the curve, and what theory says."""
    from remission.lab.tipping import sentence

    click.echo(sentence(found))
    percent = f"{100 * found.level:g} %"
    rows = [
        [out.number(point.value, 5), str(point.n), f"{out.number(point.typical)} [{out.number(point.low)}, {out.number(point.high)}]",
         f"{100 * point.kept:.0f} %"]
        for point in found.curve
    ]  # fmt: skip
    typical = "mean" if found.of == "mean" else "median"
    out.table(
        found.line.row, [found.key, "replicates", f"{typical}, {percent} interval", "keep"], rows, right=(0, 1, 3)
    )
    if found.theory:
        known = [[one.law, one.kind, out.number(one.value, 5), one.start, one.statement] for one in found.theory]
        out.table("theory", ["law", "", found.key, "start", "statement"], known, right=(2,))
    for warning in found.warnings:
        out.warn(warning)
    _wrote(html)


def _wrote(html: Path | None) -> None:
    if html is not None:
        click.echo(f"page: {html}")
