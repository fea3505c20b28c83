"""Estimators of the share of a corpus that is synthetic."""
