"""The two sides of a comparison and the statistics of their difference."""
