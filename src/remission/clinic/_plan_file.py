"""What a plan is asked: a strict TOML file."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from remission.errors import DataError, SpecError, did_you_mean
from remission.lab.line import Line, parse_line
from remission.numerics.proportions import clopper_pearson
from remission.spec import Experiment

_TABLES = ("plan", "corpus", "filter", "price")
_DEFAULT_MODEL = {"symbols": "unigram", "vector": "gmm", "image": "gmm", "tokens": "ngram"}


@dataclass(frozen=True)
class Ranged:
    """A number that is known up to a range; the range is the number itself when it is known."""

    value: float
    low: float
    high: float

    def table(self) -> dict[str, float]:
        """As plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Filter:
    """Error rates of what stands between the corpus and the training set.

    Attributes:
        name: for people.
        tpr: share of synthetic items that are dropped; fpr: share of human items that are dropped.
    """

    name: str
    tpr: Ranged
    fpr: Ranged


@dataclass(frozen=True)
class Price:
    """What things cost, in one unit of money.

    Attributes:
        fresh: of one fresh human item.
        call: of one call of the detector (a judged item of the corpus).
        budget: at most per generation; None without a limit.
    """

    fresh: float = 1.0
    call: float = 0.0
    budget: float | None = None


@dataclass(frozen=True)
class Question:
    """A whole plan file.

    Attributes:
        experiment: the world: source, model, sampling, metrics, generations and the items of a training set; its regime is the
            planner's business.
        lines: what is to be kept.
        confidence: the share of runs that must keep all lines, or ``mean``: the expectation keeps each of them.
        at: in every generation (``worst``), or in the ``last``.
        corpus: share of synthetic items in the corpus; filters: what could stand before it.
    """

    experiment: Experiment
    lines: tuple[Line, ...]
    confidence: float | Literal["mean"]
    at: Literal["worst", "last"]
    corpus: Ranged
    filters: tuple[Filter, ...]
    price: Price
    title: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def items(self) -> int:
        """n, items of a training set."""
        return self.experiment.world().budget(1)


