"""Keys of an archive, and the checkpoints they sign. Ed25519 (RFC 8032)."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from remission.errors import DataError, StoreError, need
from remission.gold import disk
from remission.gold.canonical import canonical, parse

_HEX32, _HEX64 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{128}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_CHECKPOINT, _KEY = b"remission/archive-checkpoint/1\n", b"remission/archive-key/1\n"


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: at this time the log had this many entries, and this root.

    Attributes:
        origin: leaf hash of the first entry, the name of the archive that nobody else can take; 64 hexadecimal digits.
        size: entries of the log.
        root: of the Merkle tree over them, 64 hexadecimal digits.
        time: UTC, as in 2026-01-31T12:00:00Z.
        key: the public key, 64 hexadecimal digits.
        signature: 128 hexadecimal digits.
    """

    origin: str
    size: int
    root: str
    time: str
    key: str
    signature: str = ""

    def line(self) -> bytes:
        """As canonical JSON."""
        return canonical(asdict(self))

    @property
    def is_signed(self) -> bool:
        """Whether the signature fits the key named in it (which may be anybody's)."""
        return signed_by(self.key, _statement(self), self.signature)


def read_checkpoint(line: bytes) -> Checkpoint | None:
    """The checkpoint in a line; None when it is not spelled exactly as one. The signature is not looked at."""
    found = parse(line)
    if found is None or set(found) != {"origin", "size", "root", "time", "key", "signature"}:
        return None
    words = all(isinstance(found[name], str) for name in found if name != "size")
    if not words or type(found["size"]) is not int or found["size"] < 1 or not _TIME.fullmatch(found["time"]):
        return None
    if not all(_HEX32.fullmatch(found[name]) for name in ("origin", "root", "key")):
        return None
    return Checkpoint(**found) if _HEX64.fullmatch(found["signature"]) else None


def _statement(checkpoint: Checkpoint) -> bytes:
    content = asdict(checkpoint)
    del content["signature"]
    return _CHECKPOINT + canonical(content)


def signed_by(key: str, statement: bytes, signature: str) -> bool:
    """Whether a signature is that of a public key over a statement."""
    need("archive", "Checking signatures", "cryptography")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), statement)
    except (InvalidSignature, ValueError):
        return False
    return True


class Signer:
    """A private key in memory."""

    def __init__(self, private: Any) -> None:
        """Of an Ed25519 private key of the library ``cryptography``."""
        self._private = private
        self.key: str = private.public_key().public_bytes_raw().hex()

    def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with this key and its signature."""
        ours = Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.time, self.key)
        signature = self._private.sign(_statement(ours)).hex()
        return Checkpoint(ours.origin, ours.size, ours.root, ours.time, ours.key, signature)

    def sign_bytes(self, purpose: bytes, content: bytes) -> str:
        """The signature over ``purpose + content``; a purpose of its own keeps it from being taken for anything else."""
        found: bytes = self._private.sign(purpose + content)
        return found.hex()

    def introduce(self, origin: str) -> dict[str, str]:
        """The fields of an event that makes this the key of an archive: the key, and proof that we hold it."""
        return {"key": self.key, "proof": self._private.sign(_KEY + f"{origin}{self.key}".encode()).hex()}


def is_introduced(origin: str, key: Any, proof: Any) -> bool:
    """Whether the holder of a new key agreed to become the signer of this archive."""
    strings = isinstance(key, str) and isinstance(proof, str)
    return strings and signed_by(key, _KEY + f"{origin}{key}".encode(), proof)


def new_signer(path: Path) -> Signer:
    """Make a key and write it (PKCS 8, PEM) for its owner alone. Raises StoreError, also when the file exists."""
    need("archive", "Making a key", "cryptography")
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise StoreError(f"'{path}' exists. A key is never written over; choose another name.") from None
    except OSError as error:
        raise StoreError(f"The key '{path}' cannot be written: {error.strerror or error}.") from None
    return Signer(private)


def load_signer(path: Path) -> Signer:
    """Read a private key. Raises StoreError (missing, readable by others) or DataError (no Ed25519 key)."""
    need("archive", "Signing", "cryptography")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = disk.read_given(path)
    except OSError as error:
        raise StoreError(
            f"The key '{path}' cannot be read: {error.strerror or error}. Give the file that `archive init` or "
            "`archive rotate` wrote."
        ) from None
    if mode & 0o077:
        raise StoreError(
            f"Others may read or change the key '{path}' (mode {mode:o}). Who has it can sign in your name. Try: "
            f"chmod 600 '{path}', and `remission archive rotate` if somebody may have seen it."
        )
    try:
        private = load_pem_private_key(text, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise DataError(f"'{path}' is no private key (Ed25519, PEM, without a password). `archive init` makes one.")
    return Signer(private)
