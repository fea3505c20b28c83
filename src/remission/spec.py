"""Experiments: Python objects are the truth, TOML is a strict spelling of them.

>>> from remission.spec import Experiment
>>> text = '''
... [experiment]
... generations = 20
... samples = 100
... [source]
... kind = "gaussian"
... [model]
... kind = "gaussian"
... [regime]
... kind = "replace"
... '''
>>> experiment = Experiment.from_toml(text)
>>> Experiment.from_toml(experiment.to_toml()) == experiment
True
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
import json
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
from msgspec import Meta

from remission import registry, toml
from remission.component import Component, component_types, field_types, fields_of, plain
from remission.errors import DataError, SpecError, did_you_mean
from remission.identity import content_of, given_to, own_modules, search_also
from remission.interfaces import Curator, Metric, Model, Regime, Sampling, Source
from remission.schedule import Schedule, value_at
from remission.world import Initial, World

PARTS: dict[str, type[Component]] = {
    "source": Source, "model": Model, "regime": Regime, "sampling": Sampling, "initial": Initial,
}  # fmt: skip
LISTS: dict[str, type[Component]] = {"curator": Curator, "metric": Metric}


class Experiment(Component):
    """A whole experiment, or a sweep of them. Checked when it is made.

    Attributes:
        source, model, regime: what is learned, by what, on which data.
        generations: how many fits; fit 1 is on real data.
        replicates: independent repetitions, all with random numbers of their own.
        samples: items that arrive per generation; a number or a schedule over generations.
        seed: the same seed gives the same numbers, bit for bit.
        refill: after a curator dropped items, draw until the training set has its size again.
        reference, evaluation: real and generated items that metrics compare; the first budget when left out (at most
            10,000; 1,000 on the fast path).
        start: where every fit starts: ``scratch``, the model's own initial weights (random numbers, or those of a pretrained
            model); ``base``, the state of fit 1 (for a pretrained model: the pretrained weights); ``previous``, the state
            of the fit before (``warm`` says the same).
        keep: which models of a neural network stay in the run folder: of the ``first`` generation, the ``last``, both, all,
            or none.
        fast: draw sufficient statistics instead of samples, with the identical law.
        level: of all intervals.
        examples: how many items of replicate 0 are kept per generation for the report; a number that suits the kind of
            item when left out.
        sweep: dotted parameter -> list of values; every combination is one grid point.
    """

    source: Source
    model: Model
    regime: Regime
    title: str = ""
    generations: Annotated[int, Meta(ge=1)] = 20
    replicates: Annotated[int, Meta(ge=1)] = 20
    samples: Schedule = 1000
    seed: Annotated[int, Meta(ge=0)] = 0
    refill: bool = True
    reference: Annotated[int, Meta(ge=1)] | None = None
    evaluation: Annotated[int, Meta(ge=1)] | None = None
    start: Literal["scratch", "base", "previous", "warm"] = "scratch"
    keep: Literal["none", "first", "last", "first-last", "all"] = "last"
    fast: bool = False
    level: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    examples: Annotated[int, Meta(ge=0)] | None = None
    sampling: Sampling = Sampling()
    initial: Initial = Initial()
    curator: tuple[Curator, ...] = ()
    metric: tuple[Metric, ...] = ()
    sweep: dict[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)

    SETTINGS: ClassVar[tuple[str, ...]] = (
        "title", "generations", "replicates", "samples", "seed", "refill", "reference", "evaluation", "start", "keep",
        "fast", "level", "examples",
    )  # fmt: skip

    @classmethod
    def name(cls) -> str:
        """The table its settings stand in."""
        return "[experiment]"

    def check(self) -> None:
        """Every grid point can be built; budgets are whole numbers of at least 1."""
        fixed = self.samples if isinstance(self.samples, tuple) else (self.samples,)
        for value in fixed:
            if isinstance(value, float) and not value.is_integer():
                raise SpecError(f"[experiment]: 'samples' counts items: a whole number, not {value:g}.")
        for t in range(1, self.generations + 1):
            if not 1 <= value_at(self.samples, t) <= 2**31:
                raise SpecError(
                    f"experiment: 'samples' is {value_at(self.samples, t):g} in generation {t}; it must be 1 to 2^31."
                )
        for key, values in self.sweep.items():
            if not values:
                raise SpecError(f"sweep: '{key}' has no values. Give a list, or leave the key out.")
            if any(value in values[:index] for index, value in enumerate(values)):
                raise SpecError(f"sweep: '{key}' names the same value twice: {list(values)}.")
        if self.sweep:
            _ = self.points

    # --- spelling -----------------------------------------------------------------------------------------------

    @classmethod
    def from_toml(cls, text: str, changes: Iterable[str] = (), folder: Path | None = None) -> Self:
        """Read an experiment; ``changes`` are ``dotted.key=value`` lines; ``folder`` is searched for own modules."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"Not valid TOML: {error}.") from None
        search_also(folder)
        for change in changes:
            _apply_line(tables, change)
        if folder is not None:
            _beside(tables.get("source"), folder)
            _beside(tables.get("model"), folder)
        return cls.from_tables(tables)

    @classmethod
    def from_file(cls, path: Path, changes: Iterable[str] = ()) -> Self:
        """Read an experiment file; modules beside it can be named by import path."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SpecError(f"There is no experiment file '{path}'.") from None
        except IsADirectoryError:
            raise SpecError(f"'{path}' is a folder. Give an experiment file (TOML).") from None
        except UnicodeDecodeError as error:
            raise SpecError(f"'{path}' is not UTF-8 text (byte {error.start}).") from None
        try:
            return cls.from_toml(text, changes, path.resolve().parent)
        except (SpecError, DataError) as error:
            raise type(error)(f"{path}: {error}") from None

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> Self:
        """Build from nested tables as TOML reads them. Unknown keys and kinds are errors."""
        known = ["experiment", *PARTS, *LISTS, "sweep"]
        for key in tables:
            if key not in known:
                raise SpecError(f"Unknown table [{key}]. {did_you_mean(key, known)}")
        for key in ("source", "model", "regime"):
            if key not in tables:
                example = registry.names(PARTS[key].folder)[0]
                raise SpecError(f"The experiment has no [{key}]. Add for example: [{key}] kind = '{example}'.")
        fields: dict[str, Any] = dict(_table("experiment", tables.get("experiment", {})))
        for key in fields:
            if key not in cls.SETTINGS:
                raise SpecError(f"[experiment] has no key '{key}'. {did_you_mean(key, cls.SETTINGS)}")
        for key, interface in PARTS.items():
            if key in tables:
                fields[key] = build(interface, tables[key], key)
        for key, interface in LISTS.items():
            rows = tables.get(key, [])
            if not isinstance(rows, list):
                raise SpecError(f"[{key}] is a list: write [[{key}]].")
            fields[key] = tuple(build(interface, row, key) for row in rows)
        sweep = _table("sweep", tables.get("sweep", {}))
        for key, values in sweep.items():
            if not isinstance(values, list):
                raise SpecError(f"sweep: '{key}' must be a list of values. Got {values!r}.")
        fields["sweep"] = {key: tuple(values) for key, values in sweep.items()}
        return cls(**fields)

    def tables(self) -> dict[str, Any]:
        """Nested tables, every default spelled out."""
        out: dict[str, Any] = {"experiment": {key: plain(_spelled(getattr(self, key))) for key in self.SETTINGS}}
        out |= {key: _spelled(getattr(self, key).table()) for key in PARTS}
        for key in ("sampling", "initial"):
            del out[key]["kind"]
        out |= {key: [_spelled(part.table()) for part in getattr(self, key)] for key in LISTS if getattr(self, key)}
        if self.sweep:
            out["sweep"] = {key: _spelled(values) for key, values in self.sweep.items()}
        return out

    def to_toml(self) -> str:
        """The resolved experiment as a file."""
        return toml.document(self.tables())

    @property
    def id(self) -> str:
        """Twelve hex digits of everything that decides the numbers: experiment, package version, own modules."""
        from remission import __version__

        content = {
            "tables": self.tables(),
            "version": __version__,
            "modules": own_modules(self),
            "inputs": {
                point.name: content_of(point.experiment.source) + given_to(point.experiment.model)
                for point in self.points
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]

    # --- grid points --------------------------------------------------------------------------------------------

    @property
    def points(self) -> list[Point]:
        """The grid points of the sweep, or the experiment itself as the only one."""
        if not self.sweep:
            return [Point("", {}, self)]
        return [
            self.at(dict(zip(self.sweep, values, strict=True))) for values in itertools.product(*self.sweep.values())
        ]

    def at(self, settings: Mapping[str, Any]) -> Point:
        """The grid point with these settings (dotted key -> value), whether or not the sweep holds it.

        Raises:
            SpecError: a key or value that cannot be.
        """
        tables = copy.deepcopy(self.tables())
        tables.pop("sweep", None)
        for key, value in settings.items():
            _set(tables, key, value, "sweep")
        try:
            return Point(_point_name(settings), dict(settings), type(self).from_tables(tables))
        except SpecError as error:
            raise SpecError(f"At sweep point {_point_name(settings)}: {error}") from None

    def world(self) -> World:
        """The parts and numbers of this experiment (not of its sweep), its source opened."""
        return World(
            source=self.source, law=self.source.law(), space=self.source.space, model=self.model, regime=self.regime,
            curators=self.curator, metrics=self.metric, sampling=self.sampling, initial=self.initial,
            generations=self.generations,
            budgets=tuple(round(value_at(self.samples, t)) for t in range(1, self.generations + 1)),
            refill=self.refill, start="previous" if self.start == "warm" else self.start,
        )  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One grid point: its name (part of every random stream's), the swept values, the experiment there."""

    name: str
    settings: dict[str, Any]
    experiment: Experiment


