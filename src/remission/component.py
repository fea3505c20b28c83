"""Components: frozen, validated parameter objects that experiments are made of.

Write a component as a class with annotated fields and a docstring; it becomes a frozen dataclass whose
values are checked when it is made, from Python or from a file alike. No decorator is needed::

    class TailMass(Metric):
        \"\"\"Share of the sample beyond the real q-quantiles.\"\"\"
        q: Annotated[float, Meta(gt=0, lt=0.5)] = 0.01
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, ClassVar, dataclass_transform

import msgspec
import numpy as np

from remission.errors import SpecError, did_you_mean


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Component:
    """Base of everything that an experiment file can name.

    Subclasses are abstract interfaces or final classes. Fields are plain values, tuples, or other
    components; a value of the wrong type or range raises :class:`~remission.errors.SpecError`.
    """

    folder: ClassVar[str] = ""  # the leaf folder of its interface, such as "models"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for name, hint in field_types(type(self)).items():
            value = checked(self.name(), name, hint, getattr(self, name))
            object.__setattr__(self, name, value)
        self.check()

    def check(self) -> None:
        """Raise SpecError when the fields contradict each other. Called after each field was checked."""

    @classmethod
    def name(cls) -> str:
        """The registered name, or the import path ``module:Class`` of a part outside the package."""
        package, _, module = cls.__module__.rpartition(".")
        if cls.folder and package == f"remission.{cls.folder}" and not module.startswith("_"):
            return module.replace("_", "-")
        return f"{cls.__module__}:{cls.__qualname__}"

    def table(self) -> dict[str, Any]:
        """The component as plain values, ``kind`` first: what an experiment file says of it."""
        return {"kind": self.name()} | {field.name: plain(getattr(self, field.name)) for field in fields_of(self)}

    @property
    def label(self) -> str:
        """The name with every parameter that is not at its default: ``tail-mass[q=0.05]``."""
        changed = [
            f"{field.name}={_short(getattr(self, field.name))}"
            for field in fields_of(self)
            if getattr(self, field.name) != field.default
        ]
        return self.name() + (f"[{','.join(changed)}]" if changed else "")


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(_short(item) for item in value)
    return value.label if isinstance(value, Component) else f"{value:g}" if isinstance(value, float) else str(value)


def plain(value: Any) -> Any:
    """A value as TOML and JSON know it."""
    if isinstance(value, Component):
        return value.table()
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


_TYPES: dict[type, dict[str, Any]] = {}


def fields_of(component: Any) -> list[dataclasses.Field[Any]]:
    """The parameters of a component or component class."""
    return [field for field in dataclasses.fields(component) if field.init]


def field_types(cls: type) -> dict[str, Any]:
    """The annotated types of a component's fields, ``Annotated`` limits included."""
    if cls not in _TYPES:
        hints = typing.get_type_hints(cls, include_extras=True)
        _TYPES[cls] = {field.name: hints[field.name] for field in fields_of(cls)}
    return _TYPES[cls]


def component_types(hint: Any) -> list[type[Component]]:
    """The component interfaces that a type annotation mentions."""
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        return [hint] if issubclass(hint, Component) else []
    return [found for part in typing.get_args(hint) for found in component_types(part)]


def checked(owner: str, key: str, hint: Any, value: Any) -> Any:
    """``value`` as the annotated type, or SpecError naming owner, key, what is allowed and what was given."""
    if isinstance(value, np.generic):
        value = value.item()
    wanted = component_types(hint)
    if wanted:
        values = value if isinstance(value, (tuple, list)) else [value]
        optional = type(None) in typing.get_args(hint)
        if all(isinstance(item, tuple(wanted)) or (item is None and optional) for item in values):
            return tuple(value) if isinstance(value, list) else value
        if not any(isinstance(item, (dict, str, int, float)) for item in values) or len(typing.get_args(hint)) == 0:
            names = " or ".join(sorted({cls.__name__ for cls in wanted}))
            raise SpecError(f"{owner}: '{key}' must be a {names}. Got {value!r}.")
        hint = _without_components(hint)
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        words = _literals(hint)
        if words and isinstance(value, str):
            raise SpecError(f"{owner}: '{key}' cannot be {value!r}. {did_you_mean(value, words)}") from None
        raise SpecError(f"{owner}: '{key}': {str(error).replace('`', '')}. Got {value!r}.") from None


def _literals(hint: Any) -> list[str]:
    """The words that a type annotation allows."""
    if typing.get_origin(hint) is typing.Literal:
        return [word for word in typing.get_args(hint) if isinstance(word, str)]
    return [word for part in typing.get_args(hint) for word in _literals(part)]


def _without_components(hint: Any) -> Any:
    kept = [part for part in typing.get_args(hint) if not component_types(part)]
    return typing.Union[tuple(kept)]  # noqa: UP007  (a union of a computed list)
