"""Metrics measure a generation."""
