"""Curation where strata share copies, and where documents of known origin are many: shares are of whom they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.curation.curating import Wish, curate
from tests.calibration.own import texts
from tests.clinic.curation.corpus import census, detector, inline

WISH = Wish("weigh", generations=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    detector(folder)
    return folder


def row(name: str, text: str, source: str, **more: str) -> dict[str, str]:
    return {"id": name, "text": text, "domain": "news", "source": source, "date": "2023-05-01", "generator": "", **more}


def written(folder: Path, **files: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_a_stratum_of_copies_is_judged_by_what_comes_first_in_it(place: Path, tmp_path: Path) -> None:
    """a: 400 synthetic texts; b: copies of them, and 200 human ones. What rules decide on in b is human."""
    made, human = texts(400, 31, 0.1), texts(200, 32, 0.0)
    a = [row(f"ai-{k}", text, "a") for k, text in enumerate(made)]
    b = [row(f"copy-{k}", text, "b") for k, text in enumerate(made)]
    b += [row(f"human-{k}", text, "b") for k, text in enumerate(human)]
    found = census(place / "cal", written(tmp_path / "in", a=a, b=b), tmp_path / "census")
    assert {one.stratum: one for one in found.answer.rows}["source=b"].share.low > 0.5  # of its own contents
    curated = curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    left = curated.residual.row("source=b")
    assert left.before.high < 0.05
    assert left.weight > 0.95 * left.documents
    assert left.human_lost.value < 5


def test_the_whole_is_the_share_that_the_census_named(place: Path, tmp_path: Path) -> None:
    """Short documents, of which half say they are synthetic, are no part of either."""
    rows = [row(f"human-{k}", text, "a") for k, text in enumerate(texts(300, 33, 0.0))]
    rows += [row(f"ai-{k}", text, "a") for k, text in enumerate(texts(60, 34, 0.1))]
    rows += [row(f"said-{k}", text, "a", generator="gpt-x") for k, text in enumerate(texts(40, 35, 0.1))]
    rows += [row(f"short-{k}", f"Too short {k}.", "a", generator="gpt-x" if k % 2 else "") for k in range(400)]
    whole = census(place / "cal", written(tmp_path / "in", a=rows), tmp_path / "census").answer.whole
    curated = curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    assert curated.before.value == pytest.approx(whole.share.value, abs=0.005)
    assert whole.share.low < 0.25 < whole.share.high
    assert curated.after.high < whole.share.low


def test_what_the_first_copy_declares_is_known_of_the_others(place: Path, tmp_path: Path) -> None:
    """Whichever file comes first."""
    made = texts(100, 36, 0.1)
    said = [row(f"said-{k}", text, "a", generator="gpt-x") for k, text in enumerate(made)]
    plain = [row(f"plain-{k}", text, "b") for k, text in enumerate(made)]
    plain += [row(f"human-{k}", text, "b") for k, text in enumerate(texts(100, 37, 0.0))]
    answers = []
    for name, files in (("one", {"a": said, "b": plain}), ("two", {"a": plain, "b": said})):
        found = census(place / "cal", written(tmp_path / f"in-{name}", **files), tmp_path / name)
        answers.append({one.stratum: one.n_declared for one in found.answer.rows})  # type: ignore[attr-defined]
    assert answers[0] == answers[1] == {"all": 100, "source=a": 100, "source=b": 100}


def test_a_corpus_whose_documents_are_all_known_is_sorted_without_scores(place: Path, tmp_path: Path) -> None:
    rows = [row(f"said-{k}", text, "a", generator="gpt-x") for k, text in enumerate(texts(50, 38, 0.1))]
    rows += [row(f"short-{k}", f"Too short {k}.", "a") for k in range(5)]
    census(place / "cal", written(tmp_path / "in", a=rows), tmp_path / "census")
    for policy in ("exclude", "weigh", "cap"):
        curated = curate(tmp_path / "census", tmp_path / policy, Wish(policy, generations=1), inline)  # type: ignore[arg-type]
        assert (curated.counts["kept"], curated.counts["dropped"]) == (5, 50)
        assert curated.document()["strata"][0]["documents"] == 0
        assert "nothing is decided by scores" in curated.rules.notes[0]


def test_dropped_documents_that_were_taken_away_come_back(place: Path, tmp_path: Path) -> None:
    rows = [
        row(f"said-{k}", text, "a", generator="gpt-x" if k % 2 else "") for k, text in enumerate(texts(60, 39, 0.0))
    ]
    census(place / "cal", written(tmp_path / "in", a=rows), tmp_path / "census")
    curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    path = tmp_path / "out" / "dropped" / "000000.parquet"
    before = path.read_bytes()
    path.unlink()
    curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    assert path.read_bytes() == before
