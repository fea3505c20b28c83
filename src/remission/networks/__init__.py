"""Building blocks of neural networks in PyTorch; knows no noun of ours. Imported by leaves inside their functions."""
