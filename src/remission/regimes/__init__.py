"""Regimes say which data each generation is trained on."""
