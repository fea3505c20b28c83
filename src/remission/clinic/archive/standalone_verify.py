"""Check a gold archive, or proofs of its items, with nothing but Python and the package ``cryptography``.

python verify.py ARCHIVE [--origin ORIGIN] [--witness FILE]           all of it is as it was signed
python verify.py --proof PROOF [--file CONTENT] [--origin ORIGIN]     these entries are in the log that was signed
"""
# mypy: ignore-errors
# ruff: noqa: D103
# fmt: off

import argparse
import json
import re
import sys
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(condition, what):
    if not condition:
        sys.exit(f"NOT WHAT WAS SIGNED: {what}")

def refuse(what):  # nothing was checked
    sys.exit(print(f"error: {what}", file=sys.stderr) or 2)

def leaf(entry):  # RFC 9162, 2.1.1
    return sha256(b"\x00" + entry).digest()

def node(left, right):
    return sha256(b"\x01" + left + right).digest()

def append(peaks, value, height=0):  # peaks: (height, hash) of perfect subtrees, largest first
    while peaks and peaks[-1][0] == height:
        value, height = node(peaks.pop()[1], value), height + 1
    peaks.append((height, value))

def root(peaks):
    value = peaks[-1][1]
    for _, left in peaks[-2::-1]:
        value = node(left, value)
    return value.hex()

def climb(value, index, size, path):  # RFC 9162, 2.1.3: the root that a path, lowest step first, leads to
    check(0 <= index < size and (size == 1) == (not path), "the length of a path")
    if size == 1:
        return value
    split, step = 1 << (size - 1).bit_length() - 1, bytes.fromhex(path[-1])
    if index < split:
        return node(climb(value, index, split, path[:-1]), step)
    return node(step, climb(value, index - split, size - split, path[:-1]))

def plain(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

def signed(key, statement, signature, what):
    check(bytes.fromhex(key + signature).hex() == key + signature, f"the spelling of {what}")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), statement)
    except Exception:
        check(False, f"the signature of {what}")

def checkpoint(point, keys, origin):
    check(point["key"] in keys and point["origin"] == origin, "a checkpoint of another key or archive")
    text = b"remission/archive-checkpoint/1\n" + plain({name: point[name] for name in point if name != "signature"})
    signed(point["key"], text, point["signature"], f"the checkpoint of {point['size']} entries")

def rotated(event, origin):  # a new key, which its holder agreed to
    signed(event["key"], f"remission/archive-key/1\n{origin}{event['key']}".encode(), event["proof"], "a new key")
    return event["key"]

def archive(folder, origin, witness):
    kept = witnessed(witness) if witness else []
    peaks, roots, events, keys, start = [], {}, [], [], ""
    for number, path in enumerate(sorted((folder / "log").iterdir())):
        check(path.name == f"{number:08d}.jsonl" and path.is_file() and not path.is_symlink(), f"the log, {path.name}")
        *lines, last, end = path.read_bytes().split(b"\n")
        signer = keys[-1:]  # a batch is signed by the key before it
        for line in lines:
            check(line[:65] == leaf(line[65:]).hex().encode() + b" ", f"an entry in {path.name}")
            event = json.loads(line[65:])
            if not events:
                start, keys, signer = leaf(line[65:]).hex(), [event["key"]], [event["key"]]
            elif event["event"] == "key":
                keys.append(rotated(event, start))
            append(peaks, leaf(line[65:]))
            events.append((number, event))
            roots[len(events)] = root(peaks) if kept else ""
        point = json.loads(last.removeprefix(b"checkpoint "))
        check(last == b"checkpoint " + plain(point) and not end, f"the end of {path.name}")
        check((point["size"], point["root"]) == (len(events), root(peaks)), f"the entries of {path.name}")
        checkpoint(point, signer, start)
    check(origin in ("", start), f"this is the archive {start}")
    for one in kept:
        check(one["origin"] == start and roots.get(one["size"]) == one["root"], "rollback, fork or another archive")
        checkpoint(one, keys, start)
    contents(folder, events)
    print(f"as it was signed: {start}", *(f"{name} {point[name]}" for name in ("key", "size", "time")), sep="\n")
    print(f"checkpoints kept elsewhere that agree: {len(kept)}")

def witnessed(path):
    try:
        found = [json.loads(line) for line in Path(path).read_bytes().split(b"\n") if line.strip()]
        return found or refuse(f"{path} holds no checkpoint")
    except (ValueError, RecursionError):
        refuse(f"{path} is no witness")

