"""A user's own files: what is read, and what is refused with its place."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission.errors import DataError, SpecError
from remission.sources.file import File


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(name, content):
        path = tmp_path / name
        if isinstance(content, dict):
            if path.suffix == ".npz":
                np.savez(path, **content)
            else:
                pq.write_table(pa.table(content), path)
        elif isinstance(content, np.ndarray):
            np.save(path, content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return put


POINTS = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]])
CSV = "a,b,kind\n1,2,yes\n3,5.5,no\n4,-1,yes\n"


def test_arrays(write):
    source = File(path=write("x.npy", POINTS))
    assert source.space.kind == "vector"
    assert (source.items() == POINTS).all()
    assert File(path=write("line.npy", POINTS[:, 0])).space.shape == (1,)
    symbols = File(path=write("s.npy", np.array([3, 0, 1])))
    assert (symbols.space.kind, symbols.space.size) == ("symbols", 4)
    assert symbols.items().tolist() == [3, 0, 1]
    pictures = File(path=write("p.npy", np.arange(24, dtype=np.uint8).reshape(2, 3, 4)))
    assert pictures.space.picture == (3, 4)
    assert pictures.items()[1, 11] == 23 / 255
    tokens = File(path=write("t.npy", np.array([[0, 5], [1, 1]])), tokens=True)
    assert (tokens.space.kind, tokens.space.shape, tokens.space.size) == ("tokens", (2,), 6)
    path = write("z.npz", {"x": POINTS, "y": np.array([1, 0, 1]), "z": np.array([0.5, 1.0, 2.0])})
    assert File(path=path, array="x", classes="y").items()[:, -1].tolist() == [1, 0, 1]
    assert File(path=path, array="x", response="z").space.kind == "regression"


def test_tables(write):
    path = write("t.csv", CSV)
    labelled = File(path=path, classes="kind")
    assert labelled.space.names == ("no", "yes")
    assert labelled.items().tolist() == [[1, 2, 1], [3, 5.5, 0], [4, -1, 1]]
    assert File(path=path, columns=("b",)).items().ravel().tolist() == [2, 5.5, -1]
    assert File(path=path, columns=("a",), response="b").items().tolist() == [[1, 2], [3, 5.5], [4, -1]]
    symbols = File(path=path, symbol="kind")
    assert (symbols.space.kind, symbols.items().tolist()) == ("symbols", [1, 0, 1])
    assert File(path=write("t.tsv", CSV.replace(",", "\t")), classes="kind").items().shape == (3, 3)
    table = {"a": [1, 3, 4], "c": ["10", "9", "10"], "text": ["One two.", "Three", "Two, three!"]}
    path = write("t.parquet", table)
    assert File(path=path, columns=("a",), classes="c").space.names == ("9", "10")
    text = File(path=path, text="text", length=3, lower=True)
    assert "".join(text.space.names[i] for i in text.items().ravel()) == "onetwo.\nthree\ntwo,three"


def test_text(write):
    path = write("t.md", "\ufeffHello world.\nStill here.\n\n\nNew paragraph\n")
    words = File(path=path, length=2)
    assert [words.space.names[i] for i in words.items().ravel()] == [
        "Hello", "world", ".", "Still", "here", ".", "\n", "New", "paragraph", "\n",
    ]  # fmt: skip
    letters = File(path=path, length=5, level="character")
    assert "".join(letters.space.names[i] for i in letters.items()[0]) == "Hello"
    assert letters.space.joiner == ""
    assert File(path=path, length=2, vocabulary=3).space.size == 3


def test_a_changed_file_is_read_again(write):
    source = File(path=write("x.npy", POINTS))
    assert source.items()[0, 0] == 1.0
    assert source.items() is source.items()
    write("x.npy", np.concatenate([POINTS + 1, POINTS]))
    assert source.items()[0, 0] == 2.0


NAN = POINTS.copy()
NAN[2, 1] = np.nan


@pytest.mark.parametrize(
    ("name", "content", "fields", "says"),
    [
        ("x.npy", b"", {}, "is empty"),
        ("x.npy", b"no numpy file", {}, "Cannot read"),
        ("x.npy", np.array([{"a": 1}, 2], dtype=object), {}, "Python objects"),
        ("x.npy", np.array(["a", "b"]), {}, "not real numbers"),
        ("x.npy", np.array([1 + 2j, 3]), {}, "not real numbers"),
        ("x.npy", NAN, {}, "row 3, column 2 is missing or NaN"),
        ("x.npy", np.array([[1.0, 2], [np.inf, 3]]), {}, "row 2, column 1 is infinite"),
        ("x.npy", np.array([[1.0, 2], [1.0, 3]]), {}, "column 1 never changes"),
        ("x.npy", np.zeros((2, 2, 2, 2)), {}, r"shape \(2, 2, 2, 2\)"),
        ("x.npy", np.zeros((1, 2)), {}, "N of 2 or more"),
        ("x.npy", np.array([[1, -2], [0, 1]]), {"tokens": True}, "whole numbers from 0"),
        ("x.npz", {"a": POINTS, "b": POINTS}, {}, "Name one with 'array': a, b"),
        ("x.npz", {"a": POINTS, "b": POINTS}, {"array": "c"}, "no array 'c'"),
        ("x.npz", {"a": POINTS, "b": POINTS}, {"array": "a", "classes": "b"}, "is needed"),
        ("x.npz", b"PK no zip", {}, "Cannot read"),
        ("x.csv", "", {}, "is empty"),
        ("x.csv", "a,b\n", {}, "0 row"),
        ("x.csv", "a,b\n1,2\n", {}, "1 row"),
        ("x.csv", "a,a\n1,2\n3,4\n", {}, "more than one column"),
        ("x.csv", "a,b\n1,2\n3\n", {}, "Expected 2 columns"),
        ("x.csv", CSV, {}, "row 1, column 'kind': 'yes' is no number"),
        ("x.csv", "a,b\n1,2\nx,3\n", {}, "row 2, column 'a': 'x' is no number"),
        ("x.csv", "a,b\n1,2\n,3\n", {}, "row 2, column 'a' is missing"),
        ("x.csv", "a,b\n1,2\n1,3\n", {}, "column 'a' never changes"),
        ("x.csv", CSV, {"classes": "kinds"}, "Did you mean 'kind'"),
        ("x.csv", CSV, {"columns": ("c",)}, "no column 'c'"),
        ("x.csv", "a,k\n1,u\n2,\n3,v\n", {"classes": "k"}, "column 'k', row 2 is missing"),
        ("x.csv", "a,k\n1,u\n2,u\n", {"classes": "k"}, "only 'u'"),
        ("x.csv", b"a,b\n1,2\n3,\xe9\n", {}, "0xe9 at offset 10 .line 3"),
        ("x.parquet", b"PAR1 not really", {}, "Cannot read"),
        ("x.parquet", {"a": [1.0, None], "b": [1, 2]}, {}, "row 2, column 'a' is missing"),
        ("x.parquet", {"a": [[1], [2]], "b": [1, 2]}, {}, "not numeric"),
        ("x.parquet", {"t": ["a", None]}, {"text": "t"}, "row 2, column 't' is missing"),
        ("x.txt", b"caf\xe9\n", {}, "0xe9 at offset 3 .line 1"),
        ("x.txt", "a few words", {}, r"4 token\(s\), fewer than one block of 64"),
    ],
)
def test_bad_files_are_refused_with_the_place(write, name, content, fields, says):
    path = write(name, content)
    with pytest.raises(DataError, match=says) as caught:
        File(path=path, **fields).items()
    assert name in str(caught.value)


def test_constant_columns_can_be_kept(write):
    path = write("x.npy", np.array([[1.0, 2], [1.0, 3]]))
    assert File(path=path, constant="keep").items().shape == (2, 2)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"path": "x.xlsx"}, "unknown suffix"),
        ({"path": "x"}, "unknown suffix"),
        ({"path": "x.csv", "classes": "a", "text": "b"}, "exclude each other"),
        ({"path": "x.txt", "columns": ("a",)}, "means nothing"),
        ({"path": "x.npy", "array": "a"}, "means nothing"),
    ],
)
def test_contradictions_are_refused_before_reading(fields, says):
    with pytest.raises(SpecError, match=says):
        File(**fields)


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match="no file"):
        File(path=str(tmp_path / "none.csv")).items()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="not a file"):
        File(path=str(tmp_path / "folder.csv")).items()
