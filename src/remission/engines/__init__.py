"""Engines map a function over units of work (blocks of replicates, spans of a corpus), and nothing else."""
