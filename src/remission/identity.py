"""What decides the numbers of an experiment besides its text: the contents of files, and the user's own modules."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from remission import registry
from remission.component import Component, field_types
from remission.fingerprint import fingerprint
from remission.interfaces import FiniteSource, LongModel, Model, Source


def content_of(source: Source) -> str:
    """A hash of items that can change under the same name: files of the user and sources of his own."""
    inner = getattr(source, "base", None)
    if isinstance(inner, Source):
        return content_of(inner)
    own = hasattr(source, "path") or getattr(source, "tokenizer", None) is not None or ":" in source.name()
    return fingerprint(source.items()) if isinstance(source, FiniteSource) and own else ""


def vouched_by(source: Source) -> dict[str, Any]:
    """Who vouches for the items of a source, or of the one it is made from: what a source says in ``vouched()``; else empty."""
    inner = getattr(source, "base", None)
    if isinstance(inner, Source):
        return vouched_by(inner)
    told = getattr(source, "vouched", None)
    return dict(told()) if callable(told) else {}


def given_to(model: Model) -> str:
    """A hash of the files a model starts from."""
    return model.content() if isinstance(model, LongModel) else ""


def search_also(folder: Path | None) -> None:
    """Let modules of this folder and of the current one be named by import path."""
    for path in [folder, Path.cwd()]:
        if path is not None and str(path) not in sys.path:
            sys.path.append(str(path))


def own_modules(experiment: Component) -> dict[str, str]:
    """sha256 of every source file outside the package that a part of the experiment comes from."""
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in own_files(experiment).items()}


def own_files(experiment: Component) -> dict[str, Path]:
    """Module name -> source file of every part that is not of the package."""
    found: dict[str, Path] = {}

    def visit(value: Any) -> None:
        if isinstance(value, Component):
            file = registry.origin_file(type(value))
            if file is not None and file.is_file():
                found[type(value).__module__] = file
            for name in field_types(type(value)):
                visit(getattr(value, name))
        elif isinstance(value, (tuple, list)):
            for item in value:
                visit(item)

    visit(experiment)
    return dict(sorted(found.items()))
