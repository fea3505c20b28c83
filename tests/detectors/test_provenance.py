"""Metadata of picture files, each written here byte by byte."""

from __future__ import annotations

import contextlib
import datetime
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detectors.picture_files import A1111, AI, FILES, box, chunk, png, superbox, text, webp

from remission.detectors import _metadata, _metadata_c2pa, _metadata_tags
from remission.detectors.provenance import ProvenanceReader, provenance_report, read_provenance
from remission.errors import DataError


@pytest.fixture(autouse=True)
def without_the_library(request, monkeypatch):
    """Manifests written by hand carry no signature, so they are read as if nothing could check them."""
    if "signed" not in request.node.name:
        monkeypatch.setattr(_metadata_c2pa.importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def folder(tmp_path):
    for name, (data, *_) in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_declares(folder, name):
    data, kind, source = FILES[name]
    found = read_provenance(folder / name)
    assert found.kind == kind, found
    if source:
        assert {one.source for one in found.evidence if one.kind == kind} == {source}, found
        assert found.metadata
        assert found.validated is None
        assert not found.faults
    score = ProvenanceReader().score({}, [folder / name])[0]
    assert np.isnan(score) if kind == "unknown" else score == (kind != "human"), score
    assert len(data) == (folder / name).stat().st_size


def test_what_is_shown(folder):
    found = read_provenance(folder / "camera.jpg")
    assert found.evidence[-1].value == "Canon EOS 5D, ExposureTime, FNumber, ISO"
    assert found.format == "jpeg"
    shown = [one for one in read_provenance(folder / "c2pa.png").evidence if one.field == "claim_generator"]
    assert shown[0].value == "camera firmware 3"
    assert read_provenance(folder / "other.gif").format == ""
    assert not read_provenance(folder / "bare.png").metadata


def test_a_corpus_is_counted(folder):
    report = provenance_report(sorted(folder.iterdir()))
    kinds = [kind for _, kind, _ in FILES.values()]
    assert report["files"] == len(FILES)
    assert report["kinds"] == {kind: kinds.count(kind) for kind in ("synthetic", "composite", "human", "unknown")}
    assert report["formats"]["other"] == 2
    bare = sum(name.startswith("bare") for name in FILES)
    assert report["stripped"] == pytest.approx(bare / (len(FILES) - 2))
    assert report["share"] + report["stripped"] == pytest.approx(1)
    assert report["evidence"]["c2pa:synthetic"] == 4
    assert report["credentials"] == {"valid": 0, "invalid": 0, "unchecked": 6}
    assert report["faulty"] == 0
    assert json.dumps(report)
    assert provenance_report([])["share"] is None


def test_a_missing_file_is_an_error_and_a_damaged_one_is_not(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_provenance(tmp_path / "nothing.png")
    with pytest.raises(DataError, match="cannot be read"):
        ProvenanceReader().score({}, [tmp_path])
    spoiled = bytearray(png(text("parameters", A1111)))
    spoiled[60] ^= 1
    (tmp_path / "spoiled.png").write_bytes(bytes(spoiled))
    found = read_provenance(tmp_path / "spoiled.png")
    assert found.kind == "unknown"
    assert "wrong checksum" in found.faults[0]


def test_no_bomb_is_inflated_and_no_length_believed(tmp_path):
    """A text of 200 MB packed into 200 kB is read to its limit; a chunk that claims 4 GB is passed over."""
    machine = zlib.compressobj(9)
    packed = b"".join(machine.compress(b"\0" * 2**20) for _ in range(200)) + machine.flush()
    cases = {
        "bomb": png(chunk(b"zTXt", b"parameters\0\0" + packed)),
        "itxt-bomb": png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + packed)),
        "huge": png()[:-12] + struct.pack(">I4s", 2**32 - 1, b"tEXt") + b"parameters",
        "huge-webp": webp()[:12] + b"EXIF" + struct.pack("<I", 2**32 - 1) + b"II*\0",
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        found = _metadata.carried(tmp_path / name)
        assert found.faults, name
        assert all(len(value) <= _metadata.MOST_TEXT for _, value in found.texts)
    many = png(*[text("k", "v")] * 30_000)
    (tmp_path / "many").write_bytes(many)
    assert len(_metadata.carried(tmp_path / "many").texts) < _metadata.MOST_CHUNKS


def test_loops_and_depths_end():
    """A directory that points at itself, boxes and values in one another without end."""
    looped = struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 0x8769, 4, 1, 8) + bytes(4)
    assert _metadata_tags.exif_tags(looped) == {}
    deep = b""
    for _ in range(60):
        deep = superbox(b"c2pa", "x", deep)
    with pytest.raises(_metadata_c2pa.Malformed, match="deep"):
        _metadata_c2pa.parse(deep)
    with pytest.raises(_metadata_c2pa.Malformed, match="deep"):
        _metadata_c2pa.cbor(b"\x81" * 5000)
    with pytest.raises(_metadata_c2pa.Malformed, match="cut off"):
        _metadata_c2pa.cbor(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
    with pytest.raises(_metadata_c2pa.Malformed):
        _metadata_c2pa.parse(box(b"free", b"") * 10_001)


def test_cbor_values():
    """Appendix A of RFC 8949, as far as it is read."""
    known = {
        "00": 0, "1864": 100, "3903e7": -1000, "fb3ff199999999999a": 1.1, "f93c00": 1.0, "f4": False, "f5": True,
        "f6": None, "6449455446": "IETF", "4401020304": b"\1\2\3\4", "83010203": [1, 2, 3], "a0": {},
        "9f018202039f0405ffff": [1, [2, 3], [4, 5]], "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
        "7f657374726561646d696e67ff": "streaming", "c074323031332d30332d32315432303a30343a30305a": "2013-03-21T20:04:00Z",
        "1bffffffffffffffff": 2**64 - 1,
    }  # fmt: skip
    for code, value in known.items():
        assert _metadata_c2pa.cbor(bytes.fromhex(code)) == value


@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=12),
    st.integers(0, 2**16),
)
def test_no_damage_raises(tmp_path_factory, name, changes, cut):
    """Bytes changed anywhere, and the file cut anywhere."""
    data = bytearray(FILES[name][0][:4000])
    for place, byte in changes:
        if data:
            data[place % len(data)] = byte
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(bytes(data[: cut % (len(data) + 1)] if cut % 2 else data))
    found = read_provenance(path)
    assert found.kind in ("synthetic", "composite", "human", "unknown")


