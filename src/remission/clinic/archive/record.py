"""What is known of a collection and of each item: the fields, and what is refused.

Fields of a collection are those of the Data Provenance Standards 1.0.0 of the Data & Trust Alliance (2024; source, provenance
and use). Links between things have the names of W3C PROV-O (2013).
"""

from __future__ import annotations

import datetime
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remission.errors import DataError, SpecError, did_you_mean, need
from remission.gold import disk

#: Fields of a collection; those that are True must be given.
COLLECTION: dict[str, bool] = {
    "title": True, "uid": False, "location": False, "issuer": True, "description": False, "source_metadata": False,
    "source": False, "data_origin": False, "issued": False, "previous": False, "generation": False, "method": True,
    "format": False, "confidentiality": False, "consent": False, "privacy_enhancing": False, "processing_geography": False,
    "storage_geography": False, "licence": True, "intended_use": False, "proprietary": False,
}  # fmt: skip
ITEM = (
    "collector", "collected", "dated_by", "licence", "rights", "language", "modality", "consent", "attributed_to",
    "generated_by", "derived_from",
)  # fmt: skip
#: How a date is known, the strongest first.
DATED_BY = ("signed-statement", "dated-snapshot", "publisher", "collector", "file-metadata", "unknown")
EVIDENCE: dict[str, tuple[str, ...]] = {
    "dated-snapshot": ("date", "what", "where", "sha256"),
    "signed-statement": ("by", "date", "text", "signature", "where"),
    "reviewer-decision": ("by", "date", "verdict", "method"),
    "detector": ("name", "version", "score", "verdict", "calibration"),
    "watermark": ("name", "version", "p", "verdict", "key"),
}
#: What each kind must say, one of each group at least; else it is evidence of nothing.
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "dated-snapshot": (("date",), ("what", "where", "sha256")),
    "signed-statement": (("by",), ("text", "signature", "where")),
    "reviewer-decision": (("by",), ("verdict",)),
    "detector": (("name",), ("version",), ("score", "verdict")),
    "watermark": (("name",), ("version",), ("p", "verdict")),
}
VERDICTS = {"watermark": ("marked", "unmarked", "machine", "unsure")}  # of all other kinds: who wrote it
_WROTE = ("human", "machine", "unsure")
MODALITIES = ("text", "image", "audio", "video", "other")
LONGEST = 10_000  # characters of a value
#: What a terminal may take for a command; lines and tabs are fine.
_COMMANDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")
_PROV = {"attributed_to": "wasAttributedTo", "generated_by": "wasGeneratedBy", "derived_from": "wasDerivedFrom"}
#: Control characters, half characters, and those that break lines or turn the direction of writing around.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class About:
    """What is said of everything that one command adds.

    Attributes:
        collection: fields of the collection.
        item: fields that all items share.
        columns: field -> name of the column that holds it, item by item.
        evidence: of human origin, of every item; a value ``{from = "COLUMN"}`` is taken from a column.
    """

    collection: dict[str, Any]
    item: dict[str, Any]
    columns: dict[str, str] = field(default_factory=dict)
    evidence: tuple[dict[str, Any], ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that are looked at."""
        inner = [value["from"] for one in self.evidence for value in one.values() if isinstance(value, dict)]
        return tuple(dict.fromkeys([*self.columns.values(), *inner]))


def read_about(path: Path) -> About:
    """Read and check the description of what is to be added (TOML): ``[collection]``, ``[item]``, ``[[evidence]]``.

    Raises:
        SpecError: an unknown or missing field, a licence that is none, a date in the future. DataError: no such file.
    """
    try:
        tables = tomllib.loads(disk.read_given(path).decode("utf-8"))
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"'{path}' is no TOML: {error}.") from None
    return about(tables)


def about(tables: Mapping[str, Any]) -> About:
    """The description in these tables; see :func:`read_about`."""
    _known("", tables, ("collection", "item", "evidence"))
    collection = dict(tables.get("collection", {}))
    _known("collection.", collection, COLLECTION)
    missing = [name for name, needed in COLLECTION.items() if needed and not collection.get(name)]
    if missing:
        raise SpecError(f"[collection] needs {', '.join(missing)}. All its fields: {', '.join(COLLECTION)}.")
    item: dict[str, Any] = {}
    columns: dict[str, str] = {}
    for name, value in dict(tables.get("item", {})).items():
        _known("item.", [name], ITEM)
        if isinstance(value, dict):
            columns[name] = _column(f"item.{name}", value)
        else:
            item[name] = value
    evidence = tuple(_evidence(dict(one)) for one in tables.get("evidence", []))
    for name, value in collection.items():
        for one in value if isinstance(value, list) else [value]:
            checked_words(one, f"collection.{name}")
    made = About(_plain(collection), _plain(item), columns, evidence)
    for name in ("issued", "previous"):
        if name in made.collection:
            checked_date(made.collection[name], f"collection.{name}")
    made.collection["licence"] = licence(made.collection["licence"])
    checked_fields(made.item | {name: "" for name in columns if name != "derived_from"})
    return made


def record(about: About, item: str, collection: str, modality: str, row: Mapping[str, str]) -> dict[str, Any]:
    """The record of an item. ``row`` holds what its columns say. Raises DataError or SpecError with the reason."""
    fields = about.item | {name: row.get(column, "") for name, column in about.columns.items()}
    fields = {"licence": about.collection["licence"], "modality": modality, "dated_by": "unknown"} | fields
    if isinstance(fields.get("derived_from"), str):
        fields["derived_from"] = [one.strip() for one in fields["derived_from"].split(",") if one.strip()]
    fields = checked_fields({name: value for name, value in fields.items() if value not in ("", [])})
    if "collected" in fields and fields["dated_by"] == "unknown" and "dated_by" not in about.columns:
        raise SpecError(f"'collected' needs 'dated_by': how the date is known. {did_you_mean('', DATED_BY)}")
    prov = {_PROV[name]: fields.pop(name) for name in tuple(_PROV) if name in fields}
    prov["wasDerivedFrom"] = [*prov.get("wasDerivedFrom", []), collection]
    evidence = [found for one in about.evidence if (found := _filled(one, row))]
    return fields | {"id": item, "collection": collection, "evidence": evidence, "prov": prov}


def checked_id(item: str) -> str:
    """The name of an item. Raises DataError for one that is empty, too long, or dangerous as the name of a file."""
    if not item or len(item) > 500:
        raise DataError(f"an id has 1 to 500 characters, this one {len(item)}")
    if _CONTROL.search(item):
        raise DataError(f"an id may hold no control characters: {item!r}"[:200])
    parts = item.replace("\\", "/").split("/")
    if item.startswith(("/", "\\", "~")) or ".." in parts or re.match("[A-Za-z]:[/\\\\]", item):
        raise DataError(f"the id '{item[:100]}' would lead out of a folder (path traversal)")
    return item


def checked_words(value: Any, name: str) -> Any:
    """A value that people will read on a terminal. Raises SpecError for control characters, but for tabs and ends of lines."""
    if isinstance(value, str) and _COMMANDS.search(value):
        raise SpecError(f"'{name}' may hold no control characters: {value[:60]!r}.")
    return value


def checked_date(text: Any, name: str) -> str:
    """An ISO 8601 date (2021, 2021-03, 2021-03-04, or with a time), not in the future."""
    given = str(text)
    match = re.fullmatch(
        r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)?", given, re.ASCII
    )
    try:
        first = datetime.date(*(int(part or 1) for part in match.groups())) if match else None
        if match and len(given) > 10:
            datetime.datetime.fromisoformat(given)
    except ValueError:
        first = None
    if first is None:
        raise SpecError(f"'{name}' is no date as in 2021-03-04 (ISO 8601). Got '{given[:60]}'.")
    if first > today():
        raise SpecError(f"'{name}' lies in the future: {given}. Nothing can have been collected then.")
    return given


def licence(text: Any) -> str:
    """An SPDX licence expression in its usual spelling; ``LicenseRef-...`` for what is not on the list."""
    need("archive", "Checking licences", "packaging")
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(str(text)))
    except InvalidLicenseExpression:
        raise SpecError(
            f"'{text}' is no licence on the SPDX list, as CC-BY-4.0, CC0-1.0 or MIT OR Apache-2.0. What is not on the list is "
            "named LicenseRef-SOMETHING, with the terms in 'rights'."
        ) from None


def today() -> datetime.date:
    """The date, everywhere on Earth: somewhere it may be tomorrow already."""
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=14)).date()


def checked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of an item with dates and licences as they are usually spelled. Raises SpecError."""
    for name, value in fields.items():
        if name == "derived_from":
            if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
                raise SpecError(f"'derived_from' is a list of ids of parents. Got {value!r}.")
        elif not isinstance(value, str) or len(value) > LONGEST:
            raise SpecError(f"'{name}' is a text of at most {LONGEST:,} characters. Got {str(value)[:60]!r}.")
        for one in value if isinstance(value, list) else [value]:
            checked_words(one, name)
    found = dict(fields)
    if found.get("collected"):
        found["collected"] = checked_date(found["collected"], "collected")
    if found.get("licence"):
        found["licence"] = licence(found["licence"])
    for name, allowed in (("dated_by", DATED_BY), ("modality", MODALITIES)):
        if found.get(name) and found[name] not in allowed:
            raise SpecError(f"'{name}' cannot be '{str(found[name])[:60]}'. {did_you_mean(found[name], allowed)}")
    return found


def _evidence(one: dict[str, Any]) -> dict[str, Any]:
    kind = one.get("kind", "")
    if kind not in EVIDENCE:
        raise SpecError(f"[[evidence]] has a kind. {did_you_mean(str(kind), EVIDENCE)}")
    _known(f"evidence ({kind}).", [name for name in one if name != "kind"], EVIDENCE[kind])
    _needs(one)
    found = dict(_plain(one))
    for name, value in found.items():
        if isinstance(value, dict):
            _column(f"evidence.{name}", value)
        elif name == "date":
            checked_date(value, "evidence.date")
        else:
            found[name] = _told(kind, name, value)
    return found


def _needs(one: Mapping[str, Any]) -> None:
    kind = one["kind"]
    if all(any(one.get(name) not in (None, "") for name in group) for group in NEEDS[kind]):
        return
    always = " and ".join(f"'{group[0]}'" for group in NEEDS[kind] if len(group) == 1)
    some = "".join(", and " + " or ".join(f"'{name}'" for name in group) for group in NEEDS[kind] if len(group) > 1)
    said = ", ".join(name for name in one if name != "kind") or "nothing"
    raise SpecError(f"Evidence of the kind {kind} needs {always}{some}; else it says nothing. Got {said}.")


def _told(kind: str, name: str, value: Any) -> Any:
    """A value of evidence: a number where one is meant, a word or a hash that can be, else a text or a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or len(str(value)) > LONGEST:
        raise SpecError(
            f"'evidence.{name}' is a text of at most {LONGEST:,} characters, or a number. Got {str(value)[:60]!r}."
        )
    if name == "verdict":
        allowed, word = VERDICTS.get(kind, _WROTE), str(value).strip().lower()
        if word not in allowed:
            raise SpecError(f"There is no verdict '{str(value)[:60]}' of a {kind}. {did_you_mean(word, allowed)}")
        return word
    if name == "sha256" and not re.fullmatch("[0-9a-fA-F]{64}", str(value)):
        raise SpecError(f"'evidence.sha256' is a hash of 64 hexadecimal digits. Got '{str(value)[:70]}'.")
    number = name in ("score", "p") or not isinstance(value, str)
    return _number(name, value) if number and type(value) is not int else checked_words(value, f"evidence.{name}")


def checked_evidence(one: dict[str, Any]) -> dict[str, Any]:
    """A piece of evidence without references to columns. Raises SpecError, or DataError for a score that is no number."""
    for name, value in one.items():
        if isinstance(value, dict):
            raise SpecError(f"'evidence.{name}' is a text or a number. Got {str(value)[:60]!r}.")
    return _evidence(one)


def _filled(one: dict[str, Any], row: Mapping[str, str]) -> dict[str, Any]:
    """Evidence of a row; empty where none of its columns says anything in this row."""
    columns = [value["from"] for value in one.values() if isinstance(value, dict)]
    if columns and not any(row.get(column, "") for column in columns):
        return {}
    found: dict[str, Any] = {}
    for name, value in one.items():
        text: Any = row.get(value["from"], "") if isinstance(value, dict) else value
        if text != "":
            text = _told(one["kind"], name, text)
        if name == "date" and text:
            text = checked_date(text, "evidence.date")
        if text != "":
            found[name] = text
    _needs(found)
    return found


def _number(name: str, text: Any) -> float:
    value = number_of(text)
    if not math.isfinite(value):
        raise DataError(f"the {name} of evidence is no number: '{str(text)[:60]}'")
    if name == "p" and not 0 <= value <= 1:
        raise DataError(f"the p of evidence is a probability, 0 to 1: '{str(text)[:60]}'")
    return value


def number_of(given: Any) -> float:
    """A number as people write it, with digits 0 to 9 only; NaN for what is none, such as ``True`` or ``1_000``.

    >>> number_of("1e-3"), number_of(2), number_of("1_0"), number_of(True)
    (0.001, 2.0, nan, nan)
    """
    text = given.strip() if isinstance(given, str) else ""
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        return math.nan
    if isinstance(given, str) and not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return math.nan
    try:
        return float(given)
    except OverflowError:
        return math.inf


def _column(name: str, value: dict[str, Any]) -> str:
    if set(value) != {"from"} or not isinstance(value["from"], str) or not value["from"]:
        raise SpecError(f"'{name}' is a value, or {{ from = \"COLUMN\" }}. Got {value}.")
    return str(value["from"])


def _known(where: str, names: Any, allowed: Any) -> None:
    for name in names:
        if name not in allowed:
            raise SpecError(f"There is no '{where}{name}'. {did_you_mean(name, allowed)}")


def _plain(value: Any) -> Any:
    """Dates of TOML as text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value
