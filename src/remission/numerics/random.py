"""Random draws inside compiled kernels: xoshiro256++ streams, one per replicate.

A stream is a ``uint64`` state of shape ``(4,)``, seeded from a name (two words, see
:mod:`remission.rng`) and the number of the replicate, so that a draw depends on nothing else: not
on the block it is computed in, nor on the number of workers.

Sources: Blackman & Vigna, "Scrambled linear pseudorandom number generators", TOMS 47 (2021), for the
generator; Marsaglia & Tsang, "The ziggurat method", JSS 5 (2000), for normals and, "A simple method
for generating gamma variables", TOMS 26 (2000), for gammas; Hoermann, "The generation of binomial
random variates", JSCS 46 (1993), algorithm BTRS; Lemire, "Fast random integer generation in an
interval", TOMACS 29 (2019); Vose, "A linear algorithm for generating random numbers with a given
distribution", IEEE TSE 17 (1991), for alias tables.
"""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Floats, Words
from remission.numerics.jit import jit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(0xD1342543DE82EF95)
_R = 3.6541528853610088  # where the tail of the ziggurat begins
_AREA = 0.00492867323399141  # of each of its 256 layers


def _ziggurat() -> tuple[Words, Floats, Floats]:
    """Tables of Marsaglia & Tsang for 256 layers and 52-bit magnitudes."""
    scale = 2.0**52
    limit, width, height = np.zeros(256, np.uint64), np.zeros(256), np.zeros(256)
    edge = previous = _R
    base = _AREA / math.exp(-0.5 * edge * edge)
    limit[0] = np.uint64(edge / base * scale)
    width[0], width[255] = base / scale, edge / scale
    height[0], height[255] = 1.0, math.exp(-0.5 * edge * edge)
    for i in range(254, 0, -1):
        edge = math.sqrt(-2.0 * math.log(_AREA / edge + math.exp(-0.5 * edge * edge)))
        limit[i + 1] = np.uint64(edge / previous * scale)
        previous = edge
        height[i], width[i] = math.exp(-0.5 * edge * edge), edge / scale
    return limit, width, height


_LIMIT, _WIDTH, _HEIGHT = _ziggurat()


@jit(inline=True)
def mix(word):  # type: ignore[no-untyped-def]
    """SplitMix64's finaliser: a bijection of 64-bit words that scatters every bit."""
    word = np.uint64(word)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@jit(inline=True)
def seed(first, second, replicate, state):  # type: ignore[no-untyped-def]
    """Set ``state`` to the start of the stream of one replicate under the name (first, second)."""
    number = np.uint64(replicate) + np.uint64(1)
    a = np.uint64(first) + mix(np.uint64(second) ^ (number * _ODD))
    b = np.uint64(second) + mix(np.uint64(first) ^ (number * _GOLDEN))
    state[0] = mix(a + _GOLDEN)
    state[1] = mix(a + _GOLDEN + _GOLDEN)
    state[2] = mix(b + _GOLDEN)
    state[3] = mix(b + _GOLDEN + _GOLDEN) | np.uint64(1)  # never the all-zero state


