"""A small calibrated detector with strata by domain, and rows of every kind for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remission.calibration.calibrating import calibrate, fit_detector
from remission.documents import Documents
from tests.calibration.own import Bayes, texts


def made(folder: Path, seed: int = 3) -> Path:
    """Fitted and calibrated on 200 + 200 and 300 texts; ``seed`` draws the calibration humans."""
    import numpy as np

    known = Documents(texts(200, 1) + texts(200, 2, 0.1), synthetic=np.arange(400) >= 200)
    humans = Documents(texts(300, seed), {"domain": np.array(["news", "web"] * 150)}, synthetic=np.zeros(300, bool))
    fitted = fit_detector(Bayes(), known)
    calibrate(fitted, humans, by=("domain",), max_fpr=0.05).save(folder)
    return folder


def rows(n: int = 60) -> list[dict[str, Any]]:
    """Human and synthetic texts of two domains and one that is not calibrated; every seventh row cannot be judged."""
    found = []
    for k, text in enumerate(texts(n // 2, 11) + texts(n - n // 2, 12, 0.2)):
        found.append({"id": f"{k}", "text": text, "domain": ("news", "web", "law")[k % 3 if k % 5 == 0 else k % 2]})
    bad = [None, "", "  \n ", "too few words", "x" * 3000]
    for k, place in enumerate(range(3, n, 7)):
        found[place]["text"] = bad[k % len(bad)]
    return found
