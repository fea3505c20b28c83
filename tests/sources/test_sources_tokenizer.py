"""Text cut by tokenizers: a BPE trained on the text itself, or a tokenizer that is there already."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from remission.data import Space
from remission.errors import DataError, SpecError
from remission.networks import vocabulary
from remission.networks.checkpoint import folder_of
from remission.sources.file import File
from remission.sources.names import Names
from remission.sources.prose import Prose
from remission.sources.tiny_shakespeare import TinyShakespeare
from remission.sources.wikitext_2 import Wikitext2

STRANGE = (
    "Grüße aus Köln — “naïve” café, 12 345 €.\n\n  Zwei  Leerzeichen,\ta tab.\r\n"
    "日本語のテキスト。हिन्दी पाठ। 👩‍👩‍👧‍👦 and 🇩🇪!\n \n = Title = \n<unk> @-@ it's don't\n"
)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "cache"


def exact(items, space: Space) -> bytes:
    """The bytes of all blocks in a row."""
    return space.joiner.join(space.names[i] for i in items.ravel()).encode("utf-8", "surrogateescape")


def test_the_text_comes_back_to_the_byte(tmp_path):
    (tmp_path / "text.txt").write_bytes((STRANGE * 20).encode())
    for vocabulary_size in (256, 300, 700):
        source = File(path=str(tmp_path / "text.txt"), level="bpe", length=7, vocabulary=vocabulary_size)
        data = exact(source.items(), source.space)
        assert (STRANGE * 20).encode().startswith(data)
        assert len(data) > len((STRANGE * 20).encode()) - 100
        assert source.space.size == len(source.space.names) <= vocabulary_size
    assert any("\udc80" <= sign <= "\udcff" for name in source.space.names for sign in name)
    block = source.items()[0]
    assert STRANGE.startswith(source.space.text(block).rstrip("�"))
    assert not source.items().flags.writeable


@given(st.text(max_size=60), st.integers(256, 300))
def test_any_text_comes_back(text, size):
    made = vocabulary.train([text], size)
    names, joiner = vocabulary.names(made)
    numbers = vocabulary.encode(made, text)
    assert joiner.join(names[i] for i in numbers).encode("utf-8", "surrogateescape") == text.encode()
    whole = made.encode(text, add_special_tokens=False).ids
    assert numbers.tolist() == whole, "pieces must not change what a tokenizer does"


def test_a_bpe_is_always_the_same_and_kept(cache, monkeypatch):
    texts = [STRANGE * 30]
    assert vocabulary.train(texts, 600).to_str() == vocabulary.train(texts, 600).to_str()
    from remission.sources import _tokenizer

    first = _tokenizer.subword_blocks(texts, 5, None, 600, False, "it")
    kept = sorted(path.name for path in (cache / "tokens").iterdir())
    assert len(kept) == 2
    with monkeypatch.context() as patch:
        patch.setattr(vocabulary, "train", None)
        patch.setattr(vocabulary, "encode", None)
        again = _tokenizer.subword_blocks(texts, 5, None, 600, False, "it")
    assert (again.items == first.items).all()
    assert again.space == first.space
    for path in (cache / "tokens").iterdir():
        path.write_bytes(b"damaged")
    assert (_tokenizer.subword_blocks(texts, 5, None, 600, False, "it").items == first.items).all()
    assert _tokenizer.subword_blocks(texts, 5, None, 600, True, "it").space != first.space


def test_real_texts(shared, monkeypatch):
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    source = TinyShakespeare(level="bpe", length=32)
    assert source.space.size == 512
    text = (shared / "data" / "tinyshakespeare" / "input.txt").read_bytes()
    assert text.startswith(exact(source.items(), source.space))
    assert source.items().size < len(text) / 1.8
    wiki = Wikitext2(split="valid", level="bpe", vocabulary=2000, lower=True)
    assert wiki.space.size == 2000
    start = exact(wiki.items(), wiki.space)[:3000].decode("utf-8", "replace")
    assert start.startswith(" \n = homarus gammarus = \n \n homarus gammarus , known as the european lobster")
    assert (
        Names(level="bpe", length=16).space.text(Names(level="bpe", length=16).items()[0]).startswith("emma\nolivia\n")
    )
    assert Names(level="bpe").label == "names[level=bpe]"


def saved(folder, tokenizer) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_a_tokenizer_that_is_there(tmp_path):
    made = vocabulary.train([STRANGE * 5], 400)
    made.add_special_tokens(["<|endoftext|>"])
    folder = saved(tmp_path / "model", made)
    (tmp_path / "text.md").write_text(STRANGE * 3 + "<|endoftext|>" + STRANGE, encoding="utf-8", newline="")
    source = File(path=str(tmp_path / "text.md"), tokenizer=folder, length=1)
    names = source.space.names
    assert source.space.size == len(names) == made.get_vocab_size()
    assert exact(source.items(), source.space).decode() == STRANGE * 3 + "<|endoftext|>" + STRANGE
    assert names.count("<|endoftext|>") == 1
    assert (source.items().ravel() == names.index("<|endoftext|>")).sum() == 1
    file = File(path=str(tmp_path / "text.md"), tokenizer=f"{folder}/tokenizer.json", level="tokenizer", length=1)
    assert (file.items() == source.items()).all()


def test_prose_and_tables_end_documents(tmp_path):
    folder = saved(tmp_path / "model", vocabulary.train(["some words"], 256))
    prose = Prose(packages=("click",), tokenizer=folder, length=8)
    assert b"\n" in exact(prose.items(), prose.space)
    (tmp_path / "table.csv").write_text("words,x\none two,1\nthree,2\n")
    table = File(path=str(tmp_path / "table.csv"), text="words", level="bpe", length=1)
    assert exact(table.items(), table.space) == b"one two\nthree\n"


def test_other_kinds_of_tokenizers():
    """SentencePiece with bytes, WordPiece and whole words: the joined names are the text as far as they keep it."""
    pieces = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "▁": 257, "a": 258, "▁a": 259}
    model = models.BPE(pieces, [("▁", "a")], unk_token="<unk>", byte_fallback=True)
    sentence = Tokenizer(model)
    sentence.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    sentence.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    names, joiner = vocabulary.names(sentence)
    text = "a aé a\na"
    joined = joiner.join(names[i] for i in vocabulary.encode(sentence, text))
    assert joined.encode("utf-8", "surrogateescape").decode() == " " + text
    words = Tokenizer(models.WordPiece({"[UNK]": 0, "play": 1, "##ing": 2, "well": 3}, unk_token="[UNK]"))
    words.pre_tokenizer, words.decoder = pre_tokenizers.Whitespace(), decoders.WordPiece()
    names, joiner = vocabulary.names(words)
    assert joiner.join(names[i] for i in vocabulary.encode(words, "playing well")) == " playing well"
    whole = Tokenizer(models.WordLevel({"to": 0, "be": 1, "<unk>": 3}, unk_token="<unk>"))
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    assert vocabulary.names(whole) == (("to", "be", "", "<unk>"), " ")


def test_older_files_of_a_model(tmp_path):
    """vocab.json with merges.txt, as GPT-2 was first published, is the same tokenizer as its tokenizer.json."""
    made = vocabulary.train([STRANGE * 5], 400)
    made.model.save(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    older = vocabulary.load(tmp_path)
    assert vocabulary.encode(older, STRANGE).tolist() == vocabulary.encode(made, STRANGE).tolist()
    assert vocabulary.names(older)[0][: made.get_vocab_size()] == vocabulary.names(made)[0]


def test_what_a_text_begins_with(tmp_path):
    assert vocabulary.start(tmp_path) is None
    (tmp_path / "special_tokens_map.json").write_text('{"bos_token": {"content": "<s>"}}')
    assert vocabulary.start(tmp_path) == "<s>"
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<b>"}')
    assert vocabulary.start(tmp_path) == "<b>"
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": null}')
    assert vocabulary.start(tmp_path) == "<s>"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"level": "tokenizer"}, "needs 'tokenizer'"),
        ({"tokenizer": "x", "level": "bpe"}, "exclude each other"),
        ({"tokenizer": "x", "level": "character"}, "exclude each other"),
        ({"tokenizer": "x", "vocabulary": 300}, "Remove one of 'vocabulary' and 'tokenizer'"),
        ({"level": "bpe", "vocabulary": 255}, "the 256 bytes"),
    ],
)
def test_contradictions_are_refused(fields, words):
    for make in (Prose, Wikitext2, lambda **fields: File(path="a.txt", **fields)):
        with pytest.raises(SpecError, match=words):
            make(**fields)


def test_what_is_no_tokenizer_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("some words")

    def items(tokenizer, **fields):
        return File(path=str(tmp_path / "text.txt"), tokenizer=str(tokenizer), length=2, **fields).items()

    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no tokenizer: no tokenizer\.json.*save_pretrained"):
        items(tmp_path / "empty")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match=r"broken\.json' is no tokenizer"):
        items(tmp_path / "broken.json")
    with pytest.raises(SpecError, match="there is no such folder"):
        items(tmp_path / "nowhere")
    with pytest.raises(SpecError, match=r"neither a folder here nor in the local cache.*hf download some/model"):
        folder_of("some/model", what="tokenizer")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "tokenizer.model").write_bytes(b"no protobuf")
    with pytest.raises(DataError, match=r"cannot be read.*Convert it"):
        items(tmp_path / "bad")
    with pytest.raises(SpecError, match=r"means nothing for \.npy"):
        File(path="x.npy", tokenizer="y")
    with pytest.raises(SpecError, match="'vocabulary' is for level = 'bpe'"):
        Names(vocabulary=300)
    with pytest.raises(DataError, match="fewer than one block of 100"):
        File(path=str(tmp_path / "text.txt"), level="bpe", length=100).items()


def test_libraries_that_are_missing_are_named(monkeypatch, tmp_path):
    import importlib.util

    from remission.errors import MissingExtra

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tokenizers" else real(name))
    (tmp_path / "text.txt").write_text("some words")
    with pytest.raises(MissingExtra, match=r"'tokenizers'.*remission\[deep\]"):
        File(path=str(tmp_path / "text.txt"), level="bpe").items()


def test_cuts_change_nothing_where_spaces_meet():
    """Every run of blanks and line breaks around a possible cut is encoded like the whole text."""
    made = vocabulary.train([STRANGE * 20 + "a\n\nb\n\n c \n \n d" * 50], 500)
    runs = [f"x{gap}y" for gap in ("\n", "\n\n", " \n", "\n ", "\n  ", " \n \n ", "\n\t", "\n\n ", "\r\n", "\n\r\n ")]
    for run in runs:
        assert vocabulary.encode(made, run).tolist() == made.encode(run, add_special_tokens=False).ids, repr(run)
    assert np.array_equal(vocabulary.encode(made, ""), [])
