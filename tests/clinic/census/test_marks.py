"""Watermarks in a census: the p-values of a scan, its discoveries, and keys that are nowhere in the folder."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remission import SpecError
from remission.clinic.census import marks
from remission.clinic.census.kept import MARKED, WHOLE, Source, marking_of
from remission.clinic.census.marks import Marked
from remission.clinic.census.process import scored
from remission.clinic.census.running import kept_of, run_census
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.units import Config
from remission.clinic.profiles import hypotheses, load_profiles
from remission.clinic.watermarking import Wish, adjusted, scan
from remission.documents import Documents
from remission.watermarking import Key
from remission.watermarks.gumbel import Gumbel
from tests.clinic.census.made import NAMES, kept_of_parts, unsynced, write_part  # noqa: F401
from tests.clinic.census.scorers import BRIGHTNESS, LENGTHS
from tests.clinic.census.test_census import inline
from tests.clinic.census.test_fingerprints import batch
from tests.corpus.damaged import jsonl

SECRET = 7239011528640013077
KEYS = [Key("ours", (SECRET,)), Key("other", (1730052994001,))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of bytes and a few pairs, profiles, and 90 documents: 30 of them marked by "ours", 3 exact copies."""
    pytest.importorskip("tokenizers")
    from remission.networks import vocabulary

    folder = tmp_path_factory.mktemp("marks")
    sentences = ["the cat sat on the mat", "a dog ran over the hill", "rain fell on the old town"]
    made = vocabulary.train(sentences * 30, 280)
    made.save(str(folder / "tokenizer.json"))
    told = [{"name": "t", "kind": "gumbel", "tokenizer": "tokenizer.json"}]
    (folder / "profiles.json").write_text(json.dumps({"schema": "remission/watermark-profiles/1", "profiles": told}))
    rng = np.random.default_rng(1)
    letters = [made.encode(one).ids[0] for one in "abcdefghijklmnopqrstuvwxyz.,;-!?"]
    texts = [
        made.decode([letters[int(one)] for one in row])
        for mark, key, n in ((None, None, 60), (Gumbel(), KEYS[0], 30))
        for row in written(mark, key, n, rng, letters)
    ]
    texts += texts[:2] + texts[60:61]
    jsonl(folder / "corpus.jsonl", [{"id": f"d{k}", "text": text} for k, text in enumerate(texts)])
    return folder


def written(mark: Any, key: Any, n: int, rng: Any, letters: list[int]) -> Any:
    """Numbers of letters, marked by choosing among them as Gumbel's scheme does among tokens."""
    if mark is None:
        return rng.integers(0, len(letters), (n, 150))
    found = np.zeros((n, 150), np.int64)
    from remission.watermarking import Tokens

    for row in range(n):
        held: list[int] = [letters[int(one)] for one in rng.integers(0, len(letters), 8)]
        while len(held) < 150:
            tried = rng.choice(len(letters), 6, replace=False).tolist()
            made = Tokens.of([np.array([*held, letters[one]]) for one in tried])
            last = made.starts[1:] - 1
            held.append(letters[tried[int(np.argmax(mark.scores(key, made, last)))]])
        found[row] = [letters.index(one) for one in held]
    return found


def texts_of(home: Path) -> list[str]:
    return [json.loads(line)["text"] for line in (home / "corpus.jsonl").read_text().splitlines()]


def test_p_values_and_discoveries_are_those_of_a_scan(home: Path, tmp_path: Path) -> None:
    scorer, left = Marked.load(LENGTHS, home / "profiles.json", KEYS)
    assert left == []
    found, _ = hypotheses(load_profiles(home / "profiles.json"), KEYS)
    texts = texts_of(home)
    whole = scan(Documents(texts), found, Wish(repeats="text"))
    mine = scorer.score(batch(pa.array(texts, pa.large_string())))
    assert mine.log10_p == pytest.approx(whole.log10_p, abs=1e-9)
    assert mine.mark.tolist() == [found[one].name if one >= 0 else "" for one in whole.best.tolist()]
    census = run_census([home / "corpus.jsonl"], scorer, tmp_path / "out", Config(size=4000), inline)
    kept = kept_of(census.folder, census.manifest)
    assert kept.marking is not None
    assert (kept.marking.tested, kept.marking.found) == (whole.fdr["tested"], whole.fdr["found"])
    assert kept.marking.found >= 30
    assert kept.tallies[WHOLE].marked == kept.marking.found
    assert (kept.known == MARKED).sum() == kept.marking.found
    assert set(kept.marking.by_mark) <= {"t / ours", "t / other"}
    assert kept.marking.table()["expected_false"] <= 0.05 * kept.marking.found
    one_by_one = [scorer.score(batch(pa.array([text], pa.large_string()))).log10_p[0] for text in texts[55:65]]
    assert one_by_one == mine.log10_p[55:65].tolist()


