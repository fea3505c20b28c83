"""A causal language model small enough to be made in a test."""

from __future__ import annotations

import json
from pathlib import Path

LICENSE = Path(__file__).resolve().parents[2] / "LICENSE"


def gpt2(folder: Path) -> None:
    """Save a GPT-2 of one layer with a tokenizer of this repository's licence."""
    import torch
    from transformers import AutoModelForCausalLM, GPT2Config

    from remission.networks import vocabulary
    from remission.networks.checkpoint import quiet
    from remission.networks.device import one_thread

    tokenizer = vocabulary.train([LICENSE.read_text(encoding="utf-8")], 300)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    size = tokenizer.get_vocab_size()
    config = GPT2Config(
        vocab_size=size, n_positions=512, n_embd=8, n_layer=1, n_head=2, bos_token_id=size - 1, eos_token_id=size - 1
    )
    with quiet(), one_thread(), torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<|endoftext|>"}))
