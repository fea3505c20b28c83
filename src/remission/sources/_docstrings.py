"""Prose out of docstrings: which paragraphs of a package's documentation are sentences, cleaned of markup."""

from __future__ import annotations

import ast
import contextlib
import gc
import hashlib
import importlib.util
import inspect
import json
import os
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from remission.aside import written
from remission.errors import DataError
from remission.folders import cache_folder

_FORMAT = 1  # raise when the rules below change: older prepared texts are then not used
_SKIP = frozenset(
    {"tests", "test", "testing", "_pytest", "site-packages", "dist-packages", "__pycache__", "idlelib", "lib2to3"}
    | {"pydoc_data", "encodings", "ensurepip", "turtledemo", "_vendor", "externals", "_examples"}
    | {"array_api_compat", "array_api_extra"}
)
_LARGEST = 150_000  # bytes; larger modules are slow to parse and hold few sentences
_SECTIONS = frozenset(
    {"parameters", "other parameters", "returns", "yields", "receives", "attributes", "methods", "raises", "warns"}
    | {"example", "examples", "references", "see also", "usage", "routine listings"}
)
_UNDERLINE = re.compile(r"^[-=~^*#+]{3,}\s*$")
_CODE = re.compile(
    r">>>|^\.\.\s|::|\||\\|\$|https?://|www\.|[{}<>=@^_~`]|--|:\w+:"  # prompts, directives, formulas, addresses
    r"|\*\w|\w\(|\.\w+\.\w|\w/\w"  # arguments, calls, dotted names, paths
    r"|^\s*[-*+•]\s|^\d+[.)]\s|^\[\d"  # lists, references
)
_ROLE = re.compile(r":[a-z:+-]+:`~?([^`<]*?)(?:\s*<[^`]*>)?`")
_TICKS = re.compile(r"``?([^`]+)``?_?")
_OLD = re.compile(r"`([^`'\n]+)'")  # `name', as it was quoted long ago
_STARS = re.compile(r"\*\*?(\w[^*]*?)\*\*?")
_CITE = re.compile(r"\s*\[\w+\]_")
_SIGNS = re.compile(r"[^A-Za-z ]+")
_SENTENCE = re.compile(r"^[A-Z][a-z]*\b.*[a-z)\"'][.!?]$")


def documents(packages: tuple[str, ...]) -> list[str]:
    """One text per docstring that holds prose, in a fixed order; no paragraph comes twice. Kept in the cache folder."""
    roots = {package: _root(package) for package in packages}
    files = {package: _modules(root) for package, root in roots.items()}
    listing = [
        (package, str(path.relative_to(roots[package])), path.stat().st_size)
        for package in packages
        for path in files[package]
    ]
    key = hashlib.sha256(json.dumps([_FORMAT, platform.python_version(), listing]).encode()).hexdigest()[:24]
    stored = cache_folder() / "prose" / f"{key}.json"
    found = _recall(stored)
    if found is None:
        with _uncollected():
            found = _gather([path for package in packages for path in files[package]])
        _store(stored, found)
    return found


def _root(package: str) -> Path:
    if package == "python":
        return Path(sysconfig.get_paths()["stdlib"])
    found = importlib.util.find_spec(package) if re.fullmatch(r"\w+", package) else None
    if found is None or not found.submodule_search_locations:
        raise DataError(f"prose: there is no installed package '{package}'. Install it, or leave it out of 'packages'.")
    return Path(next(iter(found.submodule_search_locations)))


def _modules(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if name not in _SKIP)
        paths = (Path(folder, name) for name in sorted(names) if name.endswith(".py") and not name.startswith("test_"))
        found += [path for path in paths if path.stat().st_size <= _LARGEST]
    return found


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which costs a quarter of the time while syntax trees grow (they have no cycles)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _gather(paths: list[Path]) -> list[str]:
    seen: set[str] = set()
    texts = []
    for path in paths:
        for docstring in _docstrings(path):
            fresh = [part for part in paragraphs(docstring) if part not in seen]
            seen.update(fresh)
            if fresh:
                texts.append(" ".join(dict.fromkeys(fresh)))
    return texts


def _docstrings(path: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):  # templates and deliberately broken modules
        return
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield inspect.cleandoc(text)
            stack += [
                child
                for child in reversed(node.body)
                if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            ]


def paragraphs(docstring: str) -> list[str]:
    r"""The paragraphs of a docstring that are plain sentences: no code, tables, lists, formulas or parameter sections.

    >>> paragraphs("Draw one card.\n\nThe card is `not` put back into the deck afterwards.\n\n>>> draw(3)\n7")
    ['The card is not put back into the deck afterwards.']
    """
    kept = []
    skipping = False
    for part in re.split(r"\n\s*\n", docstring):
        lines = part.split("\n")
        if len(lines) > 1 and _UNDERLINE.match(lines[1]):
            skipping = lines[0].strip().lower() in _SECTIONS
            lines = lines[2:]
        if skipping or not lines or any(line[:1].isspace() for line in lines):
            continue
        text = _plain(" ".join(" ".join(lines).split()))
        if _is_prose(text):
            kept.append(text)
    return kept


def _plain(text: str) -> str:
    text = _CITE.sub("", text)
    text = _TICKS.sub(r"\1", _OLD.sub(r"\1", _ROLE.sub(r"\1", text)))
    return _STARS.sub(r"\1", text)


def _is_prose(text: str) -> bool:
    if not text.isascii() or not _SENTENCE.match(text) or _CODE.search(text):
        return False
    letters = len(_SIGNS.sub("", text))
    return text.count(" ") >= 6 and letters >= 0.93 * len(text)


def _recall(path: Path) -> list[str] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) and all(isinstance(text, str) for text in found) else None


def _store(path: Path, texts: list[str]) -> None:
    """Write aside and rename; a folder that cannot be written only costs the time to prepare the text again."""
    with contextlib.suppress(OSError), written(path) as beside:
        beside.write_text(json.dumps(texts), encoding="utf-8")
