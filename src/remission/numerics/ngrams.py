"""Markov chains of text: draws from the members of a context's group, and counts in a tree of n-grams.

Two ways to one law. *Links* serve the bare chain: every position of the text knows the group of positions that
followed the same context, so a token costs one random number and one memory access, without counts or hashes. The
*tree* holds the distinct n-grams with their weights and serves everything else (weights, temperature, truncation,
smoothing, probabilities).
"""

from __future__ import annotations

import numpy as np

from remission.numerics.jit import jit
from remission.numerics.random import below, seed, uniform
from remission.numerics.unigram import shape

LANES = 32  # blocks written at the same time, so that one waits for memory while the others run


@jit()
def within(blocks, size):  # type: ignore[no-untyped-def]
    """Whether every token of ``blocks`` (r, n, length) is in 0 .. size - 1."""
    for i in range(blocks.shape[0]):
        for j in range(blocks.shape[1]):
            for k in range(blocks.shape[2]):
                if blocks[i, j, k] < 0 or blocks[i, j, k] >= size:
                    return False
    return True


@jit()
def _sort(text, back, ends, start, out):  # type: ignore[no-untyped-def]
    """Stable counting sort of ``ends`` by the token ``back`` places earlier; ``start`` is scratch (V,)."""
    start[:] = 0
    for i in range(ends.size):
        start[text[_place(ends[i]) - back]] += 1
    total = 0
    for token in range(start.size):
        here = start[token]
        start[token] = total
        total += here
    for i in range(ends.size):
        token = text[_place(ends[i]) - back]
        out[start[token]] = ends[i]
        start[token] += 1


@jit(inline=True)
def _place(end):  # type: ignore[no-untyped-def]
    """The position of an end; the last of a block is marked by its complement."""
    return end if end >= 0 else ~end


@jit()
def _ends(n, length, context, out):  # type: ignore[no-untyped-def]
    """The positions of the flat text where a context ends inside a block, the last of each block complemented."""
    m = 0
    for b in range(n):
        for k in range(context - 1, length):
            out[m] = b * length + k
            m += 1
        out[m - 1] = ~out[m - 1]


@jit()
def _grouped(text, ends, context, group):  # type: ignore[no-untyped-def]
    """Fill ``group`` (N, 2) at every end with where the group of its context starts and how many members it has.

    Members, the ends that are not the last of their block, are counted in the order of ``ends``, sorted by context.
    """
    begin, first, members = np.int64(0), np.int64(0), np.int64(0)
    for i in range(ends.size + 1):
        fresh = i == ends.size
        if 0 < i < ends.size:
            here, before = _place(ends[i]), _place(ends[i - 1])
            for back in range(context):
                if text[here - back] != text[before - back]:
                    fresh = True
                    break
        if fresh:
            for k in range(begin, i):
                place = _place(ends[k])
                group[place, 0], group[place, 1] = first, members - first
            begin, first = np.int64(i), members
        if i < ends.size:
            members += np.int64(ends[i] >= 0)


@jit()
def link(blocks, order, size, links, starts):  # type: ignore[no-untyped-def]
    """Group the text (Sedgewick & Wayne, Algorithms, section 5.1: LSD sort) and link each member to its successors.

    Args:
        blocks: the text (r, n, length), tokens below ``size``.
        order: n of the n-grams; the context is the ``order`` - 1 tokens before.
        size: V.
        links: (r, m, 3) int32 with m = n (length - order + 1): the token that member follows its context with, and
            where the group of the then new context starts and how many members it has.
        starts: (r, n, 2) int32: the group (start, members) after the first order - 1 tokens of each block.
    """
    n, length, context = blocks.shape[1], blocks.shape[2], order - 1
    text = np.empty(n * length, np.int32)
    ends = np.empty(n * (length - context + 1) if context else 0, np.int32)
    other, scratch = np.empty_like(ends), np.empty(size, np.int32)
    group = np.empty((n * length, 2), np.int32)
    for i in range(blocks.shape[0]):
        for b in range(n):
            for k in range(length):
                text[b * length + k] = blocks[i, b, k]
        if context == 0:
            links[i, :, 0], links[i, :, 1], links[i, :, 2] = text, 0, text.size
            starts[i, :, 0], starts[i, :, 1] = 0, text.size
            continue
        _ends(n, length, context, ends)
        for back in range(context):
            _sort(text, back, ends, scratch, other)
            ends, other = other, ends
        _grouped(text, ends, context, group)
        m = 0
        for k in range(ends.size):
            if ends[k] >= 0:
                after = ends[k] + 1
                links[i, m, 0], links[i, m, 1], links[i, m, 2] = text[after], group[after, 0], group[after, 1]
                m += 1
        for b in range(n):
            starts[i, b] = group[b * length + context - 1]


