"""The picture watermark against dwtDct and dwtDctSvd of invisible-watermark: what survives, how it looks, what it costs.

Pictures are the samples of scikit-learn and, where it is installed, scikit-image; each with several keys. Shown is the mean
share of bits read right (0.5 is chance; 64 bits for ours, 32 for the peers), and for ours the share of pictures whose p-value
is below 1e-6. Our own reading of the peers' marks is compared with theirs bit for bit, and timed.

The peer brings torch and opencv with it, so give it an environment of its own:

    python -m venv peers
    peers/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    peers/bin/pip install -e . pillow scikit-image invisible-watermark
    peers/bin/python -m benchmarks.watermark_pictures

Without it the peer's columns are left out.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.ndimage
from PIL import Image

from benchmarks import _peer
from remission.clinic.watermark_pictures import psnr
from remission.watermarking import Key
from remission.watermarks import _picture_tile as tile
from remission.watermarks.dwt_dct import DwtDct
from remission.watermarks.dwt_dct_svd import DwtDctSvd
from remission.watermarks.spread_spectrum import SpreadSpectrum

PEERS = {"dwtDct": DwtDct(), "dwtDctSvd": DwtDctSvd()}
SAMPLES = (
    "astronaut", "camera", "coffee", "chelsea", "rocket", "hubble_deep_field", "brick", "grass", "gravel", "moon", "coins",
    "retina", "immunohistochemistry",
)  # fmt: skip
Picture = np.ndarray


def jpeg(picture: Picture, quality: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as file:
        return np.asarray(file)


def resized(picture: Picture, down: float, along: float) -> Picture:
    size = round(picture.shape[1] * along), round(picture.shape[0] * down)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def half_and_back(picture: Picture) -> Picture:
    small = Image.fromarray(resized(picture, 0.5, 0.5))
    return np.asarray(small.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BICUBIC))


def noisy(picture: Picture, spread: float) -> Picture:
    noise = np.random.default_rng(0).normal(0, spread, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def rotated(picture: Picture, degrees: float) -> Picture:
    return np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))


ATTACKS: dict[str, tuple[Callable[[Picture], Picture], float | None]] = {  # what is done, and our goal
    "nothing": (lambda x: x, None),
    "JPEG 90": (lambda x: jpeg(x, 90), None),
    "JPEG 70": (lambda x: jpeg(x, 70), None),
    "JPEG 50": (lambda x: jpeg(x, 50), 0.99),
    "JPEG 30": (lambda x: jpeg(x, 30), None),
    "half the size, not undone": (lambda x: resized(x, 0.5, 0.5), 0.95),
    "half the size and back": (half_and_back, None),
    "0.73 of the size, then JPEG 70": (lambda x: jpeg(resized(x, 0.73, 0.73), 70), None),
    "crop of a tenth, top": (lambda x: x[len(x) // 10 :], 0.95),
    "crop of a tenth, left": (lambda x: x[:, x.shape[1] // 10 :], 0.95),
    "crop of a tenth, bottom": (lambda x: x[: -(len(x) // 10)], 0.95),
    "crop of a tenth, right": (lambda x: x[:, : -(x.shape[1] // 10)], 0.95),
    "crop to the middle half": (lambda x: x[len(x) // 4 : -(len(x) // 4), x.shape[1] // 4 : -(x.shape[1] // 4)], None),
    "noise of 5": (lambda x: noisy(x, 5), None),
    "noise of 10": (lambda x: noisy(x, 10), None),
    "blur of 1": (lambda x: scipy.ndimage.gaussian_filter(x, (1, 1) + (0,) * (x.ndim - 2)), None),
    "brightness times 1.2": (lambda x: (x * 1.2).clip(0, 255).astype(np.uint8), None),
    "mirrored": (lambda x: x[:, ::-1], None),
    "a quarter turn": (np.rot90, None),
    "half a degree": (lambda x: rotated(x, 0.5), None),
    "two degrees": (lambda x: rotated(x, 2.0), None),
    "1 % wider": (lambda x: resized(x, 1.0, 1.01), None),
    "5 % wider": (lambda x: resized(x, 1.0, 1.05), None),
}


def pictures() -> dict[str, Picture]:
    from sklearn.datasets import load_sample_image

    found = {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    if importlib.util.find_spec("skimage"):
        import skimage.data

        found |= {name: getattr(skimage.data, name)() for name in SAMPLES}
    return found


def colour(picture: Picture) -> Picture:
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)


def bgr(picture: Picture) -> Picture:
    return np.ascontiguousarray(colour(picture)[..., ::-1])


def peer_mark(name: str, picture: Picture, bits: Sequence[int]) -> Picture:
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", list(bits))
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(encoder.encode(bgr(picture), name)[..., ::-1])


def peer_read(name: str, picture: Picture, bits: int) -> Any:
    from imwatermark import WatermarkDecoder

    if picture.shape[0] * picture.shape[1] < 256 * 256:
        return None  # refused
    return np.asarray(WatermarkDecoder("bits", bits).decode(bgr(picture), name), np.bool_)


def survival(samples: dict[str, Picture], keys: int, peer: bool) -> dict[str, float]:
    """Print what survives; the share of bits that ours reads right after each attack."""
    rng, mark = np.random.default_rng(7), SpreadSpectrum()
    right: dict[tuple[str, str], list[float]] = {}
    seen: dict[str, list[bool]] = {}
    quality: dict[str, list[float]] = {}
    for picture in samples.values():
        for number in range(keys):
            key = mark.random_key(rng)
            marked = {"ours": mark.embed(key, picture)}
            bits = rng.integers(0, 2, 32)
            if peer and number == 0:
                marked |= {name: peer_mark(name, picture, bits.tolist()) for name in PEERS}
            for name, one in marked.items():
                quality.setdefault(name, []).append(psnr(picture, one))
                for attack, (change, _) in ATTACKS.items():
                    attacked = np.ascontiguousarray(change(one))
                    if name == "ours":
                        found = mark.find(key, attacked)
                        share = float((found.payload == tile.own_payload(key, mark.bits)).mean())
                        seen.setdefault(attack, []).append(found.log10_p < -6)
                    else:
                        read = peer_read(name, attacked, 32)
                        if read is None:
                            continue
                        share = float((read == bits).mean())
                        ours = PEERS[name].find(Key("any", (0,)), attacked).payload
                        assert np.array_equal(ours, read), (name, attack)
                    right.setdefault((name, attack), []).append(share)
    names = ["ours", *(PEERS if peer else ())]
    print(f"{'share of bits right':<34}{'worst':>8}{'p<1e-6':>8}" + "".join(f"{name:>11}" for name in names))
    print(f"{'PSNR, decibels (mean)':<34}{min(quality['ours']):>8.1f}{'':>8}", end="")
    print("".join(f"{np.mean(quality[name]):>11.1f}" for name in names))
    for attack in ATTACKS:
        means = "".join(f"{np.mean(right.get((name, attack), np.nan)):>11.3f}" for name in names)
        print(f"{attack:<34}{min(right['ours', attack]):>8.2f}{np.mean(seen[attack]):>8.2f}{means}", flush=True)
    assert min(quality["ours"]) >= 38
    return {attack: float(np.mean(right["ours", attack])) for attack in ATTACKS}


def costs(name: str, picture: Picture, peer: bool, rounds: int) -> None:
    """Print seconds per megapixel, beside the peer's, or beside what saving as JPEG costs."""
    mark, key, any_key, svd = SpreadSpectrum(), Key("bench", (2**100 + 12345,)), Key("any", (0,)), PEERS["dwtDctSvd"]
    bits, size = [1, 0] * 16, picture.shape[0] * picture.shape[1] / 1e6
    marked = mark.embed(key, picture)
    mark.find(key, marked)
    theirs = peer_mark("dwtDctSvd", picture, bits) if peer else picture
    base, shown = "dwtDctSvd" if peer else "saving as JPEG", f"{name} {picture.shape[1]} x {picture.shape[0]}"

    def saving() -> Picture:
        return jpeg(picture, 75)

    def writing() -> Picture:
        return peer_mark("dwtDctSvd", picture, bits)

    def reading() -> Any:
        return peer_read("dwtDctSvd", theirs, 32)

    timed = _peer.best_of(lambda: mark.embed(key, picture), writing if peer else saving, rounds)
    _peer.longest(f"marking 1 megapixel, {shown}, {base}", timed.ours / size, timed.peer / size, 0.3)
    timed = _peer.best_of(lambda: mark.find(key, marked), reading if peer else saving, rounds)
    _peer.longest(f"reading 1 megapixel, {shown}, {base}", timed.ours / size, timed.peer / size, 0.3)
    if peer:
        timed = _peer.best_of(lambda: svd.find(any_key, theirs), reading, rounds)
        assert np.array_equal(timed.value.payload, timed.peer_value)
        _peer.line(f"reading dwtDctSvd, {shown}, the package itself", timed.ours, timed.peer)


def main(arguments: list[str] | None = None) -> None:
    """What survives, then what it costs."""
    quick = _peer.quick(__doc__, arguments)
    peer = importlib.util.find_spec("imwatermark") is not None
    if not peer:
        print("invisible-watermark is not installed here: its columns are left out (see this file's first lines).")
    samples = pictures()
    chosen = {name: samples[name] for name in ("china", "astronaut", "retina") if name in samples}
    reached = survival(chosen if quick else samples, 1 if quick else 3, peer)
    for attack, (_, goal) in ATTACKS.items():
        assert goal is None or reached[attack] >= goal, (attack, reached[attack], goal)
    for name, picture in chosen.items():
        costs(name, picture, peer, 1 if quick else 3)


if __name__ == "__main__":
    main()
