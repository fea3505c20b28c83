"""Proofs for somebody who has nothing else; keys that change hands; witnesses."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.archive.changing import amend, as_it_is, current, erase_items, history, rotate
from remission.clinic.archive.proving import (
    CONSISTENCY,
    Prover,
    check_consistency,
    check_proof,
    prove,
    prove_consistency,
)
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.witness import add_to_witness, read_witness
from remission.clinic.archive.writing import Writer, create, writing
from remission.errors import DataError, SpecError, StoreError, VerificationError
from remission.gold.archive import Archive
from remission.gold.log import read_log
from remission.gold.merkle import consistency_proof
from remission.gold.signing import Checkpoint, Signer, load_signer, new_signer

from .archive_tools import record_of, standalone


def add(folder: Path, signer: Signer, *items: str) -> None:
    with writing(folder, signer) as writer:
        for item in items:
            writer.ingest(item, f"content of {item}".encode(), record_of(item))
        writer.commit()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An archive whose key changed hands twice."""
    signer = new_signer(tmp_path / "key-0")
    create(tmp_path / "archive", "proofs", signer)
    add(tmp_path / "archive", signer, "a", "b", "c")
    for number in (1, 2):
        new = new_signer(tmp_path / f"key-{number}")
        rotate(tmp_path / "archive", signer, new)
        signer = new
        add(tmp_path / "archive", signer, f"later-{number}")
    return tmp_path


