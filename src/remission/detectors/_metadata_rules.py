"""From metadata to a declaration: made by a model, by a camera or a hand, or nothing said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from remission.detectors import _metadata_c2pa as credentials
from remission.detectors._metadata import Carried, carried
from remission.detectors._metadata_tags import exif_tags, iptc_records, xmp_properties

Kind = Literal["synthetic", "composite", "human", "unknown"]
_SHOWN = 200  # characters of a value

# https://cv.iptc.org/newscodes/digitalsourcetype/ and the two of C2PA
SOURCE_TYPES: dict[str, Kind] = {
    "trainedAlgorithmicMedia": "synthetic",
    "trainedAlgorithmicData": "synthetic",
    "algorithmicMedia": "synthetic",
    "compositeSynthetic": "composite",
    "compositeWithTrainedAlgorithmicMedia": "composite",
    "digitalCapture": "human",
    "computationalCapture": "human",
    "compositeCapture": "human",
    "negativeFilm": "human",
    "positiveFilm": "human",
    "print": "human",
    "humanEdits": "human",
    "minorHumanEdits": "human",
    "algorithmicallyEnhanced": "human",
    "digitalCreation": "human",
    "digitalArt": "human",
}
# names under which generators sign; none of them is a word of its own in English
_GENERATORS = re.compile(
    r"(?<![\w-])(midjourney|dall[-\u00b7\u2022]e(?:[ -]?[23])?|dalle[23]|stable[ -]?diffusion|sdxl|comfyui|invokeai|novelai|fooocus|"
    r"automatic1111|adobe firefly|firefly image|leonardo\.ai|ideogram(?:\.ai|ai)|google imagen|made with google ai|"
    r"gpt-image|gpt-4o image|openai|chatgpt|bing image creator|black forest labs|recraft(?:\.ai| ai)|playgroundai|"
    r"dreamstudio|craiyon|nightcafe|(?<!not )(?<!non-)(?<!non )ai[- ]generated(?: image)?)(?![\w-])",
    re.IGNORECASE,
)
_STEPS = re.compile(r"\bSteps: \d+\b")  # of the web interface of AUTOMATIC1111, which many others write, too
_SETTINGS = re.compile(r"\b(?:Sampler|Seed|CFG scale|Model hash): ")
_JOB = re.compile(r"\bJob ID: [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")  # Midjourney
_OWN_CHUNKS = ("invokeai_metadata", "invokeai_graph", "sd-metadata", "fooocus_scheme", "generation_data", "dream")
_SIGNED = (
    "Software",
    "Make",
    "Model",
    "Artist",
    "Program",
    "Credit",
    "Source",
    "CreatorTool",
    "AISystemUsed",
    "By-line",
)
_CAMERA = ("ExposureTime", "FNumber", "ISO", "FocalLength", "DateTimeOriginal", "LensModel")


@dataclass(frozen=True)
class Evidence:
    """One thing that a file says of its origin.

    Attributes:
        kind: what it declares; ``unknown``: metadata that declares nothing.
        source: where it stands: ``png``, ``comment``, ``exif``, ``xmp``, ``iptc`` or ``c2pa``.
        field: the keyword, tag or property.
        value: what is written there, its beginning.
    """

    kind: Kind
    source: str
    field: str
    value: str


@dataclass(frozen=True)
class Provenance:
    """What a file declares of its origin. Metadata can be forged and is lost easily: no declaration is no verdict.

    Attributes:
        kind: ``synthetic``, ``composite`` (in part), ``human`` (a camera, a scan, a hand), or ``unknown``. The strongest
            declaration counts, in this order.
        evidence: all that was found.
        validated: whether the library c2pa found signature and hashes of the content credentials in order; None: there are
            none, or the extra ``c2pa`` is not installed. Credentials that do not fit the file declare nothing.
        format: ``png``, ``jpeg``, ``webp`` or empty for anything else, which is not read.
        metadata: the file carries metadata of any kind.
        faults: what is wrong with the file, in words.
    """

    kind: Kind
    evidence: tuple[Evidence, ...]
    validated: bool | None
    format: str
    metadata: bool
    faults: tuple[str, ...]


def provenance_of(path: Path | str) -> Provenance:
    """What a file declares. Raises DataError when it cannot be opened."""
    found = carried(path)
    evidence = [*_of_texts(found), *_of_exif(found), *_of_xmp(found), *_of_iptc(found)]
    validated = None
    if found.c2pa:
        validated, said = credentials.validated(path)
        of_it = list(_of_credentials(found))
        if validated is False:
            of_it = [Evidence("unknown", "c2pa", one.field, one.value) for one in of_it]
            found.faults.append(f"the content credentials do not fit the file ({said})")
        evidence += of_it
    kinds = {one.kind for one in evidence}
    order: tuple[Kind, ...] = ("synthetic", "composite", "human")
    kind: Kind = next((one for one in order if one in kinds), "unknown")
    return Provenance(kind, tuple(evidence), validated, found.format, found.any, tuple(found.faults))


def _of_texts(found: Carried) -> Iterator[Evidence]:
    for keyword, text in found.texts:
        source = "comment" if keyword == "comment" else "png"
        kind: Kind = "synthetic" if _is_of_a_generator(keyword, text) else "unknown"
        yield Evidence(kind, source, keyword[:_SHOWN], text[:_SHOWN])


def _is_of_a_generator(keyword: str, text: str) -> bool:
    name = keyword.lower()
    if name in _OWN_CHUNKS or _written_by_one(text):
        return True
    if name in ("prompt", "workflow"):
        return _is_graph(text)
    if keyword == "Comment" and text.lstrip().startswith("{"):  # NovelAI
        return {"prompt", "steps"} <= _keys(text)
    return keyword in ("Software", "Source", "Title", "Author") and bool(_GENERATORS.search(text))


def _written_by_one(text: str) -> bool:
    """Settings of Stable Diffusion, or a job of Midjourney."""
    return bool((_STEPS.search(text) and _SETTINGS.search(text)) or _JOB.search(text))


def _is_graph(text: str) -> bool:
    """A graph of ComfyUI: nodes with a class, or a drawing of them."""
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(graph, dict):
        return False
    return "nodes" in graph or any(isinstance(node, dict) and "class_type" in node for node in graph.values())


def _keys(text: str) -> set[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    return set(found) if isinstance(found, dict) else set()


def _of_exif(found: Carried) -> Iterator[Evidence]:
    for block in found.exif:
        tags = exif_tags(block)
        made = False
        for name, text in tags.items():
            kind: Kind = "synthetic" if _says_generator(name, text) else "unknown"
            made |= kind == "synthetic"
            if kind == "synthetic" or name in ("Software", "Make", "Model", "UserComment", "ImageDescription"):
                yield Evidence(kind, "exif", name, text[:_SHOWN])
        settings = [name for name in _CAMERA if name in tags]
        if not made and "Make" in tags and "Model" in tags and len(settings) >= 2:
            yield Evidence("human", "exif", "camera", f"{tags['Make']} {tags['Model']}, {', '.join(settings)}"[:_SHOWN])


def _says_generator(name: str, text: str) -> bool:
    """Also ComfyUI in WebP, which writes ``prompt:{...}`` and ``workflow:{...}`` into tags such as Make."""
    before, colon, rest = text.partition(":")
    if colon and before.lower() in ("prompt", "workflow") and _is_graph(rest):
        return True
    return _written_by_one(text) or (name in _SIGNED and bool(_GENERATORS.search(text)))


def _of_xmp(found: Carried) -> Iterator[Evidence]:
    for packet in found.xmp:
        for name, text in xmp_properties(packet):
            if name.startswith("DigitalSource"):
                yield Evidence(_of_type(text), "xmp", "DigitalSourceType", text[:_SHOWN])
            else:
                # AISystemUsed (IPTC 2025.1) is there only when a model made the picture
                kind: Kind = "synthetic" if name == "AISystemUsed" or _says_generator(name, text) else "unknown"
                yield Evidence(kind, "xmp", name, text[:_SHOWN])
        if _JOB.search(packet):
            yield Evidence("synthetic", "xmp", "description", _JOB.findall(packet)[0])


def _of_iptc(found: Carried) -> Iterator[Evidence]:
    for block in found.iptc:
        for name, text in iptc_records(block):
            kind: Kind = "synthetic" if _says_generator(name, text) else "unknown"
            yield Evidence(kind, "iptc", name, text[:_SHOWN])


def _of_credentials(found: Carried) -> Iterator[Evidence]:
    for data in found.c2pa:
        try:
            types, made_by = credentials.source_types(data), credentials.generators(data)
        except credentials.Malformed as error:
            found.faults.append(f"content credentials that cannot be read: {error}")
            continue
        for text in types:
            yield Evidence(_of_type(text), "c2pa", "digitalSourceType", text[:_SHOWN])
        for text in made_by:
            yield Evidence("unknown", "c2pa", "claim_generator", text[:_SHOWN])
        if not types and not made_by:
            yield Evidence("unknown", "c2pa", "manifest", "present")


def _of_type(text: str) -> Kind:
    """What a digital source type declares: the last part of its address, or the word alone."""
    return SOURCE_TYPES.get(text.strip().rstrip("/").rpartition("/")[2].rpartition(":")[2], "unknown")
