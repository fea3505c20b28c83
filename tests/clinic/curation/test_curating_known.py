"""Curation where strata share copies, and where documents of known origin are many: shares are of whom they say."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from remission.cli.curate import show
from remission.clinic.census.kept import ARCHIVED, DECLARED, Tallies
from remission.clinic.curation.curating import Wish, curate
from remission.clinic.curation.whole import of_all, share_of
from remission.clinic.curation.wishing import Policy
from remission.estimate import Estimate
from remission.report.curation import build
from remission.report.page import render
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
        answer: Any = found.answer
        answers.append({one.stratum: one.n_declared for one in answer.rows})
    assert answers[0] == answers[1] == {"all": 100, "source=a": 100, "source=b": 100}


def test_a_corpus_whose_documents_are_all_known_is_sorted_without_scores(place: Path, tmp_path: Path) -> None:
    rows = [row(f"said-{k}", text, "a", generator="gpt-x") for k, text in enumerate(texts(50, 38, 0.1))]
    rows += [row(f"short-{k}", f"Too short {k}.", "a") for k in range(5)]
    census(place / "cal", written(tmp_path / "in", a=rows), tmp_path / "census")
    policies: tuple[Policy, ...] = ("exclude", "weigh", "cap")
    for policy in policies:
        curated = curate(tmp_path / "census", tmp_path / policy, Wish(policy, generations=1), inline)
        assert (curated.counts["kept"], curated.counts["dropped"]) == (5, 50)
        assert curated.document()["strata"][0]["documents"] == 0
        assert "nothing is decided by scores" in curated.rules.notes[0]


@pytest.mark.parametrize("unjudged", ["keep", "drop"])
def test_documents_that_were_not_judged_are_never_passed_off_as_judged(
    place: Path, unjudged: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """300 humans, and as many synthetic texts that are too short: the share of judged ones is 0, that of all may be a half."""
    rows = [row(f"human-{k}", text, "a") for k, text in enumerate(texts(300, 40, 0.0))]
    rows += [row(f"ai-{k}", " ".join(text.split()[:8]), "a") for k, text in enumerate(texts(300, 41, 0.1))]
    census(place / "cal", written(tmp_path / "in", a=rows), tmp_path / "census")
    out = tmp_path / "out"
    found = curate(tmp_path / "census", out, Wish("exclude", generations=1, unjudged=unjudged), inline)
    kept = found.counts["kept"]
    judged = round(found.residual.whole.kept)
    mute, n = found.counted.unjudged.total(), found.counted.documents
    assert mute >= 300
    assert mute + n == 600
    assert (kept, found.unjudged) == ((judged + mute, mute) if unjudged == "keep" else (judged, 0))
    assert found.before.high < 0.05
    assert (found.all_before.low, found.all_before.high) == pytest.approx(
        (n * found.before.low / 600, (n * found.before.high + mute) / 600)
    )
    assert found.all_before.low <= 0.5 <= found.all_before.high  # the truth
    if unjudged == "keep":
        wanted = (judged * found.after.low / kept, (judged * found.after.high + mute) / kept)
        assert (found.all_after.low, found.all_after.high) == pytest.approx(wanted)
    else:
        assert found.all_after == found.after
    assert found.outlook is not None
    assert found.outlook.sample.used == judged, "the lab looks at judged texts"
    assert f"{100 * found.all_before.high:.3g} % before" in found.outlook.sentences()[0]
    readme = (out / "README.md").read_text()
    assert "could not be judged and were set aside" not in readme
    assert f"of the {judged:,} kept documents that were judged" in readme
    measured = {one["name"]: one for one in json.loads((out / "croissant.json").read_text())["variableMeasured"]}
    assert measured["documents kept, not judged"]["value"] == found.unjudged
    assert measured["documents dropped, not judged"]["value"] == mute - found.unjudged
    assert measured["synthetic share after curation, with documents not judged"]["maxValue"] == found.all_after.high
    word = "were not judged" if unjudged == "keep" else "could not be judged"
    assert word in readme.split("## Limitations")[1].split("## ")[0]
    show(found)
    printed = capsys.readouterr().out
    assert "of the whole" not in printed
    assert "those not judged may be anything" in printed
    page = render(build(found.document()))
    assert "of the judged documents were synthetic before" in page
    assert (f"{mute} kept documents were not judged: with them it is anything from" in page) == (unjudged == "keep")


@pytest.mark.parametrize(("after", "unjudged"), [(False, 0), (False, 30), (True, 0), (True, 30)])
def test_the_share_of_all_counts_every_document_once(after: bool, unjudged: int) -> None:
    """100 judged (20 to 40 % synthetic), 10 + 5 archived, 20 + 10 declared, of which 5 and 10 have no score and 7 are not judged."""
    tally = Tallies(
        n=200, not_judged=Counter(short=7), known=Counter({ARCHIVED: 10, DECLARED: 20}),
        unscored=Counter({ARCHIVED: 5, DECLARED: 10}),
    )  # fmt: skip
    kept: Any = SimpleNamespace(tallies={"all": tally}, marking=None)
    judged = Estimate(0.3, 0.2, 0.4, 0.95, "x", 100)
    share = share_of(judged, 100.0, kept, after, 0.95)
    found = of_all(share, 100.0, kept, after, unjudged)
    n = 115 + unjudged if after else 145 + unjudged
    declared = 0 if after else 30
    low, high = (share.low, share.high)
    joined = 110 if after else 130
    rest = 0 if after else 10
    assert found.low == pytest.approx((joined * low + rest) / n)
    assert found.high == pytest.approx((joined * high + rest + unjudged) / n)
    assert found.low <= (20 + declared) / n + 0.03
    assert found.n == n
    assert math.isnan(found.value) == bool(unjudged)
    if not unjudged:
        assert found.value == pytest.approx((30 + declared) / n)
    tally.not_judged.clear()
    tally.known.update(tally.unscored)
    tally.unscored.clear()
    whole = share_of(judged, 100.0, kept, after, 0.95)
    assert of_all(whole, 100.0, kept, after, 0) is whole


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
