"""Check a gold archive, or the proof of one item, with nothing but Python and the package ``cryptography``.

python verify.py ARCHIVE [--origin ORIGIN] [--witness FILE]     all of it is as it was signed
python verify.py --proof PROOF.json [--file CONTENT] [--origin ORIGIN]     one entry is in the log that was signed
"""

# ruff: noqa: D103
# mypy: ignore-errors

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(condition, what):
    if not condition:
        sys.exit(f"NOT WHAT WAS SIGNED: {what}")


def leaf(entry):
    return sha256(b"\x00" + entry).digest()


def root(peaks):  # RFC 9162, 2.1: peaks are (height, hash) of perfect subtrees, largest first
    value = peaks[-1][1]
    for _, left in peaks[-2::-1]:
        value = sha256(b"\x01" + left + value).digest()
    return value


def append(peaks, value):
    height = 0
    while peaks and peaks[-1][0] == height:
        value, height = sha256(b"\x01" + peaks.pop()[1] + value).digest(), height + 1
    peaks.append((height, value))


def climb(value, index, size, path):  # RFC 9162, 2.1.3.2
    last = size - 1
    for step in map(bytes.fromhex, path):
        check(last > 0, "the path is too long")
        if index & 1 or index == last:
            value = sha256(b"\x01" + step + value).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            value = sha256(b"\x01" + value + step).digest()
        index, last = index >> 1, last >> 1
    check(last == 0, "the path is too short")
    return value


def signed(key, statement, signature, what):
    try:
        check(bytes.fromhex(key + signature).hex() == key + signature, f"the spelling of {what}")
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), statement)
    except Exception:
        check(False, f"the signature of {what}")


def checkpoint(found, keys, origin):
    rest = {name: value for name, value in found.items() if name != "signature"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()
    check(found["key"] in keys and found["origin"] == origin, "a checkpoint of another key or archive")
    signed(found["key"], b"remission/archive-checkpoint/1\n" + text, found["signature"], f"checkpoint {found['size']}")


def rotated(event, origin):
    signed(event["key"], f"remission/archive-key/1\n{origin}{event['key']}".encode(), event["proof"], "a new key")
    return event["key"]


def part(path, start, size):
    check(path.is_file() and not path.is_symlink(), f"{path} is missing")
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def archive(folder, origin, witness):
    peaks, roots, key, events, origin_found = [], {}, "", [], ""
    batches = sorted((folder / "log").iterdir())
    for number, path in enumerate(batches):
        check(path.name == f"{number:08d}.jsonl" and not path.is_symlink(), f"the log goes wrong at {path.name}")
        *lines, last, end = path.read_bytes().split(b"\n")
        signer = key
        for line in lines:
            check(line[:65] == leaf(line[65:]).hex().encode() + b" ", f"an entry in {path.name}")
            event = json.loads(line[65:])
            if not events:
                key = signer = event["key"]
                origin_found = leaf(line[65:]).hex()
            elif event["event"] == "key":
                key = rotated(event, origin_found)
            append(peaks, leaf(line[65:]))
            events.append((number, event))
            roots[len(events)] = root(peaks).hex() if witness else ""
        point = json.loads(last.removeprefix(b"checkpoint "))
        text = b"checkpoint " + json.dumps(point, sort_keys=True, separators=(",", ":")).encode()
        check(text == last and not end, f"the end of {path.name}")
        check((point["size"], point["root"]) == (len(events), root(peaks).hex()), f"the entries of {path.name}")
        checkpoint(point, {signer}, origin_found)
    check(origin in ("", origin_found), f"this is the archive {origin_found}")
    for line in Path(witness).read_text().split("\n") if witness else []:
        kept = json.loads(line) if line else None
        check(not kept or kept["origin"] == origin_found, "the witness saw another archive")
        check(not kept or roots.get(kept["size"]) == kept["root"], "rollback or fork: the witness saw another history")
    contents(folder, events)
    names = ("key", "size", "time")
    print(f"as it was signed: {origin_found}", *(f"{name} {point[name]}" for name in names), sep="\n")


def contents(folder, events):
    gone, ends, wanted = {}, {}, {"verify.py", "README.txt", ".lock"}
    for _, event in events:
        if event["event"] == "tombstone":
            gone.setdefault(event["item"], set()).update(event["erased"])
            gone.setdefault(event["content"], set()).update(event["erased"])
    for number, event in events:
        item = event.get("item", "")
        if "record" in event:
            path, size = folder / "records" / f"{number:08d}.jsonl", event["long"] + 1
            check(event["at"] == ends.get(path, 0), f"{path}")
            line, ends[path] = part(path, event["at"], size), event["at"] + size
            blank = line == b" " * (size - 1) + b"\n" and "record" in gone.get(item, ())
            check(
                blank or (line[-1:] == b"\n" and sha256(line[:-1]).hexdigest() == event["record"]),
                f"a record of '{item}'",
            )
        if "stored" in event:
            name = event["content"]
            path = folder / "objects" / name[:2] / name
            erased = "content" in gone.get(name, ())
            if "pack" in event:
                path = folder / "packs" / f"{number:08d}.pack"
                check(event["offset"] == ends.get(path, 0), f"{path}")
            elif erased:
                check(not path.exists(), f"{path} was erased and is there")
                continue
            ends[path] = event.get("offset", 0) + event["size"]
            data = part(path, event.get("offset", 0), event["size"])
            same = data == bytes(event["size"]) if erased else sha256(data).hexdigest() == event["stored"]
            check(same, f"the content of '{item}' in {path}")
    for path, end in ends.items():
        check(path.stat().st_size == end, f"{path} is longer than was signed")
    for path in folder.rglob("*"):
        within = path.relative_to(folder)
        known = path in ends or path.is_dir() or str(within) in wanted or within.parts[0] in ("log", "incoming")
        check(known and not path.is_symlink(), f"nothing in the log speaks of {within}")
    opening = events[0][1]
    for name, field in (("verify.py", "verifier"), ("README.txt", "readme")):
        check(sha256((folder / name).read_bytes()).hexdigest() == opening[field], name)


def proof(path, file, origin):  # one proof, or what many share and then a line for each, as exports have them
    text = Path(path).read_text()
    lines = [json.loads(text)] if text.count("\n") < 2 else [json.loads(line) for line in text.splitlines()]
    shared = lines[0]
    point, first = shared["checkpoint"], shared["opening"].encode()
    start, keys = leaf(first).hex(), {json.loads(first)["key"]}
    check(origin in ("", start), f"this is the archive {start}")
    for one in [*shared["rotations"], *(one for one in lines if "entry" in one)]:
        entry = one["entry"].encode()
        check(
            climb(leaf(entry), one["index"], point["size"], one["path"]).hex() == point["root"], "the path to the root"
        )
        event = json.loads(entry)
        if one in shared["rotations"]:
            keys.add(rotated(event, start))
            continue
        check(
            not file or sha256(Path(file).read_bytes()).hexdigest() == event.get("content"),
            f"{file} is another content",
        )
        print(f"{event['event']} of '{event['item']}' {event.get('content', '')}")
    checkpoint(point, keys, start)
    print(f"in the archive {start} of {point['size']} entries at {point['time']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path)
    for option in ("--origin", "--witness", "--proof", "--file"):
        parser.add_argument(option, default="")
    given = parser.parse_args()
    try:
        if given.proof:
            proof(given.proof, given.file, given.origin)
        else:
            archive(given.archive, given.origin, given.witness)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        check(False, f"{type(error).__name__}: {error}")
