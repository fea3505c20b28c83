"""The lab: run sweeps, compare with theory, read a run as a whole."""
