"""``remission watermark``: keys, scan, radioactivity, power, embed, find, sign, check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _detect as fields_
from remission.cli import _output as out
from remission.cli import _watermark as show

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_PROFILES = click.option(
    "--profiles", required=True, type=click.Path(path_type=Path), help="A JSON file: which watermarks, in which tokens."
)
_KEYS = click.option(
    "--keys", required=True, multiple=True, metavar="FILE", help="A file of keys, or 'public'; again for more."
)
_TOKENS = click.option("--tokens", metavar="FIELD", help="The field with token numbers, instead of text.")


@click.group("watermark", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Write watermarks, and find them in a corpus with p-values that hold.

    What is not found may be marked all the same, with another key or too weakly, and is no evidence of human origin.
    """


@command.group("keys", short_help="Make and list secret keys.")
def keys() -> None:
    """Secret keys, in files that only their owner may read."""


@keys.command("new", short_help="Make a key and add it to a file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--scheme", default="gumbel", show_default=True, help="See `remission list watermarks`.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A parameter of the scheme.")
@_JSON
def new(file: Path, name: str, scheme: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Make a key called NAME for a scheme and add it to FILE.

    The file is made for its owner alone. The key is not shown: whoever has it can find marked text, and fake it.
    """
    from remission import spec
    from remission.clinic.keys import new_key
    from remission.watermarking import Watermark

    mark = spec.build(Watermark, show.with_vocabulary(scheme, fields_.settings_of(changes)), "scheme")
    key = new_key(file, name, mark)
    if as_json:
        out.as_json("watermark-keys", {"file": str(file), "keys": [show.key_row(key)]})
        return
    click.echo(f"a new key '{key.name}' for {mark.name()}, in {file}")


@keys.command("list", short_help="Names of keys; never the keys.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_JSON
def listed(files: tuple[str, ...], as_json: bool) -> None:
    """The names in FILEs of keys ('public': the well-known ones), and how many values each has."""
    from remission.clinic.keys import load_keys

    found = [show.key_row(key) for key in load_keys(files)]
    if as_json:
        out.as_json("watermark-keys", {"keys": found})
        return
    out.table("", ["key", "values"], [[row["name"], str(row["values"])] for row in found], right={1})


@command.command("scan", short_help="Which documents of a corpus are marked.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_PROFILES
@_KEYS
@_TOKENS
@click.option("--by", default="", metavar="FIELD,...", help="A share for every value of these fields.")
@click.option("--rate", default=0.05, show_default=True, help="Of false discoveries among the documents called marked.")
@click.option(
    "--procedure",
    type=click.Choice(["bh", "by"]),
    default="bh",
    show_default=True,
    help="'by' holds under any dependence.",
)
@click.option(
    "--repeats",
    type=click.Choice(["passages", "corpus", "text"]),
    default="passages",
    show_default=True,
    help="What does not count again: passages, or all scored tuples, of an earlier document; or each for itself.",
)
@click.option("--parts", is_flag=True, help="Where in long documents the marked parts lie.")
@click.option("--level", default=0.95, show_default=True, help="Of the intervals.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many documents.")
@click.option("--seed", default=0, show_default=True, help="Of what is resampled.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .jsonl, .csv, .tsv or .parquet file.")
@fields_.with_fields
@_JSON
@show.no_key
def scan(paths: tuple[str, ...], profiles: Path, keys: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Look for every watermark of --profiles with every key of --keys in the documents of PATHs, in one pass.

    Each document gets the least of its p-values times their number, and documents are called marked so that at most --rate
    of those calls are expected to be false. Copies are tested once.
    """
    from remission.clinic import _row_files as files
    from remission.clinic.keys import load_keys
    from remission.clinic.profiles import hypotheses, load_profiles
    from remission.clinic.watermarking import COLUMNS, Wish, rows
    from remission.clinic.watermarking import scan as search
    from remission.corpus.reading import read_documents

    output, limit = options.pop("output"), options.pop("limit")
    if output is not None:
        files.check_kind(output)
    by = tuple(part.strip() for part in options.pop("by").split(",") if part.strip())
    wish = Wish(
        options.pop("rate"), options.pop("procedure"), options.pop("repeats"), by, options.pop("parts"),
        level=options.pop("level"), seed=options.pop("seed"),
    )  # fmt: skip
    looked_for, left = hypotheses(load_profiles(profiles), load_keys(keys))
    fields, takes, paragraphs = show.fields_of(options, by)
    documents, account = read_documents(paths, fields, takes, paragraphs, limit)
    with out.progress("scan", quiet=as_json) as progress:
        found = search(documents, looked_for, wish, progress)
    if output is not None:
        files.write(output, COLUMNS, rows(documents, found))
    if as_json:
        listing: Any = str(output) if output is not None else list(rows(documents, found))
        content = {"documents": listing, "by_profile": found.by_profile, "fdr": found.fdr, "shares": found.shares}
        out.as_json("watermark-scan", content | {"accounting": account.table(), "warnings": left + found.warnings})
        return
    fields_.show_account("corpus", account)
    show.show_scan(documents, found)
    for warning in left + found.warnings:
        out.warn(warning)
    if output is not None:
        click.echo(f"documents: {output}")


@command.command("radioactivity", short_help="Was a model trained on marked text?")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_PROFILES
@_KEYS
@_TOKENS
@click.option(
    "--prompts", multiple=True, metavar="PATH", help="What the model was given: what stands there does not count."
)
@click.option("--model", metavar="FOLDER", help="Instead of outputs: a causal language model, which reads PATHs.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many documents.")
@fields_.with_fields
@_JSON
@show.no_key
def radioactivity(
    paths: tuple[str, ...], profiles: Path, keys: tuple[str, ...], prompts: tuple[str, ...], model: str | None,
    limit: int | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Test what a model wrote, all documents of PATHs together, for the marks of text that it may have learned from.

    With --model the texts of PATHs are read, and the tokens that the model holds for most probable are tested; texts that
    carry the mark themselves show the most. Every thing that a score depends on counts once, and nothing that the prompts, or
    the texts that are read, hold already. A mark in the outputs also shows when they were simply written with the key.
    """
    from remission.clinic.keys import load_keys
    from remission.clinic.profiles import hypotheses, load_profiles
    from remission.clinic.radioactivity import of_model, of_outputs
    from remission.corpus.reading import read_documents

    looked_for, left = hypotheses(load_profiles(profiles), load_keys(keys))
    fields, takes, paragraphs = show.fields_of(options, ())
    documents, account = read_documents(paths, fields, takes, paragraphs, limit)
    if model is not None and prompts:
        raise click.UsageError("--prompts is for outputs; with --model the texts that are read are the prompts.")
    if model is not None:
        with out.progress("read", quiet=as_json) as progress:
            found = of_model(model, documents, looked_for, progress)
    else:
        before = read_documents(prompts, fields, takes, paragraphs)[0] if prompts else None
        found = of_outputs(documents, looked_for, before)
    if as_json:
        content = {"tests": [one.table() for one in found], "accounting": account.table(), "warnings": left}
        out.as_json("watermark-radioactivity", content)
        return
    fields_.show_account("read", account)
    show.show_radioactivity(found)
    for warning in left:
        out.warn(warning)


@command.command("power", short_help="How many tokens a mark needs to be found.")
@_PROFILES
@click.option("--nats", default="0.7,1.5,3", show_default=True, help="Entropies of the next token.")
@click.option("--texts", default=400, show_default=True, type=click.IntRange(50), help="Marked texts for each.")
@click.option("--longest", default=800, show_default=True, type=click.IntRange(20), help="Tokens of a text.")
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="An HTML page with the curves.")
@_JSON
def power(profiles: Path, nats: str, texts: int, longest: int, seed: int, output: Path | None, as_json: bool) -> None:
    """Measure how many scored tokens 90 % of marked texts need to be found at 1 %, 0.01 % and 0.0001 % false positives.

    Texts are written with fresh keys by a model whose next token has the entropies of --nats. Where nearly every token is
    sure, no scheme that leaves the text's law alone shows anything.
    """
    from remission.clinic.power import power as measure
    from remission.clinic.profiles import load_profiles

    with out.progress("power", quiet=as_json) as progress:
        found = measure(load_profiles(profiles), show.numbers(nats, "--nats"), texts, longest, seed, progress)
    if output is not None:
        from remission.report.power import write_page

        write_page(output, found)
    if as_json:
        out.as_json("watermark-power", {"curves": found, "page": None if output is None else str(output)})
        return
    show.show_power(found)
    if output is not None:
        click.echo(f"page: {output}")


@command.command("embed", short_help="Mark pictures.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A folder for the marked pictures."
)
@_KEYS
@click.option("--name", "key_name", help="Which key; needed when the files hold several.")
@click.option("--scheme", default="spread-spectrum", show_default=True, help="See `remission list watermarks`.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A parameter of the scheme.")
@_JSON
@show.no_key
def embed(
    paths: tuple[str, ...], output: Path, keys: tuple[str, ...], key_name: str | None, scheme: str,
    changes: tuple[str, ...], as_json: bool, **_options: Any,
) -> int:  # fmt: skip
    """Mark pictures and write them into a folder. Texts are marked while they are written: see docs/watermarks.md.

    The exit code is 2 when a picture could not be marked.
    """
    from remission.clinic.keys import load_keys
    from remission.clinic.watermark_pictures import mark_pictures

    mark = show.picture_mark(scheme, fields_.settings_of(changes))
    key = show.chosen(load_keys(keys), key_name, mark)
    with out.progress("embed", quiet=as_json) as progress:
        found = mark_pictures(paths, output, mark, key, progress=progress)
    return show.show_marked(found, output, as_json)


@command.command("find", short_help="Which pictures are marked.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_KEYS
@click.option("--scheme", default="spread-spectrum", show_default=True, help="See `remission list watermarks`.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A parameter of the scheme.")
@click.option("--rate", default=0.05, show_default=True, help="Of false discoveries among the pictures called marked.")
@_JSON
@show.no_key
def find(
    paths: tuple[str, ...], keys: tuple[str, ...], scheme: str, changes: tuple[str, ...], rate: float, as_json: bool,
    **_options: Any,
) -> None:  # fmt: skip
    """Look for a watermark with every key of --keys in the pictures of PATHs."""
    from remission.clinic.keys import load_keys
    from remission.clinic.watermark_pictures import scan_pictures

    mark = show.picture_mark(scheme, fields_.settings_of(changes))
    held = [key for key in load_keys(keys) if show.usable(mark, key)]
    with out.progress("find", quiet=as_json) as progress:
        found = scan_pictures(paths, mark, held, progress=progress)
    show.show_pictures(found, len(held), rate, as_json)


@command.command("sign", short_help="Write content credentials (C2PA).")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--signer",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder with key and certificate; made if it is not there.",
)
@click.option("--name", default="remission", show_default=True, help="Of a new signer, for all to see.")
@click.option("--source-type", default="trainedAlgorithmicMedia", show_default=True, help="How the file came about.")
@click.option("--made-with", default="", help="The model or program, if it is to be told.")
@click.option(
    "--sidecar", is_flag=True, help="A manifest beside the picture instead of inside. Other files always get one."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="What is written. Default: the picture itself, or PATH.c2pa.",
)
def sign(
    path: Path, folder: Path, name: str, source_type: str, made_with: str, sidecar: bool, output: Path | None
) -> None:
    """Sign how a picture, text or data file came about, with content credentials that tools of many makers read."""
    from remission.clinic import credentials

    if not folder.exists():
        credentials.new_signer(folder, name)
        click.echo(f"a new signer '{name}' in {folder}; others trust it when they list {folder / 'root.pem'}")
    signer = credentials.load_signer(folder)
    written = credentials.sign(
        path, output, signer=signer, source_type=source_type, made_with=made_with, sidecar=sidecar or None
    )
    click.echo(f"signed: {written}")


@command.command("check", short_help="What content credentials (C2PA) are worth.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--sidecar", type=click.Path(path_type=Path), help="The manifest. Default: inside, or PATH.c2pa.")
@click.option(
    "--trusted", multiple=True, type=click.Path(path_type=Path), help="A PEM file of certificates that you trust."
)
@_JSON
def check(path: Path, sidecar: Path | None, trusted: tuple[Path, ...], as_json: bool) -> int:
    """Read the content credentials of a file, and check that it is as it was signed. The exit code is 1 when it is not."""
    from remission.clinic import credentials

    return show.show_credentials(credentials.check(path, sidecar, trusted=trusted), as_json)
