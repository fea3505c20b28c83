"""Content credentials (C2PA): signed statements of where a file comes from, inside pictures or beside any file.

Credentials prove who signed, and that nothing was changed since. They are lost when a picture is saved anew, and anybody
can take them off: a file without them may come from anywhere.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from remission.aside import written
from remission.clinic._credentials_signer import Signer as Signer
from remission.clinic._credentials_signer import load_signer as load_signer
from remission.clinic._credentials_signer import new_signer as new_signer
from remission.errors import DataError, MissingExtra, SpecError, did_you_mean, need

Verdict = Literal["valid", "untrusted", "tampered", "none"]

SIDECAR = ".c2pa"
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCE_TYPES = {
    name: _IPTC + name
    for name in (
        "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia", "algorithmicallyEnhanced",
        "compositeSynthetic", "composite", "compositeCapture", "dataDrivenMedia", "digitalCapture", "computationalCapture",
        "digitalCreation", "humanEdits", "screenCapture", "virtualRecording", "negativeFilm", "positiveFilm", "print",
    )
} | {"trainedAlgorithmicData": "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"}  # fmt: skip
_EMBEDDED = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".avif": "image/avif",
}  # fmt: skip
_ANY = "application/octet-stream"  # no handler of the library looks into it: all bytes are hashed
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
_PURPOSES = "1.3.6.1.5.5.7.3.4\n1.3.6.1.5.5.7.3.36\n1.3.6.1.4.1.62558.2.1"  # of signers: e-mail, documents, C2PA claims
_ABSENT = "no content credentials were found, which says nothing about who or what made the file"
_WORDS = {
    "assertion.dataHash.mismatch": "the content was changed after it was signed",
    "assertion.bmffHash.mismatch": "the content was changed after it was signed",
    "assertion.boxesHash.mismatch": "the content was changed after it was signed",
    "assertion.hashedURI.mismatch": "a statement in the credentials was changed after it was signed",
    "assertion.missing": "a statement that was signed is missing from the credentials",
    "claimSignature.mismatch": "the signature does not fit the credentials",
    "claimSignature.missing": "the credentials are not signed",
    "claim.missing": "the credentials make no claim",
    "signingCredential.invalid": "the certificate of the signer breaks the rules of C2PA",
    "signingCredential.expired": "the certificate of the signer had expired",
    "signingCredential.revoked": "the certificate of the signer was revoked",
}


@dataclass(frozen=True)
class Credentials:
    """What is known from the content credentials of one file.

    Attributes:
        verdict: ``valid``: signed by somebody on the list given, and unchanged; ``untrusted``: unchanged, but the signer is
            not on the list; ``tampered``: content or credentials are not as they were signed; ``none``: there are no
            credentials, from which nothing follows.
        reasons: in words.
        signer: the name in the certificate; anybody can write any name into one of his own.
        source_types: how the file is said to have come about, such as ``trainedAlgorithmicMedia``.
        made_with: programs and models that are named.
        sidecar: the file that the credentials were read from; None when they are inside.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    signer: str = ""
    source_types: tuple[str, ...] = ()
    made_with: tuple[str, ...] = ()
    sidecar: Path | None = None


