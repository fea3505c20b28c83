"""Who signs content credentials: a key and certificates that are made here, and kept in a folder."""

from __future__ import annotations

import datetime
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remission.errors import DataError, need

KEY, CHAIN, ROOT = "key.pem", "chain.pem", "root.pem"
YEARS = 10


@dataclass(frozen=True)
class Signer:
    """A signer of content credentials.

    Attributes:
        name: as certificates say it.
        chain: its certificate and those above it, PEM.
        key: the private key, PEM; never shown.
    """

    name: str
    chain: bytes
    key: bytes = field(repr=False)


def new_signer(folder: Path | str, name: str) -> Path:
    """Make a signer: an ES256 key and a certificate chain that nobody else vouches for.

    Args:
        folder: where ``key.pem`` (readable by its owner only), ``chain.pem`` and ``root.pem`` are written. Give ``root.pem``
            to whoever shall trust the signer. The key of the root is not kept, so no other signer can be made under it.
        name: of the person or organisation that signs, 1 to 64 characters; it will be public.

    Returns:
        The folder.

    Raises:
        DataError: the folder holds a signer already, or cannot be written; an impossible name.
        MissingExtra: without the extra ``c2pa``.
    """
    need("c2pa", "Making a signer of content credentials", "cryptography")
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = Path(folder)
    if not 1 <= len(name.strip()) <= 64:
        raise DataError(f"The name of a signer has 1 to 64 characters; this one has {len(name.strip())}.")
    held = [part for part in (KEY, CHAIN, ROOT) if (folder / part).exists()]
    if held:
        raise DataError(f"'{folder}' holds a signer already ({', '.join(held)}). Choose another folder.")
    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    top = _certificate(f"{name.strip()[:59]} root", name.strip(), root.public_key(), None, root)
    leaf = _certificate(name.strip(), name.strip(), own.public_key(), top, root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_secret(folder / KEY, _private(own))
        (folder / CHAIN).write_bytes(_pem(leaf) + _pem(top))
        (folder / ROOT).write_bytes(_pem(top))
    except OSError as error:
        raise DataError(f"'{folder}' cannot be written: {error.strerror or error}.") from None
    return folder


def load_signer(folder: Path | str) -> Signer:
    """The signer in a folder.

    Raises:
        DataError: no signer is there, its key can be read by others than its owner, or key and certificate do not belong
            together.
        MissingExtra: without the extra ``c2pa``.
    """
    need("c2pa", "Signing content credentials", "cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import NameOID

    folder = Path(folder)
    try:
        refuse_shared(folder / KEY)
        key, chain = (folder / KEY).read_bytes(), (folder / CHAIN).read_bytes()
    except OSError as error:
        raise DataError(
            f"There is no signer in '{folder}' ({error.strerror or error}: '{Path(str(error.filename)).name}'). A signer is a folder "
            f"with {KEY} and {CHAIN}, as made by new_signer."
        ) from None
    try:
        private = serialization.load_pem_private_key(key, None)
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, TypeError, IndexError):
        raise DataError(
            f"'{folder}': {KEY} or {CHAIN} is no PEM file of a key without password, or of certificates."
        ) from None
    if private.public_key() != leaf.public_key():
        raise DataError(f"'{folder}': {KEY} and the first certificate of {CHAIN} do not belong together.")
    named = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Signer(str(named[0].value) if named else "", chain, key)


def refuse_shared(path: Path) -> None:
    """Raise DataError when others than its owner may read or change a file; OSError when there is none."""
    mode = path.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DataError(
            f"'{path}' can be read or changed by others (mode {stat.S_IMODE(mode):04o}), so the key in it is not safe to use. Try: "
            f"chmod 600 {path}; and make a new one if others had access."
        )


def _write_secret(path: Path, content: bytes) -> None:
    """A file that only its owner can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _certificate(name: str, organisation: str, public: Any, issuer: Any, key: Any) -> Any:
    """A certificate of the profile of C2PA (technical specification 2.1, section 14.5): a root where there is no issuer."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)]
    )
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)  # clocks of readers may be late
    root = issuer is None
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    ) | {"digital_signature": not root, "key_cert_sign": root, "crl_sign": root}  # fmt: skip
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if root else issuer.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=root, path_length=0 if root else None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if not root:
        built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return built.sign(key, hashes.SHA256())


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
