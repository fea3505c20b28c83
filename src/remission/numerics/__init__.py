"""Compiled kernels and stable statistics. Knows no noun of ours: arrays in, arrays out."""
