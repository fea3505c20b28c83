"""Exponential and logarithm that the compiler can turn into SIMD code: no call, no branch, no table."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from remission.numerics.jit import jit

_LOG2_E = 1.4426950408889634
_LN_2 = 0.6931471805599453
_ROOT_2 = 1.4142135623730951


@intrinsic
def _nearest(typing_context: Any, x: Any) -> Any:
    """The nearest whole number, as a float."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.rint", [ir.DoubleType()])
        return builder.call(function, arguments)

    return types.float64(types.float64), code


@intrinsic
def _scaled(typing_context: Any, p: Any, n: Any) -> Any:
    """Multiply p by 2^n, n a whole number, by adding n to the exponent bits; right while the result is normal.

    Adding 1.5 * 2^52 leaves n in the low bits of the sum, without a conversion that AVX2 does not have.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        shifted = builder.fadd(arguments[1], ir.Constant(ir.DoubleType(), 1.5 * 2.0**52))
        low = builder.shl(builder.bitcast(shifted, word), ir.Constant(word, 52))
        return builder.bitcast(builder.add(builder.bitcast(arguments[0], word), low), ir.DoubleType())

    return types.float64(types.float64, types.float64), code


@intrinsic
def _exponent(typing_context: Any, x: Any) -> Any:
    """floor(log2(x)) of a positive normal number, as a float."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        bits = builder.lshr(builder.bitcast(arguments[0], word), ir.Constant(word, 52))
        short = builder.sub(builder.trunc(bits, ir.IntType(32)), ir.Constant(ir.IntType(32), 1023))
        return builder.sitofp(short, ir.DoubleType())

    return types.float64(types.float64), code


@intrinsic
def _mantissa(typing_context: Any, x: Any) -> Any:
    """The mantissa x / 2^floor(log2(x)) of a positive normal number: in [1, 2)."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        bits = builder.and_(builder.bitcast(arguments[0], word), ir.Constant(word, (1 << 52) - 1))
        bits = builder.or_(bits, ir.Constant(word, 1023 << 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.float64), code


@jit(fast=True, inline=True)
def exp_negative(x):  # type: ignore[no-untyped-def]
    """exp(x) for x <= 0 to about 1e-15 of itself for x > -40 and 1e-13 below; 0 below -708.

    x = n ln 2 + u with |u| <= ln(2) / 2; exp(u) by the degree-10 Chebyshev interpolant.
    """
    n = _nearest(x * _LOG2_E)  # type: ignore[call-arg, var-annotated]
    u = x - n * _LN_2
    p = 2.7626327444442853e-07
    p = p * u + 2.7640170644904873e-06
    p = p * u + 2.480150452506639e-05
    p = p * u + 0.0001984117029935184
    p = p * u + 0.0013888888932168384
    p = p * u + 0.008333333385639762
    p = p * u + 0.041666666666575404
    p = p * u + 0.16666666666554508
    p = p * u + 0.5000000000000006
    p = p * u + 1.0000000000000067
    p = p * u + 1.0
    return _scaled(p, n) if x > -708.0 else 0.0


@jit(fast=True, inline=True)
def log_positive(x):  # type: ignore[no-untyped-def]
    """log(x) of a positive normal number to about 2e-16 absolutely (for x near 1) or relatively.

    x = 2^n m with m in [1/sqrt 2, sqrt 2); log(m) = 2 artanh(f) with f = (m - 1) / (m + 1), |f| < 0.172.
    """
    n, m = _exponent(x), _mantissa(x)  # type: ignore[call-arg, var-annotated]
    high = m > _ROOT_2
    m = 0.5 * m if high else m
    n = n + 1.0 if high else n
    f = (m - 1.0) / (m + 1.0)
    g = f * f
    p = 1.0 / 19.0
    p = p * g + 1.0 / 17.0
    p = p * g + 1.0 / 15.0
    p = p * g + 1.0 / 13.0
    p = p * g + 1.0 / 11.0
    p = p * g + 1.0 / 9.0
    p = p * g + 1.0 / 7.0
    p = p * g + 1.0 / 5.0
    p = p * g + 1.0 / 3.0
    return n * _LN_2 + 2.0 * f * (1.0 + g * p)


@jit()
def exponentials(x, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (n,) with exp of x <= 0 (n,)."""
    for i in range(x.size):
        out[i] = exp_negative(x[i])


@jit()
def logarithms(x, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (n,) with log of x > 0 (n,)."""
    for i in range(x.size):
        out[i] = log_positive(x[i])
