"""Files of reproductions, their rules, and how numbers are judged."""
