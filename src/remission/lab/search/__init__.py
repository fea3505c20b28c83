"""Searches for a place on an axis: replicates on demand, crossings, what theory knows of them."""
