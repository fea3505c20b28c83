"""Finding parts: file name = registered name; listing reads files without importing them.

``names(folder)``, ``summary(folder, name)`` and ``load(folder, name)`` are the only door. Packages outside
register under the entry-point groups ``remission.models``, ``remission.sources`` and so on; a class in any
importable file is named by its import path ``my_module:MyModel``.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import inspect
import sys
from pathlib import Path
from typing import Any

from remission.component import Component
from remission.errors import SpecError, did_you_mean
from remission.interfaces import Curator, Detector, Metric, Model, Prevalence, Regime, Source
from remission.watermarking import Watermark
from remission.world import Theory

FOLDERS: dict[str, type[Component]] = {
    cls.folder: cls for cls in (Source, Model, Regime, Curator, Metric, Theory, Detector, Prevalence, Watermark)
}


def names(folder: str) -> list[str]:
    """The registered names of a folder, built in and from entry points."""
    own = [path.stem.replace("_", "-") for path in _home(folder).glob("*.py") if not path.stem.startswith("_")]
    return sorted(own + list(_entry_points(folder)))


def summary(folder: str, name: str) -> str:
    """The first line of the docstring of a part, read without importing it."""
    path = _home(folder) / f"{name.replace('-', '_')}.py"
    if not path.exists():
        return f"from {_entry_points(folder)[name].value}" if name in _entry_points(folder) else ""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n", 1)[0]


def load(folder: str, name: str) -> type[Any]:
    """The class of a part, by registered name or import path.

    Raises:
        SpecError: no such part; the message names near ones.
    """
    interface = FOLDERS[folder]
    if ":" in name:
        return _by_path(folder, interface, name)
    if name in _entry_points(folder):
        return _fitting(folder, interface, name, _entry_points(folder)[name].load())
    if name not in names(folder):
        singular = folder.rstrip("s")
        raise SpecError(
            f"Unknown {singular} '{name}'. {did_you_mean(name, names(folder))} "
            f"A {singular} of your own is named by import path, as in 'my_module:MyClass'."
        )
    module = importlib.import_module(f"remission.{folder}.{name.replace('-', '_')}")
    return final_class(module, interface)


def final_class(module: Any, interface: type[Component]) -> type[Any]:
    """The one public final class of the interface that a module defines."""
    found = [
        cls
        for cls in vars(module).values()
        if isinstance(cls, type)
        and issubclass(cls, interface)
        and cls.__module__ == module.__name__
        and not cls.__name__.startswith("_")
        and not inspect.isabstract(cls)
    ]
    if len(found) != 1:
        raise SpecError(f"{module.__name__} must define exactly one public {interface.__name__}; it has {len(found)}.")
    return found[0]


def _by_path(folder: str, interface: type[Component], name: str) -> type[Any]:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SpecError(
            f"Cannot import '{module_name}' of '{name}': {error}. The folder of the experiment file and the "
            f"current folder are searched; is the file there?"
        ) from None
    if not hasattr(module, attribute):
        public = [key for key, value in vars(module).items() if isinstance(value, type) and not key.startswith("_")]
        raise SpecError(f"Module '{module_name}' has no '{attribute}'. {did_you_mean(attribute, public)}")
    return _fitting(folder, interface, name, getattr(module, attribute))


def _fitting(folder: str, interface: type[Component], name: str, found: Any) -> type[Any]:
    if isinstance(found, type) and issubclass(found, interface):
        if inspect.isabstract(found):
            missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
            raise SpecError(f"'{name}' is not complete: it must define {missing}.")
        return found
    if folder == "models":
        adapted: type[Any] | None = importlib.import_module("remission.models._estimator").adapt(name, found)
        if adapted is not None:
            return adapted
    raise SpecError(
        f"'{name}' is not a {interface.__name__}. Derive it from remission.{interface.__name__}"
        f"{f' (or remission.Simple{interface.__name__})' if folder != 'regimes' else ''}."
    )


@functools.cache
def _entry_points(folder: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=f"remission.{folder}")}


def _home(folder: str) -> Path:
    if folder not in FOLDERS:
        raise SpecError(f"Unknown kind of part '{folder}'. {did_you_mean(folder, FOLDERS)}")
    return Path(__file__).parent / folder


def origin_file(cls: type[Component]) -> Path | None:
    """The source file of a part outside the package, whose content is part of a run's identity."""
    if cls.__module__.split(".")[0] == "remission":
        return None
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return Path(file) if file else None
