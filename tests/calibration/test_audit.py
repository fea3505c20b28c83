"""The artefact audit: finds what leaks, names it, and raises no false alarm on small samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from remission.calibration.audit import audit, item_features
from remission.calibration.calibrating import fit_detector
from remission.calibration.characters import TEXT_FEATURES, features
from remission.corpus.reading import Fields, read_documents
from remission.documents import Documents
from remission.errors import DataError
from tests.calibration.own import Bayes, texts


def labelled(human: list[str], synthetic: list[str], domain: list[str] | None = None) -> Documents:
    columns = {} if domain is None else {"domain": np.array(domain)}
    return Documents(human + synthetic, columns, np.arange(len(human) + len(synthetic)) >= len(human))


def of(text: str) -> dict[str, float]:
    return dict(zip(TEXT_FEATURES, features([text])[0].tolist(), strict=True))


def test_features_are_what_their_names_say() -> None:
    found = of('One  "two" ,three;\nFOUR\tinternationalisation é \u201cx\u201d \u2014 (5)?\ufffd')
    n = found["characters"]
    expected = {
        "newlines": 1, "blanks": 7, "double blanks": 1, "other spaces": 1, "digits": 1, "commas": 1,
        "semicolons and colons": 1, "question and exclamation marks": 1, "straight quotes": 2, "curly quotes": 2,
        "dashes": 1, "brackets": 2, "encoding oddities": 1, "blanks before punctuation": 1, "no blank after punctuation": 1,
        "full stops": 0, "hyphens": 0, "apostrophes": 0,
    }  # fmt: skip
    assert {name: round(found[name] * n) for name in expected} == expected
    assert found["long words"] == pytest.approx(1 / 7)
    letters = len("OnetwothreeFOURinternationalisationéx")
    assert found["word length"] == pytest.approx(letters / 7)
    assert found["upper case"] == pytest.approx(5 / letters)
    assert found["accented and foreign letters"] == pytest.approx(1 / letters)
    assert (found["ends without punctuation"], found["begins in lower case"], found["blank at an end"]) == (1, 0, 0)


def test_features_do_not_depend_on_neighbours() -> None:
    given = ["", "a b.", " Ends ", "\n", "日本語 text", "x" * 2_000_000, "Last; one", "\ud800 half"]
    together = features(given)
    alone = np.vstack([features([text]) for text in given])
    assert np.array_equal(together, alone)
    assert not together[0].any()
    assert np.isfinite(together).all()


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        (lambda text: text.replace(" the ", "\n"), "newlines"),
        (lambda text: text.replace(" ", "  ", 9), "double blanks"),
        (lambda text: text.replace(" of ", "of"), "word length"),
        (str.upper, "upper case"),
        (lambda text: text[: len(text) // 2], "characters"),
        (lambda text: text[:-1] + "\u200b", "encoding oddities"),
        (lambda text: text.replace(" the ", " , the "), "commas"),
    ],
)
def test_a_leak_is_refused_with_its_feature_named(change: object, feature: str) -> None:
    human, synthetic = texts(150, 0, words=120), [change(text) for text in texts(150, 1, words=120)]  # type: ignore[operator]
    found = audit(labelled(human, synthetic))
    assert feature in {leak.feature for leak in found.leaks}
    with pytest.raises(DataError, match="allow_artefacts") as error:
        found.refuse()
    assert any(f"'{leak.feature}'" in str(error.value) for leak in found.leaks)
    found.refuse(allow=True)


def test_equal_kinds_pass() -> None:
    found = audit(labelled(texts(400, 0), texts(400, 1)))
    assert not found.leaks
    assert found.table()["leaks"] == []
    assert len(found.findings) == len(TEXT_FEATURES)
    assert audit(Documents(["a", "b"])).findings == ()


def test_small_samples_raise_no_false_alarm_and_large_ones_do() -> None:
    """Lengths with a true AUROC of 0.65: never refused, though small samples often show more than 0.70."""
    rng, alarms, above = np.random.default_rng(0), 0, 0
    for _ in range(300):
        n = int(rng.integers(3, 40))
        lengths = np.exp(0.5 * rng.standard_normal(2 * n) + np.repeat([0.0, 0.27], n))
        found = audit(
            labelled(*([("word " * max(1, int(20 * size)))[:-1] for size in part] for part in np.split(lengths, 2)))
        )
        alarms += bool(found.leaks)
        above += any(row.auroc > 0.70 for row in found.findings if row.feature == "characters")
    assert above > 60
    assert alarms == 0
    assert not audit(labelled(["a\nb"] * 5, ["a b"] * 5)).leaks  # 5 against 5 differ by chance in something
    assert audit(labelled(["a\nb"] * 60, ["a b"] * 60)).leaks


def test_units_count_not_items() -> None:
    base = labelled(["a\nb"] * 60, ["a b"] * 60)
    few = replace(base, units=np.repeat(np.arange(12), 10))
    assert audit(base).leaks
    assert not audit(few).leaks


def test_a_leak_of_one_domain_is_found_there() -> None:
    human = texts(150, 0) + texts(150, 1)
    synthetic = texts(150, 2) + [text.replace(" of ", "\n") for text in texts(150, 3)]
    domain = ["clean"] * 150 + ["dirty"] * 150
    leaks = audit(labelled(human, synthetic, domain * 2)).leaks
    assert {leak.domain for leak in leaks if leak.feature == "newlines"} >= {"dirty"}
    assert "clean" not in {leak.domain for leak in leaks}


class Folding(Bayes):
    """A detector that puts blanks in order before it looks."""

    def seen(self, items: list[str]) -> list[str]:
        return [" ".join(item.split()) for item in items]


def test_what_the_detector_removes_is_flagged_on_the_raw_items_only() -> None:
    examples = labelled(texts(150, 0), [text.replace(" the ", "\n") for text in texts(150, 1)])
    found = audit(examples, Folding())
    assert {leak.view for leak in found.leaks} == {"raw"}
    assert {row.view for row in found.findings} == {"raw", "seen"}
    with pytest.raises(DataError, match="newlines"):
        fit_detector(Folding(), examples)
    fitted = fit_detector(Folding(), examples, allow_artefacts=True)
    assert "newlines" in fitted.facts["allowed_artefacts"]


def test_pictures_of_two_sizes_or_formats_leak(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (16 + 4 * (k >= 80), 16, 3)).astype(np.uint8) for k in range(160)]
    found = audit(Documents(pictures, {}, np.arange(160) >= 80))
    assert {leak.feature for leak in found.leaks} == {"height", "pixels"}
    names = []
    for k in range(160):
        names.append(str(tmp_path / f"{k}.{'png' if k < 80 else 'jpg'}"))
        Path(names[-1]).write_bytes(bytes(rng.integers(100, 200)))
    leaks = {leak.feature for leak in audit(Documents(names, {}, np.arange(160) >= 80)).leaks}
    assert leaks == {"files of kind .png", "files of kind .jpg"}
    image = pytest.importorskip("PIL.Image")
    for k in range(160):
        names[k] = str(tmp_path / f"{k}.png")
        image.new("L", (30 + int(rng.integers(0, 4)), 30 + 9 * (k >= 80))).save(names[k])
    leaks = {leak.feature for leak in audit(Documents(names, {}, np.arange(160) >= 80)).leaks}
    assert leaks == {"height", "pixels"}


def test_jpeg_blocks_show() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.normal(120, 8, (40, 40))
    blocks = np.kron(rng.normal(120, 20, (5, 5)), np.ones((8, 8))) + 0.1 * smooth
    found = item_features([smooth, blocks])["blocky edges"]
    assert found[1] > 3 > 1.5 > found[0]


@pytest.mark.parametrize(
    ("name", "domain", "feature"),
    [
        ("fastdetect-open", "", "newlines"),
        ("fastdetect-api", "xsum", "newlines"),
        ("fastdetect-api", "writing", "newlines"),
        ("detectrl", "arxiv", "long words"),
    ],
)
def test_the_known_leaks_of_public_sets_are_flagged(shared: Path, name: str, domain: str, feature: str) -> None:
    documents, _ = read_documents([shared / "data" / "text-detection" / name], Fields(unit="pair"))
    leaks = audit(documents).leaks
    assert any(leak.feature == feature and leak.domain == domain for leak in leaks)


def test_a_public_set_without_leaks_passes(shared: Path) -> None:
    documents, _ = read_documents([shared / "data" / "text-detection" / "hppt-polish"], Fields(unit="pair"))
    assert audit(documents).leaks == ()
