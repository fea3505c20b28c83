"""Vectors that were made with the real implementations: equal bit for bit, and to 1e-9 where numbers are real."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission.evidence import weigh
from remission.numerics import philox, tournament
from remission.watermarking import Key, Tokens
from remission.watermarks.gumbel import Gumbel, derived
from remission.watermarks.kgw import Kgw
from remission.watermarks.synthid import Synthid, _table


def _vector(shared: Path, name: str) -> dict[str, Any]:
    path = shared / "data" / "watermark" / f"{name}.json"
    if not path.is_file():
        pytest.skip("no test vectors")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("name", ["kgw_lefthash_v1200", "kgw_lefthash_v30000_g50", "kgw_selfhash_v1200_w4"])
def test_kgw(shared: Path, name: str) -> None:
    vector = _vector(shared, name)
    config = vector["config"]
    mark = Kgw(
        vocabulary=vector["vocab_size"],
        gamma=config["greenlist_ratio"],
        delta=config["bias"],
        seeding=config["seeding_scheme"],
        width=config["context_width"],
    )
    key = Key("test", (config["hashing_key"],))
    tokens = Tokens.of(vector["token_ids"])
    for ignored, repeats in ((False, "all"), (True, "dialect")):
        wanted = vector[f"detector_ignore_repeated_{ignored}"]
        found = weigh(mark, key, tokens, repeats)
        assert found.n.tolist() == wanted["num_tokens_scored"]
        assert found.total.tolist() == wanted["num_green_tokens"]
        published = mark.published(found.n, found.total)
        np.testing.assert_allclose(published["z"], wanted["z"], rtol=1e-9)
        np.testing.assert_allclose(published["p"], wanted["p"], rtol=1e-9)
    whole = weigh(mark, key, tokens, "all")
    for row, mask in zip(vector["green_mask_rows"], vector["green_masks"], strict=True):
        chosen = whole.text == row
        assert int(whole.places[chosen][0] - tokens.starts[row]) == vector["mask_first_token_index"]
        assert "".join(str(int(score)) for score in whole.scores[chosen]) == mask
    for one in vector["greenlists"]:
        greens = mark.greens(key, one["context"]).astype("<i8")
        assert (greens.size, greens[:16].tolist()) == (one["n_green"], one["first16"])
        hashed = {name: value for name, value in one.items() if "sha256" in name}
        assert hashed, "the vector names no hash"
        for name, value in hashed.items():
            ordered = np.sort(greens) if "sorted" in name else greens
            assert hashlib.sha256(ordered.tobytes()).hexdigest() == value


@pytest.mark.parametrize("name", ["synthid_k9_v2000", "synthid_k30_v1000"])
def test_synthid(shared: Path, name: str) -> None:
    vector = _vector(shared, name)
    config = vector["config"]
    mark = Synthid(
        ngram=config["ngram_len"],
        table_size=config["sampling_table_size"],
        table_seed=config["sampling_table_seed"],
        history=config["context_history_size"],
    )
    key = Key("test", tuple(config["keys"]))
    tokens = Tokens.of(vector["token_ids"])
    places = mark.scorable(tokens)
    text = tokens.text_of[places]
    bits, fresh = mark.g_values(key, tokens, places), np.isin(places, mark.dialect_places(key, tokens))
    ending = dataclasses.replace(mark, eos=vector["eos_token_id"])
    live = np.isin(places, ending.scorable(tokens))
    for row in range(len(tokens)):
        chosen = text == row
        assert bits[chosen].tolist() == vector["g_packed_lsb_is_layer0"][row]
        assert "".join("01"[int(one)] for one in fresh[chosen]) == vector["context_not_repeated_mask"][row]
        assert "".join("01"[int(one)] for one in live[chosen]) == vector["eos_mask"][row]
    means = ending.means(key, tokens)
    np.testing.assert_allclose(means["mean"], vector["mean_score"], rtol=1e-9)
    np.testing.assert_allclose(means["weighted"], vector["weighted_mean_score"], rtol=1e-9)
    table = _table(mark.table_size, mark.table_seed)
    assert int(table.sum()) == vector["sampling_table_sum"]
    assert "".join("01"[int(one)] for one in table[:64]) == vector["sampling_table_first64"]
    trained = vector["bayesian"]
    beta, delta = np.array(trained["beta"]), np.array(trained["delta"])
    found = ending.posterior(key, tokens, beta, delta, trained["prior"])
    np.testing.assert_allclose(found, trained["posterior"], rtol=2e-4, atol=1e-12)  # theirs is in float32


@pytest.mark.parametrize("name", ["vllm_gumbel_w4", "vllm_dualkey_w4"])
def test_gumbel(shared: Path, name: str) -> None:
    vector = _vector(shared, name)
    mark = Gumbel(width=vector["context_width"], alpha=vector["alpha"] or 0.0)
    key = Key("test", (vector["key"],))
    tokens = Tokens.of(vector["token_ids"])
    for deduplicated, repeats in ((True, "text"), (False, "all")):
        wanted = vector["detector"][f"dedup_{deduplicated}"]
        found = weigh(mark, key, tokens, repeats)
        assert found.n.tolist() == wanted["num_scored"]
        np.testing.assert_allclose(found.total, wanted["score"], rtol=1e-9)
        published = mark.published(found.n, found.total)["p"]
        np.testing.assert_allclose(published, wanted["p_value"], rtol=2e-9)  # PyTorch's incomplete gamma has 9 digits
        if not mark.alpha:
            np.testing.assert_allclose(found.log10_p, np.log10(wanted["p_value"]), rtol=1e-9)
    used = vector["derived_keys"] or [vector["key"]]
    assert used == [value for value, _ in mark._keys(key)]
    table = vector["prf_uniform_f32"]
    for context, row in zip(table["contexts"], table["values"], strict=True):
        found_u = philox.uniforms(used[0], np.array(context), vector["vocab_size"])[table["token_ids"]]
        assert found_u.tolist() == row


def test_derived_keys() -> None:
    """As the serving engine derives them: the start of SHA-256 of a name and the key."""
    whole = hashlib.sha256(b"key_a" + (77).to_bytes(8, "big")).digest()
    assert derived(77, b"key_a") == int.from_bytes(whole[:8], "big")


def test_table_of_odd_size() -> None:
    """The full hash and Python's remainder decide when the table is no power of two."""
    mark, key = Synthid(table_size=1009, table_seed=3), Key("test", (7, 2**62 + 5, 11))
    rng = np.random.default_rng(0)
    tokens = Tokens.of([rng.integers(0, 70_000, 60)])
    places = mark.scorable(tokens)
    table = _table(1009, 3)
    for place, packed in zip(places, mark.g_values(key, tokens, places), strict=True):
        word = 1
        for token in tokens.ids[place - 4 : place + 1]:
            word = ((word + int(token)) * tournament.FACTOR + 1) % 2**64
        for layer, value in enumerate(key.values):
            one = ((word + value) * tournament.FACTOR + 1) % 2**64
            signed = one - 2**64 if one >= 2**63 else one
            assert bool(int(packed) >> layer & 1) == bool(table[signed % 1009])
