"""A convolutional code of rate 1/3 and memory 6, and its most likely decoding.

Source: the generators 133, 171, 165 (octal), of free distance 15, are those of 3GPP TS 36.212, section 5.1.3.1; Viterbi,
"Error bounds for convolutional codes and an asymptotically optimum decoding algorithm" (IEEE Transactions on Information
Theory 13, 1967).
"""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Booleans, Floats, Integers
from remission.numerics.jit import jit

MEMORY = 6
RATE = 3
_STATES = 1 << MEMORY
_GENERATORS = (0o133, 0o171, 0o165)


def _signs() -> Floats:
    """The signs (2 ** 7, 3) that each content of the register sends."""
    register = np.arange(2 * _STATES)
    parity = [[bin(int(one) & generator).count("1") & 1 for generator in _GENERATORS] for one in register]
    return 1.0 - 2.0 * np.array(parity)


_SIGNS = _signs()


def length(bits: int) -> int:
    """How many signs a message of so many bits becomes: the register is emptied at the end."""
    return RATE * (bits + MEMORY)


def encode(message: Booleans) -> Integers:
    """The signs (3 (n + 6),), each -1 or 1, of a message (n,).

    >>> encode(np.array([True]))[:6].tolist()
    [-1, -1, -1, -1, 1, 1]
    """
    register, sent = 0, []
    for bit in [*message.tolist(), *[False] * MEMORY]:
        register = (register << 1 | int(bit)) & (2 * _STATES - 1)
        sent.append(_SIGNS[register])
    return np.concatenate(sent).astype(np.int64)


@jit()
def _viterbi(received, signs, message):  # type: ignore[no-untyped-def]
    states, steps = signs.shape[0] // 2, received.shape[0]
    metric, new = np.full(states, -1e300), np.empty(states)
    metric[0] = 0.0
    came = np.empty((steps, states), np.uint8)
    for t in range(steps):
        for state in range(states):
            best, which = -np.inf, 0
            for old in range(2):
                register = state | old * states
                value = metric[register >> 1]
                for k in range(received.shape[1]):
                    value += received[t, k] * signs[register, k]
                if t >= message.size and state & 1:
                    value = -1e300
                if value > best:
                    best, which = value, old
            new[state], came[t, state] = best, which
        metric, new = new, metric
    state = 0
    for t in range(steps - 1, -1, -1):
        if t < message.size:
            message[t] = state & 1 == 1
        state = (state | np.int64(came[t, state]) * states) >> 1


def decode(received: Floats) -> Booleans:
    """The message (n,) whose signs have the largest product with what was received (3 (n + 6),), more certain is larger.

    >>> message = np.array([True, False, True, True])
    >>> noisy = encode(message) + np.tile([0.9, -0.9, 0.0, 1.2, 0.3], 6)
    >>> decode(noisy).tolist()
    [True, False, True, True]
    """
    steps = np.ascontiguousarray(received, np.float64).reshape(-1, RATE)
    message = np.zeros(len(steps) - MEMORY, np.bool_)
    _viterbi(steps, _SIGNS, message)
    return message
