"""Detectors of watermarks beside the real ones, on the same tokens: 200 documents of 500 tokens of Python source, one thread.

Everything that is built for a key (tables of permutations, of g-values) is part of the time, and so is what transformers
builds. Counts and sums of both sides must be equal. Peers: transformers (KGW, SynthID-Text), and vLLM (Gumbel) where it, or a
folder with its ``vllm/v1/watermarking`` and ``vllm/config/watermarking.py``, is on the path; else that row is left out.
Goals: KGW lefthash 40x, selfhash 15x, SynthID-30 150x (their batch) and 2,000x (document at a time), Gumbel 80x; KGW on 10
million tokens 300x.
"""

from __future__ import annotations

import importlib
import re
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import _peer
from remission.evidence import Evidence, weigh
from remission.watermarking import Key, TextWatermark, Tokens
from remission.watermarks import gumbel, kgw, synthid

VOCABULARY = 50257
MANY = 20
_WORD = re.compile(r"\w+|[^\w\s]|\n")


def source(tokens: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Python source of the standard library and of installed packages as numbers of words, the most frequent first."""
    words: list[str] = []
    folders = [Path(sys.modules["os"].__file__ or "").parent, *map(Path, sys.path)]
    for folder in folders:
        for file in sorted(folder.rglob("*.py")) if folder.is_dir() else []:
            words += _WORD.findall(file.read_text(encoding="utf-8", errors="ignore"))
            if len(words) >= tokens:
                break
        if len(words) >= tokens:
            break
    words = words[:tokens]
    rank = {word: number for number, (word, _) in enumerate(Counter(words).most_common())}
    return np.array([rank[word] % (VOCABULARY - 1) for word in words], np.int64)


def forget() -> None:
    """Drop all that was built for a key."""
    for module in (kgw, synthid):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def ours(mark: TextWatermark, key: Key, tokens: Tokens, repeats: Any = "dialect") -> Evidence:
    """Our counts and sums, from nothing; p-values, which the peers of SynthID have not, are on demand."""
    forget()
    return weigh(mark, key, tokens, repeats)


def kgw_rows(rows: np.ndarray[Any, Any], seeding: Any, width: int, goal: float, quick: bool) -> None:
    """KGW beside transformers' detector."""
    from transformers import GPT2Config, WatermarkDetector, WatermarkingConfig

    config = WatermarkingConfig(seeding_scheme=seeding, context_width=width)
    model = GPT2Config(vocab_size=VOCABULARY, bos_token_id=VOCABULARY - 1, eos_token_id=VOCABULARY - 1)
    some = rows[: 4 if quick else 20]  # the peer takes a second for two or three documents

    def theirs() -> Any:
        detector = WatermarkDetector(model, "cpu", config, ignore_repeated_ngrams=True)
        return detector(torch.from_numpy(some), return_dict=True)

    mark, key = kgw.Kgw(vocabulary=VOCABULARY, seeding=seeding, width=width), Key("k", (15485863,))
    mine, peer, found, wanted = _peer.best_of(lambda: ours(mark, key, Tokens.of(list(rows))), theirs, rounds=2)
    assert found.total[: len(some)].tolist() == wanted.num_green_tokens.tolist(), "other counts"
    scaled = peer * len(rows) / len(some)
    _peer.line(
        f"KGW {seeding}, {len(rows)} x 500, transformers",
        mine,
        scaled,
        goal,
        f"peer of {len(some)} documents scaled up",
    )


def kgw_many(quick: bool) -> None:
    """KGW on ten million tokens, the peer scaled up."""
    from transformers import GPT2Config, WatermarkDetector, WatermarkingConfig

    many = 1_000_000 if quick else 10_000_000
    ids = source(many)
    rows = ids[: ids.size // 500 * 500].reshape(-1, 500)
    some = rows[: 4 if quick else 20]
    model = GPT2Config(vocab_size=VOCABULARY, bos_token_id=VOCABULARY - 1, eos_token_id=VOCABULARY - 1)

    def theirs() -> Any:
        detector = WatermarkDetector(model, "cpu", WatermarkingConfig(), ignore_repeated_ngrams=True)
        return detector(torch.from_numpy(some), return_dict=True)

    mark, key = kgw.Kgw(vocabulary=VOCABULARY), Key("k", (15485863,))
    tokens = Tokens(rows.ravel(), np.arange(len(rows) + 1) * 500)
    mine, peer, found, wanted = _peer.best_of(lambda: ours(mark, key, tokens), theirs, rounds=2)
    assert found.total[: len(some)].tolist() == wanted.num_green_tokens.tolist(), "other counts"
    _peer.line(
        f"KGW lefthash, {rows.size / 1e6:.1f} million tokens, transformers", mine, peer * len(rows) / len(some), 300,
        f"peer of {len(some)} documents scaled up",
    )  # fmt: skip


def synthid_rows(rows: np.ndarray[Any, Any], quick: bool) -> None:
    """SynthID-Text with 30 layers beside transformers' processor."""
    from transformers import SynthIDTextWatermarkingConfig, SynthIDTextWatermarkLogitsProcessor

    mark = synthid.Synthid()
    key = mark.random_key(np.random.default_rng(0))
    config = SynthIDTextWatermarkingConfig(ngram_len=5, keys=list(key.values)).to_dict()

    def batch(some: Any) -> Any:
        processor = SynthIDTextWatermarkLogitsProcessor(**config, device=torch.device("cpu"))
        text = torch.from_numpy(some)
        g = processor.compute_g_values(text)
        mask = processor.compute_context_repetition_mask(text)
        return (g * mask[:, :, None]).sum(dim=(1, 2)) / (mask.sum(dim=1) * len(key.values))

    def alone() -> Any:
        return torch.cat([batch(row[None]) for row in rows[: 5 if quick else 40]])

    def mine_() -> Any:  # both sides get the numbers as one array
        for _ in range(MANY):
            ours(mark, key, Tokens(rows.ravel(), np.arange(len(rows) + 1) * rows.shape[1]))

    wanted = batch(rows).numpy()
    np.testing.assert_allclose(mark.means(key, Tokens.of(list(rows)))["mean"], wanted, rtol=1e-6)
    mine, peer, _, _ = _peer.best_of(mine_, lambda: batch(rows), rounds=5)
    remark = f"ours: one of {MANY} in a row, which is what a corpus is; each builds its tables anew"
    _peer.line(f"SynthID-30, {len(rows)} x 500, transformers in one batch", mine / MANY, peer, 150, remark)
    mine, peer, _, one = _peer.best_of(mine_, alone, rounds=2)
    _peer.line(
        f"SynthID-30, {len(rows)} x 500, transformers document at a time", mine / MANY, peer * len(rows) / len(one), 2000,
        f"peer of {len(one)} documents scaled up",
    )  # fmt: skip


def gumbel_rows(rows: np.ndarray[Any, Any], quick: bool) -> None:
    """Gumbel-max beside vLLM's detector."""
    detector = _vllm()
    if detector is None:
        print("    vLLM is not on the path: no peer for Gumbel")
        return
    some = rows[: 10 if quick else 100].tolist()
    mark, key = gumbel.Gumbel(), Key("g", (42,))

    def theirs() -> Any:
        return [detector(key=42).detect(row) for row in some]

    mine, peer, found, wanted = _peer.best_of(lambda: ours(mark, key, Tokens.of(list(rows)), "text"), theirs, rounds=3)
    np.testing.assert_allclose(found.total[: len(some)], [one.score for one in wanted], rtol=1e-9)
    _peer.line(
        f"Gumbel, {len(rows)} x 500, vLLM",
        mine,
        peer * len(rows) / len(some),
        80,
        f"peer of {len(some)} documents scaled up",
    )


def _vllm() -> Any:
    """The detector class of vLLM; its package, which wants a GPU build, is not imported, only the files of watermarks."""
    home = next(
        (Path(p) / "vllm" for p in sys.path if (Path(p) / "vllm" / "v1" / "watermarking" / "gumbel.py").is_file()), None
    )
    if home is None:
        return None
    for name in ("vllm", "vllm.v1", "vllm.config", "vllm.v1.worker", "vllm.v1.worker.gpu", "vllm.v1.worker.gpu.sample"):
        module = types.ModuleType(name)
        module.__path__ = [str(home.joinpath(*name.split(".")[1:]))]
        sys.modules.setdefault(name, module)
    stand_ins: dict[str, dict[str, Any]] = {
        "vllm.config.utils": {"config": lambda cls: cls},
        "vllm.logger": {"init_logger": lambda _name: types.SimpleNamespace(warning_once=print)},
        "vllm.v1.worker.gpu.sample.gumbel": {"gumbel_sample": None},
    }
    for name, content in stand_ins.items():
        sys.modules.setdefault(name, types.ModuleType(name)).__dict__.update(content)
    return importlib.import_module("vllm.v1.watermarking.gumbel").GumbelWatermarkDetector


def main(arguments: list[str] | None = None) -> None:
    """Every case."""
    quick = _peer.quick(__doc__, arguments)
    torch.set_num_threads(1)
    rows = source(100_000).reshape(200, 500)
    kgw_rows(rows, "lefthash", 1, 40, quick)
    kgw_rows(rows, "selfhash", 4, 15, quick)
    synthid_rows(rows, quick)
    gumbel_rows(rows, quick)
    kgw_many(quick)


if __name__ == "__main__":
    main()
