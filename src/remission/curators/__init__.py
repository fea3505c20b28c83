"""Curators select, weigh or relabel what arrives."""
