"""The Markov chain of words against dictionaries of counts."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.data import Dataset, Space
from remission.errors import DataError, FitError, SpecError
from remission.interfaces import Sampling
from remission.models.ngram import Ngram
from remission.rng import Streams

STREAMS = Streams.of(seed=3, replicates=range(2)).at(1, "test")


def dataset(blocks, size, weight=None):
    blocks = np.asarray(blocks, np.int64)
    return Dataset(Space("tokens", blocks.shape[2:], size), blocks, np.zeros(blocks.shape[:2], np.int32), weight)


def text(replicates=1, n=40, length=12, size=4, seed=0):
    return np.random.default_rng(seed).integers(0, size, (2, replicates, n, length)).min(axis=0)


def counted(blocks, order, weight=None):
    """Weighted counts of the successors of every context, by dictionary."""
    table = defaultdict(Counter)
    for b, block in enumerate(blocks.tolist()):
        for k in range(order - 1, len(block)):
            table[tuple(block[k - order + 1 : k])][block[k]] += 1 if weight is None else weight[b]
    return table


def agrees(expected, generated, order):
    """Whether generated successors follow the expected law: every cell within 4.5 SE and none impossible."""
    found = counted(generated, order)
    for context, cells in found.items():
        law, total = expected[context], sum(cells.values())
        if not law:
            continue  # a new text begins here
        mass = sum(law.values())
        for token in range(10):
            p = law.get(token, 0) / mass
            if abs(cells.get(token, 0) - total * p) > 4.5 * np.sqrt(total * p * (1 - p)) + 1e-9:
                return False
    return True


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_are_the_dictionary_counts(order, weighted):
    blocks = text()[0]
    weight = np.random.default_rng(1).integers(0, 4, len(blocks)).astype(float) if weighted else None
    model = Ngram(order=order)
    state = model.fit(dataset(blocks[None], 4, None if weight is None else weight[None]), STREAMS.only(0))
    table = counted(blocks, order, weight)
    queries = text(n=30, seed=5)[0][:, :order]
    got = np.exp(model.log_density(state, queries[None])[0])
    for query, p in zip(queries.tolist(), got, strict=True):
        law = table[tuple(query[:-1])]
        total = sum(law.values())
        if total > 0:
            assert p == pytest.approx(law[query[-1]] / total, abs=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_bare_chain_draws_the_counted_law(order):
    blocks, model = text(n=60, size=2)[0], Ngram(order=order)
    state = model.fit(dataset(blocks[None], 4), STREAMS.only(0))
    generated = model.sample(state, 3000, STREAMS.only(0), Sampling())[0]
    table = counted(blocks, order)
    assert len(table) == 2 ** (order - 1)  # no dead end, so that every transition is one of the table
    assert agrees(table, generated, order)
    wrong = {context: Counter(law) for context, law in table.items()}
    context = max(wrong, key=lambda c: (len(wrong[c]) > 1) * sum(wrong[c].values()))
    wrong[context][max(wrong[context])] *= 1.5
    assert not agrees(defaultdict(Counter, wrong), generated, order)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_links_and_tree_have_one_law(order):
    """The linked chain and the tree (forced by unequal weights that are repetitions) agree with the same counts."""
    blocks = text(n=12)[0]
    weight = np.array([1.0, 2.0, 3.0] * 4)
    repeated = np.repeat(blocks, weight.astype(int), axis=0)
    model = Ngram(order=order)
    tree = model.fit(dataset(blocks[None], 4, weight[None]), STREAMS.only(0))
    links = model.fit(dataset(repeated[None], 4), STREAMS.only(0))
    assert tree.links is None
    assert links.links is not None
    table = counted(repeated, order)
    for state in (tree, links):
        generated = model.sample(state, 3000, STREAMS.only(0), Sampling())[0]
        assert agrees(table, generated, order)
        starts = Counter(map(tuple, generated[:, : order - 1].tolist()))
        for start, number in Counter(map(tuple, repeated[:, : order - 1].tolist())).items():
            p = number / len(repeated)
            assert abs(starts[start] - 3000 * p) <= 4.5 * np.sqrt(3000 * p * (1 - p)) + 1e-9
    assert not agrees(counted(blocks, order), model.sample(links, 20000, STREAMS.only(0), Sampling())[0], order)
    np.testing.assert_allclose(
        model.log_density(tree, blocks[None]), model.log_density(links, blocks[None]), rtol=1e-12
    )


@pytest.mark.parametrize("sampling", [Sampling(temperature=0.5), Sampling(temperature=2.0), Sampling(top_k=2)])
def test_sampling_options_are_exact(sampling):
    blocks, model = text(n=30)[0], Ngram(order=2)
    state = model.fit(dataset(blocks[None], 4), STREAMS.only(0))
    generated = model.sample(state, 4000, STREAMS.only(0), sampling)[0]
    shaped = defaultdict(Counter)
    for context, law in counted(blocks, 2).items():
        kept = sorted(law, key=lambda token: (-law[token], token))[: sampling.top_k or None]
        shaped[context] = Counter({token: law[token] ** (1 / sampling.temperature) for token in kept})
    assert agrees(shaped, generated, 2)
    assert not agrees(counted(blocks, 2), generated, 2)


def test_top_p_keeps_the_fewest_that_reach_the_mass():
    blocks = np.array([[[0, 1, 0, 1, 0, 2, 0, 3, 0]]])
    model = Ngram(order=2)
    state = model.fit(dataset(blocks, 4), STREAMS.only(0))
    after = {
        p: {
            int(b)
            for a, b in itertools.pairwise(model.sample(state, 300, STREAMS.only(0), Sampling(top_p=p)).ravel())
            if a == 0 and b != 0
        }
        for p in (0.5, 0.75, 1.0)
    }
    assert after == {0.5: {1}, 0.75: {1, 2}, 1.0: {1, 2, 3}}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sample_frequencies_match_log_density(order):
    """Every possible short block: its frequency given its start is exp(log_density), new texts included."""
    blocks = np.array([[[0, 1, 2, 0], [1, 0, 2, 2], [0, 0, 1, 2]]])
    model = Ngram(order=order)
    state = model.fit(dataset(blocks, 3), STREAMS.only(0))
    every = np.array(list(itertools.product(range(3), repeat=4)))
    p = np.exp(model.log_density(state, every[None])[0])
    starts = Counter(map(tuple, blocks[0, :, : order - 1].tolist()))
    share = np.array([starts[tuple(row[: order - 1])] / 3 for row in every.tolist()]) * p
    assert share.sum() == pytest.approx(1.0, abs=1e-12)
    n = 20000
    found = Counter(map(tuple, model.sample(state, n, STREAMS.only(0), Sampling())[0].tolist()))
    got = np.array([found[tuple(row)] for row in every.tolist()])
    assert (np.abs(got - n * share) <= 4.5 * np.sqrt(n * share * (1 - share)) + 1e-9).all()
    wrong = np.roll(share, 1)
    assert not (np.abs(got - n * wrong) <= 4.5 * np.sqrt(n * wrong * (1 - wrong)) + 1e-9).all()


def test_dead_end_begins_a_new_text():
    blocks = np.array([[[0, 1, 2], [0, 1, 2]]])
    model = Ngram(order=2)
    state = model.fit(dataset(blocks, 3), STREAMS.only(0))
    assert (model.sample(state, 5, STREAMS.only(0), Sampling()) == [0, 1, 2]).all()
    long = np.array([[[0, 1, 2, 0, 1, 2, 0]]])
    assert model.log_density(state, long)[0, 0] == 0.0
    assert model.log_density(state, np.array([[[0, 1, 2, 1, 2, 0, 1]]]))[0, 0] == -np.inf


@given(st.integers(1, 4), st.floats(0.01, 20), st.integers(0, 100))
def test_smoothed_law_sums_to_one_and_backs_off(order, smoothing, seed):
    blocks, size = text(n=5, length=5, seed=seed), 4
    model = Ngram(order=order, smoothing=smoothing)
    state = model.fit(dataset(blocks, size), STREAMS.only(0))
    context = np.random.default_rng(seed + 1).integers(0, size, order - 1)
    queries = np.array([[[*context, token] for token in range(size)]])
    p = np.exp(model.log_density(state, queries)[0])
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    expected = np.full(size, 1 / size)
    for k in range(order):
        law = counted(blocks[0], k + 1)[tuple(context[order - 1 - k :].tolist())]
        if law:
            count = np.array([law[token] for token in range(size)])
            expected = (count + smoothing * expected) / (count.sum() + smoothing)
    np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_smoothed_samples_follow_the_smoothed_law():
    blocks, size = text(n=4, length=6), 4
    model = Ngram(order=2, smoothing=3.0)
    state = model.fit(dataset(blocks, size), STREAMS.only(0))
    generated = model.sample(state, 4000, STREAMS.only(0), Sampling())[0]
    law = defaultdict(Counter)
    for context in range(size):
        p = np.exp(model.log_density(state, np.array([[[context, token] for token in range(size)]]))[0])
        law[(context,)] = Counter(dict(enumerate(p)))
    assert agrees(law, generated, 2)
    assert not agrees(counted(blocks[0], 2), generated, 2)


@pytest.mark.parametrize("model", [Ngram(order=3), Ngram(order=2, smoothing=0.5)])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.7)])
def test_replicates_do_not_depend_on_the_block(model, sampling):
    if model.smoothing and sampling.used:
        pytest.skip("refused, see test_refusals")
    streams = Streams.of(seed=9, replicates=range(5)).at(2, "sample")
    data = dataset(text(replicates=5), 4)
    whole = model.sample(model.fit(data, streams), 50, streams, sampling)
    again = model.sample(model.fit(data, streams), 50, streams, sampling)
    np.testing.assert_array_equal(whole, again)
    for i in range(5):
        alone = model.sample(model.fit(data.only(i), streams.only(i)), 50, streams.only(i), sampling)
        np.testing.assert_array_equal(whole[i], alone[0])


def test_types_never_return_and_blocks_keep_their_shape():
    streams, model = Streams.of(seed=1, replicates=range(3)), Ngram(order=3)
    items = np.minimum(np.random.default_rng(0).zipf(1.5, (3, 100, 20)) - 1, 199)
    alive = [200] * 3
    for t in range(1, 6):
        items = model.sample(model.fit(dataset(items, 200), streams), 100, streams.at(t, "s"), Sampling())
        now = [np.unique(block).size for block in items]
        assert items.shape == (3, 100, 20)
        assert all(a <= b for a, b in zip(now, alive, strict=True))
        alive = now
    assert max(alive) < 110


def test_refusals():
    data = dataset(text(length=4), 4)
    with pytest.raises(SpecError, match="hold no 5-gram"):
        Ngram(order=5).fit(data, STREAMS.only(0))
    with pytest.raises(SpecError, match="order"):
        Ngram(order=6)
    with pytest.raises(DataError, match="outside"):
        Ngram().fit(dataset(np.full((1, 2, 5), 4), 4), STREAMS.only(0))
    smooth = Ngram(smoothing=1.0)
    with pytest.raises(SpecError, match="temperature"):
        smooth.sample(smooth.fit(data, STREAMS.only(0)), 1, STREAMS.only(0), Sampling(temperature=0.5))
    with pytest.raises(FitError, match="at least one block"):
        Ngram().fit(dataset(np.empty((1, 0, 5)), 4), STREAMS.only(0))
    for weight in (np.zeros((1, 40)), np.full((1, 40), np.nan)):
        with pytest.raises(FitError, match="Weights"):
            Ngram().fit(dataset(text(length=4), 4, weight), STREAMS.only(0))
