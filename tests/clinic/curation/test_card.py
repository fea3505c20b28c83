"""The data card: valid Croissant, readable by mlcroissant and datasets, and wrong as soon as anything is changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import subprocess
import warnings

import numpy as np
import pytest

from remission.clinic.curation._card_croissant import HASHES
from remission.clinic.curation.card import CardFacts, check_card, write_card
from remission.errors import DataError, SpecError
from remission.estimate import Estimate

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FACTS = CardFacts(
    name="Small corpus, curated", policy="exclude (false discovery rate 0.05)",
    counts={"in": 11, "kept": 6, "dropped": 3, "quarantined": 2}, residual=Estimate(0.04, 0.02, 0.07, 0.95, "matched", 6),
    before=Estimate(0.23, 0.2, 0.26, 0.95, "matched", 9), created="2026-03-01T12:00:00Z", reasons={"score": 2, "watermark": 1},
    thresholds={"news": 0.75, "forum": "dropped whole"}, strata={"news": Estimate(math.nan, 0.0, 0.1, 0.95, "bounds", 6)},
    licences=("cc-by-4.0",), detector="ngrams", detector_hash="a" * 64, census="b" * 64, creators=("A library",),
    languages=("en",), columns={"month": "when it was written"}, outlook=("After 10 generations 88 % of the rare types are alive.",),
)  # fmt: skip


def folder_of(place, files=1, rows=6, dropped=3, extra=None):
    """kept/ and dropped/ with so many rows in all."""
    for name, count, parts in (("kept", rows, files), ("dropped", dropped, 1)):
        if not count:
            continue
        (place / name).mkdir(parents=True)
        for part, index in enumerate(np.array_split(np.arange(count), parts)):
            columns = {
                "text": [f"{name} document {i}, ünï" for i in index], "id": [f"{name}-{i}" for i in index],
                "weight": [0.5 for _ in index], "score": [0.25 * (i % 4) for i in index], "stratum": ["news" for _ in index],
                "file": ["a.jsonl" for _ in index], "place": [int(i) for i in index], "month": [None for _ in index],
            } | (extra(index) if extra else {})  # fmt: skip
            kinds = {"month": pa.string(), "place": pa.int64(), "weight": pa.float64(), "score": pa.float64()}
            table = pa.table({key: pa.array(value, kinds.get(key)) for key, value in columns.items()})
            pq.write_table(table, place / name / f"part-{part:05d}.parquet")
    return place


def opened(place):
    """By mlcroissant, whose own warnings are not ours; nothing is said against the card itself."""
    mlcroissant = pytest.importorskip("mlcroissant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mlcroissant.Dataset(str(place / "croissant.json"))
        issues = found.metadata.ctx.issues
        assert not issues.errors
        return found, issues.warnings


def records(dataset, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(dataset.records(name))


@pytest.mark.parametrize("files", [1, 3, 25])
def test_croissant_is_valid_and_its_records_are_read(tmp_path, files):
    facts = dataclasses.replace(FACTS, counts={"in": 35, "kept": 30, "dropped": 3, "quarantined": 2})
    place = folder_of(tmp_path, files, 30)
    assert [path.name for path in write_card(place, facts)] == ["croissant.json", "README.md", "SHA256SUMS"]
    dataset, told = opened(place)
    assert not told
    rows = records(dataset, "kept")
    assert sorted(row["kept/text"].decode() for row in rows) == sorted(f"kept document {i}, ünï" for i in range(30))
    assert rows[1]["kept/weight"] == 0.5
    assert {row["kept/place"] for row in rows} == set(range(30))
    assert len(records(dataset, "dropped")) == 3
    assert check_card(place) == []


def test_facts_are_in_the_card(tmp_path):
    place = folder_of(tmp_path)
    write_card(place, FACTS)
    card = json.loads((place / "croissant.json").read_text())
    meta = opened(place)[0].metadata
    assert card["conformsTo"] == ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
    assert card["license"] == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert "4 % (95 % interval 2 to 7 %)" in meta.description
    assert meta.description.count("88 % of the rare types") == 1
    assert (place / "README.md").read_text().count("88 % of the rare types") == 1
    assert "2 could not be read and were set aside" in meta.description
    assert any("Synthetic documents remain" in one for one in meta.data_limitations)
    assert all((meta.data_biases, meta.data_collection, meta.data_release_maintenance_plan))
    assert meta.machine_annotation_tools == [f"ngrams (sha256 {'a' * 64})"]
    measured = {one["name"]: one for one in card["variableMeasured"]}
    share = measured["residual synthetic share"]
    assert (share["value"], share["minValue"], share["maxValue"]) == (0.04, 0.02, 0.07)
    assert "value" not in measured["residual synthetic share, news"]
    assert measured["threshold, news"]["value"] == 0.75
    assert measured["census seal"]["value"] == "b" * 64
    assert measured["documents dropped: watermark"]["value"] == 1
    readme = (place / "README.md").read_text()
    for word in (
        "4 %",
        "forum: dropped whole.",
        "news: scores above 0.75 are dropped",
        "as its `weight` says",
        "when it was written",
        "b" * 64,
        "a" * 64,
        "CC-BY-4.0",
        "watermark",
    ):
        assert word in readme


def test_equal_weights_are_said_to_be_that(tmp_path):
    place = folder_of(tmp_path)
    write_card(place, dataclasses.replace(FACTS, weighted=False))
    readme = (place / "README.md").read_text()
    assert "All of them have the weight 1." in readme
    assert "as its `weight` says" not in readme


def test_hashes_are_those_of_the_files(tmp_path):
    place = folder_of(tmp_path, 3)
    write_card(place, FACTS)
    lines = (place / "SHA256SUMS").read_text().splitlines()
    paths = [path for name in ("kept", "dropped") for path in sorted((place / name).iterdir())]
    assert lines == [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(place).as_posix()}"
        for path in (*paths, place / "README.md", place / "croissant.json")
    ]
    measured = {one["name"]: one for one in json.loads((place / "croissant.json").read_text())["variableMeasured"]}
    vouched = measured[HASHES]
    told = subprocess.run(["bash", "-c", vouched["measurementTechnique"]], cwd=place, check=True, capture_output=True)
    assert told.stdout.decode().split()[0] == vouched["value"]
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=place, check=False).returncode == 0


def test_datasets_loads_what_is_kept(tmp_path):
    datasets = pytest.importorskip("datasets")
    place = folder_of(tmp_path / "data", 3)
    write_card(place, FACTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = datasets.load_dataset(str(place), cache_dir=str(tmp_path / "cache"), split="train")
        dropped = datasets.load_dataset(str(place), "dropped", cache_dir=str(tmp_path / "cache"), split="train")
    assert kept["id"][:] == [f"kept-{i}" for i in range(6)]
    assert len(dropped) == 3


def test_readme_header_is_yaml(tmp_path):
    yaml = pytest.importorskip("yaml")
    place = folder_of(tmp_path)
    name = 'A "name": with\n--- and # signs'
    write_card(place, dataclasses.replace(FACTS, name=name, licences=("MIT", "LicenseRef-own"), languages=("no", "en")))
    header = yaml.safe_load((place / "README.md").read_text().split("---\n")[1])
    assert header["pretty_name"] == 'A "name": with --- and # signs'
    assert header["license"] == "other"
    assert header["language"] == ["no", "en"]  # not the truth value that YAML makes of a bare no
    assert header["size_categories"] == ["n<1K"]
    assert [one["config_name"] for one in header["configs"]] == ["default", "dropped"]


def resealed(place):
    """Someone changed the card, and made the list fit it."""
    told = (place / "SHA256SUMS").read_text().splitlines()
    now = hashlib.sha256((place / "croissant.json").read_bytes()).hexdigest()
    lines = [f"{now}  croissant.json" if line.endswith("croissant.json") else line for line in told]
    (place / "SHA256SUMS").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ["README.md", "croissant.json", "curation.json", "asked.json"])
def test_the_card_itself_is_in_the_list(tmp_path, name):
    """What says the share is as safe as what it is the share of."""
    place = folder_of(tmp_path)
    for other in ("curation.json", "asked.json"):
        (place / other).write_text('{"share": 0.25}')
    write_card(place, FACTS)
    check = ["sha256sum", "-c", "--quiet", "SHA256SUMS"]
    assert check_card(place) == []
    assert subprocess.run(check, cwd=place, check=False, capture_output=True).returncode == 0
    text = (place / name).read_text()
    (place / name).write_text(text + " ")
    assert check_card(place) == [f"{name} was changed: it has another hash than in SHA256SUMS."]
    assert subprocess.run(check, cwd=place, check=False, capture_output=True).returncode == 1
    if name != "croissant.json":
        (place / name).unlink()
        assert check_card(place) == [f"{name} is missing."]
    (place / name).write_text(text)
    lines = (place / "SHA256SUMS").read_text().splitlines()
    (place / "SHA256SUMS").write_text("\n".join(line for line in lines if not line.endswith(name)) + "\n")
    assert check_card(place) == [f"{name} is not in SHA256SUMS."]


# --- what must fail -----------------------------------------------------------------------------------------------


def test_a_wrong_hash_fails(tmp_path):
    """mlcroissant checks the hash of a file that it reads alone; we check all."""
    place = folder_of(tmp_path)
    write_card(place, FACTS)
    path = place / "croissant.json"
    card = json.loads(path.read_text())
    file = next(one for one in card["distribution"] if one["name"].startswith("kept/"))
    file["sha256"] = "0" * 64
    path.write_text(json.dumps(card))
    with pytest.raises(Exception, match=r"Download\(kept/part-00000"):
        records(opened(place)[0], "kept")
    assert len(check_card(place)) == 3  # the file, the list, the card itself
    resealed(place)
    assert len(check_card(place)) == 2


def test_a_wrong_field_fails(tmp_path):
    pytest.importorskip("mlcroissant")
    place = folder_of(tmp_path)
    write_card(place, FACTS)
    path = place / "croissant.json"
    card = json.loads(path.read_text())
    field = next(one for one in card["recordSet"][0]["field"] if one["name"] == "weight")
    field["source"]["extract"]["column"] = "wait"
    path.write_text(json.dumps(card))
    with pytest.raises(Exception, match=r"Read\(kept/part-00000"):
        records(opened(place)[0], "kept")
    assert check_card(place) == ["croissant.json was changed: it has another hash than in SHA256SUMS."]
    resealed(place)
    assert check_card(place) == ["kept has no column 'wait'."]


def test_a_card_without_a_type_is_refused_by_mlcroissant(tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    place = folder_of(tmp_path)
    write_card(place, FACTS)
    card = json.loads((place / "croissant.json").read_text())
    del card["distribution"][0]["encodingFormat"]
    (place / "croissant.json").write_text(json.dumps(card))
    with pytest.raises(mlcroissant.ValidationError, match="encodingFormat"):
        opened(place)


@pytest.mark.parametrize("files", [1, 3, 25])
def test_every_change_is_found(tmp_path, files):
    facts = dataclasses.replace(FACTS, counts={"in": 35, "kept": 30, "dropped": 3, "quarantined": 2})
    place = folder_of(tmp_path, files, 30)
    write_card(place, facts)
    part = place / "kept" / "part-00000.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    assert any("kept/part-00000.parquet was changed" in line for line in check_card(place))
    part.unlink()
    assert any("kept/part-00000.parquet is missing" in line for line in check_card(place))
    part.write_bytes(whole)
    assert check_card(place) == []
    (place / "kept" / "more.parquet").write_bytes(whole)
    assert check_card(place) == ["kept/more.parquet is not in SHA256SUMS."]
    (place / "kept" / "more.parquet").unlink()
    sums = (place / "SHA256SUMS").read_text()
    (place / "SHA256SUMS").write_text(sums.replace(sums[:64], "1" * 64))
    assert any("SHA256SUMS was changed" in line for line in check_card(place))
    (place / "SHA256SUMS").unlink()
    with pytest.raises(DataError, match="SHA256SUMS"):
        check_card(place)


def test_a_card_that_points_outside(tmp_path):
    place = folder_of(tmp_path / "data")
    write_card(place, FACTS)
    card = json.loads((place / "croissant.json").read_text())
    card["distribution"][0]["contentUrl"] = "../secret"
    (place / "croissant.json").write_text(json.dumps(card))
    assert any("leads out of the folder" in line for line in check_card(place))
    (place / "croissant.json").write_text("[]")
    with pytest.raises(DataError, match="no Croissant card"):
        check_card(place)


# --- what is given ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": " "}, "needs a name"),
        ({"counts": {"in": 12, "kept": 6, "dropped": 3, "quarantined": 2}}, "do not add up"),
        ({"counts": {"in": 6, "kept": 6}}, "holds the numbers"),
        ({"counts": {"in": 6.5, "kept": 6, "dropped": 0, "quarantined": 0}}, "whole numbers"),
        ({"counts": {"in": 5, "kept": 6, "dropped": -1, "quarantined": 0}}, "negative"),
        ({"reasons": {"score": 2}}, "add up to 2"),
        ({"unjudged": {"kept": 7}}, "how many of the kept and dropped"),
        ({"unjudged": {"quarantined": 1}}, "how many of the kept and dropped"),
        ({"unjudged": {"kept": 2}}, "say the shares of all"),
        ({"residual_of_all": Estimate(0.5, 0.6, 0.7, 0.95, "", 1)}, "'residual_of_all' is a share"),
        ({"residual": Estimate(0.5, 0.6, 0.7, 0.95, "", 1)}, "'residual' is a share"),
        ({"strata": {"news": Estimate(1.5, 1.5, 1.5, 0.95, "", 1)}}, "'news' is a share"),
        ({"census": "abc"}, "sha256"),
        ({"created": "yesterday"}, "is a date"),
        ({"version": "one"}, "MAJOR.MINOR.PATCH"),
        ({"licences": ("my own",)}, "no licence on the SPDX list"),
        ({"thresholds": {"news": math.inf}}, "is no number"),
    ],
)  # fmt: skip
def test_facts_that_cannot_be(tmp_path, changed, told):
    place = folder_of(tmp_path)
    with pytest.raises(SpecError, match=told):
        write_card(place, dataclasses.replace(FACTS, **changed))
    assert sorted(path.name for path in place.iterdir()) == ["dropped", "kept"]


def test_files_that_cannot_be(tmp_path):
    with pytest.raises(DataError, match="no kept"):
        write_card(tmp_path, FACTS)
    place = folder_of(tmp_path / "few", rows=5)
    with pytest.raises(DataError, match="kept/ holds 5 documents, but the facts say 6"):
        write_card(place, FACTS)
    place = folder_of(tmp_path / "none", dropped=0)
    with pytest.raises(DataError, match=r"3 documents were dropped, but there is no dropped"):
        write_card(place, FACTS)
    place = folder_of(tmp_path / "broken", 3)
    (place / "kept" / "part-00001.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="no Parquet file"):
        write_card(place, FACTS)
    pq.write_table(pa.table({"text": ["a", "b"]}), place / "kept" / "part-00001.parquet")
    with pytest.raises(DataError, match="different columns"):
        write_card(place, FACTS)
    for name in ("few", "none", "broken"):
        assert not (tmp_path / name / "croissant.json").exists()


def test_odd_columns_and_nothing_stated(tmp_path):
    place = folder_of(
        tmp_path, rows=6, dropped=0, files=2,
        extra=lambda index: {"my col/5%": [1 for _ in index], "tags": [["a"] for _ in index], "pairs": [{"a": 1} for _ in index], "ok": [True for _ in index]},
    )  # fmt: skip
    bare = CardFacts(
        "bare", "weigh", {"in": np.int64(6), "kept": np.int64(6), "dropped": 0, "quarantined": 0},
        Estimate(math.nan, 0.0, 0.3, 0.95, "bounds", 6), Estimate(math.nan, 0.0, 0.4, 0.95, "bounds", 6), "2026-03-01",
    )  # fmt: skip
    write_card(place, bare)
    rows = records(opened(place)[0], "kept")
    assert [row["kept/my%20col%2F5%25"] for row in rows] == [1] * 6
    assert rows[0]["kept/ok"] is True
    card = json.loads((place / "croissant.json").read_text())
    assert [one.decode() for one in rows[0]["kept/tags"]] == ["a"]
    assert "plain type for them: pairs." in card["recordSet"][0]["description"]
    assert "license" not in card
    readme = (place / "README.md").read_text()
    assert 'license: "unknown"' in readme
    assert "between 0 and 30 % (95 % bounds)" in readme
    assert "No licence was stated" in readme
    assert check_card(place) == []
