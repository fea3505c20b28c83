"""What was allowed when a detector was made: trivial features that separate its classes, told wherever it says a share."""

from __future__ import annotations

from remission.calibration.calibrated import Calibrated

_NAMED = 5  # features that are named


def artefacts_told(calibrated: Calibrated) -> tuple[str, ...]:
    """A warning for the fit and one for the calibration, where ``allow_artefacts`` let trivial features pass; one for the same ones."""
    made = (("fitted to", calibrated.fitted.facts), ("calibrated on", calibrated.facts))
    found = [(how, list(map(str, facts.get("allowed_artefacts", ())))) for how, facts in made]
    if found[0][1] == found[1][1]:
        found = [("fitted to and calibrated on", found[0][1])]
    return tuple(_told(how, names) for how, names in found if names)


def _told(how: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    named = ", ".join(f"'{name}'" for name in names[:_NAMED]) + more
    return (
        f"The detector was {how} examples that trivial features tell apart ({named}), which was allowed (--allow-artefacts). It may tell "
        "these from each other and not origin: error rates and shares hold at best for texts that were prepared in the same way."
    )
