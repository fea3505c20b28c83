"""Every kind of damage is found, with what, where and since which checkpoint; see test_damage.py for damage at random."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from remission.clinic.archive.verifying import Verification, verify
from remission.clinic.archive.witness import add_to_witness
from remission.clinic.archive.writing import create, writing
from remission.errors import StoreError, VerificationError
from remission.gold.archive import Archive
from remission.gold.canonical import canonical, parse
from remission.gold.log import Fault, object_file
from remission.gold.merkle import leaf_hash, root_of
from remission.gold.signing import Checkpoint, Signer, new_signer, read_checkpoint

from .archive_tools import BATCHES, rejects, standalone


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def look(place: Path, witness: bool = False) -> Verification:
    return verify(place / "archive", witnesses=[place / "witness"] if witness else [])


def test_the_whole_one_is_whole(whole: Path) -> None:
    assert look(whole, witness=True).ok
    assert not rejects(standalone(), whole / "archive", "", str(whole / "witness"))


# --- files and lines ----------------------------------------------------------------------------------------------


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")


def write(path: Path, found: list[bytes]) -> None:
    path.write_bytes(b"\n".join(found))


def big(archive: Path) -> Path:
    return object_file(
        archive, next(entry["content"] for _, entry in Archive(archive).log.entries() if entry.get("item") == "1-4")
    )


def swap_objects(archive: Path) -> None:
    one, other = sorted(path for path in (archive / "objects").rglob("*") if path.is_file())[:2]
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def swap_in_pack(archive: Path) -> None:
    path = archive / "packs" / "00000001.pack"
    entries = [entry for _, entry in Archive(archive).log.entries() if entry.get("pack") == 1]
    data = path.read_bytes()
    pieces = [data[entry["offset"] : entry["offset"] + entry["size"]] for entry in entries]
    path.write_bytes(b"".join([pieces[1], pieces[0], *pieces[2:]]))


def edit_metadata(archive: Path) -> None:
    path = archive / "records" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"2019-04-01", b"2018-04-01", 1))


def edit_metadata_and_hashes(archive: Path) -> None:
    """Somebody without the key changes a record and everything that can be computed from it."""
    edit_metadata(archive)
    record = lines(archive / "records" / "00000001.jsonl")[0]
    path = archive / "log" / "00000001.jsonl"
    found = lines(path)
    entry = parse(found[0][65:]) or {}
    import hashlib

    entry["record"] = hashlib.sha256(record).hexdigest()
    found[0] = leaf_hash(canonical(entry)).hex().encode() + b" " + canonical(entry)
    write(path, found)


def line_change(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def apply(archive: Path) -> None:
        path = archive / "log" / "00000001.jsonl"
        write(path, change(lines(path)))

    return apply


def symlink_of(name: str) -> Callable[[Path], None]:
    def apply(archive: Path) -> None:
        path = big(archive) if name == "object" else archive / name
        moved = archive.parent / "elsewhere"
        shutil.move(path, moved)
        path.symlink_to(moved)

    return apply


def special(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(archive: Path) -> None:
        path = big(archive)
        path.unlink()
        make(path)

    return apply


def bind(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # names of sockets may not be long
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


def resigned(archive: Path) -> None:
    """A checkpoint by another key over the same entries."""
    path = archive / "log" / "00000002.jsonl"
    found = lines(path)
    checkpoint = read_checkpoint(found[-2].partition(b" ")[2])
    assert checkpoint is not None
    stranger = new_signer(archive.parent / "stranger")
    found[-2] = b"checkpoint " + stranger.sign(checkpoint).line()
    write(path, found)


def case_clash(archive: Path) -> None:
    path = big(archive)
    shutil.copy(path, path.with_name(path.name.upper()))


def nested(archive: Path) -> None:
    """An entry that would bring a recursive reader down."""
    path = archive / "log" / "00000001.jsonl"
    found = lines(path)
    entry = b"[" * 200_000 + b"]" * 200_000
    found[0] = leaf_hash(entry).hex().encode() + b" " + entry
    write(path, found)


def un_erase_with_an_excuse(archive: Path) -> None:
    """Erased bytes come back, with a promise that looks as if a command had been interrupted."""
    un_erase(archive)
    (archive / "incoming" / "promise.json").write_bytes(canonical({"batch": 5, "objects": []}))


def un_erase_with_a_better_excuse(archive: Path) -> None:
    """The same, with a promise of the batch that erased them."""
    un_erase(archive)
    (archive / "incoming" / "promise.json").write_bytes(canonical({"batch": 6, "objects": []}))


def insert_an_object_with_an_excuse(archive: Path) -> None:
    """A stray, with a promise of a batch that is there already."""
    path = big(archive).with_name(big(archive).parent.name + "0" * 62)
    path.write_bytes(b"x")
    (archive / "incoming" / "promise.json").write_bytes(canonical({"batch": 6, "objects": [path.name]}))


def link_with_an_excuse(archive: Path) -> None:
    """A link under the name of a pack that a command was about to write."""
    (archive / "packs" / "00000007.pack").symlink_to(archive / "README.txt")
    (archive / "incoming" / "promise.json").write_bytes(canonical({"batch": 7, "objects": []}))


def truncate_what_was_erased(archive: Path) -> None:
    """The last content of a pack is erased, which leaves blanks, and the blanks are cut off."""
    from remission.clinic.archive.changing import erase_items
    from remission.gold.signing import load_signer

    erase_items(archive, load_signer(archive.parent / "key"), ["2-3"], "on request", "us")
    path = archive / "packs" / "00000003.pack"
    os.truncate(path, path.stat().st_size - 3)


def put_back(archive: Path) -> Path:
    """Bytes under the name of a content that was erased, and that lay in a pack."""
    log = Archive(archive).log
    entry = log.entry(log.items["0-0"])
    assert "pack" in entry
    path = object_file(archive, entry["content"])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"what was erased, or anything else")
    return path


def put_back_with_an_excuse(archive: Path) -> None:
    """The same, as if a command were about to add it."""
    path = put_back(archive)
    (archive / "incoming" / "promise.json").write_bytes(canonical({"batch": 7, "objects": [path.name]}))


def un_erase(archive: Path) -> None:
    path = archive / "packs" / "00000001.pack"
    data = path.read_bytes()
    assert data[:1] == b"\0"
    path.write_bytes(b"(" + data[1:])


def swap_batches(archive: Path) -> None:
    one, other = archive / "log" / "00000001.jsonl", archive / "log" / "00000002.jsonl"
    one.rename(archive / "log" / "x")
    other.rename(one)
    (archive / "log" / "x").rename(other)


def flip(name: str, at: int) -> Callable[[Path], None]:
    def apply(archive: Path) -> None:
        data = bytearray((archive / name).read_bytes())
        data[at] ^= 1
        (archive / name).write_bytes(bytes(data))

    return apply


# What is done, what is found and where; since the checkpoint of how many entries, and after which. The archive has checkpoints
# of 1, 6, 11, 16, 21, 22 and 23 entries; of what was added none speaks, so it is after the last.
FAULTS: dict[str, tuple[Callable[[Path], None], str, str, int | None, int | None]] = {
    "delete an object": (lambda a: big(a).unlink(), "missing", "objects/", 11, 6),
    "delete a pack": (lambda a: (a / "packs" / "00000002.pack").unlink(), "missing", "packs/00000002", 11, 6),
    "delete records": (lambda a: (a / "records" / "00000002.jsonl").unlink(), "missing", "records/00000002", 11, 6),
    "delete a batch in the middle": (lambda a: (a / "log" / "00000002.jsonl").unlink(), "missing", "log/00000002", 16, 6),
    "delete an entry": (line_change(lambda x: [x[0], *x[2:]]), "root", "log/00000001", 6, 1),
    "truncate an object": (lambda a: os.truncate(big(a), 1000), "content", "objects/", 11, 6),
    "truncate a pack": (lambda a: os.truncate(a / "packs" / "00000002.pack", 100), "content", "packs/00000002", 11, 6),
    "truncate records": (lambda a: os.truncate(a / "records" / "00000002.jsonl", 100), "record", "records/00000002", 11, 6),
    "truncate the log": (lambda a: os.truncate(a / "log" / "00000002.jsonl", 900), "truncated", "log/00000002", 16, 6),
    "lengthen a pack": (lambda a: os.truncate(a / "packs" / "00000002.pack", 9000), "content", "packs/00000002", 11, 6),
    "swap objects": (swap_objects, "content", "objects/", 11, 6),
    "swap contents of a pack": (swap_in_pack, "content", "packs/00000001", 6, 1),
    "swap entries": (line_change(lambda x: [x[1], x[0], *x[2:]]), "root", "log/00000001", 6, 1),
    "swap batches": (swap_batches, "root", "log/00000001", 6, 1),
    "double an entry": (line_change(lambda x: [x[0], *x]), "root", "log/00000001", 6, 1),
    "insert an entry": (line_change(lambda x: [leaf_hash(b"{}").hex().encode() + b" {}", *x]), "root", "log/00000001", 6, 1),
    "insert an object": (lambda a: (a / "objects" / "00" / ("0" * 64)).parent.mkdir() or (a / "objects" / "00" / ("0" * 64)).write_bytes(b"x"), "stray", "objects/00", None, 23),
    "insert an object beside others": (lambda a: (big(a).parent / (big(a).parent.name + "0" * 62)).write_bytes(b"x"), "stray", "objects/", None, 23),
    "insert a pack": (lambda a: (a / "packs" / "00000009.pack").write_bytes(b"x"), "stray", "packs/00000009", None, 23),
    "insert a file": (lambda a: (a / "more.txt").write_bytes(b"x"), "stray", "more.txt", None, 23),
    "insert a batch": (lambda a: shutil.copy(a / "log" / "00000004.jsonl", a / "log" / "00000007.jsonl"), "root", "log/00000007", None, 23),
    "insert a pack of a batch that has none": (lambda a: (a / "packs" / "00000005.pack").write_bytes(b"x"), "stray", "packs/00000005", 22, 21),
    "insert a batch of an absurd number": (lambda a: shutil.copy(a / "log" / "00000004.jsonl", a / "log" / "99999999.jsonl"), "stray", "log/99999999", None, 23),
    "a lock that is no lock": (lambda a: (a / ".lock").write_bytes(b"x"), "stray", ".lock", None, 23),
    "damage the opening": (flip("log/00000000.jsonl", 80), "entry", "log/00000000", 1, None),
    "damage a checkpoint": (flip("log/00000002.jsonl", -40), "checkpoint", "log/00000002", 16, 6),
    "damage the last checkpoint": (flip("log/00000006.jsonl", -40), "checkpoint", "log/00000006", None, 22),
    "damage the last entry": (flip("log/00000006.jsonl", 80), "entry", "log/00000006", 23, 22),
    "damage the verifier": (flip("verify.py", 80), "file", "verify.py", 1, None),
    "edit metadata": (edit_metadata, "record", "records/00000001", 6, 1),
    "edit metadata and its hashes": (edit_metadata_and_hashes, "root", "log/00000001", 6, 1),
    "wrong key": (resigned, "key", "log/00000002", 16, 6),
    "symlink in place of an object": (symlink_of("object"), "symlink", "objects/", 11, 6),
    "symlink in place of a pack": (symlink_of("packs/00000002.pack"), "symlink", "packs/00000002", 11, 6),
    "symlink in place of records": (symlink_of("records/00000002.jsonl"), "symlink", "records/00000002", 11, 6),
    "symlink in place of a batch": (symlink_of("log/00000002.jsonl"), "symlink", "log/00000002", 16, 6),
    "symlink in place of a folder": (symlink_of("packs"), "symlink", "packs", 1, None),
    "symlink in place of the folder of what is begun": (symlink_of("incoming"), "symlink", "incoming", 1, None),
    "file in place of the folder of what is begun": (lambda a: (a / "incoming").rmdir() or (a / "incoming").write_bytes(b""), "special", "incoming", 1, None),
    "symlink in place of the verifier": (symlink_of("verify.py"), "symlink", "verify.py", 1, None),
    "pipe in place of an object": (special(os.mkfifo), "special", "objects/", 11, 6),
    "socket in place of an object": (special(bind), "special", "objects/", 11, 6),
    "folder in place of an object": (special(os.mkdir), "special", "objects/", 11, 6),
    "names that clash in case": (case_clash, "case-clash", "objects/", None, 23),
    "folders that clash in case": (lambda a: (a / "LOG").mkdir(), "case-clash", "LOG", None, 23),
    "an entry nested without end": (nested, "event", "log/00000001", 6, 1),
    "erased bytes come back, with an excuse": (un_erase_with_an_excuse, "not-erased", "packs/00000001", 23, 22),
    "erased bytes come back, with a better excuse": (un_erase_with_a_better_excuse, "unfinished", "packs/00000001", 23, 22),
    "insert an object, with an excuse": (insert_an_object_with_an_excuse, "stray", "objects/", None, 23),
    "a link, with an excuse": (link_with_an_excuse, "stray", "packs/00000007", None, 23),
    "truncate what was erased": (truncate_what_was_erased, "content", "packs/00000003", 16, 11),
    "erased bytes come back as an object": (put_back, "not-erased", "objects/", 23, 22),
    "erased bytes come back as an object, with an excuse": (put_back_with_an_excuse, "not-erased", "objects/", 23, 22),
    "a folder that is no shard": (lambda a: (a / "objects" / "AB").mkdir(), "stray", "objects/AB", None, 23),
    "a folder among packs": (lambda a: (a / "packs" / "x").mkdir(), "stray", "packs/x", None, 23),
    "a folder in place of records to come": (lambda a: (a / "records" / "00000099.jsonl").mkdir(), "stray", "records/00000099", None, 23),
    "a folder within a shard": (lambda a: (big(a).parent / "x").mkdir(), "stray", "objects/", None, 23),
    "a folder among what is begun": (lambda a: (a / "incoming" / "x").mkdir(), "stray", "incoming/x", None, 23),
    "a link among what is begun": (lambda a: (a / "incoming" / "x").symlink_to(a / "verify.py"), "stray", "incoming/x", None, 23),
    "a pipe among what is begun": (lambda a: os.mkfifo(a / "incoming" / "promise.json"), "stray", "incoming/promise.json", None, 23),
    "a pipe in place of a pack": (lambda a: (a / "packs" / "00000002.pack").unlink() or os.mkfifo(a / "packs" / "00000002.pack"), "special", "packs/00000002", 11, 6),
    "a pipe in place of the lock": (lambda a: (a / ".lock").unlink() or os.mkfifo(a / ".lock"), "stray", ".lock", None, 23),
    "a link in place of the lock": (symlink_of(".lock"), "stray", ".lock", None, 23),
    "a folder in place of the lock": (lambda a: (a / ".lock").unlink() or (a / ".lock").mkdir(), "stray", ".lock", None, 23),
    "erased bytes come back": (un_erase, "not-erased", "packs/00000001", 23, 22),
}  # fmt: skip


def sizes(fault: Fault) -> tuple[int | None, int | None]:
    """Of the checkpoints since and after which it counts."""
    since, after = (None if one is None else one.size for one in (fault.since, fault.after))
    return since, after


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found_and_located(name: str, place: Path) -> None:
    break_it, kind, where, since, after = FAULTS[name]
    break_it(place / "archive")
    found = look(place)
    told = [fault for fault in found.faults if fault.kind == kind and fault.where.startswith(where)]
    assert told, found.faults
    assert sizes(told[0]) == (since, after)
    assert all(fault.since or fault.after for fault in found.faults)
    assert rejects(standalone(), place / "archive")
    broken_log = where.startswith("log/") and kind != "stray"
    if broken_log:
        with pytest.raises(VerificationError, match="archive verify"):
            Archive(place / "archive")


def test_since_when_is_also_told_by_witnesses(place: Path, tmp_path: Path) -> None:
    """What no checkpoint of the archive vouches for any more, one kept elsewhere does."""
    archive = place / "archive"
    kept = [one for one in Archive(archive).log.checkpoints if one is not None]
    (place / "all").write_bytes(b"".join(one.line() + b"\n" for one in kept[1:]))
    flip("log/00000006.jsonl", -40)(archive)
    (fault,) = look(place, witness=True).faults
    assert sizes(fault) == (23, 22)
    (archive / "log" / "00000002.jsonl").unlink()
    found = verify(archive, witnesses=[place / "all"]).faults
    assert [sizes(fault) for fault in found if fault.where == "log/00000002.jsonl"] == [(11, 6)]
    assert {fault.kind for fault in found} >= {"missing", "checkpoint"}


def test_a_stranger_who_introduces_himself_vouches_for_nothing(place: Path) -> None:
    """Batches signed by another key, the first of which names that key, count as one fault each and date nothing."""
    archive, stranger = place / "archive", new_signer(place / "stranger")
    log = Archive(archive).log
    tree, time = log.tree.copy(), log.head.time
    for number in (7, 8):
        event = canonical({"event": "key", "time": time} | stranger.introduce(log.origin))
        tree.append(leaf_hash(event))
        point = stranger.sign(Checkpoint(log.origin, tree.size, tree.root().hex(), time, ""))
        found = [leaf_hash(event).hex().encode() + b" " + event, b"checkpoint " + point.line(), b""]
        write(archive / "log" / f"{number:08d}.jsonl", found)
    found_faults = look(place).faults
    assert [(one.kind, one.where[:12], *sizes(one)) for one in found_faults] == [
        ("key", "log/00000007", None, 23),
        ("key", "log/00000008", None, 23),
    ]


def test_nothing_is_signed_on_top_of_a_broken_log(place: Path) -> None:
    from remission.gold.signing import load_signer

    line_change(lambda x: [x[0], *x])(place / "archive")
    before = sorted((path, path.stat().st_mtime_ns) for path in (place / "archive" / "log").iterdir())
    with pytest.raises(VerificationError), writing(place / "archive", load_signer(place / "key")):
        pass
    assert sorted((path, path.stat().st_mtime_ns) for path in (place / "archive" / "log").iterdir()) == before


@pytest.mark.parametrize("name", ["incoming", "objects", "records", "packs", "shard"])
def test_nothing_is_removed_or_written_through_a_link(name: str, place: Path) -> None:
    """Whoever may put a link into the archive must not make its owner delete files elsewhere."""
    from remission.gold.signing import load_signer

    archive, victim = place / "archive", place / "victim"
    folder = big(archive).parent if name == "shard" else archive / name
    shutil.move(folder, place / "moved")
    victim.mkdir()
    (victim / "thesis.txt").write_text("years of work")
    folder.symlink_to(victim)
    with pytest.raises(StoreError, match="no folder of its own"), writing(archive, load_signer(place / "key")):
        pass
    assert [path.name for path in victim.iterdir()] == ["thesis.txt"]
    assert not look(place).ok
    folder.unlink()
    shutil.move(place / "moved", folder)
    with writing(archive, load_signer(place / "key")) as writer:
        writer.ingest("new", b"x", {"id": "new"})
        (archive / "incoming").rmdir()
        (archive / "incoming").symlink_to(victim)  # while it is being written
        with pytest.raises(StoreError, match="no folder of its own"):
            writer.commit()
    assert [path.name for path in victim.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, bind], ids=["pipe", "folder", "socket"])
def test_a_lock_that_is_none_stops_who_writes_and_not_who_reads(make: Callable[[Path], None], place: Path) -> None:
    from remission.gold.signing import load_signer

    archive, key = place / "archive", load_signer(place / "key")
    (archive / ".lock").unlink()
    make(archive / ".lock")
    assert [one.where for one in look(place).faults] == [".lock"]
    with pytest.raises(StoreError, match="no plain file"), writing(archive, key):
        pass


def test_a_folder_among_what_is_begun_is_told_with_the_way_out(place: Path) -> None:
    from remission.gold.signing import load_signer

    archive, key = place / "archive", load_signer(place / "key")
    (archive / "incoming" / "x").mkdir()
    (fault,) = look(place).faults
    assert "take it away" in fault.what
    with pytest.raises(StoreError, match=r"incoming/x' is a folder.*Take it away"), writing(archive, key):
        pass
    (archive / "incoming" / "x").rmdir()
    with writing(archive, key):
        pass
    assert look(place).ok


@pytest.mark.parametrize("name", ["packs", "records"])
def test_a_pipe_in_place_of_what_is_to_be_erased_hangs_nobody(name: str, place: Path) -> None:
    """Not even with a reader at its other end, to whom the writing would be lost."""
    from remission.clinic.archive.changing import erase_items
    from remission.gold.signing import load_signer

    archive, key = place / "archive", load_signer(place / "key")
    (path,) = (archive / name).glob("00000003.*")
    kept = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises((StoreError, VerificationError), match=r"regular file"):
            erase_items(archive, key, ["2-2"], "on request", "us")
    finally:
        os.close(reader)
    path.unlink()
    path.write_bytes(kept)
    with writing(archive, key):
        pass  # finishes what was begun, when the file is back
    assert look(place).ok
    assert "2-2" in Archive(archive).log.erased or name == "records"


def test_a_copy_without_empty_folders_is_whole(place: Path) -> None:
    from remission.gold.signing import load_signer

    (place / "archive" / "incoming").rmdir()
    assert look(place).ok
    with writing(place / "archive", load_signer(place / "key")) as writer:
        writer.ingest("new", b"x", {"id": "new"})
        writer.commit()
    assert look(place).ok


# --- what only somebody else's memory can find --------------------------------------------------------------------


def test_rollback_needs_a_witness(place: Path) -> None:
    shutil.rmtree(place / "archive")
    (place / "earlier").rename(place / "archive")
    assert look(place).ok  # validly signed, and complete
    found = look(place, witness=True)
    assert [(fault.kind, fault.what) for fault in found.faults] == [
        ("rollback", "the witness saw 23 entries, and now there are 21")
    ]
    assert sizes(found.faults[0]) == (23, 21)
    assert not rejects(standalone(), place / "archive")
    assert rejects(standalone(), place / "archive", "", str(place / "witness"))


def forked(place: Path, signer: Signer) -> None:
    """The holder of the key signs another history of the same length."""
    shutil.rmtree(place / "archive" / "log")
    (place / "archive" / "log").mkdir()
    leaves: list[bytes] = []
    origin, last = "", b""
    for number in range(BATCHES + 3):
        source = lines(place / "whole" / "log" / f"{number:08d}.jsonl")
        found = []
        for line in source[:-2]:
            entry = parse(line[65:]) or {}
            if entry["event"] == "amend":
                entry["reason"] = "another one"
            leaves.append(leaf_hash(canonical(entry)))
            origin = origin or leaves[0].hex()
            found.append(leaves[-1].hex().encode() + b" " + canonical(entry))
        old = read_checkpoint(source[-2].partition(b" ")[2])
        assert old is not None
        last = signer.sign(Checkpoint(origin, len(leaves), root_of(leaves).hex(), old.time, "")).line()
        write(place / "archive" / "log" / f"{number:08d}.jsonl", [*found, b"checkpoint " + last, b""])


def test_fork_needs_a_witness(place: Path) -> None:
    from remission.gold.signing import load_signer

    shutil.copytree(place / "archive", place / "whole")
    forked(place, load_signer(place / "key"))
    assert look(place).ok  # the key was used: nothing in the archive can tell
    found = look(place, witness=True)
    assert [fault.kind for fault in found.faults] == ["fork"]
    assert sizes(found.faults[0]) == (23, None)
    assert rejects(standalone(), place / "archive", "", str(place / "witness"))
    with pytest.raises(StoreError, match="does not agree"):
        add_to_witness(place / "witness", Archive(place / "archive").log)


def test_another_archive_needs_an_origin_or_a_witness(place: Path, tmp_path: Path) -> None:
    origin = Archive(place / "archive").origin
    create(tmp_path / "other", "faults", new_signer(tmp_path / "other-key"))
    assert verify(tmp_path / "other").ok
    assert "Neither an origin nor a witness" in verify(tmp_path / "other").notes[0]
    assert [fault.kind for fault in verify(tmp_path / "other", origin).faults] == ["origin"]
    assert {fault.kind for fault in verify(tmp_path / "other", "", [place / "witness"]).faults} == {"origin"}
    assert rejects(standalone(), tmp_path / "other", origin)
