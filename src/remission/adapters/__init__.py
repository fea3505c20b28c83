"""Calibrated detectors inside what people have: one thin file for each library."""
