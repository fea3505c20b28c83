"""Write docs/reference/*.md from what the package says of itself: docstrings, fields and ``--help``.

Run by ``make docs``; tests/test_docs.py fails when what is committed differs from what this writes.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import click

from remission import registry
from remission.cli import COMMANDS, cli

HERE = Path(__file__).resolve().parent / "reference"
NOTICE = "<!-- Written by docs/reference.py from the source. Do not edit; run `make docs`. -->\n"
TITLES = {
    "sources": ("Sources", "Where real data comes from: `[source]` of an experiment."),
    "models": ("Models", "What is fitted and sampled: `[model]` of an experiment."),
    "regimes": ("Regimes", "Which data each generation is trained on: `[regime]`. See also [regimes](../regimes.md)."),
    "curators": ("Curators", "What selects or weighs the items that arrive: `[[curator]]`."),
    "metrics": ("Metrics", "What is measured in every generation: `[[metric]]`. See also [metrics](../metrics.md)."),
    "theory": (
        "Theory",
        "The closed forms that `remission predict` evaluates. See also [theory](../theory.md). *Row* is the number by "
        "which the notes, the tests and other pages name a law.",
    ),
    "detectors": (
        "Detectors",
        "What scores how likely an item is synthetic: `remission detect fit --kind`. See also [detection](../detection.md).",
    ),
    "prevalence": (
        "Prevalence",
        "Estimators of the share that is synthetic: `remission prevalence --estimator`. See also [detection](../detection.md).",
    ),
    "watermarks": (
        "Watermarks",
        "What marks the output of a model with a key: `mark` of the model [`watermarked`](models.md#watermarked), of the "
        "curator [`watermark`](curators.md#watermark) and of the metric [`radioactivity`](metrics.md#radioactivity).",
    ),
}
SCHEDULE = ("int | float | list of int | float | Ramp", "[schedule](../experiment-file.md#schedules)")
_ITEM = re.compile(r"^(\S[^:]*): (.*)$")
_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")


def pages() -> dict[str, str]:
    """File name -> text of every reference page; the same at every call."""
    made = {f"{folder}.md": _folder(folder) for folder in registry.FOLDERS}
    return made | {"commands.md": _commands()}


def _folder(folder: str) -> str:
    title, about = TITLES[folder]
    names = [name for name in registry.names(folder) if registry.summary(folder, name)[:5] != "from "]
    shown = {name: _told(folder, name) for name in names}
    rows = [[f"[`{name}`](#{name})", markdown_line(registry.summary(folder, name))] for name in names]
    columns = ["name", "what it is"]
    if folder == "theory":
        columns.append("row")
        rows = [[*row, shown[name].get("row", "")] for row, name in zip(rows, names, strict=True)]
    parts = [NOTICE + f"# {title}", about, _table(columns, rows)]
    return "\n\n".join([*parts, *(_part(name, shown[name]) for name in names)]) + "\n"


def _told(folder: str, name: str) -> dict[str, Any]:
    """What ``remission show --json`` says."""
    from click.testing import CliRunner

    answer = CliRunner().invoke(cli, ["show", folder, name, "--json"], standalone_mode=False)
    if answer.exception is not None:
        raise answer.exception
    return dict(json.loads(answer.stdout))


def _part(name: str, told: dict[str, Any]) -> str:
    text, meanings = markdown(told["text"])
    blocks = [f"## {name}", text]
    if told["parameters"]:
        rows = [
            [
                f"`{field['name']}`",
                field["type"].replace(*SCHEDULE),
                f"`{field['default']}`",
                meanings.pop(field["name"], ""),
            ]
            for field in told["parameters"]
        ]
        shown = 4 if any(row[3] for row in rows) else 3
        blocks.append(_table(["parameter", "type", "default", "meaning"][:shown], [row[:shown] for row in rows]))
    if meanings:
        blocks.append("\n".join(f"- `{key}`: {meaning}" for key, meaning in meanings.items()))
    if told.get("columns"):
        rows = [[f"`{name}.{key}`" if key else f"`{name}`", way] for key, way in told["columns"].items()]
        blocks.append(_table(["row", "in collapse"], rows))
    facts = {"accepts": "Takes", "knows": "Sampling options", "statement": "Formula", "source": "Source", "row": "Row"}
    lines = []
    for key, word in facts.items():
        value = told.get(key)
        if value:
            value = ", ".join(value) if isinstance(value, list) else value
            lines.append(f"- {word}: {f'`{value}`' if key == 'statement' else markdown_line(value)}")
    if lines:
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def markdown(text: str) -> tuple[str, dict[str, str]]:
    """A docstring as Markdown, and the meanings of its attributes (left out of the text)."""
    blocks: list[str] = []
    meanings: dict[str, str] = {}
    section = ""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        if lines[0] in ("Attributes:", "Raises:", "Args:", "Returns:"):
            section, lines = lines[0], lines[1:]
        elif not block.startswith(" "):
            section = ""
        body = textwrap.dedent("\n".join(lines))
        if section == "Attributes:":
            for names, meaning in _items(body):
                meanings |= dict.fromkeys(names, meaning)
        elif section:
            blocks.append(
                f"{section}\n\n" + "\n".join(f"- `{', '.join(names)}`: {said}" for names, said in _items(body))
            )
        elif body.lstrip().startswith(">>>"):
            blocks.append(f"```pycon\n{body}\n```")
        elif re.match(r"=+( +=+)+$", body.split("\n")[0]):
            blocks.append(_rst_table(body.split("\n")))
        elif "====" in body or block.startswith(" ") or "──" in body:
            blocks.append(f"```text\n{body}\n```")
        else:
            blocks.append(markdown_line(body.removesuffix("::") + (":" if body.endswith("::") else "")))
    return "\n\n".join(blocks), meanings


def markdown_line(text: str) -> str:
    """Roles and double backticks as Markdown code; no accidental HTML."""
    text = re.sub(r"``(.+?)``", r"`\1`", _ROLE.sub(r"`\1`", text), flags=re.DOTALL)
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else _prose(piece) for piece in pieces)


def _prose(text: str) -> str:
    return text.replace("<", "&lt;").replace("THEORY", "[theory](theory.md)")


def _rst_table(lines: list[str]) -> str:
    """A simple table: its columns begin where the runs of = begin; a row goes on while its first cell is empty."""
    starts = [match.start() for match in re.finditer("=+", lines[0])]
    ends = [*starts[1:], None]
    rows: list[list[str]] = []
    for line in lines[1:]:
        if not line.startswith("="):
            cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
            if cells[0]:
                rows.append(cells)
            else:
                rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
    head, *body = [[markdown_line(cell) for cell in row] for row in rows]
    return _table(head, body)


def _items(body: str) -> list[tuple[list[str], str]]:
    found: list[tuple[list[str], str]] = []
    for line in body.split("\n"):
        match = _ITEM.match(line)
        if match:
            found.append(([name.strip() for name in match[1].split(",")], match[2]))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        else:
            found.append(([line.strip()], ""))
    return [(names, markdown_line(meaning)) for names, meaning in found]


def _table(columns: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(columns), "|" + " --- |" * len(columns), *map(line, rows)])


def _commands() -> str:
    blocks = [NOTICE + "# Commands", "What `remission COMMAND --help` prints."]
    blocks.append(
        _table(["command", "what it does"], [[f"[`{name}`](#{name})", text] for name, text in COMMANDS.items()])
    )
    blocks.append(_help(cli, "remission"))
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        if command is None:
            raise LookupError(name)
        blocks += [f"## {name}", _help(command, f"remission {name}")]
        for inner, one in getattr(command, "commands", {}).items():
            blocks += [f"### {name} {inner}", _help(one, f"remission {name} {inner}")]
    blocks.append(
        "Exit codes of every command: 0 done; 1 the answer is no (a replicate that cannot be re-created); 2 wrong usage or "
        "bad input, with one message on stderr; 130 interrupted."
    )
    return "\n\n".join(blocks) + "\n"


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=100, **_names(command))
    return f"```text\n{inspect.cleandoc(command.get_help(context)).rstrip()}\n```"


def _names(command: click.Command) -> dict[str, Any]:
    return {"help_option_names": ["-h", "--help"]}


def main() -> None:
    """Write the pages."""
    HERE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
