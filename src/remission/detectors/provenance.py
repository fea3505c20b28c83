"""What picture files declare of their origin: PNG texts, EXIF, XMP, IPTC and content credentials. Nothing is learned."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from remission.data import Array, Floats
from remission.detectors._metadata_rules import Evidence as Evidence
from remission.detectors._metadata_rules import Provenance as Provenance
from remission.detectors._metadata_rules import provenance_of
from remission.interfaces import Detector

_SCORES = {"synthetic": 1.0, "composite": 1.0, "human": 0.0, "unknown": math.nan}


class ProvenanceReader(Detector):
    """Who a file says made it: 1 when it declares a generator, 0 a camera or a hand, NaN when it says nothing.

    Read are PNG, JPEG and WebP: the ``parameters`` of Stable Diffusion interfaces, graphs of ComfyUI, chunks of InvokeAI,
    Fooocus and NovelAI, job numbers of Midjourney; the EXIF tags Software, Make, Model, UserComment and ImageDescription;
    the IPTC digital source type in XMP (``trainedAlgorithmicMedia`` and ``compositeWithTrainedAlgorithmicMedia`` declare a
    model, ``digitalCapture`` a camera); names of generators in IPTC records; and the digital source types of C2PA manifests.
    Make and Model with at least two settings of a camera count as a camera. A declaration of a model outweighs one of a camera,
    and a picture that is declared to be synthetic in part scores 1.

    With the extra ``c2pa`` signatures and hashes of manifests are checked, and credentials that do not fit the file declare
    nothing; without it they are believed as they are written. Metadata is easily removed and easily forged: use this
    before any statistical detector, never against anybody. Pixels are never decoded, texts are inflated up to 4 MiB, and a
    malformed file is read as far as it goes.

    Higher is more likely synthetic. Raises DataError for a file that cannot be opened.

    Source: IPTC NewsCodes, digital source type; C2PA technical specification 2.1; PNG specification, third edition; Exif 2.32;
    ISO 19566-5 (JUMBF).

    >>> ProvenanceReader().label
    'provenance'
    """

    takes: ClassVar[Literal["text", "picture", "file"]] = "file"
    learns: ClassVar[bool] = False

    def score(self, state: dict[str, Array], items: Sequence[Path | str]) -> Floats:
        """Scores (n,): 1, 0 or NaN."""
        return np.array([_SCORES[read_provenance(path).kind] for path in items], np.float64)


def read_provenance(path: Path | str) -> Provenance:
    """What one file declares: kind, all evidence, and whether content credentials were found in order.

    Raises:
        DataError: the file cannot be opened. A malformed one is read as far as it goes.
    """
    return provenance_of(path)


def provenance_report(paths: Iterable[Path | str]) -> dict[str, Any]:
    """What the files of a corpus declare, counted.

    Returns:
        ``files``; ``kinds`` (files by what they declare) and ``evidence`` (files by where they declare it, as
        ``c2pa:synthetic``; a file counts once for each); ``formats``; ``metadata``: files that carry any, ``share``: their
        share of the files that were read, ``stripped``: the rest, of which nothing can be known; ``credentials``: files
        with content credentials that are ``valid``, ``invalid`` or ``unchecked``; ``faulty``: files with a fault.
    """
    kinds: Counter[str] = Counter(dict.fromkeys(_SCORES, 0))
    evidence: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    signed: Counter[str] = Counter({"valid": 0, "invalid": 0, "unchecked": 0})
    carrying = faulty = 0
    for path in paths:
        found = read_provenance(path)
        kinds[found.kind] += 1
        evidence.update({f"{one.source}:{one.kind}" for one in found.evidence if one.kind != "unknown"})
        formats[found.format or "other"] += 1
        carrying += found.metadata
        faulty += bool(found.faults)
        if any(one.source == "c2pa" for one in found.evidence):
            signed[{True: "valid", False: "invalid", None: "unchecked"}[found.validated]] += 1
    files = kinds.total()
    read = files - formats["other"]
    return {
        "files": files, "kinds": dict(kinds), "evidence": dict(sorted(evidence.items())), "formats": dict(sorted(formats.items())),
        "metadata": carrying, "share": carrying / read if read else None, "stripped": 1 - carrying / read if read else None,
        "credentials": dict(signed), "faulty": faulty,
    }  # fmt: skip
