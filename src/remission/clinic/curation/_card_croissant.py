"""Croissant 1.0 (MLCommons, 2024) with the RAI 1.0 vocabulary, for a curated training set."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from remission.clinic.archive._formats import _CONTEXT
from remission.clinic.curation import _card_words as words
from remission.clinic.curation._card_files import (
    BESIDE,
    CARD,
    COLUMNS,
    FOLDERS,
    LIST,
    Group,
    Hashed,
    digest,
    found,
    listed,
)
from remission.errors import DataError
from remission.estimate import Estimate

if TYPE_CHECKING:
    from remission.clinic.curation.card import CardFacts

HASHES = "sha256 of the hashes of all files of documents"
EACH = 20  # files, up to which each is named
PARQUET = "application/x-parquet"
_CONFORMS = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]


def document(facts: CardFacts, groups: Mapping[str, Group], digest: str) -> dict[str, Any]:
    """The whole document as plain values; ``digest``: of the hashes of all files of documents."""
    return {
        "@context": _CONTEXT, "@type": "sc:Dataset", "conformsTo": _CONFORMS, "name": facts.name,
        "description": " ".join([words.description(facts), *facts.outlook]), "version": facts.version, "datePublished": facts.created[:10],
        "url": facts.url or f"urn:sha256:{facts.census or digest}",
        "citeAs": facts.citation or f"{', '.join(facts.creators) or facts.name}, {facts.created[:4]}: {facts.name} {facts.version}",
        **({"license": [_licence(one) for one in facts.licences]} if facts.licences else {}),
        **({"creator": [{"@type": "sc:Organization", "name": one} for one in facts.creators]} if facts.creators else {}),
        **({"inLanguage": list(facts.languages)} if facts.languages else {}),
        **_responsible(facts),
        "variableMeasured": [*_measured(facts), _vouched(digest)],
        "distribution": [one for group in groups.values() for one in _distribution(group)],
        "recordSet": [_records(facts, group) for group in groups.values()],
    }  # fmt: skip


def _licence(name: str) -> str:
    """The address of a licence of the SPDX list; expressions and LicenseRefs as they are."""
    return name if " " in name or name.startswith("LicenseRef") else f"https://spdx.org/licenses/{name}.html"


def _responsible(facts: CardFacts) -> dict[str, Any]:
    """Fields of the RAI vocabulary."""
    tools = f"{facts.detector}{f' (sha256 {facts.detector_hash})' if facts.detector_hash else ''}"
    return {
        "rai:dataCollection": facts.collection or words.COLLECTION,
        "rai:dataPreprocessingProtocol": words.protocol(facts),
        **({"rai:machineAnnotationTools": [tools]} if facts.detector else {}),
        "rai:dataBiases": words.biases(facts), "rai:dataLimitations": words.limitations(facts),
        "rai:dataReleaseMaintenancePlan": facts.maintenance or words.MAINTENANCE,
    }  # fmt: skip


def _measured(facts: CardFacts) -> Iterator[dict[str, Any]]:
    """Numbers that a program can read: schema.org PropertyValues of what was measured of the data set."""
    yield _share("residual synthetic share", facts.residual)
    yield _share("synthetic share before curation", facts.before)
    for stratum, share in facts.strata.items():
        yield _share(f"residual synthetic share, {stratum}", share)
    if any(facts.unjudged.values()):
        for name, every in (("before", facts.before_of_all), ("after", facts.residual_of_all)):
            if every is not None:
                yield _share(f"synthetic share {name} curation, with documents not judged", every)
        for name, count in facts.unjudged.items():
            yield {"@type": "sc:PropertyValue", "name": f"documents {name}, not judged", "value": count}
    for name, count in facts.counts.items():
        yield {"@type": "sc:PropertyValue", "name": f"documents {name}", "value": count}
    for reason, count in facts.reasons.items():
        yield {"@type": "sc:PropertyValue", "name": f"documents dropped: {reason}", "value": count}
    for name, value in facts.thresholds.items():
        yield {"@type": "sc:PropertyValue", "name": f"threshold, {name}", "value": value}
    for name, value in (("detector sha256", facts.detector_hash), ("census seal", facts.census)):
        if value:
            yield {"@type": "sc:PropertyValue", "name": name, "value": value}


def _vouched(digest: str) -> dict[str, Any]:
    how = f"grep -E '  ({'|'.join(FOLDERS)})/' {LIST} | sha256sum"
    return {"@type": "sc:PropertyValue", "name": HASHES, "value": digest, "measurementTechnique": how}


def _share(name: str, share: Estimate) -> dict[str, Any]:
    value = {} if math.isnan(share.value) else {"value": share.value}
    told = f"{share.method}, interval at {100 * share.level:g} %"
    return {
        "@type": "sc:PropertyValue",
        "name": name,
        **value,
        "minValue": share.low,
        "maxValue": share.high,
        "measurementTechnique": told,
    }


def _file(one: Hashed, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": quote(one.name), "name": one.name, "contentUrl": one.name, "encodingFormat": kind,
        "contentSize": f"{one.size} B", "sha256": one.sha256,
    }  # fmt: skip


def _distribution(group: Group) -> Iterator[dict[str, Any]]:
    if len(group.files) <= EACH:
        yield from (_file(one, PARQUET) for one in group.files)
    if len(group.files) > 1:
        yield {
            "@type": "cr:FileSet", "@id": f"{group.name}-files", "name": f"{group.name}-files",
            "description": f"{len(group.files)} files; their hashes are in {LIST}.",
            "includes": f"{group.name}/*.parquet", "encodingFormat": PARQUET,
        }  # fmt: skip


def _records(facts: CardFacts, group: Group) -> dict[str, Any]:
    one = (
        {"fileObject": {"@id": quote(group.files[0].name)}}
        if len(group.files) == 1
        else {"fileSet": {"@id": f"{group.name}-files"}}
    )
    described = COLUMNS | dict(facts.columns)
    fields = [
        {
            "@type": "cr:Field", "@id": f"{group.name}/{quote(name, safe='')}", "name": name,
            **({"description": described[name]} if described.get(name) else {}), "dataType": kind,
            **({"repeated": True} if name in group.lists else {}),
            "source": {**one, "extract": {"column": name}},
        }
        for name, kind in group.columns.items() if kind
    ]  # fmt: skip
    others = [name for name, kind in group.columns.items() if not kind]
    told = f"{group.rows} documents that were {group.name}."
    if others:
        told += f" Not described, for Croissant has no plain type for them: {', '.join(others)}."
    key = {"key": {"@id": f"{group.name}/id"}} if group.columns.get("id") else {}
    return {"@type": "cr:RecordSet", "@id": group.name, "name": group.name, "description": told, **key, "field": fields}


def read(folder: Path) -> dict[str, Any]:
    """The document of a folder. Raises DataError."""
    path = folder / "croissant.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' is no card that can be read ({error}).") from None
    if (
        not isinstance(card, dict)
        or not isinstance(card.get("distribution"), list)
        or not isinstance(card.get("recordSet"), list)
    ):
        raise DataError(f"'{path}' is no Croissant card: it has no distribution or no recordSet.")
    return card


def faults(folder: Path) -> list[str]:
    """See :func:`remission.clinic.curation.card.check_card`."""
    card = read(folder)
    said = {str(one.get("contentUrl")): one for one in card["distribution"] if one.get("@type") == "cr:FileObject"}
    told = [line for name, one in said.items() for line in _differs(folder, name, one)]
    names = listed(folder)
    here = {
        path.relative_to(folder).as_posix(): path
        for name in FOLDERS
        for path in sorted((folder / name).glob("*.parquet"))
    } | {name: folder / name for name in (*CARD, *BESIDE) if (folder / name).is_file()}
    told += [f"{name} is not in {LIST}." for name in here if name not in names]
    for name, sha256 in names.items():
        if name in said and said[name].get("sha256") != sha256:
            told.append(f"{name} has one hash in croissant.json and another in {LIST}.")
        elif name not in said:
            told += _differs(folder, name, {"sha256": sha256}, LIST)
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in names.items() if name.split("/")[0] in FOLDERS)
    vouched = [one.get("value") for one in card.get("variableMeasured", []) if one.get("name") == HASHES]
    if vouched != [digest(lines)]:
        told.append(f"{LIST} was changed: its hashes are not those that croissant.json vouches for.")
    if told:
        return told  # columns can be read only of files that are what they were
    groups = found(folder)
    for records in card["recordSet"]:
        group = groups.get(str(records.get("name")))
        columns = {str(one["source"]["extract"]["column"]) for one in records.get("field", [])}
        if group is None:
            told.append(f"There are no files of the records '{records.get('name')}'.")
        else:
            told += [f"{group.name} has no column '{name}'." for name in sorted(columns - set(group.columns))]
    return told


def _differs(folder: Path, name: str, one: Mapping[str, Any], told: str = "croissant.json") -> Iterator[str]:
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        yield f"'{name}' leads out of the folder."
    elif not path.is_file():
        yield f"{name} is missing."
    else:
        now = Hashed.of(folder, path)
        if now.sha256 != one.get("sha256"):
            yield f"{name} was changed: it has another hash than in {told}."
        elif f"{now.size} B" != one.get("contentSize", f"{now.size} B"):
            yield f"{name} has {now.size} bytes, and {told} says {one.get('contentSize')}."