def build(interface: type[Component], table: Any, where: str) -> Any:
    """A component from its table ``{kind, ...}``; interfaces without a folder need no kind."""
    if isinstance(table, interface):
        return table
    table = dict(_table(where, table))
    kind = table.pop("kind", None)
    cls: type[Component] = interface
    if interface.folder:
        if not isinstance(kind, str):
            raise SpecError(f"[{where}] needs a kind. {did_you_mean('', registry.names(interface.folder))}")
        cls = registry.load(interface.folder, kind)
    hints = field_types(cls)
    for key in table:
        if key not in hints:
            owner = f"{where} '{kind}'" if kind else f"[{where}]"
            raise SpecError(f"{owner} has no key '{key}'. {did_you_mean(key, hints)}")
    missing = [
        field.name for field in fields_of(cls)
        if field.name not in table and field.default is field.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if missing:
        raise SpecError(f"{where} '{kind}' needs {', '.join(missing)}. See: remission show {interface.folder} {kind}")
    return cls(**{key: _nested(hints[key], value, f"{where}.{key}") for key, value in table.items()})


def _nested(hint: Any, value: Any, where: str) -> Any:
    """Tables become components wherever the annotation wants some."""
    wanted = component_types(hint)
    if not wanted:
        return value
    if isinstance(value, Mapping):
        return build(wanted[0], value, where)
    if isinstance(value, list) and typing.get_origin(hint) is tuple:
        return tuple(_nested(wanted[0], item, f"{where}.{index}") for index, item in enumerate(value))
    if isinstance(value, str) and wanted[0].folder:
        return build(wanted[0], {"kind": value}, where)
    return value


def _table(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SpecError(f"[{where}] must be a table. Got {value!r}.")
    return value


def _spelled(value: Any) -> Any:
    """Structs as tables, tuples as lists, None left out by the writer."""
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_spelled(item) for item in value]
    return plain(value)


def _apply_line(tables: dict[str, Any], line: str) -> None:
    key, sign, text = line.partition("=")
    if not sign or not key.strip():
        raise SpecError(f"--set needs key=value, as in regime.share=0.2. Got '{line}'.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    _set(tables, key.strip(), value, "--set")


def _set(tables: dict[str, Any], dotted: str, value: Any, where: str) -> None:
    """Set ``tables[a][b]...`` for "a.b"; list items by number ("metric.0.q"); a bare key means [experiment]."""
    keys = dotted.split(".")
    if len(keys) == 1 and keys[0] not in {"experiment", "sweep", *PARTS, *LISTS}:
        keys = ["experiment", keys[0]]
    node: Any = tables
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise SpecError(f"{where}: '{dotted}': '{key}' must be a number below {len(node)}.")
            if last:
                node[int(key)] = value
            else:
                node = node[int(key)]
        elif isinstance(node, dict):
            if last:
                node[key] = {"kind": value} if key in PARTS and isinstance(value, str) else value
            else:
                node = node.setdefault(key, [] if depth == 0 and key in LISTS else {})
        else:
            raise SpecError(f"{where}: '{dotted}': '{keys[depth - 1]}' is a plain value, not a table.")


def _point_name(settings: Mapping[str, Any]) -> str:
    def short(value: Any) -> str:
        if isinstance(value, Mapping):
            rest = ",".join(f"{key}={short(inner)}" for key, inner in value.items() if key != "kind")
            return f"{value.get('kind', '')}({rest})" if rest else str(value.get("kind", "{}"))
        return f"{value:.12g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{key}={short(value)}" for key, value in settings.items())


def _beside(part: Any, folder: Path) -> None:
    """Let relative paths of a source or model mean ones beside the experiment file, if there is nothing here."""
    if isinstance(part, dict):
        for key in ("path", "tokenizer", "model"):
            path = part.get(key)
            if isinstance(path, str) and not Path(path).exists() and (folder / path).exists():
                part[key] = str(folder / path)
        for key in ("base", "model"):
            _beside(part.get(key), folder)