def sign(
    path: Path | str,
    out: Path | str | None = None,
    *,
    signer: Signer,
    source_type: str = "trainedAlgorithmicMedia",
    made_with: str = "",
    sidecar: bool | None = None,
) -> Path:
    """Sign how a file came about.

    Args:
        path: the file.
        out: for credentials inside a picture, the signed picture, by default ``path`` itself; for a sidecar manifest, the
            manifest, by default ``path`` with ``.c2pa`` after its name.
        signer: from :func:`load_signer`.
        source_type: the digital source type, such as ``trainedAlgorithmicMedia`` or, for a data set that a model wrote,
            ``trainedAlgorithmicData``.
        made_with: the name of the model or program, if it is to be told.
        sidecar: whether to write a manifest beside the file instead of into it; by default for all but pictures.

    Returns:
        The file that was written, whole or not at all.

    Raises:
        SpecError: an unknown source type.
        DataError: the file cannot be read, is no picture to write into, or has credentials already.
        MissingExtra: without the extra ``c2pa``.
    """
    c2pa = _library("Signing content credentials")
    if source_type not in SOURCE_TYPES:
        raise SpecError(f"Unknown source type '{source_type}'. {did_you_mean(source_type, SOURCE_TYPES)}")
    path = Path(path)
    kind = _EMBEDDED.get(path.suffix.lower())
    beside = kind is None if sidecar is None else sidecar
    if not beside and kind is None:
        raise DataError(
            f"Credentials can be written into {', '.join(_EMBEDDED)} only. For '{path.name}' write a sidecar manifest."
        )
    target = Path(out) if out is not None else path.with_name(path.name + SIDECAR) if beside else path
    if beside and target.resolve() == path.resolve():
        raise DataError(f"The manifest cannot be written over '{path}'. Give another file.")
    held = None if beside else _inside(c2pa, path, ())
    if held is not None and held.verdict != "none":
        raise DataError(
            f"'{path}' has content credentials already, which signing again would replace. Write a sidecar manifest."
        )
    manifest = _manifest(path.name, SOURCE_TYPES[source_type], made_with)
    if beside:
        _write(target, _signed(c2pa, path, _ANY, manifest, signer, None))
    else:
        written = io.BytesIO()
        _signed(c2pa, path, kind or "", manifest, signer, written)
        _write(target, written.getvalue())
    return target


def check(path: Path | str, sidecar: Path | str | None = None, *, trusted: Sequence[Path | str] = ()) -> Credentials:
    """What the content credentials of a file are worth.

    Nothing is fetched from a network: neither manifests that lie elsewhere nor lists of revoked certificates.

    Args:
        path: the file.
        sidecar: the manifest beside it. By default the credentials inside count, else the file with ``.c2pa`` after its
            name, if there is one.
        trusted: PEM files of certificates: roots, as ``root.pem`` of :func:`new_signer`, whose signers are trusted.

    Raises:
        DataError: a file that cannot be read, or a list of trusted certificates that is none.
        MissingExtra: without the extra ``c2pa``.
    """
    c2pa = _library("Checking content credentials")
    path = Path(path)
    roots = tuple(_certificates(Path(one)) for one in trusted)
    if sidecar is None:
        _opened(path).close()
        found = _inside(c2pa, path, roots)
        beside = path.with_name(path.name + SIDECAR)
        if found is not None or not beside.is_file():
            return found or Credentials("none", (_ABSENT,))
        sidecar = beside
    sidecar = Path(sidecar)
    manifest = _read(sidecar)
    try:
        with (
            _opened(path) as content, _context(c2pa, roots) as context,
            c2pa.Reader(_ANY, content, manifest, context) as reader,
        ):  # fmt: skip
            return _judged(json.loads(reader.json()), bool(roots), sidecar)
    except c2pa.C2paError as error:
        return Credentials("tampered", (f"the manifest cannot be read: {_said(error)}",), sidecar=sidecar)


def _library(purpose: str) -> Any:
    need("c2pa", purpose, "c2pa", "cryptography")
    import c2pa

    if not hasattr(c2pa, "Context"):  # thumbnails and trust are set with it
        raise MissingExtra("c2pa-python>=0.38", "c2pa", purpose)
    return c2pa


