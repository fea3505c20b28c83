"""Where real data comes from: known laws and finite sets of real items, one per file."""
