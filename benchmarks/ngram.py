"""A trigram: count one million tokens and write one million, against dictionaries with cumulative lists."""

from __future__ import annotations

import gzip
import os
import random
from collections import Counter, defaultdict
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np

from benchmarks import _peer
from remission.data import Dataset, Integers, Space
from remission.interfaces import Sampling
from remission.models.ngram import Ngram
from remission.rng import Streams

LENGTH = 100


def corpus(tokens: int, size: int) -> tuple[str, Integers]:
    """Blocks of WikiText-2 words (rare ones as the first type), or of a Zipf law where the file is not there."""
    home = Path(os.environ.get("REMISSION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    path = home / "data" / "wikitext2" / "train.txt.gz"
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            words = file.read().split()[:tokens]
        number = {word: i for i, (word, _) in enumerate(Counter(words).most_common(size))}
        name, ids = "wikitext-2", np.array([number.get(word, 0) for word in words])
    else:
        p = 1 / (np.arange(size) + 2.7)
        name, ids = "zipf", np.random.default_rng(0).choice(size, tokens, p=p / p.sum())
    return name, ids[: len(ids) // LENGTH * LENGTH].reshape(-1, LENGTH)


def peer(blocks: Integers, order: int) -> list[list[int]]:
    """The fair Python way: count into dictionaries, cumulate once per context, draw with random.choices."""
    table: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    text = blocks.tolist()
    for block in text:
        for k in range(order - 1, len(block)):
            table[tuple(block[k - order + 1 : k])][block[k]] += 1
    law = {context: (list(cells), list(accumulate(cells.values()))) for context, cells in table.items()}
    out, draw = [], random.Random(0).choices
    for _ in text:
        block: list[int] = []
        context = None
        while len(block) < LENGTH:
            if context is None or context not in law:
                block += random.choice(text)[: order - 1]
            else:
                symbols, upto = law[context]
                block.append(draw(symbols, cum_weights=upto)[0])
            context = tuple(block[len(block) - order + 1 :])
        out.append(block[:LENGTH])
    return out


def ours(blocks: Integers, size: int, order: int) -> Integers:
    """Fit and sample the model on the same blocks."""
    model, streams = Ngram(order=order), Streams.of(seed=1, replicates=[0])
    data = Dataset(Space("tokens", (LENGTH,), size), blocks[None], np.zeros((1, len(blocks)), np.int32))
    return model.sample(model.fit(data, streams), len(blocks), streams, Sampling())


def main(arguments: list[str] | None = None) -> None:
    """Trigram and bigram."""
    quick = _peer.quick(__doc__, arguments)
    size = 20_000
    for order, tokens, goal in ((3, 100_000 if quick else 1_000_000, 50), (2, 100_000 if quick else 1_000_000, None)):
        source, blocks = corpus(tokens, size)
        ours(blocks[:10], size, order)
        timed = _peer.best_of(
            partial(ours, blocks, size, order),
            partial(peer, blocks, order),
            1 if quick else 3,
        )
        _peer.line(f"ngram of order {order}, {blocks.size} tokens of {source}", timed.ours, timed.peer, goal)


if __name__ == "__main__":
    main()
