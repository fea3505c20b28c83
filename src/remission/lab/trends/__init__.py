"""Trend models of a metric over generations, and how they are chosen."""
