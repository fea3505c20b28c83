"""What ``remission watermark`` prints, and the options its commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from remission.cli import _detect as fields_
from remission.cli import _output as out
from remission.errors import SpecError, did_you_mean

NOTHING = "What is not called marked may be marked all the same: no evidence of human origin."


def no_key(command: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a key on the command line, where the history of the shell would keep it."""

    def refuse(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(
                "A key is not given on the command line, where the history of the shell keeps it. Put it into a file "
                "(`remission watermark keys new`) and give that with --keys."
            )

    return click.option("--key", hidden=True, expose_value=False, callback=refuse)(command)


def fields_of(options: dict[str, Any], by: tuple[str, ...]) -> tuple[Any, Any, bool]:
    """The fields, what documents are, and whether paragraphs are documents."""
    from dataclasses import replace

    tokens = options.pop("tokens")
    fields, paragraphs = fields_.fields_of(options)
    fields = fields_.keeping(fields, by)
    return (replace(fields, text=tokens) if tokens else fields), "tokens" if tokens else "text", paragraphs


def numbers(text: str, option: str) -> list[float]:
    """Numbers between commas."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"{option} needs numbers, as in 0.7,1.5,3. Got '{text}'.") from None
    if not all(math.isfinite(value) and value > 0 for value in found):
        raise SpecError(f"{option} needs numbers above 0. Got '{text}'.")
    return found


def with_vocabulary(scheme: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A table of the scheme; the size of the vocabulary does not matter for a new key."""
    from remission import registry
    from remission.component import fields_of as parameters

    needed = {field.name for field in parameters(registry.load("watermarks", scheme))}
    return {"kind": scheme, **({"vocabulary": 2**16} if "vocabulary" in needed else {}), **settings}


def key_row(key: Any) -> dict[str, Any]:
    """What may be shown of a key."""
    return {"name": key.name, "values": len(key.values)}


def picture_mark(scheme: str, settings: dict[str, Any]) -> Any:
    """A watermark of pictures. Raises SpecError."""
    from remission import spec
    from remission.watermarking import PictureWatermark, Watermark

    mark = spec.build(Watermark, {"kind": scheme, **settings}, "scheme")
    if not isinstance(mark, PictureWatermark):
        raise SpecError(f"'{scheme}' marks text, and here are pictures. Texts are marked while they are written.")
    return mark


def usable(mark: Any, key: Any) -> bool:
    """Whether a scheme can use a key; a file may hold keys of others."""
    try:
        mark.check_key(key)
    except SpecError:
        return False
    return True


def chosen(keys: Sequence[Any], name: str | None, mark: Any) -> Any:
    """The key of that name, or the only one that the scheme can use."""
    held = [key for key in keys if (key.name == name if name else usable(mark, key))]
    if len(held) != 1:
        names = [key.name for key in keys]
        hint = did_you_mean(name, names) if name else f"Name one with --name: {', '.join(names)}."
        raise SpecError(f"{'There is no such key' if name else f'{len(held)} keys could be meant'}. {hint}")
    return held[0]


def show_scan(documents: Any, found: Any) -> None:
    """Shares, watermarks, and the documents that are marked most clearly."""
    level = f"{100 * found_level(found):g} %"
    out.table(
        "Share of marked text",
        ["of", "marked", f"{level} interval", "method", "documents", "tested", "called marked"],
        [
            [
                row["stratum"], fields_.percent(row["value"]), f"{fields_.percent(row['low'])} to {fields_.percent(row['high'])}",
                row["method"], f"{row['n']:,}", f"{row['n_tested']:,}", f"{row['n_marked']:,}",
            ]
            for row in found.shares
        ],
        right={1, 4, 5, 6},
    )  # fmt: skip
    seen = [row for row in found.by_profile if row["present"] or row["documents"]]
    rows = [
        [row["profile"], row["key"], f"{row['documents']:,}", f"{row['tokens']:,}", out.number(row["log10_p"])]
        for row in seen
    ]
    if rows:
        out.table(
            "Watermarks found", ["profile", "key", "documents", "tokens", "log10 p of all"], rows, right={2, 3, 4}
        )
    else:
        click.echo(f"none of {len(found.hypotheses)} watermarks (profiles with keys) was found")
    order = [int(i) for i in found.log10_p.argsort(kind="stable")[:10] if found.marked[i]]
    names = documents.column("id")
    if order:
        listed = [
            [str(names[i]), found.hypotheses[int(found.best[i])].name, out.number(float(found.log10_p[i])), f"{int(found.scored[i]):,}", _parts(found, i)]
            for i in order
        ]  # fmt: skip
        out.table("Most clearly marked", ["document", "watermark", "log10 p", "scored", "parts"], listed, right={2, 3})
    told = found.fdr
    click.echo(
        f"{told['found']:,} of {told['tested']:,} documents called marked (and {told['copies_of_found']:,} copies of them), at a rate of false "
        f"discoveries of {100 * found.rate:g} % ({found.procedure.upper()}). {NOTHING}"
    )


def found_level(found: Any) -> float:
    """The level of its intervals."""
    return float(found.shares[0]["level"])


def _parts(found: Any, i: int) -> str:
    copy = int(found.copy_of[i])
    return " ".join(f"{part.start}-{part.stop}" for part in found.segments.get(copy if copy >= 0 else i, []))


def show_radioactivity(found: Sequence[Any]) -> None:
    """A row for each watermark."""
    rows = [
        [one.profile, one.key, f"{one.n:,}", f"{one.excluded:,}", out.number(one.mean), out.number(one.expected), out.number(one.log10_p)]
        for one in sorted(found, key=lambda one: one.log10_p)
    ]  # fmt: skip
    columns = ["profile", "key", "scores", "left out", "mean", "without the key", "log10 p"]
    out.table("Marks in what the model writes", columns, rows, right={2, 3, 4, 5, 6})
    least = min(one.log10_p for one in found) + math.log10(len(found))
    click.echo(
        f"the least, times the {len(found)} watermarks looked for: log10 p = {min(0.0, least):.3g}. Small: the model learned from "
        f"marked text, or the outputs are marked. Otherwise: nothing was shown."
    )


def show_power(found: Sequence[dict[str, Any]]) -> None:
    """Tokens needed, by entropy and rate."""
    rates = sorted({row["fpr"] for row in found}, reverse=True)
    rows: dict[tuple[str, float], dict[float, str]] = {}
    for row in found:
        needed = row["tokens"]
        rows.setdefault((row["profile"], row["nats"]), {})[row["fpr"]] = "more" if needed is None else str(needed)
    out.table(
        "Scored tokens until 90 % of marked texts are found",
        ["profile", "nats per token", *(f"at {rate:g}" for rate in rates)],
        [[name, f"{nats:g}", *(cells[rate] for rate in rates)] for (name, nats), cells in rows.items()],
        right=range(1, 2 + len(rates)),
    )


def show_marked(found: Sequence[Any], folder: Path, as_json: bool) -> int:
    """What became of pictures that were to be marked."""
    failed = [row for row in found if row.reason]
    if as_json:
        rows = [
            {"path": str(row.path), "out": str(row.out) if row.out else None, "psnr": row.psnr, "reason": row.reason}
            for row in found
        ]
        out.as_json("watermark-embed", {"pictures": rows})
        return 2 if failed else 0
    done = [row.psnr for row in found if not row.reason]
    least = f", at least {min(done):.1f} dB" if done else ""
    click.echo(f"{len(done):,} of {len(found):,} pictures marked, in {folder}{least}")
    for row in failed:
        out.warn(f"{row.path}: {row.reason}")
    return 2 if failed else 0


def show_pictures(found: Sequence[Any], keys: int, rate: float, as_json: bool) -> None:
    """Which pictures are marked, corrected for keys and pictures."""
    import numpy as np

    from remission.clinic.watermarking import adjusted

    read = [row for row in found if row.finding is not None]
    best: dict[str, Any] = {}
    for row in read:
        held = best.get(str(row.path))
        if held is None or row.finding.log10_p < held.finding.log10_p:
            best[str(row.path)] = row
    p = np.minimum(0.0, np.array([row.finding.log10_p for row in best.values()]) + math.log10(max(keys, 1)))
    q = adjusted(p, np.ones(p.size, np.bool_), "bh")
    rows = [
        {
            "path": name, "marked": bool(value <= rate), "log10_p": float(low), "q": float(value), "key": row.key, "payload": row.payload,
            "scale": row.finding.scale,
        }
        for (name, row), low, value in zip(best.items(), p, q, strict=True)
    ]  # fmt: skip
    failed = [row for row in found if row.finding is None]
    if as_json:
        aside = [{"path": str(row.path), "reason": row.reason} for row in failed]
        out.as_json("watermark-find", {"pictures": rows, "rate": rate, "not_read": aside})
        return
    shown = [
        [r["path"], "marked" if r["marked"] else "-", out.number(r["log10_p"]), r["key"] if r["marked"] else ""]
        for r in rows
    ]
    out.table("Pictures", ["picture", "", "log10 p", "key"], shown[:50], right={2})
    click.echo(
        f"{sum(r['marked'] for r in rows):,} of {len(rows):,} pictures called marked, at {100 * rate:g} % false discoveries. {NOTHING}"
    )
    for row in failed:
        out.warn(f"{row.path}: {row.reason}")


def show_credentials(found: Any, as_json: bool) -> int:
    """A verdict in words; 1 when the file is not as it was signed."""
    if as_json:
        table = {name: getattr(found, name) for name in ("verdict", "reasons", "signer", "source_types", "made_with")}
        out.as_json("watermark-check", table | {"sidecar": str(found.sidecar) if found.sidecar else None})
    else:
        click.echo(f"{found.verdict}: {'; '.join(found.reasons)}")
        for name, values in (
            ("signed by", [found.signer]),
            ("came about as", found.source_types),
            ("made with", found.made_with),
        ):
            if any(values):
                click.echo(f"{name}: {', '.join(values)}")
    return int(found.verdict == "tampered")
