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

from remission.detectors import _metadata, _metadata_c2pa, _metadata_tags
from remission.detectors.provenance import ProvenanceReader, provenance_report, read_provenance
from remission.errors import DataError

A1111 = (
    "a castle at dusk, oil painting\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abc"
)
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = TYPES + "trainedAlgorithmicMedia"


# --- writing files --------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def text(keyword: str, value: str) -> bytes:
    return chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + value.encode("latin-1"))


def itext(keyword: str, value: str, packed: bool = False) -> bytes:
    body = value.encode()
    return chunk(
        b"iTXt", keyword.encode() + b"\0" + bytes([packed, 0]) + b"en\0\0" + (zlib.compress(body) if packed else body)
    )


def segment(mark: int, data: bytes) -> bytes:
    return bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0" + bytes(9))
        + b"".join(segments)
        + segment(0xDA, bytes(10))
        + b"\x12\xff\xd9"
    )


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def exif(tags: dict[int, object], sub: dict[int, object] | None = None, order: str = "<") -> bytes:
    """A block in the TIFF format; str as text, bytes as undefined, pairs as fractions, int as a short."""

    def directory(entries: dict[int, object], begin: int) -> bytes:
        table, rest = b"", b""
        room = begin + 2 + 12 * len(entries) + 4
        for tag, value in sorted(entries.items()):
            if isinstance(value, int):
                kind, count, data = (
                    (4 if tag == 0x8769 else 3),
                    1,
                    struct.pack(order + ("I" if tag == 0x8769 else "H"), value),
                )
            elif isinstance(value, tuple):
                kind, count, data = 5, 1, struct.pack(order + "II", *value)
            elif isinstance(value, bytes):
                kind, count, data = 7, len(value), value
            else:
                data = str(value).encode() + b"\0"
                kind, count = 2, len(data)
            if len(data) > 4:
                table += struct.pack(order + "HHII", tag, kind, count, room + len(rest))
                rest += data
            else:
                table += struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0")
        return struct.pack(order + "H", len(entries)) + table + bytes(4) + rest

    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    if sub is None:
        return head + directory(tags, 8)
    size = len(directory(tags | {0x8769: 0}, 8))
    return head + directory(tags | {0x8769: 8 + size}, 8) + directory(sub, 8 + size)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def superbox(family: bytes, label: str, *inside: bytes) -> bytes:
    described = family.ljust(4, b"\0") + bytes(12) + b"\3" + label.encode() + b"\0"
    return box(b"jumb", box(b"jumd", described) + b"".join(inside))


def cbor(value: object) -> bytes:
    def head(major: int, number: int) -> bytes:
        if number < 24:
            return bytes([major << 5 | number])
        size = next(k for k in range(4) if number < 1 << (8 << k))
        return bytes([major << 5 | 24 + size]) + number.to_bytes(1 << size, "big")

    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(key) + cbor(inner) for key, inner in value.items())
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    raise TypeError(value)


def manifest(label: str, source: str, filler: int = 0) -> bytes:
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": source, "x": b"\0" * filler}]}
    claim = {"claim_generator": "camera firmware 3", "alg": "sha256"}
    return superbox(
        b"c2ma", label,
        superbox(b"c2as", "c2pa.assertions", superbox(b"cbor", "c2pa.actions", box(b"cbor", cbor(actions)))),
        superbox(b"c2cl", "c2pa.claim", box(b"cbor", cbor(claim))),
    )  # fmt: skip


def store(*manifests: bytes) -> bytes:
    return superbox(b"c2pa", "c2pa", *manifests)


def app11(data: bytes, size: int = 65_000) -> list[bytes]:
    """A box in as many segments as it needs; each repeats its head."""
    parts = [data[k : k + size] for k in range(8, len(data), size)]
    return [segment(0xEB, b"JP" + struct.pack(">HI", 1, i + 1) + data[:8] + part) for i, part in enumerate(parts)]


def iptc(number: int, value: str) -> bytes:
    record = b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(value)) + value.encode()
    resource = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(record)) + record
    other = b"8BIM" + struct.pack(">H", 0x03ED) + b"\3abc" + struct.pack(">I", 3) + b"xyz\0"
    return segment(0xED, b"Photoshop 3.0\0" + other + resource)


def xmp(inner: str) -> str:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {inner}</rdf:RDF></x:xmpmeta>'


CAMERA = exif({0x010F: "Canon", 0x0110: "EOS 5D"}, {0x829A: (1, 200), 0x829D: (28, 10), 0x8827: 400})
ONLY_NAMED = exif({0x010F: "Canon", 0x0110: "EOS 5D"})
ATTRIBUTE = xmp(f'Iptc4xmpExt:DigitalSourceType="{AI}"/>')
ELEMENT = xmp(f"><Iptc4xmpExt:DigitalSourceType>{AI}</Iptc4xmpExt:DigitalSourceType></rdf:Description>")
RESOURCE = xmp(f'><Iptc4xmpExt:DigitalSourceType rdf:resource="{AI}"/></rdf:Description>')
XMP = b"http://ns.adobe.com/xap/1.0/\0"
UNICODE = b"UNICODE\0"

