"""Watermarks: one file per scheme."""
