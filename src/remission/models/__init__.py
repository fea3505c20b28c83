"""Models are fitted and sampled."""