@given(st.binary(max_size=400))
def test_no_bytes_raise(data):
    """Blocks of metadata that are anything at all."""
    _metadata_tags.exif_tags(b"II*\0\x08\0\0\0" + data)
    _metadata_tags.exif_tags(b"MM\0*\0\0\0\x08" + data)
    list(_metadata_tags.iptc_records(b"\x1c" + data))
    list(_metadata_tags.xmp_properties(data.decode("latin-1")))
    for read in (_metadata_c2pa.cbor, _metadata_c2pa.source_types):
        with contextlib.suppress(_metadata_c2pa.Malformed):
            read(data)


def certificates():
    """A signer and the authority above it, as PEM, and the signer's key."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
        )
        for name in ("Authority", "Signer")
    ]
    made = []
    for i in (1, 0):
        top = i == 0
        one = x509.CertificateBuilder().subject_name(names[i]).issuer_name(names[0]).public_key(keys[i].public_key())
        one = one.serial_number(x509.random_serial_number())
        one = one.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
        one = one.add_extension(x509.BasicConstraints(ca=top, path_length=None), critical=True)
        one = one.add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[i].public_key()), critical=False)
        one = one.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False
        )
        usage = (not top, False, False, False, False, top, top, False, False)
        one = one.add_extension(x509.KeyUsage(*usage), critical=True)
        if not top:
            one = one.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        made.append(one.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b"".join(made), private


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_signed_by_the_library(tmp_path, suffix):
    """Our reading agrees with what c2pa wrote; a changed picture makes the same words worth nothing."""
    c2pa = pytest.importorskip("c2pa")
    image = pytest.importorskip("PIL.Image")
    chain, key = certificates()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    image.fromarray(pixels).save(tmp_path / f"bare.{suffix}")
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": AI}]}
    told = {
        "claim_generator_info": [{"name": "a-test", "version": "1"}],
        "assertions": [{"label": "c2pa.actions", "data": actions}],
    }
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", chain, key, None))
    signed = tmp_path / f"signed.{suffix}"
    c2pa.Builder(json.dumps(told)).sign_file(str(tmp_path / f"bare.{suffix}"), str(signed), signer)
    found = read_provenance(signed)
    assert (found.kind, found.validated, found.faults) == ("synthetic", True, ())
    assert {one.value for one in found.evidence} >= {AI, "a-test"}
    changed = bytearray(signed.read_bytes())
    before = {"png": b"IDAT", "jpg": b"\xff\xda", "webp": b"VP8 "}[suffix]
    place = changed.rindex(before) + 30  # among the pixels
    changed[place] ^= 1
    (tmp_path / f"changed.{suffix}").write_bytes(bytes(changed))
    found = read_provenance(tmp_path / f"changed.{suffix}")
    assert (found.kind, found.validated) == ("unknown", False)
    assert "do not fit the file" in found.faults[0]
    assert provenance_report([signed, tmp_path / f"changed.{suffix}"])["credentials"] == {
        "valid": 1,
        "invalid": 1,
        "unchecked": 0,
    }
