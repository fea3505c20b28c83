"""A calibrated detector keeps what it promises, abstains with a reason, and refuses what it cannot promise."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from remission.calibration.calibrated import Calibrated
from remission.calibration.calibrating import calibrate, fit_detector, origin_of
from remission.calibration.fitted import FittedDetector, packed, unpacked
from remission.calibration.novelty import Novelty
from remission.documents import Documents
from remission.errors import DataError, SpecError, StoreError
from tests.calibration.own import Bayes, Lost, Told, texts, told

RNG = np.random.default_rng
NOTHING = FittedDetector(Told(), {})


def domains(documents: Documents, names: list[str]) -> Documents:
    return documents.with_column("domain", names)


@pytest.fixture(scope="module")
def fitted() -> FittedDetector:
    examples = Documents(texts(400, 1) + texts(400, 2, 0.1), {}, np.arange(800) >= 400)
    return fit_detector(Bayes(), examples)


@pytest.fixture(scope="module")
def calibrated(fitted: FittedDetector) -> Calibrated:
    human = domains(Documents(texts(700, 3)), ["news"] * 350 + ["web"] * 350)
    synthetic = domains(Documents(texts(300, 4, 0.08)), ["news"] * 150 + ["web"] * 150)
    synthetic = synthetic.with_column("generator", ["one", "two", "three"] * 100)
    return calibrate(fitted, human, synthetic)


def test_new_humans_are_flagged_no_more_often_than_promised() -> None:
    """Over calibration samples: marginal rates on average, certified ones with confidence; scores have heavy tails."""
    rng, marginal, certified = RNG(0), [], []
    for number in range(60):
        scores = rng.standard_t(2, 400)
        found = calibrate(NOTHING, told(scores, number), max_fpr=0.05, novelty=0.0)
        fresh = rng.standard_t(2, 400)
        judged = found.judge(told(fresh, 1000 + number))
        assert set(judged.status.tolist()) == {"certified"}
        certified.append(1.0 - stats.t.cdf(found.threshold("all").score, 2))  # the true rate of what was decided
        assert judged.flagged.mean() == (fresh > found.threshold("all").score).mean()
        marginal.append((judged.p <= 0.05).mean())
    assert np.mean(np.array(certified) > 0.05) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 60)
    assert abs(np.mean(marginal) - 0.05) < 4 * np.std(marginal) / math.sqrt(60)
    assert abs(np.mean(marginal) - 0.04) > 4 * np.std(marginal) / math.sqrt(60)  # a rate that is off would be seen


def test_each_stratum_keeps_its_own_promise(calibrated: Calibrated, fitted: FittedDetector) -> None:
    """Humans of one domain score higher: one threshold for both would break the promise there."""
    rng = RNG(1)
    low, high = rng.standard_normal(400), rng.standard_normal(400) + 2
    human = domains(told(np.concatenate([low, high])), ["low"] * 400 + ["high"] * 400)
    fresh = told(np.concatenate([rng.standard_normal(3000), rng.standard_normal(3000) + 2]), 7)
    fresh = domains(fresh, ["low"] * 3000 + ["high"] * 3000)
    by = calibrate(NOTHING, human, max_fpr=0.05, novelty=0.0).judge(fresh).flagged.reshape(2, 3000).mean(1)
    assert (by <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 3000)).all()
    pooled = calibrate(NOTHING, human, by=(), max_fpr=0.05, novelty=0.0).judge(fresh).flagged.reshape(2, 3000).mean(1)
    assert pooled[1] > 0.06


def test_judging_finds_and_spares(calibrated: Calibrated) -> None:
    human = domains(Documents(texts(300, 11)), ["news"] * 300)
    synthetic = domains(Documents(texts(300, 12, 0.08)), ["web"] * 300)
    assert calibrated.judge(human).flagged.mean() <= 0.01 + 4 * math.sqrt(0.01 / 300)
    judged = calibrated.judge(synthetic)
    assert judged.flagged.mean() > 0.5
    assert set(judged.stratum.tolist()) == {"domain=web"}
    assert judged.table()["n"] == 300
    wider = calibrated.judge(synthetic, fpr=0.1)
    assert wider.flagged.sum() >= judged.flagged.sum()
    assert np.array_equal(wider.score, judged.score)


def test_facts_say_what_the_promise_rests_on(calibrated: Calibrated) -> None:
    facts = calibrated.facts
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert [row["status"] for row in facts["strata"]] == ["certified", "certified"]
    for row in facts["strata"]:
        assert row["fpr"]["low"] <= row["fpr"]["value"] <= row["fpr"]["high"]
        assert row["fpr"]["value"] <= 0.01
    rows = {(row["by"], row["value"]): row for row in facts["tpr"]}
    assert {("all", ""), ("generator", "one"), ("domain", "web")} <= set(rows)
    assert rows["all", ""]["n"] == sum(rows["generator", name]["n"] for name in ("one", "two", "three"))
    assert 0 < rows["all", ""]["tpr"]["low"] < rows["all", ""]["tpr"]["value"] < rows["all", ""]["tpr"]["high"] <= 1
    assert facts["human"]["domain"] == {"news": 350, "web": 350}
    assert any("not dated" in line for line in facts["warnings"])


def test_samples_for_prevalence(calibrated: Calibrated) -> None:
    assert len(calibrated.human) == len(calibrated.human_strata) == 700
    assert calibrated.synthetic is not None
    assert len(calibrated.synthetic) == len(calibrated.synthetic_strata) == 300
    assert set(calibrated.synthetic.origin.tolist()) == {"one", "two", "three"}
    assert len(calibrated.hashes) == 1000
    target = domains(Documents(texts(3, 77)), ["web", "news", "chat"])
    assert calibrated.stratum_of(target).tolist() == ["domain=web", "domain=news", ""]


def test_storage_gives_the_same_back_and_notices_changes(calibrated: Calibrated, tmp_path: Path) -> None:
    calibrated.save(tmp_path)
    again = Calibrated.load(tmp_path)
    assert again.content == calibrated.content
    assert again.facts == calibrated.facts
    documents = domains(Documents(texts(50, 5, 0.05)), ["web"] * 50)
    one, other = calibrated.judge(documents), again.judge(documents)
    for name in ("score", "p", "flagged", "status", "reason", "stratum"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    path = tmp_path / "calibrated.json"
    path.write_text(path.read_text().replace('"max_fpr": 0.01', '"max_fpr": 0.1'))
    with pytest.raises(StoreError, match="changed"):
        Calibrated.load(tmp_path)
    calibrated.save(tmp_path)
    with np.load(tmp_path / "calibration.npz") as stored:
        arrays = dict(stored)
    arrays["human_scores"][0] += 1e-9
    np.savez(tmp_path / "calibration.npz", **arrays)
    with pytest.raises(StoreError, match="changed"):
        Calibrated.load(tmp_path)
    (tmp_path / "calibration.npz").write_bytes(b"PK nothing")
    with pytest.raises(StoreError, match="cannot be read"):
        Calibrated.load(tmp_path)
    (tmp_path / "calibrated.json").unlink()
    with pytest.raises(StoreError, match=r"calibrated\.json is missing"):
        Calibrated.load(tmp_path)


def test_items_are_stored_when_they_are_to_be_kept(fitted: FittedDetector, tmp_path: Path) -> None:
    human, synthetic = Documents(texts(300, 3)), Documents(texts(60, 4, 0.08))
    calibrate(fitted, human, synthetic, keep_items=True).save(tmp_path)
    again = Calibrated.load(tmp_path)
    assert again.human.documents is not None
    assert list(again.human.documents.items) == human.items
    assert again.synthetic is not None
    assert again.synthetic.documents is not None
    assert list(again.synthetic.documents.items) == synthetic.items
    with gzip.open(tmp_path / "human.jsonl.gz", "wt") as file:
        file.write(json.dumps({"text": "another"}))
    with pytest.raises(StoreError, match="its items are others"):
        Calibrated.load(tmp_path)
    calibrate(fitted, human).save(tmp_path)
    assert Calibrated.load(tmp_path).human.documents is None


def test_a_detector_without_calibration_says_what_to_do(fitted: FittedDetector, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    with pytest.raises(StoreError, match="remission detect calibrate"):
        Calibrated.load(tmp_path)
    again = FittedDetector.load(tmp_path)
    assert np.array_equal(again.hashes, fitted.hashes)
    assert again.facts == fitted.facts


def test_hashes_are_stored_exactly() -> None:
    hashes = np.array(Documents(["a", "b", "c"]).hashes())
    assert np.array_equal(unpacked(packed(hashes)), hashes)
    assert unpacked(packed(hashes[:0])).size == 0


def test_overlap_with_training_is_refused_or_counted(fitted: FittedDetector) -> None:
    again = Documents([text.upper().replace(" ", "  ") for text in texts(400, 1)[:5]] + texts(400, 8))
    with pytest.raises(DataError, match=r"5 of 405 human calibration items were among the training"):
        calibrate(fitted, again)
    found = calibrate(fitted, again, overlap="drop")
    assert found.facts["set_aside"]["human"]["training items"] == 5
    assert len(found.human) == 400


def test_calibration_items_in_the_target_are_set_aside(calibrated: Calibrated) -> None:
    own = domains(Documents(texts(700, 3)[:4] + texts(2, 99)), ["news"] * 6)
    judged = calibrated.judge(own)
    assert judged.status.tolist() == ["abstained"] * 4 + ["certified"] * 2
    assert all(reason.startswith("known:") for reason in judged.reason[:4])
    assert calibrated.overlap(own).tolist() == [True] * 4 + [False] * 2


def test_duplicates_and_items_of_both_kinds_count_once(fitted: FittedDetector) -> None:
    human, synthetic = texts(400, 20), texts(100, 21, 0.1)
    found = calibrate(fitted, Documents(human + human[:30]), Documents([*synthetic, human[0], synthetic[0]]))
    aside = found.facts["set_aside"]
    assert aside["human"]["duplicates"] == 30
    assert (aside["synthetic"]["duplicates"], aside["synthetic"]["also among the humans"]) == (1, 1)
    assert len(found.human) == 400


def test_abstentions_say_why(calibrated: Calibrated) -> None:
    german = "Er sagte, dass das Haus nicht so alt ist, wie sie gedacht hatten, aber es muss vor dem Winter noch repariert werden."
    code = (
        "for (let i = 0; i < rows.length; i++) { total += rows[i].value; map[rows[i].id] = fn(rows[i], x => x * 2); } "
        * 2
    )
    usual = texts(1, 30)[0]
    strange = usual + " " + "((((][[}{" * 60
    items = ["Two words.", german * 2, code, strange, usual, "", usual]
    names = ["news"] * 6 + ["chat"]
    judged = calibrated.judge(domains(Documents(items), names))
    assert [reason.split(":")[0] for reason in judged.reason.tolist()] == [
        "too short", "other language", "code", "unlike the calibration items", "", "not scorable", "not calibrated",
    ]  # fmt: skip
    assert "brackets" in judged.reason[3]
    assert judged.status.tolist() == ["abstained"] * 4 + ["certified", "abstained", "uncalibrated"]
    assert not judged.flagged[~judged.decided].any()
    assert np.isnan(judged.p[~judged.decided]).all()
    assert not np.isnan(judged.score[:5]).any()
    assert not np.isnan(judged.score[6])
    assert len(calibrated.judge(Documents([]))) == 0


def test_documents_of_all_sizes_and_none(calibrated: Calibrated) -> None:
    usual = texts(1, 30)[0]
    items = ["", " \n ", "one", "half \ud800 of a character " + usual, usual, usual, usual * 80_000, "\x00" * 3000]
    assert len(items[6]) > 10_000_000
    judged = calibrated.judge(domains(Documents(items), ["news"] * 8))
    assert judged.decided.tolist() == [False, False, False, True, True, True, False, False]
    assert judged.score[4] == judged.score[5]
    assert "characters" in judged.reason[6]
    assert (judged.reason[~judged.decided] != "").all()


def test_without_the_column_of_the_strata_nothing_is_promised(calibrated: Calibrated) -> None:
    judged = calibrated.judge(Documents(texts(5, 40)))
    assert set(judged.status.tolist()) == {"uncalibrated"}
    assert "have no column 'domain'" in judged.reason[0]


def test_scores_that_are_no_numbers(fitted: FittedDetector) -> None:
    with pytest.raises(DataError, match=r"not scorable.*400"):
        calibrate(FittedDetector(Lost(), {}), Documents(texts(400, 1)))
    scores = RNG(0).standard_normal(400)
    human = told(scores)
    human = Documents([*human.items[:350], *texts(50, 60)])
    found = calibrate(NOTHING, human, max_fpr=0.05)
    assert found.facts["set_aside"]["human"]["not scorable (NaN)"] == 50
    judged = found.judge(Documents([human.items[0] + " again", texts(1, 61)[0]]))
    assert judged.status.tolist() == ["certified", "abstained"]


def test_refusals(fitted: FittedDetector) -> None:
    human = Documents(texts(120, 50))
    with pytest.raises(DataError, match="no human documents"):
        calibrate(fitted, Documents([]))
    with pytest.raises(DataError, match="labelled synthetic"):
        calibrate(fitted, replace(human, synthetic=np.arange(120) == 3))
    with pytest.raises(DataError, match="labelled human"):
        calibrate(fitted, human, Documents(["a b"], {}, np.array([False])))
    with pytest.raises(DataError, match=r"120 usable.*needs 999 .* 2995"):
        calibrate(fitted, human, max_fpr=0.001)
    assert calibrate(fitted, human).facts["strata"][0]["status"] == "marginal"
    for wrong in ({"max_fpr": 0.7}, {"novelty": -1.0}, {"shortest": -3}):
        with pytest.raises(SpecError, match=next(iter(wrong))):
            calibrate(fitted, human, **wrong)
    with pytest.raises(SpecError, match="fpr must lie"):
        calibrate(fitted, human).judge(human, fpr=1.5)
    with pytest.raises(DataError, match="one kind only"):
        fit_detector(Bayes(), Documents(["a", "b"], {}, np.array([True, True])))
    with pytest.raises(DataError, match="no examples"):
        fit_detector(Bayes(), Documents([]))


def test_a_rate_that_too_few_humans_can_keep_is_not_decided(calibrated: Calibrated) -> None:
    judged = calibrated.judge(domains(Documents(texts(20, 70)), ["web"] * 20), fpr=0.001)
    assert not judged.decided.any()
    assert set(judged.reason.tolist()) == {"too few humans: 350 in the stratum, 999 are needed for 0.001"}
    assert not np.isnan(judged.p).any()


def test_late_humans_are_warned_of(fitted: FittedDetector) -> None:
    human = Documents(texts(400, 80)).with_column("date", ["2019-05-01"] * 387 + ["May 99"] * 3 + ["2023-01"] * 10)
    found = calibrate(fitted, human)
    assert found.facts["human"]["dates"] == ["2019-05-01", "2023-01"]
    assert any(line.startswith("3 dates") for line in found.facts["warnings"])
    assert any(line.startswith("10 of 400") for line in found.facts["warnings"])


def test_artefacts_are_refused_and_what_was_allowed_is_recorded(fitted: FittedDetector) -> None:
    synthetic = Documents([text.replace(" the ", "\n") for text in texts(300, 91, 0.1)])
    with pytest.raises(DataError, match="'newlines'"):
        calibrate(fitted, Documents(texts(400, 90)), synthetic)
    found = calibrate(fitted, Documents(texts(400, 90)), synthetic, allow_artefacts=True)
    assert "newlines" in found.facts["allowed_artefacts"]


def test_novelty_keeps_its_rate_and_spares_synthetic_items() -> None:
    rates = []
    for number in range(8):
        novelty = Novelty.fit([texts(400, 100 + number), texts(400, 200 + number, 0.3)], 0.02)
        far = [novelty.look(texts(400, 300 + number, marked))[0] for marked in (0.0, 0.3)]
        rates.append([(one > novelty.limit).mean() for one in far])
    assert (np.mean(rates, 0) <= 0.02 + 4 * np.std(rates, 0) / math.sqrt(8) + 1e-3).all()
    alone = Novelty.fit([texts(400, 100)], 0.02)
    strange = [text.replace(" ", "; ") for text in texts(50, 1)]
    assert (alone.look(strange)[0] > alone.limit).all()
    assert np.isinf(Novelty.fit([texts(100, 1)], 0.005).limit)  # too few to say so rare a thing
    again = Novelty.from_arrays(alone.arrays())
    assert np.array_equal(again.look(strange)[0], alone.look(strange)[0])


def test_short_humans_lower_the_least_length(fitted: FittedDetector) -> None:
    sentences = calibrate(fitted, Documents(texts(400, 1000, words=16)))
    assert 5 <= sentences.rules.shortest < 25
    assert calibrate(fitted, Documents(texts(400, 1001))).rules.shortest == 25
    assert calibrate(fitted, Documents(texts(400, 1001)), shortest=40).rules.shortest == 40


def test_origins_name_generator_and_attack() -> None:
    columns = {"generator": np.array(["gpt", "gpt", ""]), "attack": np.array(["none", "back-translation", "typos"])}
    assert origin_of(Documents(["a", "b", "c"], columns)).tolist() == ["gpt", "gpt / back-translation", "typos"]


def test_pictures_are_calibrated_too() -> None:
    class Bright(Told):
        takes = "picture"

        def score(self, state: dict, items: list) -> np.ndarray:  # type: ignore[type-arg, override]
            return np.array([float(item.mean()) for item in items])

    rng = RNG(0)
    pictures = [rng.integers(0, 255, (20, 20, 3)).astype(np.uint8) for _ in range(700)]
    found = calibrate(FittedDetector(Bright(), {}), Documents(pictures[:400]), max_fpr=0.05)
    judged = found.judge(Documents([*pictures[400:], np.full((20, 20, 3), 255, np.uint8), pictures[0]]))
    assert judged.flagged[:300].mean() <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 300)
    assert judged.reason[301].startswith("known:")
