"""Rules for the next token against slow twins, draws against their law, beam search against all texts there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from remission.networks import decode
from remission.networks.decode import Reader, Rules
from remission.networks.device import one_thread
from remission.networks.dice import Dice

SIZE = 5


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield


class Table(Reader):
    """A law of the next token that depends on everything before it, and counts what it reads."""

    def __init__(self, count: int, size: int = SIZE, scale: float = 2.0) -> None:
        self.texts, self.size, self.scale = [()] * count, size, scale

    def law(self, text: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng([len(text), *text]).normal(size=self.size) * self.scale

    def read(self, tokens):
        self.texts = [text + tuple(new) for text, new in zip(self.texts, tokens.tolist(), strict=True)]
        return torch.tensor(np.array([self.law(text) for text in self.texts]))

    def keep(self, rows):
        self.texts = [self.texts[row] for row in rows.tolist()]


# ── slow twins: one row at a time, in plain Python ────────────────────────────────────────────────────────────────


def twin(logits, text, rules):
    """The shaped logits of one row."""
    out = np.array(logits, np.float64)
    if rules.repetition != 1:
        for token in set(text):
            out[token] = out[token] / rules.repetition if out[token] > 0 else out[token] * rules.repetition
    if rules.no_repeat:
        n = rules.no_repeat
        seen = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
        banned = [token for token in range(len(out)) if (*text[len(text) - n + 1 :], token)[-n:] in seen]
        if len(text) >= n and len(banned) < len(out):
            out[banned] = -np.inf
    out = out / rules.temperature
    order = sorted(range(len(out)), key=lambda token: (-out[token], token))
    if rules.top_k:
        out[order[rules.top_k :]] = -np.inf
    if rules.top_p < 1:
        p, kept, mass = law_of(out), [], 0.0
        for token in order:
            if mass >= rules.top_p:
                break
            kept.append(token)
            mass += p[token]
        out[[token for token in range(len(out)) if token not in kept]] = -np.inf
    if rules.min_p:
        p = law_of(out)
        out[p < rules.min_p * p.max() * (1 - 1e-12)] = -np.inf
    return out


def law_of(logits):
    p = np.exp(logits - np.max(logits))
    return p / p.sum()


@st.composite
def situations(draw):
    size = draw(st.integers(2, 7))
    rows = draw(st.integers(1, 3))
    # eighths make ties likely, and are exact in every precision
    logits = draw(st.lists(st.lists(st.integers(-32, 32), min_size=size, max_size=size), min_size=rows, max_size=rows))
    length = draw(st.integers(0, 9))
    texts = draw(
        st.lists(st.lists(st.integers(0, size - 1), min_size=length, max_size=length), min_size=rows, max_size=rows)
    )
    rules = Rules(
        repetition=draw(st.sampled_from([1.0, 1.5])),
        no_repeat=draw(st.integers(0, 3)),
        temperature=draw(st.sampled_from([0.5, 1.0, 2.0])),
        top_k=draw(st.integers(0, 8)),
        top_p=draw(st.sampled_from([0.05, 0.3, 0.71, 0.97, 1.0])),
        min_p=draw(st.sampled_from([0.0, 0.11, 0.6])),
    )
    return np.array(logits) / 8, np.array(texts, np.int64).reshape(rows, length), rules


@given(situations())
def test_rules_agree_with_their_twins(situation):
    logits, texts, rules = situation
    got = decode.shaped(torch.tensor(logits, dtype=torch.float32), torch.tensor(texts), rules).numpy()
    expected = np.array([twin(row, text.tolist(), rules) for row, text in zip(logits, texts, strict=True)])
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "rules",
    [
        Rules(repetition=1.3),
        Rules(no_repeat=2),
        Rules(temperature=0.7),
        Rules(top_k=3),
        Rules(top_p=0.6),
        Rules(min_p=0.2),
    ],
)
def test_every_rule_changes_something(rules):
    """The twins would not notice a rule that neither side applies."""
    logits, texts = torch.randn(4, SIZE, generator=torch.Generator().manual_seed(1)), torch.tensor([[0, 1, 0]] * 4)
    assert not torch.equal(decode.shaped(logits, texts, rules), decode.shaped(logits, texts, Rules()))
    assert torch.equal(decode.shaped(logits, texts, Rules()), logits.double())


def test_rules_agree_with_transformers():
    hf = pytest.importorskip("transformers.generation.logits_process")
    logits = torch.randn(6, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 3
    texts = torch.randint(40, (6, 60), generator=torch.Generator().manual_seed(3))
    for ours, theirs in [
        (Rules(repetition=1.7), [hf.RepetitionPenaltyLogitsProcessor(1.7)]),
        (Rules(no_repeat=2), [hf.NoRepeatNGramLogitsProcessor(2)]),
        (Rules(temperature=0.6), [hf.TemperatureLogitsWarper(0.6)]),
        (Rules(top_k=7), [hf.TopKLogitsWarper(7)]),
        (Rules(top_p=0.8), [hf.TopPLogitsWarper(0.8)]),
        (Rules(min_p=0.1), [hf.MinPLogitsWarper(0.1)]),
        (
            Rules(1.2, 2, 0.9, 20, 0.9, 0.02),
            [
                hf.RepetitionPenaltyLogitsProcessor(1.2),
                hf.NoRepeatNGramLogitsProcessor(2),
                hf.TemperatureLogitsWarper(0.9),
                hf.TopKLogitsWarper(20),
                hf.TopPLogitsWarper(0.9),
                hf.MinPLogitsWarper(0.02),
            ],
        ),
    ]:
        expected = logits.clone()
        for step in theirs:
            expected = step(texts, expected)
        torch.testing.assert_close(decode.shaped(logits, texts, ours), expected, rtol=1e-12, atol=0)


def test_a_text_goes_on_where_every_token_is_forbidden():
    logits, texts = torch.tensor([[0.5, 1.0], [0.5, 1.0]]), torch.tensor([[0, 1], [0, 0]])
    out = decode.shaped(logits, texts, Rules(no_repeat=1))
    assert out.tolist() == [[0.5, 1.0], [-np.inf, 1.0]]


def test_ties_keep_the_lowest_numbers():
    logits = torch.tensor([[1.0, 2.0, 1.0, 1.0]])
    assert torch.isfinite(decode.top_k(logits, 2)).tolist() == [[True, True, False, False]]
    assert torch.isfinite(decode.top_k(logits, 9)).all()
    half = torch.zeros(1, 4)
    assert torch.isfinite(decode.top_p(half, 0.5)).tolist() == [[True, True, False, False]]
    assert torch.isfinite(decode.top_p(half, 0.500001)).tolist() == [[True, True, True, False]]


# ── draws ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_draws_follow_the_law_and_never_give_a_forbidden_token():
    n = 40_000
    logits = torch.tensor([decode.NEVER, 0.0, 1.0, decode.NEVER, -3.0, decode.NEVER])
    draws = decode.uniforms(Dice([4]), n)[0]
    found = np.bincount(decode.pick(logits.expand(n, -1), draws).numpy(), minlength=6)
    law = law_of(logits.numpy())

    def agrees(p):
        return (np.abs(found - n * p) <= 4.5 * np.sqrt(n * p * (1 - p)) + 1e-9).all()

    assert agrees(law)
    assert not agrees(law_of(logits.numpy() * 1.1))
    assert found[[0, 3, 5]].tolist() == [0, 0, 0]


def test_the_ends_of_the_unit_interval():
    """At 0 comes the first possible token, and just below 1 the last possible one."""
    almost = 1 - 2.0**-53
    rows = torch.randn(2000, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 4
    rows[:, :3], rows[:, 30:] = decode.NEVER, decode.NEVER
    assert (decode.pick(rows, torch.zeros(2000, dtype=torch.float64)) == 3).all()
    last = decode.pick(rows, torch.full((2000,), almost, dtype=torch.float64))
    assert (last <= 29).all()
    assert torch.isfinite(rows.gather(1, last[:, None])).all()


def test_uniforms_have_53_bits_and_do_not_depend_on_neighbours():
    both, alone = decode.uniforms(Dice([1, 2]), 500), decode.uniforms(Dice([2]), 500)
    assert torch.equal(both[1], alone[0])
    scaled = both * 2.0**53
    assert torch.equal(scaled, scaled.round())
    assert (scaled % 2**29 != 0).any()
    assert abs(both.mean() - 0.5) < 4 / np.sqrt(12 * 1000)


# ── whole texts ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rules", [Rules(), Rules(1.4, 2, 0.8, 4, 0.9, 0.05)])
@pytest.mark.parametrize("begun", [0, 3])
def test_texts_are_written_token_by_token(rules, begun):
    b, length = 6, 8
    prompts = torch.randint(SIZE, (b, begun), generator=torch.Generator().manual_seed(5))
    draws = decode.uniforms(Dice([7]), b, length)[0]
    reader = Table(b)
    got = decode.write(reader, prompts, draws, rules)
    assert got.shape == (b, length)
    assert all(len(text) == begun + length - 1 for text in reader.texts)  # the last token need not be read
    for i in range(b):
        text = prompts[i].tolist()
        for u in draws[i].tolist():
            p = law_of(twin(Table(1).law(tuple(text)), text, rules))
            text.append(int(np.searchsorted(np.cumsum(p) / p.sum(), u, side="right")))
        assert got[i].tolist() == text[begun:]


def best_text(prompt, length, rules, size):
    """The most probable continuation among all, and its log-probability."""
    table = Table(1, size)

    def score(text):
        steps = ((text[:t], text[t]) for t in range(len(prompt), len(text)))
        return sum(np.log(law_of(twin(table.law(tuple(past)), list(past), rules))[token]) for past, token in steps)

    with np.errstate(divide="ignore"):
        return max((score((*prompt, *new)), new) for new in itertools.product(range(size), repeat=length))


@pytest.mark.parametrize("rules", [Rules(), Rules(repetition=1.5), Rules(no_repeat=2)])
def test_wide_search_is_exhaustive(rules):
    size, length = 3, 5
    prompts = torch.tensor([[0, 1], [2, 2], [1, 0]])
    wide = decode.search(Table(3, size), prompts, length, size ** (length - 1), rules)
    for prompt, text in zip(prompts.tolist(), wide.tolist(), strict=True):
        assert tuple(text) == best_text(tuple(prompt), length, rules, size)[1]


def test_wider_searches_find_texts_at_least_as_probable_here():
    """Greedy is a search of width one, and is not enough for these laws: the search has something to find."""
    prompts = torch.randint(SIZE, (12, 2), generator=torch.Generator().manual_seed(9))

    def scores(beams):
        texts = decode.search(Table(12), prompts, 6, beams, Rules()).tolist()
        found = []
        for prompt, new in zip(prompts.tolist(), texts, strict=True):
            text = (*prompt, *new)
            found.append(sum(np.log(law_of(Table(1).law(text[:t]))[text[t]]) for t in range(2, len(text))))
        return np.array(found)

    greedy, narrow, wide = scores(1), scores(4), scores(64)
    assert greedy.mean() < narrow.mean() <= wide.mean()
    step, reader, text = [], Table(12), prompts
    for _ in range(6):
        text = reader.read(text).argmax(dim=1, keepdim=True)
        step.append(text)
    assert torch.equal(decode.search(Table(12), prompts, 6, 1, Rules()), torch.cat(step, dim=1))
