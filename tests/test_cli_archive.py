"""The command line of the gold archive: what scripts rely on, exit codes, and messages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from remission.cli import _run as command_line

pytest.importorskip("cryptography")
pytest.importorskip("zstandard")

ABOUT = """
[collection]
title = "Letters"
issuer = "The library"
method = "scanned"
licence = "CC-BY-4.0"
[item]
collector = "A. Archivist"
language = "en"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "about.toml").write_text(ABOUT)
    rows = [{"id": f"letter-{n}", "text": f"human letter {n}", "day": "2019"} for n in range(20)]
    (tmp_path / "letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    planted = [{"text": f"{label} plant {n}", "label": label} for n in range(8) for label in ("human", "machine")]
    (tmp_path / "planted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in planted))
    assert command_line(["archive", "init", "gold", "--key", "gold.key", "--name", "letters"]) == 0
    assert command_line(["archive", "add", "gold", "letters.jsonl", "--about", "about.toml", "--key", "gold.key"]) == 0
    capsys.readouterr()
    return tmp_path


def ask(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert command_line(["archive", *words, "--json"]) == code
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert command_line(["archive", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert "Traceback" not in told.err
    return told.err


def test_add_says_what_happened(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = ask(capsys, "add", "gold", "letters.jsonl", "--about", "about.toml", "--key", "gold.key")
    assert (again["schema"], again["new"], again["known"]) == ("remission/archive-add/1", 0, 20)
    assert again["accounting"]["in"] == 20
    (place / "bad.jsonl").write_text('{"id": "../x", "text": "t"}\n{"id": "y", "text": "t"}\n')
    told = refused(capsys, "add", "gold", "bad.jsonl", "--about", "about.toml", "--key", "gold.key")
    assert "path traversal" in told
    assert "nothing was added" in told
    found = ask(capsys, "add", "gold", "bad.jsonl", "--about", "about.toml", "--key", "gold.key", "--skip-bad")
    assert (found["new"], found["accounting"]["quarantined"]) == (1, 1)


def test_verify_says_no_with_what_where_and_since(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "witness", "gold", "-o", "witness")["new"] is True
    found = ask(capsys, "verify", "gold", "--witness", "witness")
    assert (found["ok"], found["faults"], found["items"], found["witnessed"]) == (True, [], 20, 1)
    pack = place / "gold" / "packs" / "00000001.pack"
    pack.write_bytes(pack.read_bytes()[:-1])
    found = ask(capsys, "verify", "gold", code=1)
    assert found["ok"] is False
    assert found["faults"][0]["kind"] == "content"
    assert "letter-19" in found["faults"][0]["where"]
    assert found["faults"][0]["since"]["size"] == 22
    assert command_line(["archive", "verify", "gold"]) == 1
    assert "NOT as it was signed: 1 fault." in capsys.readouterr().out


def test_proofs_and_exports_are_checked_without_the_archive(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin = ask(capsys, "verify", "gold")["origin"]
    ask(capsys, "prove", "gold", "letter-3", "-o", "proof.json", "--content", "letter.txt")
    ask(capsys, "export", "gold", "-o", "out", "--to", "bagit")
    (place / "gold").rename(place / "gone")
    found = ask(capsys, "check", "proof.json", "--file", "letter.txt", "--origin", origin)
    assert (found["ok"], found["entry"]["item"], found["content_checked"]) == (True, "letter-3", True)
    assert ask(capsys, "check", "out", "--origin", origin)["items"] == 20
    (place / "letter.txt").write_text("another")
    assert command_line(["archive", "check", "proof.json", "--file", "letter.txt"]) == 1
    assert command_line(["archive", "check", "out", "--origin", "0" * 64]) == 1
    capsys.readouterr()
    (place / "no.json").write_text("[1]")
    assert "no proof" in refused(capsys, "check", "no.json")
    assert "cannot be read" in refused(capsys, "check", "nowhere.json")


def test_a_log_goes_on_from_a_witness(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, "witness", "gold", "-o", "witness")
    ask(capsys, "amend", "gold", "letter-1", "--set", "rights=mine", "--reason", "asked", "--key", "gold.key")
    assert ask(capsys, "prove", "gold", "--since", "witness", "-o", "proof.json")["size"] == 23
    found = ask(capsys, "check", "proof.json", "--witness", "witness")
    assert (found["since"], found["size"]) == (22, 23)
    assert command_line(["archive", "check", "proof.json", "--witness", "witness"]) == 0
    assert "23 entries" in capsys.readouterr().out
    assert "Give the --witness" in refused(capsys, "check", "proof.json")
    assert "one of the two" in refused(capsys, "prove", "gold", "-o", "x.json")
    proof = json.loads((place / "proof.json").read_text())
    (place / "proof.json").write_text(json.dumps(proof | {"path": proof["path"][::-1]}))
    assert command_line(["archive", "check", "proof.json", "--witness", "witness"]) == 1


def test_what_happens_to_items(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ("--key", "gold.key")
    ask(capsys, "amend", "gold", "letter-1", "--set", "licence=mit", "--reason", "asked", "--by", "me", *key)
    assert ask(capsys, "show", "gold", "letter-1")["record"]["licence"] == "MIT"
    (place / "scores.csv").write_text("id,score\nletter-1,0.25\nletter-2,0.5\n")
    ask(capsys, "evidence", "gold", "scores.csv", "--set", "name=words", "--set", "version=1", *key)
    assert ask(capsys, "show", "gold", "letter-2")["record"]["evidence"][0]["score"] == 0.5
    assert "Say so with --yes" in refused(capsys, "erase", "gold", "letter-4", "--basis", "request", *key)
    ask(capsys, "erase", "gold", "letter-4", "--basis", "request", "--yes", *key)
    ask(capsys, "rotate", "gold", "--key", "gold.key", "--new-key", "new.key")
    events = ask(capsys, "log", "gold")["events"]
    assert [one["event"] for one in events[22:]] == ["amend", "evidence", "evidence", "tombstone", "key"]
    assert [one["event"] for one in ask(capsys, "log", "gold", "--item", "letter-4")["events"]] == [
        "ingest",
        "tombstone",
    ]
    assert ask(capsys, "verify", "gold")["erased"] == 1
    assert "not the one that signs" in refused(
        capsys, "amend", "gold", "letter-1", "--set", "rights=x", "--reason", "y", *key
    )
    for words in (["log", "gold"], ["show", "gold", "letter-1"], ["verify", "gold"]):
        assert command_line(["archive", *words]) == 0
    assert "tombstone" in capsys.readouterr().out


def test_review_from_queue_to_batch(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ("--key", "gold.key")
    assert "--all" in refused(capsys, "sample", "gold", "-o", "fresh.jsonl", "--count", "5")
    found = ask(capsys, "review", "queue", "gold", "-o", "queue", "--count", "20", "--plant", "planted.jsonl", *key)
    assert (found["tasks"], found["planted"]) == (36, 16)
    for who in ("ann", "bob"):
        said = [
            {"task": task["task"], "verdict": task["text"].split()[0], "seconds": 36}
            for task in map(json.loads, (place / "queue").read_text().splitlines())
        ]
        (place / f"{who}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in said))
        words = (
            "review",
            "record",
            "gold",
            f"{who}.jsonl",
            "--queue",
            "queue.key",
            "--reviewer",
            who,
            "--partial",
            *key,
        )
        assert ask(capsys, *words)["new"] == 36
    status = ask(capsys, "review", "status", "gold", "--per-hour", "10", "--html", "status.html")
    assert status["items"]["certified"] == 20
    assert status["alpha"]["value"] == 1
    assert status["cost_per_item"] == pytest.approx(72 * 36 / 3600 * 10 / 20)
    assert status["human_share_of_certified"]["high"] == 1
    page = (place / "status.html").read_text()
    assert "Krippendorff" in page
    assert "https://" not in page
    first = ask(capsys, "sample", "gold", "-o", "a.parquet", "--count", "8", "--seed", "3")
    second = ask(capsys, "sample", "gold", "-o", "b.jsonl", "--count", "8", "--seed", "3", "--batch", "1")
    assert not set(first["items"]) & set(second["items"])
    assert command_line(["archive", "review", "status", "gold"]) == 0
    assert "of the certified" in capsys.readouterr().out


def test_nothing_is_written_into_an_archive(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ("--key", "gold.key")
    for words in (
        ("witness", "gold", "-o", "gold/witness"),
        ("prove", "gold", "letter-1", "-o", "gold/log/proof.json"),
        ("prove", "gold", "letter-1", "-o", "proof.json", "--content", "gold/x"),
        ("export", "gold", "-o", "gold/out"),
        ("sample", "gold", "-o", "gold/../gold/x.jsonl", "--count", "1", "--all"),
        ("review", "queue", "gold", "-o", "gold/queue", *key),
        ("review", "status", "gold", "--html", "gold/page.html"),
        ("rotate", "gold", "--new-key", "gold/new.key", *key),
    ):
        assert "lies in the archive" in refused(capsys, *words)
    assert ask(capsys, "verify", "gold")["ok"]


def test_pipes_and_devices_in_place_of_files(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused at once: a pipe would wait for ever, a device never end."""
    os.mkfifo(place / "pipe", 0o600)
    (place / "circle").symlink_to("circle")
    (place / "about-link.toml").symlink_to("about.toml")
    key = ("--key", "gold.key")
    (place / "answers.jsonl").write_text('{"task": "t", "verdict": "human"}\n')
    for thing in ("pipe", "/dev/zero", "circle"):
        for words in (
            ("add", "gold", "letters.jsonl", "--about", thing, *key),
            ("amend", "gold", "letter-1", "--set", "rights=x", "--reason", "y", "--key", thing),
            ("verify", "gold", "--witness", thing),
            ("check", thing),
            ("review", "record", "gold", "answers.jsonl", "--reviewer", "a", "--queue", thing, *key),
            ("evidence", "gold", thing, *key),
        ):
            refused(capsys, *words)
    assert ask(capsys, "add", "gold", "letters.jsonl", "--about", "about-link.toml", *key)["known"] == 20


def test_bad_input_is_one_message(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not empty" in refused(capsys, "init", "gold", "--key", "other.key")
    assert not (place / "other.key").exists()
    assert "lies in the archive" in refused(capsys, "init", "new", "--key", "new/key")
    assert "no archive" in refused(capsys, "verify", "nowhere")
    assert "no item" in refused(capsys, "prove", "gold", "letter-99", "-o", "p.json")
    assert "Did you mean 'parquet'" in refused(capsys, "export", "gold", "-o", "out", "--to", "parqet")
    assert "SPDX" in refused(
        capsys, "amend", "gold", "letter-1", "--set", "licence=free", "--reason", "x", "--key", "gold.key"
    )
    assert "FIELD=VALUE" in refused(
        capsys, "amend", "gold", "letter-1", "--set", "licence", "--reason", "x", "--key", "gold.key"
    )
    (place / "gold.key").chmod(0o644)
    assert "chmod 600" in refused(capsys, "rotate", "gold", "--key", "gold.key", "--new-key", "new.key")
    assert not (place / "new.key").exists()


def test_a_deep_file_is_no_proof(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "proof.json").write_text("[" * 200_000)
    assert "is no proof" in refused(capsys, "check", "proof.json")


def test_a_key_is_left_only_where_something_came_of_it(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "printable" in refused(capsys, "init", "new", "--key", "new.key", "--name", "a\nb")
    assert "not the one that signs" in refused(capsys, "amend", "gold", "letter-1", "--set", "rights=x", "--reason", "y", "--key",
                                               made_key(place, capsys))  # fmt: skip
    assert "not the one that signs" in refused(capsys, "rotate", "gold", "--key", "other.key", "--new-key", "new.key")
    with monkeypatch.context() as patch:
        patch.setattr("remission.clinic.archive.writing.Writer._write", full)
        assert "No space left" in refused(capsys, "init", "new", "--key", "new.key")
        assert "No space left" in refused(capsys, "rotate", "gold", "--key", "gold.key", "--new-key", "new.key")
    assert not (place / "new.key").exists()
    with monkeypatch.context() as patch:
        patch.setattr("remission.clinic.archive.writing.Writer._finish", full)  # when the hand-over counts already
        refused(capsys, "rotate", "gold", "--key", "gold.key", "--new-key", "new.key")
    assert (place / "new.key").exists()
    ask(capsys, "amend", "gold", "letter-1", "--set", "rights=x", "--reason", "y", "--key", "new.key")
    assert ask(capsys, "verify", "gold")["ok"]


def made_key(place: Path, capsys: pytest.CaptureFixture[str]) -> str:
    ask(capsys, "init", "other", "--key", "other.key")
    return "other.key"


def full(*ignored: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_interrupted_beginning_is_told_from_a_full_folder(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("remission.clinic.archive.writing.Writer._write", full)
        refused(capsys, "init", "new", "--key", "new.key")
    assert "remove it, and run the command again" in refused(capsys, "init", "new", "--key", "new.key")
    (place / "new" / "log" / "thesis.txt").write_text("years of work")
    for folder in ("new", "gold"):
        assert "remove" not in refused(capsys, "init", folder, "--key", "new.key")
    assert not (place / "new.key").exists()


def test_an_origin_that_is_none_is_bad_input(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin = ask(capsys, "verify", "gold")["origin"]
    ask(capsys, "prove", "gold", "letter-3", "-o", "proof.json")
    ask(capsys, "export", "gold", "-o", "out")
    for words in (["verify", "gold"], ["check", "proof.json"], ["check", "out"]):
        assert ask(capsys, *words, "--origin", origin.upper())["ok"]
        for wrong in (origin[:16], "letters", origin + "00"):
            assert "64 hexadecimal digits" in refused(capsys, *words, "--origin", wrong)


def test_brackets_are_no_markup(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("[/red]x[bold]", "[bold]", ":smile:"):
        (place / "odd.jsonl").write_text(json.dumps({"id": name, "text": f"text of {name}"}))
        ask(capsys, "add", "gold", "odd.jsonl", "--about", "about.toml", "--key", "gold.key")
        for words in (["show", "gold", name], ["log", "gold", "--item", name]):
            assert command_line(["archive", *words]) == 0
            assert name in capsys.readouterr().out
    from remission.cli import _output

    _output.table("", ["n [/x]"], [["[/y]"]])
    shown = capsys.readouterr().out
    assert "n [/x]" in shown
    assert "[/y]" in shown


def test_numbers_that_cannot_be_signed_are_located(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        '{"id": "letter-1", "name": "d", "version": "1", "score": 0.5}',
        f'{{"id": "letter-2", "name": "d", "score": 0.5, "version": {2**53 + 1}}}',
    ]
    (place / "found.jsonl").write_text("\n".join(rows))
    told = refused(capsys, "evidence", "gold", "found.jsonl", "--key", "gold.key")
    assert "'found.jsonl', line 2 ('letter-2')" in told
    assert "Nothing was added" in told
    assert ask(capsys, "verify", "gold")["checkpoint"]["size"] == 22


def test_pipes_and_devices_are_not_written_over(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(place / "pipe")
    (place / "folder").mkdir()
    for name in ("pipe", "folder"):
        for words in (
            ("prove", "gold", "letter-1", "-o", name),
            ("prove", "gold", "letter-1", "-o", "proof.json", "--content", name),
            ("witness", "gold", "-o", name),
        ):
            assert "plain file" in refused(capsys, *words) or words[0] == "witness"
        assert not (place / name).is_file()
        assert (place / name).exists()
    assert not (place / "proof.json").exists()


def test_exports_with_pipes_are_refused_at_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, "export", "gold", "-o", "out")
    (place / "out" / "data.parquet").unlink()
    os.mkfifo(place / "out" / "data.parquet")
    assert command_line(["archive", "check", "out"]) == 1
    assert "is no file" in capsys.readouterr().err