def test_keys_are_in_no_file_and_in_no_words(home: Path, tmp_path: Path) -> None:
    scorer, _ = Marked.load(LENGTHS, home / "profiles.json", KEYS)
    run_census([home / "corpus.jsonl"], scorer, tmp_path / "out", Config(size=4000), inline)
    needles = [str(SECRET).encode(), SECRET.to_bytes(8, "little"), SECRET.to_bytes(8, "big"), f"{SECRET:x}".encode()]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        assert not any(needle in content for needle in needles), path
    assert str(SECRET) not in repr(scorer)
    assert str(SECRET) in str(pickle.loads(pickle.dumps(scorer)).hypotheses[0].key.values)  # the test can see it


def test_the_hash_of_keys_is_slow_to_try(home: Path) -> None:
    one, _ = Marked.load(LENGTHS, home / "profiles.json", KEYS[:1])
    other, _ = Marked.load(LENGTHS, home / "profiles.json", KEYS[1:])
    again, _ = Marked.load(LENGTHS, home / "profiles.json", KEYS[:1])
    assert one.content == again.content != other.content
    assert one.content != LENGTHS.content
    salt = b"remission census marks"
    slow = hashlib.scrypt(b"something", salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32)  # 32 MiB a try
    assert marks._scrypt("something") == slow.hex()
    assert scored(one, batch(pa.array([], pa.large_string())))[1].score.size == 0


def test_what_cannot_be_looked_for(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="takes pictures"):
        Marked.load(BRIGHTNESS, home / "profiles.json", KEYS)
    told = {"schema": "remission/watermark-profiles/1", "profiles": [{"name": "t", "kind": "gumbel"}]}
    (tmp_path / "profiles.json").write_text(json.dumps(told))
    with pytest.raises(SpecError, match="names no tokenizer"):
        Marked.load(LENGTHS, tmp_path / "profiles.json", KEYS)


@pytest.mark.usefixtures("unsynced")
def test_the_cut_is_that_of_the_procedure_on_all_p_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for number, (share, rate) in enumerate(((0.1, 0.05), (0.0, 0.05), (0.3, 0.2), (0.02, 0.01), (1.0, 0.5))):
        n = 1000
        p = np.where(rng.random(n) < share, rng.random(n) * 1e-4, rng.random(n))
        p[5] = p[6]  # a tie
        looked = rng.random(n) < 0.9
        columns = {
            "contents": np.arange(1, n + 1), "mark": np.where(looked, "m", ""), "log10_p": np.where(looked, np.log10(p), 0),
        }  # fmt: skip
        folder = tmp_path / str(number)
        write_part(folder, NAMES[0], **columns)
        source = Source(folder, NAMES[:1], False, Sampling(), np.empty(0, np.uint64), rate, True, 1)
        marking = marking_of(source)
        q = adjusted(np.log10(p), looked, "bh")
        assert marking is not None
        assert marking.tested == int(looked.sum())
        assert marking.found == int((q <= rate).sum())
        assert marking.cut == (np.log10(p)[q <= rate].max() if marking.found else -np.inf)


@pytest.mark.usefixtures("unsynced")
def test_false_discoveries_stay_below_the_rate(tmp_path: Path) -> None:
    rng, rates = np.random.default_rng(3), []
    for number in range(120):
        n, real = 300, 30
        p = np.concatenate([rng.random(real) * 1e-3, rng.random(n - real)])
        columns = {"contents": np.arange(1, n + 1), "mark": ["m"] * n, "log10_p": np.log10(p)}
        kept = kept_of_parts(tmp_path / str(number), [columns], None, "exact", marks=True, rate=0.2)
        called = kept.known == MARKED
        rates.append(called[real:].sum() / max(1, called.sum()))
        assert called.sum() >= 20
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) < 0.2 * 0.9 + 4 * error
    assert np.mean(rates) > 0.1  # the procedure is at its limit, so a wrong one would show


def test_copies_are_tested_once(tmp_path: Path) -> None:
    """A thousand copies of one lucky document would be a thousand discoveries."""
    contents = np.concatenate([np.arange(1, 101), np.full(1000, 100)])
    p = np.concatenate([np.linspace(0.1, 1, 99), np.full(1001, 1e-3)])
    columns = {"contents": contents, "mark": ["m"] * p.size, "log10_p": np.log10(p)}
    kept = kept_of_parts(tmp_path / "a", [columns], None, "exact", marks=True, rate=0.05)
    assert kept.marking is not None
    assert (kept.marking.tested, kept.marking.found, kept.marking.cut) == (100, 0, -np.inf)
    assert kept_of_parts(tmp_path / "b", [columns], None, "none", marks=True, rate=0.05).marking.found == 1001  # type: ignore[union-attr]