def flat(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all words and numbers in a document."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in flat(inner, (*path, key))]
    if isinstance(value, list):
        return [one for key, inner in enumerate(value) for one in flat(inner, (*path, key))]
    return [path]


def test_a_proof_holds_with_nothing_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, module = Archive(place / "archive"), standalone()
    for item in ("a", "c", "later-1", "later-2"):
        proof = json.loads(json.dumps(prove(archive, item)))
        found = check_proof(proof, f"content of {item}".encode(), archive.origin)
        assert (found.entry["item"], found.checkpoint, found.origin) == (item, archive.head, archive.origin)
        (place / "proof.json").write_text(json.dumps(proof))
        (place / "content").write_text(f"content of {item}")
        module.proof(place / "proof.json", place / "content", archive.origin)
        assert archive.origin in capsys.readouterr().out


def test_a_proof_with_anything_changed_is_none(place: Path) -> None:
    archive, module = Archive(place / "archive"), standalone()
    proof, tried = prove(archive, "b"), 0
    for path in flat(proof):
        changed = copy.deepcopy(proof)
        holder: Any = changed
        for step in path[:-1]:
            holder = holder[step]
        old = holder[path[-1]]
        holder[path[-1]] = old + 1 if isinstance(old, int) else old[:-1] + ("0" if old[-1] != "0" else "1")
        with pytest.raises((VerificationError, DataError)):
            check_proof(changed, b"content of b", archive.origin)
        (place / "proof.json").write_text(json.dumps(changed))
        for origin in (archive.origin, ""):
            with pytest.raises((SystemExit, ValueError, KeyError, TypeError)):
                module.proof(place / "proof.json", "", origin)
        tried += 1
    assert tried > 20
    with pytest.raises(VerificationError, match="not the content"):
        check_proof(proof, b"content of a")
    with pytest.raises(VerificationError, match="is of the archive"):
        check_proof(proof, None, "0" * 64)
    for broken in ({}, {"entry": 1}, proof | {"index": True}, proof | {"path": ["zz"]}, proof | {"rotations": [1]}):
        with pytest.raises(DataError, match="no proof"):
            check_proof(broken)


def test_a_log_goes_on_and_nothing_else_does(place: Path) -> None:
    old = Archive(place / "archive")
    checkpoints = [one for one in old.log.checkpoints if one is not None]
    add(place / "archive", load_signer(place / "key-2"), *(f"new-{n}" for n in range(9)))
    new = Archive(place / "archive")
    for kept in [*checkpoints, new.head]:
        proof = json.loads(json.dumps(prove_consistency(new, kept)))
        assert check_consistency(proof, kept, new.origin) == new.head
        for path in flat(proof):
            changed = copy.deepcopy(proof)
            holder: Any = changed
            for step in path[:-1]:
                holder = holder[step]
            value = holder[path[-1]]
            holder[path[-1]] = value + 1 if isinstance(value, int) else value[:-1] + ("0" if value[-1] != "0" else "1")
            with pytest.raises((VerificationError, DataError)):
                check_consistency(changed, kept, new.origin)
        other = next(one for one in checkpoints if one != kept)
        with pytest.raises(VerificationError, match="does not begin with"):
            check_consistency(proof, other)
    with pytest.raises(VerificationError, match="does not go on"):
        prove_consistency(old, new.head)  # a rollback
    with pytest.raises(DataError, match="no proof"):
        check_consistency(prove(new, "a"), checkpoints[0])


def test_a_key_that_was_handed_over_signs_nothing_more(place: Path) -> None:
    with (
        pytest.raises(StoreError, match="not the one that signs"),
        writing(place / "archive", load_signer(place / "key-0")),
    ):
        pass
    with pytest.raises(SpecError, match="signed this archive before"):
        rotate(place / "archive", load_signer(place / "key-2"), load_signer(place / "key-0"))
    archive = Archive(place / "archive")
    assert len(archive.log.keys) == 3
    # the old key signs the batch that names the new one, and the next is the new one's
    keys = [checkpoint.key for checkpoint in archive.log.checkpoints if checkpoint is not None]
    assert keys == [archive.log.keys[i] for i in (0, 0, 0, 1, 1, 2)]


def test_no_content_is_proven_where_no_entry_is(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, module = Archive(place / "archive"), standalone()
    proof, (any_file, path) = prove(archive, "a"), (place / "any", place / "proof.json")
    any_file.write_text("anything at all")
    goes_on = json.loads(json.dumps(prove_consistency(archive, archive.log.checkpoints[0] or archive.head)))
    bare = {name: value for name, value in proof.items() if name not in ("entry", "index", "path")}
    for one in (bare, goes_on, proof | {"schema": goes_on["schema"]}, proof | {"schema": "x"}, proof):
        path.write_text(json.dumps(one))
        with pytest.raises(SystemExit, match="NOT WHAT WAS SIGNED"):
            module.proof(path, any_file, archive.origin)
        with pytest.raises((DataError, VerificationError)):
            check_proof(one, any_file.read_bytes(), archive.origin)
    path.write_text(json.dumps(bare))
    with pytest.raises(SystemExit, match="no entry is proven"):
        module.proof(path, "", archive.origin)
    path.write_text(json.dumps(goes_on))
    module.proof(path, "", archive.origin)
    assert "can tell" in capsys.readouterr().out
    erase_items(place / "archive", load_signer(place / "key-2"), ["a"], "request", "me", keep_record=True)
    archive = Archive(place / "archive")
    prover = Prover(archive)
    tomb = prover.shared | prover.own(archive.log.size - 1)  # names the same content
    (place / "a").write_text("content of a")
    path.write_text(json.dumps(tomb))
    module.proof(path, "", archive.origin)
    assert check_proof(tomb).entry["event"] == "tombstone"
    with pytest.raises(SystemExit, match="the content of"):
        module.proof(path, place / "a", archive.origin)
    with pytest.raises(VerificationError, match="brought no content"):
        check_proof(tomb, b"content of a")


def forged_by(place: Path, signer: Signer, kept: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    """What somebody with a key adds to a copy: a proof of it, and that the log goes on to it."""
    forged = place / f"forged-{signer.key[:8]}"
    shutil.copytree(place / "archive", forged)
    writer = Writer(read_log(forged), signer)
    writer.event({"event": "amend", "item": "a", "changes": {"licence": "MIT"}, "reason": "none", "by": "a thief"})
    writer.commit()
    archive = Archive.__new__(Archive)
    archive.folder, archive.log = forged, read_log(forged)
    prover = Prover(archive)
    steps = consistency_proof(archive.log.leaves(), kept.size)
    goes_on = prover.shared | {
        "schema": CONSISTENCY, "first": json.loads(kept.line()), "path": [step.hex() for step in steps],
    }  # fmt: skip
    return prover.shared | prover.own(archive.log.size - 1), goes_on


def test_a_key_that_was_handed_over_proves_nothing_more(place: Path) -> None:
    archive, module, path = Archive(place / "archive"), standalone(), place / "proof.json"
    kept = archive.head
    for number, ok in ((0, False), (1, False), (2, True)):
        proof, goes_on = forged_by(place, load_signer(place / f"key-{number}"), kept)
        turned = proof | {"rotations": proof["rotations"][::-1]}
        fewer = goes_on | {"rotations": goes_on["rotations"][: max(number, 1)]}
        if ok:
            assert check_proof(proof, None, archive.origin).entry["by"] == "a thief"
            assert check_proof(turned, None, archive.origin).entry["by"] == "a thief"
            assert check_consistency(goes_on, kept, archive.origin).size == kept.size + 1
        for one in () if ok else (proof, turned):
            with pytest.raises(VerificationError, match="the key that was this archive's then"):
                check_proof(one, None, archive.origin)
            path.write_text(json.dumps(one))
            with pytest.raises(SystemExit, match="a checkpoint of another key"):
                module.proof(path, "", archive.origin)
        for one in () if ok else (goes_on, fewer, goes_on | {"rotations": []}):
            with pytest.raises(VerificationError):  # the kept checkpoint is of the newest key, which must be introduced
                check_consistency(one, kept, archive.origin)


def test_what_was_kept_is_of_the_key_that_signed_then(place: Path) -> None:
    """Somebody with an old key signs what is true; it is no checkpoint of the archive all the same."""
    archive = Archive(place / "archive")
    proof = prove_consistency(archive, archive.head)
    for number, ok in ((0, False), (1, False), (2, True)):
        kept = load_signer(place / f"key-{number}").sign(archive.head)
        made = proof | {"first": json.loads(kept.line())}
        if ok:
            assert check_consistency(made, kept) == archive.head
            continue
        with pytest.raises(VerificationError, match="does not begin with"):
            check_consistency(made, kept)


def test_the_batch_that_names_a_key_is_proven_by_the_one_before(place: Path) -> None:
    new, module, path = new_signer(place / "key-3"), standalone(), place / "proof.json"
    rotate(place / "archive", load_signer(place / "key-2"), new)
    archive = Archive(place / "archive")
    prover = Prover(archive)
    for proof in (prove(archive, "a"), prover.shared | prover.own(archive.log.size - 1)):
        assert check_proof(proof, None, archive.origin).checkpoint.key == load_signer(place / "key-2").key
        path.write_text(json.dumps(proof))
        module.proof(path, "", archive.origin)
        early = proof | {"checkpoint": json.loads(new.sign(archive.head).line())}
        path.write_text(json.dumps(early))
        with pytest.raises(SystemExit, match="a checkpoint of another key"):
            module.proof(path, "", archive.origin)
        with pytest.raises(VerificationError, match="the key that was this archive's then"):
            check_proof(early, None, archive.origin)
    for kept in [one for one in archive.log.checkpoints if one is not None]:
        assert check_consistency(json.loads(json.dumps(prove_consistency(archive, kept))), kept) == archive.head


def test_keys_are_for_their_owner_alone(place: Path, tmp_path: Path) -> None:
    (place / "key-2").chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        load_signer(place / "key-2")
    with pytest.raises(StoreError, match="never written over"):
        new_signer(place / "key-2")
    (tmp_path / "no-key").write_text("hello")
    (tmp_path / "no-key").chmod(0o600)
    with pytest.raises(DataError, match="no private key"):
        load_signer(tmp_path / "no-key")
    with pytest.raises(StoreError, match="cannot be read"):
        load_signer(tmp_path / "nowhere")


def test_witnesses_grow_and_agree(place: Path) -> None:
    archive, witness = Archive(place / "archive"), place / "witness"
    assert add_to_witness(witness, archive.log)
    assert not add_to_witness(witness, archive.log)
    add(place / "archive", load_signer(place / "key-2"), "new")
    assert add_to_witness(witness, Archive(place / "archive").log)
    assert len(read_witness(witness)) == 2
    assert verify(place / "archive", "", [witness]).witnessed == 2
    text = witness.read_text()
    witness.write_text(text.replace(f'"size":{archive.log.size}', '"size":6', 1))
    with pytest.raises(DataError, match="line 1: no signed checkpoint"):
        verify(place / "archive", "", [witness])
    for content in ("", "\n", "hello\n"):
        witness.write_text(content)
        with pytest.raises(DataError, match="witness"):
            read_witness(witness)


def test_a_witness_without_a_last_newline_is_not_destroyed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = place / "witness"
    add_to_witness(witness, Archive(place / "archive").log)
    witness.write_bytes(witness.read_bytes().rstrip(b"\n"))
    witness.chmod(0o640)
    before = witness.read_bytes()
    add(place / "archive", load_signer(place / "key-2"), "new")
    log = Archive(place / "archive").log
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda old, new: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StoreError, match="No space left"):
            add_to_witness(witness, log)
    assert witness.read_bytes() == before
    assert not list(place.glob(".witness*"))
    assert add_to_witness(witness, log)
    assert witness.read_bytes() == before + b"\n" + log.head.line() + b"\n"
    assert witness.stat().st_mode & 0o777 == 0o640
    assert [one.size for one in read_witness(witness)] == [log.size - 1, log.size]
    assert verify(place / "archive", "", [witness]).witnessed == 2


def test_the_stand_alone_verifier_looks_at_witnesses(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, module, witness = place / "archive", standalone(), place / "witness"
    add_to_witness(witness, Archive(archive).log)
    add(archive, load_signer(place / "key-2"), "new")
    add_to_witness(witness, Archive(archive).log)
    capsys.readouterr()
    module.archive(archive, "", str(witness))
    assert "that agree: 2" in capsys.readouterr().out
    module.archive(archive, "", "")
    assert "that agree: 0" in capsys.readouterr().out
    whole, point = witness.read_text(), json.loads(witness.read_text().splitlines()[0])
    stranger = new_signer(place / "stranger").sign(Checkpoint(**point))
    unsigned = json.dumps(point | {"signature": "0" * 128})
    unfit = json.dumps(point | {"time": "2001-01-01T00:00:00Z"})
    for wrong in (stranger.line().decode(), unsigned, unfit, json.dumps(point | {"root": "0" * 64})):
        witness.write_text(f"{whole}{wrong}\n")
        with pytest.raises(SystemExit, match="NOT WHAT WAS SIGNED"):
            module.archive(archive, "", str(witness))
    for wrong in ("", "\n \n", "hello"):  # nothing to check with is no check
        witness.write_text(wrong)
        with pytest.raises(SystemExit) as refused:
            module.archive(archive, "", str(witness))
        assert refused.value.code == 2


def test_the_stand_alone_verifier_tells_bad_input_from_damage(place: Path) -> None:
    archive = place / "archive"
    origin = Archive(archive).origin
    for words, code in (
        (["archive", "--origin", origin], 0),
        (["archive", "--origin", origin.upper()], 0),
        (["archive", "--origin", "0" * 64], 1),
        (["archive", "--origin", origin[:16]], 2),
        (["archive", "--witness", "nowhere"], 2),
        (["nowhere"], 2),
        (["--proof", "nowhere"], 2),
    ):
        done = subprocess.run(
            [sys.executable, "-I", archive / "verify.py", *words],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), (words, done.stderr)
        assert ("NOT WHAT WAS SIGNED" in done.stderr) == (code == 1)
    assert len((archive / "verify.py").read_text().splitlines()) < 200


def test_an_origin_is_told_in_any_spelling_and_whole(place: Path) -> None:
    folder = place / "archive"
    archive = Archive(folder)
    proof, kept = prove(archive, "a"), archive.head
    goes_on = json.loads(json.dumps(prove_consistency(archive, kept)))
    looks = (
        lambda o: verify(folder, o),
        lambda o: check_proof(proof, None, o),
        lambda o: check_consistency(goes_on, kept, o),
    )
    for look in looks:
        look(f" {archive.origin.upper()}\n")
        for wrong in (archive.origin[:16], archive.origin + "0", "letters"):
            with pytest.raises(SpecError, match="64 hexadecimal digits"):
                look(wrong)


def test_a_witness_may_be_a_link(place: Path) -> None:
    (place / "elsewhere").mkdir()
    (place / "witness").symlink_to(place / "elsewhere" / "kept")
    for _ in range(2):
        add_to_witness(place / "witness", Archive(place / "archive").log)
        assert (place / "witness").is_symlink()
        assert verify(place / "archive", "", [place / "witness"]).ok
        add(place / "archive", load_signer(place / "key-2"), f"new-{Archive(place / 'archive').log.size}")
    assert len(read_witness(place / "elsewhere" / "kept")) == 2


def test_a_checkpoint_between_batches_is_checked_as_well(place: Path) -> None:
    """A witness may hold a checkpoint that was signed for a size at which no batch ends here: then it is a fork."""
    archive, signer = Archive(place / "archive"), load_signer(place / "key-2")
    from remission.gold.merkle import root_of
    from remission.gold.signing import Checkpoint

    leaves = archive.log.leaves(2)
    for root, ok in ((root_of(leaves), True), (root_of(leaves[::-1]), False)):
        made = signer.sign(Checkpoint(archive.origin, 2, root.hex(), archive.head.time, ""))
        (place / "witness").write_bytes(made.line() + b"\n")
        found = verify(place / "archive", "", [place / "witness"])
        assert (found.ok, found.witnessed) == (ok, int(ok))


def test_licences_change_and_the_old_one_stays(place: Path) -> None:
    signer = load_signer(place / "key-2")
    amend(place / "archive", signer, ["a", "a", "b"], {"licence": "cc-by-4.0"}, "the author agreed", "me")
    archive = Archive(place / "archive")
    assert archive.record("a")["licence"] == "CC0-1.0"
    assert as_it_is(archive.record("a"), current(archive)["a"])["licence"] == "CC-BY-4.0"
    assert [event["event"] for event in history(archive, "a")] == ["ingest", "amend"]
    for changes, reason, message in (
        ({"licence": "WTF-9"}, "x", "SPDX"),
        ({"colour": "red"}, "x", "cannot be amended"),
        ({}, "x", "Nothing is to be changed"),
        ({"licence": "MIT"}, " ", "reason is needed"),
        ({"collected": "2999-01-01"}, "x", "future"),
    ):
        with pytest.raises(SpecError, match=message):
            amend(place / "archive", signer, ["a"], changes, reason, "me")
    with pytest.raises(DataError, match="no item 'zz'"):
        amend(place / "archive", signer, ["zz"], {"licence": "MIT"}, "x", "me")
    assert Archive(place / "archive").head == archive.head


def test_erasing_keeps_the_leaf(place: Path) -> None:
    signer, folder = load_signer(place / "key-2"), place / "archive"
    with writing(folder, signer) as writer:
        writer.ingest("copy of a", b"content of a", record_of("copy of a", note="PRIVATE NOTE"))
        writer.ingest(
            "large", bytes(range(256)) * 1000 + __import__("random").Random(1).randbytes(90_000), record_of("large")
        )
        writer.commit()
    before = Archive(folder)
    with pytest.raises(DataError, match="1 other items have the same content, first 'copy of a'"):
        erase_items(folder, signer, ["a"], "request 7", "me")
    with pytest.raises(SpecError, match="basis is needed"):
        erase_items(folder, signer, ["b"], "", "me")
    with pytest.raises(DataError, match="no item"):
        erase_items(folder, signer, ["b", "nothing"], "request", "me")
    assert Archive(folder).head == before.head
    erase_items(folder, signer, ["a", "large"], "request 7, GDPR article 17", "me", all_copies=True)
    archive = Archive(folder)
    for item in ("a", "copy of a", "large"):
        with pytest.raises(DataError, match="was erased"):
            archive.content(item)
        with pytest.raises(DataError, match="was erased"):
            archive.record(item)
        events = history(archive, item)
        assert [event["event"] for event in events] == ["ingest", "tombstone"]
        assert events[1]["basis"] == "request 7, GDPR article 17"
    held = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    assert b"PRIVATE NOTE" not in held
    assert not list((folder / "objects").glob("??/*"))
    assert archive.log.leaves(before.log.size) == before.log.leaves()
    assert verify(folder, archive.origin).ok
    assert (
        check_proof(prove(archive, "a"), b"content of a").entry["item"] == "a"
    )  # who has the bytes can still prove them
    with pytest.raises(DataError, match="erased already"):
        erase_items(folder, signer, ["a"], "again", "me")
    with writing(folder, signer) as writer, pytest.raises(DataError, match="cannot come back"):
        writer.ingest("a again", b"content of a", record_of("a again"))


def test_an_archive_begins_in_a_new_folder(tmp_path: Path) -> None:
    signer = new_signer(tmp_path / "key")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    with pytest.raises(StoreError, match="not empty"):
        create(tmp_path / "full", "x", signer)
    with pytest.raises(DataError, match="1 to 100"):
        create(tmp_path / "new", "x" * 101, signer)
    for folder in (tmp_path / "full", tmp_path / "nowhere"):
        with pytest.raises(DataError, match="no archive"):
            Archive(folder)
        with pytest.raises(DataError, match="no archive"), writing(folder, signer):
            pass
        with pytest.raises(DataError, match="no archive"):
            verify(folder)
    assert not (tmp_path / "nowhere").exists()