def read_question(path: Path, changes: tuple[str, ...] = ()) -> Question:
    """Read a plan file. Raises SpecError, DataError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"There is no plan file '{path}'.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise SpecError(f"'{path}' is not a plan file (TOML): {error}.") from None
    plan = {name: tables.pop(name, {}) for name in _TABLES if name != "filter"}
    plan["filter"] = tables.pop("filter", [])
    for name, value in plan.items():
        if not isinstance(value, dict) and not (name == "filter" and isinstance(value, list)):
            raise SpecError(f"{path}: [{name}] must be a table.")
    for change in changes:
        _change(plan, tables, change)
    try:
        return _question(plan, tables, path.resolve().parent)
    except (SpecError, DataError) as error:
        raise type(error)(f"{path}: {error}") from None


def _change(plan: dict[str, Any], tables: dict[str, Any], line: str) -> None:
    key, sign, text = line.partition("=")
    head, *path = key.strip().split(".")
    if not sign:
        raise SpecError(f"--set needs key=value, as in corpus.synthetic=0.4. Got '{line}'.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    node: Any = plan if head in plan else tables
    for part in (head, *path[:-1]):
        if isinstance(node, list):
            node = node[int(part)] if part.isdigit() and int(part) < len(node) else None
        else:
            node = node.setdefault(part, {}) if isinstance(node, dict) else None
    if not path or not isinstance(node, dict):
        raise SpecError(
            f"--set: '{key.strip()}' names no value of the plan. Try plan.items, corpus.synthetic, filter.0.tpr, price.fresh."
        )
    node[path[-1]] = value


def _question(plan: dict[str, Any], tables: dict[str, Any], folder: Path) -> Question:
    asked = _known(
        "plan", plan["plan"], ("title", "generations", "items", "keep", "confidence", "at", "seed", "replicates")
    )
    corpus = _known("corpus", plan["corpus"], ("synthetic", "census", "stratum"))
    price = _known("price", plan["price"], ("fresh", "call", "budget"))
    if "source" not in tables:
        raise SpecError(
            "The plan has no [source]: what human data is like. Your own file: [source] kind = 'surrogate', base = "
            "{ kind = 'file', path = '...' }."
        )
    keep = asked.get("keep", [])
    texts = [keep] if isinstance(keep, str) else keep
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SpecError(f"[plan] 'keep' is a list of lines, as in ['moments.ratio >= 0.5']. Got {keep!r}.")
    lines = tuple(parse_line(text) for text in texts)
    if not lines:
        raise SpecError("[plan] needs 'keep': the lines to keep, as in keep = ['moments.ratio >= 0.5'].")
    _consistent(lines)
    experiment = _experiment(asked, tables, folder)
    confidence = asked.get("confidence", 0.95)
    if confidence != "mean" and not (isinstance(confidence, float) and 0 < confidence < 1):
        raise SpecError(
            f"[plan] 'confidence' is the share of runs that must keep the lines (0 to 1), or 'mean'. Got {confidence!r}."
        )
    at = asked.get("at", "last" if confidence == "mean" else "worst")
    if confidence == "mean" and at != "last":
        raise SpecError(
            "[plan] confidence = 'mean' is about the expectation in the last generation: set at = 'last', or leave it out."
        )
    if at not in ("worst", "last"):
        raise SpecError(f"[plan] 'at' is 'worst' (in every generation) or 'last'. Got {at!r}.")
    filters = plan["filter"] if isinstance(plan["filter"], list) else [plan["filter"]]
    found, notes = _corpus(corpus, folder)
    return Question(
        experiment, lines, confidence, at, found, tuple(_filter(one, number, folder) for number, one in enumerate(filters)),
        _price(price), str(asked.get("title", "")), notes,
    )  # fmt: skip


def _experiment(asked: Mapping[str, Any], tables: dict[str, Any], folder: Path) -> Experiment:
    """The world of the plan; a model that suits the items when none is named."""
    for key in ("experiment", "regime", "curator", "sweep"):
        if key in tables:
            raise SpecError(f"A plan makes its own [{key}]. Put generations, items, seed and replicates into [plan].")
    settings = {
        "generations": asked.get("generations", 10), "samples": asked.get("items", 1000), "seed": asked.get("seed", 0),
        "replicates": asked.get("replicates", 100), "examples": 0,
    }  # fmt: skip
    tables = {"experiment": settings, "regime": {"kind": "web", "synthetic": 0.5}, **tables}
    if "model" not in tables:
        draft = Experiment.from_toml(_spelled({**tables, "model": {"kind": "gaussian"}}), folder=folder)
        kind = draft.source.space.kind
        if kind not in _DEFAULT_MODEL:
            raise SpecError(f"The plan has no [model], and none is usual for {kind} items. Name one.")
        tables["model"] = {"kind": _DEFAULT_MODEL[kind]}
    return Experiment.from_toml(_spelled(tables), folder=folder)


def _spelled(tables: dict[str, Any]) -> str:
    from remission import toml

    return toml.document(tables)


def _known(name: str, table: Mapping[str, Any], keys: tuple[str, ...]) -> Mapping[str, Any]:
    for key in table:
        if key not in keys:
            raise SpecError(f"[{name}] has no key '{key}'. {did_you_mean(key, keys)}")
    return table


def _consistent(lines: tuple[Line, ...]) -> None:
    """No two lines of one row exclude each other."""
    for line in lines:
        for other in lines:
            if line.row == other.row and line.above and not other.above and line.value > other.value:
                raise SpecError(f"The lines '{line}' and '{other}' exclude each other. Keep one.")


def ranged(name: str, value: Any) -> Ranged:
    """A share: a number, [low, high], or a table with value, low and high. Raises SpecError."""
    parts = value if isinstance(value, list) else [*value.values()] if isinstance(value, dict) else [value]
    numbers = all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in parts)
    if numbers and not isinstance(value, (list, dict)):
        found = Ranged(float(value), float(value), float(value))
    elif numbers and isinstance(value, list) and len(value) == 2:
        low, high = (float(end) for end in value)
        found = Ranged((low + high) / 2, low, high)
    elif numbers and isinstance(value, dict) and {"value", "low", "high"} == set(value):
        found = Ranged(float(value["value"]), float(value["low"]), float(value["high"]))
    else:
        raise SpecError(f"'{name}' is a share, a range [low, high], or {{ value, low, high }}. Got {value!r}.")
    if not 0 <= found.low <= found.value <= found.high <= 1:
        raise SpecError(f"'{name}' must lie between 0 and 1, low <= value <= high. Got {value!r}.")
    return found


def _corpus(table: Mapping[str, Any], folder: Path) -> tuple[Ranged, tuple[str, ...]]:
    """The synthetic share, given or out of a census."""
    if ("synthetic" in table) == ("census" in table):
        raise SpecError(
            "[corpus] needs either 'synthetic', a share with or without a range, or 'census', the JSON file of one."
        )
    if "synthetic" in table:
        return ranged("synthetic", table["synthetic"]), ()
    path, wanted = folder / str(table["census"]), str(table.get("stratum", "all"))
    strata = _json(path).get("strata")
    if not isinstance(strata, list):
        raise DataError(
            f"'{path}' holds no strata. Give what `remission prevalence --json` or `census --json` printed."
        )
    names = [str(row.get("stratum")) for row in strata]
    row = next((row for row in strata if str(row.get("stratum")) == wanted), None)
    if row is None:
        raise DataError(f"'{path}' has no stratum '{wanted}'. {did_you_mean(wanted, names)}")
    low, high = row.get("low"), row.get("high")
    if low is None or high is None:
        raise DataError(
            f"The census says nothing of the stratum '{wanted}' ({row.get('reason', 'refused')}). Choose another."
        )
    if row.get("value") is None:
        note = f"The census gives only bounds for '{wanted}'; the plan is made for the higher one, {high:.3g}."
        return Ranged(float(high), float(low), float(high)), (note,)
    return Ranged(float(row["value"]), float(low), float(high)), ()


def _filter(table: Any, number: int, folder: Path) -> Filter:
    if not isinstance(table, dict):
        raise SpecError("Filters are tables: [[filter]] tpr = 0.9, fpr = 0.01.")
    _known("filter", table, ("name", "tpr", "fpr", "rates"))
    name = str(table.get("name", f"filter {number + 1}"))
    if "rates" not in table:
        if "tpr" not in table or "fpr" not in table:
            raise SpecError(
                f"[[filter]] '{name}' needs 'tpr' and 'fpr', or 'rates', the JSON of `remission detect evaluate`."
            )
        return Filter(name, ranged("tpr", table["tpr"]), ranged("fpr", table["fpr"]))
    found = _json(folder / str(table["rates"]))
    whole = next((row for row in found.get("tpr") or [] if row.get("by") == "all"), None)
    strata = found.get("fpr") or []
    if whole is None or whole.get("tpr", {}).get("value") is None or not strata:
        raise DataError(
            f"'{table['rates']}' has no detection rate over all synthetic items, or no rate of false positives. Give what `remission "
            f"detect evaluate --json` printed for humans and synthetic items, or tpr and fpr yourself."
        )
    rate, n = whole["tpr"], sum(row["n"] for row in strata)
    pooled = sum(row["n"] * row["value"] for row in strata) / n  # the humans of all strata together
    low, high = clopper_pearson(pooled * n, n)
    return Filter(name, Ranged(rate["value"], rate["low"], rate["high"]), Ranged(pooled, low, high))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise DataError(f"'{path}' is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise DataError(f"'{path}' is not a result of remission: one JSON document was expected.")
    return found


def _price(table: Mapping[str, Any]) -> Price:
    for key, value in table.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise SpecError(f"[price] '{key}' must be a number of at least 0. Got {value!r}.")
    return Price(**{key: float(value) for key, value in table.items()})
