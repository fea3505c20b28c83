"""Closed forms with their sources and conditions."""
