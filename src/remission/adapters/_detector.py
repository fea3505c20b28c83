"""A detector named by its folder and what is in it, small enough to travel to workers, which load it once each."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.streams import NAMES, RowJudge, loaded
from remission.corpus.reading import Fields
from remission.errors import DataError, SpecError, StoreError


@dataclass(frozen=True)
class DetectorFolder:
    """Which detector judges, and how.

    Attributes:
        folder: of a calibrated detector.
        content: hash of what was in it, so that another one that is put there is not taken for the same.
        text: the field that holds the document.
        domain: the field with the domain.
        domain_is: the domain of every row, whatever it says itself.
        fpr: nominal false-positive rate; None: that of the calibration.
        prefix: of the names of what is said.
    """

    folder: str
    content: str
    text: str
    domain: str
    domain_is: str
    fpr: float | None
    prefix: str

    @classmethod
    def of(
        cls, folder: str | Path, text: str, domain: str, domain_is: str, fpr: float | None, prefix: str
    ) -> DetectorFolder:
        """Look into the folder, so that what is wrong is said before any work. Raises StoreError, SpecError."""
        if not isinstance(folder, (str, Path)):
            raise SpecError(
                f"A detector is named by its folder, which workers load. Got a {type(folder).__name__}: save it first."
            )
        found = cls(str(Path(folder).resolve()), "", text, domain, domain_is, fpr, prefix)
        calibrated = loaded(found.folder)
        RowJudge(calibrated, found.fields, fpr)
        return cls(found.folder, calibrated.content, text, domain, domain_is, fpr, prefix)

    def __reduce__(self) -> Any:
        """As one text, whose bytes are those of its content: hashes of pickles must not depend on who shares which string."""
        return _again, (json.dumps(vars(self), sort_keys=True),)

    @property
    def fields(self) -> Fields:
        """Where things are in a row."""
        return Fields(text=self.text, domain=self.domain, domain_is=self.domain_is)

    @property
    def judge(self) -> RowJudge:
        """The detector itself, loaded once a process. Raises StoreError when another one is in the folder by now."""
        return _loaded(self)

    def free(self, there: Any, names: Iterable[str] = NAMES) -> None:
        """Raise DataError when one of our names is there already."""
        taken = next((self.prefix + name for name in names if self.prefix + name in there), None)
        if taken is not None:
            raise DataError(
                f"There is a field '{taken}' already. Give another prefix than '{self.prefix}', or leave it out."
            )


def _again(settings: str) -> DetectorFolder:
    return DetectorFolder(**json.loads(settings))


@functools.lru_cache(maxsize=4)
def _loaded(detector: DetectorFolder) -> RowJudge:
    found = loaded(detector.folder)
    if found.content != detector.content:
        raise StoreError(f"The detector in '{detector.folder}' is another one than when this began. Begin anew.")
    return RowJudge(found, detector.fields, detector.fpr)
