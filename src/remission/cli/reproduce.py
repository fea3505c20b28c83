"""``remission reproduce``."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out


@click.command("reproduce", short_help="Published results: the paper's number, ours, and a verdict.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All results, those with neural networks only listed.")
@click.option("--deep", is_flag=True, help="With --all: also those with neural networks, which take minutes each.")
@click.option("--list", "listed", is_flag=True, help="Say what there is, and run nothing.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Keep the run folders here, and go on with them.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with every figure and number.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    ids: tuple[str, ...], everything: bool, deep: bool, listed: bool, workers: int, output: Path | None,
    html: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Run published results and hold every number against ours.

    ID is a name of --list, or a TOML file of your own. An interval is 4 standard errors of a mean unless the rule says
    otherwise, and a closed form counts as reproduced only if the run would also have rejected one that is 10 % off.

    The exit code is 1 when a number is not reproduced, or the run has not the power to say; what could not be run (data
    that is not here) is counted, and changes nothing.
    """
    from remission.lab.reproduce import reproduce

    if listed or not (ids or everything):
        return _list(ids, as_json)
    with _folder(output) as folder:
        with out.progress("reproduce", quiet=as_json) as progress:
            found = reproduce(ids, folder, workers, everything, deep, progress, ["remission", *sys.argv[1:]])
        if html is not None:
            _page(found, html)
    if as_json:
        content = {"results": [row for one in found for row in one.table()], "counts": _counts(found)}
        out.as_json("reproduce", content | {"page": None if html is None else str(html)})
    else:
        _show(found, output, html)
    return int(any(one.verdict in ("differs", "no power") for one in found))


@contextlib.contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    if output is not None:
        yield output
    else:
        with tempfile.TemporaryDirectory(prefix="remission-") as folder:
            yield Path(folder)


def _list(ids: tuple[str, ...], as_json: bool) -> int:
    from remission.lab.reproduce import about, chosen

    rows = [(id, about(id)) for id in chosen(ids, not ids)]
    if as_json:
        fields = ("title", "claim", "seconds", "deep", "derived", "needs")
        listing = [
            {"id": id, "paper": one.cited} | {field: getattr(one, field) for field in fields} for id, one in rows
        ]
        out.as_json("reproductions", {"reproductions": listing})
        return 0
    out.table(
        f"{len(rows)} results",
        ["id", "what", "paper", "takes", "needs"],
        [
            [id, one.title + (" (derived)" if one.derived else ""), one.cited, _takes(one), one.needs]
            for id, one in rows
        ],
    )
    click.echo("Run one: remission reproduce ID. All: remission reproduce --all --html page.html")
    return 0


def _takes(one: Any) -> str:
    minutes = one.seconds / 60
    return f"{minutes:.0f} min, deep" if one.deep else f"{one.seconds:.0f} s" if minutes < 1 else f"{minutes:.1f} min"


def _page(found: list[Any], html: Path) -> None:
    from remission.lab.reproduce import Figures
    from remission.report.reproductions import Entry, write_page
    from remission.store import Run

    entries = [
        Entry(
            one.id, one.about.title, one.about.cited, one.about.claim, one.about.figure, one.verdict, one.table(),
            one.text, one.why, None if one.folder is None else Figures(Run(one.folder), [held.check for held in one.held]),
        )
        for one in found
    ]  # fmt: skip
    write_page(html, entries)


def _counts(found: list[Any]) -> dict[str, int]:
    tally = Counter(one.outcome.verdict for result in found for one in result.held)
    return {verdict: tally[verdict] for verdict in ("reproduced", "differs", "no power", "not run")}


def _show(found: list[Any], output: Path | None, html: Path | None) -> None:
    rows = []
    for one in found:
        for row in one.table():
            interval = "-" if one.why else f"{out.number(row['low'])} .. {out.number(row['high'])}"
            rows.append([row["id"], one.about.paper, row["quantity"], row["expects"], out.number(row["measured"]), interval,
                         row["verdict"]])  # fmt: skip
    out.table("", ["id", "paper", "quantity", "expected", "ours", "interval", "verdict"], _once(rows))
    for one in found:
        if one.why:
            click.echo(f"not run: {one.id}: {one.why}" + (f" ({_takes(one.about)})" if one.about.deep else ""))
    results = Counter(one.verdict for one in found)
    numbers = _counts(found)
    seconds = sum(one.seconds for one in found)
    click.echo(
        f"{results['reproduced']} of {len(found)} results reproduced "
        f"({numbers['reproduced']} of {sum(numbers.values())} numbers): "
        f"{results['differs']} differ, {results['no power']} without power, {results['not run']} not run; {seconds:.0f} s of work"
    )
    for path, name in ((output, "run folders"), (html, "page")):
        if path is not None:
            click.echo(f"{name}: {path}")


def _once(rows: list[list[str]]) -> list[list[str]]:
    """The name and the paper of a result on its first line only."""
    shown, last = [], ""
    for row in rows:
        shown.append(row if row[0] != last else ["", "", *row[2:]])
        last = row[0]
    return shown
