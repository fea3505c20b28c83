"""Picture files that carry metadata, each written byte by byte, and what they declare."""

from __future__ import annotations

import json
import struct
import zlib

A1111 = (
    "a castle at dusk, oil painting\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abc"
)
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = TYPES + "trainedAlgorithmicMedia"


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
    "system.jpg": (
        jpeg(segment(0xE1, XMP + xmp('Iptc4xmpExt:AISystemUsed="Some Model 3"/>').encode())), "synthetic", "xmp"
    ),
    "dalle.jpg": (jpeg(segment(0xE1, b"Exif\0\0" + exif({0x0131: "DALL\u00b7E 3"}))), "synthetic", "exif"),
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
    "person.jpg": (jpeg(iptc(80, "Marie Dalle"), iptc(110, "not AI-generated")), "unknown", ""),
    "bare.png": (png(), "unknown", ""),
    "bare.jpg": (jpeg(), "unknown", ""),
    "bare.webp": (webp((b"VP8 ", bytes(7))), "unknown", ""),
    "other.gif": (b"GIF89a" + bytes(20), "unknown", ""),
    "empty.png": (b"", "unknown", ""),
}  # fmt: skip
