"""Tokens, prose, spelling and fingerprints."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.data import Space
from remission.errors import DataError
from remission.fingerprint import fingerprint
from remission.sources import _docstrings
from remission.sources._text import blocks, words
from remission.sources.prose import Prose
from remission.spelling import spell


@given(st.text())
def test_cutting_loses_nothing_but_white_space(text):
    normal = unicodedata.normalize("NFC", text)
    assert "".join(words(text)) == "".join(normal.split())
    assert all(token and not any(char.isspace() for char in token) for token in words(text))


@given(st.lists(st.text("ab c", max_size=20), min_size=1, max_size=8), st.integers(1, 5), st.integers(2, 4))
def test_blocks_are_the_text(documents, length, vocabulary):
    stream = "".join(document + "\n" for document in documents)
    if len(stream) < length:
        with pytest.raises(DataError, match="fewer than one block"):
            blocks(documents, length, None, "character", "it")
        return
    found = blocks(documents, length, None, "character", "it")
    assert "".join(found.space.names[i] for i in found.items.ravel()) == stream[: len(stream) // length * length]
    counts = [stream.count(name) for name in found.space.names]
    assert counts == sorted(counts, reverse=True)
    small = blocks(documents, length, vocabulary, "character", "it")
    assert small.space.size == min(vocabulary, found.space.size)
    assert small.items.max() < small.space.size
    kept = [name for name in small.space.names if name != "<unk>"]
    assert kept == list(found.space.names[: len(kept)])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMISSION_DATA", str(folder))
        yield folder


def test_prose_is_a_lot_of_english(cache):
    source = Prose(lower=True)
    items, names = source.items(), source.space.names
    assert items.size > 100_000
    assert items.shape[1] == 64
    assert items is source.items()
    assert {"the", "of", "a", "to", "is", "and"} <= set(names[:25])
    texts = json.loads(next((cache / "prose").glob("*.json")).read_text())
    joined = "\n".join(texts)
    assert not any(sign in joined for sign in (">>>", "::", "http", "`", "{", "->", "=="))
    letters = sum(char.isalpha() or char == " " for char in joined) / len(joined)
    assert letters > 0.95
    common = sum(joined.lower().count(f" {word} ") for word in ("the", "of", "a", "to", "is", "and", "in", "for"))
    assert 0.15 < common / len(joined.split()) < 0.5
    assert len(set(texts)) == len(texts)


def test_prose_is_kept_and_rebuilt_alike(cache):
    packages = ("numpy",)
    first = _docstrings.documents(packages)
    stored = {path: path.read_bytes() for path in (cache / "prose").iterdir()}
    assert not [path for path in stored if path.suffix != ".json"]
    assert _docstrings.documents(packages) == first
    for path in stored:
        path.write_text("[1, ")
    assert _docstrings.documents(packages) == first
    assert Prose(packages=packages, level="character").space.joiner == ""


def test_prose_without_a_cache_or_a_package(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "file"))
    assert _docstrings.documents(("click",))
    with pytest.raises(DataError, match="no installed package 'no_such'"):
        _docstrings.documents(("no_such",))
    with pytest.raises(DataError, match="no installed package"):
        _docstrings.documents(("../x",))


def test_what_counts_as_prose():
    text = """Compute a thing.

    Indented text that is long enough to be a paragraph of its own.

This is a full sentence about ``things`` that :func:`~a.compute` does [1]_.

Call f(x) = y when you want to see what a formula looks like here.

Parameters
----------
Sentences in a parameter section are not prose even when they look like it.

Notes
-----
The notes are read again, because they are *mostly* prose in practice.
"""
    assert _docstrings.paragraphs(text) == [
        "This is a full sentence about things that a.compute does.",
        "The notes are read again, because they are mostly prose in practice.",
    ]


def test_spelling():
    def shown(text):
        tokens = text.split(" ")
        return spell(np.arange(len(tokens)), Space("tokens", (len(tokens),), len(tokens), tuple(tokens)))

    assert shown('He said " no " , twice ( really ) .') == 'He said "no", twice (really).'
    assert shown("about 1 @,@ 000 well @-@ known men ; it 's") == "about 1,000 well-known men; it's"
    assert shown("one . \n Two \n") == "one.\nTwo\n"
    assert spell(np.array([-1, 0, 9]), Space("tokens", (3,), 2, ("a", "b"))) == "<-1> a <9>"


def test_fingerprints():
    array = np.arange(6.0).reshape(2, 3)
    same = [array.copy(), np.asfortranarray(array), array.astype(">f8"), np.arange(12.0)[::2].reshape(2, 3) / 2]
    assert {fingerprint(one) for one in same} == {fingerprint(array)}
    changed = array.copy()
    changed[1, 2] = np.nextafter(5.0, 6.0)
    others = [changed, array.astype(np.float32), array.astype(int), array.T, array.reshape(3, 2), array[:1], -array * 0]
    assert len({fingerprint(one) for one in [array, *others]}) == 8
    assert len(fingerprint(np.empty((0, 3)))) == 64
    assert fingerprint(np.array(1.5)) != fingerprint(np.array([1.5]))
    with pytest.raises(TypeError):
        fingerprint(np.array([None]))
