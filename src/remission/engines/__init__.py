"""Engines map a function over units of work (blocks of replicates, shards of a corpus), and nothing else."""