FILES = {
    # name: (bytes, kind, source of the evidence)
    "a1111.png": (png(text("parameters", A1111)), "synthetic", "png"),
    "a1111-packed.png": (png(itext("parameters", A1111, packed=True)), "synthetic", "png"),
    "a1111-z.png": (png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(A1111.encode()))), "synthetic", "png"),
    "comfy.png": (png(text("prompt", GRAPH)), "synthetic", "png"),
    "comfy-drawing.png": (png(text("workflow", '{"nodes": [], "links": []}')), "synthetic", "png"),
    "novel.png": (png(text("Software", "NovelAI"), text("Comment", '{"prompt": "x", "steps": 28}')), "synthetic", "png"),
    "midjourney.png": (
        png(text("Description", "a cat --v 6 Job ID: 0123abcd-1111-2222-3333-444455556666")), "synthetic", "png"
    ),
    "a1111.jpg": (
        jpeg(segment(0xE1, b"Exif\0\0" + exif({}, {0x9286: UNICODE + A1111.encode("utf-16-be")}))), "synthetic", "exif"
    ),
    "a1111-little.webp": (
        webp((b"VP8X", bytes(10)), (b"EXIF", exif({}, {0x9286: UNICODE + A1111.encode("utf-16-le")}))), "synthetic", "exif"
    ),
    "a1111-big-endian.jpg": (
        jpeg(segment(0xE1, b"Exif\0\0" + exif({0x010E: A1111}, {0x8827: 100}, order=">"))), "synthetic", "exif"
    ),
    "comfy.webp": (webp((b"EXIF", b"Exif\0\0" + exif({0x010F: "prompt:" + GRAPH, 0x0110: "x"}))), "synthetic", "exif"),
    "software.jpg": (jpeg(segment(0xE1, b"Exif\0\0" + exif({0x0131: "Adobe Firefly"}))), "synthetic", "exif"),
    "iptc-xmp.jpg": (jpeg(segment(0xE1, XMP + ATTRIBUTE.encode())), "synthetic", "xmp"),
    "iptc-xmp-element.png": (png(itext("XML:com.adobe.xmp", ELEMENT)), "synthetic", "xmp"),
    "iptc-xmp-resource.webp": (webp((b"XMP ", RESOURCE.encode())), "synthetic", "xmp"),
    "composite.jpg": (
        jpeg(segment(0xE1, XMP + ATTRIBUTE.replace("trained", "compositeWithTrained").encode())), "composite", "xmp"
    ),
    "capture-xmp.jpg": (
        jpeg(segment(0xE1, XMP + ATTRIBUTE.replace("trainedAlgorithmicMedia", "digitalCapture").encode())), "human", "xmp"
    ),
    "credit.jpg": (jpeg(iptc(110, "Made with Google AI")), "synthetic", "iptc"),
    "camera.jpg": (jpeg(segment(0xE1, b"Exif\0\0" + CAMERA)), "human", "exif"),
    "camera.png": (png(chunk(b"eXIf", CAMERA)), "human", "exif"),
    "c2pa.png": (png(chunk(b"caBX", store(manifest("a", AI)))), "synthetic", "c2pa"),
    "c2pa.jpg": (jpeg(*app11(store(manifest("a", AI)))), "synthetic", "c2pa"),
    "c2pa-long.jpg": (jpeg(*app11(store(manifest("a", AI, filler=150_000)))), "synthetic", "c2pa"),
    "c2pa.webp": (webp((b"C2PA", store(manifest("a", AI)))), "synthetic", "c2pa"),
    "c2pa-capture.jpg": (jpeg(*app11(store(manifest("a", TYPES + "digitalCapture")))), "human", "c2pa"),
    # the last manifest is the active one: an edited photograph that was made from a generated ingredient
    "c2pa-ingredient.jpg": (
        jpeg(*app11(store(manifest("a", AI), manifest("b", TYPES + "compositeWithTrainedAlgorithmicMedia")))),
        "composite", "c2pa",
    ),
    # a camera's tags do not outweigh the settings of a generator
    "both.jpg": (jpeg(segment(0xE1, b"Exif\0\0" + CAMERA), segment(0xFE, A1111.encode())), "synthetic", "comment"),
    # metadata that declares nothing
    "named-only.jpg": (jpeg(segment(0xE1, b"Exif\0\0" + ONLY_NAMED)), "unknown", ""),
    "gimp.png": (png(text("Software", "GIMP 2.10"), text("Comment", "Created with GIMP")), "unknown", ""),
    "prompt-words.png": (png(text("prompt", "please reply")), "unknown", ""),
    "steps-words.png": (png(text("Description", "Steps: 20 to the castle")), "unknown", ""),
    "screen.jpg": (
        jpeg(segment(0xE1, XMP + ATTRIBUTE.replace("trainedAlgorithmicMedia", "screenCapture").encode())), "unknown", ""
    ),
    "bare.png": (png(), "unknown", ""),
    "bare.jpg": (jpeg(), "unknown", ""),
    "bare.webp": (webp((b"VP8 ", bytes(7))), "unknown", ""),
    "other.gif": (b"GIF89a" + bytes(20), "unknown", ""),
    "empty.png": (b"", "unknown", ""),
}  # fmt: skip


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
