"""Copies and clusters: the same as by a slow twin, however the corpus is cut, stopped or sorted."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import StoreError
from remission.clinic.census import grouping, parts, timings
from remission.clinic.census.grouping import COPY, FIRST, FIRST_HERE, group, group_path, read_groups
from remission.clinic.census.manifest import part_files, read_manifest, verify
from remission.clinic.census.running import local_engine, run_census
from remission.clinic.census.units import Config
from tests.clinic.census.made import NAMES, write_part
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import inline
from tests.corpus.damaged import jsonl, parquet

Documents = list[tuple[int, str, list[int]]]  # content, stratum, keys of the first bands


def twin(documents: Documents, near: bool, rate: Any) -> tuple[list[int], list[int]]:
    """Flags and clusters, by comparing every document with every other."""
    n = len(documents)
    flags = []
    for i, (content, stratum, _) in enumerate(documents):
        same = [j for j in range(n) if documents[j][0] == content]
        first = min(same, key=lambda j: (-rate(documents[j][1]), j))
        here = min(j for j in same if documents[j][1] == stratum)
        flags.append(FIRST if i == first else FIRST_HERE if i == here else COPY)
    cluster = list(range(n))
    for _ in range(n):
        for i, j in itertools.product(range(n), repeat=2):
            (a, _, mine), (b, _, other) = documents[i], documents[j]
            if a == b or (near and any(x == y != 0 for x, y in zip(mine, other, strict=True))):
                cluster[i] = cluster[j] = min(cluster[i], cluster[j])
    return flags, cluster


def write(folder: Path, documents: Documents, cuts: list[int]) -> list[str]:
    names = []
    for name, (low, high) in zip(NAMES, itertools.pairwise([0, *sorted(cuts), len(documents)]), strict=False):
        if low == high:
            continue
        here = documents[low:high]
        keys = np.zeros((len(here), 14), np.uint64)
        for number, (_, _, some) in enumerate(here):
            keys[number, : len(some)] = [key << 61 if key else 0 for key in some]  # all over the range
        write_part(folder, name, [content for content, _, _ in here], [stratum for _, stratum, _ in here], bands=keys)
        names.append(name)
    return names


document = st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.lists(st.integers(0, 7), min_size=3, max_size=3))


@given(st.lists(document, max_size=14), st.lists(st.integers(0, 14), max_size=3), st.booleans(), st.booleans())
def test_flags_and_clusters_are_those_of_a_slow_twin(
    tmp_path_factory: pytest.TempPathFactory, documents: Documents, cuts: list[int], near: bool, ranges: bool
) -> None:
    """Also when keys are sorted range by range, and when strata are drawn at different rates."""
    # a content has one sketch
    sketches = {content: keys for content, _, keys in documents}
    documents = [(content, stratum, sketches[content]) for content, stratum, _ in documents]
    rate = {"a": 0.5, "b": 0.5, "c": 1.0}.__getitem__
    folder = tmp_path_factory.mktemp("parts")
    names = write(folder, documents, [min(cut, len(documents)) for cut in cuts])
    with pytest.MonkeyPatch.context() as patch:
        if ranges:
            patch.setattr(grouping, "AT_ONCE", 2)
            patch.setattr(grouping, "READ_AT_ONCE", 5 * len(documents) if len(documents) % 2 else 0)
        found = group(folder, names, near, rate)
    read = [read_groups(folder, name) for name in names]
    flags = np.concatenate([copy for copy, _ in read]).tolist() if read else []
    clusters = np.concatenate([cluster for _, cluster in read]).tolist() if read else []
    expected = twin(documents, near, rate)
    assert flags == expected[0]
    assert clusters == expected[1]
    sizes = [sum(flags[i] == FIRST for i in range(len(flags)) if clusters[i] == one) for one in set(clusters)]
    assert (found.documents, found.copies) == (len(documents), sum(flag != FIRST for flag in flags))
    assert found.clusters == sum(size > 1 for size in sizes)
    assert (found.clustered, found.largest) == (sum(s for s in sizes if s > 1), max(sizes, default=0))


def corpus(folder: Path) -> Path:
    """Texts, edited versions and exact copies, over several files."""
    folder.mkdir()
    rng = np.random.default_rng(4)
    words = np.array([f"{a}{b}o" for a in "bdfgklmnprst" for b in "aeiou"])
    listed = []
    for number in range(60):
        base = rng.choice(words, 80)
        for version in range(number % 4 + 1):
            some = base.copy()
            some[5 * version] = "edited" if version else some[0]
            listed.append(" ".join(some))
    listed += listed[:50]
    order = rng.permutation(len(listed))
    content = [{"id": f"d{k}", "text": listed[k], "source": "abc"[k % 3]} for k in order.tolist()]
    third = len(content) // 3
    parquet(folder / "a.parquet", content[:third], group=10)
    jsonl(folder / "b.jsonl", content[third : 2 * third])
    jsonl(folder / "c.jsonl", content[2 * third :])
    return folder


def test_any_cut_and_any_number_of_workers_give_the_same_groups(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    found = []
    for name, size, engine in (
        ("a", 1000, inline),
        ("b", 9000, inline),
        ("c", None, inline),
        ("d", 3000, local_engine(2)),
    ):
        census = run_census([folder], LENGTHS, tmp_path / name, Config(by=("source",), size=size), engine)
        assert census.manifest.groups is not None
        found.append(replace(census.manifest.groups, files=""))  # those are cut as the parts are
        assert verify(tmp_path / name) == []
    assert len({len(part_files(tmp_path / name, read_manifest(tmp_path / name))) for name in "abc"}) == 3
    assert all(groups == found[0] for groups in found)
    assert (found[0].documents, found[0].copies) == (200, 50)
    assert found[0].clusters == 45
    assert (found[0].clustered, found[0].largest) == (135, 4)
    exact = run_census([folder], LENGTHS, tmp_path / "e", Config(by=("source",), copies="exact"), inline).manifest
    assert exact.groups is not None
    assert (exact.groups.copies, exact.groups.clusters) == (50, 0)
    none = run_census([folder], LENGTHS, tmp_path / "f", Config(by=("source",), copies="none"), inline).manifest
    assert none.groups is None
    assert not (tmp_path / "f" / "groups").exists()
    assert verify(tmp_path / "f") == []


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["before", "written", "synced", "renamed"])
@pytest.mark.parametrize("file", [1, 4])
def test_stopped_between_parts_and_groups(
    moment: str, file: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each moment of writing a file of groups; then it is gone on with, and is the undisturbed census."""
    folder = corpus(tmp_path / "in")
    config = Config(by=("source",), size=3000)
    whole = run_census([folder], LENGTHS, tmp_path / "whole", config, inline)
    count = itertools.count(1)

    def stop(before: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            if next(count) == file:
                raise Killed
            return before(*args, **more)

        return call

    places = {"written": (os, "fsync"), "synced": (os, "replace"), "renamed": (grouping, "sync_folder")}
    before = grouping._write

    def write(*args: Any) -> Any:
        owner, name = places[moment]
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(owner, name, stop(getattr(owner, name)))
            return before(*args)

    with monkeypatch.context() as patch:
        patch.setattr(grouping, "_write", stop(before) if moment == "before" else write)
        with pytest.raises(Killed):
            run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    assert not (tmp_path / "out" / "manifest.json").exists()
    again = run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    assert again.found_done == len(whole.manifest.parts)
    same(tmp_path)


def same(tmp_path: Path) -> None:
    for path in [tmp_path / "whole" / "manifest.json", *(tmp_path / "whole" / "groups").rglob("*.parquet")]:
        assert (tmp_path / "out" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
    assert verify(tmp_path / "out") == []
    assert not [*(tmp_path / "out").rglob("*.aside")]


def test_groups_are_found_once_and_made_anew_where_they_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = corpus(tmp_path / "in")
    config = Config(by=("source",), size=3000)
    run_census([folder], LENGTHS, tmp_path / "whole", config, inline)
    manifest = run_census([folder], LENGTHS, tmp_path / "out", config, inline).manifest
    with monkeypatch.context() as patch:
        patch.setattr(timings, "group", lambda *_: pytest.fail("they are known"))
        run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    path = group_path(tmp_path / "out", manifest.order[1])
    for damage in (
        lambda: path.unlink(),
        lambda: path.write_bytes(b"PAR1"),
        lambda: swap(tmp_path, manifest.order),
        lambda: flip(path),
    ):
        damage()
        assert [fault["kind"] for fault in verify(tmp_path / "out")] == ["groups missing or changed"]
        run_census([folder], LENGTHS, tmp_path / "out", config, inline)
        same(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="Run the census again"):
        read_groups(tmp_path / "out", manifest.order[1])


def flip(path: Path) -> None:
    """A bit that no reader of the values would see."""
    content = bytearray(path.read_bytes())
    content[content.rindex(b"parquet-cpp")] ^= 1
    path.write_bytes(content)
    assert len(read_groups(path.parents[2], path.stem)) == 2


def swap(tmp_path: Path, order: tuple[str, ...]) -> None:
    one, other = (group_path(tmp_path / "out", name) for name in order[:2])
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)


def test_a_manifest_of_before_goes_before_groups_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run that is stopped here would leave a manifest beside groups of another corpus."""
    folder = corpus(tmp_path / "in")
    config = Config(by=("source",), size=3000)
    run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    jsonl(folder / "d.jsonl", [{"id": "new", "text": "another text", "source": "a"}])
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "_write", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    assert not (tmp_path / "out" / "manifest.json").exists()
    run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    run_census([folder], LENGTHS, tmp_path / "whole", config, inline)
    assert read_manifest(tmp_path / "out").groups == read_manifest(tmp_path / "whole").groups
    assert verify(tmp_path / "out") == []


def test_a_census_without_documents_has_groups_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n')
    groups = run_census([tmp_path / "a.jsonl"], LENGTHS, tmp_path / "out", None, inline).manifest.groups
    assert groups is not None
    assert groups.table() | {"sha256": "", "files": ""} == {
        "documents": 0, "copies": 0, "clusters": 0, "clustered": 0, "largest": 0, "sha256": "", "files": "",
    }  # fmt: skip
    assert verify(tmp_path / "out") == []


def test_parts_say_which_columns_are_sketches() -> None:
    assert len(parts.BAND_NAMES) == 14
    assert set(parts.BAND_NAMES) < set(parts.schema().names)
