"""Detectors score how likely an item is synthetic."""