@jit(inline=True)
def bits(state):  # type: ignore[no-untyped-def]
    """The next 64 random bits (xoshiro256++)."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    out = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    shifted = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return out


@jit(inline=True)
def uniform(state):  # type: ignore[no-untyped-def]
    """Uniform on [0, 1), 53 bits."""
    return np.float64(bits(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@jit(inline=True)
def below(state, bound):  # type: ignore[no-untyped-def]
    """A uniform integer in [0, bound), exactly, for 1 <= bound < 2**32 (Lemire)."""
    limit = np.uint64(bound)
    product = (bits(state) >> np.uint64(32)) * limit
    low = product & np.uint64(0xFFFFFFFF)
    if low < limit:
        threshold = (np.uint64(0x100000000) - limit) % limit
        while low < threshold:
            product = (bits(state) >> np.uint64(32)) * limit
            low = product & np.uint64(0xFFFFFFFF)
    return np.int64(product >> np.uint64(32))


@jit()
def _normal_edge(state, layer, x):  # type: ignore[no-untyped-def]
    """The rare cases of the ziggurat: (accepted, value)."""
    if layer == 0:
        while True:
            along = -math.log1p(-uniform(state)) / _R
            up = -math.log1p(-uniform(state))
            if up + up > along * along:
                return True, (_R + along if x > 0 else -_R - along)
    drop = _HEIGHT[layer - 1] - _HEIGHT[layer]
    return drop * uniform(state) + _HEIGHT[layer] < math.exp(-0.5 * x * x), x


@jit(inline=True)
def normal(state):  # type: ignore[no-untyped-def]
    """A standard normal (ziggurat)."""
    while True:
        word = bits(state)
        layer = np.int64(word & np.uint64(0xFF))
        magnitude = (word >> np.uint64(9)) & np.uint64(0x000FFFFFFFFFFFFF)
        x = np.float64(magnitude) * _WIDTH[layer]
        if word & np.uint64(0x100):
            x = -x
        if magnitude < _LIMIT[layer]:
            return x
        accepted, value = _normal_edge(state, layer, x)
        if accepted:
            return value


@jit(inline=True)
def gamma_core(state, d, c):  # type: ignore[no-untyped-def]
    """A gamma variable of shape d + 1/3 >= 1, given c = 1 / sqrt(9 d): for loops over one shape."""
    while True:
        x = normal(state)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            u = 1.0 - uniform(state)
            if u < 1.0 - 0.0331 * x * x * x * x or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
                return d * v


@jit()
def gamma(state, shape):  # type: ignore[no-untyped-def]
    """A gamma variable of the given shape > 0 and scale 1 (Marsaglia & Tsang)."""
    boost = 1.0
    if shape < 1.0:
        boost = (1.0 - uniform(state)) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    return boost * gamma_core(state, d, 1.0 / math.sqrt(9.0 * d))


@jit(inline=True)
def chisquare(state, freedom):  # type: ignore[no-untyped-def]
    """A chi-square variable; zero when it has no degree of freedom."""
    return 2.0 * gamma(state, 0.5 * freedom) if freedom > 0.0 else 0.0


@jit()
def _stirling(k):  # type: ignore[no-untyped-def]
    """log(k!) minus Stirling's approximation of it."""
    return math.lgamma(k + 1.0) - ((k + 0.5) * math.log(k + 1.0) - (k + 1.0) + 0.9189385332046727)


