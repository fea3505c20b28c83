"""``remission show``."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click

from remission.cli import _output as out


@click.command("show", short_help="One part: what it does, its parameters, its source.")
@click.argument("kind")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(kind: str, name: str, as_json: bool) -> None:
    """Show the part NAME of KIND, as in `remission show model gmm`."""
    from remission import registry
    from remission.component import field_types, fields_of
    from remission.errors import SpecError, did_you_mean
    from remission.identity import search_also

    folder = next((known for known in registry.FOLDERS if kind in (known, known.rstrip("s"))), None)
    if folder is None:
        raise SpecError(f"There is no kind '{kind}'. {did_you_mean(kind, registry.FOLDERS)}")
    search_also(None)
    cls = registry.load(folder, name)
    hints = field_types(cls)
    fields = [
        {"name": field.name, "type": spelled(hints[field.name]), "default": _default(field)} for field in fields_of(cls)
    ]
    text = "\n\n".join(filter(None, [inspect.getdoc(inspect.getmodule(cls)), inspect.getdoc(cls)]))
    extra = {
        key: sorted(getattr(cls, key)) if isinstance(getattr(cls, key), frozenset) else getattr(cls, key)
        for key in ("accepts", "knows", "columns", "row", "source", "statement")
        if isinstance(getattr(cls, key, None), (frozenset, dict, str)) and getattr(cls, key)
    }
    if as_json:
        out.as_json("show", {"kind": folder, "name": name, "text": text, "parameters": fields} | extra)
        return
    click.echo(f"{folder} · {name}\n\n{text}\n")
    if fields:
        rows = [[field["name"], field["type"], field["default"]] for field in fields]
        out.table("parameters", ["name", "type", "default"], rows)
    for key, value in extra.items():
        shown = ", ".join(f"{a or '(itself)'} {b}" for a, b in value.items()) if isinstance(value, dict) else value
        click.echo(f"{key}: {', '.join(shown) if isinstance(shown, list) else shown}")


def _default(field: dataclasses.Field[Any]) -> str:
    from remission import toml
    from remission.component import plain

    if field.default is dataclasses.MISSING:
        return "(must be given)"
    return "none" if field.default is None else toml.value(plain(field.default))


def spelled(hint: Any) -> str:
    """A type annotation in words."""
    import typing

    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(f'"{argument}"' for argument in arguments)
    if hasattr(hint, "__metadata__"):
        limits = [
            f"{sign} {getattr(meta, key):g}"
            for meta in hint.__metadata__
            for key, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
            if getattr(meta, key, None) is not None
        ]
        return " ".join([spelled(arguments[0]), *limits])
    if arguments and typing.get_origin(hint) is tuple:
        return f"list of {spelled(arguments[0])}"
    if arguments:
        return " | ".join(dict.fromkeys(spelled(argument) for argument in arguments))
    return {"NoneType": "none", "str": "text"}.get(getattr(hint, "__name__", ""), getattr(hint, "__name__", str(hint)))
