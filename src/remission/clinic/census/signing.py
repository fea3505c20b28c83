"""Signatures of manifests and answers: who vouches for a census, in a file of its own. Ed25519 (RFC 8032), keys as of archives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from remission.clinic.census.parts import write_whole
from remission.errors import SpecError, StoreError
from remission.gold.signing import load_signer, signed_by

SCHEMA = "remission/census-signature/2"
_PURPOSE = b"remission/census-manifest/2\n"
_ANSWER = "answer.json"
_FIELDS = ("schema", "sha256", "key", "signature")


def sign(manifest: Path, target: Path, key: Path) -> str:
    """Sign the bytes of a manifest and the seal of the answer beside it; the public key, 64 hexadecimal digits.

    Args:
        manifest: its file.
        target: where the signature goes.
        key: file of the private key, as ``remission archive init`` makes one.

    Raises:
        StoreError: a key or manifest that cannot be read, a key that others may read. DataError: a file that is no key.
    """
    signer = load_signer(key)
    content = _bytes(manifest)
    told = {
        "schema": SCHEMA, "sha256": hashlib.sha256(content).hexdigest(), "key": signer.key,
        "signature": signer.sign_bytes(_PURPOSE, signed_bytes(manifest)),
    }  # fmt: skip
    write_whole(target, json.dumps(told, indent=1))
    return signer.key


def public_key(given: str) -> str:
    """A public key: 64 hexadecimal digits, or a file that holds them. Raises SpecError."""
    text = given.strip()
    try:
        if Path(text).is_file():
            text = Path(text).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError, ValueError):
        text = ""
    text = text.lower()
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise SpecError(f"A public key is 64 hexadecimal digits, or a file that holds them. Got '{given[:80]}'.")
    return text


def signer_of(signature: Path) -> str | None:
    """The public key that a file of a signature names, whether it fits or not; None where there is no such file."""
    told = _told(signature) if signature.is_file() else None
    return None if told is None else told["key"]


def fault_of(manifest: Path, signature: Path, key: str | None = None) -> str:
    """What is wrong with the signature of a manifest, or nothing.

    Args:
        manifest: its file.
        signature: its signature; may be missing where no key is asked for.
        key: the public key that it must be of. None: of any, which tells a change by accident and no more.
    """
    if not signature.is_file():
        return "" if key is None else "not signed"
    told = _told(signature)
    if told is None:
        return "signature damaged"
    if key is not None and told["key"] != key:
        return "signed by another key"
    return (
        "" if signed_by(told["key"], _PURPOSE + signed_bytes(manifest), told["signature"]) else "signature does not fit"
    )


def signed_bytes(manifest: Path) -> bytes:
    """What is signed after its purpose: the seal that the answer beside a manifest bears (nothing without one), a line end, the manifest.

    Whether the answer is as that seal says is for readers of answers to see. Raises StoreError.
    """
    try:
        told = json.loads(manifest.with_name(_ANSWER).read_text(encoding="utf-8"))
        seal = str(told["seal"])
    except FileNotFoundError:
        seal = ""
    except (OSError, ValueError, TypeError, KeyError):
        seal = "damaged"
    return seal.encode() + b"\n" + _bytes(manifest)


def _told(signature: Path) -> dict[str, str] | None:
    try:
        found = json.loads(signature.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    right = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in _FIELDS)
    return found if right and found["schema"] == SCHEMA else None


def _bytes(manifest: Path) -> bytes:
    try:
        return manifest.read_bytes()
    except OSError as error:
        raise StoreError(f"'{manifest}' cannot be read: {error.strerror or error}.") from None
