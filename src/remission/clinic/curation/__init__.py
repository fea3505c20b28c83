"""Curation: from the census of a corpus to a training set, with what is left in it."""