def contents(folder, events):
    gone = {(what, event["item" if what == "record" else "content"])
            for _, event in events if event["event"] == "tombstone" for what in event["erased"]}
    parts = {}  # file -> what lies in it, one behind the other: start, size, hash, the byte it is erased to, its end

    def lies(path, *part):
        parts.setdefault(folder / path, []).append(part)

    for number, event in events:
        name = event.get("content", "")
        if "record" in event:
            blank = b" " if ("record", event.get("item")) in gone else b""
            lies(f"records/{number:08d}.jsonl", event["at"], event["long"], event["record"], blank, b"\n")
        if "pack" in event:
            blank = b"\0" if ("content", name) in gone else b""
            lies(f"packs/{number:08d}.pack", event["offset"], event["size"], event["stored"], blank, b"")
        elif "stored" in event and ("content", name) not in gone:
            lies(f"objects/{name[:2]}/{name}", 0, event["size"], event["stored"], b"", b"")
    for name, field in (("verify.py", "verifier"), ("README.txt", "readme")):
        lies(name, 0, (folder / name).stat().st_size, events[0][1][field], b"", b"")
    parts |= {path: [] for path in folder.glob(".lock")}  # empty
    begun = interrupted(folder, events[-1][0] + 1, gone)
    for path in folder.rglob("*"):
        inner = path.relative_to(folder).as_posix()
        known = path in parts or (path.is_file() and (path in begun or re.fullmatch("(log|incoming)/[^/]+", inner)))
        known = re.fullmatch("log|records|packs|incoming|objects(/[0-9a-f]{2})?", inner) if path.is_dir() else known
        check(known and not path.is_symlink(), f"nothing in the log speaks of {path}")
    for path, pieces in parts.items():
        check(path.is_file(), f"{path} is missing")
        data, at = path.read_bytes(), 0
        for start, size, digest, blank, end in pieces:
            piece, stop = data[start : start + size], start + size + len(end)
            good = piece == blank * size if blank else sha256(piece).hexdigest() == digest
            check(good and start == at and data[stop - len(end) : stop] == end, f"{path}, byte {start}")
            at = stop
        check(at == len(data), f"{path} is longer than was signed")

def interrupted(folder, batch, gone):  # files of a batch that was killed before it counted; the next one removes them
    path = folder / "incoming" / "promise.json"
    try:
        promise = json.loads(path.read_bytes() if path.is_file() else b"{}")  # a pipe would not end
        objects = [one for one in promise["objects"] if re.fullmatch("[0-9a-f]{64}", one) and ("content", one) not in gone]
        objects = [f"objects/{name[:2]}/{name}" for name in objects]
        names = [f"packs/{batch:08d}.pack", f"records/{batch:08d}.jsonl", *objects]
        return {folder / name for name in names} if promise["batch"] == batch else set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()

def proof(path, file, origin):  # one proof, or what many share and then a line for each, as exports have them
    shared, *more = [json.loads(line) for line in Path(path).read_bytes().split(b"\n") if line]
    ongoing = shared["schema"] == "remission/archive-consistency/1"
    check(ongoing or shared["schema"] == "remission/archive-proof/1", "this is no proof")
    first, point = shared["opening"].encode(), shared["checkpoint"]
    start, signer, own = leaf(first).hex(), json.loads(first)["key"], [shared] if "entry" in shared else []
    check(origin in ("", start) and shared["origin"] == start, f"this is the archive {start}")
    check(not ongoing or not more + own, "a proof that a log goes on is about no entry")
    check(more + own or (ongoing and not file), "no entry is proven")
    for one in sorted(shared["rotations"], key=lambda one: one["index"]):
        event = reached(one, point)
        check(event["event"] == "key", "a new key")
        new = rotated(event, start)
        signer = new if one["index"] + 1 < point["size"] else signer  # the batch that names it is signed by the one before
    checkpoint(point, [signer], start)
    for event in [reached(one, point) for one in more + own]:
        fits = not file or (event["event"], event["content"]) == ("ingest", sha256(Path(file).read_bytes()).hexdigest())
        check(fits, f"the content of {file}")
        print(f"{event['event']} of '{event.get('item')}' {event.get('content', '')}")
    print(f"in the archive {start} of {point['size']} entries at {point['time']}")
    if ongoing:
        print("This is the newest checkpoint; that it goes on from an earlier one, `remission archive check` can tell.")

def reached(one, point):  # an entry whose path leads to the root that was signed
    value = climb(leaf(one["entry"].encode()), one["index"], point["size"], one["path"])
    check(value.hex() == point["root"], "the path to the root")
    return json.loads(one["entry"])

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path, default=Path())
    for option in ("--origin", "--witness", "--proof", "--file"):
        parser.add_argument(option, default="")
    given = parser.parse_args()
    gone = [one for one in (given.proof or given.archive / "log", given.file, given.witness) if not Path(one).exists()]
    if gone or not re.fullmatch("([0-9a-fA-F]{64})?", given.origin):
        refuse(f"{gone[0]} is not there" if gone else "an origin has 64 hexadecimal digits")
    try:
        if given.proof:
            proof(given.proof, given.file, given.origin.lower())
        else:
            archive(given.archive, given.origin.lower(), given.witness)
    except Exception as error:
        check(False, f"{type(error).__name__} {error}")