@jit()
def follow(first, second, replicates, blocks, links, starts, context, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n', length) by following the links; a context without successor begins a new text."""
    n = blocks.shape[1]
    state = np.empty(4, np.uint64)
    lane_block, lane_left = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    lane_start, lane_size = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        text, chain = blocks[i], links[i]
        for base in range(0, out.shape[1], LANES):
            lanes = min(LANES, out.shape[1] - base)
            lane_left[:], lane_start[:], lane_size[:] = 0, 0, chain.shape[0] if context == 0 else 0
            for k in range(out.shape[2]):
                for lane in range(lanes):
                    size = lane_size[lane]
                    if size > 0:
                        member = lane_start[lane] + below(state, size)
                        out[i, base + lane, k] = chain[member, 0]
                        lane_start[lane], lane_size[lane] = chain[member, 1], chain[member, 2]
                        continue
                    if lane_left[lane] == 0:
                        lane_block[lane], lane_left[lane] = below(state, n), context
                    block = lane_block[lane]
                    out[i, base + lane, k] = text[block, context - lane_left[lane]]
                    lane_left[lane] -= 1
                    if lane_left[lane] == 0:
                        lane_start[lane], lane_size[lane] = starts[i, block, 0], starts[i, block, 1]


@jit()
def grow(blocks, weight, order, size):  # type: ignore[no-untyped-def]
    """The distinct k-grams of one replicate's blocks (n, length), k = 0 .. order, as nodes of a tree.

    Node 0 is the empty gram; the children of a node append one token, are numbered consecutively and sorted by it.

    Returns:
        token, mass, begin, many: of each node, its last token, the weight of its occurrences, its first child and how
            many children it has.
        suffix: for the longest grams, the node of the gram without its first token: the context that comes next.
        base: where the nodes of each length begin, (order + 2,).
    """
    n, length = blocks.shape
    text = np.empty(n * length, np.int32)
    for b in range(n):
        for k in range(length):
            text[b * length + k] = blocks[b, k]
    room = 1 + order * text.size
    token, mass = np.full(room, np.int32(-1)), np.zeros(room)
    begin, many, suffix = np.zeros(room, np.int32), np.zeros(room, np.int32), np.zeros(room, np.int32)
    base = np.zeros(order + 2, np.int64)
    base[1] = 1
    by_token, places = np.empty(text.size, np.int32), np.arange(text.size).astype(np.int32)
    _sort(text, 0, places, np.empty(size, np.int32), by_token)
    at, parent = np.zeros(text.size, np.int32), np.zeros(text.size, np.int32)
    for depth in range(1, order + 1):
        for b in range(n):
            for k in range(length):
                if k < depth - 1:
                    parent[b * length + k] = -1
                elif depth > 1:
                    parent[b * length + k] = at[b * length + k - 1]
        found = _by_parent(parent, by_token, base[depth - 1], base[depth], places)
        node = base[depth] - 1
        for i in range(found):
            place = places[i]
            above = parent[place]
            if i == 0 or above != parent[places[i - 1]] or text[place] != text[places[i - 1]]:
                node += 1
                token[node] = text[place]
                if many[above] == 0:
                    begin[above] = node
                many[above] += 1
            mass[node] += weight[place // length] if weight.size else 1.0
            suffix[node] = at[place]
            at[place] = node
        base[depth + 1] = node + 1
    nodes = base[order + 1]
    return token[:nodes], mass[:nodes], begin[:nodes], many[:nodes], suffix[:nodes], base


@jit()
def _by_parent(parent, order, low, high, out):  # type: ignore[no-untyped-def]
    """Stable counting sort of the positions in ``order`` by their parent node in low .. high - 1; how many have one."""
    start = np.zeros(high - low + 1, np.int32)
    for i in range(order.size):
        if parent[order[i]] >= 0:
            start[parent[order[i]] - low + 1] += 1
    for node in range(high - low):
        start[node + 1] += start[node]
    found = start[high - low]
    for i in range(order.size):
        above = parent[order[i]]
        if above >= 0:
            out[start[above - low]] = order[i]
            start[above - low] += 1
    return found


@jit()
def cumulate(mass, begin, many):  # type: ignore[no-untyped-def]
    """For every node the mass of itself and its elder siblings, and the mass of all children of each node."""
    upto, below_it = np.zeros(mass.size), np.zeros(mass.size)
    for node in range(mass.size):
        total = 0.0
        for child in range(begin[node], begin[node] + many[node]):
            total += mass[child]
            upto[child] = total
        below_it[node] = total
    return upto, below_it


@jit(inline=True)
def search(upto, low, high, target):  # type: ignore[no-untyped-def]
    """The first index of low .. high - 1 with ``upto`` above the target, which is kept below the whole."""
    target = min(target, upto[high - 1] * (1.0 - 1e-15))
    while low < high:
        middle = (low + high) >> 1
        if upto[middle] > target:
            high = middle
        else:
            low = middle + 1
    return low


@jit(inline=True)
def _child(token, begin, many, node, wanted):  # type: ignore[no-untyped-def]
    """The child of a node that appends the wanted token, or -1."""
    if node < 0:
        return -1
    low, high = np.int64(begin[node]), np.int64(begin[node]) + np.int64(many[node])
    end = high
    while low < high:
        middle = (low + high) >> 1
        if token[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < end and token[low] == wanted else -1


@jit(inline=True)
def advance(token, begin, many, path, emitted):  # type: ignore[no-untyped-def]
    """Move ``path``, the nodes of the last 0 .. order - 1 tokens (-1: unseen), on by one token."""
    for k in range(path.size - 1, 0, -1):
        path[k] = _child(token, begin, many, path[k - 1], emitted)


@jit()
def _smooth_token(state, path, smoothing, size, token, upto, total, begin, many):  # type: ignore[no-untyped-def]
    """A token from the interpolated law: the longest seen context, or with odds smoothing : total the next shorter."""
    for k in range(path.size - 1, -1, -1):
        node = path[k]
        if node >= 0 and total[node] > 0.0:
            target = uniform(state) * (total[node] + smoothing)
            if target < total[node]:
                return np.int64(token[search(upto, begin[node], begin[node] + many[node], target)])
    return below(state, size)


@jit()
def wander(  # type: ignore[no-untyped-def]
    first, second, replicates, blocks, weight, order, size, smoothing, temperature, top_k, top_p, out
):
    """Fill ``out`` (r, n', length) with draws of the chain of weighted blocks, shaped or smoothed, by the tree."""
    state, path = np.empty(4, np.uint64), np.empty(order, np.int64)
    none = np.empty(0)
    for i in range(out.shape[0]):
        own = weight[i] if weight.size else none
        token, mass, begin, many, suffix, base = grow(blocks[i], own, order, size)
        for context in range(base[order - 1], base[order]):
            shape(mass[begin[context] : begin[context] + many[context]], temperature, top_k, top_p)
        upto, total = cumulate(mass, begin, many)
        share = np.cumsum(own) if own.size else np.arange(1.0, blocks.shape[1] + 1)
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            left, node, block = 0, np.int64(-1), np.int64(0)
            path[:], path[0] = -1, 0
            for k in range(out.shape[2]):
                if k == 0 or (smoothing == 0.0 and left == 0 and total[node] <= 0.0):
                    block = search(share, 0, share.size, uniform(state) * share[-1])
                    left = order - 1
                    path[:], path[0] = -1, 0
                    node = np.int64(0)
                if left > 0:
                    emitted = np.int64(blocks[i, block, order - 1 - left])
                    left -= 1
                    advance(token, begin, many, path, emitted)
                    node = path[order - 1]
                elif smoothing > 0.0:
                    emitted = _smooth_token(state, path, smoothing, size, token, upto, total, begin, many)
                    advance(token, begin, many, path, emitted)
                else:
                    target = uniform(state) * total[node]
                    found = search(upto, begin[node], begin[node] + many[node], target)
                    emitted, node = np.int64(token[found]), np.int64(suffix[found])
                out[i, j, k] = emitted


@jit()
def _begin(blocks, weight, alive, place, wanted):  # type: ignore[no-untyped-def]
    """The probability that a block which is still ``alive`` has the wanted token at ``place``; the others die."""
    before = after = 0.0
    for b in range(alive.size):
        if alive[b]:
            w = weight[b] if weight.size else 1.0
            before += w
            if blocks[b, place] == wanted:
                after += w
            else:
                alive[b] = False
    return after / before if before > 0.0 else 0.0


@jit()
def _score(blocks, weight, order, tree, total, item, path, alive):  # type: ignore[no-untyped-def]
    """Log-probability of one block under the bare chain; a context without successor begins a new text."""
    token, mass, begin, many, _, _ = tree
    out, left = 0.0, 0
    path[:], path[0] = -1, 0
    for k in range(item.size):
        if k >= order - 1:
            node = path[order - 1]
            if left == 0 and node >= 0 and total[node] <= 0.0:
                left = order - 1
                alive[:] = True
            if left > 0:
                p = _begin(blocks, weight, alive, order - 1 - left, item[k])
                left -= 1
            else:
                child = _child(token, begin, many, node, item[k])
                p = mass[child] / total[node] if child >= 0 else 0.0
            if p <= 0.0:
                return -np.inf
            out += np.log(p)
        advance(token, begin, many, path, item[k])
    return out


@jit()
def _score_smooth(order, size, smoothing, tree, total, item, path):  # type: ignore[no-untyped-def]
    """Log-probability of one block under the interpolated chain."""
    token, mass, begin, many, _, _ = tree
    out = 0.0
    path[:], path[0] = -1, 0
    for k in range(item.size):
        if k >= order - 1:
            p = 1.0 / size
            for depth in range(order):
                node = path[depth]
                if node >= 0 and total[node] > 0.0:
                    child = _child(token, begin, many, node, item[k])
                    p = ((mass[child] if child >= 0 else 0.0) + smoothing * p) / (total[node] + smoothing)
            out += np.log(p)
        advance(token, begin, many, path, item[k])
    return out


@jit()
def log_probability(blocks, weight, order, size, smoothing, items, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with the natural log-probability of ``items`` (r, m, length) given their first tokens."""
    path, none, alive = np.empty(order, np.int64), np.empty(0), np.empty(blocks.shape[1], np.bool_)
    for i in range(out.shape[0]):
        own = weight[i] if weight.size else none
        tree = grow(blocks[i], own, order, size)
        _, total = cumulate(tree[1], tree[2], tree[3])
        for j in range(items.shape[1]):
            if smoothing > 0.0:
                out[i, j] = _score_smooth(order, size, smoothing, tree, total, items[i, j], path)
            else:
                out[i, j] = _score(blocks[i], own, order, tree, total, items[i, j], path, alive)
