"""``remission watermark`` as a user meets it: files in, tables and JSON out, and one clear message for bad input."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission.cli import main
from remission.clinic.keys import PUBLIC, load_keys
from remission.clinic.power import write
from remission.watermarking import Key, TextWatermark
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw

SIZE = 300
NATS = 2.5


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The exit code and what was printed."""
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """The JSON document of a command that succeeds."""
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two keys, three profiles of token numbers, and a corpus in which 24 of 224 documents are marked and two are copies."""
    path = tmp_path / "keys.json"
    keys = {"ours": [7239011528640013077], "other": [1730052994001]}  # fixed, so that the test is
    path.write_text(json.dumps({"schema": "remission/watermark-keys/1", "keys": keys}))
    path.chmod(0o600)
    (tmp_path / "profiles.json").write_text(json.dumps(_profiles()))
    rng = np.random.default_rng(0)
    plain = write(None, None, 200, 120, NATS, rng, SIZE)
    ours = load_keys([path])[0]
    marks: list[tuple[TextWatermark, Key]] = [(Gumbel(), ours), (Kgw(vocabulary=SIZE), PUBLIC[0])]
    marked = [(mark, write(mark, key, 12, 120, NATS, rng, SIZE)) for mark, key in marks]
    rows = [{"id": f"human-{i}", "ids": row.tolist(), "source": "shelf"} for i, row in enumerate(plain)]
    for mark, texts in marked:
        rows += [{"id": f"{mark.name()}-{i}", "ids": row.tolist(), "source": "web"} for i, row in enumerate(texts)]
    rows += [rows[200] | {"id": "copy-marked"}, rows[0] | {"id": "copy-human"}]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def _profiles(**more: Any) -> dict[str, Any]:
    listed = [
        {"name": "engine", "kind": "gumbel"},
        {"name": "kgw", "kind": "kgw", "vocabulary": SIZE},
        {"name": "synthid", "kind": "synthid"},
    ]
    return {"schema": "remission/watermark-profiles/1", "profiles": listed} | more


def test_scan(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(
        capsys, "watermark", "scan", home / "corpus.jsonl", "--tokens", "ids", "--profiles", home / "profiles.json",
        "--keys", home / "keys.json", "--keys", "public", "--by", "source",
    )  # fmt: skip
    assert found["schema"] == "remission/watermark-scan/1"
    rows = {row["id"]: row for row in found["documents"]}
    marked = {name for name, row in rows.items() if row["marked"]}
    expected = {f"gumbel-{i}" for i in range(12)} | {f"kgw-{i}" for i in range(12)} | {"copy-marked"}
    assert expected <= marked
    assert len(marked - expected) <= 4
    assert rows["copy-marked"]["copy_of"] == "gumbel-0"
    assert rows["copy-marked"]["log10_p"] == rows["gumbel-0"]["log10_p"]
    assert rows["copy-human"]["copy_of"] == "human-0"
    assert (rows["gumbel-3"]["profile"], rows["gumbel-3"]["key"]) == ("engine", "ours")
    assert (rows["kgw-3"]["profile"], rows["kgw-3"]["key"]) == ("kgw", "public-kgw")
    assert found["fdr"]["copies_of_found"] == 1
    shares = {row["stratum"]: row for row in found["shares"]}
    assert shares["all"]["low"] <= 24 / 224 <= shares["all"]["high"]
    assert shares["all"]["high"] - shares["all"]["low"] < 0.2
    assert shares["shelf"]["low"] == 0.0
    present = {(row["profile"], row["key"]) for row in found["by_profile"] if row["present"]}
    assert present == {("engine", "ours"), ("kgw", "public-kgw")}
    assert found["accounting"]["kept"] == 226
    secret = str(load_keys([home / "keys.json"])[0].values[0])
    assert secret not in json.dumps(found)


def test_scan_for_people_and_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow.parquet as pq

    words = ["watermark", "scan", home / "corpus.jsonl", "--tokens", "ids", "--profiles", home / "profiles.json"]
    words += ["--keys", home / "keys.json", "--parts", "-o", home / "out.parquet"]
    code, out, err = run(capsys, *words)
    assert code == 0, err
    assert "no evidence of human origin" in out
    assert "engine / ours" in out
    table = pq.read_table(home / "out.parquet").to_pydict()
    assert table["id"][200] == "gumbel-0"
    assert table["marked"][200] is True
    assert not list(home.glob("*.aside"))
    code, out, _ = run(
        capsys, *words[:5], "--profiles", home / "profiles.json", "--keys", "public", "--where", "source=shelf"
    )
    assert code == 0
    assert "no evidence of human origin" in out


def test_scan_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tokenizers")
    from remission.networks import vocabulary

    sentences = [
        "the cat sat on the mat",
        "a dog ran over the hill",
        "rain fell on the old town",
        "we read by the fire",
    ]
    made = vocabulary.train(sentences * 30, 290)
    made.save(str(tmp_path / "tokenizer.json"))
    profiles = _profiles(profiles=[{"name": "t", "kind": "gumbel", "tokenizer": "tokenizer.json", "lead": ["", " "]}])
    (tmp_path / "profiles.json").write_text(json.dumps(profiles))
    rng = np.random.default_rng(1)
    ids = write(Gumbel(), PUBLIC[1], 6, 200, 3.0, rng, 256)
    letters = [made.decode([int(one) for one in row]) for row in ids % 95 + 32]  # some text; not what was marked
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in letters))
    found = answer(
        capsys,
        "watermark",
        "scan",
        tmp_path / "corpus.jsonl",
        "--profiles",
        tmp_path / "profiles.json",
        "--keys",
        "public",
    )
    assert {row["profile"] for row in found["by_profile"]} == {"t ''", "t ' '"}
    assert not any(row["marked"] for row in found["documents"])


def test_radioactivity(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "watermark",
        "radioactivity",
        home / "corpus.jsonl",
        "--tokens",
        "ids",
        "--profiles",
        home / "profiles.json",
    ]
    words += ["--keys", home / "keys.json"]
    tests = answer(capsys, *words)["tests"]
    least = min(tests, key=lambda row: row["log10_p"])
    assert (least["profile"], least["key"]) == ("engine", "ours")
    assert least["log10_p"] < -10
    again = answer(capsys, *words, "--prompts", home / "corpus.jsonl")["tests"]
    assert all(row["n"] == 0 and row["log10_p"] == 0 for row in again)  # nothing is new
    assert all(row["excluded"] > 0 for row in again)
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "learned from marked text" in " ".join(out.split())


def test_power(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "profiles.json").write_text(json.dumps(_profiles()))
    words = [
        "watermark",
        "power",
        "--profiles",
        tmp_path / "profiles.json",
        "--nats",
        "3",
        "--texts",
        60,
        "--longest",
        120,
    ]
    found = answer(capsys, *words, "-o", tmp_path / "power.html")
    needed = {(row["profile"], row["fpr"]): row["tokens"] for row in found["curves"]}
    assert needed["engine", 1e-2] < needed["engine", 1e-6] < 30  # 5 and 14 tokens in the literature's idealised setting
    assert needed["engine", 1e-6] <= needed["synthid", 1e-6]
    assert needed["engine", 1e-6] < (needed["kgw", 1e-6] or 1000)
    page = (tmp_path / "power.html").read_text()
    assert "Share of marked texts found" in page
    assert "<script src" not in page


def test_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    for name, scheme in (("a", "gumbel"), ("b", "synthid"), ("c", "kgw"), ("d", "spread-spectrum")):
        code, out, err = run(capsys, "watermark", "keys", "new", path, name, "--scheme", scheme)
        assert code == 0, err
        for key in load_keys([path]):
            assert str(key.values[0]) not in out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, out, _ = run(capsys, "watermark", "keys", "list", path, "public")
    assert code == 0
    assert all(name in out for name in ("a", "b", "public-kgw"))
    assert all(str(value) not in out for key in load_keys([path]) for value in key.values if value > 10**6)
    before = path.read_bytes()
    code, _, err = run(capsys, "watermark", "keys", "new", path, "a")
    assert (code, path.read_bytes()) == (2, before)
    assert "never written over" in err


BAD: list[tuple[str, str]] = [
    ("scan CORPUS --tokens ids --profiles PROFILES --keys 15485863", "not given on the command line"),
    ("scan CORPUS --tokens ids --profiles PROFILES --keys KEYS --key 42", "not given on the command line"),
    ("scan CORPUS --tokens ids --profiles PROFILES --keys none.json", "no file of keys 'none.json'"),
    ("scan CORPUS --tokens ids --profiles PROFILES --keys OPEN", "chmod 600"),
    ("scan CORPUS --tokens ids --profiles PROFILES --keys CORPUS", "Others may read"),
    ("scan CORPUS --tokens ids --profiles SMALL --keys KEYS", "and the vocabulary has 20"),
    ("scan CORPUS --tokens ids --profiles UNKNOWN --keys KEYS", "vllm-philox-v1"),
    ("scan CORPUS --tokens ids --profiles SECRET --keys KEYS", "Keys live in a file of their own"),
    ("scan CORPUS --tokens ids --profiles PICTURE --keys KEYS", "marks pictures, and here are texts"),
    ("scan CORPUS --tokens ids --profiles nowhere.json --keys KEYS", "no file of profiles"),
    ("scan CORPUS --profiles PROFILES --keys KEYS", "No row has a field 'text'"),
    ("scan CORPUS --text id --profiles PROFILES --keys KEYS", "names no tokenizer"),
    ("scan CORPUS --tokens id --profiles PROFILES --keys KEYS", "no row of token numbers"),
    ("scan CORPUS --tokens ids --profiles PROFILES --keys KEYS --rate 2", "'rate' is a probability"),
    ("scan CORPUS --tokens ids --profiles PROFILES --keys KEYS -o out.xml", "Rows are written as"),
    ("radioactivity CORPUS --tokens ids --profiles PROFILES --keys KEYS --model nowhere/there/x", "no such folder"),
    ("power --profiles PROFILES --nats 9", "more than"),
    ("power --profiles PROFILES --nats lots", "needs numbers"),
    ("keys new KEYS public-mine", "does not begin with 'public'"),
    ("embed PICTURE -o out --keys KEYS --name nobody", "There is no such key"),
    ("embed PICTURE -o out --keys KEYS --scheme gumbel", "marks text, and here are pictures"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_has_one_clear_message(
    line: str, message: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    capsys.readouterr()
    content = (home / "keys.json").read_text()
    (home / "open.json").write_text(content)
    os.chmod(home / "open.json", 0o644)
    os.chmod(home / "corpus.jsonl", 0o644)
    for name, row in (
        ("small", {"kind": "kgw", "vocabulary": 20}),
        ("unknown", {"kind": "gumbel", "dialect": "vllm-philox-v9"}),
        ("secret", {"kind": "gumbel", "key": 42}),
        ("picture", {"kind": "spread-spectrum"}),
    ):
        (home / f"{name}.json").write_text(json.dumps(_profiles(profiles=[row])))
    words = {"CORPUS": "corpus.jsonl", "KEYS": "keys.json", "OPEN": "open.json", "PICTURE": "picture.json"}
    words |= {"PROFILES": "profiles.json", "SMALL": "small.json", "UNKNOWN": "unknown.json", "SECRET": "secret.json"}
    before = sorted(path.name for path in home.iterdir())
    code, out, err = run(capsys, "watermark", *(words.get(word, word) for word in line.split()))
    assert code == 2
    assert message in err, err
    assert "Traceback" not in err
    assert not out
    assert sorted(path.name for path in home.iterdir()) == before
    for key in load_keys([home / "keys.json"]):
        assert str(key.values[0]) not in err


def test_empty_and_one_token_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[Any] = [[], [5], [5, 6], [5] * 400, "no", [1.5], [-3]]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps({"ids": row}) + "\n" for row in rows))
    (tmp_path / "profiles.json").write_text(json.dumps(_profiles()))
    found = answer(
        capsys, "watermark", "scan", tmp_path / "corpus.jsonl", "--tokens", "ids", "--profiles", tmp_path / "profiles.json",
        "--keys", "public",
    )  # fmt: skip
    assert found["accounting"]["kept"] == 3
    assert found["accounting"]["quarantined"] == 4
    assert not any(row["marked"] for row in found["documents"])
    assert all(row["log10_p"] <= 0 for row in found["documents"])


def test_pictures_and_credentials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    waves = 128 + 60 * np.sin(x / 17) + 40 * np.cos(y / 23) + 8 * rng.normal(size=(256, 256))
    pixels = np.clip(waves, 0, 255).astype(np.uint8)
    (tmp_path / "in").mkdir()
    image.fromarray(pixels).convert("RGB").save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    image.fromarray(pixels[:1, :1]).save(tmp_path / "in" / "one.png")
    keys = tmp_path / "keys.json"
    assert run(capsys, "watermark", "keys", "new", keys, "pictures", "--scheme", "spread-spectrum")[0] == 0
    code, out, err = run(capsys, "watermark", "embed", tmp_path / "in", "-o", tmp_path / "out", "--keys", keys)
    assert code == 2  # two could not be marked, and are named
    assert "1 of 3 pictures marked" in out
    assert "broken.png" in err
    assert "one.png" in err
    image.open(tmp_path / "out" / "a.png").convert("RGB").save(tmp_path / "out" / "b.jpg", quality=60)
    image.fromarray(pixels).convert("RGB").save(tmp_path / "out" / "plain.png")
    found = answer(capsys, "watermark", "find", tmp_path / "out", "--keys", keys)
    assert {Path(row["path"]).name: row["marked"] for row in found["pictures"]} == {
        "a.png": True,
        "b.jpg": True,
        "plain.png": False,
    }
    pytest.importorskip("c2pa")
    signed = tmp_path / "signed.png"
    code, out, err = run(
        capsys, "watermark", "sign", tmp_path / "out" / "a.png", "--signer", tmp_path / "signer", "-o", signed
    )
    assert code == 0, err
    told = answer(capsys, "watermark", "check", signed)
    assert told["verdict"] == "untrusted"
    assert told["source_types"] == ["trainedAlgorithmicMedia"]
    trusted = answer(capsys, "watermark", "check", signed, "--trusted", tmp_path / "signer" / "root.pem")
    assert trusted["verdict"] == "valid"
    data = bytearray(signed.read_bytes())
    data[-40] ^= 1
    signed.write_bytes(bytes(data))
    assert run(capsys, "watermark", "check", signed)[0] == 1


def test_radioactivity_of_a_model_that_reads(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=SIZE, n_positions=64, n_embd=16, n_layer=1, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(home / "model")
    capsys.readouterr()
    words = [
        "watermark",
        "radioactivity",
        home / "corpus.jsonl",
        "--tokens",
        "ids",
        "--model",
        home / "model",
        "--limit",
        12,
    ]
    words += ["--profiles", home / "profiles.json", "--keys", home / "keys.json"]
    tests = answer(capsys, *words)["tests"]
    assert {row["profile"] for row in tests} == {"engine", "kgw"}
    assert all(row["n"] > 50 and row["log10_p"] > -4 for row in tests)  # it has learned from nothing
    (home / "large.jsonl").write_text(json.dumps({"ids": [5, SIZE, 7, 8, 9, 10]}) + "\n")
    words[2] = home / "large.jsonl"
    (home / "profiles.json").write_text(json.dumps(_profiles(profiles=[{"name": "engine", "kind": "gumbel"}])))
    code, _, err = run(capsys, *words)
    assert code == 2
    assert f"Token {SIZE} is none of the {SIZE}" in err
