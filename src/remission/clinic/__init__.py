"""What the lab knows, for corpora: prevalence, census, curation."""
