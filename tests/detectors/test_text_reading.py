"""Reading text: what is a piece, what layout leaves no trace, and that nothing crashes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.detectors._reading import WORDS, joined, lengths, prepared, read_all
from remission.detectors._training import take
from remission.errors import DataError
from remission.numerics.reading import MARK, NUMBER, Reading, spelled
from remission.numerics.vocabulary import place, split, table


def pieces(text: str, reading: Reading | None = None) -> list[str]:
    reading = read_all([text]) if reading is None else reading
    chars = "".join(chr(char & 0x1FFFFF) for char in reading.chars)
    return [chars[low:high] for low, high in zip(reading.ends[:-1], reading.ends[1:], strict=True)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It's well-known.", ["it's", "well", "-", "known", "."]),
        ("a \u2014 b -- c \u2013 d", ["a", "\u2014", "b", "\u2014", "c", "\u2014", "d"]),
        ("\u201cQuoted\u201d ``so'' \u00abtoo\u00bb", ['"', "quoted", '"', '"', "so", '"', '"', "too", '"']),
        ("He do n't , it 's and we 'll .", ["he", "don't", ",", "it's", "and", "we'll", "."]),
        ("wait ... what?! no!!", ["wait", ".", "what", "?", "!", "no", "!"]),
        ("3.14 and 1,000 in 2021", ["000", "and", "0000", "in", "0000"]),
        ("Caf\u00e9 nai\u0308ve \ufb01ne", ["cafe", "naive", "fine"]),
        ("co-\noperate", ["cooperate"]),
        ("w\u200bord soft\u00adhyphen", ["word", "softhyphen"]),
        ("\u0430pple \u0440\u0435\u0430\u0440 and \u03bfther", ["apple", "peap", "and", "other"]),
        ("\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440", ["\u043f\u0440\u0438\u0432\u0435\u0442", "\u043c\u0438\u0440"]),
        ("R&amp;D &lt;b&gt;", ["r", "&", "d", "b"]),
        ("**Bold** # head", ["bold", "head"]),
        ("\u4f60\u597d\u3002", ["\u4f60", "\u597d", "."]),
        ("a\x00b \ud800c", ["a", "b", "c"]),
        ('patients".They', ["patients", '"', ".", "they"]),
        ("", []),
        (" \n\t\u00a0", []),
    ],
)  # fmt: skip
def test_pieces(text: str, wanted: list[str]) -> None:
    assert pieces(text) == wanted


PLAIN = "She said, \"it's a well-known fact\"; he did not (yet) agree: why? In 1,984 cases - or more - it isn't so!"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(" ", "\n"),
        lambda text: text.replace(" ", "  \t"),
        lambda text: text.replace('"', "\u201c").replace("'", "\u2019"),
        lambda text: text.replace('"', "``"),
        lambda text: text.replace('"', "''"),
        lambda text: text.replace(",", " ,").replace("?", " ?").replace(";", " ;").replace("1 ,984", "1,984"),
        lambda text: text.replace("isn't", "is n't").replace("it's", "it 's"),
        lambda text: text.replace(" - ", " \u2013 "),
        lambda text: text.upper(),
        lambda text: "\ufeff" + text.replace("e", "e\u200d"),
        lambda text: text.replace("a", "\u0430").replace("o", "\u043e"),
        lambda text: text.replace(": ", ":").replace("; ", ";"),
    ],
)
def test_layout_leaves_no_trace(change) -> None:
    assert change(PLAIN) != PLAIN
    one, other = read_all([PLAIN]), read_all([change(PLAIN)])
    assert one.hashes.tolist() == other.hashes.tolist()
    assert one.kind.tolist() == other.kind.tolist()
    assert read_all([PLAIN.replace("fact", "fiction")]).hashes.tolist() != one.hashes.tolist()


@given(st.lists(st.text(alphabet=st.characters(), max_size=40), min_size=1, max_size=6))
def test_any_characters_and_no_neighbours(texts: list[str]) -> None:
    """Every code point is read, surrogates included, and a text reads the same beside others."""
    whole = read_all(texts)
    assert (np.diff(whole.ends) > 0).all()
    assert whole.ends[-1] == whole.chars.size
    for number, text in enumerate(texts):
        alone, part = read_all([text]), take(whole, np.array([number]))
        for one, other in zip(alone, part, strict=True):
            assert one.tolist() == other.tolist()
    again = joined([read_all([text]) for text in texts])
    assert all(one.tolist() == other.tolist() for one, other in zip(whole, again, strict=True))


def test_long_texts_are_cut() -> None:
    reading = read_all(["word " * 100_000, "word, " * 10, "x" * 1_000_000])
    assert lengths(reading).tolist() == [WORDS, 10, 1]
    assert reading.hashes[-1] == 0  # no word has so many letters
    assert len(prepared("\n" * 10_000_000 + "late")) == 0


def test_only_text() -> None:
    with pytest.raises(DataError, match="takes str, got bytes"):
        read_all([b"bytes"])
    with pytest.raises(DataError, match="NoneType"):
        read_all([None])


def test_joined_words_come_apart() -> None:
    known = table(read_all(["part of the model and under stand understand a"]).hashes)
    text = "Partof themodel, understand! xqztvw theof"
    parted = split(read_all([text]), known)
    assert pieces("", parted) == ["part", "of", "the", "model", ",", "understand", "!", "xqztvw", "the", "of"]
    assert parted.hashes[:2].tolist() == read_all(["part of"]).hashes.tolist()
    assert parted.starts.tolist() == [0, 10]


def test_tables_find_what_they_hold() -> None:
    hashes = np.random.default_rng(0).integers(1, 2**63, 500).astype(np.uint64)
    keys = table(hashes)
    assert all(keys[place(keys, one)] == one for one in hashes)
    assert all(keys[place(keys, one + np.uint64(1))] == 0 for one in hashes)


def test_spelling_out() -> None:
    reading = read_all(["One two, 3!", "", "\u4f60"])
    flat, starts = spelled(reading)
    assert "".join(map(chr, flat[: starts[1]])) == " one two, 0!"
    assert starts[1] == starts[2]
    assert starts[3] - starts[2] == 2
    assert reading.kind.tolist()[-3:] == [NUMBER, MARK, 1]