@jit()
def _binomial_btrs(state, n, p):  # type: ignore[no-untyped-def]
    """Binomial by transformed rejection, for n p >= 10 and p <= 1/2."""
    spread = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre, quick = n * p + 0.5, 0.92 - 4.2 / b
    odds, alpha = p / (1.0 - p), (2.83 + 5.1 / b) * spread
    mode = math.floor((n + 1) * p)
    while True:
        u = uniform(state) - 0.5
        v = 1.0 - uniform(state)
        inner = 0.5 - abs(u)
        k = math.floor((2.0 * a / inner + b) * u + centre)
        if k < 0 or k > n:
            continue
        if inner >= 0.07 and v <= quick:
            return np.int64(k)
        ratio = math.log(v * alpha / (a / (inner * inner) + b))
        bound = (
            (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0)))
            + (n + 1.0) * math.log((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
            + _stirling(mode)
            + _stirling(n - mode)
            - _stirling(k)
            - _stirling(n - k)
        )
        if ratio <= bound:
            return np.int64(k)


@jit()
def binomial(state, n, p):  # type: ignore[no-untyped-def]
    """A binomial variable: how many of n trials succeed."""
    if n <= 0 or p <= 0.0:
        return np.int64(0)
    if p >= 1.0:
        return np.int64(n)
    if p > 0.5:
        return np.int64(n) - binomial(state, n, 1.0 - p)
    if n * p >= 10.0:
        return _binomial_btrs(state, n, p)
    log_q = math.log1p(-p)  # geometric gaps between successes: exact, cost n p
    count, position = np.int64(0), np.int64(0)
    while True:
        gap = math.floor(math.log(1.0 - uniform(state)) / log_q)
        if gap >= n - position:
            return count
        position += np.int64(gap) + 1
        count += 1
        if position >= n:
            return count


@jit()
def multinomial(state, n, probabilities, counts):  # type: ignore[no-untyped-def]
    """Fill ``counts`` (V,) with a multinomial draw by conditional binomials; zero cells cost nothing."""
    left, mass = np.int64(n), 0.0
    for i in range(probabilities.size):
        mass += probabilities[i]
    last = -1
    for i in range(probabilities.size):
        counts[i] = 0
        p = probabilities[i]
        if p > 0.0:
            last = i
            if left > 0:
                drawn = binomial(state, left, min(1.0, p / mass))
                counts[i] = drawn
                left -= drawn
                mass -= p
                if mass <= 0.0:
                    mass = p * 1e-16
    if left > 0 and last >= 0:  # rounding left some: they belong to the last possible cell
        counts[last] += left


@jit()
def alias_table(weights, keep, other):  # type: ignore[no-untyped-def]
    """Build Vose's alias table of non-negative ``weights`` (V,) into ``keep`` and ``other``.

    A draw is ``i = below(V)``, then ``i`` if ``uniform() < keep[i]``, else ``other[i]``.
    """
    size = weights.size
    total = 0.0
    for i in range(size):
        total += weights[i]
    small, large = np.empty(size, np.int64), np.empty(size, np.int64)
    n_small = n_large = 0
    for i in range(size):
        keep[i], other[i] = weights[i] * size / total, i
        if keep[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small and n_large:
        n_small -= 1
        less, more = small[n_small], large[n_large - 1]
        other[less] = more
        keep[more] -= 1.0 - keep[less]
        if keep[more] < 1.0:
            n_large -= 1
            small[n_small] = more
            n_small += 1
    for i in range(n_large):
        keep[large[i]] = 1.0
    for i in range(n_small):  # left over by rounding only
        keep[small[i]] = 1.0


@jit()
def choose(state, total, taken, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with distinct integers below ``total``, uniformly (Floyd), in random order.

    ``taken`` is scratch of at least ``2 * out.size`` slots, a power of two long: an open-addressing set.
    """
    mask = taken.size - 1
    for i in range(taken.size):
        taken[i] = -1
    count = out.size
    for step in range(count):
        candidate = below(state, total - count + step + 1)
        for _attempt in range(2):
            slot = np.int64(mix(np.uint64(candidate))) & mask
            while taken[slot] != -1 and taken[slot] != candidate:
                slot = (slot + 1) & mask
            if taken[slot] == -1:
                break
            candidate = total - count + step  # already there: take the newcomer
        taken[slot] = candidate
        out[step] = candidate
    for i in range(count - 1, 0, -1):
        j = below(state, i + 1)
        out[i], out[j] = out[j], out[i]


@jit()
def normals(first, second, replicates, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with standard normals, row i from the stream of ``replicates[i]``."""
    for i in range(out.shape[0]):
        state = np.empty(4, np.uint64)
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            out[i, j] = normal(state)


@jit()
def uniforms(first, second, replicates, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with uniforms on [0, 1), row i from the stream of ``replicates[i]``."""
    for i in range(out.shape[0]):
        state = np.empty(4, np.uint64)
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            out[i, j] = uniform(state)


@jit()
def integers(first, second, replicates, bounds, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with uniform integers below ``bounds[i]`` in row i."""
    for i in range(out.shape[0]):
        state = np.empty(4, np.uint64)
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            out[i, j] = below(state, bounds[i])


@jit()
def subsets(first, second, replicates, total, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with m distinct integers below ``total`` in each row, in random order."""
    slots = 4
    while slots < 2 * out.shape[1]:
        slots *= 2
    for i in range(out.shape[0]):
        state = np.empty(4, np.uint64)
        seed(first, second, replicates[i], state)
        choose(state, total, np.empty(slots, np.int64), out[i])


@jit()
def categoricals(first, second, replicates, weights, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with symbols drawn in proportion to ``weights`` ((1 or r), V)."""
    size = weights.shape[1]
    last = weights.shape[0] - 1  # one row serves all replicates, or one each
    for i in range(out.shape[0]):
        state = np.empty(4, np.uint64)
        seed(first, second, replicates[i], state)
        keep, other = np.empty(size), np.empty(size, np.int64)
        alias_table(weights[min(i, last)], keep, other)
        for j in range(out.shape[1]):
            symbol = below(state, size)
            out[i, j] = symbol if uniform(state) < keep[symbol] else other[symbol]
