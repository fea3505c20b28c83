"""A census of a whole corpus: every document is scored, dropped on request or set aside by name, once."""
