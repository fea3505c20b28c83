"""The cached downloader: pinned bytes or a clear refusal, never half a file, never a network in tests."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from remission.errors import DataError
from remission.sources import _download
from remission.sources._catalogue import COLLECTIONS, Collection, Pinned
from remission.sources._download import catalogue, fetch, unpack

CONTENT = b"some published bytes\n" * 50


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A set of one file with two addresses, and an empty cache."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    urls = ("https://first.invalid/toy.txt", "https://second.invalid/toy.txt")
    pinned = Pinned("toy.txt", len(CONTENT), digest, urls)
    monkeypatch.setitem(COLLECTIONS, "toy", Collection("toys", "MIT", "nobody", (pinned,)))
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("REMISSION_MIRROR", raising=False)
    return tmp_path


@pytest.fixture
def served(monkeypatch):
    """What each address answers: bytes, or an exception."""
    answers, asked = {}, []

    def download(url, output_file, pooch):
        asked.append(url)
        answer = answers[url]
        if isinstance(answer, Exception):
            raise answer
        with open(output_file, "wb") as stream:
            stream.write(answer)

    monkeypatch.setattr(_download, "_downloader", lambda: download)
    return answers, asked


FIRST, SECOND = "https://first.invalid/toy.txt", "https://second.invalid/toy.txt"


def test_download_once_then_from_the_cache(toy, served):
    answers, asked = served
    answers[FIRST] = CONTENT
    assert [entry.cached for entry in catalogue() if entry.name == "toy"] == [False]
    assert fetch("toy", "toy.txt") == CONTENT
    assert fetch("toy", "toy.txt") == CONTENT
    assert asked == [FIRST]
    assert [path.name for path in (toy / "cache/toys").iterdir()] == ["toy.txt"]
    assert [entry.cached for entry in catalogue() if entry.name == "toy"] == [True]


def test_a_second_address_helps_out(toy, served):
    answers, asked = served
    answers |= {FIRST: b"<html>blocked</html>", SECOND: CONTENT}
    assert fetch("toy", "toy.txt") == CONTENT
    assert asked == [FIRST, SECOND]


def test_wrong_bytes_everywhere_leave_nothing_behind(toy, served):
    answers, _ = served
    answers |= {FIRST: CONTENT[:-1], SECOND: CONTENT + b"x"}
    with pytest.raises(DataError, match="hash"):
        fetch("toy", "toy.txt")
    assert list((toy / "cache/toys").iterdir()) == []


def test_offline_names_address_folder_and_variables(toy, served):
    answers, _ = served
    answers |= {FIRST: ConnectionError("no route"), SECOND: ConnectionError("no route")}
    with pytest.raises(DataError) as caught:
        fetch("toy", "toy.txt")
    for part in (FIRST, SECOND, str(toy / "cache/toys/toy.txt"), "REMISSION_DATA", "REMISSION_MIRROR", "toys/toy.txt"):
        assert part in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_mirror_is_read_instead_of_the_network(toy, served, monkeypatch, packed):
    mirror = toy / "mirror" / "toys"
    mirror.mkdir(parents=True)
    path = mirror / ("toy.txt.gz" if packed else "toy.txt")
    monkeypatch.setenv("REMISSION_MIRROR", str(mirror.parent))
    with pytest.raises(DataError, match="neither in the mirror folder"):
        fetch("toy", "toy.txt")
    path.write_bytes(gzip.compress(CONTENT) if packed else CONTENT)
    assert fetch("toy", "toy.txt") == CONTENT
    assert served[1] == []
    damaged = bytearray(CONTENT)
    damaged[7] ^= 1
    path.write_bytes(gzip.compress(damaged) if packed else damaged)
    with pytest.raises(DataError, match="Expected SHA-256") as caught:
        fetch("toy", "toy.txt")
    for part in (str(path), hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(damaged).hexdigest(), "Delete"):
        assert part in str(caught.value)


def test_a_corrupted_cache_file_is_refused(toy, served):
    folder = toy / "cache" / "toys"
    folder.mkdir(parents=True)
    (folder / "toy.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"got e3b0c442.* \(0 bytes\)"):
        fetch("toy", "toy.txt")


def test_a_cache_that_cannot_be_made(toy, served, monkeypatch):
    (toy / "file").write_bytes(b"")
    monkeypatch.setenv("REMISSION_DATA", str(toy / "file"))
    with pytest.raises(DataError, match="REMISSION_DATA"):
        fetch("toy", "toy.txt")


def test_unpacking_has_a_limit():
    bomb = gzip.compress(bytes(10**6))
    assert len(unpack(bomb, 10**6, "it")) == 10**6
    with pytest.raises(DataError, match="more than 1000 bytes"):
        unpack(bomb, 1000, "it")
    for broken in (bomb[:-20], b"no gzip", bomb[:200] + b"\xff" * 50):
        with pytest.raises(DataError, match="no complete gzip"):
            unpack(broken, 10**6, "it")


def test_catalogue_offers_open_sets_only():
    entries = {entry.name: entry for entry in catalogue()}
    assert {"mnist", "fashion-mnist", "wikitext-2", "tiny-shakespeare", "names", "adult", "wine-quality"} <= set(
        entries
    )
    assert not {"brown", "multi30k"} & set(entries)
    assert all(entry.licence.startswith(("MIT", "CC BY", "Apache-2.0")) for entry in entries.values())
    assert all(entry.size > 1e5 for entry in entries.values())
    for collection in COLLECTIONS.values():
        for pinned in collection.files:
            assert len(pinned.sha256) == 64
            assert bool(pinned.urls) != bool(pinned.how)
            names = (pinned.file, "annotations.json") if collection.folder == "emoji" else (pinned.file,)
            assert all(url.endswith(tuple(f"/{name}" for name in names)) for url in pinned.urls)


def test_every_offered_file_lies_in_the_mirror(shared, monkeypatch):
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    for name, collection in COLLECTIONS.items():
        for pinned in collection.files:
            assert len(fetch(name, pinned.file)) == pinned.size
    assert all(entry.cached for entry in catalogue())
