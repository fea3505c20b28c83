"""What every archive carries: a page for people, and a verifier for those who do not want to run ours."""

from __future__ import annotations

from importlib import resources

README = b"""A GOLD ARCHIVE: data known to be human, kept so that anybody can check that nothing was added, altered or removed.

Check it without the software that made it (Python 3.11 and the package `cryptography`; the file is less than 200 short lines: read it):

    python verify.py ARCHIVE [--origin ORIGIN] [--witness FILE]

Take verify.py from somebody you trust rather than from here. Without ORIGIN or a FILE of checkpoints that was kept
elsewhere, nobody can tell whether the whole archive was put back to an older state, or replaced.

log/N.jsonl       A line is the hash of an event (SHA-256 of a zero byte and the event), a blank, and the event as canonical JSON
                  (RFC 8785). The last line is a checkpoint: the number of events so far, the root of the Merkle tree over
                  them (RFC 9162), the time, the public key and the signature (Ed25519, over the line
                  "remission/archive-checkpoint/1" and the checkpoint without its signature, as canonical JSON).
records/N.jsonl   What is known of each item of batch N: origin, date and how it is known, licence, language, evidence.
                  Field "record" of the event is the SHA-256 of the line. Blanks: it was erased.
packs/N.pack      Small contents, compressed (zstd), at "offset" with "size" bytes whose SHA-256 is "stored"; "content" is the
                  SHA-256 of what they unpack to. Zeros: it was erased.
objects/ab/ab...  Large contents, compressed, named by "content".

ORIGIN is the hash of the first event, which names the first public key. A new key comes with an event "key", whose batch
is signed by the key before it.
"""


def verifier() -> bytes:
    """The stand-alone verifier, a Python file of less than 200 lines that imports nothing of ours."""
    return resources.files("remission.clinic.archive").joinpath("standalone_verify.py").read_bytes()