def _manifest(title: str, source_type: str, made_with: str) -> dict[str, Any]:
    action: dict[str, Any] = {"action": "c2pa.created", "digitalSourceType": source_type}
    if made_with:
        action["softwareAgent"] = {"name": made_with}
    return {
        "title": title,
        "claim_generator_info": [{"name": "remission"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }


def _signed(
    c2pa: Any, path: Path, kind: str, manifest: dict[str, Any], signer: Signer, written: io.BytesIO | None
) -> bytes:
    """Sign a file: its signed copy goes to ``written``; without that the manifest is returned."""
    settings = {"builder": {"thumbnail": {"enabled": False}}, "verify": _OFFLINE}
    try:
        with (
            _opened(path) as source,
            tempfile.TemporaryFile() as copy,  # the library copies the file even where nothing is put into it
            c2pa.Context(c2pa.Settings.from_dict(settings)) as context,
            c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", signer.chain, signer.key, None)) as hand,
            c2pa.Builder(manifest, context=context) as builder,
        ):
            if written is None:
                builder.set_no_embed()
            return bytes(builder.sign(hand, kind, source, written if written is not None else copy))
    except c2pa.C2paError as error:
        raise DataError(f"'{path}' could not be signed: {_said(error)}.") from None


def _inside(c2pa: Any, path: Path, roots: tuple[str, ...]) -> Credentials | None:
    """What the credentials inside a picture are worth; None when there are none."""
    kind = _EMBEDDED.get(path.suffix.lower())
    if kind is None:
        return None
    content = _read(path)
    try:
        with _context(c2pa, roots) as context, c2pa.Reader(kind, io.BytesIO(content), context=context) as reader:
            return _judged(json.loads(reader.json()), bool(roots), None)
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        if b"c2pa" not in content:
            return Credentials("none", (_ABSENT, f"the file could not be read as {kind}: {_said(error)}"))
        return Credentials("tampered", (f"the credentials cannot be read: {_said(error)}",))


def _context(c2pa: Any, roots: tuple[str, ...]) -> Any:
    settings: dict[str, Any] = {"verify": _OFFLINE | {"verify_trust": True}}
    if roots:
        settings["trust"] = {"user_anchors": "\n".join(roots), "trust_config": _PURPOSES}
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def _judged(told: dict[str, Any], listed: bool, sidecar: Path | None) -> Credentials:
    manifest = told.get("manifests", {}).get(told.get("active_manifest", ""), {})
    signer = str(manifest.get("signature_info", {}).get("common_name") or "")
    actions = [
        action
        for one in manifest.get("assertions", ())
        if str(one.get("label", "")).startswith("c2pa.actions")
        for action in one.get("data", {}).get("actions", ())
    ]
    types = dict.fromkeys(str(action["digitalSourceType"]) for action in actions if "digitalSourceType" in action)
    makers = [action.get("softwareAgent") for action in actions] + list(manifest.get("claim_generator_info") or ())
    names = [one.get("name", "") if isinstance(one, dict) else one for one in makers if one]
    verdict, reasons = _verdict(told, listed, signer)
    return Credentials(
        verdict, reasons, signer, tuple(one.rpartition("/")[2] for one in types), tuple(dict.fromkeys(map(str, names))), sidecar
    )  # fmt: skip


def _verdict(told: dict[str, Any], listed: bool, signer: str) -> tuple[Verdict, tuple[str, ...]]:
    state = told.get("validation_state")
    faults = {str(one.get("code", "")): str(one.get("explanation", "")) for one in told.get("validation_status") or ()}
    faults.pop("signingCredential.untrusted", None)
    reasons = [_WORDS.get(code, f"{said or 'a check failed'} ({code})") for code, said in faults.items()]
    if state == "Trusted":
        return "valid", ("nothing was changed since it was signed, and the signer is on the list", *reasons)
    stranger = (
        f"the signer '{signer}' is not on the list of those trusted"
        if listed
        else "no list of trusted signers was given"
    )
    if state == "Valid":
        return "untrusted", ("nothing was changed since it was signed", stranger, *reasons)
    if faults and all(code.startswith(("signingCredential.", "timeStamp.")) for code in faults):
        return "untrusted", tuple(reasons)
    return "tampered", tuple(reasons) or ("the checks failed without a reason",)


def _said(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _certificates(path: Path) -> str:
    from cryptography import x509

    content = _read(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError:
        raise DataError(f"'{path}' holds no certificates in the PEM format.") from None
    return content.decode("ascii", "replace")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None


def _write(path: Path, content: bytes) -> None:
    """A file, written aside and renamed."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666
        with written(path, mode=mode) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise DataError(f"'{path}' cannot be written: {error.strerror or error}.") from None
